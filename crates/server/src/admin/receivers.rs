//! Receivers: who must hear of revocations, and how each does.

use axum::response::Response;
use rescind_ledger::Standing;
use serde_json::{Value, json};

use super::{
    call::{Call, ok, page_of},
    problem::Problem,
};
use crate::{
    deliveries::{self, Health},
    openapi::shape::{Shape, maybe, moment, number, object, one_of, text},
};

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let known = deliveries::receivers(&call.app).await?;
    let page = page_of(known.iter(), query, |(_, standing)| &standing.receiver, |(health, it)| show(*health, it))?;
    Ok(ok(&page))
}

pub(super) fn show(health: Health, standing: &Standing) -> Value {
    let last = standing.last.as_ref();
    json!({
        "name": standing.receiver,
        "kind": standing.kind,
        "health": health.name(),
        "pending": standing.pending,
        "gave_up": standing.gave_up,
        "last_at": last.map(|attempt| attempt.at),
        "last_error": last.and_then(|attempt| attempt.error.as_ref()),
    })
}

/// What [`show`] writes.
pub(super) fn shown() -> Shape {
    let receiver = object().with("name", text()).with("kind", text());
    let receiver = receiver.with("health", one_of(&Health::ALL.map(Health::name)));
    let receiver = receiver.with("pending", number()).with("gave_up", number()).with("last_at", maybe(moment()));
    receiver.with("last_error", maybe(text())).named("Receiver")
}
