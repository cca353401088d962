//! Requests to the other two routers, in this process. They run within the same call, so that records name its correlation id; what
//! says where it came from goes along.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Parts},
};
use serde_json::Value;
use tower::ServiceExt;

use super::json::Json;
use crate::{body::gather, peer::Peer};

/// The longest answer that is read: pages of listings are far shorter.
const LONGEST: usize = 16 * 1024 * 1024;

/// The headers by which a trusted proxy says whom it speaks for are whatever it is configured to send: all but these go along.
const OWN: [header::HeaderName; 6] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::TRANSFER_ENCODING,
];

/// What was answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Json,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        self.status.is_success()
    }
}

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    /// From the root of the host, with its query.
    pub(super) uri: String,
    pub(super) token: Option<&'a str>,
    pub(super) more: Vec<(header::HeaderName, String)>,
    pub(super) body: Content,
}

/// What is sent along.
pub(super) enum Content {
    Nothing,
    Json(Value),
    Form(String),
}

/// Asks a router on behalf of the request with this head. No answer means that there is something wrong here.
pub(super) async fn ask(router: &Router, head: &Parts, asked: Asked<'_>) -> Option<Answer> {
    let request = asked.request(head)?;
    let response = router.clone().oneshot(request).await.ok()?;
    let (parts, body) = response.into_parts();
    let bytes = gather(body, LONGEST).await.ok()?;
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
    Some(Answer { status: parts.status, body: Json(body) })
}

impl Asked<'_> {
    fn request(self, head: &Parts) -> Option<Request<Body>> {
        let (kind, body) = match self.body {
            Content::Nothing => (None, Body::empty()),
            Content::Json(value) => (Some("application/json"), Body::from(value.to_string())),
            Content::Form(text) => (Some("application/x-www-form-urlencoded"), Body::from(text)),
        };
        let mut request = Request::builder().method(self.method).uri(self.uri).body(body).ok()?;
        let headers = request.headers_mut();
        *headers = forwarded(&head.headers);
        if let Some(kind) = kind {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(token) = self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        for (name, value) in self.more {
            headers.insert(name, HeaderValue::try_from(value).ok()?);
        }
        if let Some(peer) = head.extensions.get::<Peer>() {
            request.extensions_mut().insert(peer.clone());
        }
        Some(request)
    }
}

fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut all = headers.clone();
    for name in OWN {
        all.remove(name);
    }
    all
}
