//! `POST /register` (RFC 7591) and `/register/{client_id}` (RFC 7592): clients that register themselves.

mod client;
pub mod initial_access;
mod keys;
mod metadata;
#[cfg(test)]
mod metadata_tests;
mod redirect;

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rescind_check::Trace;
use rescind_jose::seal::SealError;
use rescind_ledger::{
    Client, ClientAuthMethod, ClientChange, Feature, Hash, Initiator, Kind, Lane, LedgerError, Secret,
};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

pub use client::{FreshSecret, Terms, describe, lacks_secret, new_client, replaced};
pub use keys::validate_keys;
pub use metadata::Metadata;
pub use redirect::validate_redirect_uri;

use crate::{
    app::App,
    clock::{fresh_id, random},
    config::Registration,
    openapi::{
        Description,
        shape::{Shape, maybe, number, object, text},
    },
    protocol::{
        bearer,
        error::{ProtocolError, empty, json_response},
        feature,
        form::read_body,
        mint::insert,
        privileged,
        register::initial_access::{Leave, Stored},
    },
};

/// What a client gets if it names no scopes.
const USUAL_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// Scopes of our own administration: nobody gives them to themselves.
const OWN_SCOPES: &str = "rescind:";
/// What only we may say (RFC 7592 section 2.2).
const OURS_TO_SAY: [&str; 4] =
    ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];

/// `POST /register` (RFC 7591 section 3.1).
pub async fn register(State(app): State<Arc<App>>, request: Request) -> Response {
    let answer = match feature::require(&app, Feature::DynamicRegistration) {
        Ok(()) => add(&app, request).await,
        Err(why) => Err(why),
    };
    respond(&app, answer.map(|body| json_response(StatusCode::CREATED, body.to_string())))
}

/// `GET /register/{client_id}` (RFC 7592 section 2.1).
pub async fn read(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let answer = feature::require(&app, Feature::DynamicRegistration).and_then(|()| own_client(&app, &id, &headers));
    respond(&app, answer.map(|own| json_response(StatusCode::OK, own.answer(&app).to_string())))
}

/// `PUT /register/{client_id}` (RFC 7592 section 2.2): replaces all metadata.
pub async fn update(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    let answer = match feature::require(&app, Feature::DynamicRegistration) {
        Ok(()) => change(&app, &id, request).await,
        Err(why) => Err(why),
    };
    respond(&app, answer.map(|body| json_response(StatusCode::OK, body.to_string())))
}

/// `DELETE /register/{client_id}` (RFC 7592 section 2.3): ends everything the client holds, too.
pub async fn remove(State(app): State<Arc<App>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let answer = match feature::require(&app, Feature::DynamicRegistration) {
        Ok(()) => delete(&app, &id, &headers).await,
        Err(why) => Err(why),
    };
    respond(&app, answer.map(|()| empty(StatusCode::NO_CONTENT)))
}

fn respond(app: &App, answer: Result<Response, ProtocolError>) -> Response {
    answer.unwrap_or_else(|why| {
        app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "register"), ("error", why.code())]);
        why.into_response()
    })
}

async fn add(app: &App, request: Request) -> Result<Value, ProtocolError> {
    let headers = request.headers().clone();
    leave_to_register(app, &headers).await?;
    let (metadata, _) = read_metadata(app, request).await?;
    let _alone = initial_access::alone().await;
    // Looked for again: somebody may have used it up while the body was read.
    let leave = leave_to_register(app, &headers).await?;
    let known = known_scopes(app);
    let terms = Terms {
        scopes: granted_scopes(&metadata, &known, &[]),
        first_party: false,
        rotation_grace: app.lifetimes().rotation_grace,
        now: app.now(),
    };
    let mut client = new_client(fresh_id("c_"), &metadata, terms);
    let secret = fresh_secret(app, &client.id)?;
    let needs_secret = lacks_secret(&client);
    if needs_secret {
        secret.give(&mut client);
    }
    let token = Secret::form(Kind::RegistrationAccessToken, &random());
    client.registration_hash = Some(token.hash());
    register_with(app, client.clone(), leave).await?;
    tracing::info!(client.id, "a client registered itself");
    let mut body = Own { client: Arc::new(client), token: token.reveal().to_owned() }.answer(app);
    show_secret(&mut body, needs_secret.then_some(&secret));
    Ok(body)
}

/// Adds the client and, in the same transaction, uses up the leave, which has to stand to the last.
async fn register_with(app: &App, client: Client, leave: Option<Leave>) -> Result<(), ProtocolError> {
    let used = |leave: Leave| -> Result<(Trace, Stored), ProtocolError> {
        let used = leave.used_by(&client.id);
        Ok((used.trace(app), used.seal(app).map_err(|why| cannot_encrypt(&why))?))
    };
    let used = leave.map(used).transpose()?;
    let adding = app.submit(Lane::Issuing, move |door| {
        if let Some((trace, (name, sealed))) = &used {
            door.must_stand(trace)?;
            door.put_secret(name, sealed)?;
        }
        door.add_client(&client)
    });
    adding.await.map_err(|why| match why {
        LedgerError::Revoked => invalid_token(),
        other => other.into(),
    })
}

async fn change(app: &App, id: &str, request: Request) -> Result<Value, ProtocolError> {
    let own = own_client(app, id, request.headers())?;
    let (metadata, members) = read_metadata(app, request).await?;
    check_identity(&own.client, &members)?;
    let known = known_scopes(app);
    let secret = fresh_secret(app, id)?;
    let (hash, initiator) = (Hash::of(&own.token), Initiator::Client(id.to_owned()));
    let id = id.to_owned();
    let changed = app.submit(Lane::Ending, move |door| {
        // Read again: an administrator's change may have come in between, and must not be undone by this one.
        let Some(before) = door.find_client(&id)?.filter(|client| is_managed_by(client, &hash)) else {
            return Ok(None);
        };
        let scopes = granted_scopes(&metadata, &known, &before.scopes);
        let mut after = replaced(before, &metadata, scopes);
        let needs_secret = lacks_secret(&after);
        if needs_secret {
            secret.give(&mut after);
        }
        door.change_client(&ClientChange::Put(Box::new(after.clone())), &initiator)?;
        Ok(Some((after, needs_secret.then_some(secret))))
    });
    let (after, secret) = changed.await?.ok_or_else(invalid_token)?;
    let mut body = Own { client: Arc::new(after), token: own.token }.answer(app);
    show_secret(&mut body, secret.as_ref());
    Ok(body)
}

async fn delete(app: &App, id: &str, headers: &HeaderMap) -> Result<(), ProtocolError> {
    let own = own_client(app, id, headers)?;
    let hash = Hash::of(&own.token);
    let id = id.to_owned();
    let gone = app.submit(Lane::Ending, move |door| {
        if !door.find_client(&id)?.is_some_and(|client| is_managed_by(&client, &hash)) {
            return Ok(None);
        }
        door.change_client(&ClientChange::Delete(id.clone()), &Initiator::Client(id))
    });
    gone.await?.map(|_| ()).ok_or_else(invalid_token)
}

fn switched_off() -> ProtocolError {
    ProtocolError::access_denied("clients are registered by an administrator here")
}

fn invalid_token() -> ProtocolError {
    ProtocolError::invalid_token("the token is unknown or was revoked")
}

/// The initial access token that was presented; `None` where none is needed.
async fn leave_to_register(app: &App, headers: &HeaderMap) -> Result<Option<Leave>, ProtocolError> {
    match app.config.registration {
        Registration::Open => return Ok(None),
        Registration::InitialAccessToken => {}
        Registration::Off => return Err(switched_off()),
    }
    let presented = bearer::find(headers).ok_or_else(invalid_token)?;
    initial_access::find(app, presented).await?.map(Some).ok_or_else(invalid_token)
}

/// A client that proved to be the one it asks about.
struct Own {
    client: Arc<Client>,
    token: String,
}

/// RFC 7592 section 2: an unknown client and a wrong token are told the same.
fn own_client(app: &App, id: &str, headers: &HeaderMap) -> Result<Own, ProtocolError> {
    if app.config.registration == Registration::Off {
        return Err(switched_off());
    }
    let token = bearer::find(headers).ok_or_else(invalid_token)?;
    let client = app.live.client(id);
    // The comparison is made for an unknown client too, so that time does not tell who is registered.
    let expected = client.as_ref().and_then(|client| client.registration_hash).unwrap_or(Hash([0; 32]));
    let equal = bool::from(Hash::of(token).0.ct_eq(&expected.0));
    let client = client.filter(|_| equal).ok_or_else(invalid_token)?;
    if !client.enabled {
        return Err(ProtocolError::access_denied("the client is switched off"));
    }
    Ok(Own { client, token: token.to_owned() })
}

fn is_managed_by(client: &Client, token: &Hash) -> bool {
    client.enabled && client.registration_hash == Some(*token)
}

impl Own {
    /// RFC 7592 section 3. The client's secret is not repeated: only its hash is kept.
    fn answer(&self, app: &App) -> Value {
        let mut body = describe(&self.client);
        insert(&mut body, "registration_access_token", Some(self.token.clone().into()));
        let uri = format!("{}/register/{}", app.config.issuer, self.client.id);
        insert(&mut body, "registration_client_uri", Some(uri.into()));
        body
    }
}

fn show_secret(body: &mut Value, secret: Option<&FreshSecret>) {
    if let Some(fresh) = secret {
        insert(body, "client_secret", Some(fresh.secret.reveal().into()));
        insert(body, "client_secret_expires_at", Some(0.into()));
    }
}

fn fresh_secret(app: &App, client: &str) -> Result<FreshSecret, ProtocolError> {
    FreshSecret::make(app, client).map_err(|why| cannot_encrypt(&why))
}

fn cannot_encrypt(why: &SealError) -> ProtocolError {
    tracing::error!(error = %why, "cannot encrypt what a registration keeps");
    ProtocolError::server_error()
}

async fn read_metadata(app: &App, request: Request) -> Result<(Metadata, Map<String, Value>), ProtocolError> {
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if !media_type.eq_ignore_ascii_case(b"application/json") {
        return Err(ProtocolError::invalid_request("the body must be application/json"));
    }
    let body = read_body(body, app.config.limits.body_bytes).await?;
    let members: Map<String, Value> = serde_json::from_slice(&body)
        .map_err(|_| ProtocolError::invalid_client_metadata("the body must be a JSON object"))?;
    let metadata = Metadata::read(&members)?;
    let by_certificate =
        matches!(metadata.auth_method, ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth);
    let certificates_seen = app.config.tls.is_some() || app.config.proxy.client_certificate_header.is_some();
    if by_certificate && !certificates_seen {
        let why = "`token_endpoint_auth_method` needs client certificates, which this server does not see";
        return Err(ProtocolError::invalid_client_metadata(why));
    }
    Ok((metadata, members))
}

/// RFC 7592 section 2.2: an update names the client, may confirm the secret, and says nothing that is ours to say.
fn check_identity(client: &Client, members: &Map<String, Value>) -> Result<(), ProtocolError> {
    if members.get("client_id").and_then(Value::as_str) != Some(&client.id) {
        return Err(ProtocolError::invalid_client_metadata("`client_id` is not the client of this address"));
    }
    if let Some(member) = OURS_TO_SAY.into_iter().find(|member| members.contains_key(*member)) {
        let why = format!("`{member}` may not be part of an update (RFC 7592 section 2.2)");
        return Err(ProtocolError::invalid_client_metadata(why));
    }
    let Some(given) = members.get("client_secret").filter(|given| !given.is_null()) else { return Ok(()) };
    let given = Hash::of(given.as_str().unwrap_or_default());
    if client.secret_hash.is_some_and(|known| bool::from(given.0.ct_eq(&known.0))) {
        Ok(())
    } else {
        Err(ProtocolError::invalid_client_metadata("`client_secret` may be confirmed, but not chosen"))
    }
}

/// The scopes that a client may give to itself: the usual ones, and those of APIs. With client_credentials the latter need
/// nobody's consent, so whoever hands out initial access tokens decides about that. Those by which a client may end what is
/// not its own are an administrator's to give, even if an API has one of the same name; they are left out, as any that is
/// not known, and the answer says what is left (RFC 7591 section 3.2.1).
fn known_scopes(app: &App) -> Vec<String> {
    let of_apis: Vec<String> = app
        .live
        .look(|_, configuration| configuration.apis.values().flat_map(|api| api.scopes.iter().cloned()).collect());
    let usual = USUAL_SCOPES.into_iter().map(str::to_owned);
    let is_given = |scope: &String| scope.starts_with(OWN_SCOPES) || privileged::SCOPES.contains(&scope.as_str());
    usual.chain(of_apis.into_iter().filter(|scope| !is_given(scope))).collect()
}

/// The scopes a client gets: of those it asks for, what it may have; what it was given by an administrator it keeps as
/// long as it says so.
fn granted_scopes(metadata: &Metadata, known: &[String], held: &[String]) -> Vec<String> {
    match &metadata.scopes {
        Some(asked) => asked.iter().filter(|scope| known.contains(scope) || held.contains(scope)).cloned().collect(),
        None if metadata.uses("authorization_code") => USUAL_SCOPES.map(str::to_owned).to_vec(),
        None => Vec::new(),
    }
}

/// What a client is told of itself.
fn registered() -> Shape {
    let told =
        object().with("client_id", text()).with("client_id_issued_at", number()).and(metadata::described().open());
    // Of the scopes it asked for, it may have got none.
    let told = told.may("scope", text());
    let told = told.may("client_secret", text()).may("client_secret_expires_at", number());
    told.with("registration_access_token", text()).with("registration_client_uri", text()).named("RegisteredClient")
}

pub(super) fn describe_register(it: Description) -> Description {
    it.json(metadata::described().named("ClientMetadata")).gives(201, registered()).refuses(&[400, 401, 403])
}

pub(super) fn describe_read(it: Description) -> Description {
    it.gives(200, registered()).refuses(&[401, 403])
}

pub(super) fn describe_update(it: Description) -> Description {
    let members = metadata::described().with("client_id", text()).may("client_secret", maybe(text()));
    let members = members.for_example(json!({
        "client_id": "c_AAAAAAAAAAAAAAAAAAAAAA",
        "client_name": "Portal",
        "redirect_uris": ["https://portal.example/callback"],
    }));
    it.json(members.named("ChangedClientMetadata")).gives(200, registered()).refuses(&[400, 401, 403])
}
