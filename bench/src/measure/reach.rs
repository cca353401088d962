//! (d) Revoking a user with one live token, and one with a million.

use std::time::Instant;

use anyhow::{anyhow, ensure};
use rescind::app::{App, Opened};
use rescind::clock::Clock;
use rescind::pace::Pace;
use rescind::protocol::introspect;
use rescind_ledger::{Initiator, Lane, Order, Reason, Target};

use crate::credentials::{CROWDED, RESOURCE_SERVER, token};
use crate::measure::{Bench, MILLION};
use crate::reference::map;
use crate::report::{Goal, Line, median};
use crate::seed::single_user;
use crate::served::config;

/// Revocations of each kind, in turn.
const TURNS: u64 = MILLION.single / 2;
const MICROS: f64 = 1e6;

/// Median times in microseconds.
struct Times {
    revoke: f64,
    first_check: f64,
}

pub(super) fn revoke(bench: &mut Bench) -> anyhow::Result<Line> {
    let (crowded, single) = run(bench, 0)?;
    Ok(line("revoke_user_reach", crowded.revoke, single.revoke))
}

pub(super) fn first_check(bench: &mut Bench) -> anyhow::Result<Line> {
    let (crowded, single) = run(bench, TURNS)?;
    Ok(line("first_check_after_reach", crowded.first_check, single.first_check))
}

fn line(name: &'static str, value: f64, reference: f64) -> Line {
    Line { name, value, unit: "us", reference: Some(reference), goal: Some(Goal::RatioAtMost(1.2)) }
}

/// Revokes the crowded user and single ones in turn; after each, one token that was never asked for is checked.
fn run(bench: &mut Bench, from: u64) -> anyhow::Result<(Times, Times)> {
    let folder = bench.million()?;
    let (app, writer) = Opened::open(config(&folder)?, Clock::System, Pace::Free)?.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let places = map::order(usize::try_from(TURNS)?, usize::try_from(MILLION.live)?);
    let times = runtime.block_on(async {
        let (mut crowded, mut single) = (Vec::new(), Vec::new());
        for (turn, place) in (from..).zip(&places) {
            crowded.push(once(&app, CROWDED.to_owned(), *place as u64).await?);
            let number = MILLION.first_single() + turn;
            single.push(once(&app, single_user(number), number).await?);
        }
        anyhow::Ok((medians(&crowded), medians(&single)))
    })?;
    app.queue.close();
    writer.join().map_err(|_| anyhow!("the writer panicked"))?;
    Ok(times)
}

/// Seconds until the acknowledgement, and until the refusal after it.
async fn once(app: &App, user: String, number: u64) -> anyhow::Result<(f64, f64)> {
    let target = Target::Subject { issuer: app.live.issuer().to_owned(), subject: user };
    let order = Order::new(target, Reason::LeftCompany, Initiator::Administrator("local".to_owned()));
    let caller = app.live.client(RESOURCE_SERVER).ok_or_else(|| anyhow!("the API is not registered"))?;
    let token = token(number);
    let begun = Instant::now();
    app.queue.submit(Lane::Ending, move |door| door.end(&order)).await?;
    let revoke = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let found = introspect::find(app, &caller, token.reveal()).await.map_err(|why| anyhow!("{}", why.code()))?;
    let first_check = begun.elapsed().as_secs_f64();
    ensure!(found.is_none(), "a revoked user's token is active");
    Ok((revoke, first_check))
}

fn medians(turns: &[(f64, f64)]) -> Times {
    Times {
        revoke: MICROS * median(turns.iter().map(|turn| turn.0).collect()),
        first_check: MICROS * median(turns.iter().map(|turn| turn.1).collect()),
    }
}
