//! Signs anything at all with a second implementation, also what no honest party would.

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm as Alg, EncodingKey};
use rescind_jose::{Algorithm, SigningKey};
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) static RSA: LazyLock<SigningKey> = LazyLock::new(|| generate(Algorithm::Rs256));
pub(crate) static RSA_OTHER: LazyLock<SigningKey> = LazyLock::new(|| generate(Algorithm::Rs256));
pub(crate) static EC: LazyLock<SigningKey> = LazyLock::new(|| generate(Algorithm::Es256));

fn generate(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("a key")
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims as they stand, with whatever signature the key gives.
pub(crate) fn token(header: &Value, claims: &Value, key: &EncodingKey, alg: Alg) -> String {
    raw_token(&header.to_string(), &claims.to_string(), key, alg)
}

pub(crate) fn raw_token(header: &str, claims: &str, key: &EncodingKey, alg: Alg) -> String {
    let signed = format!("{}.{}", base64url(header), base64url(claims));
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, alg).expect("a signature");
    format!("{signed}.{signature}")
}

/// The private key of one of our keys, in the other implementation.
pub(crate) fn encoding_key(key: &SigningKey) -> EncodingKey {
    match key.algorithm() {
        Algorithm::Es256 => EncodingKey::from_ec_der(&key.to_pkcs8()),
        Algorithm::Rs256 => {
            let body = STANDARD.encode(key.to_pkcs8());
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
            EncodingKey::from_rsa_pem(pem.as_bytes()).expect("an RSA key")
        }
    }
}

pub(crate) fn p384() -> (EncodingKey, Value) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("a key");
    let private = EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("its form").as_ref());
    let (x, y) = pair.public_key().as_ref()[1..].split_at(48);
    (private, json!({"kty": "EC", "crv": "P-384", "x": base64url(x), "y": base64url(y)}))
}

pub(crate) fn ed25519() -> (EncodingKey, Value) {
    let pair = Ed25519KeyPair::generate().expect("a key");
    let private = EncodingKey::from_ed_der(pair.to_pkcs8().expect("its form").as_ref());
    (private, json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())}))
}
