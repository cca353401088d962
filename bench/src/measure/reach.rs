//! (d) Revoking a user with one live token, and one with a million.
//!
//! Once revoked, the million are dead. So each sample is a process of its own that leaves without closing the database: all
//! it wrote stands in the database's log, and removing that makes them live again.

use std::fs;
use std::path::Path;
use std::process::{Command, exit};
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use rescind::app::{App, Opened};
use rescind::clock::Clock;
use rescind::pace::Pace;
use rescind::protocol::introspect;
use rescind_ledger::{Initiator, Lane, Order, Reason, Target};
use rescind_store::DataDir;

use crate::credentials::{CROWDED, RESOURCE_SERVER, token};
use crate::measure::{Bench, MILLION};
use crate::report::{Goal, Line, median};
use crate::seed::single_user;
use crate::served::config;

/// How often the crowded user is revoked.
const SAMPLES: usize = 15;
/// Users with one token that are revoked in a sample, half of them before the crowded one.
const SINGLES: u64 = 40;
const MICROS: f64 = 1e6;

/// Seconds until the acknowledgement, and until the refusal after it.
type Took = (f64, f64);

/// What one process measured: of the crowded user, and of the others.
type Sample = (Took, Vec<Took>);

pub(super) fn revoke(bench: &mut Bench) -> anyhow::Result<Line> {
    line("revoke_user_reach", &samples(bench)?, |took| took.0)
}

pub(super) fn first_check(bench: &mut Bench) -> anyhow::Result<Line> {
    line("first_check_after_reach", &samples(bench)?, |took| took.1)
}

fn line(name: &'static str, samples: &[Sample], part: impl Fn(&Took) -> f64) -> anyhow::Result<Line> {
    let crowded = samples.iter().map(|(crowded, _)| MICROS * part(crowded)).collect();
    let single = samples.iter().flat_map(|(_, single)| single).map(|took| MICROS * part(took)).collect();
    let goal = Some(Goal::RatioAtMost(1.2));
    Ok(Line { name, value: median(crowded), unit: "us", reference: Some(median(single)), goal })
}

fn samples(bench: &mut Bench) -> anyhow::Result<Vec<Sample>> {
    let folder = bench.million()?;
    let files = DataDir::at(&folder);
    let marker = fs::read(files.marker())?;
    let log = files.database().with_extension("db-wal");
    (0..SAMPLES)
        .map(|_| {
            ensure!(!log.exists(), "the database was not closed: its log would be lost");
            let done = Command::new(std::env::current_exe()?).arg("sample-reach").arg(&folder).output()?;
            ensure!(done.status.success(), "a sample failed: {}", String::from_utf8_lossy(&done.stderr));
            fs::remove_file(&log).context("the sample left no log behind")?;
            fs::remove_file(files.database().with_extension("db-shm"))?;
            fs::write(files.marker(), &marker)?;
            Ok(serde_json::from_slice(&done.stdout)?)
        })
        .collect()
}

/// Takes one sample, prints it and leaves at once.
///
/// # Errors
/// When something could not be revoked, or was not live before.
pub fn sample(folder: &Path) -> anyhow::Result<()> {
    let (app, _writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let sample: Sample = runtime.block_on(async {
        let mut single = Vec::new();
        let mut crowded = None;
        for turn in 0..SINGLES {
            if turn == SINGLES / 2 {
                ensure!(is_live(&app, 1).await?, "the crowded user has no live token");
                crowded = Some(once(&app, CROWDED.to_owned(), 0).await?);
            }
            let number = MILLION.first_single() + turn;
            single.push(once(&app, single_user(number), number).await?);
        }
        anyhow::Ok((crowded.context("no sample")?, single))
    })?;
    println!("{}", serde_json::to_string(&sample)?);
    // Closing the database would write its log back.
    exit(0)
}

/// Revokes a user and asks for a token of theirs that was never asked for.
async fn once(app: &App, user: String, number: u64) -> anyhow::Result<Took> {
    let target = Target::Subject { issuer: app.live.issuer().to_owned(), subject: user };
    let order = Order::new(target, Reason::LeftCompany, Initiator::Administrator("local".to_owned()));
    let begun = Instant::now();
    app.queue.submit(Lane::Ending, move |door| door.end(&order)).await?;
    let revoke = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let live = is_live(app, number).await?;
    let first_check = begun.elapsed().as_secs_f64();
    ensure!(!live, "a revoked user's token is active");
    Ok((revoke, first_check))
}

async fn is_live(app: &App, number: u64) -> anyhow::Result<bool> {
    let caller = app.live.client(RESOURCE_SERVER).ok_or_else(|| anyhow!("the API is not registered"))?;
    let token = token(number);
    let found = introspect::find(app, &caller, token.reveal()).await.map_err(|why| anyhow!("{}", why.code()))?;
    Ok(found.is_some())
}
