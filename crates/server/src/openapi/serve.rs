//! `/openapi.json`, and the same for people: `/openapi`.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;

use super::{Operation, document::document, shape::free_object};
use crate::{
    admin,
    app::App,
    endpoint::{Endpoint, endpoint, served},
    protocol::{self, cors, error::answer, issuer_path, session_api},
};

/// The two endpoints of this module.
pub static ENDPOINTS: &[Endpoint] = &[
    endpoint!(Get Issuer "/openapi.json", "Metadata", Nobody, json, "This document.", |it| it.gives(200, free_object())),
];

/// Everything that a server with this issuer serves over the network.
pub fn operations(issuer: &str) -> impl Iterator<Item = Operation> {
    let path = issuer_path(issuer);
    let tables = [protocol::ENDPOINTS, ENDPOINTS].into_iter();
    let endpoints = tables.flat_map(move |table| served(table, path)).map(move |line| line.operation(path));
    endpoints.chain(session_api::operations()).chain(admin::operations())
}

/// The document, written once it is asked for: it does not change while the server runs.
#[derive(Default)]
pub struct Cached {
    json: OnceLock<Bytes>,
}

/// `GET /openapi.json`.
async fn json(State(app): State<Arc<App>>) -> Response {
    let written = app.openapi.json.get_or_init(|| {
        let document = document(&app.config.issuer, operations(&app.config.issuer));
        document.to_json().map(Bytes::from).unwrap_or_else(|why| {
            tracing::error!(error = %why, "the description cannot be written");
            Bytes::new()
        })
    });
    let mut response = answer(StatusCode::OK, "application/json", written.clone());
    let caching = HeaderValue::from_static("public, max-age=60");
    response.headers_mut().insert(header::CACHE_CONTROL, caching);
    response.headers_mut().remove(header::PRAGMA);
    cors::open(response)
}
