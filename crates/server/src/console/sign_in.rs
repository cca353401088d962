//! Signing in and out: the console is a client of this server (OpenID Connect, authorization code with PKCE) like any other, but
//! that its calls do not leave the process.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header::HeaderName, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{
    ADMIN, CALLBACK, CLIENT_ID, Console, SCOPES,
    cookies::{self, Reach},
    frame::{Frame, Section, page},
    inside::{Answer, Asked, Content, ask},
    trouble::Trouble,
    visit::{Fields, Pass, Visit, Who, link, redirect, segment},
};
use crate::clock::random;

/// How long somebody may take to sign in.
const PATIENCE_SECS: u64 = 600;

/// Sends the browser to sign in, which is silent while its session lives, and then back to where it wanted to go.
pub(super) fn begin(visit: &Visit) -> Response {
    let console = &visit.console;
    let wanted = wanted(visit);
    if visit.is_partial() {
        // A page would be swapped into the one that asks: that one is loaded anew instead, and comes here by itself.
        let mut response = StatusCode::NO_CONTENT.into_response();
        if let Ok(target) = HeaderValue::try_from(wanted) {
            response.headers_mut().insert(HeaderName::from_static("hx-redirect"), target);
        }
        return response;
    }
    let (state, verifier) = (URL_SAFE_NO_PAD.encode(random::<16>()), URL_SAFE_NO_PAD.encode(random::<32>()));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let address = link(
        &format!("{}/authorize", console.issuer()),
        &[
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", &redirect_uri(console)),
            ("scope", &SCOPES.join(" ")),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ],
    );
    let mut response = redirect(&address);
    let flow = format!("{verifier}.{}", URL_SAFE_NO_PAD.encode(wanted));
    cookies::set(console, &mut response, &flow_cookie(&state), &flow, Reach::Navigation, PATIENCE_SECS);
    response
}

/// Where somebody wanted to go. A form is not sent again by itself: it names the page to go back to.
fn wanted(visit: &Visit) -> String {
    let asked = match visit.parts.method {
        Method::GET => visit.parts.uri.path_and_query().map(|it| it.as_str().to_owned()),
        _ => visit.form.find("back").map(str::to_owned),
    };
    let here = visit.console.path("");
    asked.filter(|path| is_ours(&here, path)).unwrap_or(here)
}

/// Whether a path is one of the console, and cannot be read as another site's.
fn is_ours(base: &str, path: &str) -> bool {
    let rest = path.strip_prefix(base);
    let plain = path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'\''));
    plain
        && path.len() <= 1024
        && !path.contains("//")
        && rest.is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'/' | b'?')))
}

fn redirect_uri(console: &Console) -> String {
    format!("{}{CALLBACK}", console.issuer())
}

/// Each request has its own, so that two windows may sign in at once.
fn flow_cookie(state: &str) -> String {
    let plain = state.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    format!("{}{}", cookies::FLOW, plain.take(22).collect::<String>())
}

/// Leads on to the page that was wanted. A redirect would not do: a browser that came here from another site would go on
/// without the cookie that is for our own pages only.
#[derive(Template)]
#[template(path = "console/onward.html")]
struct Onward {
    frame: Frame,
    target: String,
}

#[derive(Template)]
#[template(path = "console/not_signed_in.html")]
struct NotSignedIn {
    frame: Frame,
}

/// `GET /console/callback`.
pub(super) async fn callback(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let visit = Visit::stranger(console, parts, query);
    match signed_in(&visit).await {
        Some(response) => response,
        None => page(StatusCode::BAD_REQUEST, &NotSignedIn { frame: Frame::of(&visit, Section::None) }),
    }
}

async fn signed_in(visit: &Visit) -> Option<Response> {
    let (console, state) = (&visit.console, visit.query.find("state")?);
    let name = flow_cookie(state);
    let (verifier, target) = cookies::find(console, &visit.parts.headers, &name)?.split_once('.')?;
    let target = String::from_utf8(URL_SAFE_NO_PAD.decode(target).ok()?).ok()?;
    let here = console.path("");
    let target = if is_ours(&here, &target) { target } else { here };
    // RFC 9207 section 2.4: an answer of another issuer is none.
    if visit.query.find("iss").is_some_and(|issuer| issuer != console.issuer()) {
        return None;
    }
    let answer = redeem(console, &visit.parts, visit.query.find("code")?, verifier).await.filter(Answer::is_success)?;
    let token = answer.body.find("access_token")?;
    let who = who(visit, &token).await;
    let secs = answer.body.number("expires_in").unwrap_or(PATIENCE_SECS);
    let mut response = page(StatusCode::OK, &Onward { frame: Frame::of(visit, Section::None), target });
    cookies::set(console, &mut response, cookies::TOKEN, &token, Reach::OwnPages, secs);
    cookies::set(console, &mut response, cookies::WHO, &who.pack(&console.app.keys.csrf), Reach::OwnPages, KEPT_SECS);
    cookies::clear(console, &mut response, &name, Reach::Navigation);
    Some(response)
}

/// Longer than any token: when one is renewed, the forms in other windows go on holding.
const KEPT_SECS: u64 = 86_400;

async fn redeem(console: &Console, parts: &Parts, code: &str, verifier: &str) -> Option<Answer> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", &redirect_uri(console))
        .append_pair("client_id", CLIENT_ID)
        .append_pair("code_verifier", verifier)
        .finish();
    let asked = Asked {
        method: Method::POST,
        uri: format!("{}/token", console.base()),
        token: None,
        more: Vec::new(),
        body: Content::Form(form),
    };
    ask(&console.protocol, parts, asked).await
}

/// Who signed in. Without a role only the id is known.
async fn who(visit: &Visit, token: &str) -> Who {
    let console = &visit.console;
    let get = |path: String| Asked {
        method: Method::GET,
        uri: format!("{}{path}", console.base()),
        token: Some(token),
        more: Vec::new(),
        body: Content::Nothing,
    };
    let said = ask(&console.protocol, &visit.parts, get("/userinfo".to_owned())).await;
    let id = said.map(|answer| answer.body.text("sub")).unwrap_or_default();
    let known = Pass::read(console, &visit.parts.headers).who;
    let binding = if known.id == id && !known.binding.is_empty() {
        known.binding
    } else {
        URL_SAFE_NO_PAD.encode(random::<16>())
    };
    let found = ask(&console.admin, &visit.parts, get(format!("{ADMIN}/users/{}", segment(&id)))).await;
    let user = found.filter(Answer::is_success).map(|answer| answer.body).unwrap_or_default();
    let short = |text: String| text.chars().take(100).collect::<String>();
    Who {
        id,
        user_name: short(user.text("user_name")),
        display_name: user.find("display_name").map(short),
        role: user.find("role"),
        binding,
    }
}

/// `POST /console/sign-out`: the console lets go of its token, and the usual page ends the session.
pub(super) async fn sign_out(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let mut response = redirect(&format!("{}/logout", visit.console.base()));
    for name in [cookies::TOKEN, cookies::WHO] {
        cookies::clear(&visit.console, &mut response, name, Reach::OwnPages);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_signing_in_one_is_led_nowhere_else() {
        for ours in ["/console", "/console/users?search=a%20b", "/console?x=1"] {
            assert!(is_ours("/console", ours), "{ours}");
        }
        for other in [
            "",
            "/",
            "/consoles",
            "//evil.example",
            "/console//evil",
            "https://evil.example",
            "/console/\\x",
            "/console/'",
        ] {
            assert!(!is_ours("/console", other), "{other}");
        }
    }
}
