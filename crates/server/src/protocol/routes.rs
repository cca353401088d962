//! Which path is what: one table, from which the router and the description of the endpoints are built. What clients are told
//! of it in the metadata document stands in [`Place`].

use std::sync::Arc;

use axum::{Extension, Router};

use crate::{
    app::App,
    config::JanssenPrefix,
    endpoint::{self, Endpoint, endpoint},
    openapi::shape::text,
    protocol::{
        account, authorize, consent, cors, discovery, end_session, global_token_revocation, health, introspect,
        mount::{Mount, Place},
        par, receipt, register, revoke, revoke_session, session_api, sign_in, status_list, token, userinfo,
    },
    receipts::link,
    runtime_log,
};

const ACCOUNT: &str = "Account";
const METADATA: &str = "Metadata";
const OPERATION: &str = "Operation";
const RECEIPTS: &str = "Receipts";
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
    endpoint!(Get Issuer "/account/password", ACCOUNT, Browser, account::password::show,
        "Shows the form for a new password.", account::password::describe_form),
    endpoint!(Post Issuer "/account/password", ACCOUNT, Browser, account::password::submit,
        "Changes a user's own password, which ends everything else of theirs.", account::password::describe),
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
    endpoint!(Post Issuer "/revoke_session", TOKENS, Privileged, revoke_session::revoke,
        "Ends the sessions of a user, named by an attribute, as Janssen has it.", revoke_session::describe),
    endpoint!(Post Issuer "/global-token-revocation", TOKENS, Privileged, global_token_revocation::revoke,
        "Ends everything of a user (draft-parecki-oauth-global-token-revocation).", global_token_revocation::describe),
    endpoint!(Get Issuer "/status_list", TOKENS, Nobody, status_list::which,
        "Says that a status list has an id.", |it| it.refuses(&[403, 404])),
    endpoint!(Post Issuer "/status_list", TOKENS, Nobody, status_list::which,
        "Says that a status list has an id.", |it| it.refuses(&[403, 404])),
    endpoint!(Options Issuer "/status_list", TOKENS, Nobody, cors::preflight,
        "Answers a browser's preflight.", |it| it.gives_nothing(204)),
    endpoint!(Get Issuer "/status_list/{id}", TOKENS, Nobody, status_list::show,
        "Says which tokens no longer hold (Token Status List).", status_list::describe),
    endpoint!(Post Issuer "/status_list/{id}", TOKENS, Nobody, status_list::show,
        "Says which tokens no longer hold.", status_list::describe),
    endpoint!(Options Issuer "/status_list/{id}", TOKENS, Nobody, cors::preflight,
        "Answers a browser's preflight.", |it| it.gives_nothing(204)),
    endpoint!(Get Issuer "/status_list_aggregation", TOKENS, Nobody, status_list::aggregation,
        "Lists the status lists.", status_list::describe_aggregation),
    endpoint!(Options Issuer "/status_list_aggregation", TOKENS, Nobody, cors::preflight,
        "Answers a browser's preflight.", |it| it.gives_nothing(204)),
    endpoint!(Post Issuer "/register", REGISTRATION, InitialAccess, register::register,
        "Registers a client (RFC 7591).", register::describe_register),
    endpoint!(Get Issuer "/register/{client_id}", REGISTRATION, Registration, register::read,
        "Shows a client what is registered about it (RFC 7592).", register::describe_read),
    endpoint!(Put Issuer "/register/{client_id}", REGISTRATION, Registration, register::update,
        "Replaces what is registered about a client.", register::describe_update),
    endpoint!(Delete Issuer "/register/{client_id}", REGISTRATION, Registration, register::remove,
        "Removes a client at its own wish, and ends its access.", |it| it.gives_nothing(204).refuses(&[401, 403])),
    endpoint!(Get Issuer "/receipts/{code}", RECEIPTS, Nobody, receipt::show,
        "Shows the receipt of one revocation to whoever holds its link.", receipt::describe),
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
        it.answers(200, "text/css", text()).answers(200, "image/svg+xml", text()).answers(200, "text/javascript", text()).gives_nothing(404)
    }),
    endpoint!(Get Root "/healthz", OPERATION, Nobody, health::alive,
        "The process runs.", |it| it.gives_text(200)),
    endpoint!(Get Root "/readyz", OPERATION, Nobody, health::ready,
        "Requests can be served.", |it| it.gives_text(200).gives_text(503)),
    endpoint!(Get Root "/metrics", OPERATION, Nobody, health::metrics,
        "Metrics in Prometheus' form, for the addresses in `metrics_allow`.", |it| it.gives_text(200).gives_text(403)),
];

/// The endpoints, under the path of the issuer and, where one is configured, under the prefix for Janssen's clients.
pub fn router(app: &Arc<App>) -> Router {
    let path = app.config.issuer_path();
    let sessions = runtime_log::logged(app, session_api::routes());
    let sessions = if path.is_empty() { sessions } else { Router::new().nest(path, sessions) };
    let mut router = endpoint::router(ENDPOINTS, path).merge(sessions);
    if let Some(prefix) = &app.config.janssen_prefix {
        let for_janssen = endpoint::router_at(endpoints_for_janssen(prefix));
        router = router.merge(for_janssen.layer(Extension(Mount::Janssen)));
    }
    router.with_state(app.clone())
}

/// What the local socket serves besides the admin API: receipts, for when the network cannot be reached.
pub fn local_router(app: &Arc<App>) -> Router {
    let lines = ENDPOINTS.iter().filter(|line| line.path.starts_with(link::PATH));
    endpoint::router_at(lines.map(|line| (line.path.to_owned(), line))).with_state(app.clone())
}

/// The same endpoints where a client written for Janssen looks for them. The pages that people see stay where they are.
pub fn endpoints_for_janssen(prefix: &JanssenPrefix) -> impl Iterator<Item = (String, &'static Endpoint)> {
    let told = ENDPOINTS.iter().filter_map(move |line| {
        let path = Place::find(line.path)?.janssen_path()?;
        Some((format!("{}{path}", prefix.as_str()), line))
    });
    let metadata = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"];
    let metadata = metadata.into_iter().filter_map(move |path| {
        let line = ENDPOINTS.iter().find(|line| line.path == path)?;
        Some((format!("{}{path}", prefix.parent()), line))
    });
    told.chain(metadata)
}

async fn assets(axum::extract::Path(name): axum::extract::Path<String>) -> axum::response::Response {
    crate::assets::answer(&name)
}
