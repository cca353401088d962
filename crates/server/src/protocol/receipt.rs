//! `GET /receipts/{code}`: the receipt of one revocation, for whoever holds its link. No sign-in: the order may have ended it.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{Delivery, DeliveryState, StoreError, Timestamp};

use crate::{
    app::App,
    clock::fresh_id,
    openapi::{
        Description,
        shape::{free_object, pattern},
    },
    protocol::{
        error::{ProtocolError, json_response},
        pages::{ErrorPage, ReceiptPage, Site, ToldReceiver, WrittenMoment, page},
    },
    receipts::{Receipt, link},
};

pub(super) fn describe(it: Description) -> Description {
    let it =
        it.says("A page, or JSON for `Accept: application/json`. The page follows what is still under way by itself.");
    let it = it.header("Accept", crate::openapi::shape::text(), "What is wanted.");
    let it = it.place("code", pattern("^[A-Za-z0-9_-]+$"), "What the link ends in.").such_as("AAAA");
    let it = it.gives_page(200).gives(200, free_object()).gives_page(404);
    it.gives(404, free_object())
}

/// The endpoint. The code is a secret: it is not logged, here or anywhere.
pub async fn show(State(app): State<Arc<App>>, Path(code): Path<String>, headers: HeaderMap) -> Response {
    let as_json = wants_json(&headers);
    match find(&app, &code).await {
        Ok(Some(receipt)) if as_json => json_response(StatusCode::OK, receipt.show().to_string()),
        Ok(Some(receipt)) => page(StatusCode::OK, &paged(&app, &receipt), &[]),
        Ok(None) if as_json => ProtocolError::not_found(NOT_HERE.1).into_response(),
        Ok(None) => refuse(&app, StatusCode::NOT_FOUND, NOT_HERE),
        Err(why) => {
            let why = ProtocolError::from(why);
            if as_json { why.into_response() } else { refuse(&app, why.status(), NOT_NOW) }
        }
    }
}

const NOT_HERE: (&str, &str) =
    ("There is no receipt here", "The link is not whole, its days are over, or what it was about is no longer kept.");
const NOT_NOW: (&str, &str) =
    ("Not possible just now", "The server cannot do this at the moment. Wait a little and try again.");

async fn find(app: &App, code: &str) -> Result<Option<Receipt>, StoreError> {
    match link::find(app, code) {
        Some(position) => Receipt::find(app, position).await,
        None => Ok(None),
    }
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

fn refuse(app: &App, status: StatusCode, (title, explanation): (&str, &str)) -> Response {
    let reference = fresh_id("e_");
    tracing::info!(reference, "no receipt behind a link");
    let site = Site::of(&app.config.issuer);
    page(status, &ErrorPage { site, title, explanation, reference: &reference, back: None }, &[])
}

fn paged<'a>(app: &'a App, receipt: &'a Receipt) -> ReceiptPage<'a> {
    let entry = &receipt.entry;
    ReceiptPage {
        site: Site::of(&app.config.issuer),
        position: entry.position.to_string(),
        target: entry.target.to_string(),
        name: receipt.user.as_ref().and_then(|(_, identity)| Some(identity.as_ref()?.user_name.as_str())),
        ordered: written(entry.time),
        initiator: entry.initiator.to_string(),
        reason: entry.reason.code(),
        note: entry.note.as_deref(),
        before: entry.before.map(written),
        durable: receipt.effect.map(|effect| written(effect.durable_at)),
        in_force: receipt.effect.map(|effect| written(effect.applied_at)),
        at_latest: receipt.effect.is_some_and(|effect| effect.at_latest),
        ended: receipt.ended.as_ref(),
        deliveries: receipt.deliveries.iter().map(told).collect(),
        undispatched: receipt.undispatched,
        finished: receipt.is_finished(),
    }
}

fn told(delivery: &Delivery) -> ToldReceiver<'_> {
    ToldReceiver {
        receiver: &delivery.receiver,
        kind: &delivery.kind,
        state: match delivery.state {
            DeliveryState::Pending => "Pending",
            DeliveryState::Delivered => "Delivered",
            DeliveryState::GaveUp => "Gave up",
        },
        wrong: delivery.state == DeliveryState::GaveUp,
        attempts: delivery.attempts,
        last: delivery.last_at.map(written),
        next: delivery.next_at.filter(|_| delivery.attempts > 0).map(written),
        error: delivery.last_error.as_deref(),
    }
}

/// To the millisecond for machines, to the second for people.
fn written(at: Timestamp) -> WrittenMoment {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    let date = moment.to_zoned(jiff::tz::TimeZone::UTC).strftime("%-d %b %Y, %H:%M:%S").to_string();
    WrittenMoment { machine: moment.to_string(), date }
}
