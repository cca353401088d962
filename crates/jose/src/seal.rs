//! Encryption at rest: AES-256-GCM under the master key, for what must be read back.
//!
//! Sealed form: version (1 byte), key id (4), nonce (12), ciphertext, tag (16).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;
use std::fmt;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;

/// Names a master key without telling it: the first four bytes of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; KEY_ID_LEN]);

/// Eight hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why something could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The operator has put another master key beside this database.
    #[error("sealed with master key {sealed_with}, but this is master key {ours}")]
    WrongKey { sealed_with: KeyId, ours: KeyId },
    #[error("sealed in format {0}, which this version does not know")]
    UnknownVersion(u8),
    /// Changed, cut short, or sealed for another context.
    #[error("the sealed value is damaged or stands in the wrong place")]
    Corrupt,
    #[error("the cipher refused the operation")]
    Cipher,
}

/// Holds the master key.
pub struct Sealer {
    key: Zeroizing<[u8; 32]>,
    key_id: KeyId,
}

impl Sealer {
    pub fn new(key: [u8; 32]) -> Self {
        let hash = digest::digest(&digest::SHA256, &key);
        let mut key_id = [0; KEY_ID_LEN];
        for (to, from) in key_id.iter_mut().zip(hash.as_ref()) {
            *to = *from;
        }
        Self { key: Zeroizing::new(key), key_id: KeyId(key_id) }
    }

    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Encrypts. `context` says what the value is and whose (`signing_key:<kid>`); it is not stored, and opening needs the
    /// same one, so that sealed values cannot change places. `nonce` must be fresh random bytes every time: two values
    /// under one nonce give both away.
    pub fn seal(&self, context: &str, nonce: [u8; NONCE_LEN], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        // Encrypted in a buffer of its own that never grows, so that no copy of the plaintext is left behind.
        let mut secret = Zeroizing::new(plaintext.to_vec());
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut secret)
            .map_err(|_| SealError::Cipher)?;
        Ok([&[VERSION], self.key_id.0.as_slice(), &nonce, &secret, tag.as_ref()].concat())
    }

    /// Decrypts what [`Sealer::seal`] gave for the same context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::Corrupt)?;
        if *version != VERSION {
            return Err(SealError::UnknownVersion(*version));
        }
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID_LEN>().ok_or(SealError::Corrupt)?;
        if *key_id != self.key_id.0 {
            return Err(SealError::WrongKey { sealed_with: KeyId(*key_id), ours: self.key_id });
        }
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Corrupt)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let length =
            self.cipher()?.open_in_place(nonce, Aad::from(context), &mut buffer).map_err(|_| SealError::Corrupt)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Expanded for each use: sealing is rare, and the bytes are then in one place that is wiped.
    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        UnboundKey::new(&AES_256_GCM, self.key.as_slice()).map(LessSafeKey::new).map_err(|_| SealError::Cipher)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
