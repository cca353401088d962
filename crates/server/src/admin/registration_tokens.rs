//! Initial access tokens: the leave to register one client (RFC 7591 section 3).

use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_ledger::{Hash, Kind, Lane, Sealed, Secret};
use serde_json::json;

use super::{
    call::{Call, created},
    problem::Problem,
};
use crate::clock::random;

/// The name under which a token is kept: its hash, and nothing that could be turned back into it.
#[must_use]
pub fn secret_name(hash: &Hash) -> String {
    format!("initial_access_token:{}", URL_SAFE_NO_PAD.encode(hash.0))
}

pub(super) async fn issue(call: Call) -> Result<Response, Problem> {
    let secret = Secret::form(Kind::InitialAccessToken, &random());
    let name = secret_name(&secret.hash());
    call.app.queue.submit(Lane::Issuing, move |door| door.put_secret(&name, &Sealed(Vec::new()))).await?;
    Ok(created(&json!({ "initial_access_token": secret.reveal() })))
}
