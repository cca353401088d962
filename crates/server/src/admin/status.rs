//! Where the ledger and the server stand.

use axum::response::Response;
use serde_json::json;

use super::{
    call::{Call, ok},
    problem::Problem,
};
use crate::openapi::shape::{Shape, list_of, moment, number, object, position, text};

/// What [`show`] answers.
pub(super) fn shown() -> Shape {
    let epoch = object().with("epoch", number()).with("last", number()).open();
    let ledger = object().with("head", position()).with("floor", position()).with("epochs", list_of(epoch));
    let ledger = ledger.with("index_entries", number()).with("index_bytes", number());
    let ledger = ledger.with("clients", number()).with("apis", number()).open();
    let status = object().with("version", text()).with("issuer", text()).with("time", moment());
    status.with("waiting_jobs", number()).with("ledger", ledger).named("Status")
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let ledger = call.app.live.look(|index, configuration| {
        let epochs: Vec<_> = index.epochs().map(|(epoch, last)| json!({ "epoch": epoch, "last": last })).collect();
        json!({
            "head": index.head().to_string(),
            "floor": index.floor().to_string(),
            "epochs": epochs,
            "index_entries": index.len(),
            "index_bytes": index.bytes(),
            "clients": configuration.clients.len(),
            "apis": configuration.apis.len(),
        })
    });
    Ok(ok(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "issuer": call.app.config.issuer,
        "time": call.app.now(),
        "waiting_jobs": call.app.queue.waiting(),
        "ledger": ledger,
    })))
}
