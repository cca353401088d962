//! A flat JSON object written member by member: for the one answer that is given more often than all others together.

use std::fmt::Write;

/// An object under way. The names of members are the program's own and need no escaping.
pub(super) struct Object(String);

impl Object {
    /// Begins with room for so many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self(text)
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    #[inline]
    fn value(&mut self, text: &str) {
        if is_plain(text) {
            self.0.push('"');
            self.0.push_str(text);
            self.0.push('"');
        } else {
            self.0.push_str(&serde_json::Value::from(text).to_string());
        }
    }

    #[inline]
    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name);
        self.0.push_str(if value { "true" } else { "false" });
    }

    pub(super) fn number(&mut self, name: &'static str, value: i64) {
        self.name(name);
        // A String takes whatever is written to it.
        let _ = write!(self.0, "{value}");
    }

    #[inline]
    pub(super) fn text(&mut self, name: &'static str, value: &str) {
        self.name(name);
        self.value(value);
    }

    /// Leaves the member out if there is no value.
    #[inline]
    pub(super) fn text_if(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// One text as a string, several as an array.
    pub(super) fn texts(&mut self, name: &'static str, values: &[String]) {
        self.name(name);
        if let [one] = values {
            return self.value(one);
        }
        self.0.push('[');
        for (nth, value) in values.iter().enumerate() {
            if nth > 0 {
                self.0.push(',');
            }
            self.value(value);
        }
        self.0.push(']');
    }

    /// A member that is an object with one text of its own.
    pub(super) fn within(&mut self, name: &'static str, inner: &'static str, value: &str) {
        self.name(name);
        let mut object = Self::with_room(inner.len() + value.len() + 8);
        object.text(inner, value);
        self.0.push_str(&object.end());
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// Whether a text stands in JSON as it is (RFC 8259 section 7). Every byte is looked at, so that many are at a time.
fn is_plain(text: &str) -> bool {
    text.bytes().fold(true, |plain, byte| plain & (byte >= 0x20) & (byte != b'"') & (byte != b'\\'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Object;

    #[test]
    fn every_kind_of_member_reads_back_as_it_was_given() {
        let mut object = Object::with_room(8);
        object.flag("yes", true);
        object.flag("no", false);
        object.number("least", i64::MIN);
        object.text("empty", "");
        object.text_if("left_out", None);
        object.text_if("there", Some("x"));
        object.texts("one", &["a".to_owned()]);
        object.texts("two", &["a".to_owned(), "\"".to_owned()]);
        object.texts("none", &[]);
        object.within("outer", "inner#1", "v");
        let read: Value = serde_json::from_str(&object.end()).unwrap();
        let expected = json!({
            "yes": true, "no": false, "least": i64::MIN, "empty": "", "there": "x", "one": "a", "two": ["a", "\""],
            "none": [], "outer": { "inner#1": "v" },
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn every_character_that_json_escapes_is_escaped_wherever_it_stands() {
        for unusual in (0..=0x1f).chain([0x22, 0x5c, 0x7f, 0xe9, 0x2028, 0x1f512]).filter_map(char::from_u32) {
            for text in [format!("{unusual}"), format!("{}{unusual}", "a".repeat(40)), format!("{unusual}tail")] {
                let mut object = Object::with_room(0);
                object.text("t", &text);
                let read: Value = serde_json::from_str(&object.end()).unwrap();
                assert_eq!(read, json!({ "t": text }), "{unusual:?}");
            }
        }
    }

    #[test]
    fn an_object_without_members_is_one_too() {
        assert_eq!(Object::with_room(2).end(), "{}");
    }
}
