//! Answers in the form these APIs have: JSON with `resultId` and `message` for what is refused, kept by nobody.

use std::borrow::Cow;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{LedgerError, StoreError};
use serde::Serialize;

use crate::protocol::error::{ProtocolError, json_response};

/// Why a call is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    result_id: &'static str,
    message: Cow<'static, str>,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    result_id: &'a str,
    message: &'a str,
}

const INVALID: &str = "session_mgmt_invalid_request";

impl Refusal {
    fn of(status: StatusCode, result_id: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, result_id, message: message.into(), header: None }
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, INVALID, message)
    }

    pub(super) fn no_xsrf_header() -> Self {
        let message = "The header X-XSRF-HEADER is missing; any value will do.";
        Self::of(StatusCode::BAD_REQUEST, "session_mgmt_xsrf_header_missing", message)
    }

    pub(super) fn unauthenticated(message: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::UNAUTHORIZED, "session_mgmt_invalid_client", message)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="rescind""#))
    }

    pub(super) fn denied(permission: &str) -> Self {
        let message = format!("The client may not use this API: it does not have {permission}.");
        Self::of(StatusCode::FORBIDDEN, "session_mgmt_access_denied", message)
    }

    pub(super) fn not_json() -> Self {
        let message = "The body must be application/json.";
        Self::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "session_mgmt_unsupported_media_type", message)
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        Self::of(StatusCode::METHOD_NOT_ALLOWED, "session_mgmt_method_not_allowed", format!("Allowed here: {allow}."))
            .with(header::ALLOW, HeaderValue::from_static(allow))
    }

    pub(super) fn no_authn_session() -> Self {
        let message = "The session has no such authentication session.";
        Self::of(StatusCode::NOT_FOUND, "session_mgmt_authn_session_not_found", message)
    }

    pub(super) fn too_many_unknown(retry_after_secs: u32) -> Self {
        let message = "The client has put too many ids of unknown sessions on the list; known ones are still taken.";
        Self::of(StatusCode::TOO_MANY_REQUESTS, "session_mgmt_too_many_unknown_sris", message)
            .with(header::RETRY_AFTER, HeaderValue::from(retry_after_secs))
    }

    pub(super) fn server_error() -> Self {
        ProtocolError::server_error().into()
    }

    /// Whether the audit trail is told: somebody was not let in, or was refused what they ordered.
    pub(super) fn is_recorded(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
    }

    pub(super) fn result_id(&self) -> &'static str {
        self.result_id
    }
}

impl From<ProtocolError> for Refusal {
    fn from(why: ProtocolError) -> Self {
        let message = why.description().to_owned();
        match why.status() {
            StatusCode::UNAUTHORIZED => Self::unauthenticated(message),
            StatusCode::BAD_REQUEST => Self::invalid(message),
            StatusCode::SERVICE_UNAVAILABLE => {
                Self::of(StatusCode::SERVICE_UNAVAILABLE, "session_mgmt_unavailable", message)
                    .with(header::RETRY_AFTER, HeaderValue::from(1))
            }
            status if status.is_client_error() => Self::of(status, INVALID, message),
            status => Self::of(status, "session_mgmt_server_error", message),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(why: StoreError) -> Self {
        ProtocolError::from(why).into()
    }
}

impl From<LedgerError> for Refusal {
    fn from(why: LedgerError) -> Self {
        ProtocolError::from(why).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Body { result_id: self.result_id, message: &self.message };
        let mut response = match serde_json::to_string(&body) {
            Ok(text) => json_response(self.status, text),
            Err(_) => json_response(self.status, "{}"),
        };
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// A success with a body.
pub(super) fn found(body: &impl Serialize) -> Result<Response, Refusal> {
    let text = serde_json::to_string(body).map_err(|why| {
        tracing::error!(error = %why, "cannot write an answer of the session API");
        Refusal::server_error()
    })?;
    Ok(json_response(StatusCode::OK, text))
}

/// 404: what the list says of a session that is not on it.
pub(super) fn not_revoked() -> Response {
    const BODY: &str = r#"{"resultId":"session_mgmt_sri_not_revoked","message":"The SRI has not been revoked."}"#;
    json_response(StatusCode::NOT_FOUND, BODY)
}

/// What the list says of a session that is on it. The characters of an id need no escaping.
pub(super) fn on_list(status: StatusCode, id: &str) -> Response {
    json_response(status, format!(r#"{{"id":"{id}"}}"#))
}
