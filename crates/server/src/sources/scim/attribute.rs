//! Names of attributes (RFC 7643 section 2.1, RFC 7644 section 3.10): without regard to case, with or without the URN of
//! their schema.

use std::fmt;

/// The schema of users (RFC 7643 section 4.1).
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// The name of an attribute, and perhaps of a part of it; in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attribute {
    pub name: String,
    pub part: Option<String>,
}

impl Attribute {
    /// Reads one. An attribute of another schema is one that nothing is known of.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if !text.starts_with("urn:") {
            return Self::plain(&text);
        }
        match text.strip_prefix(&USER.to_ascii_lowercase()) {
            Some(rest) if rest.starts_with(':') => Self::plain(rest.trim_start_matches(':')),
            _ => {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:$".contains(&byte);
                text.bytes().all(fits).then_some(Self { name: text, part: None })
            }
        }
    }

    fn plain(text: &str) -> Option<Self> {
        let (name, part) = match text.split_once('.') {
            Some((name, part)) => (name, Some(part)),
            None => (text, None),
        };
        let sound = is_name(name) && part.is_none_or(is_name);
        sound.then(|| Self { name: name.to_owned(), part: part.map(str::to_owned) })
    }
}

/// RFC 7643 section 2.1; `$ref` is the one name that begins otherwise.
pub(super) fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix('$').unwrap_or(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    rest.starts_with(|first: char| first.is_ascii_alphabetic()) && rest.bytes().all(fits)
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.part.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_before_a_name_says_nothing_new_and_that_of_others_makes_it_unknown() {
        let read = |text: &str| Attribute::read(text).map(|it| it.to_string());
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(read("userName"), is("username"));
        assert_eq!(read("URN:ietf:params:scim:schemas:core:2.0:User:emails.VALUE"), is("emails.value"));
        let foreign = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:user:department";
        assert_eq!(read(foreign), is(foreign));
        for wrong in ["", ".", "a.", "a.b.c", "1a", "a b", "urn:ietf:params:scim:schemas:core:2.0:User:", "ä"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
