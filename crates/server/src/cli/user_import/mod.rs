//! `rescind user import`: users from a file. What is in no row stays as it is, unless it is asked for and confirmed.

mod file;
mod plan;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
};

use clap::Args;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    arguments::Globals,
    connection::{Connection, part},
    failure::Failure,
    output,
};
use plan::{Plan, Step};

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// CSV whose first line names its columns (user_name, email, display_name, enabled, password, role, external_id), or a JSON array of
    /// objects with these members.
    pub(super) file: PathBuf,
    /// Shows what would be done, and does nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Gives users there are already the passwords of the file, which ends what they hold. New ones get theirs anyway.
    #[arg(long)]
    pub(super) set_passwords: bool,
    /// Disables users who are not in the file, after showing who they are. Administrators are left alone.
    #[arg(long)]
    pub(super) disable_missing: bool,
    /// The sentence that --disable-missing asks to be typed.
    #[arg(long, value_name = "SENTENCE", requires = "disable_missing")]
    pub(super) confirm: Option<String>,
}

/// How many users are asked for at once, and how many changes are under way at once.
const PAGE: &str = "500";
const AT_ONCE: usize = 8;
/// How many names a preview shows.
const SHOWN: usize = 20;

pub(super) async fn run(globals: &Globals, server: &Connection, arguments: ImportArguments) -> Result<(), Failure> {
    let rows = file::read(&arguments.file)?;
    if rows.is_empty() && arguments.disable_missing {
        return Err(Failure::usage("the file has no users: with --disable-missing that would disable everybody"));
    }
    let users = users(server).await?;
    let shared = plan::shared_external_ids(&rows, &users);
    if !shared.is_empty() {
        let shared = shared.join(", ").replace(char::is_control, "\u{fffd}");
        return Err(Failure::usage(format!("nothing was imported: several users have the external id {shared}")));
    }
    let mut plan = plan::plan(&rows, &users, arguments.set_passwords);
    let missing = if arguments.disable_missing { std::mem::take(&mut plan.missing) } else { Vec::new() };
    if arguments.dry_run {
        output::record(globals, &preview(&plan, &missing));
        return Ok(());
    }
    confirm(&plan, &missing, arguments.confirm.as_deref())?;
    let disable = |(id, user_name)| Step::Change { id, user_name, body: json!({ "enabled": false }), ends: true };
    plan.steps.extend(missing.into_iter().map(disable));
    let done = carry_out(server, &plan).await;
    output::record(globals, &done);
    let failed = done["failed"].as_array().map_or(0, Vec::len);
    if failed > 0 { Err(anyhow::anyhow!("{failed} users could not be imported").into()) } else { Ok(()) }
}

async fn users(server: &Connection) -> Result<Vec<Value>, Failure> {
    let (mut users, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut page = server.get("/users", &query).await?;
        if let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) {
            users.extend(items);
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(users);
        }
    }
}

fn preview(plan: &Plan, missing: &[(String, String)]) -> Value {
    let changes = |wanted: bool| {
        plan.steps.iter().filter(|step| matches!(step, Step::Change { ends, .. } if *ends == wanted)).count()
    };
    let names: Vec<_> = missing.iter().take(SHOWN).map(|(_, name)| name.as_str()).collect();
    json!({
        "added": plan.steps.iter().filter(|step| matches!(step, Step::Add { .. })).count(),
        "changed": changes(false),
        "changed_and_ended": changes(true),
        "unchanged": plan.unchanged,
        "disabled_as_missing": missing.len(),
        "missing": names,
    })
}

/// Nobody is disabled for being absent before somebody has seen how many that are.
fn confirm(plan: &Plan, missing: &[(String, String)], given: Option<&str>) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    let sentence = format!("disable {} users", missing.len());
    if given == Some(sentence.as_str()) {
        return Ok(());
    }
    let shown = preview(plan, missing);
    let names = shown["missing"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names = names.map(|name| name.replace(char::is_control, "\u{fffd}")).collect::<Vec<_>>().join(", ");
    let more = if missing.len() > SHOWN { format!(" and {} more", missing.len() - SHOWN) } else { String::new() };
    eprintln!("not in the file: {names}{more}");
    if given.is_some() || !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!("nothing was imported; to go on: --confirm {sentence:?}")));
    }
    eprint!("This disables them and ends everything they hold. Type `{sentence}`: ");
    std::io::stderr().flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    if typed.trim() == sentence { Ok(()) } else { Err(Failure::usage("nothing was imported")) }
}

/// Each user is a change of its own: what one of them refuses does not stop the others, and the same file may be imported again.
async fn carry_out(server: &Connection, plan: &Plan) -> Value {
    let bar = ProgressBar::new(plan.steps.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} users").unwrap_or(ProgressStyle::default_bar()));
    let outcomes: Vec<_> = stream::iter(&plan.steps)
        .map(async |step| {
            let outcome = take(server, step).await;
            bar.inc(1);
            (step, outcome)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    bar.finish_and_clear();
    let (mut added, mut changed, mut ended, mut failed) = (0, 0, Vec::new(), Vec::new());
    for (step, outcome) in outcomes {
        let (Step::Add { user_name, .. } | Step::Change { user_name, .. }) = step;
        match (step, outcome) {
            (_, Err(why)) => {
                failed.push(json!({ "user_name": user_name, "why": why.show(super::arguments::Output::Table) }));
            }
            (Step::Add { .. }, Ok(_)) => added += 1,
            (Step::Change { .. }, Ok(answer)) => {
                changed += 1;
                ended.extend(
                    answer["ended"]["position"].as_str().map(|at| json!({ "user_name": user_name, "position": at })),
                );
            }
        }
    }
    json!({ "added": added, "changed": changed, "unchanged": plan.unchanged, "ended": ended, "failed": failed })
}

async fn take(server: &Connection, step: &Step) -> Result<Value, Failure> {
    match step {
        Step::Add { body, .. } => server.post("/users", body).await,
        Step::Change { id, body, .. } => {
            server.send(Method::PATCH, &format!("/users/{}", part(id)), &[], Some(body)).await
        }
    }
}
