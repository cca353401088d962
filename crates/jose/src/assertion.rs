//! Client assertions: the JWT a client signs to authenticate (RFC 7523 section 3, OpenID Connect Core section 9).

use crate::JoseError;
use crate::compact::{Compact, unverified_claims};
use crate::public_key::{Scheme, verifying_key};
use crate::times::{whole_secs_down, whole_secs_up};
use aws_lc_rs::hmac;
use serde_json::Value;
use std::time::Duration;

/// What is accepted under `private_key_jwt`, as written in `token_endpoint_auth_signing_alg_values_supported`.
pub const KEY_ALGORITHMS: [&str; 6] = ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"];
/// What is accepted under `client_secret_jwt`.
pub const SECRET_ALGORITHMS: [&str; 3] = ["HS256", "HS384", "HS512"];

/// Shortest secret that may authenticate a message, in bytes: the output of SHA-256 (RFC 7518 section 3.2).
pub const MIN_SECRET_BYTES: usize = 32;
/// Longest `jti`, in bytes: it is kept until the assertion expires.
const MAX_JTI_BYTES: usize = 256;
/// Most keys of a client that are tried for one assertion.
const MAX_KEYS: usize = 16;
/// How far `nbf` and `iat` may lie ahead of our clock, in seconds.
const MAX_AHEAD_SECS: i64 = 10;

/// What the client is registered with. Which of the two it is decides the algorithms, never the token.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// `private_key_jwt`: the client's JWK set, an object with `keys`.
    Keys(&'a Value),
    /// `client_secret_jwt`: the bytes of the secret.
    Secret(&'a [u8]),
}

/// What the assertion must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub client_id: &'a str,
    /// One of them must be in `aud`: the issuer, the token endpoint.
    pub audiences: &'a [&'a str],
    /// Unix seconds.
    pub now: i64,
    /// `exp` may lie this far ahead at most, which bounds how long a `jti` must be remembered.
    pub max_lifetime: Duration,
}

/// A verified assertion. It counts once: the caller remembers `jti` until `expires_at` and refuses it if it comes again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    pub jti: String,
    /// Unix seconds.
    pub expires_at: i64,
}

/// Why an assertion was refused. For the log; the client is told `invalid_client` (RFC 6749 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionError {
    #[error(transparent)]
    Token(#[from] JoseError),
    #[error("the typ says that the token is for something else")]
    WrongType,
    #[error("the algorithm is not one that this client's credential permits")]
    WrongAlgorithm,
    #[error("the client secret is too short to authenticate a message")]
    WeakSecret,
    /// The client may have rotated: read its `jwks_uri` again, then refuse.
    #[error("none of the client's keys fits the token's kid and algorithm")]
    NoMatchingKey,
    #[error("iss is not the client")]
    WrongIssuer,
    #[error("sub is not the client")]
    WrongSubject,
    #[error("aud does not name this server")]
    WrongAudience,
    #[error("exp is missing")]
    NoExpiry,
    #[error("the assertion has expired")]
    Expired,
    #[error("exp is too far ahead")]
    LivesTooLong,
    #[error("nbf lies ahead of the server's clock")]
    NotYetValid,
    #[error("iat lies ahead of the server's clock")]
    IssuedAhead,
    #[error("jti is missing, empty or too long")]
    BadJti,
}

#[derive(serde::Deserialize)]
struct AssertionClaims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
    jti: Option<String>,
}

/// RFC 7519 section 4.1.3: a list, or in the special case of one, a string.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn names_one_of(&self, accepted: &[&str]) -> bool {
        match self {
            Self::One(audience) => accepted.contains(&audience.as_str()),
            Self::Many(audiences) => audiences.iter().any(|audience| accepted.contains(&audience.as_str())),
        }
    }
}

/// Verifies an assertion: signature by the client's credential, then every claim.
pub fn verify(jwt: &str, credential: Credential<'_>, expected: Expected<'_>) -> Result<Assertion, AssertionError> {
    let compact = Compact::parse(jwt)?;
    if !is_assertion_type(compact.header.typ.as_deref()) {
        return Err(AssertionError::WrongType);
    }
    match credential {
        Credential::Keys(jwks) => verify_by_keys(&compact, jwks)?,
        Credential::Secret(secret) => verify_by_secret(&compact, secret)?,
    }
    check_claims(compact.claims()?, expected)
}

/// Reads the client id the assertion claims to come from, without verifying anything: to find the client to verify it with.
pub fn unverified_client_id(jwt: &str) -> Option<String> {
    unverified_claims::<AssertionClaims>(jwt)?.sub
}

/// A `typ` that names another purpose (a request object, a DPoP proof) is refused, so that what a client signed for that
/// purpose cannot authenticate it. Absent or `JWT` is what most libraries send.
fn is_assertion_type(typ: Option<&str>) -> bool {
    typ.is_none_or(|typ| {
        let typ = typ.to_ascii_lowercase();
        // RFC 7515 section 4.1.9: the prefix may be left out.
        matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "client-authentication+jwt")
    })
}

fn verify_by_secret(compact: &Compact<'_>, secret: &[u8]) -> Result<(), AssertionError> {
    let algorithm = match compact.header.alg.as_str() {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return Err(AssertionError::WrongAlgorithm),
    };
    if secret.len() < MIN_SECRET_BYTES {
        return Err(AssertionError::WeakSecret);
    }
    // Compares in constant time.
    hmac::verify(&hmac::Key::new(algorithm, secret), compact.signing_input, &compact.signature)
        .map_err(|_| JoseError::BadSignature.into())
}

fn verify_by_keys(compact: &Compact<'_>, jwks: &Value) -> Result<(), AssertionError> {
    let scheme = Scheme::from_alg(&compact.header.alg).ok_or(AssertionError::WrongAlgorithm)?;
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or(AssertionError::NoMatchingKey)?;
    let mut fitting = keys
        .iter()
        .filter(|jwk| may_have_kid(jwk, compact.header.kid.as_deref()))
        .filter_map(|jwk| verifying_key(jwk, scheme))
        .take(MAX_KEYS)
        .peekable();
    if fitting.peek().is_none() {
        return Err(AssertionError::NoMatchingKey);
    }
    if fitting.any(|key| key.verify_sig(compact.signing_input, &compact.signature).is_ok()) {
        Ok(())
    } else {
        Err(JoseError::BadSignature.into())
    }
}

/// RFC 7515 section 4.1.4: a hint. It rules a key out only where both sides name one, for many clients register a single
/// key without a name.
fn may_have_kid(jwk: &Value, wanted: Option<&str>) -> bool {
    match (jwk.get("kid").and_then(Value::as_str), wanted) {
        (Some(kid), Some(wanted)) => kid == wanted,
        _ => true,
    }
}

fn check_claims(claims: AssertionClaims, expected: Expected<'_>) -> Result<Assertion, AssertionError> {
    if claims.iss.as_deref() != Some(expected.client_id) {
        return Err(AssertionError::WrongIssuer);
    }
    if claims.sub.as_deref() != Some(expected.client_id) {
        return Err(AssertionError::WrongSubject);
    }
    if !claims.aud.is_some_and(|audience| audience.names_one_of(expected.audiences)) {
        return Err(AssertionError::WrongAudience);
    }
    let expires_at = whole_secs_up(claims.exp.ok_or(AssertionError::NoExpiry)?);
    if expires_at <= expected.now {
        return Err(AssertionError::Expired);
    }
    let max_lifetime_secs = i64::try_from(expected.max_lifetime.as_secs()).unwrap_or(i64::MAX);
    if expires_at > expected.now.saturating_add(max_lifetime_secs) {
        return Err(AssertionError::LivesTooLong);
    }
    let latest = expected.now.saturating_add(MAX_AHEAD_SECS);
    if claims.nbf.is_some_and(|nbf| whole_secs_down(nbf) > latest) {
        return Err(AssertionError::NotYetValid);
    }
    if claims.iat.is_some_and(|iat| whole_secs_down(iat) > latest) {
        return Err(AssertionError::IssuedAhead);
    }
    let jti = claims.jti.filter(|jti| !jti.is_empty() && jti.len() <= MAX_JTI_BYTES).ok_or(AssertionError::BadJti)?;
    Ok(Assertion { jti, expires_at })
}
