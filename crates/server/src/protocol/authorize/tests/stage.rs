//! A server on a throw-away directory with its people and applications, and a browser without a screen.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, atomic::AtomicI64, atomic::Ordering},
    thread::JoinHandle,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use rescind_ledger::{
    Api, Client, ClientAuthMethod, Door, Hash, Initiator, Lane, LedgerError, Order, Reason, SessionValidation, Target,
    Timestamp, TokenFormat, User,
};

use crate::{
    app::{App, Opened},
    clock::Clock,
    config,
    pace::Pace,
    protocol::{account, authorize, consent, end_session, par, password, sign_in, token},
};

pub(super) const ISSUER: &str = "http://127.0.0.1:8080";
pub(super) const CALLBACK: &str = "https://app.test/cb";
pub(super) const API: &str = "https://api.test/";
pub(super) const PASSWORD: &str = "a good password";
/// SHA-256 of something, in base64url.
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) struct Stage {
    pub(super) app: Arc<App>,
    pub(super) now: Arc<AtomicI64>,
    writer: Option<JoinHandle<()>>,
    _dir: tempfile::TempDir,
}

impl Stage {
    pub(super) async fn set() -> Self {
        Self::paced(Pace::Free).await
    }

    /// One whose requests stop at their steps.
    pub(super) async fn paced(pace: Pace) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("issuer = {ISSUER:?}\ndata_dir = {:?}\n", dir.path().to_str().unwrap());
        let config = config::from_toml(&text, std::iter::empty()).unwrap();
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Clock::Manual(now.clone());
        // Opening waits for the writer, as one must not inside the runtime.
        let open = move || Opened::open(config, clock, pace).unwrap().start().unwrap();
        let (app, writer) = tokio::task::spawn_blocking(open).await.unwrap();
        let stage = Self { app, now, writer: Some(writer), _dir: dir };
        for name in ["ada", "eve"] {
            stage.write(move |door| door.add_user(&user(name))).await;
        }
        for client in [client("shop"), Client { first_party: true, ..client("desk") }, client("other")] {
            stage.write(move |door| door.add_client(&client)).await;
        }
        stage.write(|door| door.put_api(&api(), &administrator()).map(|_| ())).await;
        stage
    }

    /// Has the writer do something.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> T {
        self.app.submit(Lane::Ending, work).await.unwrap()
    }

    pub(super) async fn end(&self, target: Target) {
        self.write(move |door| door.end(&Order::new(target, Reason::Other, administrator()))).await;
    }

    pub(super) fn pass(&self, secs: i64) {
        self.now.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    pub(super) fn subject(&self, name: &str) -> Target {
        Target::Subject { issuer: ISSUER.into(), subject: format!("u_{name}") }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.app.queue.close();
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
    }
}

pub(super) fn administrator() -> Initiator {
    Initiator::Administrator("test".into())
}

fn user(name: &str) -> User {
    static HASHED: OnceLock<String> = OnceLock::new();
    User {
        password_hash: Some(HASHED.get_or_init(|| password::hash(PASSWORD).unwrap()).clone()),
        ..User::new(format!("u_{name}"), name, Timestamp(0))
    }
}

pub(super) fn client(id: &str) -> Client {
    Client {
        secret_hash: Some(Hash::of("secret")),
        redirect_uris: vec![CALLBACK.into(), "http://127.0.0.1/native".into()],
        post_logout_redirect_uris: vec!["https://app.test/bye".into()],
        grant_types: vec!["authorization_code".into(), "refresh_token".into()],
        scopes: ["openid", "profile", "offline_access", "read"].map(str::to_owned).to_vec(),
        ..Client::new(id.into(), format!("The {id}"), ClientAuthMethod::ClientSecretPost, Timestamp(0))
    }
}

fn api() -> Api {
    Api {
        audience: API.into(),
        name: "The API".into(),
        scopes: vec!["read".into()],
        token_format: TokenFormat::Opaque,
        access_token_secs: None,
        session_validation: SessionValidation::default(),
        created_at: Timestamp(0),
    }
}

/// The parameters of a right request, with some set otherwise; an empty value takes one away.
pub(super) fn parameters<'a>(otherwise: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![
        ("client_id", "shop"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "st"),
        ("nonce", "no"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in otherwise {
        all.retain(|(known, _)| known != name);
        all.push((name, value));
    }
    all
}

pub(super) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// What a browser sees.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) body: String,
    pub(super) headers: axum::http::HeaderMap,
}

impl Seen {
    /// The value of a hidden field of the form.
    pub(super) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.body.split_once(&start).unwrap_or_else(|| panic!("no field {name} in {}", self.body)).1;
        rest.split_once('"').unwrap().0.to_owned()
    }

    pub(super) fn shows(&self, heading: &str) -> bool {
        self.body.contains(heading)
    }

    /// A parameter of the answer that goes to the client.
    pub(super) fn answer(&self, name: &str) -> Option<String> {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        let location = self.headers[header::LOCATION].to_str().unwrap();
        let url = url::Url::parse(location).unwrap();
        url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

pub(super) struct Person<'a> {
    stage: &'a Stage,
    pub(super) cookies: BTreeMap<String, String>,
}

impl<'a> Person<'a> {
    pub(super) fn at(stage: &'a Stage) -> Self {
        Self { stage, cookies: BTreeMap::new() }
    }

    fn request(&self, method: &str, uri: &str, body: String) -> Request {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        axum::http::Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, cookies.join("; "))
            .body(Body::from(body))
            .unwrap()
    }

    async fn see(&mut self, response: Response) -> Seen {
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.into(), value.into());
        }
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Seen { status: parts.status, body, headers: parts.headers }
    }

    pub(super) async fn authorize(&mut self, otherwise: &[(&str, &str)]) -> Seen {
        self.get("/authorize", &parameters(otherwise)).await
    }

    pub(super) async fn get(&mut self, path: &str, pairs: &[(&str, &str)]) -> Seen {
        let request = self.request("GET", &format!("{path}?{}", encoded(pairs)), String::new());
        let app = State(self.stage.app.clone());
        let response = match path {
            "/authorize" => authorize::show(app, request).await,
            "/logout" => end_session::show(app, request).await,
            "/account" => account::show(app, request).await,
            "/account/end" => account::confirm(app, request).await,
            _ => panic!("no page {path}"),
        };
        self.see(response).await
    }

    pub(super) async fn post(&mut self, path: &str, pairs: &[(&str, &str)]) -> Seen {
        let request = self.request("POST", path, encoded(pairs));
        let app = State(self.stage.app.clone());
        let response = match path {
            "/authorize" => authorize::submit(app, request).await,
            "/sign-in" => sign_in::submit(app, request).await,
            "/consent" => consent::submit(app, request).await,
            "/par" => par::push(app, request).await,
            "/logout" => end_session::submit(app, request).await,
            "/account/end" => account::submit(app, request).await,
            "/token" => token::token(app, request).await,
            _ => panic!("no page {path}"),
        };
        self.see(response).await
    }

    /// Fills in the form of a page.
    pub(super) async fn fill(&mut self, path: &str, page: &Seen, fields: &[(&str, &str)]) -> Seen {
        let (csrf, flow) = (page.field("csrf"), page.field("flow"));
        let mut pairs = vec![("csrf", csrf.as_str()), ("flow", flow.as_str())];
        pairs.extend_from_slice(fields);
        self.post(path, &pairs).await
    }

    pub(super) async fn sign_in(&mut self, page: &Seen, name: &str) -> Seen {
        self.fill("/sign-in", page, &[("username", name), ("password", PASSWORD)]).await
    }

    /// Signs in at the first-party application, which asks for no consent.
    pub(super) async fn be(&mut self, name: &str) {
        let page = self.authorize(&[("client_id", "desk")]).await;
        assert!(self.sign_in(&page, name).await.answer("code").is_some());
    }

    pub(super) fn session_cookie(&self) -> Option<Hash> {
        self.cookies.get("rescind_session").filter(|value| !value.is_empty()).map(|value| Hash::of(value))
    }
}
