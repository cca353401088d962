//! Our own published keys (RFC 7517 section 5): what stands at the JWKS path, and what our own tokens are verified with.

use crate::compact::Compact;
use crate::public_key::{Scheme, verifying_key};
use crate::{JoseError, Kind, SigningKey, jwk_thumbprint};
use aws_lc_rs::signature::ParsedPublicKey;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Claims of no particular shape.
pub type Claims = serde_json::Map<String, Value>;

/// A token whose signature, kind and key were found good. Its times were not looked at: see [`crate::check_times`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    pub claims: T,
    /// The key that signed it, a target of revocation.
    pub kid: String,
}

struct Published {
    kid: String,
    scheme: Scheme,
    key: ParsedPublicKey,
    jwk: Value,
}

/// The keys of ours that others may still meet, oldest first.
#[derive(Default)]
pub struct KeySet {
    // A handful at most: walking them is as fast as any map.
    keys: Vec<Published>,
}

impl KeySet {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the published half of a key. A key that is there already stays as it is.
    pub fn add(&mut self, key: &SigningKey) -> Result<(), JoseError> {
        self.add_jwk(&key.public_jwk())
    }

    /// Adds a key whose private half is gone: one that is retired but whose tokens are still out. The JWK must be one that
    /// [`SigningKey::public_jwk`] gave: with `alg`, and with its own thumbprint as `kid`.
    pub fn add_jwk(&mut self, jwk: &Value) -> Result<(), JoseError> {
        let alg = jwk.get("alg").and_then(Value::as_str).ok_or(JoseError::BadKey)?;
        let scheme = Scheme::from_alg(alg).ok_or(JoseError::BadKey)?;
        let key = verifying_key(jwk, scheme).ok_or(JoseError::BadKey)?;
        let kid = jwk_thumbprint(jwk)?;
        if jwk.get("kid").and_then(Value::as_str) != Some(&kid) {
            return Err(JoseError::BadKey);
        }
        if self.find(&kid).is_none() {
            self.keys.push(Published { kid, scheme, key, jwk: jwk.clone() });
        }
        Ok(())
    }

    /// Takes a key away; its tokens are refused from now on. Says whether it was there.
    pub fn remove(&mut self, kid: &str) -> bool {
        let before = self.keys.len();
        self.keys.retain(|published| published.kid != kid);
        self.keys.len() < before
    }

    /// The ids of the keys, oldest first.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|published| published.kid.as_str())
    }

    /// The JWK set to publish.
    pub fn to_jwks(&self) -> Value {
        json!({"keys": self.keys.iter().map(|published| &published.jwk).collect::<Vec<_>>()})
    }

    /// Verifies a token of ours: kind, key, algorithm (the key's, whatever the header claims) and signature. Reads no
    /// clock: the caller looks at `exp` and `nbf`.
    pub fn verify<T: DeserializeOwned>(&self, token: &str, kind: Kind) -> Result<Verified<T>, JoseError> {
        let compact = Compact::parse_within(token, kind.max_bytes())?;
        if compact.header.typ.as_deref() != Some(kind.typ()) {
            return Err(JoseError::WrongKind);
        }
        let kid = compact.header.kid.as_deref().ok_or(JoseError::UnknownKey)?;
        let published = self.find(kid).ok_or(JoseError::UnknownKey)?;
        if Scheme::from_alg(&compact.header.alg) != Some(published.scheme) {
            return Err(JoseError::WrongAlgorithm);
        }
        published.key.verify_sig(compact.signing_input, &compact.signature).map_err(|_| JoseError::BadSignature)?;
        Ok(Verified { claims: compact.claims()?, kid: published.kid.clone() })
    }

    fn find(&self, kid: &str) -> Option<&Published> {
        self.keys.iter().find(|published| published.kid == kid)
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.kids()).finish()
    }
}
