//! The layer around the session endpoints: from the head of a request to the answer it got, or did not get.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::HttpBody as _,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, request::Parts},
    middleware::{self, Next},
    response::Response,
};

use super::{LoggedCaller, line::Facts};
use crate::{
    app::App,
    config::{LogField, LogLevel},
    peer::{Peer, client_address},
};

/// Where the session endpoints lie, under the path of the issuer.
pub(super) const ENDPOINTS: &str = "/pf-ws/rest/sessionMgmt/";

/// Writes one line for each call of `endpoints`, refused ones too. They are to be nested under the issuer's path, if it has
/// one; who called is read from [`LoggedCaller`] in the response's extensions.
pub fn logged(app: &Arc<App>, endpoints: Router<Arc<App>>) -> Router<Arc<App>> {
    if app.runtime_log.writer.is_none() {
        return endpoints;
    }
    endpoints.layer(middleware::from_fn_with_state(app.clone(), answered))
}

async fn answered(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    // Nesting has taken the issuer's path away.
    let endpoint = format!("{}{}", app.config.issuer_path(), path_and_query(&head.uri));
    let mut call = Call::of(app, &head, endpoint);
    let response = next.run(Request::from_parts(head, body)).await;
    let caller = response.extensions().get::<LoggedCaller>();
    call.end(caller, Some(response.status()), response.size_hint().exact());
    response
}

/// Writes the line of a request that was refused before it reached a router, if it was for a session endpoint.
pub fn refused(app: &Arc<App>, head: &Parts, status: StatusCode) {
    let within = head.uri.path().strip_prefix(app.config.issuer_path());
    if within.is_some_and(|path| path.starts_with(ENDPOINTS)) {
        Call::of(app.clone(), head, path_and_query(&head.uri).to_owned()).end(None, Some(status), None);
    }
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or_else(|| uri.path(), |both| both.as_str())
}

/// Whether a level asks for a call's line.
pub(super) fn is_wanted(level: LogLevel, facts: &Facts<'_>) -> bool {
    let reads = matches!(facts.http_method, "GET" | "HEAD");
    match level {
        LogLevel::All => true,
        LogLevel::Changes => !reads,
        LogLevel::Refused => facts.status.is_none_or(|status| status >= 400 && !(reads && status == 404)),
    }
}

/// A call that has no line yet. It gets one even if nobody waits for its answer.
struct Call {
    app: Arc<App>,
    method: Method,
    endpoint: String,
    client_ip: Option<IpAddr>,
    tls_version: Option<&'static str>,
    headers: Vec<(HeaderName, Vec<u8>)>,
    begun: Instant,
    ended: bool,
}

impl Call {
    fn of(app: Arc<App>, head: &Parts, endpoint: String) -> Self {
        let peer = head.extensions.get::<Peer>();
        let names = app.runtime_log.fields.iter().filter_map(|field| match field {
            LogField::RequestHeader(name) if head.headers.contains_key(name) => Some(name),
            _ => None,
        });
        let value = |name: &HeaderName| {
            let values: Vec<&[u8]> = head.headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            values.join(b", ".as_slice())
        };
        Self {
            method: head.method.clone(),
            endpoint,
            client_ip: peer.map(|peer| client_address(peer, &head.headers, &app.config.proxy)),
            tls_version: peer.and_then(|peer| peer.tls_version),
            headers: names.map(|name| (name.clone(), value(name))).collect(),
            begun: Instant::now(),
            ended: false,
            app,
        }
    }

    fn end(&mut self, caller: Option<&LoggedCaller>, status: Option<StatusCode>, response_bytes: Option<u64>) {
        self.ended = true;
        self.app.runtime_log.record(&Facts {
            at: self.app.now(),
            user: caller.map(|caller| caller.name.as_str()),
            auth_method: caller.map(|caller| caller.method),
            client_ip: self.client_ip,
            http_method: self.method.as_str(),
            endpoint: &self.endpoint,
            status: status.map(|status| status.as_u16()),
            duration: self.begun.elapsed(),
            response_bytes,
            tls_version: self.tls_version,
            headers: &self.headers,
        });
    }
}

impl Drop for Call {
    /// Nobody waits for the answer any more: the handler panicked, it took too long, or the caller has gone.
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let status = if std::thread::panicking() {
            Some(StatusCode::INTERNAL_SERVER_ERROR)
        } else {
            let late = self.begun.elapsed() >= self.app.config.limits.request;
            late.then_some(StatusCode::SERVICE_UNAVAILABLE)
        };
        self.end(None, status, None);
    }
}
