//! The operations that are run against each other: the server's own functions, as futures that stop at their named steps.

use std::{pin::Pin, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{Request, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use rescind::{
    app::App,
    protocol::{
        authorize, consent, flow, revoke,
        sign_in::{Credentials, SignInError, reauthenticate, sign_in},
        signed_in::find_signed_in,
        token,
    },
};
use rescind_ledger::{Authentication, Kind, Lane, Reads, Secret, Session, SignIn};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::stage::{PASSWORD, REDIRECT_URI, SCOPES, Scene, Stage, VERIFIER};

/// What an operation is about, in the words of the test's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Issue,
    ExchangeCode,
    Refresh,
    /// An authorization request that needs nobody's answer, up to its code.
    Authorize,
    Consent,
    SignIn,
    Reauthenticate,
    DisableUser,
    UpdateClient,
    RevokeGrant,
    RevokeSession,
    RevokeUser,
    /// A sign-in that takes its stamp after it has read the user: what must be noticed.
    SignInStampedLate,
}

/// What an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ends {
    Client,
    CodeGrant,
    Grant,
    Session,
    User,
}

impl Ends {
    pub(crate) const ALL: [Self; 5] = [Self::Client, Self::CodeGrant, Self::Grant, Self::Session, Self::User];
}

/// What a caller holds after an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Access(String),
    Code(String),
    Refresh(String),
    /// A session of its own.
    Session(Box<Session>),
    /// The right to get codes without proving again who one is, by the session of the scene.
    Proof,
}

/// What an operation answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) holds: Vec<Held>,
    /// For people who read about a violation.
    pub(crate) says: String,
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Answer>>>;

impl Operation {
    /// All that any server does.
    pub(crate) const ALL: [Self; 12] = [
        Self::Issue,
        Self::ExchangeCode,
        Self::Refresh,
        Self::Authorize,
        Self::Consent,
        Self::SignIn,
        Self::Reauthenticate,
        Self::DisableUser,
        Self::UpdateClient,
        Self::RevokeGrant,
        Self::RevokeSession,
        Self::RevokeUser,
    ];

    pub(crate) fn ends(self) -> Option<Ends> {
        match self {
            Self::DisableUser | Self::RevokeUser => Some(Ends::User),
            Self::UpdateClient => Some(Ends::Client),
            Self::RevokeGrant => Some(Ends::Grant),
            Self::RevokeSession => Some(Ends::Session),
            _ => None,
        }
    }

    /// Whether the two append nothing to the ledger: neither ends anything, nor does one repeat what is good for one use.
    pub(crate) fn end_nothing([a, b]: [Self; 2]) -> bool {
        let replay = a == b && matches!(a, Self::ExchangeCode | Self::Refresh);
        a.ends().is_none() && b.ends().is_none() && !replay
    }

    /// Its named steps when nobody disturbs it, written down so that the loss of one in the server is missed here.
    pub(crate) fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Issue => &["stamp", "submit"],
            Self::ExchangeCode => &["stamp", "read code", "read session", "submit"],
            Self::Refresh => &["stamp", "read refresh token", "read session", "submit"],
            Self::Authorize => &["stamp", "read session", "read user", "read consent", "submit"],
            // It is as old as the sign-in that its session holds.
            Self::Consent => &["read session", "read user", "submit"],
            Self::SignIn | Self::SignInStampedLate | Self::Reauthenticate => &["stamp", "read user", "submit"],
            // One job does all they do.
            Self::DisableUser | Self::UpdateClient => &[],
            Self::RevokeGrant | Self::RevokeSession | Self::RevokeUser => &["submit"],
        }
    }

    /// Whether it is stamped, which it is before it reads anything.
    pub(crate) fn is_stamped(self) -> bool {
        self.steps().contains(&"stamp")
    }

    /// How often the scheduler has it go on until it has submitted its job: from its start, and from each of its steps. Up to
    /// its stamp it reads nothing, so that this is no move of its own.
    pub(crate) fn moves(self) -> usize {
        self.steps().len() + usize::from(!self.is_stamped())
    }

    /// The operation, not yet begun.
    pub(crate) fn prepare(self, stage: &Stage, scene: &Scene) -> Running {
        let (app, scene) = (stage.app.clone(), scene.clone());
        match self {
            Self::Issue => token_request(app, scene.client_post("/token", &[("grant_type", "client_credentials")])),
            Self::ExchangeCode => token_request(app, exchange(&scene)),
            Self::Refresh => token_request(app, refresh(&scene)),
            Self::Authorize => Box::pin(authorize_silently(app, scene)),
            Self::Consent => Box::pin(agree(app, scene)),
            Self::SignIn => Box::pin(begin_session(app, scene)),
            Self::SignInStampedLate => Box::pin(begin_session_stamped_late(app, scene)),
            Self::Reauthenticate => Box::pin(prove_again(app, scene)),
            Self::RevokeGrant => Box::pin(revoke_grant(app, scene)),
            Self::DisableUser => {
                administer(stage, "PATCH", &format!("/users/{}", scene.user.id), &json!({ "enabled": false }))
            }
            Self::UpdateClient => {
                administer(stage, "PATCH", &format!("/clients/{}", scene.client.id), &json!({ "scopes": [SCOPES[0]] }))
            }
            Self::RevokeSession => end(stage, &json!({ "kind": "session", "session": scene.session.id })),
            Self::RevokeUser => end(stage, &json!({ "kind": "user", "user": scene.user.id })),
        }
    }
}

fn exchange(scene: &Scene) -> Request<Body> {
    scene.client_post(
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("code", &scene.code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ],
    )
}

fn refresh(scene: &Scene) -> Request<Body> {
    scene.client_post("/token", &[("grant_type", "refresh_token"), ("refresh_token", &scene.refresh)])
}

fn token_request(app: Arc<App>, request: Request<Body>) -> Running {
    Box::pin(async move {
        let (succeeded, body) = read(token::token(State(app), request).await).await;
        let held = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let access = held("access_token").map(Held::Access);
        let refresh = held("refresh_token").map(Held::Refresh);
        Answer { succeeded, holds: access.into_iter().chain(refresh).collect(), says: body.to_string() }
    })
}

async fn read(response: Response) -> (bool, Value) {
    let succeeded = response.status().is_success();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (succeeded, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// By the consent that is remembered.
async fn authorize_silently(app: Arc<App>, scene: Scene) -> Answer {
    let response = authorize::show(State(app), scene.silent_request()).await;
    let location = response.headers().get(header::LOCATION).map(|value| value.to_str().unwrap().to_owned());
    let code = location.as_deref().and_then(|to| {
        let query = to.split_once('?')?.1;
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
    });
    let succeeded = code.is_some();
    let says = location.unwrap_or_else(|| response.status().to_string());
    Answer { succeeded, holds: code.into_iter().map(Held::Code).collect(), says }
}

/// What the consent page's answer does before it goes on to the code, as [`authorize_silently`] does.
async fn agree(app: Arc<App>, scene: Scene) -> Answer {
    let no = |says: &str| Answer { succeeded: false, holds: Vec::new(), says: says.to_owned() };
    let Ok(flow) = flow::load(&app, &scene.flow).await else { return no("the request has expired") };
    let Some(signed_in) = find_signed_in(&app, Some(scene.session.cookie)).await.unwrap() else {
        return no("nobody is signed in");
    };
    match consent::give_consent(&app, &flow, &signed_in).await {
        Ok(()) => Answer { succeeded: true, holds: Vec::new(), says: "agreed".to_owned() },
        Err(why) => no(&why.to_string()),
    }
}

async fn begin_session(app: Arc<App>, scene: Scene) -> Answer {
    let name = scene.user.user_name.clone();
    let credentials =
        Credentials { user_name: &name, password: PASSWORD, address: None, user_agent: None, device_names: &[] };
    match sign_in(&app, credentials).await {
        Ok(begun) => signed_in(begun.session),
        Err(why) => refused(&why),
    }
}

fn signed_in(session: Session) -> Answer {
    Answer {
        succeeded: true,
        says: format!("session of {}", session.position),
        holds: vec![Held::Session(Box::new(session))],
    }
}

fn refused(why: &SignInError) -> Answer {
    Answer { succeeded: false, holds: Vec::new(), says: why.to_string() }
}

/// The sign-in with its two first steps exchanged.
async fn begin_session_stamped_late(app: Arc<App>, scene: Scene) -> Answer {
    app.pace.at("stamp").await;
    let user = app.records.store.find_user_by_name(&scene.user.user_name).await.unwrap().unwrap();
    if !user.enabled {
        return refused(&SignInError::Refused);
    }
    app.pace.at("read user").await;
    let position = app.live.stamp();
    let session = Session {
        id: rescind::clock::fresh_id("s_"),
        cookie: Secret::form(Kind::SessionCookie, &rescind::clock::random()).hash(),
        position,
        ..scene.session
    };
    let authentication =
        Authentication { session: session.id.clone(), position, at: app.now(), methods: vec!["pwd".to_owned()] };
    let begun = SignIn { session: session.clone(), authentication };
    app.pace.at("submit").await;
    match app.queue.submit(Lane::Issuing, move |door| door.sign_in(&begun)).await {
        Ok(()) => signed_in(session),
        Err(why) => refused(&why.into()),
    }
}

async fn prove_again(app: Arc<App>, scene: Scene) -> Answer {
    let known = app.records.find_session(&scene.session.id).await.unwrap().unwrap();
    match reauthenticate(&app, &known, PASSWORD).await {
        Ok(made) => Answer { succeeded: true, holds: vec![Held::Proof], says: format!("proof of {}", made.position) },
        Err(why) => refused(&why),
    }
}

async fn revoke_grant(app: Arc<App>, scene: Scene) -> Answer {
    let request = scene.client_post("/revoke", &[("token", &scene.refresh)]);
    let (succeeded, body) = read(revoke::revoke(State(app), request).await).await;
    Answer { succeeded, holds: Vec::new(), says: body.to_string() }
}

fn end(stage: &Stage, target: &Value) -> Running {
    administer(stage, "POST", "/revocations", &json!({ "target": target, "reason": "policy" }))
}

fn administer(stage: &Stage, method: &str, path: &str, body: &Value) -> Running {
    let request = Request::builder()
        .method(method)
        .uri(format!("/admin/v1{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let router = stage.admin.clone();
    Box::pin(async move {
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let (succeeded, body) = read(response).await;
        // Of two who change one thing at once, the later is told to look again.
        assert!(succeeded || status == StatusCode::CONFLICT, "{status} {body}");
        Answer { succeeded, holds: Vec::new(), says: body.to_string() }
    })
}
