//! Receipts: shown, waited for, and checked. What is checked is computed here, and not asked of the server.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use rescind_jose::{KeySet, unverified_kid};
use rescind_ledger::Timestamp;
use serde_json::{Value, json};

use super::{
    arguments::{Globals, Output},
    audit::source::key_set,
    connection::{Connection, part},
    failure::Failure,
    output,
};
use crate::receipts::signed::{Claims, check};

/// How long `--wait` waits, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(120);
const ASK_EVERY: Duration = Duration::from_millis(200);
/// More than any receipt has.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum ReceiptCommand {
    /// Shows the receipt of the revocation at a position.
    Show(ShowArguments),
    /// Checks a signed receipt, without asking the server that made it.
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    position: String,
    /// Prints the signed form alone, to be kept.
    #[arg(long)]
    signed: bool,
    /// Waits, for two minutes at most, until everything is counted and no delivery is pending.
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// What `receipt show --signed` has printed.
    file: PathBuf,
    /// The keys (a JWK set) by which it must be signed, as they stand at /jwks; otherwise those that the server names now.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

pub(super) async fn run(globals: &Globals, server: &Connection, command: ReceiptCommand) -> Result<(), Failure> {
    match command {
        ReceiptCommand::Show(arguments) => show(globals, server, &arguments).await,
        ReceiptCommand::Verify(arguments) => verify(globals, &arguments).await,
    }
}

async fn show(globals: &Globals, server: &Connection, arguments: &ShowArguments) -> Result<(), Failure> {
    let path = format!("/revocations/{}", part(&arguments.position));
    let mut receipt = server.get(&path, &[]).await?;
    let begun = Instant::now();
    while arguments.wait && receipt["finished"] != json!(true) && begun.elapsed() < PATIENCE {
        tokio::time::sleep(ASK_EVERY).await;
        receipt = server.get(&path, &[]).await?;
    }
    if arguments.signed {
        let answer = server.get(&format!("{path}/receipt"), &[]).await?;
        let signed = answer["receipt"].as_str().context("the server gave no signed receipt")?;
        println!("{signed}");
        return Ok(());
    }
    output::record(globals, &receipt);
    Ok(())
}

pub(super) async fn verify(globals: &Globals, arguments: &VerifyArguments) -> Result<(), Failure> {
    let text = read(&arguments.file)?;
    let text = text.trim();
    let keys = keys(globals, arguments.jwks.as_deref()).await?;
    let claims = check(&keys, text).map_err(|why| anyhow!("not valid: {why}"))?;
    show_verified(globals, text, &claims);
    Ok(())
}

fn show_verified(globals: &Globals, text: &str, claims: &Claims) {
    let finished = claims.receipt["finished"] == json!(true);
    if globals.output == Output::Json {
        let kid = unverified_kid(text);
        return output::json(&json!({
            "valid": true,
            "finished": finished,
            "issuer": claims.iss,
            "kid": kid,
            "signed_at": Timestamp::from_secs(claims.iat),
            "receipt": claims.receipt,
        }));
    }
    println!("valid: {} has signed this", claims.iss);
    if !finished {
        println!(
            "unfinished: when it was signed, something was still to be counted or to be delivered; a later receipt of the same \
             revocation says more"
        );
    }
    let signed = json!({ "signed_at": Timestamp::from_secs(claims.iat) });
    output::record(globals, &signed);
    output::record(globals, &claims.receipt);
}

async fn keys(globals: &Globals, jwks: Option<&Path>) -> Result<KeySet, Failure> {
    let Some(file) = jwks else {
        // Asked for its keys only: it is not told which receipt is checked.
        let answer = Connection::open(globals).await?.get("/audit/head", &[]).await?;
        return Ok(key_set(answer.get("jwks").unwrap_or(&Value::Null))?);
    };
    let parsed: Value = serde_json::from_str(&read(file)?).with_context(|| format!("{}", file.display()))?;
    Ok(key_set(&parsed).with_context(|| format!("{}", file.display()))?)
}

fn read(file: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    if size > MOST_BYTES {
        return Err(anyhow!("{} is far too long", file.display()).into());
    }
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8(text).map_err(|_| anyhow!("{} is no text", file.display()))?)
}
