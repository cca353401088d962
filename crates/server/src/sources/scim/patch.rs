//! Patches (RFC 7644 section 3.5.2), done on the resource as a whole: what comes out is then read like any resource. What is
//! said of attributes that have no place here is passed over.

use serde_json::{Map, Value};

use super::{
    attribute::USER,
    error::ScimError,
    filter::{Comparison, Filter, Operator, Path},
    matching::{matches, member},
    wanted::name,
};

/// How a change acts. Entra writes the words with a capital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Add,
    Remove,
    Replace,
}

/// One change.
#[derive(Clone, PartialEq)]
struct Change {
    deed: Deed,
    path: Path,
    value: Value,
}

/// What a request wants changed, in order.
#[derive(Clone, PartialEq)]
pub struct Patch(Vec<Change>);

impl Patch {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// If it is no patch, or a path in it is none.
    pub fn read(body: &Map<String, Value>) -> Result<Self, ScimError> {
        let Some(Value::Array(operations)) = member(body, "Operations") else {
            return Err(ScimError::invalid_syntax("a patch has a list of Operations"));
        };
        let mut changes = Vec::new();
        for operation in operations {
            let Value::Object(operation) = operation else {
                return Err(ScimError::invalid_syntax("each of the Operations is an object"));
            };
            read(operation, &mut changes)?;
        }
        Ok(Self(changes))
    }

    /// Does it to a resource.
    ///
    /// # Errors
    /// If something of it cannot be done; then the resource is not to be used.
    pub fn apply(&self, resource: &mut Map<String, Value>) -> Result<(), ScimError> {
        self.0.iter().try_for_each(|change| change.apply(resource))?;
        let concerns = |name: &str| self.0.iter().any(|change| change.path.attribute.name == name);
        // The display name may have been put together from a name whose parts are not kept.
        if concerns("name")
            && !concerns("displayname")
            && let Some(whole) = name(resource)?.unwrap_or_default().whole(false)
        {
            resource.insert("displayName".to_owned(), whole.into());
        }
        Ok(())
    }
}

fn read(operation: &Map<String, Value>, changes: &mut Vec<Change>) -> Result<(), ScimError> {
    let deed = member(operation, "op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let deed = match deed.as_str() {
        "add" => Deed::Add,
        "remove" => Deed::Remove,
        "replace" => Deed::Replace,
        _ => return Err(ScimError::invalid_syntax("`op` is add, remove or replace")),
    };
    let value = member(operation, "value").cloned();
    if value.is_none() && deed != Deed::Remove {
        return Err(ScimError::invalid_value("there is no `value`"));
    }
    let value = value.unwrap_or(Value::Null);
    match member(operation, "path") {
        Some(Value::String(path)) => {
            changes.push(Change { deed, path: Path::read(path)?, value });
            Ok(())
        }
        None | Some(Value::Null) if deed == Deed::Remove => Err(ScimError::no_target("a removal needs a `path`")),
        None | Some(Value::Null) => match only(value) {
            Value::Object(members) => spread(deed, members, changes),
            _ => Err(ScimError::invalid_value("without a `path`, the `value` is an object")),
        },
        Some(_) => Err(ScimError::invalid_path("`path` is a text")),
    }
}

/// Without a path, each member of the value stands under one. Entra writes `name.givenName` and even filters there.
fn spread(deed: Deed, members: Map<String, Value>, changes: &mut Vec<Change>) -> Result<(), ScimError> {
    for (key, value) in members {
        match value {
            Value::Object(members) if key.eq_ignore_ascii_case(USER) => spread(deed, members, changes)?,
            value => changes.push(Change { deed, path: Path::read(&key)?, value }),
        }
    }
    Ok(())
}

/// What stands in a list of one.
fn only(value: Value) -> Value {
    match value {
        Value::Array(mut several) if several.len() == 1 => several.pop().unwrap_or_default(),
        other => other,
    }
}

/// A single value, which Entra may wrap as `[{"value": …}]`.
fn single(value: &Value) -> Value {
    match only(value.clone()) {
        Value::Object(members) => member(&members, "value").cloned().unwrap_or(Value::Object(members)),
        other => other,
    }
}

impl Change {
    fn apply(&self, resource: &mut Map<String, Value>) -> Result<(), ScimError> {
        match self.path.attribute.name.as_str() {
            "username" => self.set(resource, "userName"),
            "externalid" => self.set(resource, "externalId"),
            "displayname" => self.set(resource, "displayName"),
            "active" => self.set(resource, "active"),
            "password" => self.set(resource, "password"),
            "name" => self.set_name(resource),
            "emails" => self.set_emails(resource),
            _ => Ok(()),
        }
    }

    fn removes(&self) -> bool {
        self.deed == Deed::Remove || self.value.is_null()
    }

    fn set(&self, resource: &mut Map<String, Value>, name: &'static str) -> Result<(), ScimError> {
        if self.path.filter.is_some() || self.path.attribute.part.is_some() {
            return Err(ScimError::invalid_path(format!("{name} has no parts")));
        }
        if !self.removes() {
            resource.insert(name.to_owned(), single(&self.value));
            return Ok(());
        }
        if matches!(name, "userName" | "password") {
            return Err(ScimError::mutability(format!("{name} can be changed, but not removed")));
        }
        resource.remove(name);
        Ok(())
    }

    fn set_name(&self, resource: &mut Map<String, Value>) -> Result<(), ScimError> {
        if self.path.filter.is_some() {
            return Err(ScimError::invalid_path("name has one value"));
        }
        let known = resource.entry("name").or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(parts) = known else { return Err(ScimError::invalid_value("name is an object")) };
        match (&self.path.attribute.part, &self.value) {
            (Some(part), _) if self.removes() => parts.retain(|known, _| !known.eq_ignore_ascii_case(part)),
            (Some(part), value) => put(parts, part, single(value)),
            (None, _) if self.removes() => parts.clear(),
            (None, value) => match only(value.clone()) {
                Value::Object(members) => members.into_iter().for_each(|(part, value)| put(parts, &part, value)),
                _ => return Err(ScimError::invalid_value("name is an object")),
            },
        }
        Ok(())
    }

    fn set_emails(&self, resource: &mut Map<String, Value>) -> Result<(), ScimError> {
        let known = resource.entry("emails").or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(emails) = known else { return Err(ScimError::invalid_value("emails is a list")) };
        let chosen = |email: &Value| match (&self.path.filter, email) {
            (None, _) => true,
            (Some(filter), Value::Object(email)) => matches(filter, email),
            (Some(_), _) => false,
        };
        if self.removes() {
            match self.path.attribute.part.as_deref() {
                // An address without its value is none.
                None | Some("value") => emails.retain(|email| !chosen(email)),
                Some(part) => emails.iter_mut().filter(|email| chosen(email)).for_each(|email| drop_part(email, part)),
            }
            return Ok(());
        }
        let whole = self.path.filter.is_none() && self.path.attribute.part.is_none();
        if whole {
            let fresh = match &self.value {
                Value::Array(several) => several.clone(),
                one => vec![one.clone()],
            };
            if self.deed == Deed::Replace {
                emails.clear();
            }
            fresh.into_iter().for_each(|email| add(emails, email));
            return Ok(());
        }
        self.set_chosen(emails, chosen)
    }

    /// Changes those that are chosen; if there are none, adds one that would be.
    fn set_chosen(&self, emails: &mut Vec<Value>, chosen: impl Fn(&Value) -> bool) -> Result<(), ScimError> {
        let fresh = match &self.path.attribute.part {
            Some(part) => Map::from_iter([(part.clone(), single(&self.value))]),
            None => match only(self.value.clone()) {
                Value::Object(members) => members,
                _ => return Err(ScimError::invalid_value("each of the emails is an object with a value")),
            },
        };
        let places: Vec<usize> = (0..emails.len()).filter(|place| emails.get(*place).is_some_and(&chosen)).collect();
        if places.is_empty() {
            let mut email = Map::new();
            self.path.filter.iter().for_each(|filter| assume(filter, &mut email));
            fresh.into_iter().for_each(|(part, value)| put(&mut email, &part, value));
            add(emails, Value::Object(email));
            return Ok(());
        }
        for place in places {
            let mut email = match emails.get(place) {
                Some(Value::Object(known)) if self.path.attribute.part.is_some() || self.deed == Deed::Add => {
                    known.clone()
                }
                _ => Map::new(),
            };
            fresh.iter().for_each(|(part, value)| put(&mut email, part, value.clone()));
            replace(emails, place, Value::Object(email));
        }
        Ok(())
    }
}

/// Puts a part in the place of one of the same name.
fn put(object: &mut Map<String, Value>, part: &str, value: Value) {
    object.retain(|known, _| !known.eq_ignore_ascii_case(part));
    object.insert(part.to_owned(), value);
}

fn drop_part(email: &mut Value, part: &str) {
    if let Value::Object(email) = email {
        email.retain(|known, _| !known.eq_ignore_ascii_case(part));
    }
}

fn add(emails: &mut Vec<Value>, email: Value) {
    emails.push(Value::Null);
    let last = emails.len().saturating_sub(1);
    replace(emails, last, email);
}

/// At most one is the primary one (RFC 7643 section 2.4): the newest that says so.
fn replace(emails: &mut [Value], place: usize, email: Value) {
    if email.as_object().and_then(|email| member(email, "primary")).is_some_and(is_true) {
        for other in emails.iter_mut() {
            drop_part(other, "primary");
        }
    }
    if let Some(known) = emails.get_mut(place) {
        *known = email;
    }
}

fn is_true(value: &Value) -> bool {
    value == true || value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// What a filter says of a value that fulfils it.
fn assume(filter: &Filter, email: &mut Map<String, Value>) {
    match filter {
        Filter::All(parts) => parts.iter().for_each(|part| assume(part, email)),
        Filter::Compare(part, Comparison { by: Operator::Eq, with }) if part.part.is_none() => {
            put(email, &part.name, with.clone());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
