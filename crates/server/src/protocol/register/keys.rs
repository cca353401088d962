//! The public keys a client registers by value (RFC 7517).

use serde_json::Value;

use crate::protocol::{error::ProtocolError, register::metadata::wrong};

/// Members that only a private or a symmetric key has (RFC 7518 section 6).
const PRIVATE_MEMBERS: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// A JWK set of public keys.
///
/// # Errors
/// `invalid_client_metadata` if it is none, or if it holds a private key: that key is no secret any more.
pub fn validate_keys(value: &Value) -> Result<Value, ProtocolError> {
    let keys = value.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty());
    let keys = keys.ok_or_else(|| wrong("jwks", "must be a JWK set with at least one key (RFC 7517 section 5)"))?;
    for key in keys {
        let kind = key.get("kty").and_then(Value::as_str);
        if !matches!(kind, Some("EC" | "OKP" | "RSA")) {
            return Err(wrong("jwks", "must hold public keys: EC, OKP or RSA"));
        }
        if PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some()) {
            return Err(wrong("jwks", "holds a private key; make a new one and send its public half alone"));
        }
    }
    Ok(value.clone())
}

/// Whether one of the keys says which certificate it belongs to.
pub(super) fn holds_a_certificate(jwks: &Value) -> bool {
    let keys = jwks.get("keys").and_then(Value::as_array);
    keys.into_iter().flatten().any(|key| key.get("x5c").is_some() || key.get("x5t#S256").is_some())
}
