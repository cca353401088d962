//! Orders to the admin API: the target as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let body = [b"{\"target\":", input, b"}"].concat();
    let status = rescind_fuzz::ask_locally("/revocations", body).status();
    assert!(!status.is_server_error(), "{status}");
});
