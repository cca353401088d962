//! The pages a person meets (sign-in, consent, sign-out, errors): HTML made here, without scripts.
//!
//! Every form carries `csrf` and `flow`. The pages send `Referrer-Policy: no-referrer`, under which a browser posts
//! `Origin: null` even to its own site (Fetch, "`Origin` header"): handlers rely on `csrf`, never on `Origin`.

mod account;
mod receipt;
#[cfg(test)]
mod tests;

use askama::Template;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use url::{Host, Url};

use crate::assets;

pub use account::{
    Account, AccountEnd, AccountEnded, Closing, Moment, NewPassword, OwnApplication, OwnSession, PasswordSet,
    Permission,
};
pub use receipt::{ReceiptPage, ToldReceiver, WrittenMoment};

/// Whose pages these are.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Path of the issuer, without a slash at its end: empty, or such as `/id`.
    pub base: &'a str,
    /// What people call the place they sign in to.
    pub name: &'a str,
}

impl<'a> Site<'a> {
    /// The site of an issuer: known by its host, as far as that is a name.
    #[must_use]
    pub fn of(issuer: &'a str) -> Self {
        let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
        let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[');
        Self { base: base.trim_end_matches('/'), name: if is_name { host } else { "rescind" } }
    }

    /// A path of the issuer, for the `action` of a form.
    #[must_use]
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address of an asset, for the templates.
    pub(crate) fn asset(&self, name: &str) -> String {
        format!("{}/assets/{}", self.base, assets::versioned(name))
    }
}

/// A user, as shown to that user.
#[derive(Clone, Copy)]
pub struct Person<'a> {
    /// Display name, or the user name where there is none.
    pub name: &'a str,
    /// What the person types to sign in.
    pub username: &'a str,
}

impl Person<'_> {
    fn initial(&self) -> String {
        let first = self.name.chars().chain(self.username.chars()).find(|c| c.is_alphanumeric());
        first.map(|c| c.to_uppercase().collect()).unwrap_or_default()
    }
}

/// A way back to an application.
#[derive(Clone, Copy)]
pub struct Back<'a> {
    /// The application's name.
    pub name: &'a str,
    /// An address the application has registered. One that could run a script is not linked.
    pub url: &'a str,
}

impl Back<'_> {
    fn target(&self) -> Option<&str> {
        Url::parse(self.url).is_ok_and(|url| !runs_script(url.scheme())).then_some(self.url)
    }
}

/// What the sign-in page asks for.
#[derive(Clone, Copy)]
pub enum Ask<'a> {
    /// User name and password; fields `username` and `password`.
    Credentials {
        /// What was typed before or hinted at by the client (`login_hint`); else empty.
        username: &'a str,
    },
    /// The password of somebody known; fields `username` (fixed: do not trust it) and `password`, or `choice=another`.
    Password {
        /// Who signs in again.
        user: Person<'a>,
    },
    /// Whether to go on with the session there is; field `choice`, `continue` or `another`.
    Account {
        /// Who is signed in.
        user: Person<'a>,
    },
}

impl Ask<'_> {
    fn is_choice(&self) -> bool {
        matches!(self, Ask::Account { .. })
    }
}

/// Sign-in, re-authentication and the choice of an account.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignIn<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Field `csrf`: shows that the form came from a page of ours.
    pub csrf: &'a str,
    /// Field `flow`: names the pending request; opaque.
    pub flow: &'a str,
    /// Name of the client that sent the person here.
    pub application: Option<&'a str>,
    /// What the form is for.
    pub ask: Ask<'a>,
    /// Why the last attempt failed, as a sentence. It must not tell whether the user exists.
    pub error: Option<&'a str>,
}

impl SignIn<'_> {
    fn heading(&self) -> &'static str {
        match self.ask {
            Ask::Credentials { .. } => "Sign in",
            Ask::Password { .. } => "Confirm it is you",
            Ask::Account { .. } => "Choose an account",
        }
    }
}

/// An API named in a consent.
#[derive(Clone, Copy)]
pub struct ApiAccess<'a> {
    /// The name it is registered under.
    pub name: &'a str,
    /// The resource indicator (RFC 8707).
    pub identifier: &'a str,
    /// Scopes of this API, shown by their names.
    pub scopes: &'a [&'a str],
}

/// Consent; field `decision`, `allow` or `deny`.
#[derive(Template)]
#[template(path = "consent.html")]
pub struct Consent<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Field `csrf`: shows that the form came from a page of ours.
    pub csrf: &'a str,
    /// Field `flow`: names the pending request; opaque.
    pub flow: &'a str,
    /// Name of the client that asks.
    pub application: &'a str,
    /// Where the answer goes: host of the redirect URI, or its scheme for a native application. A name can be
    /// anybody's claim, this cannot.
    pub returns_to: &'a str,
    /// Who is signed in and decides.
    pub user: Person<'a>,
    /// Scopes that belong to no API: those of OpenID Connect in plain words, others by name.
    pub scopes: &'a [&'a str],
    /// The APIs the access token is to be good for.
    pub apis: &'a [ApiAccess<'a>],
}

/// Confirmation of a sign-out (RP-Initiated Logout 1.0, section 2); field `decision`, `sign-out` or `stay`.
#[derive(Template)]
#[template(path = "sign_out.html")]
pub struct SignOut<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Where the form is posted.
    pub action: &'a str,
    /// Field `csrf`: shows that the form came from a page of ours.
    pub csrf: &'a str,
    /// Field `flow`: names the pending request; opaque.
    pub flow: &'a str,
    /// Whose session would end.
    pub user: Person<'a>,
    /// Name of the client that asks, if one does.
    pub application: Option<&'a str>,
}

/// What is left to say after a sign-out.
#[derive(Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Where the person can go from here.
    pub back: Option<Back<'a>>,
}

/// What is left to say when somebody was asked to sign out and did not.
#[derive(Template)]
#[template(path = "still_signed_in.html")]
pub struct StillSignedIn<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// Who is signed in.
    pub user: Person<'a>,
    /// Where the person can go from here.
    pub back: Option<Back<'a>>,
}

/// An error that cannot be handed to the client. Neither sentence may repeat what came with the request.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    /// A few words, such as "This link has expired".
    pub title: &'a str,
    /// What happened and what to do now.
    pub explanation: &'a str,
    /// What the log calls this error.
    pub reference: &'a str,
    /// Where the person can go from here.
    pub back: Option<Back<'a>>,
}

/// A scope in plain words (OpenID Connect Core 1.0, sections 5.4 and 11).
struct Wording {
    /// None for a scope known by its name only.
    plain: Option<&'static str>,
    detail: &'static str,
    /// Outline on a grid of 24 by 24, as the `d` of an SVG path.
    icon: &'static str,
}

impl Wording {
    fn of(scope: &str) -> Self {
        let (plain, detail, icon) = match scope {
            "openid" => (
                "Recognise you",
                "By a lasting identifier of your account",
                "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5",
            ),
            "profile" => (
                "See your profile",
                "Your name, user name and the like",
                "M3.5 5.5h17v13h-17zM8.5 11.5a1.75 1.75 0 1 0 0-3.5 1.75 1.75 0 0 0 0 3.5zM6 15.5c.4-1.3 1.3-2 2.5-2s2.1.7 2.5 2M14 10h3.5M14 14h3.5",
            ),
            "email" => {
                ("See your e-mail address", "As it is kept in your account", "M3.5 5.5h17v13h-17zM4 6.5l8 6.5 8-6.5")
            }
            "phone" => ("See your phone number", "As it is kept in your account", "M7 3.5h10v17H7zM11 17.5h2"),
            "address" => (
                "See your postal address",
                "As it is kept in your account",
                "M4 11.5L12 4.5l8 7M6 10v9.5h12V10M10 19.5v-5h4v5",
            ),
            "offline_access" => (
                "Keep access while you are away",
                "Also after you sign out, until it is taken back",
                "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 7.5V12l3 2",
            ),
            _ => {
                return Self {
                    plain: None,
                    detail: "A permission known by this name",
                    icon: "M8 15.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 11.5h9M17.5 11.5v3.5M21 11.5v2.5",
                };
            }
        };
        Self { plain: Some(plain), detail, icon }
    }
}

/// A page as an answer, with the headers that keep it from being framed, cached, sniffed or made to run anything.
///
/// `form_action_origins` names where a form's answer may redirect to: Chromium applies `form-action` to redirects
/// too. Give the redirect URI or its origin; the policy gets the origin alone.
pub fn page<T: Template>(status: StatusCode, template: &T, form_action_origins: &[&str]) -> Response {
    match template.render() {
        Ok(html) => rendered(status, html, form_action_origins),
        Err(error) => {
            tracing::error!(%error, "a page did not render");
            rendered(StatusCode::INTERNAL_SERVER_ERROR, String::new(), &[])
        }
    }
}

/// A page that was rendered before, with the same headers.
pub fn rendered(status: StatusCode, html: impl Into<Body>, form_action_origins: &[&str]) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, content_security_policy(form_action_origins)),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, html.into()).into_response()
}

fn content_security_policy(form_action_origins: &[&str]) -> HeaderValue {
    let mut policy = String::from("default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'");
    for source in form_action_origins.iter().filter_map(|uri| form_action_source(uri)) {
        policy.push(' ');
        policy.push_str(&source);
    }
    policy.push_str("; frame-ancestors 'none'; base-uri 'none'");
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// The CSP source that covers a redirect URI. What could be read as more than one source gives none.
fn form_action_source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let scheme = url.scheme();
    match (scheme, url.host()) {
        ("http" | "https", Some(Host::Domain(name))) if !plain_host(name) => None,
        // CSP has no way to write an IPv6 address (CSP 3, section 2.3.1): the scheme is the narrowest source.
        ("http" | "https", Some(Host::Ipv6(_))) => Some(format!("{scheme}:")),
        ("http" | "https", _) => Some(url.origin().ascii_serialization()),
        _ if runs_script(scheme) => None,
        // A native application's own scheme (RFC 8252, section 7.1).
        _ => Some(format!("{scheme}:")),
    }
}

fn plain_host(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

fn runs_script(scheme: &str) -> bool {
    matches!(scheme, "about" | "blob" | "data" | "file" | "filesystem" | "javascript" | "vbscript")
}
