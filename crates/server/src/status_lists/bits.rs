//! A status list as bytes (Token Status List section 4): one bit for each index, compressed.

use std::io;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use miniz_oxide::deflate::compress_to_vec_zlib;

/// How many indexes each list has. All lists are as long, whatever they hold, so that their length says nothing.
pub const INDEXES: u32 = 1 << 16;

/// Bits of each index: 0 is VALID, 1 is INVALID (section 7.1).
pub const BITS: u8 = 1;

/// The smallest output: it is made once and fetched often.
const LEVEL: u8 = 9;

/// The statuses of one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits(Box<[u8]>);

impl Default for Bits {
    fn default() -> Self {
        Self(vec![0; INDEXES as usize / 8].into())
    }
}

impl Bits {
    /// Whether the token at an index is INVALID.
    #[must_use]
    pub fn is_set(&self, index: u32) -> bool {
        self.0.get(index as usize / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// Makes the token at an index INVALID. There is no way back.
    pub fn set(&mut self, index: u32) {
        // The first index is the lowest bit of the first byte (section 4.1).
        if let Some(byte) = self.0.get_mut(index as usize / 8) {
            *byte |= 1 << (index % 8);
        }
    }

    /// The bytes as they stand in a list: in a ZLIB container, base64url (section 4.1 and 4.2).
    #[must_use]
    pub fn pack(&self) -> String {
        pack(&self.0)
    }
}

fn pack(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(bytes, LEVEL))
}

/// Reads a list back; for tests, and for whoever checks what we publish.
///
/// # Errors
/// If it is not base64url of a ZLIB container of at most [`INDEXES`] bytes.
pub fn unpack(lst: &str) -> io::Result<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(lst).map_err(io::Error::other)?;
    miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(&bytes, INDEXES as usize)
        .map_err(|_| io::Error::other("not a ZLIB container, or too long"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Section 4.1: the lists of one and of two bits. What is compressed may be so in many ways; the content counts.
    #[test]
    fn the_vectors_of_the_draft_are_read_and_written() {
        for (lst, bytes) in [("eNrbuRgAAhcBXQ", vec![0xb9, 0xa3]), ("eNo76fITAAPfAgc", vec![0xc9, 0x44, 0xf9])] {
            assert_eq!(unpack(lst).unwrap(), bytes);
            assert_eq!(unpack(&pack(&bytes)).unwrap(), bytes);
        }
        let mut bits = Bits::default();
        // The statuses of the first list, from index 0.
        for index in [0, 3, 4, 5, 7, 8, 9, 13, 15] {
            bits.set(index);
        }
        assert_eq!(unpack(&bits.pack()).unwrap()[..2], [0xb9, 0xa3]);
    }

    #[test]
    fn an_index_beyond_the_end_is_nobodys() {
        let mut bits = Bits::default();
        bits.set(INDEXES);
        assert_eq!(bits, Bits::default());
        assert!(!bits.is_set(INDEXES));
    }

    proptest! {
        #[test]
        fn what_was_packed_is_read_back_bit_for_bit(invalid in proptest::collection::btree_set(0..INDEXES, 0..2000)) {
            let mut bits = Bits::default();
            invalid.iter().for_each(|index| bits.set(*index));
            let bytes = unpack(&bits.pack()).unwrap();
            prop_assert_eq!(bytes.len() * 8, INDEXES as usize);
            let read = (0..INDEXES).filter(|index| bytes[*index as usize / 8] & (1 << (index % 8)) != 0);
            prop_assert!(read.eq(invalid.iter().copied()));
            prop_assert!((0..INDEXES).all(|index| bits.is_set(index) == invalid.contains(&index)));
        }
    }
}
