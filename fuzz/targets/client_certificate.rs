//! The header in which a proxy passes a client's certificate on, and the certificate in it.
#![no_main]

use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;
use rescind::{
    config,
    peer::{Peer, client_certificate, dns_names, subject_dn},
};

const CONFIG: &str = "[proxy]\ntrusted = [\"192.0.2.1\"]\nclient_certificate_header = \"client-cert\"";

fuzz_target!(|input: &[u8]| {
    let config = config::from_toml(CONFIG, []).expect("a sound configuration");
    // As it came, and as the DER that some header could carry.
    for value in [input.to_vec(), STANDARD.encode(input).into_bytes()] {
        let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
        let headers = HeaderMap::from_iter([("client-cert".parse().expect("a name"), value)]);
        let peer = |address: &str| Peer {
            address: address.parse().expect("an address"),
            certificate: None,
            chain_verified: false,
        };
        assert!(client_certificate(&peer("192.0.2.2:1"), &headers, &config.proxy).is_none(), "believed a stranger");
        if let Some(shown) = client_certificate(&peer("192.0.2.1:1"), &headers, &config.proxy) {
            assert!(!shown.chain_verified);
            let _ = (subject_dn(&shown.der), dns_names(&shown.der));
        }
    }
});
