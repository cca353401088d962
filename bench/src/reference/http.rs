//! A bare hyper server that does for introspection, and for asking whether a session was revoked, what nobody can leave out.
//!
//! Per request: the Basic header, SHA-256 of the secret and a comparison in constant time, the form
//! body, SHA-256 of the token, one look-up in a `HashMap`, and the answer in JSON (RFC 7662) with every member
//! that rescind's answer has. For a session the same but for the form: the path ends in its id, and the look-up touches
//! the session as well. No routes, no log, no limits, no ledger: whatever rescind does beyond this is
//! in the ratio.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::sessions::Sessions;

/// Where it is asked whether a session was revoked; the session's id follows.
const STATUS: &str = "/pf-ws/rest/sessionMgmt/revokedSris/";
/// What is said of a session that was not.
const NOT_REVOKED: &str = r#"{"resultId":"session_mgmt_sri_not_revoked","message":"The SRI has not been revoked."}"#;

/// SHA-256 of a token or secret.
pub type Fingerprint = [u8; 32];

/// What tokens have in common: kept once, so that a look-up touches no more memory than it must.
pub struct Issuance {
    /// The client they were issued to.
    pub client: Box<str>,
    /// The API they are for.
    pub audience: Box<str>,
    /// Space-separated scopes.
    pub scope: Box<str>,
}

/// What an answer says of an active token.
pub struct Record {
    /// What it shares with others.
    pub issuance: Arc<Issuance>,
    /// Whom the token is about.
    pub subject: Box<str>,
    /// Its `jti`.
    pub id: Box<str>,
    /// The grant it comes from.
    pub grant: Box<str>,
    /// Seconds since 1970 at which the subject signed in.
    pub authenticated: u64,
    /// Seconds since 1970 at which it was issued.
    pub issued: u64,
    /// Seconds since 1970 at which it expires.
    pub expires: u64,
}

/// Everything the server knows. A token that is not among the records is inactive.
pub struct Known {
    /// The issuer in each answer.
    pub issuer: String,
    /// Who may ask, with the fingerprint of the secret.
    pub clients: HashMap<String, Fingerprint>,
    /// The active tokens.
    pub tokens: HashMap<Fingerprint, Record>,
    /// The sessions.
    pub sessions: Sessions,
}

/// SHA-256, for filling [`Known`].
#[must_use]
pub fn fingerprint(text: &[u8]) -> Fingerprint {
    Sha256::digest(text).into()
}

/// A running server; dropping it stops it.
pub struct Server {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Server {
    /// Serves on a free port of 127.0.0.1, on a tokio runtime of `workers` threads of its own.
    ///
    /// # Errors
    /// When the runtime or the listener cannot be made.
    pub fn start(known: Known, workers: usize) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        runtime.spawn(accept(listener, Arc::new(known)));
        Ok(Self { address, runtime: Some(runtime) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Waiting for connections that are kept alive would never end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, known: Arc<Known>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&known)));
    }
}

async fn connection(stream: TcpStream, known: Arc<Known>) {
    // Without this an answer may wait for an acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(move |request| {
        let known = Arc::clone(&known);
        async move { Ok::<_, Infallible>(reply(&known, request).await) }
    });
    // A client that goes away is no failure of a measurement that counts answers.
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

async fn reply(known: &Known, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if !is_client(known, request.headers().get(AUTHORIZATION)) {
        let mut refusal = answer(StatusCode::UNAUTHORIZED, r#"{"error":"invalid_client"}"#);
        refusal.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        return refusal;
    }
    match request.uri().path().strip_prefix(STATUS) {
        Some(id) => status(known, id),
        None => introspect(known, request.into_body()).await,
    }
}

fn status(known: &Known, id: &str) -> Response<Full<Bytes>> {
    let mut said = match known.sessions.is_revoked(id) {
        true => answer(StatusCode::OK, format!(r#"{{"id":"{id}"}}"#)),
        false => answer(StatusCode::NOT_FOUND, NOT_REVOKED),
    };
    // Among the headers of rescind's answer.
    said.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    said
}

async fn introspect(known: &Known, body: Incoming) -> Response<Full<Bytes>> {
    let Ok(body) = body.collect().await else {
        return answer(StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#);
    };
    let body = body.to_bytes();
    let token = form_urlencoded::parse(&body).find(|(name, _)| name == "token");
    let Some((_, token)) = token else {
        return answer(StatusCode::BAD_REQUEST, r#"{"error":"invalid_request"}"#);
    };
    let record = known.tokens.get(&fingerprint(token.as_bytes()));
    answer(StatusCode::OK, record.map_or_else(|| r#"{"active":false}"#.to_owned(), |r| json(&known.issuer, r)))
}

/// Names and secrets here need no form encoding, so none is undone (RFC 6749, section 2.3.1).
fn is_client(known: &Known, header: Option<&HeaderValue>) -> bool {
    let encoded = header.and_then(|value| value.as_bytes().strip_prefix(b"Basic "));
    let Some(pair) = encoded.and_then(|encoded| STANDARD.decode(encoded).ok()) else {
        return false;
    };
    let Some((name, secret)) = str::from_utf8(&pair).ok().and_then(|pair| pair.split_once(':')) else {
        return false;
    };
    known.clients.get(name).is_some_and(|expected| same(expected, &fingerprint(secret.as_bytes())))
}

/// Looks at every byte whatever the first ones are; `black_box` keeps the compiler from stopping early.
fn same(left: &Fingerprint, right: &Fingerprint) -> bool {
    black_box(left.iter().zip(right).fold(0, |differences, (l, r)| differences | (l ^ r))) == 0
}

/// The members need no escaping: whoever fills [`Known`] takes plain names.
fn json(issuer: &str, record: &Record) -> String {
    let Record { issuance, subject, id, grant, authenticated, issued, expires } = record;
    let Issuance { client, audience, scope } = &**issuance;
    let mut text = String::with_capacity(512);
    // Writing to a String cannot fail.
    let written = write!(
        text,
        concat!(
            r#"{{"active":true,"iss":"{}","client_id":"{}","sub":"{}","aud":"{}","scope":"{}","token_type":"Bearer","#,
            r#""jti":"{}","iat":{},"exp":{},"grant_id":"{}","auth_time":{}}}"#
        ),
        issuer, client, subject, audience, scope, id, issued, expires, grant, authenticated
    );
    debug_assert!(written.is_ok());
    text
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn server() -> Server {
        let record = Record {
            issuance: Arc::new(Issuance {
                client: "app".into(),
                audience: "https://api.example".into(),
                scope: "openid mail".into(),
            }),
            subject: "alice".into(),
            id: "at_1".into(),
            grant: "gr_1".into(),
            authenticated: 3,
            issued: 1,
            expires: 2,
        };
        let known = Known {
            issuer: "http://127.0.0.1".to_owned(),
            clients: HashMap::from([("api".to_owned(), fingerprint(b"secret"))]),
            tokens: HashMap::from([(fingerprint(b"live"), record)]),
            sessions: Sessions::new(["s_1".to_owned()].into_iter(), ["s_2".to_owned()].into_iter(), 60),
        };
        Server::start(known, 2).unwrap()
    }

    fn ask(server: &Server, credentials: &str, form: &str) -> String {
        send(server, "POST /introspect", credentials, form)
    }

    fn ask_status(server: &Server, credentials: &str, id: &str) -> String {
        send(server, &format!("GET /pf-ws/rest/sessionMgmt/revokedSris/{id}"), credentials, "")
    }

    fn send(server: &Server, method_and_path: &str, credentials: &str, body: &str) -> String {
        let mut stream = std::net::TcpStream::connect(server.address()).unwrap();
        let basic = STANDARD.encode(credentials);
        write!(
            stream,
            "{method_and_path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\nConnection: close\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }

    #[test]
    fn a_known_token_is_active_with_its_record_as_valid_json() {
        let said = ask(&server(), "api:secret", "token_type_hint=access_token&token=live");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        let (_, body) = said.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["active"], true);
        assert_eq!(body["sub"], "alice");
        assert_eq!(body["scope"], "openid mail");
        assert_eq!((body["iat"].as_u64(), body["exp"].as_u64()), (Some(1), Some(2)));
        assert_eq!(body["auth_time"], 3);
        let texts = ["client_id", "aud", "jti", "grant_id"].map(|name| body[name].as_str().unwrap());
        assert_eq!(texts, ["app", "https://api.example", "at_1", "gr_1"]);
    }

    #[test]
    fn an_unknown_token_is_inactive_and_nothing_more_is_said() {
        let said = ask(&server(), "api:secret", "token=dead");
        assert!(said.ends_with("\r\n\r\n{\"active\":false}"), "{said}");
    }

    #[test]
    fn a_wrong_secret_an_unknown_client_and_a_missing_token_are_refused() {
        let server = server();
        for credentials in ["api:wrong", "other:secret", "api"] {
            assert!(ask(&server, credentials, "token=live").starts_with("HTTP/1.1 401"), "{credentials}");
        }
        assert!(ask(&server, "api:secret", "nothing=here").starts_with("HTTP/1.1 400"));
    }

    #[test]
    fn a_session_is_on_the_list_if_it_was_revoked_and_only_clients_hear_so() {
        let server = server();
        for id in ["s_1", "s_3"] {
            let said = ask_status(&server, "api:secret", id);
            assert!(said.starts_with("HTTP/1.1 404") && said.ends_with(NOT_REVOKED), "{id}: {said}");
            assert!(said.contains("cache-control: no-store\r\npragma: no-cache\r\n"), "{said}");
        }
        let said = ask_status(&server, "api:secret", "s_2");
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("\r\n\r\n{\"id\":\"s_2\"}"), "{said}");
        assert!(ask_status(&server, "api:wrong", "s_2").starts_with("HTTP/1.1 401"));
    }

    #[test]
    fn one_bit_anywhere_makes_a_difference() {
        let one = fingerprint(b"x");
        assert!(same(&one, &one));
        for byte in 0..32 {
            let mut other = one;
            other[byte] ^= 1;
            assert!(!same(&one, &other));
        }
    }
}
