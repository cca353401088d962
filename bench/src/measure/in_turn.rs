//! The same requests to both servers, in turn.

use std::net::SocketAddr;

use crate::measure::Servers;
use crate::reference::load::{self, Expected, Load};
use crate::reference::map;
use crate::report::{Goal, Line, median};

/// Runs of each side, in turn.
const RUNS: usize = 5;
/// Timed requests in a run, and those before them.
const REQUESTS: usize = 60_000;
const WARM_UP: usize = 10_000;
/// How many different things are asked for.
const MANY: u64 = 1_000_000;

/// What the clients ask: for a million things from the first on; and what they expect to hear.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) connections: usize,
    pub(super) first: u64,
    /// The request about one of the things.
    pub(super) request: fn(u64) -> Vec<u8>,
    pub(super) status: u16,
    pub(super) body: Expected,
}

/// Asks for each of the million once. The reference holds all of them in memory from the start; so does ours then, as far
/// as its memory goes.
pub(super) fn remember(servers: &Servers, asked: Asked) -> anyhow::Result<()> {
    let size = MANY / 10;
    for stretch in 0..10 {
        let from = asked.first + stretch * size;
        load::run(Load {
            target: servers.rescind.address(),
            connections: 50,
            requests: usize::try_from(size / 50)?,
            warm_up: 0,
            messages: (from..from + size).map(asked.request).collect(),
            status: asked.status,
            body: asked.body,
        })?;
    }
    Ok(())
}

pub(super) fn compare(servers: &Servers, name: &'static str, asked: Asked, goal: Option<Goal>) -> anyhow::Result<Line> {
    // One connection waits more than it works: a tenth of the requests takes as long.
    let share = if asked.connections == 1 { 10 } else { 1 };
    let (requests, warm_up) = (REQUESTS / share, WARM_UP / share);
    let order = map::order(RUNS * (requests + warm_up), usize::try_from(MANY)?);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for places in order.chunks(requests + warm_up) {
        let messages: Vec<_> = places.iter().map(|place| (asked.request)(asked.first + *place as u64)).collect();
        let rate = |target: SocketAddr| {
            let load = Load {
                target,
                connections: asked.connections,
                requests: requests / asked.connections,
                warm_up: warm_up / asked.connections,
                messages: messages.clone(),
                status: asked.status,
                body: asked.body,
            };
            load::run(load).map(|measured| measured.rate)
        };
        ours.push(rate(servers.rescind.address())?);
        theirs.push(rate(servers.reference.address())?);
    }
    Ok(Line { name, value: median(ours), unit: "requests/s", reference: Some(median(theirs)), goal })
}
