//! What an order of an administrator does, in one place: name what is to end, hand it to the door, tell what came of it.

use std::time::Instant;

use axum::{http::StatusCode, response::Response};
use rescind_ledger::{
    Door, Ended, Entry, Lane, LedgerError, Order, Placed, Placement, Reads, Reason, Target, Timestamp, check_condition,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, accepted},
    guard, keys, moment, pending,
    problem::Problem,
    target::{self, Named},
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{self, flag, inline, maybe, object, of, position, text, words_of},
    },
    protocol::error::json_response,
    receipts::link,
};

/// The body of an order.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewRevocation, examples(json!({ "target": { "kind": "user", "user": "ada" }, "reason": "left_company" }), json!({ "target": { "kind": "client", "client": "portal" }, "before": "2026-01-31T12:00:00Z" }), json!({ "target": { "kind": "everything" } })))]
#[serde(deny_unknown_fields)]
struct OrderForm {
    target: Named,
    #[serde(default = "other")]
    #[schema(schema_with = reasons)]
    reason: String,
    note: Option<String>,
    /// Ends only what descends from a sign-in before this time (of what a client got by itself: what was issued before). For a
    /// user, client, API, device, a pair of these, and everything.
    #[serde(default, deserialize_with = "target::given")]
    #[schema(schema_with = moments)]
    before: Option<String>,
    /// When it is to be carried out, if not now.
    #[schema(schema_with = moments)]
    at: Option<String>,
    /// The phrase that an order of great reach has to be confirmed with.
    confirm: Option<String>,
    /// Why no second administrator is waited for.
    break_glass: Option<String>,
}

fn moments() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    inline(moment::written())
}

pub(super) fn reasons() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    inline(words_of(&Reason::ALL))
}

const ANSWERS: &str = "201 if the order wrote an entry, 200 if one stood already. `receipt` is a link that opens the receipt of this \
                       one revocation for some days, without signing in: also when the order has ended the caller's own access.";

pub(super) fn describe(it: Description) -> Description {
    let key = "Two orders of one caller with one key are one order.";
    let taken = || {
        let taken = object().with("position", position()).with("fresh", flag()).with("target", target::shown());
        let taken = taken.with("reason", text()).with("before", maybe(shape::moment()));
        taken.with("time", shape::moment()).with("receipt", text()).named("Revocation")
    };
    let it = it.says(ANSWERS);
    let it = it.header("Idempotency-Key", text(), key).json(of::<OrderForm>());
    it.gives(201, taken()).gives(200, taken()).gives(202, pending::kept()).refuses(&[404, 409, 422])
}

pub(super) fn other() -> String {
    Reason::Other.code().to_owned()
}

/// A mistake is told without what was written instead, which may be anything.
pub(super) fn read_reason(code: &str) -> Result<Reason, Problem> {
    let known = || format!("unknown reason; one of: {}", Reason::ALL.map(Reason::code).join(", "));
    code.parse().map_err(|_| Problem::invalid(known()))
}

pub(super) async fn order(call: Call) -> Result<Response, Problem> {
    let form: OrderForm = call.body()?;
    let reason = read_reason(&form.reason)?;
    let before = form.before.as_deref().map(|text| moment::read("before", text)).transpose()?;
    let target = form.target.resolve(&call.app).await?;
    let found = guard::look(&call.app, &target, before).await?;
    found.confirmed("revoke", &target, form.confirm.as_deref())?;
    let order = Order {
        target,
        reason,
        initiator: call.initiator.clone(),
        note: form.note,
        idempotency_key: call.idempotency_key.clone(),
        before,
    };
    let at = form.at.as_deref().map(|text| moment::read("at", text)).transpose()?;
    check_condition(&order.target, order.before, at.unwrap_or_else(|| call.app.now()))?;
    let placement = found.placement(order, at, form.break_glass);
    let (placed, at) = place(&call.app, &placement).await?;
    if let Some(why) = &placement.break_glass {
        guard::tell_broken_glass(&call.app, &call.initiator, why);
    }
    match placed {
        Placed::Pending(pending) => Ok(accepted(&json!({ "pending": pending::show(&pending) }))),
        Placed::Ended(ended) => {
            let status = if ended.fresh { StatusCode::CREATED } else { StatusCode::OK };
            let shown = CarriedOut { ended, at }.show(&call.app, &placement.order).await?;
            Ok(json_response(status, shown.to_string()))
        }
    }
}

/// An order that the door has taken.
struct CarriedOut {
    ended: Ended,
    at: Timestamp,
}

async fn place(app: &App, placement: &Placement) -> Result<(Placed, Timestamp), Problem> {
    let (submitted, order) = (placement.clone(), &placement.order);
    let waits = placement.waits();
    end_by(app, &order.target, order.reason, waits, move |door| {
        let placed = door.place(&submitted)?;
        let is_ended = matches!(placed, Placed::Ended(_));
        Ok(((placed, door.now()), is_ended))
    })
    .await
}

/// Has a job end something, with what the end of a signing key needs around it. The job says whether it came to that; `waits`
/// says that it will not.
pub(super) async fn end_by<T: Send + 'static>(
    app: &App,
    target: &Target,
    reason: Reason,
    waits: bool,
    job: impl FnOnce(&mut Door<'_>) -> Result<(T, bool), LedgerError> + Send + 'static,
) -> Result<T, Problem> {
    let retired = match target {
        Target::Key { key } if !waits => prepare_key(app, key).await?,
        _ => None,
    };
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ticket = app.submit(Lane::Ending, move |door| {
        let (outcome, is_ended) = job(door)?;
        // With the entry, not after it: once the entry is forgotten, nothing else would keep the key from coming back.
        retired.iter().filter(|_| is_ended).try_for_each(|name| door.delete_secret(name))?;
        Ok((outcome, is_ended))
    });
    let (outcome, is_ended) = ticket.await?;
    if is_ended {
        app.telemetry.revoke_seconds.record(begun.elapsed());
        app.telemetry.count("rescind_revocations_total", &[("target", target.kind()), ("reason", reason.code())]);
        if matches!(target, Target::Key { .. }) {
            withdraw_keys(app).await?;
        }
    }
    Ok(outcome)
}

/// Before the key that signs now ends, another must sign: nobody is to be given a token that is dead already. Answers with
/// the stored name of the key that is to go.
async fn prepare_key(app: &App, kid: &str) -> Result<Option<String>, Problem> {
    if keys::signs(app, kid) {
        keys::rotate_now(app).await?;
    }
    keys::find_stored(app, kid).await
}

/// Takes ended keys out of the published set.
async fn withdraw_keys(app: &App) -> Result<(), Problem> {
    app.reload_signing_keys().await.map_err(|why| {
        tracing::error!(error = %why, "the key is revoked, but is still published");
        Problem::unavailable()
    })
}

impl CarriedOut {
    /// What the caller is told: of the entry that stands, which an earlier order may have written.
    async fn show(&self, app: &App, order: &Order) -> Result<Value, Problem> {
        let stands = if self.ended.fresh { None } else { app.records.store.find_entry(self.ended.position).await? };
        let entry = stands.unwrap_or_else(|| Entry {
            position: self.ended.position,
            time: self.at,
            target: order.target.clone(),
            reason: order.reason,
            initiator: order.initiator.clone(),
            note: order.note.clone(),
            before: order.before,
        });
        Ok(json!({
            "position": entry.position.to_string(),
            "fresh": self.ended.fresh,
            "target": entry.target,
            "reason": entry.reason,
            "before": entry.before,
            "time": entry.time,
            "receipt": link::address(app, entry.position),
        }))
    }
}
