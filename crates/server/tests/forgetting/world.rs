//! A server in process whose clock the test moves, with its people, applications and what they are given.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use rescind::{
    app::{App, Opened},
    audit, background,
    clock::{Clock, fresh_id, random},
    config, deliveries,
    pace::Pace,
};
use rescind_ledger::{
    AccessToken, Authentication, Client, ClientChange, Code, Door, Grant, Hash, Initiator, Kind, Lane, LedgerError,
    Minted, NewSetting, RefreshToken, Secret, Session, SessionValidation, SignIn, Ticket, Timestamp, User,
};
use rescind_store::Sqlite;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
const ISSUER: &str = "http://127.0.0.1:8080";
const SCOPE: &str = "read";

/// The whole stage.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) runtime: Runtime,
    clock: Arc<AtomicI64>,
    folder: TempDir,
}

/// What one sign-in brought: a session, and a grant with its tokens.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) session: Session,
    pub(crate) grant: Grant,
    pub(crate) code: Code,
    pub(crate) access: AccessToken,
    pub(crate) access_text: String,
    pub(crate) refresh: RefreshToken,
    pub(crate) refresh_text: String,
}

/// Whom something is given to, and in what circumstances.
#[derive(Clone, Default)]
pub(crate) struct Circumstances {
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) audience: String,
    pub(crate) device: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) offline: bool,
}

impl World {
    /// Begins on the first day, with nobody there.
    pub(crate) fn begin(refresh_life: Duration) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let text = format!(
            "data_dir = {:?}\nissuer = {ISSUER:?}\n[lifetimes]\naccess_token_secs = 21600\nsession_idle_secs = 86400\n\
             session_max_secs = 172800\nconsent_secs = 259200\nrefresh_token_secs = {}\n",
            folder.path().join("data"),
            refresh_life.as_secs(),
        );
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let config = config::from_toml(&text, []).unwrap();
        let opened = Opened::open(config, Clock::Manual(clock.clone()), Pace::Free).unwrap();
        let (app, _writer) = opened.start().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = Self { app, runtime, clock, folder };
        let retention = NewSetting {
            name: "auditRetentionDays".to_owned(),
            value: Some(json!(1)),
            expected_version: None,
            initiator: Initiator::System("setup".to_owned()),
            note: None,
        };
        world.submit(move |door| door.change_setting(&retention, |_, _| Ok(()))).wait().unwrap();
        world
    }

    pub(crate) fn wait(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap();
        self.clock.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.app.now()
    }

    pub(crate) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> Ticket<T> {
        self.app.queue.submit(Lane::Issuing, work)
    }

    pub(crate) fn add_people(&self, users: impl Iterator<Item = String>, clients: impl Iterator<Item = String>) {
        let now = self.now();
        let users: Vec<User> = users.map(|id| user(id, now)).collect();
        let clients: Vec<Client> = clients.map(|id| client(&id, now)).collect();
        let work = move |door: &mut Door<'_>| {
            users.iter().try_for_each(|user| door.add_user(user))?;
            for client in clients {
                door.change_client(&ClientChange::Put(Box::new(client)), &Initiator::System("setup".to_owned()))?;
            }
            Ok(())
        };
        self.submit(work).wait().unwrap();
    }

    /// Forgets, and tells whoever must hear: what the server does by itself every minute and every second.
    pub(crate) fn sweep(&self) {
        self.runtime.block_on(async {
            deliveries::dispatch(&self.app).await.unwrap();
            background::time_out_sessions(&self.app).await.unwrap();
            audit::heads::sign(&self.app).await.unwrap();
            background::sweep(&self.app).await.unwrap();
        });
    }

    /// Posts a form to the server as a client of it; the status and the answer.
    pub(crate) fn post(&self, path: &str, client: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        let own = [("client_id", client), ("client_secret", &secret_of(client))];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(own).extend_pairs(fields).finish();
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Body::from(body)).unwrap();
        self.runtime.block_on(async {
            let answer = rescind::router(&self.app).oneshot(request).await.unwrap();
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            (status, serde_json::from_slice(&body).unwrap_or_default())
        })
    }

    /// Whether introspection calls a token active.
    pub(crate) fn is_active(&self, client: &str, token: &str) -> bool {
        let (status, answer) = self.post("/introspect", client, &[("token", token)]);
        assert_eq!(status, 200, "{answer}");
        answer["active"] == true
    }

    /// Bytes of the database once its log is in it, measured on a copy so that the server lives through all eight weeks.
    pub(crate) fn store_bytes(&self) -> u64 {
        let copy = self.folder.path().join("copy.db");
        let beside = |path: &Path, suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let database = self.app.data_dir.database();
        std::fs::copy(&database, &copy).unwrap();
        std::fs::copy(beside(&database, "-wal"), beside(&copy, "-wal")).unwrap();
        // The last connection to close takes the log in.
        drop(Sqlite::open(&copy).unwrap());
        assert!(!beside(&copy, "-wal").exists());
        let bytes = copy.metadata().unwrap().len();
        std::fs::remove_file(copy).unwrap();
        bytes
    }

    /// A sign-in of now with everything that comes of it; nothing is written yet.
    pub(crate) fn draw(&self, of: &Circumstances) -> Given {
        let (now, position, lives) = (self.now(), self.app.live.stamp(), &self.app.config.lifetimes);
        let session = Session {
            id: fresh_id("s_"),
            cookie: Secret::form(Kind::SessionCookie, &random()).hash(),
            user: of.user.clone(),
            source: "password".to_owned(),
            device: of.device.clone(),
            ip: Some("192.0.2.7".to_owned()),
            user_agent: Some("Browser/1.0 of some length".to_owned()),
            position,
            started_at: now,
            touched_at: now,
            idle_secs: 86_400,
            expires_at: now.plus(lives.session.max),
        };
        let grant = grant(&session, of, now, now.plus(lives.refresh_token));
        let (code, access, refresh) = (text(Kind::Code), text(Kind::AccessToken), text(Kind::RefreshToken));
        Given {
            code: Code {
                hash: Hash::of(&code),
                grant: grant.clone(),
                redirect_uri: "https://app.example/cb".to_owned(),
                registered_redirect_uri: "https://app.example/cb".to_owned(),
                code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
                issued_at: now,
                expires_at: now.plus(lives.code),
            },
            access: access_token(&grant, of.key.clone(), Hash::of(&access), now, now.plus(lives.access_token)),
            access_text: access,
            refresh: refresh_token(&grant, Hash::of(&refresh), None, now),
            refresh_text: refresh,
            grant,
            session,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.app.queue.close();
    }
}

impl Given {
    pub(crate) fn sign_in(&self) -> SignIn {
        let session = self.session.clone();
        let authentication = Authentication {
            session: session.id.clone(),
            position: session.position,
            at: session.started_at,
            methods: vec!["pwd".to_owned()],
        };
        SignIn { session, authentication }
    }

    pub(crate) fn minted(&self) -> Minted {
        Minted {
            grant: self.grant.clone(),
            access: self.access.clone(),
            refresh: Some(self.refresh.clone()),
            status: None,
        }
    }
}

fn text(kind: Kind) -> String {
    Secret::form(kind, &random()).reveal().to_owned()
}

pub(crate) fn access_token(
    grant: &Grant,
    key: Option<String>,
    hash: Hash,
    now: Timestamp,
    until: Timestamp,
) -> AccessToken {
    AccessToken {
        hash,
        id: fresh_id(""),
        grant: grant.id.clone(),
        client: grant.client.clone(),
        user: grant.user.clone(),
        session: grant.session.clone(),
        session_validation: if grant.session_bound { SessionValidation::ALL } else { SessionValidation::NONE },
        device: grant.device.clone(),
        scope: grant.scope.clone(),
        audiences: grant.audiences.clone(),
        key,
        certificate: None,
        position: grant.position,
        auth_time: grant.auth_time,
        issued_at: now,
        expires_at: until.min(grant.expires_at),
    }
}

pub(crate) fn refresh_token(grant: &Grant, hash: Hash, parent: Option<Hash>, now: Timestamp) -> RefreshToken {
    RefreshToken { hash, grant: grant.id.clone(), parent, issued_at: now, expires_at: grant.expires_at }
}

fn grant(session: &Session, of: &Circumstances, now: Timestamp, expires_at: Timestamp) -> Grant {
    Grant {
        id: fresh_id("g_"),
        client: of.client.clone(),
        user: Some(of.user.clone()),
        session: Some(session.id.clone()),
        session_bound: !of.offline,
        device: of.device.clone(),
        scope: SCOPE.to_owned(),
        audiences: vec![of.audience.clone()],
        position: session.position,
        auth_time: Some(now),
        nonce: None,
        issued_at: now,
        expires_at: if of.offline { expires_at } else { expires_at.min(session.expires_at) },
    }
}

fn user(id: String, now: Timestamp) -> User {
    let name = format!("name of {id}");
    User::new(id, name, now)
}

fn secret_of(client: &str) -> String {
    format!("the secret of {client}")
}

fn client(id: &str, now: Timestamp) -> Client {
    let written = json!({
        "id": id,
        "name": id,
        "auth_method": "client_secret_post",
        "secret_hash": Hash::of(&secret_of(id)),
        "redirect_uris": ["https://app.example/cb"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": [SCOPE],
        "rotation": "each_use",
        "rotation_grace_secs": 30,
        "enabled": true,
        "created_at": now,
    });
    serde_json::from_value(written).unwrap()
}

/// The audience of tokens for the server's own endpoints.
pub(crate) fn issuer() -> String {
    ISSUER.to_owned()
}
