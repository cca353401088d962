//! Who may end what is not their own: a client to which an administrator gave a scope for it.

use std::sync::Arc;

use axum::{
    http::{header, request::Parts},
    response::{IntoResponse, Response},
};
use rescind_ledger::{Action, AuditEvent, Client, Initiator};

use crate::{
    app::App,
    origin,
    protocol::{bearer, client_auth, error::ProtocolError, form::Form, mint::has_scope},
};

/// Ends the sessions of any user.
pub const REVOKE_SESSION: &str = "revoke_session";
/// Ends everything of any user.
pub const GLOBAL_TOKEN_REVOCATION: &str = "global_token_revocation";
/// Ends tokens of other clients.
pub const REVOKE_ANY_TOKEN: &str = "revoke_any_token";

/// The scopes by which a client may end what is not its own. None of them is ever had for the asking.
pub const SCOPES: [&str; 3] = [GLOBAL_TOKEN_REVOCATION, REVOKE_ANY_TOKEN, REVOKE_SESSION];

/// Finds out who is calling, and that the client has `scope`: by its own way of authentication, or by an access token that
/// it got with its own credentials.
///
/// # Errors
/// 401 for who does not prove to be anybody; 403 for who may not: `insufficient_scope` of a token (RFC 6750 section 3.1) and
/// `access_denied` of a client, which no code of RFC 6749 section 5.2 fits.
pub async fn authorize(
    app: &App,
    parts: &Parts,
    form: &Form,
    scope: &'static str,
) -> Result<Arc<Client>, ProtocolError> {
    let Some(token) = bearer::find(&parts.headers) else {
        let client = client_auth::authenticate(app, parts, form).await?.client;
        if client.is_public() {
            return Err(ProtocolError::invalid_client("only a client that can prove who it is may do this"));
        }
        if !client.scopes.iter().any(|given| given == scope) {
            return Err(ProtocolError::access_denied(format!("the client does not have the scope `{scope}`")));
        }
        return Ok(client);
    };
    let several = parts.headers.get_all(header::AUTHORIZATION).iter().count() > 1;
    if several || form.find("client_secret").is_some() || form.find("client_assertion").is_some() {
        return Err(ProtocolError::invalid_request("more than one way of authentication"));
    }
    let refused =
        || ProtocolError::invalid_token("the access token is unknown, expired, revoked or not for this server");
    let known = bearer::find_active(app, parts, token).await?.ok_or_else(refused)?;
    let record = known.view()?;
    let client = app.live.client(record.client).filter(|client| client.enabled).ok_or_else(refused)?;
    origin::note_client(&client.id);
    if form.find("client_id").is_some_and(|named| named != client.id) {
        return Err(ProtocolError::invalid_request("client_id is not the client that authenticates"));
    }
    // A token about a user says what that user let the client do, not what the client may do to others.
    if record.user.is_some() || !has_scope(record.scope, scope) {
        return Err(ProtocolError::insufficient_scope(scope));
    }
    Ok(client)
}

/// An endpoint, for records and counters.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    pub path: &'static str,
    pub label: &'static str,
}

impl Endpoint {
    fn words(self) -> String {
        format!("POST {}", self.path)
    }

    /// The record of an order by which nothing ended.
    #[must_use]
    pub fn fruitless(self, caller: &Client, outcome: &'static str) -> AuditEvent {
        AuditEvent::new(Action::Order, Some(Initiator::Client(caller.id.clone())), outcome).about(self.words())
    }

    /// Turns a request away, with a record; without one it gets no answer.
    pub async fn refuse(self, app: &App, why: ProtocolError) -> Response {
        app.telemetry.count("rescind_requests_refused_total", &[("endpoint", self.label), ("error", why.code())]);
        if why.status().is_server_error() {
            return why.into_response();
        }
        // A public client could be anybody, and anybody could fill the disk under its name.
        let proven = |id: &String| app.live.client(id).is_some_and(|client| !client.is_public());
        let caller = origin::here().client.filter(proven).map(Initiator::Client);
        match app.audit_refusal(caller, &self.words(), why.code()).await {
            Ok(()) => why.into_response(),
            Err(unwritten) => ProtocolError::from(unwritten).into_response(),
        }
    }
}
