//! A public key read from a JWK (RFC 7517), and the signature schemes it can be used with (RFC 7518 section 3.1).

use crate::base64url;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

/// A signature by a private key. Message authentication codes are not here, so that no public key can become a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    EdDsa,
    Es256,
    Es384,
    Ps256,
    Rs256,
}

impl Scheme {
    pub(crate) fn from_alg(alg: &str) -> Option<Self> {
        Some(match alg {
            // RFC 9864 gives the curve a name of its own; both are in use.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "PS256" => Self::Ps256,
            "RS256" => Self::Rs256,
            _ => return None,
        })
    }
}

/// Makes a verifying key from a JWK, for one scheme only. `None` if the key is of another type or curve, is marked for
/// another use or algorithm, or is no key at all. RSA keys below 2048 bits are refused when they are used.
pub(crate) fn verifying_key(jwk: &Value, scheme: Scheme) -> Option<ParsedPublicKey> {
    if !permits(jwk, scheme) {
        return None;
    }
    match scheme {
        Scheme::EdDsa => {
            let x = octet_key(jwk)?;
            UnparsedPublicKey::new(&ED25519, x).parse().ok()
        }
        Scheme::Es256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, ec_point(jwk, "P-256", 32)?).parse().ok(),
        Scheme::Es384 => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, ec_point(jwk, "P-384", 48)?).parse().ok(),
        Scheme::Ps256 => rsa_components(jwk)?.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256).ok(),
        Scheme::Rs256 => rsa_components(jwk)?.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok(),
    }
}

/// RFC 7517 sections 4.2 to 4.4: what the key says of itself binds whoever uses it.
fn permits(jwk: &Value, scheme: Scheme) -> bool {
    let for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
    let for_verifying =
        jwk.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
    let for_scheme = jwk.get("alg").is_none_or(|alg| alg.as_str().and_then(Scheme::from_alg) == Some(scheme));
    for_signatures && for_verifying && for_scheme
}

fn member(jwk: &Value, name: &str) -> Option<Vec<u8>> {
    base64url::decode(jwk.get(name)?.as_str()?)
}

fn rsa_components(jwk: &Value) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    if jwk.get("kty")? != "RSA" {
        return None;
    }
    let (n, e) = (member(jwk, "n")?, member(jwk, "e")?);
    // Some issuers write the sign byte of ASN.1 in front of the modulus; the number is the same.
    let n = n.strip_prefix(&[0]).map(<[u8]>::to_vec).unwrap_or(n);
    // 8192 bits and a four-byte exponent: beyond that a verification would cost the server too much.
    (n.len() <= 1024 && e.len() <= 4).then_some(RsaPublicKeyComponents { n, e })
}

/// The uncompressed point: 4, x, y (RFC 7518 section 6.2.1: both coordinates in full length).
fn ec_point(jwk: &Value, curve: &str, coordinate_bytes: usize) -> Option<Vec<u8>> {
    if jwk.get("kty")? != "EC" || jwk.get("crv")? != curve {
        return None;
    }
    let (x, y) = (member(jwk, "x")?, member(jwk, "y")?);
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return None;
    }
    Some([&[4], x.as_slice(), y.as_slice()].concat())
}

fn octet_key(jwk: &Value) -> Option<Vec<u8>> {
    if jwk.get("kty")? != "OKP" || jwk.get("crv")? != "Ed25519" {
        return None;
    }
    member(jwk, "x").filter(|x| x.len() == 32)
}
