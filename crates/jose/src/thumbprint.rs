//! Names for keys and certificates that are computed from them: RFC 7638 and RFC 8705 section 3.1.

use crate::{JoseError, base64url};
use aws_lc_rs::digest;
use serde_json::Value;
use std::collections::BTreeMap;

/// The RFC 7638 thumbprint of a JWK: base64url of the SHA-256 over its required members, in order, without spaces.
pub fn jwk_thumbprint(jwk: &Value) -> Result<String, JoseError> {
    let kty = jwk.get("kty").and_then(Value::as_str).ok_or(JoseError::BadKey)?;
    let required: &[&str] = match kty {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        // RFC 8037 section 2
        "OKP" => &["crv", "kty", "x"],
        "oct" => &["k", "kty"],
        _ => return Err(JoseError::BadKey),
    };
    let mut members = BTreeMap::new();
    for name in required {
        let value = jwk.get(name).and_then(Value::as_str).ok_or(JoseError::BadKey)?;
        members.insert(*name, value);
    }
    let canonical = serde_json::to_vec(&members).map_err(|_| JoseError::BadKey)?;
    Ok(sha256(&canonical))
}

/// `x5t#S256`: base64url of the SHA-256 over the DER of the certificate.
pub fn certificate_thumbprint(der: &[u8]) -> String {
    sha256(der)
}

fn sha256(bytes: &[u8]) -> String {
    base64url::encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_example_of_rfc_7638_section_3_1_gives_its_thumbprint() {
        let jwk = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs\
                  tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91\
                  CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29"
        });
        assert_eq!(jwk_thumbprint(&jwk), Ok("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".to_owned()));
    }

    #[test]
    fn a_key_without_a_required_member_has_no_thumbprint() {
        assert_eq!(jwk_thumbprint(&json!({"kty": "RSA", "n": "AQ"})), Err(JoseError::BadKey));
        assert_eq!(jwk_thumbprint(&json!({"kty": "RSA", "n": "AQ", "e": 3})), Err(JoseError::BadKey));
        assert_eq!(jwk_thumbprint(&json!(["RSA"])), Err(JoseError::BadKey));
    }

    #[test]
    fn a_certificate_is_named_by_the_hash_of_its_der() {
        // SHA-256 of the empty input, a published value.
        assert_eq!(certificate_thumbprint(b""), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    }
}
