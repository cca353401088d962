//! The position inside a JWT, masked: in the clear it would tell strangers how much an organisation revokes.
//!
//! The mask hides and does not authenticate; the JWT's signature does that. A position unmasked with the wrong key or `jti`
//! is noise, whose epoch no ledger knows.

use std::fmt;

use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

use crate::Position;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The key of the mask. Another key than that of fingerprints: edges hold that one.
#[derive(Clone, PartialEq, Eq)]
pub struct MaskKey([u8; 16]);

impl MaskKey {
    /// A key of 16 random bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(redacted)")
    }
}

/// Epoch (32 bits) and number (64 bits), both big endian, XORed with the first 12 bytes of SipHash-2-4-128 of the `jti`.
/// One `jti` must not be given two positions: the two masked forms would tell their difference.
#[must_use]
pub fn mask(position: Position, key: &MaskKey, jti: &str) -> [u8; 12] {
    let mut masked = keystream(key, jti);
    for (byte, plain) in
        masked.iter_mut().zip(position.epoch.to_be_bytes().into_iter().chain(position.seq.to_be_bytes()))
    {
        *byte ^= plain;
    }
    masked
}

/// The position behind [`mask`].
#[must_use]
pub fn unmask(masked: [u8; 12], key: &MaskKey, jti: &str) -> Position {
    let mut plain = masked.into_iter().zip(keystream(key, jti)).map(|(byte, stream)| byte ^ stream);
    let mut number =
        |bytes: usize| plain.by_ref().take(bytes).fold(0_u64, |number, byte| number << 8 | u64::from(byte));
    let (epoch, seq) = (number(4), number(8));
    Position { epoch: epoch as u32, seq }
}

/// [`mask`] as 16 characters of base64url (RFC 4648 section 5, no padding).
#[must_use]
pub fn mask_text(position: Position, key: &MaskKey, jti: &str) -> String {
    let masked = mask(position, key, jti);
    let quads = masked.chunks(3).flat_map(|three| {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[bits >> shift & 63]))
    });
    quads.collect()
}

/// The position behind [`mask_text`]; `None` if the text is not 16 characters of base64url.
#[must_use]
pub fn unmask_text(text: &str, key: &MaskKey, jti: &str) -> Option<Position> {
    if text.len() != 16 {
        return None;
    }
    let mut masked = [0; 12];
    for (four, three) in text.as_bytes().chunks(4).zip(masked.chunks_mut(3)) {
        let mut bits = 0_u32;
        for letter in four {
            bits = bits << 6 | u32::try_from(ALPHABET.iter().position(|known| known == letter)?).ok()?;
        }
        three.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    Some(unmask(masked, key, jti))
}

fn keystream(key: &MaskKey, jti: &str) -> [u8; 12] {
    let mut hasher = SipHasher24::new_with_key(&key.0);
    hasher.write(jti.as_bytes());
    let bytes = hasher.finish128().as_bytes();
    let mut stream = [0; 12];
    stream.copy_from_slice(&bytes[..12]);
    stream
}
