//! `GET` and `POST /userinfo` (OpenID Connect Core section 5.3).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_ledger::{Feature, Hash, Reads, User};
use serde_json::{Value, json};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{object, text},
    },
    peer::{self, Peer},
    protocol::{
        cors,
        error::{ProtocolError, json_response},
        feature,
        form::read_form,
        mint::{has_scope, insert},
    },
    touch,
};

/// Why a bearer token was not accepted (RFC 6750 section 3).
enum Refusal {
    /// No token at all: a challenge without an error code (section 3.1).
    Absent,
    Invalid,
    InsufficientScope,
    SwitchedOff(ProtocolError),
    Twice,
    Unavailable(ProtocolError),
}

/// The endpoint.
pub async fn userinfo(State(app): State<Arc<App>>, request: Request) -> Response {
    let response = match claims(&app, request).await {
        Ok(claims) => json_response(StatusCode::OK, claims.to_string()),
        Err(refusal) => refusal.into_response(),
    };
    cors::open(response)
}

async fn claims(app: &App, request: Request) -> Result<Value, Refusal> {
    feature::require(app, Feature::Userinfo).map_err(Refusal::SwitchedOff)?;
    let certificate = request
        .extensions()
        .get::<Peer>()
        .and_then(|peer| peer::client_certificate(peer, request.headers(), &app.config.proxy));
    let token = bearer(app, request).await?;
    let found = app.records.find_access_token(&Hash::of(&token)).await.map_err(ProtocolError::from)?;
    let known = found.ok_or(Refusal::Invalid)?;
    let record = known.view().map_err(ProtocolError::from)?;
    let now = app.now();
    let counts = app.records.counts(&record, now).await.map_err(ProtocolError::from)?;
    counts.map_err(|why| {
        tracing::debug!(token.id = record.id, why = ?why, "access token refused");
        Refusal::Invalid
    })?;
    // A token bound to a certificate is worth nothing without it (RFC 8705 section 3).
    let shown = certificate.map(|shown| rescind_jose::certificate_thumbprint(&shown.der));
    if record.certificate.is_some() && record.certificate != shown.as_deref() {
        return Err(Refusal::Invalid);
    }
    let Some(user) = record.user.filter(|_| has_scope(record.scope, "openid")) else {
        return Err(Refusal::InsufficientScope);
    };
    // Userinfo is an API too, the issuer's own: a token that is not for it, or no more, opens nothing here.
    if !record.audiences.contains(&app.config.issuer) {
        return Err(Refusal::Invalid);
    }
    let user = app.records.store.find_user(user).await.map_err(ProtocolError::from)?.ok_or(Refusal::Invalid)?;
    touch::validated(app, &record, now).await.map_err(ProtocolError::from)?;
    Ok(describe(&user, record.scope))
}

/// Section 5.4: each scope opens its claims.
fn describe(user: &User, scope: &str) -> Value {
    let mut claims = json!({ "sub": user.id });
    if has_scope(scope, "profile") {
        insert(&mut claims, "preferred_username", Some(user.user_name.clone().into()));
        insert(&mut claims, "name", user.display_name.clone().map(Value::String));
    }
    if has_scope(scope, "email") {
        insert(&mut claims, "email", user.email.clone().map(Value::String));
    }
    claims
}

/// The token, from the header or the body of a POST (RFC 6750 sections 2.1 and 2.2); never from the query.
async fn bearer(app: &App, request: Request) -> Result<String, Refusal> {
    let from_header = match request.headers().get(header::AUTHORIZATION) {
        Some(value) => Some(scheme_bearer(value).ok_or(Refusal::Invalid)?),
        None => None,
    };
    let has_form = request.method() == Method::POST && request.headers().contains_key(header::CONTENT_TYPE);
    let from_body = if has_form {
        let (_, form) = read_form(request, app.config.limits.body_bytes).await?;
        form.find("access_token").map(str::to_owned)
    } else {
        None
    };
    match (from_header, from_body) {
        (Some(_), Some(_)) => Err(Refusal::Twice),
        (Some(token), None) | (None, Some(token)) => Ok(token),
        (None, None) => Err(Refusal::Absent),
    }
}

fn scheme_bearer(value: &HeaderValue) -> Option<String> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

impl From<ProtocolError> for Refusal {
    fn from(why: ProtocolError) -> Self {
        Self::Unavailable(why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, description) = match self {
            Self::SwitchedOff(why) | Self::Unavailable(why) => return why.into_response(),
            Self::Absent => (StatusCode::UNAUTHORIZED, None, "an access token is needed"),
            Self::Invalid => {
                (StatusCode::UNAUTHORIZED, Some("invalid_token"), "the access token is unknown, expired or revoked")
            }
            Self::InsufficientScope => {
                (StatusCode::FORBIDDEN, Some("insufficient_scope"), "the access token has no openid scope")
            }
            Self::Twice => {
                (StatusCode::BAD_REQUEST, Some("invalid_request"), "the access token is given in two places")
            }
        };
        let body = match code {
            Some(code) => json!({ "error": code, "error_description": description }),
            None => json!({ "error_description": description }),
        };
        let mut response = json_response(status, body.to_string());
        let challenge = code.map_or_else(
            || r#"Bearer realm="rescind""#.to_owned(),
            |code| format!(r#"Bearer realm="rescind", error="{code}", error_description="{description}""#),
        );
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(super) fn describe_get(it: Description) -> Description {
    let claims = object().with("sub", text()).may("preferred_username", text()).may("name", text());
    it.gives(200, claims.may("email", text()).named("Claims")).refuses(&[400, 401, 403])
}

pub(super) fn describe_form(it: Description) -> Description {
    describe_get(it.form_if_any(object().may("access_token", text()).open()))
}
