//! Tokens that claim to be ours. The whole input is the token.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_jose::{Claims, KeySet, Kind, unverified_header};
use serde_json::json;
use std::sync::LazyLock;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    // The P-256 key of RFC 7515 appendix A.3: fixed, so that a finding can be repeated.
    let mut jwk = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "alg": "ES256"
    });
    jwk["kid"] = json!(rescind_jose::jwk_thumbprint(&jwk).expect("the thumbprint of a whole key"));
    let mut keys = KeySet::new();
    keys.add_jwk(&jwk).expect("a key from a standard");
    keys
});

fuzz_target!(|token: &str| {
    let _ = unverified_header(token);
    for kind in Kind::ALL {
        assert!(
            KEYS.verify::<Claims>(token, kind).is_err(),
            "accepted what nobody signed"
        );
    }
});
