//! Which page is where: one table, from which the router is built. Every page is for whoever is signed in; what they may see and do
//! is for the admin API to say.

use std::sync::Arc;

use axum::{
    Router,
    extract::{RawPathParams, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, on},
};
use futures_util::future::BoxFuture;

use super::{
    BASE, CALLBACK, Console, account, administrators, apis, applications, audit, bulk, overview, pending, receipt,
    revocations, revoke, scripts, sessions, settings, sign_in, trouble::Trouble, user, users, visit::Visit,
};
use crate::endpoint::Verb::{self, Get, Post};

type Handler = fn(Arc<Visit>) -> BoxFuture<'static, Result<Response, Trouble>>;

/// One line of the table.
pub struct Line {
    pub method: Verb,
    /// Below `/console`; `{id}` is the one thing that may vary.
    pub path: &'static str,
    handler: Handler,
}

macro_rules! line {
    ($method:ident $path:literal, $handler:path) => {
        Line { method: $method, path: $path, handler: |visit| Box::pin($handler(visit)) }
    };
}

/// Every page and form.
pub static PAGES: &[Line] = &[
    line!(Get "", overview::show),
    line!(Get "/users", users::list),
    line!(Post "/users", account::add),
    line!(Get "/new-user", account::new),
    line!(Get "/users/{id}", user::show),
    line!(Get "/users/{id}/change", account::ask),
    line!(Post "/users/{id}/profile", account::profile),
    line!(Post "/users/{id}/password", account::password),
    line!(Post "/users/{id}/role", account::role),
    line!(Post "/users/{id}/enabled", account::enabled),
    line!(Post "/users/{id}/remove", account::remove),
    line!(Post "/bulk", bulk::ask),
    line!(Get "/bulk", bulk::list),
    line!(Post "/bulk/begin", bulk::begin),
    line!(Get "/bulk/{id}", bulk::show),
    line!(Post "/bulk/{id}/approve", bulk::approve),
    line!(Post "/bulk/{id}/stop", bulk::stop),
    line!(Get "/applications", applications::list),
    line!(Get "/applications/{id}", applications::show),
    line!(Post "/applications/{id}/enabled", applications::enabled),
    line!(Get "/apis", apis::list),
    line!(Get "/sessions", sessions::list),
    line!(Get "/sessions/{id}", sessions::show),
    line!(Get "/revoke", revoke::ask),
    line!(Post "/revoke", revoke::carry_out),
    line!(Get "/revocations", revocations::list),
    line!(Get "/revocations/{id}", receipt::show),
    line!(Get "/revocations/{id}/signed", receipt::signed),
    line!(Get "/pending/{id}", pending::show),
    line!(Post "/pending/{id}/approve", pending::approve),
    line!(Post "/pending/{id}/withdraw", pending::withdraw),
    line!(Get "/audit", audit::list),
    line!(Get "/settings", settings::list),
    line!(Get "/settings/{id}", settings::show),
    line!(Post "/settings/{id}", settings::change),
    line!(Get "/scripts", scripts::list),
    line!(Get "/scripts/{id}", scripts::show),
    line!(Post "/scripts/{id}", scripts::switch),
    line!(Get "/administrators", administrators::list),
    line!(Post "/sign-out", sign_in::sign_out),
    line!(Get "/{*rest}", nowhere),
];

pub(super) fn router(console: Arc<Console>) -> Router {
    let base = console.base().to_owned();
    let mut paths: Vec<(&'static str, MethodRouter<Arc<Console>>)> = Vec::new();
    for line in PAGES {
        let serve = move |State(console): State<Arc<Console>>, parameters: RawPathParams, request: Request| async move {
            let id = parameters.iter().next().map(|(_, value)| value.to_owned());
            answer(console, line.handler, id, request).await
        };
        let served = on(line.method.filter(), serve);
        match paths.iter_mut().find(|(path, _)| *path == line.path) {
            Some((_, methods)) => *methods = std::mem::take(methods).merge(served),
            None => paths.push((line.path, served)),
        }
    }
    let mut router = Router::new().route(&format!("{base}{CALLBACK}"), get(sign_in::callback));
    for (path, methods) in paths {
        router = router.route(&format!("{base}{BASE}{path}"), methods);
    }
    // With a slash behind, as people type it.
    let home = format!("{base}{BASE}");
    let to_home = move || async move { (StatusCode::SEE_OTHER, [("location", home)]).into_response() };
    router.route(&format!("{base}{BASE}/"), get(to_home)).with_state(console)
}

async fn answer(console: Arc<Console>, handler: Handler, id: Option<String>, request: Request) -> Response {
    let visit = match Visit::read(console, id, request).await {
        Ok(visit) => Arc::new(visit),
        Err(refusal) => return refusal,
    };
    match handler(visit.clone()).await {
        Ok(response) => response,
        Err(trouble) => trouble.answer(&visit),
    }
}

async fn nowhere(_: Arc<Visit>) -> Result<Response, Trouble> {
    Err(Trouble::NotFound)
}
