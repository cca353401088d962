//! A user as the resource that RFC 7643 section 4.1 describes, and as much of it as is asked for.

use rescind_ledger::User;
use serde_json::{Map, Value, json};

use super::{
    attribute::{Attribute, USER},
    error::ScimError,
};
use crate::app::App;

/// Where the resources are, below the issuer.
pub const BASE: &str = "/scim/v2";

/// The whole of a user but the password, which is never given back.
#[must_use]
pub fn whole(app: &App, user: &User) -> Map<String, Value> {
    let mut resource = Map::new();
    let mut add = |name: &str, value: Value| drop(resource.insert(name.to_owned(), value));
    add("schemas", json!([USER]));
    add("id", json!(user.id));
    add("userName", json!(user.user_name));
    add("active", json!(user.enabled));
    if let Some(external_id) = &user.external_id {
        add("externalId", json!(external_id));
    }
    if let Some(display_name) = &user.display_name {
        add("displayName", json!(display_name));
    }
    if let Some(email) = &user.email {
        add("emails", json!([{ "value": email, "type": "work", "primary": true }]));
    }
    let location = location(app, &user.id);
    add("meta", json!({ "resourceType": "User", "created": written(user.created_at.0), "location": location }));
    resource
}

/// The address of a user.
#[must_use]
pub fn location(app: &App, id: &str) -> String {
    format!("{}{BASE}/Users/{id}", app.config.issuer)
}

fn written(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map(|moment| format!("{moment:.3}")).unwrap_or_default()
}

/// Which attributes an answer has (RFC 7644 section 3.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    only: Vec<Attribute>,
    without: Vec<Attribute>,
}

impl Shown {
    /// Reads what is asked for: names with commas between them.
    ///
    /// # Errors
    /// If one is no name.
    pub fn read(only: Option<&str>, without: Option<&str>) -> Result<Self, ScimError> {
        Ok(Self { only: names(only)?, without: names(without)? })
    }

    /// Leaves what is to be shown. `schemas` and `id` always are.
    #[must_use]
    pub fn of(&self, resource: Map<String, Value>) -> Map<String, Value> {
        let always = |name: &str| matches!(name, "schemas" | "id");
        let kept = resource.into_iter().filter_map(|(name, value)| {
            if always(&name) {
                return Some((name, value));
            }
            let value = if self.only.is_empty() { Some(value) } else { select(&self.only, &name, value, true) }?;
            let value = select(&self.without, &name, value, false)?;
            Some((name, value))
        });
        kept.collect()
    }
}

fn names(text: Option<&str>) -> Result<Vec<Attribute>, ScimError> {
    let each = text.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty());
    each.map(|name| Attribute::read(name).ok_or_else(|| ScimError::invalid_value("this is no attribute's name")))
        .collect()
}

/// What is left of a value when the named parts alone are kept, or when they are dropped; none if nothing is.
fn select(named: &[Attribute], name: &str, value: Value, keep: bool) -> Option<Value> {
    let mut concerned = named.iter().filter(|one| one.name.eq_ignore_ascii_case(name)).peekable();
    if concerned.peek().is_none() {
        return (!keep).then_some(value);
    }
    let parts: Vec<&Attribute> = concerned.collect();
    if parts.iter().any(|one| one.part.is_none()) {
        return keep.then_some(value);
    }
    let is_named =
        |part: &str| parts.iter().any(|one| one.part.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(part)));
    let narrowed = |value: Value| match value {
        Value::Object(members) => {
            let left: Map<_, _> = members.into_iter().filter(|(part, _)| is_named(part) == keep).collect();
            (!left.is_empty()).then_some(Value::Object(left))
        }
        // It has no parts.
        other => (!keep).then_some(other),
    };
    match value {
        Value::Array(values) => {
            let left: Vec<Value> = values.into_iter().filter_map(narrowed).collect();
            (!left.is_empty()).then_some(Value::Array(left))
        }
        one => narrowed(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(only: &str, without: &str) -> Vec<String> {
        let resource = json!({
            "schemas": [USER], "id": "u", "userName": "a", "emails": [{ "value": "v", "type": "work" }],
            "meta": { "created": "c", "location": "l" },
        });
        let Value::Object(resource) = resource else { panic!("an object") };
        let shown = Shown::read(Some(only), Some(without)).unwrap().of(resource);
        shown
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .filter(|it| !it.starts_with("schemas"))
            .collect()
    }

    #[test]
    fn an_answer_has_what_was_asked_for_and_always_the_id() {
        assert_eq!(shown("USERNAME", ""), ["id=\"u\"", "userName=\"a\""]);
        assert_eq!(shown("emails.value, nickName", ""), ["emails=[{\"value\":\"v\"}]", "id=\"u\""]);
        let meta = "meta={\"created\":\"c\"}";
        assert_eq!(shown("", "id,emails,userName,meta.location"), ["id=\"u\"", meta]);
        assert_eq!(shown(&format!("{USER}:userName"), "").len(), 2);
        assert!(Shown::read(Some("a b"), None).is_err());
    }
}
