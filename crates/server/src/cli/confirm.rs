//! What is asked of whoever is about to end the access of many.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::Value;

use super::failure::Failure;

#[derive(Clone, Debug, Args)]
pub(super) struct ConfirmArguments {
    /// The phrase that is asked for where many are reached; without it, it is asked for on a terminal.
    #[arg(long, value_name = "PHRASE")]
    pub(super) confirm: Option<String>,
    /// Does not wait for the approval of a second administrator, and says loudly why.
    #[arg(long, value_name = "REASON")]
    pub(super) break_glass: Option<String>,
}

impl ConfirmArguments {
    /// As parameters of a query.
    pub(super) fn query<'a>(&'a self, phrase: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
        let given = [("confirm", phrase), ("break_glass", self.break_glass.as_deref())];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Sends something; if the server wants it confirmed and somebody is there, asks and sends it again.
    pub(super) async fn send(
        &self,
        send: impl AsyncFn(Option<&str>) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        match send(self.confirm.as_deref()).await {
            Err(Failure::Problem(problem)) if phrase_of(&problem).is_some() => {
                let phrase = ask(problem, self.confirm.is_none())?;
                send(Some(&phrase)).await
            }
            other => other,
        }
    }
}

/// The phrase, if a confirmation is what the server wants.
fn phrase_of(problem: &Value) -> Option<&str> {
    let is_asked = problem.get("code")?.as_str()? == "confirmation_required";
    problem.get("confirm").and_then(Value::as_str).filter(|_| is_asked)
}

/// Has somebody type the phrase.
fn ask(mut problem: Value, may_ask: bool) -> Result<String, Failure> {
    let phrase = phrase_of(&problem).unwrap_or_default().to_owned();
    if !may_ask || !std::io::stdin().is_terminal() {
        problem["detail"] = format!("not confirmed, so nothing was done: --confirm '{phrase}'").into();
        return Err(Failure::Problem(problem));
    }
    let count = |name: &str| problem.pointer(&format!("/reach/{name}")).and_then(Value::as_u64).unwrap_or(0);
    let least = if problem.pointer("/reach/exact") == Some(&false.into()) { "at least " } else { "" };
    let visible = phrase.replace(char::is_control, "\u{fffd}");
    eprintln!("This reaches {least}{} users and ends {least}{} sessions.", count("users"), count("sessions"));
    if problem.pointer("/reach/approval") == Some(&true.into()) {
        eprintln!("A second administrator has to approve it.");
    }
    eprint!("To go on, type `{visible}`: ");
    std::io::stderr().flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    if typed.trim_end_matches(['\r', '\n']) == phrase {
        return Ok(phrase);
    }
    Err(anyhow::anyhow!("not confirmed, so nothing was done").into())
}
