//! `rescind bulk`: one thing done to many users, as a job of the server.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use indicatif::{ProgressBar, ProgressStyle};
use rescind_ledger::Reason;
use serde_json::{Value, json};

use super::{
    arguments::{Globals, Output, PageArguments},
    confirm::ConfirmArguments,
    connection::{Connection, part},
    failure::Failure,
    issued::page_query,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum BulkCommand {
    /// Ends everything that these users hold.
    Revoke(BulkArguments),
    /// Disables these users, and ends everything they hold.
    Disable(BulkArguments),
    /// Enables these users. What was ended stays so.
    Enable(BulkArguments),
    /// Lists bulk jobs, the newest first.
    List(PageArguments),
    /// Shows how far a bulk job has come, and for whom it did nothing.
    Show {
        #[arg(allow_hyphen_values = true)]
        job: String,
    },
    /// Approves a bulk job that another administrator has ordered.
    Approve {
        #[arg(allow_hyphen_values = true)]
        job: String,
    },
    /// Stops a bulk job; what is done stays done.
    Stop {
        #[arg(allow_hyphen_values = true)]
        job: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct BulkArguments {
    /// A file with the users' ids, one a line; empty lines and lines that begin with `#` are left out.
    #[arg(long, value_name = "FILE")]
    users_file: PathBuf,
    /// Why.
    #[arg(long, default_value = "other", value_parser = PossibleValuesParser::new(Reason::ALL.map(Reason::code)))]
    reason: String,
    /// A note for people.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArguments,
    /// Does not wait until the job is done.
    #[arg(long)]
    no_wait: bool,
}

/// How often the server is asked how far it has come.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(globals: &Globals, server: &Connection, command: BulkCommand) -> Result<(), Failure> {
    let path = |job: &str| format!("/bulk-jobs/{}", part(job));
    let answer = match command {
        BulkCommand::Revoke(order) => order.carry_out(server, "revoke").await?,
        BulkCommand::Disable(order) => order.carry_out(server, "disable").await?,
        BulkCommand::Enable(order) => order.carry_out(server, "enable").await?,
        BulkCommand::List(page) => {
            let limit = page.limit.to_string();
            let answer = server.get("/bulk-jobs", &page_query(&page, &limit)).await?;
            let columns = ["id", "state", "action", "total", "done", "failed", "ordered_at", "ordered_by"];
            output::list(globals, &answer, &columns);
            return Ok(());
        }
        BulkCommand::Show { job } => {
            let answer = server.get(&path(&job), &[]).await?;
            return show(globals, server, &answer).await;
        }
        BulkCommand::Approve { job } => server.post(&format!("{}/approve", path(&job)), &json!({})).await?,
        BulkCommand::Stop { job } => server.post(&format!("{}/stop", path(&job)), &json!({})).await?,
    };
    show(globals, server, &answer).await
}

/// A job, and the first of those for whom it did nothing.
async fn show(globals: &Globals, server: &Connection, job: &Value) -> Result<(), Failure> {
    output::record(globals, job);
    let has_failed = job.get("failed").and_then(Value::as_u64).is_some_and(|failed| failed > 0);
    if has_failed && globals.output == Output::Table {
        let id = job.get("id").and_then(Value::as_str).unwrap_or_default();
        let failures = server.get(&format!("/bulk-jobs/{}/failures", part(id)), &[]).await?;
        println!();
        output::list(globals, &failures, &["user", "why"]);
    }
    Ok(())
}

impl BulkArguments {
    async fn carry_out(&self, server: &Connection, action: &str) -> Result<Value, Failure> {
        let users = self.users()?;
        let body = |confirm: Option<&str>| {
            json!({
                "action": action,
                "users": users,
                "reason": self.reason,
                "note": self.note,
                "confirm": confirm,
                "break_glass": self.confirm.break_glass,
            })
        };
        let job = self.confirm.send(async |confirm| server.post("/bulk-jobs", &body(confirm)).await).await?;
        if self.no_wait { Ok(job) } else { follow(server, job).await }
    }

    /// Each once, in the order of the file: what is confirmed is their number.
    fn users(&self) -> Result<Vec<String>, Failure> {
        let file = self.users_file.display();
        let text = std::fs::read_to_string(&self.users_file).with_context(|| format!("cannot read {file}"))?;
        let mut known = HashSet::new();
        let named = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let users: Vec<_> = named.filter(|user| known.insert(*user)).map(str::to_owned).collect();
        if users.is_empty() {
            return Err(Failure::usage(format!("{file} names nobody")));
        }
        Ok(users)
    }
}

/// Shows how far a job has come until it goes no further.
async fn follow(server: &Connection, mut job: Value) -> Result<Value, Failure> {
    let number = |job: &Value, name: &str| job.get(name).and_then(Value::as_u64).unwrap_or(0);
    // On standard error, and only where somebody looks.
    let bar = ProgressBar::new(number(&job, "total"));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} users, {eta} left") {
        bar.set_style(style);
    }
    while job.get("state") == Some(&json!("running")) {
        bar.set_position(number(&job, "done") + number(&job, "failed"));
        tokio::time::sleep(LOOK_EVERY).await;
        let id = job.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        job = server.get(&format!("/bulk-jobs/{}", part(&id)), &[]).await?;
    }
    bar.finish_and_clear();
    Ok(job)
}
