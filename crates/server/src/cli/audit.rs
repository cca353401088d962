//! The audit trail: searched, checked, handed out. What is checked is computed here, and not asked of the server.

mod export;
pub(super) mod source;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValuesParser};
use rescind_ledger::Action;
use serde_json::{Value, json};

use super::{
    arguments::{Globals, PageArguments},
    connection::Connection,
    failure::Failure,
    output,
};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Lists records, the newest first.
    List(ListArguments),
    /// Checks that no record was removed, altered or moved, and that the end was not cut off.
    Verify(VerifyArguments),
    /// Prints the trail, one record a line, so that it can be kept elsewhere and checked there.
    Export(ExportArguments),
    /// Prints the newest signed head, to be kept elsewhere: it bears witness to everything before it.
    Head,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only what is of this kind.
    #[arg(long, value_parser = PossibleValuesParser::new(Action::ALL.map(Action::name)))]
    action: Option<String>,
    /// Only what was done on the word of this administrator, client, user, or rule.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only what came out like this: ended, already_ended, an error code …
    #[arg(long)]
    outcome: Option<String>,
    /// Only requests of this client.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only the request that had this X-Correlation-Id.
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Only from this time on, such as 2026-01-31T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    #[command(flatten)]
    page: PageArguments,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// An export, instead of a server's trail.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A signed head that was kept elsewhere, as `audit head` printed it.
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// The keys (a JWK set) by which heads must be signed, instead of those that the server names.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Reads the data directory itself, while no server runs.
    #[arg(long, conflicts_with_all = ["file", "server"])]
    offline: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// From this record's number or this time on (2026-01-31T12:00:00Z); otherwise from the beginning.
    #[arg(long, value_name = "SEQ|TIME")]
    since: Option<String>,
    /// How each line is written: JSON alone, or as the message of a syslog line (RFC 5424).
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Syslog,
}

pub(super) async fn run(globals: &Globals, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List(arguments) => list(globals, &arguments).await,
        AuditCommand::Verify(arguments) => verify::run(globals, &arguments).await,
        AuditCommand::Export(arguments) => export::run(globals, &arguments).await,
        AuditCommand::Head => head(globals).await,
    }
}

const COLUMNS: [&str; 10] =
    ["seq", "at", "action", "actor", "outcome", "target", "what", "client", "ip", "correlation_id"];

async fn list(globals: &Globals, arguments: &ListArguments) -> Result<(), Failure> {
    let server = Connection::open(globals).await?;
    let given = [
        ("action", &arguments.action),
        ("actor", &arguments.actor),
        ("outcome", &arguments.outcome),
        ("client", &arguments.client),
        ("correlation_id", &arguments.correlation_id),
        ("since", &arguments.since),
    ];
    let filters: Vec<(&str, &str)> =
        given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    let wanted = usize::try_from(arguments.page.limit).unwrap_or(usize::MAX);
    let (mut items, mut next) = (Vec::new(), arguments.page.cursor.clone());
    // The server looks at so many records a call; what is rare may take several.
    loop {
        let limit = (wanted - items.len()).to_string();
        let mut query = filters.clone();
        query.push(("limit", &limit));
        query.extend(next.as_deref().map(|cursor| ("cursor", cursor)));
        let answer = server.get("/audit", &query).await?;
        items.extend(answer["items"].as_array().into_iter().flatten().cloned());
        next = answer["next"].as_str().map(str::to_owned);
        if next.is_none() || items.len() >= wanted {
            break;
        }
    }
    output::list(globals, &json!({ "items": items, "next": next }), &COLUMNS);
    Ok(())
}

async fn head(globals: &Globals) -> Result<(), Failure> {
    let server = Connection::open(globals).await?;
    match server.get("/audit/head", &[]).await?.get("head") {
        Some(head) if *head != Value::Null => println!("{head}"),
        _ => return Err(anyhow::anyhow!("there is no record yet").into()),
    }
    Ok(())
}
