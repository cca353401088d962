//! Client assertions. The input is the client's JWK set, a line break, and the assertion.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_jose::assertion::{Credential, Expected, unverified_client_id, verify};
use serde_json::Value;
use std::time::Duration;

const EXPECTED: Expected<'static> = Expected {
    client_id: "shop",
    audiences: &["https://id.example"],
    now: 1_700_000_000,
    max_lifetime: Duration::from_secs(300),
};

fuzz_target!(|input: &str| {
    let (jwks, assertion) = input.split_once('\n').unwrap_or(("{}", input));
    let jwks: Value = serde_json::from_str(jwks).unwrap_or(Value::Null);
    let _ = unverified_client_id(assertion);
    // A key set that comes with the assertion may well fit it: here only a panic is a finding.
    let _ = verify(assertion, Credential::Keys(&jwks), EXPECTED);
    let secret = [7; 32];
    assert!(
        verify(assertion, Credential::Secret(&secret), EXPECTED).is_err(),
        "accepted what nobody signed"
    );
});
