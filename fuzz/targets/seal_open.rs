//! Sealed values from a damaged or foreign database.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind_jose::seal::Sealer;

fuzz_target!(|sealed: &[u8]| {
    let sealer = Sealer::new([7; 32]);
    assert!(
        sealer.open("signing_key:a", sealed).is_err(),
        "opened what nobody sealed"
    );
    // Past the version and the key id, which no mutation would guess.
    let right_head = [&[1], sealer.key_id().0.as_slice(), sealed].concat();
    assert!(
        sealer.open("signing_key:a", &right_head).is_err(),
        "opened what nobody sealed"
    );
});
