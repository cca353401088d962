//! Why a page cannot be shown or a form not be carried out, and the page that says so.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::{
    frame::{Frame, Section, page},
    sign_in,
    visit::Visit,
};

/// What came in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// There is no token, or it does not count any more.
    SignIn,
    /// Signed in, but nothing here is for this user.
    NoRole,
    /// The admin API does not let this user do that.
    Forbidden,
    /// The form is not one that this browser got from us, or not the latest.
    NotFromHere,
    NotFound,
    /// The admin API refused: its status and its words.
    Refused(StatusCode, String),
    Unavailable,
}

/// A page that says what came in the way.
#[derive(Template)]
#[template(path = "console/trouble.html")]
struct Page<'a> {
    frame: Frame,
    title: &'a str,
    explanation: &'a str,
    command: Option<String>,
    back: String,
}

/// The same in the dialog.
#[derive(Template)]
#[template(path = "console/trouble_part.html")]
struct Part<'a> {
    title: &'a str,
    explanation: &'a str,
}

impl Trouble {
    /// The page.
    pub(super) fn answer(self, visit: &Visit) -> Response {
        if self == Self::SignIn {
            return sign_in::begin(visit);
        }
        let (status, title, explanation) = self.words();
        if visit.is_partial() {
            // htmx shows only what succeeded.
            return page(StatusCode::OK, &Part { title, explanation });
        }
        let command = (self == Self::NoRole).then(|| command(visit));
        let frame = Frame::of(visit, Section::None);
        let back = visit.console.path("");
        page(status, &Page { frame, title, explanation, command, back })
    }

    fn words(&self) -> (StatusCode, &str, &str) {
        match self {
            Self::SignIn | Self::NoRole => (
                StatusCode::FORBIDDEN,
                "Your account has no role here",
                "You are signed in, but the console is for users with a role: viewer, revoker or administrator. An administrator \
                 can give you one, here or on the server with this command:",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "Your role does not allow this",
                "Nothing was changed. Ask somebody whose role does.",
            ),
            Self::NotFromHere => (
                StatusCode::FORBIDDEN,
                "That form is out of date",
                "Nothing was changed. Go back, load the page again and send the form once more.",
            ),
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "There is nothing here", "It may have been removed, or never was.")
            }
            Self::Refused(status, detail) => (*status, "That was refused", detail),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot do this now",
                "Try again in a moment. If it was an order to end something, look among the revocations whether it was carried out.",
            ),
        }
    }
}

/// How somebody with the server at hand gives the role.
fn command(visit: &Visit) -> String {
    let who = &visit.pass.who;
    let name = if who.user_name.is_empty() { &who.id } else { &who.user_name };
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._@".contains(&byte));
    format!("rescind user set {} --role administrator", if plain { name } else { "NAME" })
}
