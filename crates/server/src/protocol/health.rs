//! `/healthz`, `/readyz` and `/metrics`.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::Reads;

use crate::{
    app::App,
    peer::{Peer, client_address},
};

/// The process runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers, so requests can be served.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.queue.is_closed() {
        return not_ready("the writer is gone\n");
    }
    match app.records.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => {
            tracing::error!(error = %why, "not ready");
            not_ready("the store is not available\n")
        }
    }
}

fn not_ready(why: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], why).into_response()
}

/// Prometheus' text form, for those the configuration names: it tells how much an organisation revokes.
pub async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    let reader =
        request.extensions().get::<Peer>().map(|peer| client_address(peer, request.headers(), &app.config.proxy));
    let may_read = |address: IpAddr| app.config.metrics_allow.iter().any(|network| network.contains(address));
    if !reader.is_none_or(may_read) {
        return (StatusCode::FORBIDDEN, "not for this address; see `metrics_allow`\n").into_response();
    }
    let (entries, bytes) = app.live.look(|index, _| (index.len(), index.bytes()));
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; the counts are far below 2^52")]
    {
        app.telemetry.gauge("rescind_index_entries", entries as f64);
        app.telemetry.gauge("rescind_index_bytes", bytes as f64);
        app.telemetry.gauge("rescind_writer_waiting_jobs", app.queue.waiting() as f64);
        app.telemetry.gauge("rescind_pending_requests", app.live.pending_requests() as f64);
        app.telemetry.gauge("rescind_ledger_head_seq", app.live.head().seq as f64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.telemetry.render()).into_response()
}
