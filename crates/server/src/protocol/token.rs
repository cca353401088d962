//! `POST /token` (RFC 6749 section 3.2): client credentials, authorization code, refresh token.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rescind_ledger::{
    Client, Code, Grant, Hash, Lane, Presented, Reads, Redeemed, RefreshToken, Refreshed, Rotation, Timestamp, redeem,
    refresh, successor,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::Duration;

use crate::{
    app::App,
    clock::random,
    openapi::{
        Description,
        shape::{number, object, text},
    },
    protocol::{
        client_auth::{self, Caller, authenticate},
        cors,
        error::{ProtocolError, json_response},
        form::{Form, read_form},
        mint::{self, Made, Wanted, has_scope, insert},
    },
    touch,
};

/// The endpoint.
pub async fn token(State(app): State<Arc<App>>, request: Request) -> Response {
    cors::open(match answer(&app, request).await {
        Ok(body) => json_response(StatusCode::OK, body.to_string()),
        Err(why) => {
            app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "token"), ("error", why.code())]);
            why.into_response()
        }
    })
}

async fn answer(app: &App, request: Request) -> Result<Value, ProtocolError> {
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    app.pace.at("stamp").await;
    let caller = authenticate(app, &parts, &form).await?;
    let grant_type = form.load("grant_type")?;
    if !["authorization_code", "client_credentials", "refresh_token"].contains(&grant_type) {
        return Err(ProtocolError::unsupported_grant_type());
    }
    if !caller.client.grant_types.iter().any(|allowed| allowed == grant_type) {
        return Err(ProtocolError::unauthorized_client("this client may not use this grant type"));
    }
    let (made, extra) = match grant_type {
        "client_credentials" => client_credentials(app, &caller, &form).await?,
        "authorization_code" => authorization_code(app, &caller, &form).await?,
        _ => refresh_token(app, &caller, &form).await?,
    };
    app.telemetry.count("rescind_tokens_issued_total", &[("grant_type", label(grant_type))]);
    Ok(body(&made, extra))
}

fn label(grant_type: &str) -> &'static str {
    match grant_type {
        "client_credentials" => "client_credentials",
        "authorization_code" => "authorization_code",
        _ => "refresh_token",
    }
}

/// What goes out beside the access token.
#[derive(Default)]
pub struct Extra {
    pub refresh_token: Option<String>,
    pub id_token: Option<String>,
}

fn body(made: &Made, extra: Extra) -> Value {
    let mut body = json!({
        "access_token": made.access_token,
        "token_type": "Bearer",
        "expires_in": made.expires_in,
        "scope": made.minted.access.scope,
    });
    insert(&mut body, "refresh_token", extra.refresh_token.map(Value::String));
    insert(&mut body, "id_token", extra.id_token.map(Value::String));
    body
}

/// RFC 6749 section 4.4. The stamp was taken before the client was read.
pub async fn client_credentials(app: &App, caller: &Caller, form: &Form) -> Result<(Made, Extra), ProtocolError> {
    let client = &caller.client;
    if client.is_public() {
        return Err(ProtocolError::unauthorized_client("a public client has no credentials of its own (section 4.4)"));
    }
    let scope = mint::narrow_scope(client, form.find("scope"))?;
    if has_scope(&scope, "openid") || has_scope(&scope, "offline_access") {
        return Err(ProtocolError::invalid_scope("there is no user behind this grant"));
    }
    let resources: Vec<&str> = form.all("resource").collect();
    let audiences = mint::resolve_audiences(app, client, &resources, &scope)?;
    let grant = mint::client_grant(app, client, &scope, &audiences, caller.stamp);
    let wanted =
        Wanted { client, grant: &grant, scope, audiences, certificate: caller.certificate.clone(), session_ends: None };
    let made = wanted.make(app, None)?;
    let minted = made.minted.clone();
    app.pace.at("submit").await;
    app.submit(Lane::Issuing, move |door| door.mint(&minted)).await?;
    Ok((made, Extra::default()))
}

/// RFC 6749 section 4.1.3. Everything about the request is checked before the code is used: a stranger with a leaked code
/// must not be able to end somebody else's grant.
pub async fn authorization_code(app: &App, caller: &Caller, form: &Form) -> Result<(Made, Extra), ProtocolError> {
    let refused = || ProtocolError::invalid_grant("the code is not valid");
    app.pace.at("read code").await;
    let code = app.records.store.find_code(&Hash::of(form.load("code")?)).await?.ok_or_else(refused)?;
    let redirect_uri = form.load("redirect_uri")?;
    let still_registered = caller.client.redirect_uris.contains(&code.registered_redirect_uri);
    if code.grant.client != caller.client.id || code.redirect_uri != redirect_uri || !still_registered {
        return Err(refused());
    }
    verify_pkce(form.load("code_verifier")?, &code.code_challenge)?;
    if code.expires_at <= app.now() {
        return Err(refused());
    }
    app.pace.at("read session").await;
    let session_ends = must_count(app, &code.grant).await?;
    let (made, extra) = first_tokens(app, caller, form, &code, session_ends)?;
    let minted = made.minted.clone();
    app.pace.at("submit").await;
    match app.submit(Lane::Issuing, move |door| redeem(door, &code, &minted)).await? {
        Redeemed::Issued => Ok((made, extra)),
        Redeemed::Replayed => Err(refused()),
    }
}

/// RFC 7636 section 4.6, S256 alone.
fn verify_pkce(verifier: &str, challenge: &str) -> Result<(), ProtocolError> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use subtle::ConstantTimeEq;
    if !(43..=128).contains(&verifier.len()) {
        return Err(ProtocolError::invalid_request("a code verifier has 43 to 128 characters (RFC 7636 section 4.1)"));
    }
    let computed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    if bool::from(computed.as_bytes().ct_eq(challenge.as_bytes())) {
        Ok(())
    } else {
        Err(ProtocolError::invalid_grant("the code is not valid"))
    }
}

fn first_tokens(
    app: &App,
    caller: &Caller,
    form: &Form,
    code: &Code,
    session_ends: Option<Timestamp>,
) -> Result<(Made, Extra), ProtocolError> {
    let (client, grant) = (&caller.client, &code.grant);
    let audiences = narrow_audiences(app, grant, form)?;
    let (refresh_token, record) = if client.grant_types.iter().any(|one| one == "refresh_token") {
        let secret = rescind_ledger::Secret::form(rescind_ledger::Kind::RefreshToken, &random());
        let record = RefreshToken {
            hash: secret.hash(),
            grant: grant.id.clone(),
            parent: None,
            issued_at: app.now(),
            expires_at: grant.expires_at.min(session_ends.unwrap_or(Timestamp::MAX)),
        };
        (Some(secret.reveal().to_owned()), Some(record))
    } else {
        (None, None)
    };
    let id_token = mint::id_token(app, client, grant, grant.nonce.as_deref())?;
    let wanted = Wanted {
        client,
        grant,
        scope: grant.scope.clone(),
        audiences,
        certificate: caller.certificate.clone(),
        session_ends,
    };
    Ok((wanted.make(app, record)?, Extra { refresh_token, id_token }))
}

/// The audiences of one access token: those asked for now, out of those granted, that no cut-off took away (RFC 8707
/// section 2.2).
fn narrow_audiences(app: &App, grant: &Grant, form: &Form) -> Result<Vec<String>, ProtocolError> {
    let named: Vec<&str> = form.all("resource").collect();
    if named.iter().any(|resource| grant.audiences.iter().all(|granted| granted != resource)) {
        return Err(ProtocolError::invalid_target("the grant is not for one of these resources"));
    }
    let for_userinfo = |audience: &String| *audience == app.config.issuer && has_scope(&grant.scope, "openid");
    let is_wanted =
        |audience: &&String| named.is_empty() || named.contains(&audience.as_str()) || for_userinfo(audience);
    let wanted: Vec<String> = grant.audiences.iter().filter(is_wanted).cloned().collect();
    let surviving = mint::surviving_audiences(app, grant, &wanted);
    if surviving.is_empty() {
        return Err(ProtocolError::invalid_grant("access to these resources was revoked; the user must sign in again"));
    }
    Ok(surviving)
}

/// The grant, its session, its user and its client must all still count. Gives the end of that session, if the grant is
/// bound to one.
async fn must_count(app: &App, grant: &Grant) -> Result<Option<Timestamp>, ProtocolError> {
    let clock = app.records.clock_of(grant.session.as_deref(), grant.session_bound).await?;
    app.live.grant_counts(grant, clock, app.now()).map_err(|why| {
        tracing::info!(grant.id = grant.id, why = ?why, "grant refused");
        ProtocolError::invalid_grant("the grant was revoked or has expired")
    })?;
    Ok(clock.map(|clock| clock.expires_at))
}

/// RFC 6749 section 6.
pub async fn refresh_token(app: &App, caller: &Caller, form: &Form) -> Result<(Made, Extra), ProtocolError> {
    let refused = || ProtocolError::invalid_grant("the refresh token is not valid");
    let text = form.load("refresh_token")?;
    app.pace.at("read refresh token").await;
    let found = app.records.store.find_refresh_token(&Hash::of(text)).await?;
    let (token, grant) = found.ok_or_else(refused)?;
    if grant.client != caller.client.id || token.expires_at <= app.now() {
        return Err(refused());
    }
    app.pace.at("read session").await;
    let now = app.now();
    let session_ends = must_count(app, &grant).await?;
    let scope = narrowed_scope(&grant, form.find("scope"))?;
    let audiences = narrow_audiences(app, &grant, form)?;
    let certificate = caller.certificate.clone();
    let wanted = Wanted { client: &caller.client, grant: &grant, scope, audiences, certificate, session_ends };
    let (presented, next, record) = policy(app, &caller.client, &token, text);
    let made = wanted.make(app, record)?;
    let minted = made.minted.clone();
    app.pace.at("submit").await;
    let refreshed = app.submit(Lane::Issuing, move |door| refresh(door, &presented, &minted)).await?;
    let refresh_token = match refreshed {
        Refreshed::Kept => text.to_owned(),
        Refreshed::Rotated | Refreshed::Repeated => next.unwrap_or_default(),
        Refreshed::Replayed => return Err(refused()),
    };
    touch::refreshed(app, &grant, now).await;
    // OpenID Connect Core section 12.2: a refreshed ID token carries no nonce. It comes only while access to the issuer's own
    // API is not revoked.
    let id_token = if made.minted.access.audiences.contains(&app.config.issuer) {
        mint::id_token(app, &caller.client, &grant, None)?
    } else {
        None
    };
    Ok((made, Extra { refresh_token: Some(refresh_token), id_token }))
}

/// What the client's policy makes of a refresh token: how it is presented to the ledger, the successor, and its record.
fn policy(
    app: &App,
    client: &Client,
    token: &RefreshToken,
    text: &str,
) -> (Presented, Option<String>, Option<RefreshToken>) {
    let grace = Duration::from_secs(client.rotation_grace_secs.into());
    let rotates = client.is_public() || client.rotation == Rotation::EachUse;
    if !rotates {
        return (Presented { token: token.clone(), successor: None, grace }, None, None);
    }
    let next = successor(&app.keys.refresh, text);
    let record = RefreshToken {
        hash: next.hash(),
        grant: token.grant.clone(),
        parent: Some(token.hash),
        issued_at: app.now(),
        expires_at: token.expires_at,
    };
    let presented = Presented { token: token.clone(), successor: Some(record.hash), grace };
    (presented, Some(next.reveal().to_owned()), Some(record))
}

/// No more than was granted (section 6).
fn narrowed_scope(grant: &Grant, requested: Option<&str>) -> Result<String, ProtocolError> {
    let Some(requested) = requested else { return Ok(grant.scope.clone()) };
    if requested.split(' ').any(|scope| !scope.is_empty() && !has_scope(&grant.scope, scope)) {
        return Err(ProtocolError::invalid_scope("the grant does not cover one of these scopes"));
    }
    Ok(grant.scope.split(' ').filter(|scope| has_scope(requested, scope)).collect::<Vec<_>>().join(" "))
}

pub(super) fn describe(it: Description) -> Description {
    // Not an enumeration: what is not supported has an error of its own (section 5.2).
    let form = object().with("grant_type", text()).may("scope", text()).may("resource", text());
    let form = form.may("code", text()).may("redirect_uri", text()).may("code_verifier", text());
    let tokens = object().with("access_token", text()).with("token_type", text()).with("expires_in", number());
    let tokens = tokens.with("scope", text()).may("refresh_token", text()).may("id_token", text());
    it.says("`grant_type` is `authorization_code`, `refresh_token` or `client_credentials`.")
        .form(client_auth::form(
            form.may("refresh_token", text()).for_example(json!({ "grant_type": "client_credentials" })),
        ))
        .gives(200, tokens.named("Tokens"))
        .refuses(&[400, 401])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pkce_accepts_the_example_of_the_specification_and_nothing_else() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(verify_pkce("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge).is_ok());
        assert!(verify_pkce("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx", challenge).is_err());
        assert!(verify_pkce("short", challenge).is_err());
    }
}
