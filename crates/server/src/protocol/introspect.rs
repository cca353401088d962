//! `POST /introspect` (RFC 7662), as JSON or as a signed answer (RFC 9701).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_jose::Kind as JwtKind;
use rescind_ledger::{Client, Feature, Grant, Hash, Reads, RefreshToken, Timestamp, TokenView};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{any_of, flag, list_of, name, number, object, text},
    },
    protocol::{
        client_auth::{self, authenticate},
        error::{ProtocolError, answer, json_response},
        feature,
        form::read_form,
    },
    touch,
};

const SIGNED: &str = "application/token-introspection+jwt";
/// RFC 7662 section 2.2: an inactive token is answered with this and nothing else.
const INACTIVE: &str = r#"{"active":false}"#;

/// The endpoint.
pub async fn introspect(State(app): State<Arc<App>>, request: Request) -> Response {
    match respond(&app, request).await {
        Ok(response) => response,
        Err(why) => why.into_response(),
    }
}

async fn respond(app: &App, request: Request) -> Result<Response, ProtocolError> {
    feature::require(app, Feature::Introspection)?;
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    let caller = authenticate(app, &parts, &form).await?;
    if caller.client.is_public() {
        return Err(ProtocolError::invalid_client(
            "introspection needs a client that can prove who it is (section 2.1)",
        ));
    }
    let found = find(app, &caller.client, form.load("token")?).await?;
    app.telemetry.introspected(found.is_some());
    if wants_signed(&parts.headers) {
        return signed(app, &caller.client, found.as_deref().unwrap_or(INACTIVE));
    }
    Ok(json_response(StatusCode::OK, found.unwrap_or_else(|| INACTIVE.to_owned())))
}

/// Whether the caller names the signed form among what it takes (RFC 9701 section 4, RFC 9110 section 12.5.1).
fn wants_signed(headers: &HeaderMap) -> bool {
    let is_none = |parameter: &[u8]| {
        let weight = parameter.strip_prefix(b"q=");
        weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
    };
    let names_it = |range: &[u8]| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(SIGNED.as_bytes())) && !parts.any(is_none)
    };
    headers.get_all(header::ACCEPT).iter().any(|accept| accept.as_bytes().split(|byte| *byte == b',').any(names_it))
}

/// What there is to say of a token to this caller, as JSON; nothing, if it is not active or not the caller's business.
///
/// The hint is not needed: both kinds are found by hash, and every kind is searched (section 2.1).
pub async fn find(app: &App, caller: &Client, token: &str) -> Result<Option<String>, ProtocolError> {
    let hash = Hash::of(token);
    if let Some(known) = app.records.find_access_token(&hash).await? {
        let token = known.view()?;
        if !may_know(caller, token.client, token.audiences) {
            return Ok(None);
        }
        let now = app.now();
        if app.records.counts(&token, now).await?.is_err() {
            return Ok(None);
        }
        touch::validated(app, &token, now).await?;
        return describe_access_token(app, caller, &token).text().map(Some);
    }
    let Some((token, grant)) = app.records.store.find_refresh_token(&hash).await? else { return Ok(None) };
    if grant.client != caller.id || token.expires_at <= app.now() {
        return Ok(None);
    }
    if app.records.store.refresh_token_used(&hash).await? {
        return Ok(None);
    }
    let clock = app.records.clock_of(grant.session.as_deref(), grant.session_bound).await?;
    let counts = app.live.grant_counts(&grant, clock, app.now()).is_ok();
    counts.then(|| describe_refresh_token(app, &token, &grant).text()).transpose()
}

/// The client it was issued to, and the APIs it is for; nobody else (section 4).
fn may_know(caller: &Client, client: &str, audiences: &[String]) -> bool {
    caller.id == client || caller.serves.as_ref().is_some_and(|api| audiences.contains(api))
}

/// What is said of an active token (section 2.2), written straight to text: this is the server's busiest path.
#[derive(Serialize)]
struct Answer<'a> {
    active: bool,
    iss: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience<'a>>,
    scope: &'a str,
    /// A refresh token has none: it cannot be used at an API.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    iat: i64,
    exp: i64,
    grant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    /// The same, under the name that PingFederate's session APIs know it by.
    #[serde(rename = "pi.sri", skip_serializing_if = "Option::is_none")]
    sri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

/// One audience is written as a string, several as an array (RFC 7519 section 4.1.3).
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Several(&'a [String]),
}

impl<'a> Audience<'a> {
    fn of(audiences: &'a [String]) -> Self {
        match audiences {
            [one] => Self::One(one),
            several => Self::Several(several),
        }
    }
}

/// The certificate a token is bound to (RFC 8705 section 3.2).
#[derive(Serialize)]
struct Confirmation<'a> {
    #[serde(rename = "x5t#S256")]
    thumbprint: &'a str,
}

impl Answer<'_> {
    fn text(&self) -> Result<String, ProtocolError> {
        let mut text = Vec::with_capacity(Self::USUAL_BYTES);
        let unwritable = |why: &dyn std::fmt::Display| {
            tracing::error!(error = %why, "cannot write an introspection answer");
            ProtocolError::server_error()
        };
        serde_json::to_writer(&mut text, self).map_err(|why| unwritable(&why))?;
        String::from_utf8(text).map_err(|why| unwritable(&why))
    }

    /// Room for nearly every answer, so that it need not grow while it is written.
    const USUAL_BYTES: usize = 512;
}

fn describe_access_token<'a>(app: &'a App, caller: &'a Client, token: &TokenView<'a>) -> Answer<'a> {
    // An API sees its own identifier among the audiences, not who else may be called (section 2.2).
    let audience = match &caller.serves {
        Some(api) if caller.id != token.client => Audience::One(api),
        _ => Audience::of(token.audiences),
    };
    let session = token.session.filter(|_| token.session_validation.names_session());
    Answer {
        active: true,
        iss: &app.config.issuer,
        client_id: token.client,
        sub: Some(token.user.unwrap_or(token.client)),
        aud: Some(audience),
        scope: token.scope,
        token_type: Some("Bearer"),
        jti: Some(token.id),
        iat: token.issued_at.secs(),
        exp: token.expires_at.secs(),
        grant_id: token.grant,
        sid: session,
        sri: session,
        device_id: token.device,
        auth_time: token.auth_time.map(Timestamp::secs),
        cnf: token.certificate.map(|thumbprint| Confirmation { thumbprint }),
    }
}

fn describe_refresh_token<'a>(app: &'a App, token: &RefreshToken, grant: &'a Grant) -> Answer<'a> {
    Answer {
        active: true,
        iss: &app.config.issuer,
        client_id: &grant.client,
        sub: grant.user.as_deref(),
        aud: None,
        scope: &grant.scope,
        token_type: None,
        jti: None,
        iat: token.issued_at.secs(),
        exp: token.expires_at.secs(),
        grant_id: &grant.id,
        sid: grant.session.as_deref(),
        sri: grant.session.as_deref(),
        device_id: None,
        auth_time: None,
        cnf: None,
    }
}

/// RFC 9701 section 5: addressed to the caller, and without `sub` and `exp` of its own, so that it can never pass for an
/// access token.
fn signed(app: &App, caller: &Client, found: &str) -> Result<Response, ProtocolError> {
    let found: Value = serde_json::from_str(found).map_err(|why| {
        tracing::error!(error = %why, "an introspection answer is not JSON");
        ProtocolError::server_error()
    })?;
    let claims = json!({
        "iss": app.config.issuer,
        "aud": caller.id,
        "iat": app.now().secs(),
        "token_introspection": found,
    });
    let ring = app.keys.ring();
    let key = ring.signing(caller.introspection_signed_response_alg);
    let jwt = key.sign(JwtKind::Introspection, &claims).map_err(|why| {
        tracing::error!(error = %why, "cannot sign an introspection answer");
        ProtocolError::server_error()
    })?;
    Ok(answer(StatusCode::OK, SIGNED, jwt))
}

pub(super) fn describe(it: Description) -> Description {
    let form = object().with("token", name()).may("token_type_hint", text());
    let said = object().with("active", flag()).may("iss", text()).may("client_id", text()).may("sub", text());
    let said = said.may("aud", any_of([text(), list_of(text())])).may("scope", text()).may("token_type", text());
    let said = said.may("jti", text()).may("iat", number()).may("exp", number()).may("grant_id", text());
    let said = said.may("sid", text()).may("pi.sri", text()).may("device_id", text()).may("auth_time", number());
    let said = said.may("cnf", object().with("x5t#S256", text()).open());
    it.form(client_auth::form(form))
        .gives(200, said.named("Introspection"))
        .answers(200, SIGNED, text())
        .refuses(&[400, 401, 403])
}
