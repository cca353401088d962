//! Why a script has no answer.

use rhai::EvalAltResult;

/// Why a text is not a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAScript {
    #[error("a script has at most {} KiB", rescind_ledger::Scripts::SOURCE_LIMIT >> 10)]
    TooLong,
    #[error("{0}")]
    Syntax(String),
    #[error("there is no `fn revoke(event)`")]
    NoFunction,
    #[error("a script consists of functions; this statement stands outside of them{}", place(*.0))]
    Statement(Option<usize>),
}

fn place(line: Option<usize>) -> String {
    line.map(|line| format!(" (line {line})")).unwrap_or_default()
}

/// Why a run has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It was stored when it still compiled.
    #[error("it does not compile: {0}")]
    Broken(String),
    #[error("{0}")]
    Raised(String),
    #[error("it ran out of its limit: {0}")]
    Limit(&'static str),
    #[error("it answers with `{0}` instead of allow() or deny()")]
    NoAnswer(String),
    #[error("{0}")]
    Widening(super::CannotWiden),
    #[error("the interpreter gave up")]
    Panicked,
    #[error("too many scripts run at once")]
    Busy,
}

impl Failure {
    pub(super) fn of(why: EvalAltResult) -> Self {
        let mut inner = why;
        while let EvalAltResult::ErrorInFunctionCall(_, _, deeper, _) = inner {
            inner = *deeper;
        }
        match inner {
            EvalAltResult::ErrorTooManyOperations(_) => Self::Limit("operations"),
            EvalAltResult::ErrorTooManyVariables(_) => Self::Limit("variables"),
            EvalAltResult::ErrorStackOverflow(_) => Self::Limit("depth of calls"),
            EvalAltResult::ErrorDataTooLarge(..) => Self::Limit("memory"),
            EvalAltResult::ErrorTerminated(..) => Self::Limit("time"),
            other => Self::Raised(brief(&other.to_string())),
        }
    }

    /// Whether it is a limit that was reached.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::Limit(_) | Self::Busy)
    }
}

/// The longest account of what went wrong, in bytes.
const LONGEST: usize = 300;

/// One line of bounded length: a script may raise whatever it likes.
pub(super) fn brief(text: &str) -> String {
    let mut line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if line.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(end);
        line.push('…');
    }
    line
}
