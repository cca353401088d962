//! Which path is what. The metadata document says the same: both are made from [`Place`].

use std::sync::Arc;

use axum::{
    Extension, Router,
    routing::{MethodRouter, get, post},
};

use crate::{
    app::App,
    config::JanssenPrefix,
    protocol::{
        account, authorize, consent, cors, discovery, end_session, global_token_revocation, health, introspect,
        mount::{Mount, Place},
        pages, par, register, revoke, revoke_session, session_api, sign_in, status_list, token, userinfo,
    },
    runtime_log,
};

/// The endpoints whose addresses clients are told, and what answers there.
fn endpoints() -> [(Place, MethodRouter<Arc<App>>); 13] {
    let userinfo = get(userinfo::userinfo).post(userinfo::userinfo).options(cors::preflight);
    [
        (Place::Authorize, get(authorize::show).post(authorize::submit)),
        (Place::EndSession, get(end_session::show).post(end_session::submit)),
        (Place::GlobalTokenRevocation, post(global_token_revocation::revoke)),
        (Place::Introspect, post(introspect::introspect)),
        (Place::Jwks, get(discovery::jwks)),
        (Place::Par, post(par::push)),
        (Place::Register, post(register::register)),
        (Place::Revoke, post(revoke::revoke).options(cors::preflight)),
        (Place::RevokeSession, post(revoke_session::revoke)),
        (Place::StatusList, get(status_list::which).post(status_list::which).options(cors::preflight)),
        (Place::StatusListAggregation, get(status_list::aggregation).options(cors::preflight)),
        (Place::Token, post(token::token).options(cors::preflight)),
        (Place::Userinfo, userinfo),
    ]
}

/// The endpoints, under the path of the issuer and, where one is configured, under the prefix for Janssen's clients.
pub fn router(app: &Arc<App>) -> Router {
    let path = app.config.issuer_path();
    let told =
        endpoints().into_iter().fold(Router::new(), |router, (place, methods)| router.route(place.path(), methods));
    let below = told
        .route("/sign-in", post(sign_in::submit))
        .route("/consent", post(consent::submit))
        .route("/account", get(account::show))
        .route("/account/end", get(account::confirm).post(account::submit))
        .route("/register/{client_id}", get(register::read).put(register::update).delete(register::remove))
        .route("/status_list/{id}", get(status_list::show).post(status_list::show).options(cors::preflight))
        .route("/.well-known/openid-configuration", get(discovery::metadata))
        .route("/assets/{name}", get(assets))
        .merge(runtime_log::logged(app, session_api::routes()));
    let mut at_root = Router::new()
        // RFC 8414 section 3.1 inserts the well-known part before the issuer's path; OpenID Connect appends it.
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(discovery::metadata))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    if let Some(prefix) = &app.config.janssen_prefix {
        at_root = at_root.merge(for_janssen(prefix));
    }
    let router = if path.is_empty() {
        at_root.merge(below)
    } else {
        let inserted = format!("/.well-known/openid-configuration{path}");
        at_root.route(&inserted, get(discovery::metadata)).nest(path, below)
    };
    router.with_state(app.clone())
}

/// The same endpoints where a client written for Janssen looks for them. The pages that people see stay where they are.
fn for_janssen(prefix: &JanssenPrefix) -> Router<Arc<App>> {
    let mut router = Router::new();
    for (place, methods) in endpoints() {
        if let Some(path) = place.janssen_path() {
            router = router.route(&format!("{}{path}", prefix.as_str()), methods);
        }
    }
    for name in ["openid-configuration", "oauth-authorization-server"] {
        router = router.route(&format!("{}/.well-known/{name}", prefix.parent()), get(discovery::metadata));
    }
    router.layer(Extension(Mount::Janssen))
}

async fn assets(axum::extract::Path(name): axum::extract::Path<String>) -> axum::response::Response {
    pages::assets(&name)
}
