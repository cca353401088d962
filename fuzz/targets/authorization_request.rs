//! Authorization requests of a client that exists: nobody is ever sent anywhere but to it.
#![no_main]

use axum::{body::Body, http::Request};
use libfuzzer_sys::fuzz_target;
use rescind_fuzz::{BACK, CLIENT, ask};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fuzz_target!(|input: &[u8]| {
    let own = input
        .iter()
        .map(|byte| if byte.is_ascii_graphic() { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    let own: String = own.collect();
    let usual = format!("response_type=code&code_challenge_method=S256&code_challenge={CHALLENGE}&prompt=none");
    for query in [
        format!("client_id={CLIENT}&redirect_uri={BACK}&{own}"),
        format!("client_id={CLIENT}&redirect_uri={BACK}&{usual}&{own}"),
        own,
    ] {
        let Ok(request) = Request::get(format!("/authorize?{query}")).body(Body::empty()) else { continue };
        let answer = ask(request);
        assert!(!answer.status().is_server_error(), "{}", answer.status());
        if let Some(location) = answer.headers().get("location") {
            assert!(location.as_bytes().starts_with(BACK.as_bytes()), "sent somewhere else");
        }
    }
});
