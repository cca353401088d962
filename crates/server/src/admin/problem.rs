//! The one error of the admin API: problem details (RFC 9457).

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{LedgerError, PendingOrder, Role, StoreError};
use serde_json::{Value, json};

use crate::protocol::error::answer;

/// The media type (RFC 9457 section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a caller is told. `code` is an extension member (section 3.2) for programs, `detail` is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    challenge: Option<String>,
    /// Further members.
    members: Vec<(&'static str, Value)>,
}

impl Problem {
    fn of(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, detail: detail.into(), challenge: None, members: Vec::new() }
    }

    /// 400: the request cannot be read as what it should be.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// 422: it can be read, but cannot be right.
    pub fn refused(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, "refused", detail)
    }

    /// 404: nothing of that name is known.
    #[must_use]
    pub fn unknown(kind: &str, name: &str) -> Self {
        Self::of(StatusCode::NOT_FOUND, "not_found", format!("no {kind} `{name}` is known"))
    }

    /// What a job says when the record is no longer what the change was made from.
    pub(super) const CHANGED_MEANWHILE: &str = "it was changed meanwhile; read it again";

    /// 409: the name is taken.
    #[must_use]
    pub fn taken(what: &str) -> Self {
        Self::of(StatusCode::CONFLICT, "conflict", format!("{what} already exists"))
    }

    /// 409: so much would end that it has to be said which.
    pub(super) fn confirmation_required(phrase: &str, reach: Value) -> Self {
        let detail = format!("this reaches so many that it has to be confirmed: send `{phrase}` as `confirm`");
        let members = vec![("confirm", phrase.into()), ("reach", reach)];
        Self { members, ..Self::of(StatusCode::CONFLICT, "confirmation_required", detail) }
    }

    /// 409: a change that cannot wait for another administrator.
    pub(super) fn approval_required(reach: Value) -> Self {
        let detail = "this reaches so many that a second administrator is needed, for whom a change of configuration cannot \
                      wait: revoke first and have that approved, or give the reason as `break_glass`";
        Self { members: vec![("reach", reach)], ..Self::of(StatusCode::CONFLICT, "approval_required", detail) }
    }

    pub(super) fn no_route() -> Self {
        Self::of(StatusCode::NOT_FOUND, "not_found", "the admin API has no such path")
    }

    pub(super) fn wrong_method() -> Self {
        Self::of(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the path does not take this method")
    }

    pub(super) fn too_large() -> Self {
        Self::of(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the request body is too large")
    }

    /// 401 without an error code, for a request without any token (RFC 6750 section 3.1).
    pub(super) fn no_token() -> Self {
        let problem = Self::of(StatusCode::UNAUTHORIZED, "no_token", "this API needs an access token");
        Self { challenge: Some(r#"Bearer realm="rescind""#.to_owned()), ..problem }
    }

    /// 401 for a token that does not count; a stranger hears no reason.
    pub(super) fn bad_token() -> Self {
        let problem = Self::of(StatusCode::UNAUTHORIZED, "invalid_token", "the access token is not active here");
        Self { challenge: Some(r#"Bearer realm="rescind", error="invalid_token""#.to_owned()), ..problem }
    }

    /// 403 for a token that may not do this.
    pub(super) fn missing_scope(scope: &'static str) -> Self {
        let detail = format!("the access token does not have the scope {scope}");
        let problem = Self::of(StatusCode::FORBIDDEN, "insufficient_scope", detail);
        let challenge = format!(r#"Bearer realm="rescind", error="insufficient_scope", scope="{scope}""#);
        Self { challenge: Some(challenge), ..problem }
    }

    /// 403: the token is good and has the scope, but its user is not one who may do this.
    pub(super) fn missing_role(needed: Option<Role>) -> Self {
        let needed = needed.map_or("administrator", Role::name);
        let detail = format!("the user of the access token does not have the role {needed}");
        let challenge = r#"Bearer realm="rescind", error="insufficient_scope""#.to_owned();
        Self { challenge: Some(challenge), ..Self::of(StatusCode::FORBIDDEN, "insufficient_role", detail) }
    }

    /// 503: nothing was done, or it is not known; the same request may be sent again.
    #[must_use]
    pub fn unavailable() -> Self {
        let detail = "the server cannot do this now; send the same request again";
        Self::of(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", detail)
    }

    /// 500: what went wrong is in the log.
    #[must_use]
    pub fn internal() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "something went wrong here")
    }

    /// The code for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        for (name, value) in self.members {
            body[name] = value;
        }
        let mut response = answer(self.status, PROBLEM_JSON, body.to_string());
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(why: StoreError) -> Self {
        match why {
            StoreError::Conflict(what) => Self::taken(what),
            StoreError::Unavailable(why) => {
                tracing::error!(error = %why, "the store is not available");
                Self::unavailable()
            }
            StoreError::Corrupt { table, why } => {
                tracing::error!(table, error = %why, "the store holds something unreadable");
                Self::internal()
            }
            StoreError::Cursor => Self::invalid(why.to_string()),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(why: LedgerError) -> Self {
        match why {
            LedgerError::Refused(why @ Self::CHANGED_MEANWHILE) => Self::of(StatusCode::CONFLICT, "conflict", why),
            LedgerError::Refused(why @ PendingOrder::OWN) => Self::of(StatusCode::CONFLICT, "own_order", why),
            LedgerError::Refused(why @ (PendingOrder::OVER | PendingOrder::APPROVED)) => {
                Self::of(StatusCode::CONFLICT, "conflict", why)
            }
            LedgerError::Refused(why) => Self::refused(why),
            LedgerError::Revoked => Self::refused("what this request rests on was revoked"),
            LedgerError::Replayed => Self::refused("this was used before"),
            LedgerError::Full | LedgerError::Stopped => Self::unavailable(),
            LedgerError::Store(why) => why.into(),
        }
    }
}
