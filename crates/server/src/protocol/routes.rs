//! Which path is what: one table, from which the router and the description of the endpoints are built. The metadata
//! document says the same.

use std::sync::Arc;

use axum::Router;

use crate::{
    app::App,
    endpoint::{self, Endpoint, endpoint},
    openapi::shape::text,
    protocol::{
        account, authorize, consent, cors, discovery, end_session, health, introspect, pages, par, register, revoke,
        session_api, sign_in, token, userinfo,
    },
    runtime_log,
};

const ACCOUNT: &str = "Account";
const METADATA: &str = "Metadata";
const OPERATION: &str = "Operation";
const REGISTRATION: &str = "Registration";
const SIGNING_IN: &str = "Signing in";
const TOKENS: &str = "Tokens";

/// Every protocol endpoint but the session APIs, which have a table of their own.
pub static ENDPOINTS: &[Endpoint] = &[
    endpoint!(Get Issuer "/authorize", SIGNING_IN, Browser, authorize::show,
        "Begins a sign-in for an application (RFC 6749 section 3.1).", authorize::describe_query),
    endpoint!(Post Issuer "/authorize", SIGNING_IN, Browser, authorize::submit,
        "Begins a sign-in for an application, by a form.", authorize::describe_form),
    endpoint!(Post Issuer "/sign-in", SIGNING_IN, Browser, sign_in::submit,
        "Takes the sign-in page's form.", sign_in::describe),
    endpoint!(Post Issuer "/consent", SIGNING_IN, Browser, consent::submit,
        "Takes the consent page's form.", consent::describe),
    endpoint!(Post Issuer "/par", SIGNING_IN, Client, par::push,
        "Takes an authorization request from its client (RFC 9126).", par::describe),
    endpoint!(Get Issuer "/logout", SIGNING_IN, Browser, end_session::show,
        "Signs out at a client's wish (OpenID Connect RP-Initiated Logout).", end_session::describe_query),
    endpoint!(Post Issuer "/logout", SIGNING_IN, Browser, end_session::submit,
        "Signs out at a client's wish, by a form.", end_session::describe_form),
    endpoint!(Get Issuer "/account", ACCOUNT, Browser, account::show,
        "Shows a user's own sessions and applications.", |it| it.gives_page(200)),
    endpoint!(Get Issuer "/account/end", ACCOUNT, Browser, account::confirm,
        "Asks before something of that ends.", account::describe_confirm),
    endpoint!(Post Issuer "/account/end", ACCOUNT, Browser, account::submit,
        "Takes the answer to that page.", account::describe_submit),
    endpoint!(Post Issuer "/token", TOKENS, Client, token::token,
        "Gives tokens (RFC 6749 section 3.2).", token::describe),
    endpoint!(Options Issuer "/token", TOKENS, Nobody, cors::preflight,
        "Answers a browser's preflight.", |it| it.gives_nothing(204)),
    endpoint!(Get Issuer "/userinfo", TOKENS, AccessToken, userinfo::userinfo,
        "Says who the user of an access token is (OpenID Connect Core section 5.3).", userinfo::describe_get),
    endpoint!(Post Issuer "/userinfo", TOKENS, AccessToken, userinfo::userinfo,
        "Says the same, also for a token in a form.", userinfo::describe_form),
    endpoint!(Options Issuer "/userinfo", TOKENS, Nobody, cors::preflight,
        "Answers a browser's preflight.", |it| it.gives_nothing(204)),
    endpoint!(Post Issuer "/introspect", TOKENS, Client, introspect::introspect,
        "Says whether a token is active (RFC 7662).", introspect::describe),
    endpoint!(Post Issuer "/revoke", TOKENS, Client, revoke::revoke,
        "Takes back a token and its grant (RFC 7009).", revoke::describe),
    endpoint!(Options Issuer "/revoke", TOKENS, Nobody, cors::preflight,
        "Answers a browser's preflight.", |it| it.gives_nothing(204)),
    endpoint!(Post Issuer "/register", REGISTRATION, InitialAccess, register::register,
        "Registers a client (RFC 7591).", register::describe_register),
    endpoint!(Get Issuer "/register/{client_id}", REGISTRATION, Registration, register::read,
        "Shows a client what is registered about it (RFC 7592).", register::describe_read),
    endpoint!(Put Issuer "/register/{client_id}", REGISTRATION, Registration, register::update,
        "Replaces what is registered about a client.", register::describe_update),
    endpoint!(Delete Issuer "/register/{client_id}", REGISTRATION, Registration, register::remove,
        "Removes a client at its own wish, and ends its access.", |it| it.gives_nothing(204).refuses(&[401, 403])),
    endpoint!(Get Issuer "/jwks", METADATA, Nobody, discovery::jwks,
        "The keys that tokens may be signed with (RFC 7517).", discovery::describe_jwks),
    endpoint!(Get Issuer "/.well-known/openid-configuration", METADATA, Nobody, discovery::metadata,
        "What this server can do (OpenID Connect Discovery).", discovery::describe_metadata),
    endpoint!(Get BeforeIssuer "/.well-known/openid-configuration", METADATA, Nobody, discovery::metadata,
        "What this server can do, where some clients look for it.", discovery::describe_metadata),
    endpoint!(Get BeforeIssuer "/.well-known/oauth-authorization-server", METADATA, Nobody, discovery::metadata,
        "What this server can do (RFC 8414).", discovery::describe_metadata),
    endpoint!(Get Issuer "/assets/{name}", METADATA, Nobody, assets,
    "A file that the pages load.", |it| {
        let it = it.place("name", text(), "Its name.").such_as("rescind.css");
        it.answers(200, "text/css", text()).answers(200, "image/svg+xml", text()).gives_nothing(404)
    }),
    endpoint!(Get Root "/healthz", OPERATION, Nobody, health::alive,
        "The process runs.", |it| it.gives_text(200)),
    endpoint!(Get Root "/readyz", OPERATION, Nobody, health::ready,
        "Requests can be served.", |it| it.gives_text(200).gives_text(503)),
    endpoint!(Get Root "/metrics", OPERATION, Nobody, health::metrics,
        "Metrics in Prometheus' form, for the addresses in `metrics_allow`.", |it| it.gives_text(200).gives_text(403)),
];

/// The endpoints, under the path of the issuer.
pub fn router(app: &Arc<App>) -> Router {
    let path = issuer_path(&app.config.issuer);
    let sessions = runtime_log::logged(app, session_api::routes());
    let sessions = if path.is_empty() { sessions } else { Router::new().nest(path, sessions) };
    endpoint::router(ENDPOINTS, path).merge(sessions).with_state(app.clone())
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
