//! The authorization endpoint (RFC 6749 section 3.1, OpenID Connect Core section 3.1.2): GET and POST `/authorize`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{Members, name, object, text},
    },
    protocol::{
        authorization_request::{AuthorizationRequest, REQUEST_URI, Refusal, find_registered, location},
        browser::Browser,
        consent,
        flow::{self, Flow},
        form::{Form, read_form},
        issue::{Next, Over, Progress, advance},
        sign_in,
        trouble::Trouble,
    },
};

/// A browser with the request that brought it here.
pub struct Visit {
    pub browser: Browser,
    pub flow: Flow,
}

/// Longer queries are not sent back as an address: they might not fit into the header of a request.
const ADDRESS_LIMIT: usize = 4096;

/// `GET /authorize`.
pub async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let begun = match Form::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        Ok(form) => begin(&app, &parts, &form).await,
        Err(why) => Err(why.into()),
    };
    begun.unwrap_or_else(|trouble: Trouble| trouble.page(&app))
}

/// `POST /authorize`.
pub async fn submit(State(app): State<Arc<App>>, request: Request) -> Response {
    let begun = match read_form(request, app.config.limits.body_bytes).await {
        Ok((parts, form)) => begin_posted(&app, &parts, &form).await,
        Err(why) => Err(why.into()),
    };
    begun.unwrap_or_else(|trouble| trouble.page(&app))
}

/// A browser leaves `SameSite=Lax` cookies out of a POST that another site caused. It brings them when it follows a
/// redirect, so that a user who is signed in is not asked to do so again.
async fn begin_posted(app: &App, parts: &Parts, form: &Form) -> Result<Response, Trouble> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(form.pairs()).finish();
    let is_nobodys = form.find("client_id").is_none();
    let is_known = Browser::of(&app.config.issuer, &parts.headers).session().is_some();
    if is_nobodys || is_known || query.len() > ADDRESS_LIMIT {
        return begin(app, parts, form).await;
    }
    redirect(&format!("{}/authorize?{query}", app.config.issuer))
}

async fn begin(app: &App, parts: &Parts, form: &Form) -> Result<Response, Trouble> {
    let browser = Browser::of(&app.config.issuer, &parts.headers);
    if browser.session().is_none() {
        // What a stranger begins is written down until somebody signs in.
        app.beginnings.admit(sign_in::address(app, parts), app.now()).map_err(Trouble::TooMany)?;
    }
    match open(app, form).await? {
        Opened::Flow(flow) => go_on(app, Visit { browser, flow: *flow }, Progress::Begun).await,
        Opened::Refused { redirect_uri, state, refusal } => refused(app, &redirect_uri, state.as_deref(), &refusal),
    }
}

/// What came of reading a request.
pub enum Opened {
    Flow(Box<Flow>),
    /// The client is to hear of a mistake.
    Refused {
        redirect_uri: String,
        state: Option<String>,
        refusal: Refusal,
    },
}

/// Reads an authorization request: its own parameters, or those its client pushed.
///
/// # Errors
/// As long as the redirect URI is not known to be the client's, the error stays here (RFC 6749 section 4.1.2.1).
pub async fn open(app: &App, form: &Form) -> Result<Opened, Trouble> {
    const NOBODY: Trouble =
        Trouble::BadRequest("The application that sent you here is not known, or has been switched off.");
    let id = form.find("client_id").ok_or(Trouble::BadRequest("It does not say which application sent you here."))?;
    if let Some(pushed) = form.find("request_uri").and_then(|uri| uri.strip_prefix(REQUEST_URI)) {
        return Ok(Opened::Flow(Box::new(flow::open_pushed(app, pushed, id).await?)));
    }
    app.pace.at("stamp").await;
    let (position, client) = app.live.stamped_client(id);
    let client = client.filter(|client| client.enabled).ok_or(NOBODY)?;
    let redirect_uri = form.find("redirect_uri").filter(|uri| find_registered(&client, uri).is_some()).ok_or(
        Trouble::BadRequest("The application asks for you to be sent to an address that is not registered for it."),
    )?;
    let read = if client.require_pushed_authorization_requests {
        Err(Refusal::new("invalid_request", "this client has to push its authorization requests"))
    } else {
        AuthorizationRequest::read(app, &client, redirect_uri, form)
    };
    Ok(match read {
        Ok(request) => Opened::Flow(Box::new(Flow { request, client, position, begun_at: app.now(), handle: None })),
        Err(refusal) => {
            let state = form.find("state").map(str::to_owned);
            Opened::Refused { redirect_uri: redirect_uri.to_owned(), state, refusal }
        }
    })
}

/// Takes the request as far as it goes and shows the page, or sends the answer, that comes next.
pub async fn go_on(app: &App, mut visit: Visit, progress: Progress) -> Result<Response, Trouble> {
    match advance(app, &visit.flow, visit.browser.session(), progress).await? {
        Next::SignIn => sign_in::ask_credentials(app, &mut visit, None).await,
        Next::Password(signed_in) => sign_in::ask_password(app, &mut visit, &signed_in, None).await,
        Next::Account(signed_in) => sign_in::ask_account(app, &mut visit, &signed_in).await,
        Next::Consent(signed_in) => consent::ask(app, &mut visit, &signed_in).await,
        Next::Code(issued) => {
            let request = &visit.flow.request;
            let answer = [
                ("code", Some(issued.code.reveal())),
                ("logout_status_jwt", issued.logout_status_jwt.as_deref()),
                ("state", request.state.as_deref()),
                iss(app),
            ];
            Ok(visit.browser.remember(redirect(&location(&request.redirect_uri, &answer))?))
        }
        Next::Refuse(refusal) => visit.refuse(app, &refusal),
        Next::Over(Over::Answered) => Err(Trouble::Answered),
        Next::Over(Over::Expired) => Err(Trouble::Expired),
    }
}

impl Visit {
    /// Hands an error to the client.
    pub fn refuse(&self, app: &App, refusal: &Refusal) -> Result<Response, Trouble> {
        let request = &self.flow.request;
        let response = refused(app, &request.redirect_uri, request.state.as_deref(), refusal)?;
        Ok(self.browser.remember(response))
    }
}

fn refused(app: &App, redirect_uri: &str, state: Option<&str>, refusal: &Refusal) -> Result<Response, Trouble> {
    let answer = [
        ("error", Some(refusal.code)),
        ("error_description", Some(refusal.description.as_ref())),
        ("state", state),
        iss(app),
    ];
    redirect(&location(redirect_uri, &answer))
}

/// RFC 9207: in every answer, so that a client cannot be made to take it for another issuer's.
fn iss(app: &App) -> (&'static str, Option<&str>) {
    ("iss", Some(&app.config.issuer))
}

/// 303, after which a browser sends no form on (RFC 9700 section 4.12). The address may hold a code: nobody keeps it, and
/// nobody hears of it by a `Referer`.
pub fn redirect(to: &str) -> Result<Response, Trouble> {
    let mut to =
        HeaderValue::try_from(to).map_err(|_| Trouble::BadRequest("The application's address cannot be used."))?;
    to.set_sensitive(true);
    let headers = [
        (header::LOCATION, to),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// The parameters with what there is to say of them. What is wrong with most of them is told to the client, by a redirect.
const PARAMETERS: [(&str, &str); 16] = [
    ("redirect_uri", "One of the registered ones, letter by letter."),
    ("response_type", "`code`."),
    ("response_mode", "`query`."),
    ("scope", "Scopes, with spaces between them."),
    ("state", "Comes back with the answer."),
    ("nonce", "Comes back in the ID token."),
    ("code_challenge", "SHA-256 of the verifier in base64url (RFC 7636); required."),
    ("code_challenge_method", "`S256`; required."),
    ("prompt", "`none` by itself, or any of `login`, `consent`, `select_account`."),
    ("max_age", "Seconds since the last authentication."),
    ("login_hint", "Who is expected to sign in."),
    ("id_token_hint", "Who must sign in, by an ID token that may have expired."),
    ("resource", "The identifier of an API (RFC 8707); may be repeated."),
    ("request_uri", "What `/par` gave, instead of all but `client_id`."),
    ("request", "Not supported."),
    ("registration", "Not supported."),
];

/// All of a request but who asks, as a form.
#[must_use]
pub fn request_form() -> Members {
    let members = PARAMETERS.into_iter().fold(object(), |members, (parameter, _)| members.may(parameter, text()));
    members.for_example(json!({
        "client_id": "c_AAAAAAAAAAAAAAAAAAAAAA",
        "redirect_uri": "https://portal.example/callback",
        "response_type": "code",
        "scope": "openid",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
    }))
}

fn describe(it: Description) -> Description {
    it.gives_page(200).redirects("Back to the application, with a code or an error.").refuses(&[400, 403, 429])
}

pub(super) fn describe_query(it: Description) -> Description {
    let it = it.needs_query("client_id", name(), "Who asks.");
    describe(PARAMETERS.into_iter().fold(it, |it, (parameter, about)| it.query(parameter, text(), about)))
}

pub(super) fn describe_form(it: Description) -> Description {
    describe(it.form(request_form().with("client_id", name()).open()))
}
