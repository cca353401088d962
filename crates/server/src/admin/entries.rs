//! Revocations after the fact: the entries of the ledger.

use axum::response::Response;
use rescind_ledger::{Position, Reads, StoreError};
use serde_json::json;

use super::{
    call::{Call, ok},
    problem::Problem,
    target,
};
use crate::openapi::shape::{Shape, maybe, moment, object, position as place, text};

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let limit = query.limit()?;
    let before = query.find("cursor").map(|text| text.parse().map_err(|_| StoreError::Cursor)).transpose()?;
    // One more than asked for says whether there is another page.
    let mut entries = call.app.records.store.entries_before(before, limit + 1).await?;
    let more = entries.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        entries.pop();
    }
    let next = entries.last().filter(|_| more).map(|entry| entry.position.to_string());
    Ok(ok(&json!({ "items": entries, "next": next })))
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let text = call.id()?;
    let entry = call.app.records.store.find_entry(position(text)?).await?;
    Ok(ok(&json!(entry.ok_or_else(|| Problem::unknown("revocation", text))?)))
}

/// On whose word something was done.
pub(super) fn initiator() -> Shape {
    object().with("kind", text()).with("id", text()).named("Initiator")
}

/// An entry of the ledger.
pub(super) fn shown() -> Shape {
    let entry = object().with("position", place()).with("time", moment()).with("target", target::shown());
    let entry = entry.with("reason", text()).with("initiator", initiator()).with("note", maybe(text()));
    entry.with("before", maybe(moment())).named("Entry")
}

fn position(name: &str) -> Result<Position, Problem> {
    name.parse().map_err(|why: rescind_check::NotAPosition| Problem::invalid(why.to_string()))
}
