//! (e) Memory and the time to be ready.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::child::Child;
use crate::measure::{Bench, MILLION, introspection, session_status};
use crate::report::{Goal, Line, median};
use crate::seed::Plan;

/// What a start leaves behind has settled by then.
const SETTLED: Duration = Duration::from_secs(1);
const STARTS: usize = 5;

pub(super) fn idle(bench: &mut Bench) -> anyhow::Result<Line> {
    let folder = bench.folder("idle", Plan::EMPTY)?;
    let (rescind, reference) = (Child::rescind(&folder)?, Child::reference(0)?);
    rescind.ask_ready()?;
    sleep(SETTLED);
    Ok(Line {
        name: "rss_idle",
        value: rescind.resident_mib()?,
        unit: "MiB",
        reference: Some(reference.resident_mib()?),
        goal: Some(Goal::AtMost(40.0)),
    })
}

/// After every live token was introspected once: what can be remembered is.
pub(super) fn with_a_million(bench: &mut Bench) -> anyhow::Result<Line> {
    bench.servers = None;
    let servers = bench.servers()?;
    introspection::remember_active(servers)?;
    Ok(Line {
        name: "rss_1m_tokens",
        value: servers.rescind.resident_mib()?,
        unit: "MiB",
        reference: Some(servers.reference.resident_mib()?),
        goal: Some(Goal::AtMost(300.0)),
    })
}

/// After every live session was asked for once, which touched it.
pub(super) fn with_a_million_sessions(bench: &mut Bench) -> anyhow::Result<Line> {
    let servers = bench.session_servers()?;
    session_status::remember_live(&servers)?;
    Ok(Line {
        name: "rss_1m_sessions",
        value: servers.rescind.resident_mib()?,
        unit: "MiB",
        reference: Some(servers.reference.resident_mib()?),
        goal: None,
    })
}

/// From the start of the process to the first answer that it is ready.
pub(super) fn startup(bench: &mut Bench) -> anyhow::Result<Line> {
    let folder = bench.million()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        let rescind = Child::rescind(&folder)?;
        rescind.ask_ready()?;
        ours.push(begun.elapsed().as_secs_f64());
        drop(rescind);
        let begun = Instant::now();
        let reference = Child::reference(MILLION.live)?;
        theirs.push(begun.elapsed().as_secs_f64());
        drop(reference);
    }
    Ok(Line {
        name: "startup_1m",
        value: median(ours),
        unit: "s",
        reference: Some(median(theirs)),
        goal: Some(Goal::AtMost(3.0)),
    })
}
