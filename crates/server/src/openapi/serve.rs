//! `/openapi.json`, and the same for people: `/openapi`.

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use serde_json::Value;

use super::{Operation, document::document, page::Reference, shape::free_object};
use crate::{
    admin,
    app::App,
    endpoint::{Endpoint, endpoint, served},
    protocol::{self, cors, error::answer, issuer_path, pages, session_api},
};

/// The two endpoints of this module.
pub static ENDPOINTS: &[Endpoint] = &[
    endpoint!(Get Issuer "/openapi.json", "Metadata", Nobody, json, "This document.", |it| it.gives(200, free_object())),
    endpoint!(Get Issuer "/openapi", "Metadata", Nobody, page, "This document as a page for people.", |it| it.gives_page(200)),
];

/// Everything that a server with this issuer serves over the network.
pub fn operations(issuer: &str) -> impl Iterator<Item = Operation> {
    let path = issuer_path(issuer);
    let tables = [protocol::ENDPOINTS, ENDPOINTS].into_iter();
    let endpoints = tables.flat_map(move |table| served(table, path)).map(move |line| line.operation(path));
    endpoints.chain(session_api::operations()).chain(admin::operations())
}

/// The document in both its forms, each written once it is asked for: it does not change while the server runs.
#[derive(Default)]
pub struct Cached {
    json: OnceLock<Bytes>,
    page: OnceLock<Bytes>,
}

fn written(app: &App) -> Value {
    let issuer = &app.config.issuer;
    serde_json::to_value(document(issuer, operations(issuer))).unwrap_or_else(|why| {
        tracing::error!(error = %why, "the description cannot be written");
        Value::Null
    })
}

/// `GET /openapi.json`.
async fn json(State(app): State<Arc<App>>) -> Response {
    let json = app.openapi.json.get_or_init(|| written(&app).to_string().into());
    cors::open(kept(answer(StatusCode::OK, "application/json", json.clone())))
}

/// `GET /openapi`.
async fn page(State(app): State<Arc<App>>) -> Response {
    let page = app.openapi.page.get_or_init(|| {
        let document = written(&app);
        Reference::of(&document, &app.config.issuer).render().map(Bytes::from).unwrap_or_else(|why| {
            tracing::error!(error = %why, "the description cannot be shown");
            Bytes::new()
        })
    });
    kept(pages::rendered(StatusCode::OK, page.clone(), &[]))
}

/// Anybody may keep it for a minute.
fn kept(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    headers.remove(header::PRAGMA);
    response
}
