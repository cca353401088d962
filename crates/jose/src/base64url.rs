//! Base64url without padding (RFC 7515 section 2), strict: one text for one sequence of bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Padding, line breaks, the other alphabet and stray trailing bits are all refused: a token that could be written in
/// two ways would have two hashes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
