//! The server's own keys: those that sign, and those from which other secrets are derived. At rest they are encrypted.

use std::sync::Arc;

use anyhow::{Context, bail};
use parking_lot::RwLock;
use rescind_check::MaskKey;
use rescind_jose::{
    Algorithm, KeySet, SigningKey,
    seal::{SealError, Sealer},
};
use rescind_ledger::{Sealed, SigningAlgorithm, Target, Timestamp};
use zeroize::Zeroizing;

use crate::clock::random;

/// The keys that sign now, and all that are still published.
pub struct KeyRing {
    rs256: SigningKey,
    es256: SigningKey,
    pub published: KeySet,
}

impl KeyRing {
    /// The key that signs with an algorithm now.
    #[must_use]
    pub fn signing(&self, algorithm: SigningAlgorithm) -> &SigningKey {
        match algorithm {
            SigningAlgorithm::ES256 => &self.es256,
            SigningAlgorithm::RS256 => &self.rs256,
        }
    }
}

/// All secrets of the server, opened.
pub struct Keys {
    sealer: Sealer,
    ring: RwLock<Arc<KeyRing>>,
    /// Derives the successors of refresh tokens.
    pub refresh: Zeroizing<[u8; 32]>,
    /// Masks ledger positions in JWTs.
    pub mask: MaskKey,
    /// Binds forms to browsers.
    pub csrf: Zeroizing<[u8; 32]>,
    /// Makes the links that open one receipt.
    pub receipt: Zeroizing<[u8; 32]>,
}

/// A secret to be written: its name, and its encrypted form.
pub type Written = (String, Sealed);

/// What the name of a stored signing key says: `signing:<alg>:<made at, ms>:<kid>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredKey<'a> {
    pub name: &'a str,
    pub algorithm: Algorithm,
    /// Milliseconds since 1970.
    pub made_at: i64,
    pub kid: &'a str,
}

const ALGORITHMS: [(Algorithm, &str); 2] = [(Algorithm::Rs256, "RS256"), (Algorithm::Es256, "ES256")];

impl Keys {
    /// Opens the stored secrets and makes those that are missing; the new ones are returned, to be stored before use.
    pub fn open(
        master: [u8; 32],
        stored: &[(String, Sealed)],
        now: Timestamp,
        is_ended: impl Fn(&Target) -> bool,
    ) -> anyhow::Result<(Self, Vec<Written>)> {
        let sealer = Sealer::new(master);
        let mut written = Vec::new();
        let refresh = derivation(&sealer, stored, "derivation:refresh", &mut written)?;
        let mask = derivation(&sealer, stored, "derivation:mask", &mut written)?;
        let csrf = derivation(&sealer, stored, "derivation:csrf", &mut written)?;
        let receipt = derivation(&sealer, stored, "derivation:receipt", &mut written)?;
        let ring = ring(&sealer, stored, now, &is_ended, &mut written)?;
        let mut mask_key = [0; 16];
        mask_key.copy_from_slice(mask.first_chunk::<16>().context("a derivation key has 32 bytes")?);
        let (ring, mask) = (RwLock::new(Arc::new(ring)), MaskKey::new(mask_key));
        let keys = Self { sealer, ring, refresh, mask, csrf, receipt };
        Ok((keys, written))
    }

    /// The keys that sign and those that are published.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().clone()
    }

    /// Encrypts something that must be read back.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Sealed, SealError> {
        self.sealer.seal(context, random(), plain).map(Sealed)
    }

    /// Decrypts it.
    pub fn unseal(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.sealer.open(context, &sealed.0)
    }

    /// A fresh signing key for each algorithm, to be stored; [`Keys::reload`] then takes them into use.
    pub fn fresh_signing_keys(&self, now: Timestamp) -> anyhow::Result<Vec<Written>> {
        ALGORITHMS
            .iter()
            .map(|(algorithm, name)| fresh(&self.sealer, *algorithm, name, now).map(|(row, _)| row))
            .collect()
    }

    /// Takes the stored signing keys into use: the newest of each algorithm signs.
    pub fn reload(
        &self,
        stored: &[(String, Sealed)],
        now: Timestamp,
        is_ended: impl Fn(&Target) -> bool,
    ) -> anyhow::Result<Vec<Written>> {
        let mut written = Vec::new();
        let ring = ring(&self.sealer, stored, now, &is_ended, &mut written)?;
        *self.ring.write() = Arc::new(ring);
        Ok(written)
    }
}

fn derivation(
    sealer: &Sealer,
    stored: &[(String, Sealed)],
    name: &str,
    written: &mut Vec<Written>,
) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    if let Some((_, sealed)) = stored.iter().find(|(stored, _)| stored == name) {
        let opened = sealer.open(name, &sealed.0).map_err(|why| explain(&why))?;
        let key = opened.as_slice().try_into().context("a derivation key has 32 bytes")?;
        return Ok(Zeroizing::new(key));
    }
    if !stored.is_empty() {
        bail!("the secret `{name}` is missing from the database");
    }
    let key = Zeroizing::new(random::<32>());
    written.push((name.to_owned(), Sealed(sealer.seal(name, random(), key.as_slice())?)));
    Ok(key)
}

fn explain(why: &SealError) -> anyhow::Error {
    anyhow::anyhow!(
        "the database's secrets cannot be opened: {why}. The master key is not in a backup: put back the one that \
         belongs to this database (`master.key` in the data directory, or what `master_key_file` or RESCIND_MASTER_KEY gives)"
    )
}

fn ring(
    sealer: &Sealer,
    stored: &[(String, Sealed)],
    now: Timestamp,
    is_ended: &impl Fn(&Target) -> bool,
    written: &mut Vec<Written>,
) -> anyhow::Result<KeyRing> {
    let mut rows: Vec<(StoredKey<'_>, &Sealed)> =
        stored.iter().filter_map(|(name, sealed)| Some((signing_key_name(name)?, sealed))).collect();
    rows.retain(|(key, _)| !is_ended(&Target::Key { key: key.kid.to_owned() }));
    rows.sort_by_key(|(key, _)| key.made_at);
    let mut published = KeySet::new();
    let mut newest = Vec::new();
    for (algorithm, name) in ALGORITHMS {
        let mut signing = None;
        for (row, sealed) in rows.iter().filter(|(row, _)| row.algorithm == algorithm) {
            let context = format!("signing:{}", row.kid);
            let pkcs8 = sealer.open(&context, &sealed.0).map_err(|why| explain(&why))?;
            let key = SigningKey::from_pkcs8(algorithm, &pkcs8)?;
            published.add(&key)?;
            signing = Some(key);
        }
        let key = if let Some(key) = signing {
            key
        } else {
            let (row, key) = fresh(sealer, algorithm, name, now)?;
            written.push(row);
            published.add(&key)?;
            key
        };
        newest.push(key);
    }
    let es256 = newest.pop().context("a key for each algorithm")?;
    let rs256 = newest.pop().context("a key for each algorithm")?;
    Ok(KeyRing { rs256, es256, published })
}

fn fresh(sealer: &Sealer, algorithm: Algorithm, name: &str, now: Timestamp) -> anyhow::Result<(Written, SigningKey)> {
    let key = SigningKey::generate(algorithm)?;
    let sealed = sealer.seal(&format!("signing:{}", key.kid()), random(), &key.to_pkcs8())?;
    Ok(((format!("signing:{name}:{}:{}", now.0, key.kid()), Sealed(sealed)), key))
}

/// Reads the name of a stored secret, if it names a signing key.
#[must_use]
pub fn signing_key_name(name: &str) -> Option<StoredKey<'_>> {
    let mut parts = name.strip_prefix("signing:")?.splitn(3, ':');
    let written = parts.next()?;
    let (algorithm, _) = ALGORITHMS.into_iter().find(|(_, known)| *known == written)?;
    let made_at = parts.next()?.parse().ok()?;
    Some(StoredKey { name, algorithm, made_at, kid: parts.next()? })
}
