//! What a provisioning system says a user is to be: read out of a resource, known attributes strictly, and the rest not at all.
//! Entra and Okta send much that has no place here, in the core schema and in extensions, and expect it to be taken.

use rescind_ledger::{Order, User, UserChange};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{error::ScimError, matching::member};
use crate::{password, user_name};

/// The longest text that is kept besides user names, in bytes.
const LONGEST: usize = Order::NAME_LIMIT;

/// What is wanted of a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    pub user_name: String,
    pub external_id: Option<String>,
    pub display_name: Option<String>,
    pub email: Option<String>,
    /// Not said: as it is. Leaving it out must never bring a disabled account back.
    pub active: Option<bool>,
    pub password: Option<Zeroizing<String>>,
}

impl Wanted {
    /// Reads a resource.
    ///
    /// # Errors
    /// `invalidValue`, naming the attribute.
    pub fn read(resource: &Map<String, Value>) -> Result<Self, ScimError> {
        let Some(user_name) = text(resource, "userName")? else {
            return Err(ScimError::invalid_value("userName is missing"));
        };
        user_name::check(&user_name).map_err(ScimError::invalid_value)?;
        let display_name = match text(resource, "displayName")? {
            Some(name) => Some(name),
            None => name(resource)?.unwrap_or_default().whole(true),
        };
        let password = text_within(resource, "password", password::LONGEST)?.map(Zeroizing::new);
        if password.as_ref().is_some_and(|password| password.len() < password::SHORTEST) {
            return Err(ScimError::invalid_value(password::Unusable::TooShort.to_string()));
        }
        Ok(Self {
            user_name,
            external_id: text(resource, "externalId")?.filter(|id| !id.is_empty()),
            display_name: display_name.filter(|name| !name.is_empty()),
            email: email(resource)?.filter(|email| !email.is_empty()),
            active: flag(resource, "active")?,
            password,
        })
    }

    /// The change that makes the user so.
    #[must_use]
    pub fn change(&self, password_hash: Option<String>) -> UserChange {
        UserChange {
            user_name: Some(self.user_name.clone()),
            email: Some(self.email.clone()),
            display_name: Some(self.display_name.clone()),
            password_hash,
            enabled: self.active,
            role: None,
            external_id: Some(self.external_id.clone()),
        }
    }

    /// A new user.
    #[must_use]
    pub fn fresh(self, user: User, password_hash: Option<String>) -> User {
        User {
            user_name: self.user_name,
            email: self.email,
            display_name: self.display_name,
            password_hash,
            enabled: self.active.unwrap_or(true),
            external_id: self.external_id,
            ..user
        }
    }
}

/// The parts of a name (RFC 7643 section 4.1.1), of which only the whole is kept.
#[derive(Default)]
pub(super) struct Name {
    formatted: Option<String>,
    given: Option<String>,
    family: Option<String>,
}

impl Name {
    /// The whole. Of one part alone only if nothing more will be known.
    pub(super) fn whole(self, of_one_part: bool) -> Option<String> {
        match (self.formatted, self.given, self.family) {
            (Some(formatted), _, _) => Some(formatted),
            (None, Some(given), Some(family)) => Some(format!("{given} {family}")),
            (None, given, family) => given.or(family).filter(|_| of_one_part),
        }
    }
}

pub(super) fn name(resource: &Map<String, Value>) -> Result<Option<Name>, ScimError> {
    match member(resource, "name") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(parts)) => Ok(Some(Name {
            formatted: text(parts, "formatted")?,
            given: text(parts, "givenName")?,
            family: text(parts, "familyName")?,
        })),
        Some(_) => Err(ScimError::invalid_value("name is an object")),
    }
}

fn text(object: &Map<String, Value>, name: &'static str) -> Result<Option<String>, ScimError> {
    text_within(object, name, LONGEST)
}

fn text_within(object: &Map<String, Value>, name: &'static str, most: usize) -> Result<Option<String>, ScimError> {
    match member(object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= most => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err(ScimError::invalid_value(format!("{name} has at most {most} bytes"))),
        Some(_) => Err(ScimError::invalid_value(format!("{name} is a text"))),
    }
}

/// A flag. Entra writes `"False"`.
fn flag(object: &Map<String, Value>, name: &'static str) -> Result<Option<bool>, ScimError> {
    match member(object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(ScimError::invalid_value(format!("{name} is true or false"))),
    }
}

/// The one address that is kept: the primary one, else the one at work, else the first.
fn email(resource: &Map<String, Value>) -> Result<Option<String>, ScimError> {
    let emails = match member(resource, "emails") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(emails)) => emails,
        Some(_) => return Err(ScimError::invalid_value("emails is a list")),
    };
    let mut best: Option<(u8, String)> = None;
    for email in emails {
        let Value::Object(email) = email else {
            return Err(ScimError::invalid_value("each of the emails is an object with a value"));
        };
        let Some(value) = text(email, "value")? else { continue };
        let is_work = text(email, "type")?.is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
        let rank = if flag(email, "primary")? == Some(true) { 2 } else { u8::from(is_work) };
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, value));
        }
    }
    Ok(best.map(|(_, value)| value))
}
