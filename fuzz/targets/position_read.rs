//! Positions as text, and masked as they stand in a JWT.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_check::{MaskKey, Position, mask_text, unmask_text};

fuzz_target!(|text: &str| {
    if let Ok(position) = text.parse::<Position>() {
        assert_eq!(position.to_string(), text, "one position, two texts");
    }
    let key = MaskKey::new([7; 16]);
    if let Some(position) = unmask_text(text, &key, "jti") {
        assert_eq!(
            mask_text(position, &key, "jti"),
            text,
            "one position, two masks"
        );
    }
});
