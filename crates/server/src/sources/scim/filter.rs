//! Filters (RFC 7644 section 3.4.2.2) and the paths of patches (section 3.5.2): the grammar, within bounds.

use std::fmt;

use serde_json::Value;

use super::{
    attribute::{Attribute, is_name},
    error::ScimError,
};

/// The longest filter or path, in bytes.
pub const LONGEST: usize = 2048;
/// How deeply brackets and negations may be nested.
const DEEPEST: u32 = 16;

/// What must hold of a resource, or of one value of an attribute that has several.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Two or more, all of which must hold.
    All(Vec<Filter>),
    /// Two or more, one of which must hold.
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Present(Attribute),
    Compare(Attribute, Comparison),
    /// One value of the attribute must fulfil the filter, and if there is a test, a part of that value the test.
    Within(Attribute, Box<Filter>, Option<(String, Test)>),
}

/// What is asked of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Present,
    Compare(Comparison),
}

/// With what a value is compared, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub by: Operator,
    /// A text, a number, `true`, `false` or `null`.
    pub with: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Operator {
    pub const ALL: [Self; 9] =
        [Self::Eq, Self::Ne, Self::Co, Self::Sw, Self::Ew, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }

    /// Whether something can be compared so.
    fn takes(self, with: &Value) -> bool {
        match self {
            Self::Eq | Self::Ne => true,
            Self::Co | Self::Sw | Self::Ew => with.is_string(),
            Self::Gt | Self::Ge | Self::Lt | Self::Le => with.is_string() || with.is_number(),
        }
    }
}

/// Where a patch acts.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub attribute: Attribute,
    /// On which of the attribute's values.
    pub filter: Option<Filter>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// `invalidFilter`, with the place.
    pub fn read(text: &str) -> Result<Self, ScimError> {
        let mut reader = Reader::of(text).map_err(|why| why.in_a_filter(text))?;
        let read = reader.any(0).and_then(|filter| reader.end().map(|()| filter));
        read.map_err(|why| why.in_a_filter(text))
    }
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// `invalidPath`.
    pub fn read(text: &str) -> Result<Self, ScimError> {
        let read = || {
            let mut reader = Reader::of(text)?;
            let mut attribute = reader.attribute()?;
            let mut filter = None;
            if reader.takes("[") {
                filter = Some(reader.inside(&attribute, 0)?);
                if reader.takes(".") {
                    attribute.part = Some(reader.part()?);
                }
            }
            reader.end()?;
            Ok(Self { attribute, filter })
        };
        read().map_err(|why: Fault| ScimError::invalid_path(why.words(text)))
    }
}

/// What is wrong, and where.
struct Fault {
    expected: &'static str,
    /// How many bytes were left.
    left: usize,
}

impl Fault {
    fn words(&self, text: &str) -> String {
        format!("expected {} at character {}", self.expected, text.len().saturating_sub(self.left) + 1)
    }

    fn in_a_filter(self, text: &str) -> ScimError {
        ScimError::invalid_filter(self.words(text))
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn of(text: &'a str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault { expected: "no more than 2048 bytes", left: text.len() - LONGEST });
        }
        Ok(Self { rest: text })
    }

    fn fault<T>(&self, expected: &'static str) -> Result<T, Fault> {
        Err(Fault { expected, left: self.rest.len() })
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    fn takes(&mut self, sign: &str) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes a keyword in either case, if it is the whole of the next word.
    fn takes_word(&mut self, word: &str) -> bool {
        let found = self.rest.split_at_checked(word.len()).filter(|(head, _)| head.eq_ignore_ascii_case(word));
        match found {
            Some((_, rest))
                if !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || ".:-_$".contains(next)) =>
            {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn end(&mut self) -> Result<(), Fault> {
        self.skip_spaces();
        if self.rest.is_empty() { Ok(()) } else { self.fault("the end") }
    }

    fn any(&mut self, depth: u32) -> Result<Filter, Fault> {
        let mut parts = vec![self.all(depth)?];
        while self.joined("or") {
            parts.push(self.all(depth)?);
        }
        Ok(only(parts, Filter::Any))
    }

    fn all(&mut self, depth: u32) -> Result<Filter, Fault> {
        let mut parts = vec![self.one(depth)?];
        while self.joined("and") {
            parts.push(self.one(depth)?);
        }
        Ok(only(parts, Filter::All))
    }

    fn joined(&mut self, word: &str) -> bool {
        self.skip_spaces();
        self.takes_word(word)
    }

    fn one(&mut self, depth: u32) -> Result<Filter, Fault> {
        self.skip_spaces();
        if depth >= DEEPEST {
            return self.fault("less nesting");
        }
        let before = self.rest;
        if self.takes_word("not") {
            self.skip_spaces();
            if self.takes("(") {
                return Ok(Filter::Not(Box::new(self.bracketed(depth + 1)?)));
            }
            // An attribute may be called so.
            self.rest = before;
        }
        if self.takes("(") {
            return self.bracketed(depth + 1);
        }
        let attribute = self.attribute()?;
        if self.takes("[") {
            let filter = Box::new(self.inside(&attribute, depth)?);
            if !self.takes(".") {
                return Ok(Filter::Within(attribute, filter, None));
            }
            let part = self.part()?;
            let test = self.test()?;
            return Ok(Filter::Within(attribute, filter, Some((part, test))));
        }
        Ok(match self.test()? {
            Test::Present => Filter::Present(attribute),
            Test::Compare(comparison) => Filter::Compare(attribute, comparison),
        })
    }

    fn bracketed(&mut self, depth: u32) -> Result<Filter, Fault> {
        let filter = self.any(depth)?;
        self.skip_spaces();
        if self.takes(")") { Ok(filter) } else { self.fault("`)`") }
    }

    /// What stands between `[` and `]`.
    fn inside(&mut self, attribute: &Attribute, depth: u32) -> Result<Filter, Fault> {
        if attribute.part.is_some() {
            return self.fault("no `[` after a part of an attribute");
        }
        let filter = self.any(depth + 1)?;
        self.skip_spaces();
        if self.takes("]") { Ok(filter) } else { self.fault("`]`") }
    }

    fn word(&mut self) -> &'a str {
        let fits = |next: char| next.is_ascii_alphanumeric() || ".:-_$+".contains(next);
        let (word, rest) = self.rest.split_at(self.rest.find(|next| !fits(next)).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn attribute(&mut self) -> Result<Attribute, Fault> {
        let before = self.rest;
        if let Some(attribute) = Attribute::read(self.word()) {
            return Ok(attribute);
        }
        self.rest = before;
        self.fault("the name of an attribute")
    }

    fn part(&mut self) -> Result<String, Fault> {
        let before = self.rest;
        let word = self.word();
        if is_name(word) {
            return Ok(word.to_ascii_lowercase());
        }
        self.rest = before;
        self.fault("the name of a part")
    }

    fn test(&mut self) -> Result<Test, Fault> {
        self.skip_spaces();
        if self.takes_word("pr") {
            return Ok(Test::Present);
        }
        let Some(by) = Operator::ALL.into_iter().find(|by| self.takes_word(by.word())) else {
            return self.fault("one of pr, eq, ne, co, sw, ew, gt, ge, lt, le");
        };
        self.skip_spaces();
        let before = self.rest;
        let with = self.literal()?;
        if by.takes(&with) {
            return Ok(Test::Compare(Comparison { by, with }));
        }
        self.rest = before;
        self.fault("something that can be compared so")
    }

    /// RFC 7644 section 3.4.2.2: `compValue`, as JSON has it; `true`, `false` and `null` in either case.
    fn literal(&mut self) -> Result<Value, Fault> {
        if self.rest.starts_with('"') {
            return self.text();
        }
        let before = self.rest;
        let word = self.word().to_ascii_lowercase();
        match serde_json::from_str(&word) {
            Ok(value @ (Value::Bool(_) | Value::Null | Value::Number(_))) => Ok(value),
            _ => {
                self.rest = before;
                self.fault("a value: a text in quotes, a number, true, false or null")
            }
        }
    }

    fn text(&mut self) -> Result<Value, Fault> {
        let mut escaped = false;
        for (place, byte) in self.rest.bytes().enumerate().skip(1) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let (text, rest) = self.rest.split_at(place + 1);
                    let Ok(value) = serde_json::from_str(text) else { return self.fault("a text as JSON has it") };
                    self.rest = rest;
                    return Ok(value);
                }
                _ => {}
            }
        }
        self.fault("a text that is closed")
    }
}

fn only(mut parts: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(one) if parts.is_empty() => one,
        Some(last) => {
            parts.push(last);
            several(parts)
        }
        None => several(parts),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.by.word(), self.with)
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `and` binds tighter than `or`.
        let loose = matches!(self, Self::Any(_));
        let several = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            parts.iter().enumerate().try_for_each(|(place, part)| {
                let between = if place == 0 { "" } else { word };
                match part {
                    Self::Any(_) => write!(f, "{between}({part})"),
                    Self::All(_) if !loose => write!(f, "{between}({part})"),
                    _ => write!(f, "{between}{part}"),
                }
            })
        };
        match self {
            Self::All(parts) => several(f, parts, " and "),
            Self::Any(parts) => several(f, parts, " or "),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Present(attribute) => write!(f, "{attribute} pr"),
            Self::Compare(attribute, comparison) => write!(f, "{attribute} {comparison}"),
            Self::Within(attribute, filter, None) => write!(f, "{attribute}[{filter}]"),
            Self::Within(attribute, filter, Some((part, Test::Present))) => {
                write!(f, "{attribute}[{filter}].{part} pr")
            }
            Self::Within(attribute, filter, Some((part, Test::Compare(comparison)))) => {
                write!(f, "{attribute}[{filter}].{part} {comparison}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
