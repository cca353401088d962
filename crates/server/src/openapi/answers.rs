//! What endpoints refuse with, defined once: each status in each of the forms that errors have here.

use axum::http::StatusCode;
use utoipa::openapi::{Content, Header, Ref, Response, response::ResponseBuilder};

use super::shape::{Component, Shape, maybe, number, object, text};
use crate::{
    admin::problem::PROBLEM_JSON,
    sources::scim::{SCIM_JSON, error_shape},
};

pub(super) const JSON: &str = "application/json";

/// The form in which errors come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errors {
    /// `{"error", "error_description"}` (RFC 6749 section 5.2).
    OAuth,
    /// A page for people.
    Page,
    /// Problem details (RFC 9457).
    Problem,
    /// `{"schemas", "status", "scimType", "detail"}` (RFC 7644 section 3.12).
    Scim,
    /// `{"resultId", "message"}`, as PingFederate has it.
    SessionApi,
}

/// What any request may be answered with, whatever it asks for: the body is too slow or too large, something broke, or
/// cannot be done now. `serve` says so itself, in OAuth's form, when the request never reaches an endpoint.
pub(super) const ANYWHERE: [u16; 4] = [408, 413, 500, 503];
/// Those of them, and a body that broke off.
const BY_THE_CONNECTION: [u16; 5] = [400, 408, 413, 500, 503];

impl Errors {
    /// What every operation with this form of errors may answer.
    pub(super) fn usual(self) -> &'static [u16] {
        match self {
            Self::OAuth | Self::Page => &[],
            Self::Problem | Self::Scim | Self::SessionApi => &[400, 401, 403],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::OAuth => "OAuthError",
            Self::Page => "ErrorPage",
            Self::Problem => "Problem",
            Self::Scim => "ScimError",
            Self::SessionApi => "SessionApiError",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::OAuth | Self::SessionApi => JSON,
            Self::Page => "text/html",
            Self::Problem => PROBLEM_JSON,
            Self::Scim => SCIM_JSON,
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::OAuth => oauth_error(),
            Self::Page => text(),
            Self::Problem => problem(),
            Self::Scim => error_shape(),
            Self::SessionApi => session_api_error(),
        }
    }

    /// What the answer of a status is called among the components.
    pub(super) fn answer_name(self, status: u16) -> String {
        format!("{}{status}", self.name())
    }

    /// The answer with a status, and the schemas it refers to.
    pub(super) fn answer(self, status: u16) -> (Response, Vec<Component>) {
        let shape = self.shape();
        let mut answer = ResponseBuilder::new().description(reason(status));
        // Of two forms under one media type either may come.
        if self == Self::SessionApi && BY_THE_CONNECTION.contains(&status) {
            let either = super::shape::any_of([shape, oauth_error()]);
            answer = answer.content(JSON, Content::new(Some(either.schema)));
            return (with_headers(status, answer).build(), either.components);
        }
        answer = connection_content(status, answer);
        answer = answer.content(self.media_type(), Content::new(Some(shape.schema)));
        (with_headers(status, answer).build(), [shape.components, oauth_error().components].concat())
    }
}

/// Adds what the connection itself may say with this status.
pub(super) fn connection_content(status: u16, answer: ResponseBuilder) -> ResponseBuilder {
    if status != 200 && BY_THE_CONNECTION.contains(&status) {
        return answer.content(JSON, Content::new(Some(Ref::from_schema_name(Errors::OAuth.name()))));
    }
    answer
}

fn with_headers(status: u16, answer: ResponseBuilder) -> ResponseBuilder {
    let header = |about: &str| Header::builder().description(Some(about)).schema(Some(text().schema)).build();
    match status {
        401 => answer.header("WWW-Authenticate", header("How to authenticate, where there is a scheme for it.")),
        405 => answer.header("Allow", header("The methods that the path has.")),
        429 | 503 => answer.header("Retry-After", header("After how many seconds to ask again.")),
        _ => answer,
    }
}

/// In a few words, what a status says here.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "Done, or found.",
        201 => "Made.",
        204 => "Done; there is nothing to say.",
        303 => "Go there.",
        304 => "Nothing has changed.",
        400 => "The request cannot be understood, or cannot be right.",
        401 => "The credential is missing, unknown, expired or revoked.",
        403 => "The caller may not do this.",
        404 => "Nothing of that name is known.",
        405 => "The path does not have this method.",
        408 => "The body came too slowly.",
        409 => "The name is taken, or the thing was changed meanwhile.",
        413 => "The body is too large.",
        415 => "The body has the wrong media type.",
        422 => "The request can be understood, but not be carried out.",
        429 => "Too many requests.",
        500 => "Something went wrong here.",
        503 => "Not possible now: nothing was done, or it is not known. The same request may be sent again.",
        other => StatusCode::from_u16(other).ok().and_then(|status| status.canonical_reason()).unwrap_or("An answer."),
    }
}

fn oauth_error() -> Shape {
    // A request without any token is told no code (RFC 6750 section 3.1).
    object().may("error", text()).with("error_description", text()).named("OAuthError")
}

fn problem() -> Shape {
    let members = object().with("type", text()).with("title", text()).with("status", number());
    let members = members.with("detail", text()).with("code", text());
    // What a guard says beside: the phrase to send, and what would be reached.
    members.may("confirm", text()).may("reach", super::shape::free_object()).named("Problem")
}

fn session_api_error() -> Shape {
    object().with("resultId", text()).with("message", maybe(text())).named("SessionApiError")
}
