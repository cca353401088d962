//! The stage: a server on a real SQLite file whose writer is moved by hand, and the people and applications of one schedule.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind::{
    app::{App, Opened},
    clock::{Clock, fresh_id, random},
    config,
    pace::{Pace, Script},
    protocol::{
        authorization_request::{AuthorizationRequest, Prompt},
        flow::Flow,
    },
};
use rescind_ledger::{
    AccessToken, Authentication, Client, ClientAuthMethod, ClientChange, Code, Consent, Door, Grant, Hash, Initiator,
    Kind, Lane, LedgerError, Minted, Position, PushedRequest, RefreshToken, Rotation, Secret, Session,
    SessionValidation, SignIn, SigningAlgorithm, Timestamp, User, Writer,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A server whose requests stop at their named steps, and whose writer runs only when it is told to.
pub(crate) struct Stage {
    pub(crate) app: Arc<App>,
    pub(crate) writer: Writer,
    pub(crate) script: Script,
    pub(crate) admin: Router,
    /// A hash of [`PASSWORD`] at the least cost there is: proving it takes part in every schedule.
    phc: String,
    scenes: u64,
    _dir: TempDir,
}

pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
pub(crate) const REDIRECT_URI: &str = "https://app.example/cb";
pub(crate) const VERIFIER: &str = "a-verifier-of-enough-characters-for-rfc-7636";
pub(crate) const PASSWORD: &str = "correct horse";
/// What the client may do at first, and what is left to it after its update.
pub(crate) const SCOPES: [&str; 2] = ["read", "write"];
const LIFE: Duration = Duration::from_secs(3600);

impl Stage {
    /// Opens a fresh data directory, in memory where there is such a place: only the syncing is faster there.
    pub(crate) fn open() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let text = format!("data_dir = {:?}\nissuer = {ISSUER:?}\ndevelopment = true\n", dir.path().join("data"));
        let config = config::from_toml(&text, []).unwrap();
        let clock = Clock::Manual(Arc::new(AtomicI64::new(1_800_000_000_000)));
        let script = Script::default();
        let Opened { app, writer } = Opened::open(config, clock, Pace::Stepped(script.clone())).unwrap();
        let admin = rescind::admin::local_router(&app);
        Self { app, writer, script, admin, phc: cheap_hash(), scenes: 0, _dir: dir }
    }

    /// Does a job at once.
    pub(crate) fn at_once<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    ) -> T {
        let ticket = self.app.queue.submit(Lane::Issuing, work);
        self.writer.turn(&|| self.app.now());
        ticket.wait().unwrap()
    }

    /// Sets a new scene: a user with a session, a client with a grant, a code and a consent, all of them new to the server,
    /// so that no schedule can see another.
    pub(crate) fn scene(&mut self) -> Scene {
        self.scenes += 1;
        let scene = Scene::draw(self.scenes, &self.phc, self.app.live.stamp(), self.app.now());
        let (kept, now) = (scene.clone(), self.app.now());
        self.at_once(move |door| {
            door.add_user(&kept.user)?;
            let anybody = Initiator::System("the scene".to_owned());
            door.change_client(&ClientChange::Put(Box::new(kept.client.clone())), &anybody)?;
            door.sign_in(&SignIn { session: kept.session.clone(), authentication: kept.authentication(now) })?;
            door.remember_consent(&kept.consent(now))?;
            door.mint(&kept.minted(now))?;
            door.issue_code(&kept.code_record(now), None)?;
            door.push_request(&kept.pending(now), u64::MAX)
        });
        // What was asked since the last schedule is no part of the next.
        drop(self.script.take());
        scene
    }
}

fn cheap_hash() -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(PASSWORD.as_bytes(), &random::<16>()).unwrap().to_string()
}

/// Who and what takes part in one schedule. Everything in it is as old as `position`.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) user: User,
    pub(crate) client: Client,
    pub(crate) client_secret: String,
    pub(crate) session: Session,
    pub(crate) cookie: Secret,
    pub(crate) position: Position,
    pub(crate) grant: Grant,
    pub(crate) access: String,
    pub(crate) refresh: String,
    /// The grant that comes to be when the code is redeemed.
    pub(crate) code_grant: Grant,
    pub(crate) code: String,
    /// The handle of a pending authorization request.
    pub(crate) flow: String,
}

impl Scene {
    fn draw(number: u64, phc: &str, position: Position, now: Timestamp) -> Self {
        let (user, client_secret) = (user(number, phc, now), Secret::form(Kind::ClientSecret, &random()));
        let client = client(number, client_secret.hash(), now);
        let cookie = Secret::form(Kind::SessionCookie, &random());
        let session = Session {
            id: fresh_id("s_"),
            cookie: cookie.hash(),
            user: user.id.clone(),
            source: "password".to_owned(),
            device: None,
            ip: None,
            user_agent: None,
            position,
            started_at: now,
            touched_at: now,
            idle_secs: 3600,
            expires_at: now.plus(LIFE),
        };
        Self {
            grant: grant(&user, &client, &session, now),
            code_grant: grant(&user, &client, &session, now),
            user,
            client,
            client_secret: client_secret.reveal().to_owned(),
            session,
            cookie,
            position,
            access: Secret::form(Kind::AccessToken, &random()).reveal().to_owned(),
            refresh: Secret::form(Kind::RefreshToken, &random()).reveal().to_owned(),
            code: Secret::form(Kind::Code, &random()).reveal().to_owned(),
            flow: URL_SAFE_NO_PAD.encode(random::<32>()),
        }
    }

    fn authentication(&self, now: Timestamp) -> Authentication {
        Authentication {
            session: self.session.id.clone(),
            position: self.position,
            at: now,
            methods: vec!["pwd".into()],
        }
    }

    pub(crate) fn consent(&self, now: Timestamp) -> Consent {
        Consent {
            user: self.user.id.clone(),
            client: self.client.id.clone(),
            scopes: self.client.scopes.clone(),
            audiences: self.grant.audiences.clone(),
            position: self.position,
            auth_time: now,
            at: now,
            expires_at: now.plus(LIFE),
        }
    }

    fn minted(&self, now: Timestamp) -> Minted {
        let grant = self.grant.clone();
        let access = AccessToken {
            hash: Hash::of(&self.access),
            id: fresh_id(""),
            grant: grant.id.clone(),
            client: grant.client.clone(),
            user: grant.user.clone(),
            session: grant.session.clone(),
            session_validation: SessionValidation::ALL,
            device: None,
            scope: grant.scope.clone(),
            audiences: grant.audiences.clone(),
            key: None,
            certificate: None,
            position: grant.position,
            auth_time: grant.auth_time,
            issued_at: now,
            expires_at: grant.expires_at,
        };
        let refresh = RefreshToken {
            hash: Hash::of(&self.refresh),
            grant: grant.id.clone(),
            parent: None,
            issued_at: now,
            expires_at: grant.expires_at,
        };
        Minted { grant, access, refresh: Some(refresh), status: None }
    }

    fn code_record(&self, now: Timestamp) -> Code {
        Code {
            hash: Hash::of(&self.code),
            grant: self.code_grant.clone(),
            redirect_uri: REDIRECT_URI.to_owned(),
            registered_redirect_uri: REDIRECT_URI.to_owned(),
            code_challenge: challenge(),
            issued_at: now,
            expires_at: now.plus(LIFE),
        }
    }

    fn request(&self) -> AuthorizationRequest {
        AuthorizationRequest {
            logout_status_jwt: false,
            client_id: self.client.id.clone(),
            redirect_uri: REDIRECT_URI.to_owned(),
            state: None,
            nonce: None,
            // What the client may still ask for after its update.
            scope: SCOPES[0].to_owned(),
            audiences: self.grant.audiences.clone(),
            code_challenge: challenge(),
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            subject: None,
        }
    }

    fn pending(&self, now: Timestamp) -> PushedRequest {
        PushedRequest {
            handle: Hash::of(&format!("pending:{}", self.flow)),
            client: self.client.id.clone(),
            parameters: serde_json::to_string(&self.request()).unwrap(),
            position: self.position,
            issued_at: now,
            expires_at: now.plus(LIFE),
        }
    }

    /// An authorization request that begins now.
    pub(crate) fn fresh_flow(&self, app: &App) -> Flow {
        let (position, client) = app.live.stamped_client(&self.client.id);
        Flow { request: self.request(), client: client.unwrap(), position, begun_at: app.now(), handle: None }
    }

    /// A form that the client posts, with its secret.
    pub(crate) fn client_post(&self, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
        let own = [("client_id", self.client.id.as_str()), ("client_secret", &self.client_secret)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(own.iter().chain(fields)).finish();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.body(Body::from(body)).unwrap()
    }

    /// The user's browser at the authorization endpoint, with a request that must not show a page.
    pub(crate) fn silent_request(&self) -> Request<Body> {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", self.client.id.as_str()),
                ("redirect_uri", REDIRECT_URI),
                ("response_type", "code"),
                ("scope", SCOPES[0]),
                ("prompt", "none"),
                ("code_challenge", &challenge()),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let cookies = format!("rescind_session={}", self.cookie.reveal());
        Request::get(format!("/authorize?{query}")).header(header::COOKIE, cookies).body(Body::empty()).unwrap()
    }
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()))
}

fn user(number: u64, phc: &str, now: Timestamp) -> User {
    User { password_hash: Some(phc.to_owned()), ..User::new(fresh_id("u_"), format!("user-{number}"), now) }
}

fn client(number: u64, secret: Hash, now: Timestamp) -> Client {
    let (id, name) = (format!("client-{number}"), format!("Client {number}"));
    Client {
        secret_hash: Some(secret),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        grant_types: ["authorization_code", "client_credentials", "refresh_token"].map(str::to_owned).to_vec(),
        scopes: SCOPES.map(str::to_owned).to_vec(),
        rotation: Rotation::EachUse,
        rotation_grace_secs: 30,
        id_token_signed_response_alg: SigningAlgorithm::ES256,
        introspection_signed_response_alg: SigningAlgorithm::ES256,
        ..Client::new(id, name, ClientAuthMethod::ClientSecretPost, now)
    }
}

fn grant(user: &User, client: &Client, session: &Session, now: Timestamp) -> Grant {
    Grant {
        id: fresh_id("g_"),
        client: client.id.clone(),
        user: Some(user.id.clone()),
        session: Some(session.id.clone()),
        session_bound: true,
        device: None,
        scope: client.scopes.join(" "),
        audiences: vec![ISSUER.to_owned()],
        position: session.position,
        auth_time: Some(now),
        nonce: None,
        issued_at: now,
        expires_at: session.expires_at,
    }
}
