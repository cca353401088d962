//! A user changes their own password: GET and POST `/account/password`. Everything else of theirs ends with the old one.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use rescind_ledger::{Kind, Lane, LedgerError, OwnPassword, PasswordChanged, Secret, Session, SignIn};
use zeroize::Zeroizing;

use super::{PATH, to_overview};
use crate::{
    app::App,
    clock::{fresh_id, random},
    openapi::{
        Description,
        shape::{object, text},
    },
    protocol::{
        browser::{Browser, FormKind, Posted},
        pages::{NewPassword, PasswordSet, Site, page},
        password::{self, Unusable},
        sign_in::{address, authentication, slow_down},
        signed_in::{SignedIn, find_signed_in},
        throttle::TooMany,
        trouble::Trouble,
    },
};

/// Where the form is, below the issuer.
const FORM: &str = "/account/password";
/// The field `flow` of the form.
const FLOW: &str = "password";

/// `GET /account/password`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let browser = Browser::of(&app.config.issuer, request.headers());
    asked(&app, browser).await.unwrap_or_else(|trouble| trouble.page(&app))
}

/// `POST /account/password`.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    changed(&app, request).await.unwrap_or_else(|trouble| trouble.page(&app))
}

async fn asked(app: &App, browser: Browser) -> Result<Response, Trouble> {
    match find_signed_in(app, browser.session()).await? {
        Some(signed_in) => Ok(ask(app, &browser, &signed_in, None)),
        None => to_overview(app),
    }
}

/// Why the password stayed as it was.
enum Wrong {
    Old,
    TooMany(TooMany),
    Unusable(Unusable),
    Different,
    Same,
    Meanwhile,
}

impl Wrong {
    fn words(&self) -> (StatusCode, String) {
        match self {
            Self::Old => (StatusCode::OK, "That is not your present password.".to_owned()),
            Self::TooMany(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many attempts. Wait a minute and try again.".to_owned())
            }
            Self::Unusable(Unusable::TooShort) => {
                (StatusCode::OK, format!("The new password is too short: it needs {} characters.", password::SHORTEST))
            }
            Self::Unusable(_) => (StatusCode::OK, "The new password cannot be used. Choose another.".to_owned()),
            Self::Different => (StatusCode::OK, "The two new passwords are not the same.".to_owned()),
            Self::Same => (StatusCode::OK, "That is your present password already.".to_owned()),
            Self::Meanwhile => (StatusCode::OK, "Something about your account has just changed. Try again.".to_owned()),
        }
    }
}

fn ask(app: &App, browser: &Browser, signed_in: &SignedIn, wrong: Option<&Wrong>) -> Response {
    let site = Site::of(&app.config.issuer);
    let (status, error) = wrong.map_or((StatusCode::OK, None), |wrong| {
        let (status, words) = wrong.words();
        (status, Some(words))
    });
    let form = NewPassword {
        site,
        action: &site.path(FORM),
        csrf: &browser.seal(&app.keys.csrf, FormKind::NewPassword, FLOW),
        flow: FLOW,
        account: &site.path(PATH),
        user: signed_in.person(),
        keeps_session: app.settings().keep_session_on_own_password_change,
        ends_others: app.settings().revoke_on_password_changed,
        error: error.as_deref(),
    };
    let response = browser.remember(page(status, &form, &[]));
    match wrong {
        Some(Wrong::TooMany(too_many)) => slow_down(response, too_many),
        _ => response,
    }
}

async fn changed(app: &App, request: Request) -> Result<Response, Trouble> {
    let mut posted = Posted::read(app, request, &[FormKind::NewPassword]).await?;
    let Some(signed_in) = find_signed_in(app, posted.browser.session()).await? else { return to_overview(app) };
    let typed = |name| Zeroizing::new(posted.form.find(name).unwrap_or_default().to_owned());
    let (old, new, again) = (typed("password"), typed("new_password"), typed("new_password_again"));
    let outcome = match prepare(app, &posted.parts, &signed_in, [&old, &new, &again]).await? {
        Ok(own) => write(app, own).await?,
        Err(wrong) => Err(wrong),
    };
    let (outcome, cookie) = match outcome {
        Ok(done) => done,
        Err(wrong) => return Ok(ask(app, &posted.browser, &signed_in, Some(&wrong))),
    };
    match outcome {
        PasswordChanged::GoesOn(_) => posted.browser.begin_session(&cookie),
        PasswordChanged::SignedOut(_) => posted.browser.end_session(),
        PasswordChanged::NothingEnded => {}
    }
    let site = Site::of(&app.config.issuer);
    let done = PasswordSet {
        site,
        account: &site.path(PATH),
        signed_in: !matches!(outcome, PasswordChanged::SignedOut(_)),
        ended: !matches!(outcome, PasswordChanged::NothingEnded),
    };
    Ok(posted.browser.remember(page(StatusCode::OK, &done, &[])))
}

/// Checks what was typed; the present password first, so that only who knows it is told anything.
async fn prepare(
    app: &App,
    parts: &Parts,
    signed_in: &SignedIn,
    [old, new, again]: [&str; 3],
) -> Result<Result<(OwnPassword, Secret), Wrong>, Trouble> {
    let attempt = match app.throttle.attempt(&signed_in.user.user_name, address(app, parts), app.now()) {
        Ok(attempt) => attempt,
        Err(too_many) => return Ok(Err(Wrong::TooMany(too_many))),
    };
    let known = signed_in.user.password_hash.clone();
    let matches = password::check(&app.pace, known.clone(), old).await;
    let Some(old_hash) = known.filter(|_| matches) else { return Ok(Err(Wrong::Old)) };
    app.throttle.give_back(&attempt);
    if new != again {
        return Ok(Err(Wrong::Different));
    }
    if new == old {
        return Ok(Err(Wrong::Same));
    }
    let new_hash = match password::make(Zeroizing::new(new.to_owned())).await {
        Ok(hash) => hash,
        Err(why) => return Ok(Err(Wrong::Unusable(why))),
    };
    let (successor, cookie) = successor(app, signed_in);
    Ok(Ok((OwnPassword { session: signed_in.session.current(), old_hash, new_hash, successor }, cookie)))
}

/// The session under which the browser may go on: on the same device, and as new as the proof that was just given.
fn successor(app: &App, signed_in: &SignedIn) -> (SignIn, Secret) {
    let (now, limits) = (app.now(), app.lifetimes().password_session);
    let cookie = Secret::form(Kind::SessionCookie, &random());
    let session = Session {
        id: fresh_id("s_"),
        cookie: cookie.hash(),
        started_at: now,
        touched_at: now,
        idle_secs: u32::try_from(limits.idle.as_secs()).unwrap_or(u32::MAX),
        expires_at: now.plus(limits.max),
        ..signed_in.record().clone()
    };
    let authentication = authentication(&session.id, session.position, now);
    (SignIn { session, authentication }, cookie)
}

type Done = Result<(PasswordChanged, Secret), Wrong>;

async fn write(app: &App, (own, cookie): (OwnPassword, Secret)) -> Result<Done, Trouble> {
    app.pace.at("submit").await;
    match app.submit(Lane::Ending, move |door| door.change_own_password(&own)).await {
        Ok(outcome) => Ok(Ok((outcome, cookie))),
        Err(LedgerError::Revoked | LedgerError::Refused(_)) => Ok(Err(Wrong::Meanwhile)),
        Err(why) => Err(why.into()),
    }
}

pub(in crate::protocol) fn describe(it: Description) -> Description {
    let form = object().with("flow", text()).with("csrf", text());
    let form = form.may("password", text()).may("new_password", text()).may("new_password_again", text()).open();
    it.form(form).gives_page(200).redirects("To the account page, without a session.").refuses(&[400, 429])
}

pub(in crate::protocol) fn describe_form(it: Description) -> Description {
    it.gives_page(200).redirects("To the account page, without a session.")
}
