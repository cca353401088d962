//! Pending revocations: what waits for another administrator or for its time, and what became of it.

use axum::response::Response;
use rescind_ledger::{Initiator, LedgerError, PendingOrder, PendingState, PendingStep, Reads, Target};
use serde_json::{Value, json};

use super::{
    call::{Call, ok},
    entries,
    problem::Problem,
    revocations::end_by,
    target,
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{Shape, maybe, moment, object, one_of, page_of, position, text},
    },
};

/// How many that are due are carried out in a row before it is looked again.
const AT_ONCE: u32 = 100;

/// Everything about a pending order.
pub(super) fn show(pending: &PendingOrder) -> Value {
    let (mut closed_by, mut place, mut remark) = (None, None, None);
    match &pending.state {
        PendingState::Waiting { .. } | PendingState::Scheduled => {}
        PendingState::CarriedOut { position, remark: said, .. } => (place, remark) = (Some(position), said.as_ref()),
        PendingState::Withdrawn { by, .. } => closed_by = Some(by),
        PendingState::Expired { remark: said, .. } => remark = said.as_ref(),
    }
    let expires_at = match pending.state {
        PendingState::Waiting { until } => Some(until),
        _ => None,
    };
    json!({
        "id": pending.id,
        "state": pending.state.word(),
        "target": pending.order.target,
        "reason": pending.order.reason,
        "note": pending.order.note,
        "before": pending.order.before,
        "at": pending.at,
        "ordered_by": pending.order.initiator,
        "ordered_at": pending.ordered_at,
        "expires_at": expires_at,
        "break_glass": pending.break_glass,
        "approved_by": pending.approval.as_ref().map(|approval| &approval.by),
        "approved_at": pending.approval.as_ref().map(|approval| approval.at),
        "closed_at": pending.state.closed_at(),
        "withdrawn_by": closed_by,
        "position": place.map(ToString::to_string),
        "remark": remark,
    })
}

/// What [`show`] writes.
pub(super) fn shown() -> Shape {
    let one = object().with("id", text()).with("state", one_of(&PendingState::WORDS)).with("target", target::shown());
    let one = one.with("reason", text()).with("note", maybe(text())).with("before", maybe(moment()));
    let one = one.with("at", maybe(moment())).with("ordered_by", entries::initiator()).with("ordered_at", moment());
    let one = one.with("expires_at", maybe(moment())).with("break_glass", maybe(text()));
    let one = one.with("approved_by", maybe(entries::initiator())).with("approved_at", maybe(moment()));
    let one = one.with("closed_at", maybe(moment())).with("withdrawn_by", maybe(entries::initiator()));
    one.with("position", maybe(position())).with("remark", maybe(text())).named("PendingRevocation")
}

/// An order that was taken and not carried out.
pub(super) fn kept() -> Shape {
    object().with("pending", shown()).open()
}

pub(super) fn describe_list(it: Description) -> Description {
    it.query("state", one_of(&PendingState::WORDS), "Only those in this state.").pages().gives(200, page_of(shown()))
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["state", "cursor", "limit"])?;
    let state = query.find("state");
    if state.is_some_and(|state| !PendingState::WORDS.contains(&state)) {
        return Err(Problem::invalid(format!("`state` is one of: {}", PendingState::WORDS.join(", "))));
    }
    let page = call.app.records.store.pending_orders(state, query.find("cursor"), query.limit()?).await?;
    Ok(ok(&json!({ "items": page.items.iter().map(show).collect::<Vec<_>>(), "next": page.next })))
}

pub(super) async fn show_one(call: Call) -> Result<Response, Problem> {
    Ok(ok(&show(&load(&call).await?)))
}

async fn load(call: &Call) -> Result<PendingOrder, Problem> {
    let id = call.id()?;
    let found = call.app.records.store.find_pending_order(id).await?;
    found.ok_or_else(|| Problem::unknown("pending revocation", id))
}

pub(super) async fn approve(call: Call) -> Result<Response, Problem> {
    step(&call, PendingStep::Approve).await
}

pub(super) async fn withdraw(call: Call) -> Result<Response, Problem> {
    step(&call, PendingStep::Withdraw).await
}

async fn step(call: &Call, step: fn(Initiator) -> PendingStep) -> Result<Response, Problem> {
    call.query(&[])?;
    let pending = load(call).await?;
    Ok(ok(&show(&take(&call.app, pending, step(call.initiator.clone())).await?)))
}

/// Has the ledger take a step with a pending order.
async fn take(app: &App, pending: PendingOrder, step: PendingStep) -> Result<PendingOrder, Problem> {
    // Another key has to sign before this one ends, but not if it comes to nothing.
    let is_key = matches!(pending.order.target, Target::Key { .. });
    let waits = is_key && !matches!(pending.after(&step, app.now()), Ok(rescind_ledger::Next::CarryOut));
    let (target, reason) = (pending.order.target, pending.order.reason);
    end_by(app, &target, reason, waits, move |door| {
        let moved = door.move_pending(&pending.id, &step)?;
        let was_open = pending.state.closed_at().is_none();
        let is_ended = was_open && matches!(moved.state, PendingState::CarriedOut { .. });
        Ok((moved, is_ended))
    })
    .await
}

/// Carries out what is due, and lets expire what nobody approved in time. Returns how many had their turn.
///
/// # Errors
/// If one of them cannot be written; the others have had their turn, and it is tried again.
pub async fn carry_out_due(app: &App) -> Result<usize, LedgerError> {
    let mut moved = 0;
    loop {
        let due = app.records.store.due_pending_orders(app.now(), AT_ONCE).await?;
        let before = moved;
        let more = due.len() >= AT_ONCE as usize;
        for pending in due {
            let id = pending.id.clone();
            match take(app, pending, PendingStep::Clock).await {
                Ok(_) => moved += 1,
                Err(problem) => {
                    tracing::error!(pending = %id, code = problem.code(), "a pending revocation is still due");
                }
            }
        }
        if !more || moved == before {
            return Ok(moved);
        }
    }
}
