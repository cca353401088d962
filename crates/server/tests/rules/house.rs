//! A whole server in this process, on a real SQLite file, whose clock stands still, and those who ask things of it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use rescind::{
    app::{App, Opened},
    clock::{Clock, random},
    config::{self, Config},
    pace::Pace,
    protocol::sign_in::{Credentials, sign_in},
};
use rescind_ledger::{
    Api, Client, ClientAuthMethod, Door, Ended, Hash, Initiator, Lane, LedgerError, Order, Reads, Reason, Rotation,
    SessionValidation, SigningAlgorithm, Target, TokenFormat, User,
};
use rescind_store::DataDir;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";
pub(crate) const VERIFIER: &str = "a-verifier-of-enough-characters-for-rfc-7636";
pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const API_A: &str = "https://a.example";
pub(crate) const API_B: &str = "https://b.example";
/// Its tokens are JWTs.
pub(crate) const API_J: &str = "https://j.example";
const BEGINNING: i64 = 1_800_000_000_000;

/// The server.
pub(crate) struct House {
    pub(crate) app: Arc<App>,
    router: Router,
    admin: Router,
    clock: Arc<AtomicI64>,
    dir: TempDir,
    writer: thread::JoinHandle<()>,
}

/// What an authorization request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    Code(String),
    /// The client heard of an error.
    Refused(String),
    /// The user was shown a page.
    Page(StatusCode),
}

/// A configuration for a server that keeps everything under `dir`.
pub(crate) fn configuration(dir: &Path) -> Config {
    configuration_with(dir, "")
}

/// The same, with the sections of a configuration file.
pub(crate) fn configuration_with(dir: &Path, sections: &str) -> Config {
    let text = format!("data_dir = {:?}\nissuer = {ISSUER:?}\ndevelopment = true\n{sections}", dir.join("data"));
    config::from_toml(&text, []).unwrap()
}

/// A place for files, in memory where there is such a place: only the syncing is faster there.
pub(crate) fn place() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A server whose writer does not run yet.
pub(crate) fn opened(dir: &TempDir) -> (Opened, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(BEGINNING));
    (open_in(dir.path(), Clock::Manual(clock.clone())).unwrap(), clock)
}

/// Opens what lies in `dir`, on a thread of its own: it waits for the disk, which a test's runtime must not.
pub(crate) fn open_in(dir: &Path, clock: Clock) -> anyhow::Result<Opened> {
    let config = configuration(dir);
    thread::spawn(move || Opened::open(config, clock, Pace::Free)).join().unwrap()
}

impl House {
    /// A server with the users alice and bob, the clients web and app, and three APIs.
    pub(crate) async fn open() -> Self {
        let dir = place();
        let (opened, clock) = opened(&dir);
        Self::of(opened, clock, dir).furnished().await
    }

    /// The same, with sections of its own in the configuration file.
    pub(crate) async fn open_with(sections: &str) -> Self {
        let dir = place();
        let clock = Arc::new(AtomicI64::new(BEGINNING));
        let (config, manual) = (configuration_with(dir.path(), sections), Clock::Manual(clock.clone()));
        let opening = thread::spawn(move || Opened::open(config, manual, Pace::Free));
        Self::of(opening.join().unwrap().unwrap(), clock, dir).furnished().await
    }

    async fn furnished(self) -> Self {
        let house = self;
        for name in ["alice", "bob"] {
            house.add_user(name).await;
        }
        for id in ["web", "app"] {
            house.put_client(client(id)).await;
        }
        for (audience, format) in
            [(API_A, TokenFormat::Opaque), (API_B, TokenFormat::Opaque), (API_J, TokenFormat::Jwt)]
        {
            house.door(move |door| door.put_api(&api(audience, format), &somebody())).await.unwrap();
        }
        house
    }

    /// A server that was opened already.
    pub(crate) fn of(opened: Opened, clock: Arc<AtomicI64>, dir: TempDir) -> Self {
        let (app, writer) = opened.start().unwrap();
        let (router, admin) = (rescind::router(&app), rescind::admin::local_router(&app));
        Self { app, router, admin, clock, dir, writer }
    }

    /// Stops the server and waits until the last of it is gone, and with it its hold on the data directory.
    pub(crate) async fn close(self) -> TempDir {
        let Self { app, router, admin, dir, writer, .. } = self;
        app.queue.close();
        tokio::task::spawn_blocking(move || writer.join()).await.unwrap().unwrap();
        let data = DataDir::at(app.data_dir.path());
        drop((app, router, admin));
        // The last reader's end writes the log back into the database; the lock goes after it.
        while data.lock().is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        dir
    }

    /// The clock it goes by.
    pub(crate) fn clock(&self) -> Arc<AtomicI64> {
        self.clock.clone()
    }

    pub(crate) async fn add_user(&self, name: &str) {
        let user = User::new(format!("u_{name}"), name, self.app.now());
        let user = User { password_hash: Some(cheap_hash()), ..user };
        self.door(move |door| door.add_user(&user)).await.unwrap();
    }

    pub(crate) async fn put_client(&self, client: Client) {
        let change = rescind_ledger::ClientChange::Put(Box::new(client));
        self.door(move |door| door.change_client(&change, &somebody())).await.unwrap();
    }

    /// Has the writer do a job.
    pub(crate) async fn door<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.app.queue.submit(Lane::Issuing, work).await
    }

    /// Ends something.
    pub(crate) async fn end(&self, target: Target) -> Ended {
        let order = Order::new(target, Reason::Policy, somebody());
        self.app.queue.submit(Lane::Ending, move |door| door.end(&order)).await.unwrap()
    }

    /// Sets a setting.
    pub(crate) async fn set(&self, name: &str, value: Value) {
        let body = serde_json::json!({ "value": value });
        let (status, answer) = self.admin("PATCH", &format!("/settings/{name}"), &body).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
    }

    /// The audit records after a number, the oldest first.
    pub(crate) async fn audit_after(&self, seq: u64) -> Vec<Value> {
        let records = self.app.records.store.audit_after(seq, 1000).await.unwrap();
        records.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect()
    }

    /// The number of the last audit record.
    pub(crate) async fn audited(&self) -> u64 {
        self.app.records.store.audit_span().await.unwrap().1.seq
    }

    /// Lets time pass.
    pub(crate) fn later(&self, secs: i64) {
        self.clock.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    /// Signs a user in and gives back the session cookie.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        self.try_sign_in(name).await.unwrap()
    }

    pub(crate) async fn try_sign_in(&self, name: &str) -> Option<String> {
        let credentials =
            Credentials { user_name: name, password: PASSWORD, address: None, user_agent: None, device_names: &[] };
        sign_in(&self.app, credentials).await.ok().map(|begun| begun.cookie.reveal().to_owned())
    }

    /// The id of the session behind a cookie.
    pub(crate) async fn session_of(&self, cookie: &str) -> String {
        self.app.records.store.find_session_by_cookie(&Hash::of(cookie)).await.unwrap().unwrap().id
    }

    /// Goes to the authorization endpoint with a session.
    pub(crate) async fn authorize(&self, cookie: &str, client: &str, more: &[(&str, &str)]) -> Went {
        let own = [
            ("client_id", client),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("code_challenge", &challenge()),
            ("code_challenge_method", "S256"),
        ];
        self.visit(cookie, &encoded(own.iter().chain(more))).await
    }

    /// The same with a query of one's own.
    pub(crate) async fn visit(&self, cookie: &str, query: &str) -> Went {
        let cookies = format!("rescind_browser={}; rescind_session={cookie}", "b".repeat(43));
        let request = Request::get(format!("/authorize?{query}")).header(header::COOKIE, cookies);
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let Some(location) = response.headers().get(header::LOCATION) else { return Went::Page(response.status()) };
        let location = url::Url::parse(location.to_str().unwrap()).unwrap();
        let find =
            |wanted: &str| location.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into());
        find("code").map(Went::Code).or_else(|| find("error").map(Went::Refused)).unwrap()
    }

    /// A code for a user who has just signed in.
    pub(crate) async fn code(&self, cookie: &str, client: &str, more: &[(&str, &str)]) -> String {
        match self.authorize(cookie, client, more).await {
            Went::Code(code) => code,
            other => panic!("{other:?}"),
        }
    }

    /// Posts a form as a client with its secret.
    pub(crate) async fn post(&self, client: &str, path: &str, fields: &[(&str, &str)]) -> (StatusCode, Value) {
        let secret = secret_of(client);
        let own = [("client_id", client), ("client_secret", &secret)];
        let secret_or_not = if client.starts_with("public") { &own[..1] } else { &own[..] };
        self.post_form(path, encoded(secret_or_not.iter().chain(fields))).await
    }

    async fn post_form(&self, path: &str, body: String) -> (StatusCode, Value) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        read(self.router.clone(), request.body(Body::from(body)).unwrap()).await
    }

    /// Asks userinfo with a bearer token.
    pub(crate) async fn userinfo(&self, token: &str) -> (StatusCode, Value) {
        let request = Request::get("/userinfo").header(header::AUTHORIZATION, format!("Bearer {token}"));
        read(self.router.clone(), request.body(Body::empty()).unwrap()).await
    }

    /// Sends any request of one's own.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Calls the admin API by the local socket's router.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
        read(self.admin.clone(), request.unwrap()).await
    }

    pub(crate) async fn exchange(&self, client: &str, code: &str) -> (StatusCode, Value) {
        self.exchange_with(client, code, VERIFIER).await
    }

    pub(crate) async fn exchange_with(&self, client: &str, code: &str, verifier: &str) -> (StatusCode, Value) {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", verifier),
        ];
        self.post(client, "/token", &fields).await
    }

    pub(crate) async fn refresh(&self, client: &str, token: &str) -> (StatusCode, Value) {
        self.post(client, "/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Whether a client hears that one of its tokens is active.
    pub(crate) async fn is_active(&self, client: &str, token: &str) -> bool {
        let (status, body) = self.post(client, "/introspect", &[("token", token)]).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        if body["active"] != true {
            assert_eq!(body.to_string(), r#"{"active":false}"#);
        }
        body["active"] == true
    }
}

async fn read(router: Router, request: Request<Body>) -> (StatusCode, Value) {
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn encoded<'a>(fields: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()))
}

fn secret_of(client: &str) -> String {
    format!("the secret of {client}")
}

/// A member of an answer that must be text.
pub(crate) fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

pub(crate) fn somebody() -> Initiator {
    Initiator::Administrator("somebody".to_owned())
}

pub(crate) fn subject(name: &str) -> Target {
    Target::Subject { issuer: ISSUER.to_owned(), subject: format!("u_{name}") }
}

/// A client of the same people who run the server. One whose name begins with `public` has no secret.
pub(crate) fn client(id: &str) -> Client {
    let public = id.starts_with("public");
    let method = if public { ClientAuthMethod::None } else { ClientAuthMethod::ClientSecretPost };
    Client {
        secret_hash: (!public).then(|| Hash::of(&secret_of(id))),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        grant_types: ["authorization_code", "client_credentials", "refresh_token"].map(str::to_owned).to_vec(),
        scopes: ["read", "write", "offline_access"].map(str::to_owned).to_vec(),
        rotation: Rotation::EachUse,
        rotation_grace_secs: 30,
        id_token_signed_response_alg: SigningAlgorithm::ES256,
        introspection_signed_response_alg: SigningAlgorithm::ES256,
        first_party: true,
        ..Client::new(id.to_owned(), id.to_owned(), method, rescind_ledger::Timestamp(BEGINNING))
    }
}

fn api(audience: &str, token_format: TokenFormat) -> Api {
    Api {
        audience: audience.to_owned(),
        name: audience.to_owned(),
        scopes: vec!["read".to_owned()],
        token_format,
        access_token_secs: None,
        session_validation: SessionValidation::default(),
        created_at: rescind_ledger::Timestamp(BEGINNING),
    }
}

/// A hash at the least cost there is: what a password costs is not the matter here.
fn cheap_hash() -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(PASSWORD.as_bytes(), &random::<16>()).unwrap().to_string()
}
