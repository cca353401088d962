//! (a) Introspection by HTTP, against a bare server that does the unavoidable.

use crate::credentials::introspection;
use crate::measure::in_turn::{Asked, compare, remember};
use crate::measure::{Bench, MILLION, Servers};
use crate::reference::load::Expected;
use crate::report::{Goal, Line};

const ACTIVE: Asked =
    Asked { connections: 64, first: 0, request: introspection, status: 200, body: Expected::Part(br#""active":true"#) };

pub(super) fn active(bench: &mut Bench, name: &'static str, connections: usize) -> anyhow::Result<Line> {
    let goal = (connections == 64).then_some(Goal::RatioAtLeast(0.7));
    let servers = bench.servers()?;
    let asked = Asked { connections, ..ACTIVE };
    remember(servers, asked)?;
    compare(servers, name, asked, goal)
}

/// From a server that has just been started, which reads most of these tokens from its disk.
pub(super) fn cold(bench: &mut Bench) -> anyhow::Result<Line> {
    compare(bench.servers()?, "introspect_cold_c64", ACTIVE, None)
}

pub(super) fn revoked(bench: &mut Bench) -> anyhow::Result<Line> {
    let asked = Asked { first: MILLION.live, body: Expected::Part(br#"{"active":false}"#), ..ACTIVE };
    // The memory of a server that was asked for the living million is full of them, and keeps what is asked for often.
    bench.servers = None;
    let servers = bench.servers()?;
    remember(servers, asked)?;
    compare(servers, "introspect_revoked_c64", asked, Some(Goal::RatioAtLeast(0.7)))
}

/// Asks for every live token once, so that what can be remembered is.
pub(super) fn remember_active(servers: &Servers) -> anyhow::Result<()> {
    remember(servers, ACTIVE)
}
