//! `rescind script`: what is asked before a revocation is written.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;

use super::{arguments::Globals, failure::Failure, output};
use crate::scripts::{Run, try_out};

#[derive(Debug, Subcommand)]
pub(super) enum ScriptCommand {
    /// Compiles a script and tries it on sample events. Needs no server.
    Check {
        file: PathBuf,
        /// The client that asks in the samples.
        #[arg(long, value_name = "ID", default_value = "sample-client")]
        client: String,
    },
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
