//! Asking by HTTP whether a session was revoked, against the same bare server.

use crate::credentials::status_query;
use crate::measure::in_turn::{Asked, compare, remember};
use crate::measure::{Bench, SESSIONS, Servers};
use crate::reference::load::Expected;
use crate::report::{Goal, Line};

/// The question as clients ask it by default, so that it counts as activity in the session.
const LIVE: Asked = Asked {
    connections: 64,
    first: 0,
    request: status_query,
    status: 404,
    body: Expected::Whole(br#"{"resultId":"session_mgmt_sri_not_revoked","message":"The SRI has not been revoked."}"#),
};

pub(super) fn live(bench: &mut Bench) -> anyhow::Result<Line> {
    let servers = bench.session_servers()?;
    remember(&servers, LIVE)?;
    compare(&servers, "session_status_c64", LIVE, Some(Goal::RatioAtLeast(0.6)))
}

/// Of these nothing need be remembered: the entry that names the session says it all.
pub(super) fn revoked(bench: &mut Bench) -> anyhow::Result<Line> {
    let servers = bench.session_servers()?;
    let asked = Asked { first: SESSIONS.sessions, status: 200, body: Expected::Part(br#"{"id":"s_"#), ..LIVE };
    compare(&servers, "session_status_revoked_c64", asked, None)
}

/// Asks for every live session once, so that what can be remembered is.
pub(super) fn remember_live(servers: &Servers) -> anyhow::Result<()> {
    remember(servers, LIVE)
}
