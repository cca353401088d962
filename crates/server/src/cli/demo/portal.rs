//! The Staff portal, as small as an application can be: it signs people in and shows, at each visit, what userinfo says.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinSet};

use super::web::{Application, Pkce, Web};
use crate::clock::fresh_id;

/// The application, with a person's half-finished sign-ins and the tokens of its visitors.
pub(super) struct Portal {
    web: Arc<Web>,
    application: Application,
    pub(super) url: String,
    /// By `state`.
    begun: Mutex<HashMap<String, Pkce>>,
    /// By cookie.
    visitors: Mutex<HashMap<String, String>>,
}

const COOKIE: &str = "portal";
/// More than a demo needs; then the portal starts afresh, so that nobody fills its memory.
const MOST: usize = 1_000;

impl Portal {
    pub(super) fn new(web: Arc<Web>, application: Application, url: String) -> Self {
        Self { web, application, url, begun: Mutex::default(), visitors: Mutex::default() }
    }

    /// Serves it until the answer is dropped.
    pub(super) fn open(self, listener: TcpListener) -> JoinSet<std::io::Result<()>> {
        let router = Router::new()
            .route("/", get(home))
            .route("/sign-in", get(sign_in))
            .route("/callback", get(callback))
            .with_state(Arc::new(self));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await });
        serving
    }
}

async fn home(State(portal): State<Arc<Portal>>, headers: HeaderMap) -> Response {
    let token = cookie(&headers).and_then(|id| portal.visitors.lock().get(id).cloned());
    let Some(token) = token else { return begin(&portal) };
    match portal.web.userinfo(&token).await {
        Ok((200, claims)) => {
            let name = claims.get("name").and_then(Value::as_str).unwrap_or_default();
            page(
                StatusCode::OK,
                "Signed in",
                &format!("userinfo says: 200, {}. Load this page again after a revocation.", escaped(name)),
            )
        }
        Ok((status, _)) => {
            let words = format!("userinfo says: {status}. <a href=\"/sign-in\">Sign in again</a>");
            page(StatusCode::OK, "Access has ended", &words)
        }
        Err(_) => unreachable(),
    }
}

async fn sign_in(State(portal): State<Arc<Portal>>) -> Response {
    begin(&portal)
}

fn begin(portal: &Portal) -> Response {
    let (state, pkce) = (fresh_id(""), Pkce::fresh());
    let Ok(url) = portal.web.authorization_url(&portal.application, &pkce.challenge, &[("state", &state)]) else {
        return unreachable();
    };
    keep(&mut portal.begun.lock(), state, pkce);
    (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response()
}

#[derive(Deserialize)]
struct Answer {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

async fn callback(State(portal): State<Arc<Portal>>, Query(answer): Query<Answer>) -> Response {
    let pkce = answer.state.and_then(|state| portal.begun.lock().remove(&state));
    let (Some(pkce), Some(code)) = (pkce, answer.code) else {
        let why = answer.error.unwrap_or_else(|| "this sign-in was not begun here".to_owned());
        return page(StatusCode::BAD_REQUEST, "Not signed in", &escaped(&why));
    };
    let Ok(tokens) = portal.web.redeem(&portal.application, &code, &pkce).await else { return unreachable() };
    let id = fresh_id("");
    let cookie = format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax");
    keep(&mut portal.visitors.lock(), id, tokens.access);
    (StatusCode::SEE_OTHER, [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)]).into_response()
}

fn keep<T>(kept: &mut HashMap<String, T>, name: String, value: T) {
    if kept.len() >= MOST {
        kept.clear();
    }
    kept.insert(name, value);
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn unreachable() -> Response {
    page(StatusCode::BAD_GATEWAY, "Not signed in", "The server did not give a token.")
}

fn page(status: StatusCode, title: &str, words: &str) -> Response {
    const STYLE: &str = "body{font:18px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}";
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} · Staff portal</title><style>{STYLE}</style><p>Staff portal</p><h1>{title}</h1><p>{words}</p></html>"
    );
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Html(html)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
