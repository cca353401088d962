//! `rescind doctor`: looks at a deployment end to end, and says of each fault what to do.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use rescind_ledger::{Reads, Sealed, Store, Timestamp};
use rescind_store::{DataDir, MarkerState, Sqlite, inspect_marker};
use serde_json::{Value, json};

use super::{
    arguments::{Globals, Output},
    connection::{self, Connection, configuration},
    failure::Failure,
    output,
};
use crate::{clock::Clock, config::Config, keys::Keys, master_key};

/// What was found, one line a check.
#[derive(Default)]
struct Findings(Vec<Finding>);

struct Finding {
    check: &'static str,
    outcome: Result<String, String>,
}

impl Findings {
    fn note(&mut self, check: &'static str, outcome: anyhow::Result<String>) {
        self.0.push(Finding { check, outcome: outcome.map_err(|why| format!("{why:#}")) });
    }

    fn show(&self, globals: &Globals) -> Result<(), Failure> {
        let failed = self.0.iter().filter(|finding| finding.outcome.is_err()).count();
        if globals.output == Output::Json {
            let items = self.0.iter().map(|finding| {
                let (Ok(text) | Err(text)) = &finding.outcome;
                json!({ "check": finding.check, "ok": finding.outcome.is_ok(), "detail": text })
            });
            output::json(&json!({ "items": items.collect::<Vec<_>>(), "failed": failed }));
        } else {
            for finding in &self.0 {
                match &finding.outcome {
                    Ok(text) => println!("ok    {}: {text}", finding.check),
                    Err(text) => println!("FAIL  {}: {text}", finding.check),
                }
            }
        }
        if failed == 0 { Ok(()) } else { Err(anyhow!("{failed} of {} checks failed", self.0.len()).into()) }
    }
}

/// The command.
pub(super) async fn run(globals: &Globals) -> Result<(), Failure> {
    let mut findings = Findings::default();
    match configuration(globals) {
        Ok(config) => {
            findings.note("configuration", Ok(format!("issuer {}", config.issuer)));
            check_deployment(&config, &mut findings).await;
        }
        Err(why) => findings.note("configuration", Err(anyhow!("{}", why.show(Output::Table)))),
    }
    findings.show(globals)
}

async fn check_deployment(config: &Config, findings: &mut Findings) {
    let dir = DataDir::at(&config.data_dir);
    findings.note("data directory", check_permissions(&dir));
    findings.note("disk space", check_space(dir.path()));
    if !dir.database().exists() {
        let why = anyhow!("there is no database in {}; the first `rescind serve` makes it", dir.path().display());
        return findings.note("database", Err(why));
    }
    match Sqlite::open(&dir.database()) {
        Ok(mut store) => check_store(config, &dir, &mut store, findings).await,
        Err(why) => findings.note("database", Err(anyhow!("{why}; if it is damaged, use `rescind restore`"))),
    }
    let local = check_socket(&dir, config).await;
    let runs = local.is_ok();
    findings.note("local socket", local);
    let discovery = check_issuer(config).await;
    let unreached = "it does not answer; if the server runs, look at `listen`, the proxy and DNS";
    findings.note("issuer", if runs { discovery.context(unreached) } else { discovery });
}

async fn check_store(config: &Config, dir: &DataDir, store: &mut Sqlite, findings: &mut Findings) {
    let sound = store.integrity_check().map(|()| "it is whole".to_owned());
    findings.note("database", sound.map_err(|why| anyhow!("{why}: use `rescind restore` with the last backup")));
    findings.note("head marker", check_marker(dir, store).await);
    let secrets = store.secrets().map_err(anyhow::Error::from);
    findings.note("master key", secrets.and_then(|secrets| check_master_key(config, dir, &secrets)));
    findings.note("clock", check_clock(store).await);
}

/// Only the owner may enter, and read what is inside.
fn check_permissions(dir: &DataDir) -> anyhow::Result<String> {
    let must_be = |path: PathBuf, mode: u32| -> anyhow::Result<()> {
        let Ok(found) = fs::metadata(&path) else { return Ok(()) };
        let open = found.permissions().mode() & 0o077;
        if open != 0 {
            bail!("others may use {}: run `chmod {mode:o}` on it", path.display());
        }
        Ok(())
    };
    let path = dir.path();
    if !path.is_dir() {
        bail!("{} is not there; the first `rescind serve` makes it", path.display());
    }
    must_be(path.to_owned(), 0o700)?;
    for file in [dir.database(), dir.marker(), dir.master_key(), dir.socket()] {
        must_be(file, 0o600)?;
    }
    Ok(format!("{} belongs to its owner alone", path.display()))
}

/// The least that should be free, in KiB: some ten days of a busy ledger.
const FREE_KIB: u64 = 256 << 10;

/// The standard library cannot ask; `df -Pk` is POSIX.
fn check_space(path: &Path) -> anyhow::Result<String> {
    let asked = Command::new("df").arg("-Pk").arg(path).output().context("`df` cannot be run")?;
    let text = String::from_utf8_lossy(&asked.stdout);
    let free = text.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    let free = free.with_context(|| format!("`df` does not say how much is free at {}", path.display()))?;
    if free < FREE_KIB {
        bail!("only {} MiB are free at {}: a full disk stops every revocation; make room", free >> 10, path.display());
    }
    Ok(format!("{} MiB are free", free >> 10))
}

/// A running server moves store and marker one after the other, so one look may fall between the two.
async fn check_marker(dir: &DataDir, store: &mut Sqlite) -> anyhow::Result<String> {
    const WHAT_TO_DO: &str =
        "if the database was put there on purpose, run `rescind epoch open`; otherwise put the right one back";
    for _ in 0..3 {
        match inspect_marker(dir, store)? {
            MarkerState::Agrees | MarkerState::Behind | MarkerState::Fresh => {
                return Ok(format!("the ledger stands at {}", store.mark()?.head));
            }
            MarkerState::Missing => bail!("it is missing: {WHAT_TO_DO}"),
            MarkerState::Foreign => bail!("it belongs to another database: {WHAT_TO_DO}"),
            MarkerState::Ahead { .. } => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    bail!("it is ahead of the database, which is an older copy: {WHAT_TO_DO}")
}

/// The key must open what is encrypted under it.
pub(super) fn check_master_key(config: &Config, dir: &DataDir, secrets: &[(String, Sealed)]) -> anyhow::Result<String> {
    let key = master_key::load(config.master_key.as_ref(), dir)?;
    Keys::open(*key, secrets, Clock::System.now(), |_| false)?;
    Ok(format!("it opens the {} secrets of the database", secrets.len()))
}

/// The last entry cannot lie ahead of us, unless the clock went back or went wrong.
async fn check_clock(store: &Sqlite) -> anyhow::Result<String> {
    let now = Clock::System.now();
    let newest = store.reads(1)?.entries_before(None, 1).await?.pop();
    let slack = Duration::from_secs(5);
    if let Some(entry) = newest
        && entry.time > now.plus(slack)
    {
        let ahead = entry.time.since(now).as_secs();
        bail!("the newest revocation lies {ahead} s in the future: set the clock, and keep it by NTP");
    }
    if now < Timestamp::from_secs(BUILT_AFTER) {
        bail!("the clock stands before this program was made: set it, and keep it by NTP");
    }
    Ok("it agrees with the ledger".to_owned())
}

/// 2025-01-01.
const BUILT_AFTER: i64 = 1_735_689_600;

async fn check_socket(dir: &DataDir, config: &Config) -> anyhow::Result<String> {
    let server = Connection::local(dir)?;
    let answer = server.get("/status", &[]).await.map_err(|why| anyhow!("{}", why.show(Output::Table)))?;
    let issuer = answer.get("issuer").and_then(Value::as_str).unwrap_or_default();
    // With an open port the configuration does not know the issuer of the running server.
    if issuer != config.issuer && config.listen.port() != 0 {
        bail!("the server runs as {issuer}, the configuration says {}: restart it", config.issuer);
    }
    Ok(format!("the server answers, version {}", answer.get("version").and_then(Value::as_str).unwrap_or("?")))
}

async fn check_issuer(config: &Config) -> anyhow::Result<String> {
    let url = format!("{}/.well-known/openid-configuration", config.issuer);
    let http = connection::client(config.egress.ca.as_ref())?;
    let response = http.get(&url).timeout(Duration::from_secs(5)).send().await?;
    let status = response.status();
    let metadata: Value = response.json().await.with_context(|| format!("{url} answers {status}, without metadata"))?;
    match metadata.get("issuer").and_then(Value::as_str) {
        Some(issuer) if issuer == config.issuer => Ok(format!("{url} answers as it should")),
        Some(other) => bail!("{url} names the issuer {other}: the URL leads to another server"),
        None => bail!("{url} answers {status}, without an issuer: the URL leads elsewhere"),
    }
}
