//! Whether a filter holds of a resource, and where to look for those of which it does.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::{
    attribute::Attribute,
    filter::{Comparison, Filter, Operator, Test},
};

/// A member of an object, whatever the case of its name (RFC 7643 section 2.1).
#[must_use]
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Whether the filter holds of an object: a resource, or a value of an attribute that has parts.
#[must_use]
pub fn matches(filter: &Filter, object: &Map<String, Value>) -> bool {
    match filter {
        Filter::All(parts) => parts.iter().all(|part| matches(part, object)),
        Filter::Any(parts) => parts.iter().any(|part| matches(part, object)),
        Filter::Not(part) => !matches(part, object),
        Filter::Present(attribute) => !held(object, attribute).is_empty(),
        Filter::Compare(attribute, comparison) => fulfils(&attribute.name, &held(object, attribute), comparison),
        Filter::Within(attribute, part, test) => {
            let values = values(object, &attribute.name);
            let mut chosen = values.into_iter().filter_map(Value::as_object).filter(|value| matches(part, value));
            match test {
                None => chosen.next().is_some(),
                Some((name, Test::Present)) => chosen.any(|value| member(value, name).is_some_and(is_there)),
                Some((name, Test::Compare(comparison))) => {
                    let held: Vec<&Value> =
                        chosen.filter_map(|value| member(value, name)).filter(|value| is_there(value)).collect();
                    fulfils(&attribute.name, &held, comparison)
                }
            }
        }
    }
}

fn is_there(value: &Value) -> bool {
    !value.is_null()
}

/// The values of an attribute: one, or each of several.
fn values<'a>(object: &'a Map<String, Value>, name: &str) -> Vec<&'a Value> {
    match member(object, name) {
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) if is_there(one) => vec![one],
        _ => Vec::new(),
    }
}

/// What is compared. Of a value with parts that is `value`, if no other part is named.
fn held<'a>(object: &'a Map<String, Value>, attribute: &Attribute) -> Vec<&'a Value> {
    let part = |value: &'a Value| match (value, &attribute.part) {
        (Value::Object(parts), part) => member(parts, part.as_deref().unwrap_or("value")),
        (value, None) => Some(value),
        (_, Some(_)) => None,
    };
    values(object, &attribute.name).into_iter().filter_map(part).filter(|value| is_there(value)).collect()
}

/// Whether one of the values compares so; for `ne`, and for `eq null`, whether none does otherwise.
fn fulfils(name: &str, held: &[&Value], comparison: &Comparison) -> bool {
    let equals = |value: &&Value| compare(name, value, Operator::Eq, &comparison.with);
    match (comparison.by, &comparison.with) {
        (Operator::Eq, Value::Null) => held.is_empty(),
        (Operator::Ne, Value::Null) => !held.is_empty(),
        (Operator::Ne, _) => !held.iter().any(equals),
        (by, with) => held.iter().any(|value| compare(name, value, by, with)),
    }
}

fn compare(name: &str, value: &Value, by: Operator, with: &Value) -> bool {
    match (value, with) {
        (Value::String(value), Value::String(with)) if name == "meta" => moment_or_text(value, by, with),
        // RFC 7643 section 4.1: what others chose as a name for themselves is told apart by case, what people type is not.
        (Value::String(value), Value::String(with)) if is_exact(name) => texts(value, by, with),
        (Value::String(value), Value::String(with)) => texts(&value.to_lowercase(), by, &with.to_lowercase()),
        (Value::Bool(value), Value::Bool(with)) => by == Operator::Eq && value == with,
        // Entra writes them as texts.
        (Value::Bool(value), Value::String(with)) => {
            by == Operator::Eq && with.eq_ignore_ascii_case(if *value { "true" } else { "false" })
        }
        (Value::Number(value), Value::Number(with)) => {
            let order = value.as_f64().and_then(|value| value.partial_cmp(&with.as_f64()?));
            order.is_some_and(|order| ordered(order, by))
        }
        _ => false,
    }
}

fn is_exact(name: &str) -> bool {
    matches!(name, "id" | "externalid" | "schemas")
}

fn texts(value: &str, by: Operator, with: &str) -> bool {
    match by {
        Operator::Co => value.contains(with),
        Operator::Sw => value.starts_with(with),
        Operator::Ew => value.ends_with(with),
        _ => ordered(value.cmp(with), by),
    }
}

/// Times are compared as times, however they are written.
fn moment_or_text(value: &str, by: Operator, with: &str) -> bool {
    match (value.parse::<jiff::Timestamp>(), with.parse::<jiff::Timestamp>()) {
        (Ok(value), Ok(with)) => ordered(value.cmp(&with), by),
        _ => texts(value, by, with),
    }
}

fn ordered(order: Ordering, by: Operator) -> bool {
    match by {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

/// Where all those are found of whom a filter may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    ById(&'a str),
    ByUserName(&'a str),
    ByExternalId(&'a str),
    ByEmail(&'a str),
    /// No index helps.
    Anywhere,
}

/// Looks for a condition that is necessary and has an index.
#[must_use]
pub fn found(filter: &Filter) -> Found<'_> {
    match filter {
        Filter::All(parts) => parts.iter().map(found).find(|way| *way != Found::Anywhere).unwrap_or(Found::Anywhere),
        Filter::Compare(attribute, comparison) => by_equality(&attribute.name, attribute.part.as_deref(), comparison),
        Filter::Within(attribute, _, Some((part, Test::Compare(comparison)))) => {
            by_equality(&attribute.name, Some(part), comparison)
        }
        Filter::Within(attribute, inner, _) => match inner.as_ref() {
            Filter::Compare(part, comparison) if part.part.is_none() => {
                by_equality(&attribute.name, Some(&part.name), comparison)
            }
            _ => Found::Anywhere,
        },
        _ => Found::Anywhere,
    }
}

fn by_equality<'a>(name: &str, part: Option<&str>, comparison: &'a Comparison) -> Found<'a> {
    let Comparison { by: Operator::Eq, with: Value::String(with) } = comparison else { return Found::Anywhere };
    match (name, part) {
        ("id", None) => Found::ById(with),
        ("username", None) => Found::ByUserName(with),
        ("externalid", None) => Found::ByExternalId(with),
        ("emails", None | Some("value")) => Found::ByEmail(with),
        _ => Found::Anywhere,
    }
}
