//! What only this server can have written: the seal on forms and on what a cookie says of its bearer.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// A seal over parts, for one purpose.
pub(super) fn seal(key: &[u8; 32], purpose: &str, parts: &[&str]) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length");
    for part in ["console", purpose].iter().chain(parts) {
        // Each part with its length, so that no two lists of parts read the same.
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Whether a seal is the one over these parts.
pub(super) fn holds(key: &[u8; 32], purpose: &str, parts: &[&str], given: &str) -> bool {
    seal(key, purpose, parts).as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_for_one_key_one_purpose_and_these_parts() {
        let key = [1; 32];
        let sealed = seal(&key, "form", &["a", "b"]);
        assert!(holds(&key, "form", &["a", "b"], &sealed));
        for (key, purpose, parts) in [
            ([2; 32], "form", ["a", "b"]),
            (key, "who", ["a", "b"]),
            (key, "form", ["ab", ""]),
            (key, "form", ["a", "c"]),
        ] {
            assert!(!holds(&key, purpose, &parts, &sealed), "{purpose} {parts:?}");
        }
        assert!(!holds(&key, "form", &["a", "b"], ""));
    }
}
