//! Opaque credentials as a secret scanner meets them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_ledger::Kind;

fuzz_target!(|text: &str| {
    if let Ok(kind) = Kind::recognise(text) {
        assert!(text.starts_with(kind.prefix()), "of another kind");
        assert_eq!(text.len(), kind.prefix().len() + 49);
        assert!(Kind::recognise(&text[..text.len() - 1]).is_err(), "a part passes for the whole");
    }
});
