//! The console's cookies: the access token, what is known of its bearer, and a sign-in under way. None is within reach of scripts.

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};

use super::Console;

/// Holds the access token.
pub(super) const TOKEN: &str = "rescind_console";
/// Holds who it belongs to, sealed.
pub(super) const WHO: &str = "rescind_console_who";
/// Begins the name of what is remembered while somebody signs in; the rest is of the request's `state`.
pub(super) const FLOW: &str = "rescind_console_flow_";

/// Longer cookies are none of ours.
const LONGEST: usize = 2048;

/// To whom a browser shows a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only when a page of ours leads here.
    OwnPages,
    /// Also when somebody comes back from elsewhere.
    Navigation,
}

/// The value of a cookie.
pub(super) fn find<'a>(console: &Console, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let name = full_name(console, name);
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';'));
    let found = pairs.find_map(|pair| pair.trim().strip_prefix(name.as_str())?.strip_prefix('='))?;
    (!found.is_empty() && found.len() <= LONGEST).then_some(found)
}

/// Sets a cookie for so many seconds.
pub(super) fn set(console: &Console, response: &mut Response, name: &str, value: &str, reach: Reach, secs: u64) {
    let site = match reach {
        Reach::OwnPages => "Strict",
        Reach::Navigation => "Lax",
    };
    let secure = if is_secure(console) { "; Secure" } else { "" };
    let (name, path) = (full_name(console, name), console.path(""));
    let cookie = format!("{name}={value}; Path={path}; Max-Age={secs}; HttpOnly; SameSite={site}{secure}");
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Takes a cookie out of the browser.
pub(super) fn clear(console: &Console, response: &mut Response, name: &str, reach: Reach) {
    set(console, response, name, "", reach, 0);
}

fn is_secure(console: &Console) -> bool {
    console.issuer().starts_with("https:")
}

/// `__Secure-` keeps whoever can only speak plain HTTP from planting a cookie (RFC 6265bis section 4.1.3.1).
fn full_name(console: &Console, name: &str) -> String {
    if is_secure(console) { format!("__Secure-{name}") } else { name.to_owned() }
}
