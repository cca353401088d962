//! Schemas in words, for the page.

use serde_json::Value;

use super::page::text;

/// What something is: pieces of a phrase, some of which lead to a schema.
pub(super) struct Kind(pub(super) Vec<Piece>);

pub(super) struct Piece {
    pub(super) text: String,
    /// Whether it is the name of a schema.
    pub(super) leads: bool,
}

/// A member of an object, or a parameter.
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) required: bool,
    pub(super) kind: Kind,
    pub(super) about: &'a str,
}

impl Kind {
    fn words(text: impl Into<String>) -> Self {
        Self(vec![Piece { text: text.into(), leads: false }])
    }

    /// The phrases with a word between them.
    fn joined(kinds: impl IntoIterator<Item = Self>, between: &str) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for kind in kinds {
            if !pieces.is_empty() {
                pieces.push(Piece { text: between.to_owned(), leads: false });
            }
            pieces.extend(kind.0);
        }
        Self(pieces)
    }

    fn after(text: &str, kind: Self) -> Self {
        Self::joined([Self::words(text), kind], " ")
    }
}

/// What a schema describes.
pub(super) fn kind(schema: &Value) -> Kind {
    if let Some(name) = schema["$ref"].as_str().and_then(|place| place.rsplit('/').next()) {
        return Kind(vec![Piece { text: name.to_owned(), leads: true }]);
    }
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| word.as_str().unwrap_or_default().to_owned());
        return Kind::joined(words.map(Kind::words), " · ");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(kinds) = schema[several].as_array() {
            return Kind::joined(kinds.iter().map(kind), " or ");
        }
    }
    match &schema["type"] {
        Value::String(one) => plain(one, schema),
        Value::Array(several) => {
            let several = several.iter().filter_map(Value::as_str);
            Kind::joined(several.map(|one| plain(one, schema)), " or ")
        }
        _ => Kind::words("anything"),
    }
}

fn plain(name: &str, schema: &Value) -> Kind {
    match name {
        "array" => Kind::after("list of", kind(&schema["items"])),
        "boolean" => Kind::words("true or false"),
        "integer" => match (&schema["minimum"], &schema["maximum"]) {
            (Value::Number(least), Value::Number(most)) => Kind::words(format!("number from {least} to {most}")),
            _ => Kind::words("number"),
        },
        "object" => {
            let names: Vec<&str> = members(schema).iter().map(|member| member.name).collect();
            if names.is_empty() { Kind::words("object") } else { Kind::words(format!("{{ {} }}", names.join(", "))) }
        }
        "string" => match schema["pattern"].as_str() {
            Some(pattern) => Kind::words(format!("text like {pattern}")),
            None => Kind::words("text"),
        },
        other => Kind::words(other),
    }
}

/// The members of an object.
pub(super) fn members(schema: &Value) -> Vec<Member<'_>> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, member)| Member {
            name,
            required: required(name),
            kind: kind(member),
            about: text(member, "description"),
        })
        .collect()
}

/// A text in pieces; every other one stood between backticks.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (bool, &str)> {
    text.split('`').enumerate().map(|(nth, piece)| (nth % 2 == 1, piece))
}

/// An example, written out.
pub(super) fn example(schema: &Value) -> Option<String> {
    let example = schema["examples"].as_array().and_then(|examples| examples.first())?;
    serde_json::to_string_pretty(example).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(schema: &Value) -> String {
        kind(schema).0.into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn a_schema_is_said_in_words() {
        assert_eq!(said(&json!({ "$ref": "#/components/schemas/User" })), "User");
        assert_eq!(said(&json!({ "type": "array", "items": { "type": "string" } })), "list of text");
        assert_eq!(
            said(&json!({ "type": ["integer", "null"], "minimum": 1, "maximum": 9 })),
            "number from 1 to 9 or null"
        );
        assert_eq!(said(&json!({ "anyOf": [{ "enum": ["a", "b"] }, { "type": "null" }] })), "a · b or null");
        assert_eq!(said(&json!({})), "anything");
    }
}
