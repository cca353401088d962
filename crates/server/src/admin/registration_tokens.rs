//! Initial access tokens: an administrator gives leave to register one client (RFC 7591 section 3), and may take it back.

use axum::response::Response;
use rescind_ledger::Lane;
use serde_json::{Value, json};

use super::{
    call::{Call, created, ok, page_of},
    problem::Problem,
};
use crate::{
    app::App,
    openapi::shape::{Shape, flag, maybe, moment, object, text},
    protocol::register::initial_access::{self, FreshLeave, Leave},
};

pub(super) async fn issue(call: Call) -> Result<Response, Problem> {
    let FreshLeave { secret, leave } = FreshLeave::make(&call.app);
    let (name, sealed) = leave.seal(&call.app).map_err(|why| {
        tracing::error!(error = %why, "cannot encrypt an initial access token");
        Problem::internal()
    })?;
    call.app.submit(Lane::Issuing, move |door| door.put_secret(&name, &sealed)).await?;
    let shown = json!({ "id": leave.id, "initial_access_token": secret.reveal(), "expires_at": leave.expires_at });
    Ok(created(&shown))
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let leaves = initial_access::list(&call.app).await?;
    Ok(ok(&page_of(leaves.iter(), query, |leave| &leave.id, |leave| show(&call.app, leave))?))
}

pub(super) async fn withdraw(call: Call) -> Result<Response, Problem> {
    let id = call.id()?;
    if !initial_access::withdraw(&call.app, id).await? {
        return Err(Problem::unknown("initial access token", id));
    }
    Ok(ok(&json!({ "id": id, "removed": true })))
}

/// What [`issue`] answers.
pub(super) fn issued() -> Shape {
    let issued = object().with("id", text()).with("initial_access_token", text()).with("expires_at", moment());
    issued.named("FreshInitialAccessToken")
}

/// What [`show`] writes.
pub(super) fn shown() -> Shape {
    let shown = object().with("id", text()).with("expires_at", moment()).with("used", flag());
    shown.with("client", maybe(text())).with("revoked", flag()).named("InitialAccessToken")
}

fn show(app: &App, leave: &Leave) -> Value {
    json!({
        "id": leave.id,
        "expires_at": leave.expires_at,
        "used": leave.client.is_some(),
        "client": leave.client,
        "revoked": leave.is_revoked(app),
    })
}
