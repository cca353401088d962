//! The one error of this source (RFC 7644 section 3.12).

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{LedgerError, StoreError};
use serde_json::{Value, json};

use crate::body::Ungathered;

/// The media type of everything that is said here (RFC 7644 section 8.1).
pub const SCIM_JSON: &str = "application/scim+json";
/// The schema of an error.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// What a provisioning system is told. What went wrong inside goes to the log where it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScimError {
    status: StatusCode,
    /// RFC 7644 section 3.12, table 9.
    scim_type: Option<&'static str>,
    detail: Cow<'static, str>,
    challenge: Option<&'static str>,
}

impl ScimError {
    fn of(status: StatusCode, scim_type: Option<&'static str>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, scim_type, detail: detail.into(), challenge: None }
    }

    fn bad(scim_type: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::of(StatusCode::BAD_REQUEST, Some(scim_type), detail)
    }

    /// The filter cannot be read, or compares what cannot be compared.
    pub fn invalid_filter(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// The path of a patch names nothing that could be there.
    pub fn invalid_path(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidPath", detail)
    }

    /// The body is not what RFC 7644 says a body looks like.
    pub fn invalid_syntax(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    /// A value is missing or of the wrong kind.
    pub fn invalid_value(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("invalidValue", detail)
    }

    /// What cannot be taken away would be.
    pub fn mutability(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("mutability", detail)
    }

    /// A path is needed, and there is none.
    pub fn no_target(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("noTarget", detail)
    }

    /// More would have to be looked at than one request may.
    pub fn too_many(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::bad("tooMany", detail)
    }

    pub fn uniqueness() -> Self {
        Self::of(StatusCode::CONFLICT, Some("uniqueness"), "another user has that userName")
    }

    pub fn not_found(what: &str) -> Self {
        Self::of(StatusCode::NOT_FOUND, None, format!("there is no resource {what}"))
    }

    pub fn wrong_method() -> Self {
        Self::of(StatusCode::METHOD_NOT_ALLOWED, None, "this path does not have that method")
    }

    pub fn media_type() -> Self {
        let detail = "the request body must be application/scim+json or application/json";
        Self::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, None, detail)
    }

    pub fn forbidden(detail: &'static str) -> Self {
        Self::of(StatusCode::FORBIDDEN, None, detail)
    }

    /// RFC 6750 section 3.1: a request without any token is told no code.
    pub fn no_token() -> Self {
        let challenge = Some("Bearer realm=\"scim\"");
        Self { challenge, ..Self::of(StatusCode::UNAUTHORIZED, None, "a SCIM token is needed") }
    }

    pub fn bad_token() -> Self {
        let challenge = Some("Bearer realm=\"scim\", error=\"invalid_token\"");
        Self { challenge, ..Self::of(StatusCode::UNAUTHORIZED, None, "the SCIM token is not good (any more)") }
    }

    pub fn internal() -> Self {
        Self::of(StatusCode::INTERNAL_SERVER_ERROR, None, "something went wrong here")
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// A word for metrics and the audit trail.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.scim_type.unwrap_or(match self.status.as_u16() {
            401 if self.challenge == Self::no_token().challenge => "no_token",
            401 => "invalid_token",
            403 => "forbidden",
            404 => "not_found",
            405 => "method_not_allowed",
            413 => "too_large",
            415 => "media_type",
            503 => "temporarily_unavailable",
            _ => "server_error",
        })
    }
}

impl From<Ungathered> for ScimError {
    fn from(why: Ungathered) -> Self {
        match why {
            Ungathered::TooLarge => Self::of(StatusCode::PAYLOAD_TOO_LARGE, None, "the request body is too large"),
            Ungathered::Broken => Self::invalid_syntax("the request body broke off"),
        }
    }
}

impl From<LedgerError> for ScimError {
    fn from(why: LedgerError) -> Self {
        match why {
            LedgerError::Store(StoreError::Conflict(_)) => Self::uniqueness(),
            LedgerError::Refused(why) => Self::invalid_value(why),
            why if why.is_unavailable() => {
                tracing::error!(error = %why, "a SCIM request could not be carried out now");
                let detail = "not possible now; the same request may be sent again";
                Self::of(StatusCode::SERVICE_UNAVAILABLE, None, detail)
            }
            why => {
                tracing::error!(error = %why, "a SCIM request failed");
                Self::internal()
            }
        }
    }
}

impl From<StoreError> for ScimError {
    fn from(why: StoreError) -> Self {
        Self::from(LedgerError::Store(why))
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let mut body = json!({ "schemas": [ERROR], "status": self.status.as_str(), "detail": self.detail });
        if let (Some(object), Some(scim_type)) = (body.as_object_mut(), self.scim_type) {
            object.insert("scimType".to_owned(), scim_type.into());
        }
        let mut response = answer(self.status, &body);
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer that nobody may keep: it is about people.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(SCIM_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
