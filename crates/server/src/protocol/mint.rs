//! What a token request brings forth: scopes and audiences narrowed, records formed, and the tokens themselves.

use std::time::Duration;

use rescind_check::{Verdict, mask_text};
use rescind_jose::Kind as JwtKind;
use rescind_ledger::{
    AccessToken, Client, Feature, Grant, Hash, Kind, Minted, RefreshToken, Secret, SessionValidation, SigningAlgorithm,
    StatusSlot, Timestamp, TokenFormat,
};
use serde_json::{Value, json};

use crate::{
    app::App,
    clock::{fresh_id, random},
    protocol::{error::ProtocolError, feature, status_list},
};

/// Scopes that belong to OpenID Connect rather than to an API (OpenID Connect Core sections 5.4 and 11).
pub const STANDARD_SCOPES: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

/// The scope a client gets: what it asks for, or everything it may have that needs no special asking.
pub fn narrow_scope(client: &Client, requested: Option<&str>) -> Result<String, ProtocolError> {
    let Some(requested) = requested else {
        let standard = |scope: &&String| !STANDARD_SCOPES.contains(&scope.as_str());
        return Ok(client.scopes.iter().filter(standard).cloned().collect::<Vec<_>>().join(" "));
    };
    let mut scopes: Vec<&str> = Vec::new();
    for scope in requested.split(' ').filter(|scope| !scope.is_empty()) {
        if !client.scopes.iter().any(|allowed| allowed == scope) {
            return Err(ProtocolError::invalid_scope("the client may not ask for one of these scopes"));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes.join(" "))
}

/// Whether a scope list has a scope.
#[must_use]
pub fn has_scope(scopes: &str, scope: &str) -> bool {
    scopes.split(' ').any(|one| one == scope)
}

/// The audiences a client gets for the resources it names (RFC 8707 section 2.1). The issuer itself is the audience of a
/// token that names none, and of one that is for userinfo too.
pub fn resolve_audiences(
    app: &App,
    client: &Client,
    requested: &[&str],
    scope: &str,
) -> Result<Vec<String>, ProtocolError> {
    let mut audiences: Vec<String> = Vec::new();
    for resource in requested {
        let allowed = client.resources.is_empty() || client.resources.iter().any(|one| one == resource);
        if !allowed || app.live.api(resource).is_none() {
            return Err(ProtocolError::invalid_target("no such resource is registered for this client"));
        }
        if audiences.iter().all(|one| one != resource) {
            audiences.push((*resource).to_owned());
        }
    }
    if audiences.is_empty() || has_scope(scope, "openid") {
        audiences.push(app.config.issuer.clone());
    }
    Ok(audiences)
}

/// What an access token is to be.
pub struct Wanted<'a> {
    pub client: &'a Client,
    pub grant: &'a Grant,
    pub scope: String,
    pub audiences: Vec<String>,
    /// The client certificate to bind it to.
    pub certificate: Option<String>,
    /// When the session it may need is over at the latest.
    pub session_ends: Option<Timestamp>,
}

/// Records to be written, and the tokens to be handed out once they are.
pub struct Made {
    pub minted: Minted,
    pub access_token: String,
    pub expires_in: i64,
}

impl Wanted<'_> {
    /// Forms the access token. Nothing is valid before the records are committed.
    pub fn make(self, app: &App, refresh: Option<RefreshToken>) -> Result<Made, ProtocolError> {
        let now = app.now();
        let (format, validation, ttl) = self.terms(app);
        let validation = if self.grant.session_bound { validation } else { validation.as_information() };
        let session_ends = self.session_ends.filter(|_| validation.check_valid_authn_session);
        let mut access = AccessToken {
            hash: Hash([0; 32]),
            id: fresh_id(""),
            grant: self.grant.id.clone(),
            client: self.client.id.clone(),
            user: self.grant.user.clone(),
            session: self.grant.session.clone(),
            session_validation: validation,
            device: self.grant.device.clone(),
            scope: self.scope,
            audiences: self.audiences,
            key: None,
            certificate: self.certificate,
            position: self.grant.position,
            auth_time: self.grant.auth_time,
            issued_at: now,
            expires_at: now.plus(ttl).min(self.grant.expires_at).min(session_ends.unwrap_or(Timestamp::MAX)),
        };
        let is_listed = format == TokenFormat::Jwt && feature::is_on(app, Feature::StatusList);
        let status = is_listed.then(|| app.status_lists.allocate(now, access.expires_at));
        let access_token = match format {
            TokenFormat::Opaque => Secret::form(Kind::AccessToken, &random()).reveal().to_owned(),
            TokenFormat::Jwt => sign_access_token(app, &mut access, status.as_ref())?,
        };
        access.hash = Hash::of(&access_token);
        let expires_in = access.expires_at.since(now).as_secs();
        let minted = Minted { grant: self.grant.clone(), access, refresh, status };
        Ok(Made { minted, access_token, expires_in: i64::try_from(expires_in).unwrap_or(0) })
    }

    /// Form, session binding and life: the strictest of its APIs decides.
    fn terms(&self, app: &App) -> (TokenFormat, SessionValidation, Duration) {
        let apis: Vec<_> = self.audiences.iter().filter_map(|audience| app.live.api(audience)).collect();
        let jwt = apis.iter().any(|api| api.token_format == TokenFormat::Jwt);
        let validations = apis.iter().map(|api| api.session_validation);
        let validation = validations.reduce(SessionValidation::or).unwrap_or_default();
        let shortest = apis.iter().filter_map(|api| api.access_token_secs).min();
        let ttl = shortest.map_or(app.lifetimes().access_token, |secs| Duration::from_secs(secs.into()));
        (if jwt { TokenFormat::Jwt } else { TokenFormat::Opaque }, validation, ttl)
    }
}

/// RFC 9068 section 2.2, with what a check needs: grant, session, device, the masked position, and where its status stands.
fn sign_access_token(
    app: &App,
    access: &mut AccessToken,
    status: Option<&StatusSlot>,
) -> Result<String, ProtocolError> {
    let mut claims = json!({
        "iss": app.config.issuer,
        "aud": audience_claim(&access.audiences),
        "sub": access.user.as_ref().unwrap_or(&access.client),
        "client_id": access.client,
        "jti": access.id,
        "iat": access.issued_at.secs(),
        "exp": access.expires_at.secs(),
        "scope": access.scope,
        "grant_id": access.grant,
        "session_bound": access.session_validation.depends_on_session(),
        "pos": mask_text(access.position, &app.keys.mask, &access.id),
    });
    let session = access.session.clone().filter(|_| access.session_validation.names_session());
    insert(&mut claims, "sid", session.clone().map(Value::String));
    insert(&mut claims, "pi.sri", session.map(Value::String));
    insert(&mut claims, "device_id", access.device.clone().map(Value::String));
    insert(&mut claims, "auth_time", access.auth_time.map(|at| at.secs().into()));
    insert(&mut claims, "cnf", access.certificate.as_ref().map(|print| json!({ "x5t#S256": print })));
    insert(&mut claims, "status", status.map(|slot| status_claim(app, slot)));
    let ring = app.keys.ring();
    let key = ring.signing(SigningAlgorithm::RS256);
    access.key = Some(key.kid().to_owned());
    key.sign(JwtKind::AccessToken, &claims).map_err(|why| {
        tracing::error!(error = %why, "cannot sign an access token");
        ProtocolError::server_error()
    })
}

/// Where the status of a token stands (Token Status List section 6.2).
#[must_use]
pub fn status_claim(app: &App, slot: &StatusSlot) -> Value {
    json!({ "status_list": { "idx": slot.index, "uri": status_list::uri(app, &slot.list) } })
}

/// Sets a member that has a value.
pub fn insert(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(object), Some(value)) = (object.as_object_mut(), value) {
        object.insert(name.to_owned(), value);
    }
}

/// One audience is a string, several are an array (RFC 7519 section 4.1.3).
#[must_use]
pub fn audience_claim(audiences: &[String]) -> Value {
    match audiences {
        [one] => Value::String(one.clone()),
        several => json!(several),
    }
}

/// The audiences of a grant that may still be minted for: each is matched by itself, so that a cut-off of one API leaves
/// the others going (DESIGN rule 1).
#[must_use]
pub fn surviving_audiences(app: &App, grant: &Grant, wanted: &[String]) -> Vec<String> {
    let survives = |audience: &&String| {
        let trace = grant.trace_for(audience, app.live.issuer(), app.live.key());
        app.live.verdict(&trace) == Verdict::NotRevoked
    };
    wanted.iter().filter(survives).cloned().collect()
}

/// A grant by a client's own credentials (RFC 6749 section 4.4). It lives as long as its one access token.
#[must_use]
pub fn client_grant(
    app: &App,
    client: &Client,
    scope: &str,
    audiences: &[String],
    stamp: rescind_check::Position,
) -> Grant {
    let now = app.now();
    Grant {
        id: fresh_id("g_"),
        client: client.id.clone(),
        user: None,
        session: None,
        session_bound: false,
        device: None,
        scope: scope.to_owned(),
        audiences: audiences.to_vec(),
        position: stamp,
        auth_time: None,
        nonce: None,
        issued_at: now,
        expires_at: longest_access_token(app, audiences, now),
    }
}

fn longest_access_token(app: &App, audiences: &[String], now: Timestamp) -> Timestamp {
    let own = audiences.iter().filter_map(|audience| app.live.api(audience)?.access_token_secs).max();
    let longest = Duration::from_secs(own.unwrap_or(0).into()).max(app.lifetimes().access_token);
    now.plus(longest)
}

/// An ID token (OpenID Connect Core section 2). `sid` ties it to the session for logout.
pub fn id_token(
    app: &App,
    client: &Client,
    grant: &Grant,
    nonce: Option<&str>,
) -> Result<Option<String>, ProtocolError> {
    let Some(user) = grant.user.as_ref().filter(|_| has_scope(&grant.scope, "openid")) else { return Ok(None) };
    let now = app.now();
    let mut claims = json!({
        "iss": app.config.issuer,
        "sub": user,
        "aud": client.id,
        "iat": now.secs(),
        "exp": now.plus(app.lifetimes().id_token).secs(),
    });
    insert(&mut claims, "auth_time", grant.auth_time.map(|at| at.secs().into()));
    insert(&mut claims, "nonce", nonce.map(Into::into));
    insert(&mut claims, "sid", grant.session.clone().map(Value::String));
    insert(&mut claims, "pi.sri", grant.session.clone().map(Value::String));
    let ring = app.keys.ring();
    let signed = ring.signing(client.id_token_signed_response_alg).sign(JwtKind::IdToken, &claims);
    signed.map(Some).map_err(|why| {
        tracing::error!(error = %why, "cannot sign an ID token");
        ProtocolError::server_error()
    })
}
