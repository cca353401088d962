//! What an order of an administrator does, in one place: name what is to end, hand it to the door, tell what came of it.

use std::time::Instant;

use axum::{http::StatusCode, response::Response};
use rescind_ledger::{Ended, Entry, Lane, Order, Reads, Reason, Target, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::Call,
    keys,
    problem::Problem,
    target::{self, Named},
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{flag, inline, moment, object, of, position, text, words_of},
    },
    protocol::error::json_response,
    receipts::link,
};

/// The body of an order.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewRevocation, examples(json!({ "target": { "kind": "user", "user": "ada" }, "reason": "left_company" }), json!({ "target": { "kind": "everything" } })))]
#[serde(deny_unknown_fields)]
struct OrderForm {
    target: Named,
    #[serde(default = "other")]
    #[schema(schema_with = reasons)]
    reason: String,
    note: Option<String>,
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
        taken.with("reason", text()).with("time", moment()).with("receipt", text()).named("Revocation")
    };
    let it = it.says(ANSWERS);
    let it = it.header("Idempotency-Key", text(), key).json(of::<OrderForm>());
    it.gives(201, taken()).gives(200, taken()).refuses(&[404, 409, 422])
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
    let target = form.target.resolve(&call.app).await?;
    let order = Order {
        target,
        reason,
        initiator: call.initiator.clone(),
        note: form.note,
        idempotency_key: call.idempotency_key.clone(),
    };
    let carried_out = carry_out(&call.app, &order).await?;
    let status = if carried_out.ended.fresh { StatusCode::CREATED } else { StatusCode::OK };
    Ok(json_response(status, carried_out.show(&call.app, &order).await?.to_string()))
}

/// An order that the door has taken.
struct CarriedOut {
    ended: Ended,
    at: Timestamp,
}

async fn carry_out(app: &App, order: &Order) -> Result<CarriedOut, Problem> {
    let retired = match &order.target {
        Target::Key { key } => prepare_key(app, key).await?,
        _ => None,
    };
    let submitted = order.clone();
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ticket = app.submit(Lane::Ending, move |door| {
        let ended = door.end(&submitted)?;
        // With the entry, not after it: once the entry is forgotten, nothing else would keep the key from coming back.
        retired.iter().try_for_each(|name| door.delete_secret(name))?;
        Ok(CarriedOut { ended, at: door.now() })
    });
    let carried_out = ticket.await?;
    app.telemetry.revoke_seconds.record(begun.elapsed());
    let labels = [("target", order.target.kind()), ("reason", order.reason.code())];
    app.telemetry.count("rescind_revocations_total", &labels);
    if matches!(order.target, Target::Key { .. }) {
        withdraw_keys(app).await?;
    }
    Ok(carried_out)
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
        });
        Ok(json!({
            "position": entry.position.to_string(),
            "fresh": self.ended.fresh,
            "target": entry.target,
            "reason": entry.reason,
            "time": entry.time,
            "receipt": link::address(app, entry.position),
        }))
    }
}
