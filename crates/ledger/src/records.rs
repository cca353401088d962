//! The records: facts about people, applications and what was issued. None of the issued ones is ever updated.

use rescind_check::{FingerprintKey, Lineage, Position, Trace};
use serde::{Deserialize, Serialize};

use crate::{Hash, Role, SessionValidation, SessionView, Timestamp, TokenView};

/// Bytes encrypted under the master key: only the server can open them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A local account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Stable and never reused; the `sub` of every token about this user.
    pub id: String,
    /// What the user types at sign-in; unique, compared without regard to case.
    pub user_name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    /// argon2id in PHC form, if the user has a password.
    pub password_hash: Option<String>,
    pub enabled: bool,
    /// What the user may do as an administrator here; nothing for nearly everybody.
    pub role: Option<Role>,
    /// The name that a provisioning system knows the user by (RFC 7643 section 3.1, `externalId`).
    pub external_id: Option<String>,
    pub created_at: Timestamp,
}

impl User {
    /// A user who may sign in once there is a way to, and nothing more is known of.
    #[must_use]
    pub fn new(id: impl Into<String>, user_name: impl Into<String>, created_at: Timestamp) -> Self {
        Self {
            id: id.into(),
            user_name: user_name.into(),
            email: None,
            display_name: None,
            password_hash: None,
            enabled: true,
            role: None,
            external_id: None,
            created_at,
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// How a client proves who it is at the token endpoint (OpenID Connect Core section 9, RFC 8705 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMethod {
    ClientSecretBasic,
    ClientSecretJwt,
    ClientSecretPost,
    None,
    PrivateKeyJwt,
    SelfSignedTlsClientAuth,
    TlsClientAuth,
}

impl ClientAuthMethod {
    /// Every method.
    pub const ALL: [Self; 7] = [
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::ClientSecretJwt,
        Self::PrivateKeyJwt,
        Self::TlsClientAuth,
        Self::SelfSignedTlsClientAuth,
        Self::None,
    ];

    /// The registered name (IANA "OAuth Token Endpoint Authentication Methods").
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretJwt => "client_secret_jwt",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::SelfSignedTlsClientAuth => "self_signed_tls_client_auth",
            Self::TlsClientAuth => "tls_client_auth",
        }
    }
}

/// Whether a used refresh token is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// Each use brings a successor, and a replay ends the grant.
    EachUse,
    /// The refresh token stays the same for the life of the grant.
    Never,
}

impl Rotation {
    /// What a client gets if nobody says: only a public one rotates, since nothing else ties its refresh token to it
    /// (RFC 9700 section 4.14.2).
    #[must_use]
    pub fn usual(method: ClientAuthMethod) -> Self {
        if method == ClientAuthMethod::None { Self::EachUse } else { Self::Never }
    }
}

/// Whether a client's refresh tokens die with the session they came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshBinding {
    /// They always do, `offline_access` or not.
    Always,
    /// They never do.
    Never,
    /// They do unless `offline_access` was granted (OpenID Connect Core section 11).
    #[default]
    UnlessOffline,
}

impl RefreshBinding {
    /// Whether this ends with the session what `before` let live.
    #[must_use]
    pub fn is_stricter_than(self, before: Self) -> bool {
        let rank = |one| match one {
            Self::Never => 0,
            Self::UnlessOffline => 1,
            Self::Always => 2,
        };
        rank(self) > rank(before)
    }
}

/// How ID tokens and introspection answers to a client are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    ES256,
    #[default]
    RS256,
}

/// An OAuth client; the console says *application*.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub id: String,
    pub name: String,
    pub auth_method: ClientAuthMethod,
    /// SHA-256 of the secret, for the methods that present it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_hash: Option<Hash>,
    /// The secret itself, encrypted, for `client_secret_jwt` alone: a MAC cannot be checked against a hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_sealed: Option<Sealed>,
    /// Public keys for `private_key_jwt` and `self_signed_tls_client_auth`: a JWK set (RFC 7517 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// The certificate subject for `tls_client_auth` (RFC 8705 section 2.1.2), in RFC 4514 form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_subject_dn: Option<String>,
    /// Or a DNS name in the certificate's subject alternative names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_client_auth_san_dns: Option<String>,
    pub redirect_uris: Vec<String>,
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    pub grant_types: Vec<String>,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// The audiences (APIs) it may ask for; empty means every registered API.
    #[serde(default)]
    pub resources: Vec<String>,
    /// The API this client *is*, when it introspects as a resource server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<String>,
    pub rotation: Rotation,
    /// How long after its use a rotated refresh token still brings back the same successor, in seconds; 0 is strict.
    pub rotation_grace_secs: u32,
    #[serde(default)]
    pub refresh_binding: RefreshBinding,
    /// Whether it may use the session-revocation API: add sessions to the revocation list and ask for them.
    #[serde(default)]
    pub session_revocation_api: bool,
    /// Whether it may use the session-management API: see, extend and end sessions by id and by user.
    #[serde(default)]
    pub session_management_api: bool,
    #[serde(default)]
    pub id_token_signed_response_alg: SigningAlgorithm,
    #[serde(default)]
    pub introspection_signed_response_alg: SigningAlgorithm,
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// Whether users are asked for consent; first-party applications need none.
    #[serde(default)]
    pub first_party: bool,
    /// SHA-256 of the registration access token (RFC 7592), for a client that registered itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_hash: Option<Hash>,
    pub enabled: bool,
    pub created_at: Timestamp,
}

impl Client {
    /// An enabled client that may do nothing yet and has neither secret nor keys: no grant types, no scopes, no redirect
    /// URIs, every API, strict rotation if it is public, third-party, and the default signatures. Whoever makes a client
    /// starts here and says what is different.
    #[must_use]
    pub fn new(id: String, name: String, auth_method: ClientAuthMethod, created_at: Timestamp) -> Self {
        Self {
            id,
            name,
            auth_method,
            secret_hash: None,
            secret_sealed: None,
            jwks: None,
            jwks_uri: None,
            tls_client_auth_subject_dn: None,
            tls_client_auth_san_dns: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            scopes: Vec::new(),
            resources: Vec::new(),
            serves: None,
            rotation: Rotation::usual(auth_method),
            rotation_grace_secs: 0,
            refresh_binding: RefreshBinding::default(),
            session_revocation_api: false,
            session_management_api: false,
            id_token_signed_response_alg: SigningAlgorithm::default(),
            introspection_signed_response_alg: SigningAlgorithm::default(),
            require_pushed_authorization_requests: false,
            first_party: false,
            registration_hash: None,
            enabled: true,
            created_at,
        }
    }

    /// Whether it cannot keep a secret (RFC 6749 section 2.1).
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.auth_method == ClientAuthMethod::None
    }
}

/// What access tokens for an API look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// RFC 9068.
    Jwt,
    #[default]
    Opaque,
}

/// A resource server; the console says *API*. Its identifier is an audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// An absolute URI (RFC 8707 section 2).
    pub audience: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub token_format: TokenFormat,
    /// Life of its access tokens in seconds; the server's default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token_secs: Option<u32>,
    /// What its access tokens make of the session they came from.
    #[serde(default)]
    pub session_validation: SessionValidation,
    pub created_at: Timestamp,
}

/// A managed device: one id, and the names others know it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub id: String,
    pub name: String,
    /// (kind, value), such as ("mdm", GUID), ("udid", UDID) or ("certificate", thumbprint).
    pub external_ids: Vec<(String, String)>,
    pub enabled: bool,
    pub created_at: Timestamp,
}

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The `sid`.
    pub id: String,
    pub cookie: Hash,
    pub user: String,
    /// The authentication source that vouched for the user, such as `password`.
    pub source: String,
    pub device: Option<String>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// Stamped before the password was read.
    pub position: Position,
    pub started_at: Timestamp,
    /// The last activity that was written down.
    pub touched_at: Timestamp,
    /// How long it may rest, in seconds.
    pub idle_secs: u32,
    pub expires_at: Timestamp,
}

/// A moment at which the user of a session proved who they are: the sign-in itself, or a later re-authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    pub session: String,
    pub position: Position,
    pub at: Timestamp,
    /// RFC 8176 values.
    pub methods: Vec<String>,
}

/// What one client got by one authorization, or by its own credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub client: String,
    pub user: Option<String>,
    /// The session it came from, always known, for information.
    pub session: Option<String>,
    /// Whether its refresh tokens die with that session: not when `offline_access` was granted.
    pub session_bound: bool,
    pub device: Option<String>,
    pub scope: String,
    /// The audiences that were authorized.
    pub audiences: Vec<String>,
    pub position: Position,
    pub auth_time: Option<Timestamp>,
    pub nonce: Option<String>,
    pub issued_at: Timestamp,
    /// Nothing of the grant outlives this.
    pub expires_at: Timestamp,
}

/// An access token, opaque or JWT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    pub hash: Hash,
    /// The `jti`.
    pub id: String,
    pub grant: String,
    pub client: String,
    pub user: Option<String>,
    pub session: Option<String>,
    /// What the token depends on of that session.
    pub session_validation: SessionValidation,
    pub device: Option<String>,
    pub scope: String,
    pub audiences: Vec<String>,
    /// The key that signed it, if it is a JWT.
    pub key: Option<String>,
    /// `x5t#S256` of the client certificate it is bound to (RFC 8705 section 3).
    pub certificate: Option<String>,
    pub position: Position,
    pub auth_time: Option<Timestamp>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A refresh token. Everything else about it is in its grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    pub hash: Hash,
    pub grant: String,
    /// The one it replaced.
    pub parent: Option<Hash>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// An authorization code. Its grant's id is allocated with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    pub hash: Hash,
    pub grant: Grant,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// The registered form of it: they differ in the port of a loopback address (RFC 8252 section 7.3).
    pub registered_redirect_uri: String,
    /// `S256` (RFC 7636 section 4.2).
    pub code_challenge: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A remembered consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub user: String,
    pub client: String,
    pub scopes: Vec<String>,
    pub audiences: Vec<String>,
    pub position: Position,
    /// When the user proved who they are, in whose sign-in it was given.
    pub auth_time: Timestamp,
    pub at: Timestamp,
    pub expires_at: Timestamp,
}

/// A pushed authorization request (RFC 9126), or one that waits for its user to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRequest {
    /// SHA-256 of the handle.
    pub handle: Hash,
    pub client: String,
    /// The parameters, as JSON.
    pub parameters: String,
    pub position: Position,
    /// When the request began: of one that waits, when it was pushed.
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Session {
    /// The lineage of the session as a credential.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        SessionView::from(self).trace(issuer, key)
    }

    /// Hands the lineage to `look`.
    pub fn with_lineage<R>(&self, issuer: &str, look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        SessionView::from(self).with_lineage(issuer, look)
    }
}

impl Grant {
    /// The lineage of the grant itself, and so of its code and refresh tokens: audiences are matched one by one when
    /// an access token is minted, so that a cut-off of one API does not end the grant for the others.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        self.with_lineage(issuer, &[], |lineage| lineage.trace(key))
    }

    /// When the authentication was from which it descends, and so its tokens; when it was issued, if a client got it by its
    /// own credentials.
    #[must_use]
    pub fn root_time(&self) -> Timestamp {
        self.auth_time.unwrap_or(self.issued_at)
    }

    /// The lineage of the grant for one audience.
    #[must_use]
    pub fn trace_for(&self, audience: &String, issuer: &str, key: &FingerprintKey) -> Trace {
        self.with_lineage(issuer, std::slice::from_ref(audience), |lineage| lineage.trace(key))
    }

    /// Hands the lineage to `look`.
    pub fn with_lineage<R>(&self, issuer: &str, audiences: &[String], look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        look(&Lineage {
            token: None,
            grant: Some(&self.id),
            session: self.session.as_deref().filter(|_| self.session_bound),
            device: self.device.as_deref(),
            subject: self.user.as_deref().map(|user| (issuer, user)),
            client: Some(&self.client),
            audiences,
            key: None,
            position: self.position,
            root_time: self.root_time().0,
        })
    }
}

impl AccessToken {
    /// When the authentication was from which it descends: see [`TokenView::root_time`].
    #[must_use]
    pub fn root_time(&self) -> Timestamp {
        TokenView::from(self).root_time()
    }

    /// Everything whose revocation ends this token.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        TokenView::from(self).trace(issuer, key)
    }

    /// Hands the lineage to `look`.
    pub fn with_lineage<R>(&self, issuer: &str, look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        TokenView::from(self).with_lineage(issuer, look)
    }
}

impl Consent {
    /// The lineage of the remembered consent.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        Lineage {
            token: None,
            grant: None,
            session: None,
            device: None,
            subject: Some((issuer, &self.user)),
            client: Some(&self.client),
            audiences: &self.audiences,
            key: None,
            position: self.position,
            root_time: self.auth_time.0,
        }
        .trace(key)
    }
}

impl PushedRequest {
    /// The lineage of the pushed request: it dies with its client.
    #[must_use]
    pub fn trace(&self, key: &FingerprintKey) -> Trace {
        Lineage {
            token: None,
            grant: None,
            session: None,
            device: None,
            subject: None,
            client: Some(&self.client),
            audiences: &[],
            key: None,
            position: self.position,
            root_time: self.issued_at.0,
        }
        .trace(key)
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        serializer.serialize_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_| serde::de::Error::custom("a hash has 32 bytes"))
    }
}
