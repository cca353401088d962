//! What the admin API answered, read tolerantly: what an answer does not say is not shown, and nothing fails for it.

use rescind_ledger::Timestamp;
use serde_json::Value;

use super::words::Moment;

/// A JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Json(pub(super) Value);

impl Json {
    /// A member; null if there is none.
    pub(super) fn at(&self, name: &str) -> Self {
        Self(self.0.get(name).cloned().unwrap_or_default())
    }

    /// Whether there is such a member, and not null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// A member that is a text, or can be one.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// The same, or nothing.
    pub(super) fn text(&self, name: &str) -> String {
        self.find(name).unwrap_or_default()
    }

    /// A number that is not negative.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// Whether a member is true.
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The members of a list.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        let found = self.0.get(name).and_then(Value::as_array);
        found.map(|items| items.iter().cloned().map(Self).collect()).unwrap_or_default()
    }

    /// The texts in a list.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let found = self.0.get(name).and_then(Value::as_array);
        let texts = found.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// A moment: milliseconds since 1970, or RFC 3339.
    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        match self.0.get(name)? {
            Value::Number(number) => number.as_i64().map(Timestamp),
            Value::String(text) => text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond())),
            _ => None,
        }
    }

    /// The same in words.
    pub(super) fn moment(&self, name: &str, now: Timestamp) -> Option<Moment> {
        self.time(name).map(|at| Moment::seen(at, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_missing_or_of_another_kind_is_nothing() {
        let json = Json(json!({ "a": 1, "b": [], "c": "2026-11-30T00:00:00Z", "d": null, "e": { "f": true } }));
        assert_eq!((json.text("a").as_str(), json.text("b").as_str(), json.find("z")), ("1", "", None));
        assert_eq!((json.number("c"), json.list("a").len(), json.texts("d").len()), (None, 0, 0));
        assert_eq!(json.time("c"), Some(Timestamp(1_795_996_800_000)));
        assert!(json.at("e").is("f") && !json.at("x").at("y").is("z") && !json.has("d"));
    }
}
