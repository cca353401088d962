//! Initial access tokens: an administrator gives leave to register one client (RFC 7591 section 3).

use axum::response::Response;
use rescind_ledger::Lane;
use serde_json::json;

use super::{
    call::{Call, created},
    problem::Problem,
};
use crate::protocol::register::initial_access::FreshLeave;

pub(super) async fn issue(call: Call) -> Result<Response, Problem> {
    let FreshLeave { secret, name, sealed, expires_at } = FreshLeave::make(&call.app).map_err(|why| {
        tracing::error!(error = %why, "cannot encrypt an initial access token");
        Problem::internal()
    })?;
    call.app.queue.submit(Lane::Issuing, move |door| door.put_secret(&name, &sealed)).await?;
    Ok(created(&json!({ "initial_access_token": secret.reveal(), "expires_at": expires_at })))
}
