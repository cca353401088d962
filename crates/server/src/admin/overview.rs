//! How much there is, at one glance.

use axum::response::Response;
use rescind_ledger::Timestamp;
use serde_json::{Value, json};

use super::{
    call::{Call, ok},
    preview::not_counted,
    problem::Problem,
    receivers,
};
use crate::{
    app::App,
    deliveries,
    openapi::shape::{Shape, flag, list_of, maybe, moment, number, object},
    overview::Overviews,
};

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let overview = Overviews::look(&call.app).await.map_err(not_counted)?;
    let receivers = deliveries::receivers(&call.app).await?;
    let (clients, apis) =
        call.app.live.look(|_, configuration| (configuration.clients.len(), configuration.apis.len()));
    Ok(ok(&json!({
        "as_of": overview.as_of,
        "live_sessions": overview.live_sessions,
        "live_tokens": overview.live_tokens,
        "exact": overview.exact,
        "users": overview.users,
        "clients": clients,
        "apis": apis,
        "revocations": stretches(&overview.hours),
        "revocations_by_day": stretches(&overview.days),
        "time_to_effect": time_to_effect(&call.app),
        "receivers": receivers.iter().map(|(health, standing)| receivers::show(*health, standing)).collect::<Vec<_>>(),
    })))
}

/// How long revocations took to be in force, since the server began: how many within each bound and beyond the one before; the last
/// has none.
fn time_to_effect(app: &App) -> Value {
    let mut faster = 0;
    let within = app.telemetry.time_to_effect.cumulative().into_iter().map(|(bound, all)| {
        let count = all - faster;
        faster = all;
        json!({ "le_ms": bound, "count": count })
    });
    let buckets: Vec<Value> = within.collect();
    json!({ "count": faster, "buckets": buckets })
}

fn stretches(found: &[(Timestamp, u64)]) -> Value {
    found.iter().map(|(from, count)| json!({ "from": from, "count": count })).collect()
}

/// What [`show`] answers.
pub(super) fn shown() -> Shape {
    let stretch = || list_of(object().with("from", moment()).with("count", number()).open());
    let overview = object().with("as_of", moment()).with("live_sessions", number()).with("live_tokens", number());
    let overview =
        overview.with("exact", flag()).with("users", number()).with("clients", number()).with("apis", number());
    let overview = overview.with("revocations", stretch()).with("revocations_by_day", stretch());
    let bucket = object().with("le_ms", maybe(number())).with("count", number()).open();
    let effect = object().with("count", number()).with("buckets", list_of(bucket)).open();
    overview.with("time_to_effect", effect).with("receivers", list_of(receivers::shown())).named("Overview")
}
