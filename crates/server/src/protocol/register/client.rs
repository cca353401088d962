//! The client that comes out of metadata, and the metadata that a client shows (RFC 7591 section 3.2.1).

use std::time::Duration;

use rescind_jose::seal::SealError;
use rescind_ledger::{Client, ClientAuthMethod, Kind, Rotation, Sealed, Secret, SigningAlgorithm, Timestamp};
use serde_json::{Value, json};

use crate::{
    app::App,
    clock::random,
    protocol::{mint::insert, register::metadata::Metadata},
};

/// What an administrator or a policy decides about a new client, whatever it says of itself.
pub struct Terms {
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// Whether its users are asked for consent.
    pub first_party: bool,
    /// For how long a rotated refresh token still brings back the same successor.
    pub rotation_grace: Duration,
    pub now: Timestamp,
}

/// A client of that id, without a secret yet: see [`FreshSecret::give`]. A public client rotates its refresh tokens, a
/// confidential one does not.
#[must_use]
pub fn new_client(id: String, metadata: &Metadata, terms: Terms) -> Client {
    let client = Client {
        rotation_grace_secs: u32::try_from(terms.rotation_grace.as_secs()).unwrap_or(u32::MAX),
        first_party: terms.first_party,
        ..Client::new(id.clone(), id, metadata.auth_method, terms.now)
    };
    replaced(client, metadata, terms.scopes)
}

/// The client with all its metadata replaced. What an administrator decides stays; a secret stays while it is of use.
#[must_use]
pub fn replaced(before: Client, metadata: &Metadata, scopes: Vec<String>) -> Client {
    let method = metadata.auth_method;
    let becomes_public_or_ceases = before.is_public() != (method == ClientAuthMethod::None);
    Client {
        name: metadata.name.clone().unwrap_or_else(|| before.id.clone()),
        auth_method: method,
        secret_hash: before.secret_hash.filter(|_| takes_secret(method)),
        secret_sealed: before.secret_sealed.filter(|_| method == ClientAuthMethod::ClientSecretJwt),
        jwks: metadata.jwks.as_ref().map(Value::to_string),
        jwks_uri: metadata.jwks_uri.clone(),
        tls_client_auth_subject_dn: metadata.tls_client_auth_subject_dn.clone(),
        tls_client_auth_san_dns: metadata.tls_client_auth_san_dns.clone(),
        redirect_uris: metadata.redirect_uris.clone(),
        post_logout_redirect_uris: metadata.post_logout_redirect_uris.clone(),
        grant_types: metadata.grant_types.clone(),
        scopes,
        session_revocation_api: before.session_revocation_api && method != ClientAuthMethod::None,
        session_management_api: before.session_management_api && method != ClientAuthMethod::None,
        rotation: if becomes_public_or_ceases { Rotation::usual(method) } else { before.rotation },
        id_token_signed_response_alg: metadata.id_token_signed_response_alg,
        introspection_signed_response_alg: metadata.introspection_signed_response_alg,
        require_pushed_authorization_requests: metadata.require_pushed_authorization_requests,
        ..before
    }
}

fn takes_secret(method: ClientAuthMethod) -> bool {
    use ClientAuthMethod::{ClientSecretBasic, ClientSecretJwt, ClientSecretPost};
    matches!(method, ClientSecretBasic | ClientSecretJwt | ClientSecretPost)
}

/// Whether a client lacks the secret its method calls for.
#[must_use]
pub fn lacks_secret(client: &Client) -> bool {
    let sealed_missing = client.auth_method == ClientAuthMethod::ClientSecretJwt && client.secret_sealed.is_none();
    takes_secret(client.auth_method) && (client.secret_hash.is_none() || sealed_missing)
}

/// A client secret that is not anybody's yet.
pub struct FreshSecret {
    /// To be shown once.
    pub secret: Secret,
    sealed: Sealed,
}

impl FreshSecret {
    /// Makes one for the client of that id: the encrypted form is worth nothing under another id.
    ///
    /// # Errors
    /// If it cannot be encrypted.
    pub fn make(app: &App, client: &str) -> Result<Self, SealError> {
        let secret = Secret::form(Kind::ClientSecret, &random());
        let sealed = app.keys.seal(&format!("client_secret:{client}"), secret.reveal().as_bytes())?;
        Ok(Self { secret, sealed })
    }

    /// Gives it to a client, in the form its method is checked with: a MAC needs the secret itself, the others a hash.
    pub fn give(&self, client: &mut Client) {
        client.secret_hash = Some(self.secret.hash());
        client.secret_sealed = (client.auth_method == ClientAuthMethod::ClientSecretJwt).then(|| self.sealed.clone());
    }
}

/// Everything that is registered about a client, without anything secret.
#[must_use]
pub fn describe(client: &Client) -> Value {
    let with_code = client.grant_types.iter().any(|one| one == "authorization_code");
    let mut document = json!({
        "client_id": client.id,
        "client_id_issued_at": client.created_at.secs(),
        "client_name": client.name,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "grant_types": client.grant_types,
        "response_types": if with_code { json!(["code"]) } else { json!([]) },
        "token_endpoint_auth_method": client.auth_method.name(),
        "scope": client.scopes.join(" "),
        "id_token_signed_response_alg": algorithm(client.id_token_signed_response_alg),
        "introspection_signed_response_alg": algorithm(client.introspection_signed_response_alg),
        "require_pushed_authorization_requests": client.require_pushed_authorization_requests,
    });
    let keys = client.jwks.as_ref().and_then(|jwks| serde_json::from_str(jwks).ok());
    insert(&mut document, "jwks", keys);
    insert(&mut document, "jwks_uri", client.jwks_uri.clone().map(Value::String));
    let subject = client.tls_client_auth_subject_dn.clone().map(Value::String);
    insert(&mut document, "tls_client_auth_subject_dn", subject);
    let name = client.tls_client_auth_san_dns.clone().map(Value::String);
    insert(&mut document, "tls_client_auth_san_dns", name);
    document
}

fn algorithm(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::ES256 => "ES256",
        SigningAlgorithm::RS256 => "RS256",
    }
}
