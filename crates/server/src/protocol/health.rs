//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::Reads;

use crate::app::App;

/// The process runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers, so requests can be served.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.records.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(why) => {
            tracing::error!(error = %why, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "the store is not available\n")
                .into_response()
        }
    }
}

/// Prometheus' text form.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let (entries, bytes) = app.live.look(|index, _| (index.len(), index.bytes()));
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; the counts are far below 2^52")]
    {
        app.telemetry.gauge("rescind_index_entries", entries as f64);
        app.telemetry.gauge("rescind_index_bytes", bytes as f64);
        app.telemetry.gauge("rescind_writer_waiting_jobs", app.queue.waiting() as f64);
        app.telemetry.gauge("rescind_ledger_head_seq", app.live.head().seq as f64);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.telemetry.render()).into_response()
}
