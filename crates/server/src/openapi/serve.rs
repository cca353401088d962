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
    config::Config,
    endpoint::{Beginning, Endpoint, endpoint, served},
    protocol::{self, cors, error::answer, pages, session_api},
    sources,
};

/// The two endpoints of this module.
pub static ENDPOINTS: &[Endpoint] = &[
    endpoint!(Get Issuer "/openapi.json", "Metadata", Nobody, json, "This document.", |it| it.gives(200, free_object())),
    endpoint!(Get Issuer "/openapi", "Metadata", Nobody, page, "This document as a page for people.", |it| it.gives_page(200)),
];

/// Everything that a server that is configured so serves over the network.
pub fn operations(config: &Config) -> impl Iterator<Item = Operation> {
    let path = config.issuer_path();
    let tables = [protocol::ENDPOINTS, sources::ENDPOINTS, ENDPOINTS].into_iter();
    let endpoints = tables.flat_map(move |table| served(table, path)).map(move |line| line.operation(path));
    let for_janssen = config.janssen_prefix.iter().flat_map(protocol::endpoints_for_janssen);
    let for_janssen = for_janssen.map(|(path, line)| line.operation_at(path, Beginning::Root, "For Janssen's clients"));
    endpoints.chain(for_janssen).chain(session_api::operations()).chain(admin::operations())
}

/// The document in both its forms, each written once it is asked for: it does not change while the server runs.
#[derive(Default)]
pub struct Cached {
    json: OnceLock<Bytes>,
    page: OnceLock<Bytes>,
}

fn written(app: &App) -> Value {
    serde_json::to_value(document(&app.config, operations(&app.config))).unwrap_or_else(|why| {
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
