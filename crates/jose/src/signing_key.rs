//! A private key of ours: made, kept, published and used to sign.

use crate::{JoseError, Kind, base64url, jwk_thumbprint};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// What we sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: what every OpenID Connect relying party must understand.
    Rs256,
}

impl Algorithm {
    /// The name in `alg` (RFC 7518 section 3.1).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = JoseError;

    fn from_str(name: &str) -> Result<Self, JoseError> {
        match name {
            "ES256" => Ok(Self::Es256),
            "RS256" => Ok(Self::Rs256),
            _ => Err(JoseError::WrongAlgorithm),
        }
    }
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A private key and its published half.
pub struct SigningKey {
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
    kid: String,
    public_jwk: Value,
}

impl SigningKey {
    /// Makes a new key: RSA of 2048 bits, or P-256. Randomness comes from the generator inside AWS-LC.
    pub fn generate(algorithm: Algorithm) -> Result<Self, JoseError> {
        let pkcs8 = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| JoseError::Generate)?;
                Zeroizing::new(pair.to_pkcs8v1().map_err(|_| JoseError::Generate)?.as_ref().to_vec())
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| JoseError::Generate)?;
                Zeroizing::new(pair.as_der().map_err(|_| JoseError::Generate)?.as_ref().to_vec())
            }
        };
        Self::from_pkcs8(algorithm, &pkcs8)
    }

    /// Reads a key back from the DER of its PKCS #8 form.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, JoseError> {
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Ec(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map_err(|_| JoseError::BadKey)?,
            ),
            Algorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| JoseError::BadKey)?),
        };
        let mut public_jwk = pair.public_members()?;
        let kid = jwk_thumbprint(&public_jwk)?;
        public_jwk["use"] = json!("sig");
        public_jwk["alg"] = json!(algorithm.as_str());
        public_jwk["kid"] = json!(kid);
        Ok(Self { pair, pkcs8: Zeroizing::new(pkcs8.to_vec()), kid, public_jwk })
    }

    /// The DER of the PKCS #8 form: the private key itself, to be sealed before it is kept.
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The key id: the RFC 7638 thumbprint of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Ec(_) => Algorithm::Es256,
            Pair::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// The public key as it is published: `kty` and its members, `use`, `alg`, `kid`.
    pub fn public_jwk(&self) -> Value {
        self.public_jwk.clone()
    }

    /// Signs `claims`, which must serialize to a JSON object, as a token of this kind. ECDSA draws its per-signature
    /// randomness from the generator inside AWS-LC.
    pub fn sign(&self, kind: Kind, claims: &impl Serialize) -> Result<String, JoseError> {
        #[derive(Serialize)]
        struct Header<'a> {
            alg: &'a str,
            typ: &'a str,
            kid: &'a str,
        }
        let header = Header { alg: self.algorithm().as_str(), typ: kind.typ(), kid: &self.kid };
        let header = serde_json::to_vec(&header).map_err(|_| JoseError::Sign)?;
        let claims = serde_json::to_vec(claims).map_err(|_| JoseError::Claims)?;
        if claims.first() != Some(&b'{') {
            return Err(JoseError::Claims);
        }
        let mut token = base64url::encode(&header);
        token.push('.');
        token.push_str(&base64url::encode(&claims));
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url::encode(&signature));
        Ok(token)
    }
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let random = SystemRandom::new();
        match self {
            Self::Ec(pair) => Ok(pair.sign(&random, message).map_err(|_| JoseError::Sign)?.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| JoseError::Sign)?;
                Ok(signature)
            }
        }
    }

    fn public_members(&self) -> Result<Value, JoseError> {
        match self {
            Self::Ec(pair) => {
                // 4, x, y: the uncompressed point.
                let point = pair.public_key().as_ref();
                let (x, y) =
                    point.strip_prefix(&[4]).and_then(|xy| xy.split_at_checked(32)).ok_or(JoseError::BadKey)?;
                Ok(json!({"kty": "EC", "crv": "P-256", "x": base64url::encode(x), "y": base64url::encode(y)}))
            }
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                Ok(json!({"kty": "RSA", "n": base64url::encode(&n), "e": base64url::encode(&e)}))
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
