//! The one error of the protocol endpoints, in OAuth's JSON form (RFC 6749 section 5.2).

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{LedgerError, StoreError};
use serde_json::json;

use crate::protocol::throttle::TooMany;

/// What a client is told. The code and the description go out; what went wrong inside goes to the log where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    status: StatusCode,
    code: &'static str,
    /// The code that goes out instead, if an operator's script chose one. It is not for metrics: there is no end of them.
    chosen: Option<String>,
    description: Cow<'static, str>,
    challenge: Option<Cow<'static, str>>,
    retry_after_secs: Option<u32>,
}

impl ProtocolError {
    fn of(status: StatusCode, code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, chosen: None, description: description.into(), challenge: None, retry_after_secs: None }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    pub fn invalid_grant(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_grant", description)
    }

    pub fn invalid_scope(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// RFC 8707 section 2.
    pub fn invalid_target(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_target", description)
    }

    pub fn unauthorized_client(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "unauthorized_client", description)
    }

    pub fn unsupported_grant_type() -> Self {
        Self::of(StatusCode::BAD_REQUEST, "unsupported_grant_type", "this grant type is not supported here")
    }

    /// RFC 7591 section 3.2.2.
    pub fn invalid_client_metadata(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_client_metadata", description)
    }

    /// RFC 7591 section 3.2.2.
    pub fn invalid_redirect_uri(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_redirect_uri", description)
    }

    /// 401; with a challenge when the client tried HTTP Basic (RFC 6749 section 5.2).
    pub fn invalid_client(description: impl Into<Cow<'static, str>>) -> Self {
        let error = Self::of(StatusCode::UNAUTHORIZED, "invalid_client", description);
        Self { challenge: Some(r#"Basic realm="rescind", charset="UTF-8""#.into()), ..error }
    }

    /// 401 for a bearer token that is not good here (RFC 6750 section 3.1).
    pub fn invalid_token(description: impl Into<Cow<'static, str>>) -> Self {
        let error = Self::of(StatusCode::UNAUTHORIZED, "invalid_token", description);
        Self { challenge: Some(r#"Bearer realm="rescind", error="invalid_token""#.into()), ..error }
    }

    pub fn access_denied(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::FORBIDDEN, "access_denied", description)
    }

    /// 404 with words for a machine that looks in the wrong place.
    pub fn not_found(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::NOT_FOUND, "not_found", description)
    }

    /// 406: it is there in other forms alone.
    pub fn not_acceptable(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::NOT_ACCEPTABLE, "invalid_request", description)
    }

    /// 403 for a bearer token that is good, but not for this (RFC 6750 section 3.1); the challenge names the scope.
    pub fn insufficient_scope(scope: &'static str) -> Self {
        let description = format!("the access token is not a client's own one with the scope `{scope}`");
        let error = Self::of(StatusCode::FORBIDDEN, "insufficient_scope", description);
        let challenge = format!(r#"Bearer realm="rescind", error="insufficient_scope", scope="{scope}""#);
        Self { challenge: Some(challenge.into()), ..error }
    }

    /// 404: nobody is meant. OAuth has no code for it.
    pub fn unknown_subject() -> Self {
        Self::of(StatusCode::NOT_FOUND, "unknown_subject", "there is no such user here")
    }

    /// 422: it is not clear who is meant. OAuth has no code for it.
    pub fn ambiguous_subject(description: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, "ambiguous_subject", description)
    }

    /// 503 with `Retry-After`: nothing was done, or it is not known; the same request may be sent again (RFC 7009 section
    /// 2.2.1).
    pub fn unavailable() -> Self {
        let error = Self::of(
            StatusCode::SERVICE_UNAVAILABLE,
            "temporarily_unavailable",
            "the server cannot do this now; send the same request again",
        );
        Self { retry_after_secs: Some(1), ..error }
    }

    /// 429 with `Retry-After`.
    pub fn slow_down(too_many: TooMany) -> Self {
        let description = "too many requests; wait as long as Retry-After says";
        let error = Self::of(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", description);
        Self { retry_after_secs: Some(too_many.retry_after_secs), ..error }
    }

    /// An error of a script's choice: 403 and 503 go with the codes that have them elsewhere, 400 with all others.
    pub fn chosen(code: String, description: String) -> Self {
        const CODE: &str = "refused_by_script";
        let error = match code.as_str() {
            "access_denied" => Self::of(StatusCode::FORBIDDEN, CODE, description),
            "temporarily_unavailable" => {
                let error = Self::of(StatusCode::SERVICE_UNAVAILABLE, CODE, description);
                Self { retry_after_secs: Some(1), ..error }
            }
            _ => Self::of(StatusCode::BAD_REQUEST, CODE, description),
        };
        Self { chosen: Some(code), ..error }
    }

    pub fn server_error() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "something went wrong here")
    }

    pub fn too_large() -> Self {
        Self::of(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the request body is too large")
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for ProtocolError {
    fn into_response(self) -> Response {
        let code = self.chosen.as_deref().unwrap_or(self.code);
        let body = json!({ "error": code, "error_description": self.description }).to_string();
        let mut response = json_response(self.status, body);
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(secs) = self.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

/// A JSON answer that nobody may keep (RFC 6749 section 5.1).
pub fn json_response(status: StatusCode, body: impl Into<Body>) -> Response {
    answer(status, "application/json", body)
}

/// An answer of some media type that nobody may keep.
pub fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    forbid_keeping(headers);
    response
}

/// An empty answer that nobody may keep: what RFC 7009 section 2.2 asks for.
pub fn empty(status: StatusCode) -> Response {
    let mut response = status.into_response();
    forbid_keeping(response.headers_mut());
    response
}

fn forbid_keeping(headers: &mut axum::http::HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
}

impl From<StoreError> for ProtocolError {
    fn from(why: StoreError) -> Self {
        match why {
            StoreError::Unavailable(why) => {
                tracing::error!(error = %why, "the store is not available");
                Self::unavailable()
            }
            StoreError::Conflict(what) => Self::invalid_request(format!("{what} already exists")),
            StoreError::Corrupt { table, why } => {
                tracing::error!(table, error = %why, "the store holds something unreadable");
                Self::server_error()
            }
            StoreError::Cursor => Self::invalid_request(why.to_string()),
        }
    }
}

impl From<LedgerError> for ProtocolError {
    fn from(why: LedgerError) -> Self {
        match why {
            LedgerError::Refused(why) => Self::invalid_request(why),
            LedgerError::Revoked => Self::invalid_grant("what this request rests on was revoked"),
            LedgerError::Replayed => Self::invalid_grant("this was used before"),
            LedgerError::Full => {
                tracing::warn!("as many authorization requests wait as `limits.pending_requests` lets");
                Self::unavailable()
            }
            LedgerError::Stopped => Self::unavailable(),
            LedgerError::Store(why) => why.into(),
        }
    }
}
