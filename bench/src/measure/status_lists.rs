//! From the acknowledgement of a revocation to the status lists that show it, with ten million tokens in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow, ensure};
use rescind::app::{App, Opened};
use rescind::clock::Clock;
use rescind::pace::Pace;
use rescind::status_lists::{Bits, unpack};
use rescind_ledger::{Initiator, Lane, Order, Reason, Target};

use crate::measure::Bench;
use crate::reference::rows::Rows;
use crate::report::{Goal, Line, median};
use crate::seed::{self, LISTED, MILLION_EACH};
use crate::served::config;

/// What was promised: a revocation of any breadth is in the list within two seconds.
const PROMISED: Option<Goal> = Some(Goal::AtMost(2.0));
/// Lists that hold nobody else's tokens, and samples.
const SAMPLES: usize = 11;

/// Seconds.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    /// Until one list that holds nothing but revoked tokens shows it: the worst of some.
    one: f64,
    /// Until every list shows it, all of them fetched at once.
    all: f64,
    /// Reading the rows of one list, and packing it.
    reference: f64,
    /// The same of as many lists as there are.
    reference_of_all: f64,
}

pub(super) fn one(bench: &mut Bench) -> anyhow::Result<Line> {
    let reach = bench.status_reach()?;
    let reference = Some(reach.reference);
    Ok(Line { name: "status_list_reach_10m", value: reach.one, unit: "s", reference, goal: PROMISED })
}

pub(super) fn all(bench: &mut Bench) -> anyhow::Result<Line> {
    let reach = bench.status_reach()?;
    let reference = Some(reach.reference_of_all);
    Ok(Line { name: "status_lists_reach_all_10m", value: reach.all, unit: "s", reference, goal: None })
}

pub(super) fn measure(folder: &Path) -> anyhow::Result<Reach> {
    seed::fill_status_lists(folder)?;
    let reference = reference(folder)?;
    let (app, writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (one, all, lists) = runtime.block_on(async {
        let lists = app.status_lists.all(app.now()).await?;
        let lists: Vec<Arc<str>> = lists.into_iter().map(|list| list.id.into()).collect();
        // As in a server that has been asked for them before.
        fetch_all(&app, &lists, 0).await?;
        let one = reach_one(&app, &lists).await?;
        let all = reach_all(&app, &lists).await?;
        anyhow::Ok((one, all, lists.len()))
    })?;
    app.queue.close();
    drop(app);
    writer.join().map_err(|_| anyhow!("the writer panicked"))?;
    Ok(Reach { one, all, reference, reference_of_all: reference * lists as f64 })
}

/// The first of the two users, each time in a list of which only they have tokens.
async fn reach_one(app: &App, lists: &[Arc<str>]) -> anyhow::Result<f64> {
    let mut worst = 0.0;
    for list in lists.iter().take(SAMPLES) {
        revoke(app, MILLION_EACH[0]).await?;
        let acknowledged = Instant::now();
        let revoked = fetch(app, list).await?;
        worst = f64::max(worst, acknowledged.elapsed().as_secs_f64());
        ensure!(revoked == 65_536, "a fetched list shows {revoked} tokens of a user who has them all");
    }
    Ok(worst)
}

/// The second of them, in every list there is.
async fn reach_all(app: &Arc<App>, lists: &[Arc<str>]) -> anyhow::Result<f64> {
    revoke(app, MILLION_EACH[1]).await?;
    let acknowledged = Instant::now();
    fetch_all(app, lists, 2_000_000).await?;
    Ok(acknowledged.elapsed().as_secs_f64())
}

async fn revoke(app: &App, user: &str) -> anyhow::Result<()> {
    let target = Target::Subject { issuer: app.live.issuer().to_owned(), subject: user.to_owned() };
    let order = Order::new(target, Reason::LeftCompany, Initiator::Administrator("local".to_owned()));
    app.queue.submit(Lane::Ending, move |door| door.end(&order)).await?;
    Ok(())
}

async fn fetch_all(app: &Arc<App>, lists: &[Arc<str>], expected: u64) -> anyhow::Result<()> {
    let fetches: Vec<_> = lists
        .iter()
        .map(|list| {
            let (app, list) = (app.clone(), list.clone());
            tokio::spawn(async move { fetch(&app, &list).await })
        })
        .collect();
    let mut revoked = 0;
    for fetched in fetches {
        revoked += fetched.await??;
    }
    ensure!(revoked == expected, "{revoked} tokens are invalid, not {expected}");
    Ok(())
}

/// How many tokens a list says are revoked.
async fn fetch(app: &App, list: &str) -> anyhow::Result<u64> {
    let packed = app.status_lists.present(list, app.now()).await?.context("the list is gone")?;
    Ok(unpack(&packed.lst)?.iter().map(|byte| u64::from(byte.count_ones())).sum())
}

fn reference(folder: &Path) -> anyhow::Result<f64> {
    let rows = Rows::write(folder, LISTED.users(0..65_536).iter().map(String::as_str))?;
    let times = (0..SAMPLES)
        .map(|_| {
            let begun = Instant::now();
            let mut bits = Bits::default();
            rows.each_of(&MILLION_EACH, |number| bits.set(number))?;
            let revoked = unpack(&bits.pack())?.iter().map(|byte| byte.count_ones()).sum::<u32>();
            ensure!(revoked == 65_536, "the reference finds {revoked} rows");
            Ok(begun.elapsed().as_secs_f64())
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(median(times))
}

impl Bench {
    fn status_reach(&mut self) -> anyhow::Result<Reach> {
        self.servers = None;
        if let Some(reach) = self.status_reach {
            return Ok(reach);
        }
        let folder: PathBuf = self.scratch.path().join("status-lists");
        let reach = measure(&folder)?;
        std::fs::remove_dir_all(&folder)?;
        Ok(*self.status_reach.insert(reach))
    }
}
