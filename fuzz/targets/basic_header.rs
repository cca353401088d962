//! The `Authorization` header of a client, as it came and as the base64 of it.
#![no_main]

use axum::{
    body::Body,
    http::{HeaderValue, Request},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for value in [input.to_vec(), format!("Basic {}", STANDARD.encode(input)).into_bytes()] {
        let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
        let request = Request::post("/introspect")
            .header("authorization", value)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("token=x"))
            .expect("a sound request");
        assert_eq!(rescind_fuzz::ask(request).status(), 401, "let a stranger in, or broke");
    }
});
