//! `rescind script`: what is asked before a revocation is written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    arguments::{Globals, Output, PageArguments},
    connection::{Connection, part},
    failure::Failure,
    issued::page_query,
    output,
};
use crate::scripts::{Run, try_out};

#[derive(Debug, Subcommand)]
pub(super) enum ScriptCommand {
    /// Lists scripts.
    List(PageArguments),
    /// Shows a script with its source.
    Show {
        name: String,
        /// One of its versions, instead of the one that is in use.
        #[arg(long, value_name = "N")]
        version_number: Option<u32>,
    },
    /// Adds a script, or stores another version of it. It is in use at once unless it is switched off.
    Put {
        /// Lower-case letters, digits, hyphens and underscores.
        name: String,
        file: PathBuf,
        /// Scripts with lower numbers are asked first. 0 for one that is new.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        order: Option<i32>,
        #[command(flatten)]
        switch: ScriptSwitch,
    },
    /// Switches a script on.
    Enable { name: String },
    /// Switches a script off.
    Disable { name: String },
    /// Says when a script is asked: those with lower numbers are asked first.
    Order {
        name: String,
        #[arg(value_name = "N", allow_negative_numbers = true)]
        order: i32,
    },
    /// Takes a script out of use. Its versions are kept.
    Remove { name: String },
    /// Lists every version of a script, with who stored it and when; one that was removed as well.
    History { name: String },
    /// Compiles a script and tries it on sample events. Needs no server.
    Check {
        file: PathBuf,
        /// The client that asks in the samples.
        #[arg(long, value_name = "ID", default_value = "sample-client")]
        client: String,
    },
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct ScriptSwitch {
    /// Switches it on.
    #[arg(long)]
    enabled: bool,
    /// Switches it off.
    #[arg(long)]
    disabled: bool,
}

pub(super) async fn run(globals: &Globals, server: &Connection, command: ScriptCommand) -> Result<(), Failure> {
    let path = |name: &str| format!("/scripts/{}", part(name));
    let answer = match command {
        ScriptCommand::List(page) => {
            let limit = page.limit.to_string();
            let answer = server.get("/scripts", &page_query(&page, &limit)).await?;
            let columns = ["name", "version", "order", "enabled", "bytes", "stored_at", "stored_by"];
            output::list(globals, &answer, &columns);
            return Ok(());
        }
        ScriptCommand::History { name } => {
            let answer = server.get(&format!("{}/versions", path(&name)), &[]).await?;
            output::list(globals, &answer, &["version", "bytes", "stored_at", "stored_by"]);
            return Ok(());
        }
        ScriptCommand::Show { name, version_number } => {
            let version = version_number.map(|version| version.to_string());
            let query: Vec<_> = version.iter().map(|version| ("version", version.as_str())).collect();
            let answer = server.get(&path(&name), &query).await?;
            show(globals, &answer);
            return Ok(());
        }
        ScriptCommand::Put { name, file, order, switch } => {
            let mut body = json!({ "name": name, "source": read(&file)? });
            if let Some(order) = order {
                body["order"] = json!(order);
            }
            if switch.enabled || switch.disabled {
                body["enabled"] = json!(switch.enabled);
            }
            server.post("/scripts", &body).await?
        }
        ScriptCommand::Enable { name } => change(server, &path(&name), &json!({ "enabled": true })).await?,
        ScriptCommand::Disable { name } => change(server, &path(&name), &json!({ "enabled": false })).await?,
        ScriptCommand::Order { name, order } => change(server, &path(&name), &json!({ "order": order })).await?,
        ScriptCommand::Remove { name } => server.send(Method::DELETE, &path(&name), &[], None).await?,
        ScriptCommand::Check { .. } => return Ok(()),
    };
    output::record(globals, &without_source(globals, answer));
    Ok(())
}

async fn change(server: &Connection, path: &str, body: &Value) -> Result<Value, Failure> {
    server.send(Method::PATCH, path, &[], Some(body)).await
}

/// For people the text stands below the table, as it is written.
fn show(globals: &Globals, answer: &Value) {
    output::record(globals, &without_source(globals, answer.clone()));
    if let Some(source) = answer.get("source").and_then(Value::as_str).filter(|_| globals.output == Output::Table) {
        let keeps = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
        println!();
        print!("{}", source.chars().map(|letter| if keeps(letter) { letter } else { '\u{fffd}' }).collect::<String>());
    }
}

fn without_source(globals: &Globals, mut answer: Value) -> Value {
    if let Some(members) = answer.as_object_mut().filter(|_| globals.output == Output::Table) {
        members.remove("source");
    }
    answer
}

/// How long each run of a check may take.
const TIME: Duration = Duration::from_millis(100);

/// Tries a script that is not stored yet. Fails if it does not compile, or has no answer to one of the samples.
pub(super) fn check(globals: &Globals, file: &Path, client: &str) -> Result<(), Failure> {
    let (source, begun) = (read(file)?, Instant::now());
    let tried = try_out(&source, client, Arc::new(move || begun.elapsed()), TIME);
    let runs = tried.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    let shown = |(event, run): &(&str, Run)| json!({ "event": event, "outcome": run.word(), "detail": run.detail() });
    let answer = json!({ "items": runs.iter().map(shown).collect::<Vec<_>>() });
    output::list(globals, &answer, &["event", "outcome", "detail"]);
    let unanswered = runs.iter().filter(|(_, run)| run.outcome.is_err()).count();
    if unanswered > 0 {
        return Err(anyhow::anyhow!("{}: no answer to {unanswered} of {} events", file.display(), runs.len()).into());
    }
    Ok(())
}

/// The source in a file.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match String::from_utf8(bytes) {
        Ok(source) => Ok(source),
        Err(_) => bail!("{} is not text in UTF-8", file.display()),
    }
}
