//! What goes wrong before a person's eyes and cannot be handed to the client: an error page.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use rescind_ledger::{LedgerError, StoreError};

use crate::{
    app::App,
    clock::fresh_id,
    protocol::{
        account,
        error::ProtocolError,
        pages::{Back, ErrorPage, Site, page},
        throttle::TooMany,
    },
};

/// Why a person sees an error page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The request was answered before.
    Answered,
    /// The request makes no sense, or nothing in it can be trusted.
    BadRequest(&'static str),
    /// The device it comes from is switched off.
    DeviceDisabled,
    /// The pending request is gone or too old.
    Expired,
    /// What the account page was asked for is not there, has ended, or is somebody else's.
    NotFound,
    /// The form did not come from a page of ours in this browser.
    NotFromHere,
    /// Something broke here.
    Server,
    /// The operator has switched this off: `access_denied`.
    SwitchedOff,
    TooLarge,
    /// Too many requests from this address.
    TooMany(TooMany),
    /// The store cannot answer or be written now.
    Unavailable,
}

impl Trouble {
    fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Answered => (
                StatusCode::BAD_REQUEST,
                "This request has been answered",
                "Go back to the application. If you are not signed in there, start again from it.",
            ),
            Self::BadRequest(explanation) => (StatusCode::BAD_REQUEST, "This link does not work", explanation),
            Self::DeviceDisabled => (
                StatusCode::FORBIDDEN,
                "This device is not allowed to sign in",
                "It has been switched off. Use another one, or ask those who look after your organisation's devices.",
            ),
            Self::Expired => (
                StatusCode::BAD_REQUEST,
                "This page has expired",
                "It was open for too long, or the application has been changed. Go back to the application and start again.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is nothing to end",
                "What this link is about is not there: perhaps it has ended already.",
            ),
            Self::NotFromHere => (
                StatusCode::BAD_REQUEST,
                "This page is out of date",
                "The form does not belong to this browser, or somebody else has signed in here since. Check that cookies are \
                 allowed, go back to the application and start again.",
            ),
            Self::Server => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "It is not your fault. Go back to the application and start again.",
            ),
            Self::SwitchedOff => (
                StatusCode::FORBIDDEN,
                "Not available here",
                "Those who run this server have switched this off (access_denied). Go back to the application.",
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "This is too much", "The request is larger than what is accepted here.")
            }
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "Too many at once",
                "Too many sign-ins were begun from your address. Wait a minute and try again.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Not possible just now",
                "The server cannot do this at the moment. Wait a little and send the page again.",
            ),
        }
    }

    /// The page that says so.
    #[must_use]
    pub fn page(self, app: &App) -> Response {
        let (status, title, explanation) = self.words();
        let reference = fresh_id("e_");
        tracing::info!(reference, trouble = ?self, "error page");
        let site = Site::of(&app.config.issuer);
        let account = format!("{}{}", app.config.issuer, account::PATH);
        let back = matches!(self, Self::NotFound).then_some(Back { name: "your account", url: &account });
        let mut response = page(status, &ErrorPage { site, title, explanation, reference: &reference, back }, &[]);
        let retry_after_secs = match self {
            Self::Unavailable => Some(1),
            Self::TooMany(too_many) => Some(too_many.retry_after_secs),
            _ => None,
        };
        if let Some(secs) = retry_after_secs {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

impl From<StoreError> for Trouble {
    fn from(why: StoreError) -> Self {
        ProtocolError::from(why).into()
    }
}

impl From<LedgerError> for Trouble {
    fn from(why: LedgerError) -> Self {
        match why {
            LedgerError::Revoked => Self::Expired,
            LedgerError::Replayed => Self::Answered,
            LedgerError::Full | LedgerError::Refused(_) | LedgerError::Stopped | LedgerError::Store(_) => {
                ProtocolError::from(why).into()
            }
        }
    }
}

impl From<ProtocolError> for Trouble {
    fn from(why: ProtocolError) -> Self {
        match why.status() {
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            status if status.is_server_error() => Self::Server,
            _ => Self::BadRequest("The application sent you here with a request that cannot be understood."),
        }
    }
}
