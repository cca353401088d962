//! How much there is, at one glance.

use axum::response::Response;
use rescind_ledger::Timestamp;
use serde_json::{Value, json};

use super::{
    call::{Call, ok},
    preview::not_counted,
    problem::Problem,
};
use crate::{
    openapi::shape::{Shape, flag, list_of, moment, number, object, text},
    overview::Overviews,
};

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let overview = Overviews::look(&call.app).await.map_err(not_counted)?;
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
        "time_to_effect": { "count": 0, "buckets": [] },
        "receivers": [],
    })))
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
    let bucket = object().with("le_ms", number()).with("count", number()).open();
    let effect = object().with("count", number()).with("buckets", list_of(bucket)).open();
    let receiver = object().with("name", text()).with("kind", text()).with("health", text());
    let receiver = receiver.with("pending", number()).with("gave_up", number()).open();
    overview.with("time_to_effect", effect).with("receivers", list_of(receiver)).named("Overview")
}
