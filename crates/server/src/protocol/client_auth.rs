//! Who is calling: client authentication at the token, revocation, introspection and PAR endpoints (RFC 6749 section 2.3,
//! OpenID Connect Core section 9, RFC 7523, RFC 8705).

use std::{sync::Arc, time::Duration};

use axum::http::{header, request::Parts};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rescind_check::Position;
use rescind_jose::{
    assertion::{self, Credential, Expected},
    certificate_thumbprint,
};
use rescind_ledger::{Client, ClientAuthMethod, Hash, Lane};
use subtle::ConstantTimeEq;

use crate::{
    app::App,
    openapi::shape::{Members, Shape, text},
    origin,
    peer::{self, Peer},
    protocol::{
        certificate,
        error::ProtocolError,
        form::Form,
        mount::{Mount, Place},
    },
};

/// An authenticated client, or a public one that only said its name.
pub struct Caller {
    pub client: Arc<Client>,
    /// Taken before the client's configuration was read.
    pub stamp: Position,
    /// `x5t#S256` of the certificate it authenticated with: its tokens are bound to it (RFC 8705 section 3).
    pub certificate: Option<String>,
}

/// How a request tries to authenticate.
enum Attempt<'a> {
    Secret { method: ClientAuthMethod, id: String, secret: String },
    Assertion { id: String, jwt: &'a str },
    Name { id: String },
}

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// A longer-lived assertion would have to be remembered for as long.
const ASSERTION_LIFETIME: Duration = Duration::from_secs(600);

/// Finds out who is calling.
///
/// # Errors
/// `invalid_client` for anybody unknown, disabled or unproven, always with the same words; `invalid_request` for more than
/// one method at once.
pub async fn authenticate(app: &App, parts: &Parts, form: &Form) -> Result<Caller, ProtocolError> {
    let attempt = attempt(parts, form)?;
    let (Attempt::Secret { id, .. } | Attempt::Assertion { id, .. } | Attempt::Name { id }) = &attempt;
    let (stamp, client) = app.live.stamped_client(id);
    let client = client.filter(|client| client.enabled);
    let certificate = match &attempt {
        Attempt::Secret { method, secret, .. } => by_secret(client.as_deref(), *method, secret)?,
        // On the heap, for these are large and rare: every request's own future would be as large.
        Attempt::Assertion { jwt, .. } => Box::pin(by_assertion(app, parts, client.as_deref(), jwt)).await?,
        Attempt::Name { .. } => Box::pin(by_name(app, client.as_deref(), parts)).await?,
    };
    let client = client.ok_or_else(refused)?;
    origin::note_client(&client.id);
    Ok(Caller { client, stamp, certificate })
}

/// Who a request says it is from, proven or not: the client's id, and the registered name of the method that was tried,
/// `-` if that cannot be told. For logs of what was refused.
#[must_use]
pub fn claimed(app: &App, parts: &Parts, form: &Form) -> Option<(String, &'static str)> {
    use ClientAuthMethod::{ClientSecretJwt, None as Public, PrivateKeyJwt, SelfSignedTlsClientAuth, TlsClientAuth};
    let registered = |id: &str, possible: &[ClientAuthMethod]| {
        let method = app.live.client(id).map(|client| client.auth_method);
        method.filter(|method| possible.contains(method)).map_or("-", ClientAuthMethod::name)
    };
    match attempt(parts, form).ok()? {
        Attempt::Secret { method, id, .. } => Some((id, method.name())),
        Attempt::Assertion { id, .. } => {
            let method = registered(&id, &[ClientSecretJwt, PrivateKeyJwt]);
            Some((id, method))
        }
        Attempt::Name { id } => {
            let method = registered(&id, &[Public, SelfSignedTlsClientAuth, TlsClientAuth]);
            Some((id, method))
        }
    }
}

fn refused() -> ProtocolError {
    ProtocolError::invalid_client("client authentication failed")
}

fn attempt<'a>(parts: &Parts, form: &'a Form) -> Result<Attempt<'a>, ProtocolError> {
    let basic = match parts.headers.get(header::AUTHORIZATION) {
        Some(value) => Some(basic(value.as_bytes()).ok_or_else(refused)?),
        None => None,
    };
    let (secret, jwt) = (form.find("client_secret"), form.find("client_assertion"));
    if usize::from(basic.is_some()) + usize::from(secret.is_some()) + usize::from(jwt.is_some()) > 1 {
        return Err(ProtocolError::invalid_request(
            "more than one way of client authentication (RFC 6749 section 2.3)",
        ));
    }
    let named = form.find("client_id");
    let attempt = if let Some((id, secret)) = basic {
        Attempt::Secret { method: ClientAuthMethod::ClientSecretBasic, id, secret }
    } else if let Some(jwt) = jwt {
        if form.find("client_assertion_type") != Some(ASSERTION_TYPE) {
            return Err(ProtocolError::invalid_request("client_assertion_type must be the jwt-bearer one (RFC 7523)"));
        }
        Attempt::Assertion { id: assertion::unverified_client_id(jwt).ok_or_else(refused)?, jwt }
    } else {
        let id = named.ok_or_else(refused)?;
        match secret {
            Some(secret) => Attempt::Secret {
                method: ClientAuthMethod::ClientSecretPost,
                id: id.to_owned(),
                secret: secret.to_owned(),
            },
            None => Attempt::Name { id: id.to_owned() },
        }
    };
    match (&attempt, named) {
        (Attempt::Secret { id, .. } | Attempt::Assertion { id, .. }, Some(named)) if id != named => {
            Err(ProtocolError::invalid_request("client_id is not the client that authenticates"))
        }
        _ => Ok(attempt),
    }
}

/// Both halves are form-encoded before they are joined (RFC 6749 section 2.3.1).
fn basic(value: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut id = STANDARD.decode(encoded.trim_ascii()).ok()?;
    let colon = id.iter().position(|byte| *byte == b':')?;
    let secret = id.split_off(colon + 1);
    id.truncate(colon);
    Some((decoded(id)?, decoded(secret)?))
}

fn decoded(half: Vec<u8>) -> Option<String> {
    let half = String::from_utf8(half).ok()?;
    if !half.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(half);
    }
    form_urlencoded::parse(format!("x={}", half.replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

fn by_secret(client: Option<&Client>, method: ClientAuthMethod, secret: &str) -> Result<Option<String>, ProtocolError> {
    // The comparison is made for an unknown client too, so that time does not tell who is registered.
    let expected = client.and_then(|client| client.secret_hash).unwrap_or(Hash([0; 32]));
    let equal = bool::from(Hash::of(secret).0.ct_eq(&expected.0));
    match client {
        Some(client) if equal && client.auth_method == method => Ok(None),
        _ => Err(refused()),
    }
}

async fn by_assertion(
    app: &App,
    parts: &Parts,
    client: Option<&Client>,
    jwt: &str,
) -> Result<Option<String>, ProtocolError> {
    let client = client.ok_or_else(refused)?;
    let issuer = app.config.issuer.as_str();
    // As the client that came this way knows it.
    let token_endpoint = Mount::of(&parts.extensions).url(&app.config, Place::Token);
    let expected = Expected {
        client_id: &client.id,
        audiences: &[issuer, &token_endpoint],
        now: app.now().secs(),
        max_lifetime: ASSERTION_LIFETIME,
    };
    let verified = match client.auth_method {
        ClientAuthMethod::ClientSecretJwt => {
            let sealed = client.secret_sealed.as_ref().ok_or_else(refused)?;
            let secret = app.keys.unseal(&format!("client_secret:{}", client.id), sealed).map_err(|why| {
                tracing::error!(client = client.id, error = %why, "cannot open the client's secret");
                ProtocolError::server_error()
            })?;
            assertion::verify(jwt, Credential::Secret(&secret), expected)
        }
        ClientAuthMethod::PrivateKeyJwt => {
            let keys = app.client_keys.find(app, client).await.ok_or_else(refused)?;
            assertion::verify(jwt, Credential::Keys(&keys), expected)
        }
        _ => return Err(refused()),
    };
    let assertion = verified.map_err(|why| {
        tracing::info!(client = client.id, error = %why, "client assertion refused");
        refused()
    })?;
    let (id, jti) = (client.id.clone(), assertion.jti);
    let expires_at = rescind_ledger::Timestamp::from_secs(assertion.expires_at + 60);
    match app.submit(Lane::Issuing, move |door| door.use_assertion(&id, &jti, expires_at)).await {
        Err(rescind_ledger::LedgerError::Replayed) => Err(refused()),
        other => Ok(other.map(|()| None)?),
    }
}

/// Nothing but a name: a public client, or one whose TLS certificate speaks for it (RFC 8705 section 2). Gives the
/// thumbprint of that certificate.
async fn by_name(app: &App, client: Option<&Client>, parts: &Parts) -> Result<Option<String>, ProtocolError> {
    let client = client.ok_or_else(refused)?;
    if client.is_public() {
        return Ok(None);
    }
    let peer = parts.extensions.get::<Peer>();
    let shown = peer.and_then(|peer| peer::client_certificate(peer, &parts.headers, &app.config.proxy));
    let shown = shown.ok_or_else(refused)?;
    let recognised = match client.auth_method {
        ClientAuthMethod::TlsClientAuth => certificate::is_for(&shown, client),
        ClientAuthMethod::SelfSignedTlsClientAuth => {
            let keys = app.client_keys.find(app, client).await.ok_or_else(refused)?;
            certificate::is_among(&shown, &keys)
        }
        _ => false,
    };
    if recognised { Ok(Some(certificate_thumbprint(&shown.der))) } else { Err(refused()) }
}

/// What a client's form has, and beside it what some methods of authentication send in the form. By a request of its own
/// the client is known already, so that none of it is needed.
#[must_use]
pub fn form(members: Members) -> Shape {
    let credentials = ["client_id", "client_secret", "client_assertion_type", "client_assertion"];
    credentials.into_iter().fold(members, |members, name| members.may(name, text())).open()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_basic_are_decoded() {
        let header = format!("Basic {}", STANDARD.encode("a%3Ab:s%25+c"));
        assert_eq!(basic(header.as_bytes()), Some(("a:b".into(), "s% c".into())));
        assert_eq!(basic(b"Bearer abc"), None);
        assert_eq!(basic(b"Basic !!!"), None);
    }
}
