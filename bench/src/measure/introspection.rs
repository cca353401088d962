//! (a) Introspection by HTTP, against a bare server that does the unavoidable.

use std::net::SocketAddr;

use crate::credentials::introspection;
use crate::measure::{Bench, MILLION, Servers};
use crate::reference::load::{self, Load};
use crate::reference::map;
use crate::report::{Goal, Line, median};

/// Runs of each side, in turn.
const RUNS: usize = 5;
/// Timed requests in a run, and those before them.
const REQUESTS: usize = 60_000;
const WARM_UP: usize = 10_000;

pub(super) fn active(bench: &mut Bench, name: &'static str, connections: usize) -> anyhow::Result<Line> {
    let goal = (connections == 64).then_some(Goal::RatioAtLeast(0.7));
    let asked = Asked { connections, ..ACTIVE };
    remember(bench.servers()?, asked)?;
    compare(bench, name, asked, goal)
}

/// From a server that has just been started, which reads most of these tokens from its disk.
pub(super) fn cold(bench: &mut Bench) -> anyhow::Result<Line> {
    compare(bench, "introspect_cold_c64", ACTIVE, None)
}

pub(super) fn revoked(bench: &mut Bench) -> anyhow::Result<Line> {
    let asked = Asked { connections: 64, first: MILLION.live, contains: br#"{"active":false}"# };
    // The memory of a server that was asked for the living million is full of them, and keeps what is asked for often.
    bench.servers = None;
    remember(bench.servers()?, asked)?;
    compare(bench, "introspect_revoked_c64", asked, Some(Goal::RatioAtLeast(0.7)))
}

const ACTIVE: Asked = Asked { connections: 64, first: 0, contains: br#""active":true"# };

/// Asks for each of the million once. The reference holds all of them in memory from the start; so does ours then, as far
/// as its memory goes.
fn remember(servers: &Servers, asked: Asked) -> anyhow::Result<()> {
    let size = MILLION.live / 10;
    for stretch in 0..10 {
        let from = asked.first + stretch * size;
        load::run(Load {
            target: servers.rescind.address(),
            connections: 50,
            requests: usize::try_from(size / 50)?,
            warm_up: 0,
            messages: (from..from + size).map(introspection).collect(),
            status: 200,
            contains: asked.contains.to_vec(),
        })?;
    }
    Ok(())
}

/// Asks for every live token once, so that what can be remembered is.
pub(super) fn remember_active(servers: &Servers) -> anyhow::Result<()> {
    remember(servers, ACTIVE)
}

/// What the clients ask: a million tokens from the first on, and what they expect to hear.
#[derive(Clone, Copy)]
struct Asked {
    connections: usize,
    first: u64,
    contains: &'static [u8],
}

fn compare(bench: &mut Bench, name: &'static str, asked: Asked, goal: Option<Goal>) -> anyhow::Result<Line> {
    let servers = bench.servers()?;
    // One connection waits more than it works: a tenth of the requests takes as long.
    let share = if asked.connections == 1 { 10 } else { 1 };
    let (requests, warm_up) = (REQUESTS / share, WARM_UP / share);
    let order = map::order(RUNS * (requests + warm_up), usize::try_from(MILLION.live)?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for places in order.chunks(requests + warm_up) {
        let messages: Vec<_> = places.iter().map(|place| introspection(asked.first + *place as u64)).collect();
        let rate = |target: SocketAddr| {
            let load = Load {
                target,
                connections: asked.connections,
                requests: requests / asked.connections,
                warm_up: warm_up / asked.connections,
                messages: messages.clone(),
                status: 200,
                contains: asked.contains.to_vec(),
            };
            load::run(load).map(|measured| measured.rate)
        };
        ours.push(rate(servers.rescind.address())?);
        theirs.push(rate(servers.reference.address())?);
    }
    Ok(Line { name, value: median(ours), unit: "requests/s", reference: Some(median(theirs)), goal })
}
