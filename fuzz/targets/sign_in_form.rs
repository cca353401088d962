//! The forms of our pages, and the cookies beside them. The input is the cookie header, a line break, and the body.
#![no_main]

use axum::{
    body::Body,
    http::{HeaderValue, Request},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let cookies = parts.next().unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let Ok(cookies) = HeaderValue::from_bytes(cookies) else { return };
    for path in ["/sign-in", "/consent", "/logout"] {
        let request = Request::post(path)
            .header("cookie", cookies.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_vec()))
            .expect("a sound request");
        let answer = rescind_fuzz::ask(request);
        assert!(!answer.status().is_server_error(), "{}", answer.status());
        // Nobody can have got a sealed form from a server that showed none.
        assert!(path == "/logout" || answer.status().is_client_error(), "took a form from elsewhere");
    }
});
