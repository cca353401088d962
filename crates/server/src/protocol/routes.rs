//! Which path is what. The metadata document says the same.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

use crate::{
    app::App,
    protocol::{
        account, authorize, consent, cors, discovery, end_session, health, introspect, pages, par, register, revoke,
        session_api, sign_in, status_list, token, userinfo,
    },
    runtime_log,
};

/// The endpoints, under the path of the issuer.
pub fn router(app: &Arc<App>) -> Router {
    let path = issuer_path(&app.config.issuer);
    let endpoints = Router::new()
        .route("/authorize", get(authorize::show).post(authorize::submit))
        .route("/sign-in", post(sign_in::submit))
        .route("/consent", post(consent::submit))
        .route("/account", get(account::show))
        .route("/account/end", get(account::confirm).post(account::submit))
        .route("/par", post(par::push))
        .route("/token", post(token::token).options(cors::preflight))
        .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo).options(cors::preflight))
        .route("/introspect", post(introspect::introspect))
        .route("/revoke", post(revoke::revoke).options(cors::preflight))
        .route("/logout", get(end_session::show).post(end_session::submit))
        .route("/register", post(register::register))
        .route("/register/{client_id}", get(register::read).put(register::update).delete(register::remove))
        .route("/status_list", get(status_list::which).post(status_list::which).options(cors::preflight))
        .route("/status_list/{id}", get(status_list::show).post(status_list::show).options(cors::preflight))
        .route("/status_list_aggregation", get(status_list::aggregation).options(cors::preflight))
        .route("/jwks", get(discovery::jwks))
        .route("/.well-known/openid-configuration", get(discovery::metadata))
        .route("/assets/{name}", get(assets));
    let endpoints = endpoints.merge(runtime_log::logged(app, session_api::routes()));
    let at_root = Router::new()
        // RFC 8414 section 3.1 inserts the well-known part before the issuer's path; OpenID Connect appends it.
        .route(&format!("/.well-known/oauth-authorization-server{path}"), get(discovery::metadata))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics));
    let router = if path.is_empty() {
        at_root.merge(endpoints)
    } else {
        let inserted = format!("/.well-known/openid-configuration{path}");
        at_root.route(&inserted, get(discovery::metadata)).nest(path, endpoints)
    };
    router.with_state(app.clone())
}

async fn assets(axum::extract::Path(name): axum::extract::Path<String>) -> axum::response::Response {
    pages::assets(&name)
}

/// The path of the issuer, empty for none.
pub(crate) fn issuer_path(issuer: &str) -> &str {
    let after_scheme = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    after_scheme.find('/').and_then(|slash| after_scheme.get(slash..)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::issuer_path;

    #[test]
    fn the_path_of_an_issuer_is_what_follows_its_host() {
        assert_eq!(issuer_path("https://id.example"), "");
        assert_eq!(issuer_path("https://id.example/tenant/a"), "/tenant/a");
    }
}
