//! The compact form of a signed JWT (RFC 7515 section 7.1): taken apart here, believed nowhere.

use crate::{JoseError, base64url};
use serde::de::{Deserialize, Deserializer, IgnoredAny};

/// Longest token that is looked at at all, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The header of a token whose signature has **not** been verified. Good for choosing a key or a route, for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct UnverifiedHeader {
    pub alg: String,
    pub typ: Option<String>,
    pub kid: Option<String>,
    #[serde(default, rename = "crit", deserialize_with = "is_present")]
    has_crit: bool,
}

/// A `crit` of any value counts, `null` and the empty list too: RFC 7515 section 4.1.11 allows neither.
fn is_present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// A token in its parts. The payload stays undecoded until the signature has been verified.
pub(crate) struct Compact<'a> {
    pub(crate) header: UnverifiedHeader,
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Compact<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, JoseError> {
        Self::parse_within(token, MAX_TOKEN_BYTES)
    }

    pub(crate) fn parse_within(token: &'a str, most: usize) -> Result<Self, JoseError> {
        if token.len() > most {
            return Err(JoseError::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(JoseError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JoseError::Malformed)?;
        // A fourth part would leave a dot in the payload, which its decoding refuses; refused here for clarity.
        if payload.contains('.') {
            return Err(JoseError::Malformed);
        }
        let header: UnverifiedHeader = json_object(header)?;
        if header.has_crit {
            return Err(JoseError::CriticalExtension);
        }
        let signature = base64url::decode(signature).ok_or(JoseError::Malformed)?;
        Ok(Self { header, signing_input: signed.as_bytes(), signature, payload })
    }

    /// The claims. Call it after the signature has been verified.
    pub(crate) fn claims<T: serde::de::DeserializeOwned>(&self) -> Result<T, JoseError> {
        json_object(self.payload).map_err(|_| JoseError::Claims)
    }
}

/// Derived structs would also read a JSON list, member by member: only an object is a header or a claims set. A repeated
/// member of such a struct is an error (RFC 7515 section 4).
fn json_object<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, JoseError> {
    let bytes = base64url::decode(part).ok_or(JoseError::Malformed)?;
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(JoseError::Malformed);
    }
    serde_json::from_slice(&bytes).map_err(|_| JoseError::Malformed)
}

/// Reads the header without verifying anything. `None` for what is not a compact signed JWT.
pub fn unverified_header(token: &str) -> Option<UnverifiedHeader> {
    Compact::parse(token).ok().map(|compact| compact.header)
}

/// Reads the key id without verifying anything.
pub fn unverified_kid(token: &str) -> Option<String> {
    unverified_header(token)?.kid
}

/// Reads the claims without verifying anything: to find the key or the client by which to verify.
pub(crate) fn unverified_claims<T: serde::de::DeserializeOwned>(token: &str) -> Option<T> {
    Compact::parse(token).ok()?.claims().ok()
}
