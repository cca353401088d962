//! Signing in with a password, and proving again who one is in a session there is.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use rescind_check::Position;
use rescind_ledger::{
    Authentication, Kind, Lane, LedgerError, Reads, Secret, Session, SignIn, StoreError, Timestamp, User,
};

use crate::{
    app::App,
    clock::{fresh_id, random},
    external_id::ExternalId,
    openapi::{
        Description,
        shape::{object, text},
    },
    peer::{self, Peer},
    protocol::{
        account,
        authorize::{self, Visit},
        browser::{FormKind, Posted},
        device, flow,
        issue::Progress,
        pages::{self, Ask, Site},
        password,
        session_limit::find_limit,
        signed_in::{SignedIn, find_signed_in},
        throttle::TooMany,
        trouble::Trouble,
    },
    records::KnownSession,
};

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No such user, a wrong password, or an account that is switched off: nobody is told which.
    #[error("user name and password do not match")]
    Refused,
    /// The device it comes from is switched off.
    #[error("this device is not allowed to sign in")]
    DeviceDisabled,
    /// The user was revoked while the password was checked.
    #[error("something was revoked meanwhile")]
    Revoked,
    #[error(transparent)]
    Ledger(LedgerError),
}

impl From<LedgerError> for SignInError {
    fn from(why: LedgerError) -> Self {
        match why {
            LedgerError::Revoked => Self::Revoked,
            other => Self::Ledger(other),
        }
    }
}

impl From<StoreError> for SignInError {
    fn from(why: StoreError) -> Self {
        Self::Ledger(why.into())
    }
}

/// Somebody who says who they are.
pub struct Credentials<'a> {
    pub user_name: &'a str,
    pub password: &'a str,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// What the request says of the device it comes from, as [`device::names`] reads it.
    pub device_names: &'a [ExternalId],
}

/// The authentication source of users who sign in with a password of ours.
pub const PASSWORD_SOURCE: &str = "password";

/// The session cookie of a new session, and its record.
pub struct Begun {
    pub cookie: Secret,
    pub session: Session,
}

/// Begins a session.
///
/// # Errors
/// [`SignInError::Refused`] for wrong credentials of any kind; [`SignInError::DeviceDisabled`] before they are looked at.
pub async fn sign_in(app: &App, credentials: Credentials<'_>) -> Result<Begun, SignInError> {
    let position = stamp(app).await;
    let device = find_device(app, credentials.device_names).await?;
    app.pace.at("read user").await;
    let user = app.records.store.find_user_by_name(credentials.user_name).await?;
    let user = prove(app, user, credentials.password).await?;
    let now = app.now();
    let limits = app.lifetimes().password_session;
    let cookie = Secret::form(Kind::SessionCookie, &random());
    let session = Session {
        id: fresh_id("s_"),
        cookie: cookie.hash(),
        user: user.id,
        source: PASSWORD_SOURCE.to_owned(),
        device,
        ip: credentials.address.map(|address| address.to_string()),
        user_agent: credentials.user_agent,
        position,
        started_at: now,
        touched_at: now,
        idle_secs: u32::try_from(limits.idle.as_secs()).unwrap_or(u32::MAX),
        expires_at: now.plus(limits.max),
    };
    let authentication = authentication(&session.id, position, now);
    let sign_in = SignIn { session: session.clone(), authentication };
    let limit = find_limit(app, &session.user, now).await?;
    app.pace.at("submit").await;
    let work = app.submit(Lane::Issuing, move |door| {
        door.sign_in(&sign_in)?;
        limit.iter().try_for_each(|limit| door.make_room(&sign_in.session, limit).map(drop))
    });
    work.await?;
    Ok(Begun { cookie, session })
}

/// Notes that the user of a session has proved again who they are.
///
/// # Errors
/// [`SignInError::Refused`] for a wrong password or a user who may no longer sign in.
pub async fn reauthenticate(app: &App, known: &KnownSession, password: &str) -> Result<Authentication, SignInError> {
    let position = stamp(app).await;
    app.pace.at("read user").await;
    let user = app.records.store.find_user(&known.record.user).await?;
    prove(app, user, password).await?;
    let authentication = authentication(&known.record.id, position, app.now());
    let (session, written) = (known.current(), authentication.clone());
    app.pace.at("submit").await;
    app.submit(Lane::Issuing, move |door| door.reauthenticate(&session, &written)).await?;
    // Written down it is already, so that nothing more is to do.
    let _ = known.touch(authentication.at);
    known.activity.keep(authentication.at);
    Ok(authentication)
}

/// Before anything about the user is read (DESIGN rule 1): whatever is revoked from now on ends what comes of this.
async fn stamp(app: &App) -> Position {
    app.pace.at("stamp").await;
    app.live.stamp()
}

/// The id of the device that a sign-in comes from, if it is known and may be used.
async fn find_device(app: &App, names: &[ExternalId]) -> Result<Option<String>, SignInError> {
    match device::find(app, names).await? {
        Some(device) if !device.enabled => {
            tracing::info!(device = device.id, "a sign-in on a device that is switched off was refused");
            Err(SignInError::DeviceDisabled)
        }
        found => Ok(found.map(|device| device.id)),
    }
}

async fn prove(app: &App, user: Option<User>, password: &str) -> Result<User, SignInError> {
    let phc = user.as_ref().and_then(|user| user.password_hash.clone());
    let matches = password::check(&app.pace, phc, password).await;
    user.filter(|user| matches && user.enabled).ok_or(SignInError::Refused)
}

/// A proof of who a user is, by password.
pub(super) fn authentication(session: &str, position: Position, at: Timestamp) -> Authentication {
    Authentication { session: session.to_owned(), position, at, methods: vec!["pwd".to_owned()] }
}

/// `POST /sign-in`: the sign-in page, the password page or the choice of an account.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    match answer(&app, request).await {
        Ok(response) => response,
        Err(trouble) => trouble.page(&app),
    }
}

async fn answer(app: &App, request: Request) -> Result<Response, Trouble> {
    let posted = Posted::read(app, request, &[FormKind::SignIn, FormKind::Password, FormKind::Account]).await?;
    if posted.flow == account::FLOW {
        return account::sign_in(app, posted).await;
    }
    let flow = flow::load(app, &posted.flow).await?;
    let Posted { browser, parts, form, kind, .. } = posted;
    let mut visit = Visit { browser, flow };
    if form.find("choice") == Some("another") {
        // A hint at the account that is not wanted would only be in the way.
        visit.flow.request.login_hint = None;
        return ask_credentials(app, &mut visit, None).await;
    }
    if kind == FormKind::Account {
        return authorize::go_on(app, visit, Progress::AccountChosen).await;
    }
    let password = form.find("password").unwrap_or_default();
    if kind == FormKind::Password {
        return prove_again(app, visit, &parts, password).await;
    }
    let typed = form.find("username").unwrap_or_default();
    visit.flow.request.login_hint = Some(typed.to_owned());
    match attempt(app, &parts, typed, password).await? {
        Ok(begun) => {
            visit.browser.begin_session(&begun.cookie);
            if visit.flow.request.subject.as_ref().is_some_and(|expected| *expected != begun.session.user) {
                return ask_credentials(app, &mut visit, Some(Wrong::Person)).await;
            }
            authorize::go_on(app, visit, Progress::Authenticated).await
        }
        Err(denied) => Ok(denied.slow_down(ask_credentials(app, &mut visit, Some(denied.wrong)).await?)),
    }
}

/// Why an attempt signed nobody in.
pub struct Denied {
    pub wrong: Wrong,
    too_many: Option<TooMany>,
}

impl Denied {
    /// Says on a page when to try again, if it was too soon.
    #[must_use]
    pub fn slow_down(&self, response: Response) -> Response {
        match &self.too_many {
            Some(too_many) => slow_down(response, too_many),
            None => response,
        }
    }
}

/// One attempt at a sign-in form: throttled, and only then checked.
pub async fn attempt(
    app: &App,
    parts: &Parts,
    user_name: &str,
    password: &str,
) -> Result<Result<Begun, Denied>, Trouble> {
    let address = address(app, parts);
    let attempt = match app.throttle.attempt(user_name, address, app.now()) {
        Ok(attempt) => attempt,
        Err(too_many) => return Ok(Err(Denied { wrong: Wrong::TooMany, too_many: Some(too_many) })),
    };
    let device_names = device::names(app, parts);
    let user_agent = user_agent(parts);
    let credentials = Credentials { user_name, password, address, user_agent, device_names: &device_names };
    match sign_in(app, credentials).await {
        Ok(begun) => {
            app.throttle.give_back(&attempt);
            Ok(Ok(begun))
        }
        Err(SignInError::DeviceDisabled) => {
            // Nobody looked at the password: nothing was guessed.
            app.throttle.give_back(&attempt);
            Err(Trouble::DeviceDisabled)
        }
        Err(why) => Ok(Err(Denied { wrong: wrong(why)?, too_many: None })),
    }
}

/// The password page: the user is the session's, whatever name the form may hold.
async fn prove_again(app: &App, mut visit: Visit, parts: &Parts, password: &str) -> Result<Response, Trouble> {
    let Some(signed_in) = find_signed_in(app, visit.browser.session()).await? else {
        return ask_credentials(app, &mut visit, None).await;
    };
    let attempt = match app.throttle.attempt(&signed_in.user.user_name, address(app, parts), app.now()) {
        Ok(attempt) => attempt,
        Err(too_many) => {
            return Ok(slow_down(ask_password(app, &mut visit, &signed_in, Some(Wrong::TooMany)).await?, &too_many));
        }
    };
    match reauthenticate(app, &signed_in.session, password).await {
        Ok(_) => {
            app.throttle.give_back(&attempt);
            authorize::go_on(app, visit, Progress::Authenticated).await
        }
        Err(why) => ask_password(app, &mut visit, &signed_in, Some(wrong(why)?)).await,
    }
}

/// What a page says of the last attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Meanwhile,
    Password,
    Person,
    TooMany,
}

impl Wrong {
    /// The status and the sentence.
    pub fn words(self) -> (StatusCode, &'static str) {
        match self {
            Self::Meanwhile => (StatusCode::OK, "Something about your account has just changed. Try again."),
            Self::Password => (StatusCode::OK, "User name and password do not match."),
            Self::Person => {
                (StatusCode::OK, "The application asks for the account you used there before. Sign in with that one.")
            }
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "Too many attempts. Wait a minute and try again."),
        }
    }
}

fn wrong(why: SignInError) -> Result<Wrong, Trouble> {
    match why {
        SignInError::DeviceDisabled => Err(Trouble::DeviceDisabled),
        SignInError::Refused => Ok(Wrong::Password),
        SignInError::Revoked => Ok(Wrong::Meanwhile),
        SignInError::Ledger(why) => Err(why.into()),
    }
}

pub(super) fn slow_down(mut response: Response, too_many: &TooMany) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(too_many.retry_after_secs));
    response
}

/// The page that asks for user name and password.
pub async fn ask_credentials(app: &App, visit: &mut Visit, wrong: Option<Wrong>) -> Result<Response, Trouble> {
    let username = visit.flow.request.login_hint.clone().unwrap_or_default();
    ask(app, visit, FormKind::SignIn, Ask::Credentials { username: &username }, wrong).await
}

/// The page that asks a user for the password again.
pub async fn ask_password(
    app: &App,
    visit: &mut Visit,
    signed_in: &SignedIn,
    wrong: Option<Wrong>,
) -> Result<Response, Trouble> {
    ask(app, visit, FormKind::Password, Ask::Password { user: signed_in.person() }, wrong).await
}

/// The page that asks whether to go on with the account there is.
pub async fn ask_account(app: &App, visit: &mut Visit, signed_in: &SignedIn) -> Result<Response, Trouble> {
    ask(app, visit, FormKind::Account, Ask::Account { user: signed_in.person() }, None).await
}

async fn ask(
    app: &App,
    visit: &mut Visit,
    kind: FormKind,
    ask: Ask<'_>,
    wrong: Option<Wrong>,
) -> Result<Response, Trouble> {
    let handle = visit.flow.keep(app).await?;
    let (status, error) = wrong.map_or((StatusCode::OK, None), |wrong| {
        let (status, words) = wrong.words();
        (status, Some(words))
    });
    let site = Site::of(&app.config.issuer);
    let page = pages::SignIn {
        site,
        action: &site.path("/sign-in"),
        csrf: &visit.browser.seal(&app.keys.csrf, kind, &handle),
        flow: &handle,
        application: Some(&visit.flow.client.name),
        ask,
        error,
    };
    Ok(visit.browser.remember(pages::page(status, &page, &[&visit.flow.request.redirect_uri])))
}

/// Where a request comes from.
pub fn address(app: &App, parts: &Parts) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>()?;
    Some(peer::client_address(peer, &parts.headers, &app.config.proxy))
}

/// What the browser calls itself, cut to what is worth keeping.
fn user_agent(parts: &Parts) -> Option<String> {
    let text = parts.headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.chars().take(USER_AGENT_LIMIT).collect())
}

/// In bytes: the text of a header that can be read is ASCII.
const USER_AGENT_LIMIT: usize = 256;

/// The form of the page.
pub(super) fn describe(it: Description) -> Description {
    let form = object().with("flow", text()).with("csrf", text()).may("username", text()).may("password", text());
    it.form(form.may("choice", text()).open())
        .gives_page(200)
        .redirects("Back to the application, or to the account page.")
        .refuses(&[400, 401, 403, 429])
}
