//! Settings that change while the server runs.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    arguments::{Globals, PageArguments},
    connection::{Connection, part},
    failure::Failure,
    issued::page_query,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum SettingsCommand {
    /// Lists every setting with its value.
    List,
    /// Shows a setting, with what it does and takes.
    Show { name: String },
    /// Sets a value, in force with the next request: true, false, a number, or a word.
    Set {
        name: String,
        /// What it shall be; without one, the default again.
        #[arg(required_unless_present = "default")]
        value: Option<String>,
        /// Back to the default.
        #[arg(long, conflicts_with = "value")]
        default: bool,
        /// Why, for whoever reads the history.
        #[arg(long)]
        note: Option<String>,
        /// Refuse if the settings were changed since they had this version.
        #[arg(long, value_name = "VERSION")]
        if_version: Option<u64>,
    },
    /// Lists the changes of one setting or of all, the newest first.
    History {
        name: Option<String>,
        #[command(flatten)]
        page: PageArguments,
    },
}

pub(super) async fn run(globals: &Globals, server: &Connection, command: SettingsCommand) -> Result<(), Failure> {
    match command {
        SettingsCommand::List => {
            let answer = server.get("/settings", &[]).await?;
            output::list(globals, &answer, &["name", "value", "default", "summary"]);
        }
        SettingsCommand::Show { name } => {
            let answer = server.get(&format!("/settings/{}", part(&name)), &[]).await?;
            output::record(globals, &answer);
        }
        SettingsCommand::Set { name, value, default: _, note, if_version } => {
            let body = json!({ "value": value.as_deref().map(read), "note": note, "version": if_version });
            let path = format!("/settings/{}", part(&name));
            let answer = server.send(Method::PATCH, &path, &[], Some(&body)).await?;
            output::record(globals, &answer);
        }
        SettingsCommand::History { name, page } => {
            let path = match &name {
                Some(name) => format!("/settings/{}/history", part(name)),
                None => "/settings-history".to_owned(),
            };
            let limit = page.limit.to_string();
            let answer = server.get(&path, &page_query(&page, &limit)).await?;
            output::list(globals, &answer, &["version", "at", "name", "value", "initiator", "note"]);
        }
    }
    Ok(())
}

/// A switch or a number as it is written in JSON; anything else is a word.
fn read(text: &str) -> Value {
    let read: Option<Value> = serde_json::from_str(text).ok();
    read.filter(|value| value.is_boolean() || value.is_number()).unwrap_or_else(|| text.into())
}
