//! Known weaknesses of dependencies: looked up if there is a tool for it and its database answers, and said if not.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// What came of it, if nothing is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Clean(&'static str),
    /// Why not.
    NotChecked(String),
}

impl Outcome {
    pub(super) fn says(&self) -> String {
        match self {
            Self::Clean(tool) => format!("advisories: none, says {tool}"),
            Self::NotChecked(why) => format!("advisories: not checked ({why})"),
        }
    }
}

/// Asks cargo-deny or else cargo-audit, whichever is installed.
///
/// # Errors
/// When there is an advisory, or cargo cannot be started.
pub(super) fn check(cargo: impl Fn() -> Command) -> Result<Outcome> {
    let run = |words: &[&str]| cargo().args(words).output().context("cannot start cargo");
    if run(&["deny", "--version"])?.status.success() {
        return with_deny(&run);
    }
    if run(&["audit", "--version"])?.status.success() {
        return with_audit(&run);
    }
    Ok(Outcome::NotChecked("neither cargo-deny nor cargo-audit is installed".to_owned()))
}

/// Fetched apart from the check, so that a database out of reach is told from an advisory.
fn with_deny(run: &impl Fn(&[&str]) -> Result<Output>) -> Result<Outcome> {
    let fetched = run(&["deny", "fetch", "db"])?;
    if !fetched.status.success() {
        return Ok(Outcome::NotChecked(format!("the database of cargo-deny does not answer: {}", last_line(&fetched))));
    }
    let checked = run(&["deny", "check", "--disable-fetch", "advisories"])?;
    if !checked.status.success() {
        bail!("cargo-deny has advisories:\n{}{}", text(&checked.stdout), text(&checked.stderr));
    }
    Ok(Outcome::Clean("cargo-deny"))
}

/// It reports on standard output only if it has a database.
fn with_audit(run: &impl Fn(&[&str]) -> Result<Output>) -> Result<Outcome> {
    let checked = run(&["audit", "--json"])?;
    let report: Option<Value> = serde_json::from_slice(&checked.stdout).ok();
    match report.as_ref().and_then(|report| report.pointer("/vulnerabilities/found")).and_then(Value::as_bool) {
        Some(false) if checked.status.success() => Ok(Outcome::Clean("cargo-audit")),
        Some(_) => bail!("cargo-audit has advisories; `cargo audit` shows them:\n{}", text(&checked.stdout)),
        None => {
            Ok(Outcome::NotChecked(format!("the database of cargo-audit does not answer: {}", last_line(&checked))))
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn last_line(output: &Output) -> String {
    text(&output.stderr)
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it says nothing")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cargo that does what the script says for its arguments.
    fn checked(script: &str) -> Result<Outcome> {
        check(|| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("case \"$*\" in {script}\n*) exit 101;; esac"), "cargo"]);
            command
        })
    }

    fn why(script: &str) -> String {
        checked(script).unwrap().says()
    }

    #[test]
    fn without_a_tool_it_is_said_that_nothing_was_checked() {
        assert_eq!(why(""), "advisories: not checked (neither cargo-deny nor cargo-audit is installed)");
    }

    #[test]
    fn a_database_out_of_reach_is_no_failure_but_is_said() {
        let deny = why("'deny --version') ;; 'deny fetch db') echo no route >&2; exit 1;;");
        assert_eq!(deny, "advisories: not checked (the database of cargo-deny does not answer: no route)");
        let audit = why("'audit --version') ;; 'audit --json') echo no route >&2; exit 1;;");
        assert_eq!(audit, "advisories: not checked (the database of cargo-audit does not answer: no route)");
    }

    #[test]
    fn an_advisory_is_a_failure_and_none_is_none() {
        let deny = "'deny --version') ;; 'deny fetch db') ;; 'deny check --disable-fetch advisories')";
        assert_eq!(why(&format!("{deny} ;;")), "advisories: none, says cargo-deny");
        let error = checked(&format!("{deny} echo RUSTSEC-1 >&2; exit 1;;")).unwrap_err();
        assert!(error.to_string().contains("RUSTSEC-1"), "{error}");
        let audit = "'audit --version') ;; 'audit --json')";
        let clean = format!("{audit} echo '{{\"vulnerabilities\":{{\"found\":false}}}}';;");
        assert_eq!(why(&clean), "advisories: none, says cargo-audit");
        let found = format!("{audit} echo '{{\"vulnerabilities\":{{\"found\":true}}}}'; exit 1;;");
        assert!(checked(&found).unwrap_err().to_string().contains("cargo-audit has advisories"));
    }
}
