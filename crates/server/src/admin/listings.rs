//! Lists of what was issued, each record with its present state.

use axum::response::Response;
use rescind_ledger::{AccessToken, Filter, Grant, Reads, Session};
use serde_json::{Value, json};

use super::{
    apis,
    call::{Call, Query, ok},
    problem::Problem,
    state,
    target::{load_device, load_user},
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{Members, flag, list_of, maybe, moment, name, number, object, page_of, position, text},
    },
};

const PARAMETERS: [&str; 10] =
    ["user", "client", "api", "session", "grant", "device", "token", "live", "cursor", "limit"];

/// Reads a listing's filters. `live`, which is the default, leaves out what has expired.
async fn filter(app: &App, query: Query<'_>) -> Result<Filter, Problem> {
    let own = |name: &str| query.find(name).map(str::to_owned);
    let user = match query.find("user") {
        Some(user) => Some(load_user(app, user).await?.id),
        None => None,
    };
    let device = match query.find("device") {
        Some(device) => Some(load_device(app, device).await?.id),
        None => None,
    };
    Ok(Filter {
        user,
        client: own("client"),
        audience: own("api"),
        session: own("session"),
        grant: own("grant"),
        device,
        token: own("token"),
        live_at: query.flag("live", true)?.then(|| app.now()),
    })
}

/// The filters of a listing, and its pages.
pub(super) fn describe(it: Description, item: Members) -> Description {
    let filters = ["user", "client", "api", "session", "grant", "device", "token"];
    let it = filters.into_iter().fold(it, |it, filter| it.query(filter, name(), "Of this one only."));
    let it = it.query("live", flag(), "`false`: also what has expired.").pages();
    it.gives(200, page_of(item.with("state", text()).open())).refuses(&[404])
}

pub(super) async fn sessions(call: Call) -> Result<Response, Problem> {
    let query = call.query(&PARAMETERS)?;
    let filter = filter(&call.app, query).await?;
    let page = call.app.records.store.sessions(&filter, query.find("cursor"), query.limit()?).await?;
    let mut items = Vec::new();
    for session in &page.items {
        // The last activity may not be written down yet.
        let known = call.app.records.find_session(&session.id).await?;
        let session = known.map_or_else(|| session.clone(), |known| known.current());
        let state = call.app.live.session_counts(&session, call.app.now());
        items.push(with_state(show_session(&session), state));
    }
    Ok(ok(&json!({ "items": items, "next": page.next })))
}

pub(super) async fn grants(call: Call) -> Result<Response, Problem> {
    let query = call.query(&PARAMETERS)?;
    let filter = filter(&call.app, query).await?;
    let page = call.app.records.store.grants(&filter, query.find("cursor"), query.limit()?).await?;
    let mut items = Vec::new();
    for grant in &page.items {
        let state = state::of_grant(&call.app, grant).await?;
        items.push(with_state(show_grant(grant), state));
    }
    Ok(ok(&json!({ "items": items, "next": page.next })))
}

pub(super) async fn tokens(call: Call) -> Result<Response, Problem> {
    let query = call.query(&PARAMETERS)?;
    let filter = filter(&call.app, query).await?;
    let page = call.app.records.store.access_tokens(&filter, query.find("cursor"), query.limit()?).await?;
    let mut items = Vec::new();
    for token in &page.items {
        let state = state::of_token(&call.app, token).await?;
        items.push(with_state(show_token(token), state));
    }
    Ok(ok(&json!({ "items": items, "next": page.next })))
}

pub(super) fn with_state(mut shown: Value, state: state::State) -> Value {
    if let Some(object) = shown.as_object_mut() {
        object.insert("state".to_owned(), state::word(state).into());
    }
    shown
}

/// What [`show_session`] writes.
pub(super) fn session() -> Members {
    let session = object().with("id", text()).with("user", text()).with("source", text()).with("device", maybe(text()));
    let session = session.with("ip", maybe(text())).with("user_agent", maybe(text())).with("position", position());
    let session = session.with("started_at", moment()).with("touched_at", moment()).with("idle_secs", number());
    session.with("expires_at", moment())
}

/// What [`show_grant`] writes.
pub(super) fn grant() -> Members {
    let grant = object().with("id", text()).with("client", text()).with("user", maybe(text()));
    let grant = grant.with("session", maybe(text())).with("session_bound", flag()).with("device", maybe(text()));
    let grant = grant.with("scope", text()).with("audiences", list_of(text())).with("position", position());
    grant.with("issued_at", moment()).with("expires_at", moment())
}

/// What [`show_token`] writes.
pub(super) fn token() -> Members {
    let token = object().with("id", text()).with("grant", text()).with("client", text()).with("user", maybe(text()));
    let token = token.with("session", maybe(text())).with("session_validation", apis::validation());
    let token = token.with("device", maybe(text())).with("scope", text()).with("audiences", list_of(text()));
    let token = token.with("key", maybe(text())).with("position", position());
    token.with("issued_at", moment()).with("expires_at", moment())
}

/// A session, without its cookie.
pub(super) fn show_session(session: &Session) -> Value {
    json!({
        "id": session.id,
        "user": session.user,
        "source": session.source,
        "device": session.device,
        "ip": session.ip,
        "user_agent": session.user_agent,
        "position": session.position.to_string(),
        "started_at": session.started_at,
        "touched_at": session.touched_at,
        "idle_secs": session.idle_secs,
        "expires_at": session.expires_at,
    })
}

/// A grant.
pub(super) fn show_grant(grant: &Grant) -> Value {
    json!({
        "id": grant.id,
        "client": grant.client,
        "user": grant.user,
        "session": grant.session,
        "session_bound": grant.session_bound,
        "device": grant.device,
        "scope": grant.scope,
        "audiences": grant.audiences,
        "position": grant.position.to_string(),
        "issued_at": grant.issued_at,
        "expires_at": grant.expires_at,
    })
}

/// An access token: everything but what would let one use it.
pub(super) fn show_token(token: &AccessToken) -> Value {
    json!({
        "id": token.id,
        "grant": token.grant,
        "client": token.client,
        "user": token.user,
        "session": token.session,
        "session_validation": token.session_validation,
        "device": token.device,
        "scope": token.scope,
        "audiences": token.audiences,
        "key": token.key,
        "position": token.position.to_string(),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    })
}
