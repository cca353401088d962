//! The account page: a user's own sessions and authorized applications, and the end of any of them. GET `/account`,
//! GET and POST `/account/end`.

mod moment;
pub mod password;
mod standing;
mod user_agent;
mod what;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use rescind_ledger::LedgerError;

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{object, text},
    },
    protocol::{
        authorize::redirect,
        browser::{Browser, FormKind, Posted},
        form::Form,
        pages::{self, Account, AccountEnd, AccountEnded, Ask, Closing, Site, page},
        sign_in::{self, Wrong},
        signed_in::find_signed_in,
        trouble::Trouble,
    },
};
use standing::Standing;
use what::What;

/// Where the page is, below the issuer.
pub const PATH: &str = "/account";
const END: &str = "/account/end";

/// The field `flow` of the sign-in form that leads here. There is no request of a client to come back to, so nothing is
/// kept while somebody signs in.
pub const FLOW: &str = "account";

/// `GET /account`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let browser = Browser::of(&app.config.issuer, request.headers());
    overview(&app, browser).await.unwrap_or_else(|trouble| trouble.page(&app))
}

/// `GET /account/end`: asks before anything ends.
pub async fn confirm(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    asked(&app, &parts).await.unwrap_or_else(|trouble| trouble.page(&app))
}

/// `POST /account/end`.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    ended(&app, request).await.unwrap_or_else(|trouble| trouble.page(&app))
}

async fn overview(app: &App, browser: Browser) -> Result<Response, Trouble> {
    let Some(signed_in) = find_signed_in(app, browser.session()).await? else {
        return Ok(ask_credentials(app, &browser, "", None));
    };
    let standing = Standing::load(app, &signed_in).await?;
    let site = Site::of(&app.config.issuer);
    let (sessions, applications) = (standing.sessions().await?, standing.applications().await?);
    let account = Account {
        site,
        change_password: &site.path("/account/password"),
        user: signed_in.person(),
        sign_out: &site.path("/logout"),
        others: standing.others(),
        end_others: &end_link(app, &What::Others),
        sessions: &sessions,
        applications: &applications,
    };
    Ok(browser.remember(page(StatusCode::OK, &account, &[])))
}

/// Answers the sign-in form of this page.
pub async fn sign_in(app: &App, posted: Posted) -> Result<Response, Trouble> {
    let Posted { mut browser, parts, form, .. } = posted;
    let typed = form.find("username").unwrap_or_default();
    match sign_in::attempt(app, &parts, typed, form.find("password").unwrap_or_default()).await? {
        Ok(begun) => {
            browser.begin_session(&begun.cookie);
            Ok(browser.remember(to_overview(app)?))
        }
        Err(denied) => Ok(denied.slow_down(ask_credentials(app, &browser, typed, Some(denied.wrong)))),
    }
}

fn ask_credentials(app: &App, browser: &Browser, username: &str, wrong: Option<Wrong>) -> Response {
    let (status, error) = match wrong.map(Wrong::words) {
        Some((status, words)) => (status, Some(words)),
        None => (StatusCode::OK, None),
    };
    let site = Site::of(&app.config.issuer);
    let form = pages::SignIn {
        site,
        action: &site.path("/sign-in"),
        csrf: &browser.seal(&app.keys.csrf, FormKind::SignIn, FLOW),
        flow: FLOW,
        application: None,
        ask: Ask::Credentials { username },
        error,
    };
    browser.remember(page(status, &form, &[]))
}

async fn asked(app: &App, parts: &Parts) -> Result<Response, Trouble> {
    let browser = Browser::of(&app.config.issuer, &parts.headers);
    let Some(signed_in) = find_signed_in(app, browser.session()).await? else { return to_overview(app) };
    let query = Form::parse(parts.uri.query().unwrap_or_default().as_bytes())?;
    let what = What::read(&query).ok_or(Trouble::NotFound)?;
    if what == What::Session(signed_in.record().id.clone()) {
        return redirect(&format!("{}/logout", app.config.issuer));
    }
    let standing = Standing::load(app, &signed_in).await?;
    let closing = closing(&standing, &what).await?.ok_or(Trouble::NotFound)?;
    let (flow, site) = (what.pack(), Site::of(&app.config.issuer));
    let form = AccountEnd {
        site,
        action: &site.path(END),
        csrf: &browser.seal(&app.keys.csrf, FormKind::End, &flow),
        flow: &flow,
        account: &site.path(PATH),
        closing: &closing,
    };
    Ok(browser.remember(page(StatusCode::OK, &form, &[])))
}

/// What would end, in words; nothing that is not the user's own or does not count any more.
async fn closing(standing: &Standing<'_>, what: &What) -> Result<Option<Closing>, Trouble> {
    Ok(match what {
        What::Session(id) => standing.find_session(id).await?.map(|session| Closing::Session(Box::new(session))),
        What::Others => Some(standing.others()).filter(|others| *others > 0).map(Closing::Others),
        What::Application(id) => standing.find_application(id).map(Closing::Application),
    })
}

async fn ended(app: &App, request: Request) -> Result<Response, Trouble> {
    let posted = Posted::read(app, request, &[FormKind::End]).await?;
    let what = What::unpack(&posted.flow).ok_or(Trouble::NotFromHere)?;
    let Some(signed_in) = find_signed_in(app, posted.browser.session()).await? else { return to_overview(app) };
    let standing = Standing::load(app, &signed_in).await?;
    // Asked again, though `csrf` says that this very session was shown it: it may have ended meanwhile, by a first click.
    let closing = match closing(&standing, &what).await? {
        None => Closing::Nothing,
        Some(closing) => match what.end(app, &signed_in).await {
            Ok(ended) => closing.with_count(ended),
            Err(LedgerError::Revoked) => return to_overview(app),
            Err(why) => return Err(why.into()),
        },
    };
    let site = Site::of(&app.config.issuer);
    let done = AccountEnded { site, account: &site.path(PATH), closing: &closing };
    Ok(posted.browser.remember(page(StatusCode::OK, &done, &[])))
}

fn to_overview(app: &App) -> Result<Response, Trouble> {
    redirect(&format!("{}{PATH}", app.config.issuer))
}

fn end_link(app: &App, what: &What) -> String {
    Site::of(&app.config.issuer).path(&format!("{END}?{}", what.query()))
}

pub(super) fn describe_confirm(it: Description) -> Description {
    it.says("Exactly one of the three says what is to end.")
        .query("session", text(), "A session's id.")
        .query("application", text(), "A client's id.")
        .query("others", text(), "All sessions but this one.")
        .gives_page(200)
        .redirects("To the account page without a session, or to `/logout`.")
        .refuses(&[400, 404])
}

pub(super) fn describe_submit(it: Description) -> Description {
    let form = object().with("flow", text()).with("csrf", text()).open();
    it.form(form).gives_page(200).redirects("To the account page, without a session.").refuses(&[400])
}
