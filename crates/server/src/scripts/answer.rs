//! What a script answers, and the functions by which it does.

use std::fmt;

use rescind_ledger::Target;
use rhai::{Engine, EvalAltResult};

use super::Event;

/// The answer of one script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub decision: Decision,
    /// For people: it goes into the audit trail, and with the entry if there is one.
    pub note: Option<String>,
    /// The least that is to end.
    pub breadth: Option<Breadth>,
}

/// Whether the revocation goes ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// The client hears that it succeeded, and nothing ends.
    DenySilently,
    /// The client hears of an error.
    DenyWith {
        code: String,
        description: String,
    },
}

/// How much is to end at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breadth {
    /// The grant with all its tokens.
    Grant,
    /// Everything of the user.
    User,
}

/// The longest note of one script, in bytes.
const NOTE_LIMIT: usize = 500;
/// The longest error code and description of one script, in bytes.
const CODE_LIMIT: usize = 64;
const DESCRIPTION_LIMIT: usize = 500;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

impl Answer {
    fn of(decision: Decision) -> Self {
        Self { decision, note: None, breadth: None }
    }

    fn deny_with(code: &str, description: &str) -> Outcome<Self> {
        check_error_text("an error code", code, 1, CODE_LIMIT)?;
        check_error_text("an error description", description, 0, DESCRIPTION_LIMIT)?;
        Ok(Self::of(Decision::DenyWith { code: code.to_owned(), description: description.to_owned() }))
    }

    /// Adds a note. A second one is put behind the first.
    fn note(self, text: &str) -> Outcome<Self> {
        let note = self.note.map_or_else(|| text.to_owned(), |first| format!("{first}; {text}"));
        if text.trim().is_empty() || note.len() > NOTE_LIMIT {
            return Err(format!("a note has 1 to {NOTE_LIMIT} bytes").into());
        }
        if text.contains(char::is_control) {
            return Err("a note is one line of plain text".into());
        }
        Ok(Self { note: Some(note), ..self })
    }

    fn widen(self, to: &str) -> Outcome<Self> {
        if self.decision != Decision::Allow {
            return Err("only a revocation that is allowed can be widened".into());
        }
        let breadth = match to {
            "grant" => Breadth::Grant,
            "user" => Breadth::User,
            _ => return Err("a revocation is widened to \"grant\" or \"user\"".into()),
        };
        Ok(Self { breadth: self.breadth.max(Some(breadth)), ..self })
    }
}

/// RFC 6749 section 5.2: what `error` and `error_description` may be made of.
fn check_error_text(what: &str, text: &str, least: usize, most: usize) -> Outcome<()> {
    let allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if !(least..=most).contains(&text.len()) {
        return Err(format!("{what} has {least} to {most} bytes").into());
    }
    if !text.bytes().all(allowed) {
        return Err(format!("{what} is made of printable ASCII without quotation mark and backslash").into());
    }
    Ok(())
}

/// Gives scripts the functions to answer with.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Answer>("Answer")
        .register_fn("allow", || Answer::of(Decision::Allow))
        .register_fn("deny", || Answer::of(Decision::DenySilently))
        .register_fn("deny", |code: &str| Answer::deny_with(code, ""))
        .register_fn("deny", Answer::deny_with)
        .register_fn("note", |answer: Answer, text: &str| answer.note(text))
        .register_fn("widen", |answer: Answer, to: &str| answer.widen(to));
}

impl Breadth {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::User => "user",
        }
    }

    /// What ends if at least this much is to end. Never less than the target of the event.
    ///
    /// An event without a target stays without one: there is nothing to widen, and an error would tell a stranger that the
    /// token is unknown.
    pub(super) fn widened(self, event: &Event, issuer: &str) -> Result<Option<Target>, CannotWiden> {
        let Some(target) = &event.target else { return Ok(None) };
        let narrower = match (self, target) {
            (Self::Grant, Target::Token { .. })
            | (
                Self::User,
                Target::Token { .. }
                | Target::Grant { .. }
                | Target::Session { .. }
                | Target::SubjectClient { .. }
                | Target::SubjectAudience { .. },
            ) => true,
            (Self::User, Target::Subject { .. }) if event.only_sessions => true,
            (Self::Grant, _) | (Self::User, Target::Subject { .. } | Target::Everything) => false,
            (Self::User, _) => return Err(CannotWiden::OtherKind(event.target_kind())),
        };
        if !narrower {
            return Ok(Some(target.clone()));
        }
        let widened = match self {
            Self::Grant => event.grant.clone().map(|grant| Target::Grant { grant }),
            Self::User => {
                let subject = |user| Target::Subject { issuer: issuer.to_owned(), subject: user };
                event.user.clone().map(subject)
            }
        };
        widened.map(Some).ok_or(CannotWiden::NoSuch(self))
    }
}

/// Why a revocation cannot be made as wide as a script wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotWiden {
    NoSuch(Breadth),
    OtherKind(&'static str),
}

impl fmt::Display for CannotWiden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuch(Breadth::User) => {
                f.write_str("it widens to the user, but no user is behind this; ask `event.user != ()` first")
            }
            Self::NoSuch(Breadth::Grant) => {
                f.write_str("it widens to the grant, but no grant is behind this; ask `event.grant != ()` first")
            }
            Self::OtherKind(kind) => {
                write!(f, "it widens to the user, but what ends is of the kind `{kind}`; ask `event.target` first")
            }
        }
    }
}
