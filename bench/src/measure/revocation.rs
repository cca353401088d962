//! (c) Durable revocations: many callers at once, against one record appended and synced at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rescind::app::{App, Opened};
use rescind::clock::{Clock, fresh_id};
use rescind::pace::Pace;
use rescind_ledger::{Initiator, Lane, ScriptChange, Store as _};
use rescind_store::{DataDir, Sqlite};

use crate::child::Child;
use crate::credentials::{issuance, revocation};
use crate::measure::Bench;
use crate::reference::append;
use crate::reference::load::{self, Expected, Load, Measured};
use crate::report::{Goal, Line, median};
use crate::seed::{Plan, token_order};
use crate::served::config;

/// Runs of each side, in turn.
const RUNS: usize = 5;
const CALLERS: usize = 64;
/// Orders of each caller in a run.
const ORDERS: usize = 150;
/// Records in a run of the reference, and the bytes of one: about what an entry takes.
const RECORDS: u32 = 500;
const RECORD_BYTES: usize = 160;
/// Syncs for one transaction: one of the log, one of the head marker.
const SYNCS: f64 = 2.0;

pub(super) fn in_process(bench: &mut Bench) -> anyhow::Result<Line> {
    let folder = bench.folder("in-process", Plan::EMPTY)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    with_app(&folder, |app, runtime| {
        for _ in 0..RUNS {
            ours.push(runtime.block_on(orders_per_second(app))?);
            theirs.push(append::records_per_second(&folder, RECORDS, RECORD_BYTES)?);
        }
        Ok(())
    })?;
    Ok(Line {
        name: "revoke_inprocess_c64",
        value: median(ours),
        unit: "orders/s",
        reference: Some(median(theirs)),
        goal: Some(Goal::RatioAtLeast(4.0)),
    })
}

pub(super) fn per_fsync(bench: &mut Bench) -> anyhow::Result<Line> {
    let folder = bench.folder("per-fsync", Plan::EMPTY)?;
    let before = commits(&folder)?;
    let mut own = 0;
    with_app(&folder, |app, runtime| {
        // A start may commit something of its own.
        own = commits(&folder)? - before;
        runtime.block_on(orders_per_second(app)).map(drop)
    })?;
    let transactions = commits(&folder)? - before - own;
    Ok(Line {
        name: "orders_per_fsync",
        value: (CALLERS * ORDERS) as f64 / (SYNCS * transactions as f64),
        unit: "orders",
        reference: Some(1.0),
        goal: Some(Goal::AtLeast(16.0)),
    })
}

/// How many transactions the database has ever seen.
fn commits(folder: &Path) -> anyhow::Result<u64> {
    Ok(Sqlite::open(&DataDir::at(folder).database())?.mark()?.commits)
}

fn with_app(
    folder: &Path,
    work: impl FnOnce(&Arc<App>, &tokio::runtime::Runtime) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (app, writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    work(&app, &runtime)?;
    app.queue.close();
    writer.join().map_err(|_| anyhow!("the writer panicked"))
}

/// Lets every caller give its orders one after the other, each after the acknowledgement of the one before.
async fn orders_per_second(app: &Arc<App>) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let app = Arc::clone(app);
            tokio::spawn(async move {
                for _ in 0..ORDERS {
                    let order = token_order(fresh_id("at_"));
                    app.queue.submit(Lane::Ending, move |door| door.end(&order)).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok((CALLERS * ORDERS) as f64 / begun.elapsed().as_secs_f64())
}

/// Revocations by HTTP, each of a token that was never revoked before.
struct Revocations {
    server: Child,
    folder: PathBuf,
    next: u64,
}

impl Revocations {
    fn of(bench: &Bench, name: &str, tokens: usize) -> anyhow::Result<Self> {
        let folder = bench.folder(name, Plan { live: tokens as u64, ..Plan::EMPTY })?;
        Ok(Self { server: Child::rescind(&folder)?, folder, next: 0 })
    }

    fn run(&mut self, connections: usize, requests: usize, warm_up: usize) -> anyhow::Result<Measured> {
        let first = self.next;
        self.next += (connections * (requests + warm_up)) as u64;
        let asked = Load {
            target: self.server.address(),
            connections,
            requests,
            warm_up,
            messages: (first..self.next).map(revocation).collect(),
            status: 200,
            body: Expected::Part(b""),
        };
        Ok(load::run(asked)?)
    }
}

pub(super) fn http(bench: &mut Bench) -> anyhow::Result<Line> {
    const WARM_UP: usize = 10;
    let mut revocations = Revocations::of(bench, "http", RUNS * CALLERS * (ORDERS + WARM_UP))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(revocations.run(CALLERS, ORDERS, WARM_UP)?.rate);
        theirs.push(append::records_per_second(&revocations.folder, RECORDS, RECORD_BYTES)?);
    }
    Ok(Line {
        name: "revoke_http_c64",
        value: median(ours),
        unit: "orders/s",
        reference: Some(median(theirs)),
        goal: Some(Goal::RatioAtLeast(1.5)),
    })
}

/// The least a script can do.
const TRIVIAL: &str = "fn revoke(event) { allow() }";

/// Revocations while a trivial script is asked about each; the reference is the same server without one.
pub(super) fn http_with_script(bench: &mut Bench) -> anyhow::Result<Line> {
    const WARM_UP: usize = 10;
    let tokens = RUNS * CALLERS * (ORDERS + WARM_UP);
    let without = Revocations::of(bench, "without-script", tokens)?;
    let folder = bench.folder("with-script", Plan { live: tokens as u64, ..Plan::EMPTY })?;
    with_app(&folder, |app, runtime| {
        let change = ScriptChange { source: Some(TRIVIAL.to_owned()), ..ScriptChange::default() };
        let who = Initiator::Administrator("bench".to_owned());
        let put = app.queue.submit(Lane::Issuing, move |door| door.put_script("trivial", &change, &who));
        runtime.block_on(put).map(drop).map_err(Into::into)
    })?;
    let with = Revocations { server: Child::rescind(&folder)?, folder, next: 0 };
    let (mut asked, mut unasked) = ((with, Vec::new()), (without, Vec::new()));
    for _ in 0..RUNS {
        for (revocations, rates) in [&mut asked, &mut unasked] {
            rates.push(revocations.run(CALLERS, ORDERS, WARM_UP)?.rate);
        }
    }
    Ok(Line {
        name: "revoke_http_script_c64",
        value: median(asked.1),
        unit: "orders/s",
        reference: Some(median(unasked.1)),
        // A trivial script costs at most 15 %.
        goal: Some(Goal::RatioAtLeast(0.85)),
    })
}

/// The 99th percentile while 64 connections issue tokens as fast as they can; the reference is the same without issuance.
pub(super) fn under_issuance(bench: &mut Bench) -> anyhow::Result<Line> {
    const CONNECTIONS: usize = 8;
    const REVOCATIONS: usize = 250;
    let mut revocations = Revocations::of(bench, "under-issuance", 2 * CONNECTIONS * REVOCATIONS)?;
    let alone = revocations.run(CONNECTIONS, REVOCATIONS, 0)?;
    let target = revocations.server.address();
    let enough = AtomicBool::new(false);
    let under = thread::scope(|scope| {
        let issuing = scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                load::run(Load {
                    target,
                    connections: CALLERS,
                    requests: 10,
                    warm_up: 0,
                    messages: vec![issuance()],
                    status: 200,
                    body: Expected::Part(br#""access_token":"rsc_at_"#),
                })?;
            }
            std::io::Result::Ok(())
        });
        // The first tokens are being issued by then.
        thread::sleep(Duration::from_millis(200));
        let under = revocations.run(CONNECTIONS, REVOCATIONS, 0);
        enough.store(true, Ordering::Relaxed);
        issuing.join().map_err(|_| anyhow!("the issuing client panicked"))??;
        under
    })?;
    let millis = |measured: Measured| measured.p99.as_secs_f64() * 1e3;
    Ok(Line {
        name: "revoke_ack_p99_under_issuance",
        value: millis(under),
        unit: "ms",
        reference: Some(millis(alone)),
        goal: None,
    })
}
