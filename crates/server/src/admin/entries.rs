//! Revocations after the fact: the entries of the ledger, and the receipt of each.

use axum::response::Response;
use rescind_ledger::{EntryFilter, Position, Reads, Reason, StoreError, Timestamp};
use serde_json::json;

use super::{
    call::{Call, Query, ok},
    problem::Problem,
    revocations::read_reason,
    target::{self, KINDS},
};
use crate::{
    openapi::{
        Description,
        shape::{Members, Shape, maybe, moment, name, object, one_of, page_of, position as place, text, words_of},
    },
    receipts::{self, Receipt, signed},
};

const PARAMETERS: [&str; 7] = ["kind", "reason", "initiator", "since", "until", "cursor", "limit"];

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&PARAMETERS)?;
    let limit = query.limit()?;
    let before = query.find("cursor").map(|text| text.parse().map_err(|_| StoreError::Cursor)).transpose()?;
    let page = call.app.records.store.entries_listed(&filter(query)?, before, limit).await?;
    Ok(ok(&json!({ "items": page.items, "next": page.next })))
}

fn filter(query: Query<'_>) -> Result<EntryFilter, Problem> {
    Ok(EntryFilter {
        kind: query.find("kind").map(read_kind).transpose()?,
        reason: query.find("reason").map(read_reason).transpose()?,
        initiator: query.find("initiator").map(str::to_owned),
        since: query.find("since").map(|text| read_moment("since", text)).transpose()?,
        until: query.find("until").map(|text| read_moment("until", text)).transpose()?,
    })
}

/// The kinds are called as in an order; entries have some under other names.
fn read_kind(kind: &str) -> Result<&'static str, Problem> {
    let known = || format!("unknown kind of target; one of: {}", KINDS.map(|(kind, _)| kind).join(", "));
    let (kind, _) = KINDS.into_iter().find(|(known, _)| *known == kind).ok_or_else(|| Problem::invalid(known()))?;
    Ok(match kind {
        "user" => "subject",
        "api" => "audience",
        "user_client" => "subject_client",
        "user_api" => "subject_audience",
        "client_api" => "client_audience",
        same => same,
    })
}

fn read_moment(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let moment: Result<jiff::Timestamp, _> = text.parse();
    let moment = moment.map_err(|_| Problem::invalid(format!("`{name}` is not a time as in RFC 3339")))?;
    Ok(Timestamp(moment.as_millisecond()))
}

pub(super) fn describe_list(it: Description) -> Description {
    let it =
        it.says("Only so many revocations are looked at in one call: a page may be empty and still have a `next`.");
    let it = it.query("kind", one_of(&KINDS.map(|(kind, _)| kind)), "Of this kind of target, called as in an order.");
    let it = it.query("reason", words_of(&Reason::ALL), "For this reason.");
    let it = it.query("initiator", name(), "On the word of whoever has this id.");
    let it = it.query("since", text(), "Not before this time (RFC 3339).");
    it.query("until", text(), "Before this time (RFC 3339).").pages().gives(200, page_of(shown()))
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    Ok(ok(&load_receipt(&call).await?.show()))
}

pub(super) fn describe_show(it: Description) -> Description {
    at(it).gives(200, receipts::shown(members()))
}

pub(super) async fn sign(call: Call) -> Result<Response, Problem> {
    let receipt = load_receipt(&call).await?;
    let signed = signed::sign(&call.app, &receipt).map_err(|why| {
        tracing::error!(error = %why, "a receipt was not signed");
        Problem::unavailable()
    })?;
    Ok(ok(&json!({ "receipt": signed })))
}

pub(super) fn describe_sign(it: Description) -> Description {
    let it = at(it).says("The receipt as it stands now, as a JWT with `typ` `rescind-receipt+jwt`.");
    it.gives(200, object().with("receipt", text()).named("SignedReceipt"))
}

/// A revocation is named by its position.
fn at(it: Description) -> Description {
    it.place("id", place(), "Its position.").such_as("1-1").refuses(&[404])
}

async fn load_receipt(call: &Call) -> Result<Receipt, Problem> {
    let text = call.id()?;
    let receipt = Receipt::find(&call.app, position(text)?).await?;
    receipt.ok_or_else(|| Problem::unknown("revocation", text))
}

/// On whose word something was done.
pub(super) fn initiator() -> Shape {
    object().with("kind", text()).with("id", text()).named("Initiator")
}

/// An entry of the ledger.
pub(super) fn shown() -> Shape {
    members().named("Entry")
}

fn members() -> Members {
    let entry = object().with("position", place()).with("time", moment()).with("target", target::shown());
    let entry = entry.with("reason", text()).with("initiator", initiator()).with("note", maybe(text()));
    entry.with("before", maybe(moment()))
}

fn position(name: &str) -> Result<Position, Problem> {
    name.parse().map_err(|why: rescind_check::NotAPosition| Problem::invalid(why.to_string()))
}
