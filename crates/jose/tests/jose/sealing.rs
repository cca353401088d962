//! Encryption at rest: the right key, the right place, and not one bit changed.

use rescind_jose::seal::{SealError, Sealer};

const CONTEXT: &str = "signing_key:abc";
const NONCE: [u8; 12] = [9; 12];

#[test]
fn what_was_sealed_opens_under_the_same_key_and_context() {
    let sealer = Sealer::new([1; 32]);
    for plaintext in [&b""[..], b"x", &[7; 5000]] {
        let sealed = sealer.seal(CONTEXT, NONCE, plaintext).unwrap();
        assert_eq!(sealed.len(), 1 + 4 + 12 + plaintext.len() + 16);
        assert_eq!(sealer.open(CONTEXT, &sealed).unwrap().as_slice(), plaintext);
    }
}

#[test]
fn the_sealed_form_is_the_one_that_is_documented() {
    // AES-256-GCM, key of 32 ones, nonce of 12 nines, AAD as above, computed once by another implementation.
    let sealed = Sealer::new([1; 32]).seal(CONTEXT, NONCE, b"secret").unwrap();
    let shown: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown, VECTOR);
}

const VECTOR: &str = "0172cd6e84090909090909090909090909b76a44bcab44504e57f6bd84b74bcd0592e5f52a6056";

#[test]
fn another_master_key_is_recognised_as_such() {
    let (ours, theirs) = (Sealer::new([1; 32]), Sealer::new([2; 32]));
    let sealed = theirs.seal(CONTEXT, NONCE, b"secret").unwrap();
    let refused = ours.open(CONTEXT, &sealed).unwrap_err();
    assert_eq!(refused, SealError::WrongKey { sealed_with: theirs.key_id(), ours: ours.key_id() });
    assert!(refused.to_string().contains(&theirs.key_id().to_string()));
}

#[test]
fn a_sealed_value_does_not_open_in_another_place() {
    let sealer = Sealer::new([1; 32]);
    let sealed = sealer.seal(CONTEXT, NONCE, b"secret").unwrap();
    for context in ["signing_key:abd", "signing_key:ab", ""] {
        assert_eq!(sealer.open(context, &sealed), Err(SealError::Corrupt));
    }
}

#[test]
fn a_change_of_any_bit_is_noticed() {
    let sealer = Sealer::new([1; 32]);
    let sealed = sealer.seal(CONTEXT, NONCE, b"secret").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let refused = sealer.open(CONTEXT, &changed).unwrap_err();
        match bit / 8 {
            0 => assert_eq!(refused, SealError::UnknownVersion(changed[0])),
            1..=4 => assert!(matches!(refused, SealError::WrongKey { .. })),
            _ => assert_eq!(refused, SealError::Corrupt),
        }
    }
}

#[test]
fn a_value_cut_short_or_lengthened_is_corrupt() {
    let sealer = Sealer::new([1; 32]);
    let sealed = sealer.seal(CONTEXT, NONCE, b"secret").unwrap();
    for length in 0..sealed.len() {
        assert_eq!(sealer.open(CONTEXT, &sealed[..length]), Err(SealError::Corrupt), "{length} bytes");
    }
    assert_eq!(sealer.open(CONTEXT, &[sealed, vec![0]].concat()), Err(SealError::Corrupt));
}

#[test]
fn debug_output_names_the_key_and_does_not_tell_it() {
    // 32 bytes of 1; the name is the first four bytes of their SHA-256.
    assert_eq!(format!("{:?}", Sealer::new([1; 32])), "Sealer { key_id: 72cd6e84, .. }");
}
