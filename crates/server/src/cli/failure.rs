//! Why a command did not do what it was told, for people and for programs.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::arguments::Output;

/// A failed command.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command was written wrongly.
    Usage(String),
    /// The server said no: its problem details (RFC 9457).
    Problem(Value),
    Other(anyhow::Error),
}

impl Failure {
    pub(super) fn usage(why: impl Into<String>) -> Self {
        Self::Usage(why.into())
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Problem(_) | Self::Other(_) => ExitCode::FAILURE,
        }
    }

    /// One line, or a problem in JSON.
    pub(super) fn show(&self, output: Output) -> String {
        let text = match self {
            Self::Usage(why) => why.clone(),
            Self::Problem(problem) => problem.get("detail").and_then(Value::as_str).unwrap_or("refused").to_owned(),
            Self::Other(why) => format!("{why:#}"),
        };
        match (output, self) {
            (Output::Table, _) => format!("rescind: {text}"),
            (Output::Json, Self::Problem(problem)) => problem.to_string(),
            (Output::Json, _) => json!({ "type": "about:blank", "title": "Error", "detail": text }).to_string(),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(why: E) -> Self {
        Self::Other(why.into())
    }
}
