//! Signing out at a client's wish (OpenID Connect RP-Initiated Logout 1.0): GET and POST `/logout`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_jose::Kind;
use rescind_ledger::{Ended, Feature, Initiator, Lane, LedgerError, Order, Reason, Session, Target};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{object, text},
    },
    protocol::{
        authorization_request::location,
        authorize::redirect,
        browser::{Browser, FormKind, Posted},
        feature,
        form::{Form, read_form},
        pages::{Back, SignOut, SignedOut, Site, StillSignedIn, page},
        signed_in::{SignedIn, find_signed_in},
        trouble::Trouble,
    },
};

/// What a client wishes for. It travels in the field `flow` of the page that asks the user, where `csrf` seals it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Wish {
    client: Option<String>,
    /// An address that this client has registered for the purpose.
    return_to: Option<String>,
    state: Option<String>,
}

/// What an ID token says about the session it came from. It may have expired (section 2).
#[derive(Deserialize)]
struct Hint {
    iss: String,
    aud: String,
    sid: Option<String>,
}

/// `GET /logout`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    if !feature::is_on(&app, Feature::EndSession) {
        return Trouble::SwitchedOff.page(&app);
    }
    let (parts, _) = request.into_parts();
    let answered = match Form::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        Ok(form) => wished(&app, &parts.headers, &form).await,
        Err(why) => Err(why.into()),
    };
    answered.unwrap_or_else(|trouble: Trouble| trouble.page(&app))
}

/// `POST /logout`: a client's wish as a form, or the user's answer.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    if !feature::is_on(&app, Feature::EndSession) {
        return Trouble::SwitchedOff.page(&app);
    }
    posted(&app, request).await.unwrap_or_else(|trouble| trouble.page(&app))
}

async fn posted(app: &App, request: Request) -> Result<Response, Trouble> {
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    if form.find("decision").is_none() {
        return wished(app, &parts.headers, &form).await;
    }
    let posted = Posted::check(app, parts, form, &[FormKind::SignOut])?;
    let wish = Wish::unpack(&posted.flow).ok_or(Trouble::NotFromHere)?;
    let signed_in = find_signed_in(app, posted.browser.session()).await?;
    match signed_in {
        Some(signed_in) if posted.form.find("decision") != Some("sign-out") => Ok(stayed(app, &signed_in, &wish)),
        Some(signed_in) => {
            end_session(app, signed_in.record()).await?;
            signed_out(app, posted.browser, &wish)
        }
        None => signed_out(app, posted.browser, &wish),
    }
}

/// Ends the session at once only if the client shows an ID token of this very session: nobody else's link or form can. For
/// any other wish the user is asked.
async fn wished(app: &App, headers: &HeaderMap, form: &Form) -> Result<Response, Trouble> {
    let browser = Browser::of(&app.config.issuer, headers);
    let (wish, sid) = Wish::read(app, form)?;
    let Some(signed_in) = find_signed_in(app, browser.session()).await? else {
        return signed_out(app, browser, &wish);
    };
    if sid.as_ref() == Some(&signed_in.record().id) {
        end_session(app, signed_in.record()).await?;
        return signed_out(app, browser, &wish);
    }
    ask(app, &browser, &signed_in, &wish)
}

/// Ends a session because its user signed out. What is bound to it ends with it.
///
/// # Errors
/// If it cannot be written down: then nothing has ended.
pub async fn end_session(app: &App, session: &Session) -> Result<Ended, LedgerError> {
    let target = Target::Session { session: session.id.clone() };
    let order = Order::new(target, Reason::Logout, Initiator::User(session.user.clone()));
    app.pace.at("submit").await;
    app.submit(Lane::Ending, move |door| door.end(&order)).await
}

impl Wish {
    /// Reads what a client asks for; with it, the session that its ID token came from.
    fn read(app: &App, form: &Form) -> Result<(Self, Option<String>), Trouble> {
        let named = form.find("client_id");
        let hint = match form.find("id_token_hint") {
            None => None,
            // A hint that is none tells whose wish this is as little as no hint, whatever else is said beside it.
            Some(token) => match find_hint(app, token) {
                Some(hint) => Some(hint),
                None => return Ok((Self::default(), None)),
            },
        };
        if let (Some(named), Some(hint)) = (named, &hint)
            && named != hint.aud
        {
            return Err(Trouble::BadRequest("The application that sent you here is not the one it says it is."));
        }
        let client = hint.as_ref().map(|hint| hint.aud.as_str()).or(named);
        let client = client.and_then(|id| app.live.client(id)).filter(|client| client.enabled);
        let registered = |uri: &&str| {
            client.as_ref().is_some_and(|client| client.post_logout_redirect_uris.iter().any(|one| one == uri))
        };
        let return_to = form.find("post_logout_redirect_uri").filter(registered).map(str::to_owned);
        let state = form.find("state").filter(|_| return_to.is_some()).map(str::to_owned);
        let wish = Self { client: client.map(|client| client.id.clone()), return_to, state };
        Ok((wish, hint.and_then(|hint| hint.sid)))
    }

    fn pack(&self) -> Result<String, Trouble> {
        let json = serde_json::to_vec(self).map_err(|why| {
            tracing::error!(error = %why, "a wish to sign out cannot be written down");
            Trouble::Server
        })?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    fn unpack(flow: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(flow).ok()?).ok()
    }

    fn client_name(&self, app: &App) -> Option<String> {
        self.client.as_ref().and_then(|id| app.live.client(id)).map(|client| client.name.clone())
    }

    fn address(&self) -> Option<String> {
        self.return_to.as_ref().map(|uri| location(uri, &[("state", self.state.as_deref())]))
    }
}

fn find_hint(app: &App, token: &str) -> Option<Hint> {
    let verified = app.keys.ring().published.verify::<Hint>(token, Kind::IdToken).ok()?;
    Some(verified.claims).filter(|hint| hint.iss == app.config.issuer)
}

fn ask(app: &App, browser: &Browser, signed_in: &SignedIn, wish: &Wish) -> Result<Response, Trouble> {
    let (flow, application) = (wish.pack()?, wish.client_name(app));
    let site = Site::of(&app.config.issuer);
    let form = SignOut {
        site,
        action: &site.path("/logout"),
        csrf: &browser.seal(&app.keys.csrf, FormKind::SignOut, &flow),
        flow: &flow,
        user: signed_in.person(),
        application: application.as_deref(),
    };
    let origins: Vec<&str> = wish.return_to.as_deref().into_iter().collect();
    Ok(browser.remember(page(StatusCode::OK, &form, &origins)))
}

fn signed_out(app: &App, mut browser: Browser, wish: &Wish) -> Result<Response, Trouble> {
    if browser.session().is_some() {
        browser.end_session();
    }
    let response = match wish.address() {
        Some(address) => redirect(&address)?,
        None => page(StatusCode::OK, &SignedOut { site: Site::of(&app.config.issuer), back: None }, &[]),
    };
    Ok(browser.remember(response))
}

/// The client is not told that somebody stayed, but the way back is shown.
fn stayed(app: &App, signed_in: &SignedIn, wish: &Wish) -> Response {
    let (name, address) = (wish.client_name(app), wish.address());
    let back = name.as_deref().zip(address.as_deref()).map(|(name, url)| Back { name, url });
    page(StatusCode::OK, &StillSignedIn { site: Site::of(&app.config.issuer), user: signed_in.person(), back }, &[])
}

const PARAMETERS: [(&str, &str); 4] = [
    ("id_token_hint", "Whose session is meant, by an ID token that may have expired."),
    ("client_id", "Who asks."),
    ("post_logout_redirect_uri", "One of the registered ones, letter by letter."),
    ("state", "Comes back with the answer."),
];

fn describe(it: Description) -> Description {
    it.gives_page(200).redirects("Back to the application, if its address is registered.").refuses(&[400, 403])
}

pub(super) fn describe_query(it: Description) -> Description {
    describe(PARAMETERS.into_iter().fold(it, |it, (name, about)| it.query(name, text(), about)))
}

pub(super) fn describe_form(it: Description) -> Description {
    let form = PARAMETERS.into_iter().fold(object(), |form, (name, _)| form.may(name, text()));
    describe(it.form(form.may("flow", text()).may("csrf", text()).may("decision", text()).open()))
}
