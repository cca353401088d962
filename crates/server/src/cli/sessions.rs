//! `rescind sessions`: who is signed in where, and ending it.

use clap::{ArgGroup, Args, Subcommand, builder::PossibleValuesParser};
use rescind_ledger::Reason;
use serde_json::{Value, json};

use super::{
    arguments::{FilterArguments, Globals, Output},
    connection::{Connection, part},
    failure::Failure,
    issued, output,
};

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// Lists them with their present state.
    List(FilterArguments),
    /// Shows a session: whose it is, how they proved it, where, since when, how long still, and what was got in it.
    Show { session: String },
    /// Ends a session, or several of one user. What was granted to outlive them goes on.
    End(EndArguments),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["session", "others_of", "user"]))]
pub(super) struct EndArguments {
    /// The one that is to end.
    session: Option<String>,
    /// All sessions of this one's user, but not this one.
    #[arg(long, value_name = "SESSION")]
    others_of: Option<String>,
    /// All sessions of this user (id or user name).
    #[arg(long)]
    user: Option<String>,
    /// Why.
    #[arg(long, default_value = "other", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::code)))]
    reason: String,
    /// A note for people.
    #[arg(long)]
    note: Option<String>,
    /// Only counts what would end.
    #[arg(long)]
    preview: bool,
}

pub(super) async fn run(globals: &Globals, server: &Connection, command: SessionsCommand) -> Result<(), Failure> {
    match command {
        SessionsCommand::List(filter) => issued::list(globals, server, issued::Kind::Sessions, &filter).await,
        SessionsCommand::Show { session } => {
            let answer = server.get(&format!("/sessions/{}", part(&session)), &[]).await?;
            output::record(globals, &answer);
            Ok(())
        }
        SessionsCommand::End(order) => end(globals, server, &order).await,
    }
}

async fn end(globals: &Globals, server: &Connection, order: &EndArguments) -> Result<(), Failure> {
    let Some(path) = order.path() else { return end_one(globals, server, order).await };
    if order.preview {
        output::record(globals, &server.get(&path, &[]).await?);
        return Ok(());
    }
    let answer = server.post(&path, &order.body()).await?;
    if globals.output == Output::Json {
        output::json(&answer);
        return Ok(());
    }
    let ended = answer.get("ended").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    println!("ended {} session{}", ended.len(), if ended.len() == 1 { "" } else { "s" });
    if !ended.is_empty() {
        output::list(globals, &json!({ "items": ended }), &["session", "position"]);
    }
    Ok(())
}

/// One session is a target like any other.
async fn end_one(globals: &Globals, server: &Connection, order: &EndArguments) -> Result<(), Failure> {
    let session = order.session.as_deref().unwrap_or_default();
    if session.is_empty() {
        return Err(Failure::usage("the name of the session is empty"));
    }
    if order.preview {
        let query = [("kind", "session"), ("session", session)];
        output::record(globals, &server.get("/revocations/preview", &query).await?);
        return Ok(());
    }
    let mut body = order.body();
    body["target"] = json!({ "kind": "session", "session": session });
    let answer = server.post("/revocations", &body).await?;
    if globals.output == Output::Table {
        println!("{}", if answer.get("fresh") == Some(&json!(true)) { "ended" } else { "ended already" });
    }
    output::record(globals, &answer);
    Ok(())
}

impl EndArguments {
    /// Where an order for several is sent.
    fn path(&self) -> Option<String> {
        let others = self.others_of.as_ref().map(|session| format!("/sessions/{}/end-others", part(session)));
        others.or_else(|| self.user.as_ref().map(|user| format!("/users/{}/end-sessions", part(user))))
    }

    fn body(&self) -> Value {
        let mut body = json!({ "reason": self.reason });
        if let Some(note) = &self.note {
            body["note"] = json!(note);
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn ending(line: &str) -> Option<EndArguments> {
        let arguments = Arguments::try_parse_from(format!("rescind sessions end {line}").split_whitespace()).ok()?;
        match arguments.command {
            Command::Sessions { command: SessionsCommand::End(order) } => Some(order),
            _ => None,
        }
    }

    #[test]
    fn exactly_one_way_of_naming_sessions_is_taken() {
        assert_eq!(ending("s_1").unwrap().path(), None);
        assert_eq!(ending("--others-of s_1").unwrap().path().as_deref(), Some("/sessions/s_1/end-others"));
        assert_eq!(ending("--user a+b").unwrap().path().as_deref(), Some("/users/a%2Bb/end-sessions"));
        for wrong in
            ["", "--preview", "s_1 --user alice", "s_1 --others-of s_2", "--user a --others-of s", "s --reason x"]
        {
            assert!(ending(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_note_is_sent_only_if_there_is_one() {
        assert_eq!(ending("s_1").unwrap().body(), json!({ "reason": "other" }));
        let order = ending("s_1 --reason policy --note why").unwrap();
        assert_eq!(order.body(), json!({ "reason": "policy", "note": "why" }));
    }
}
