//! Opaque credentials: a recognisable prefix, 256 random bits and a checksum, so that secret scanners find leaks.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What a secret is for; its prefix says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    AccessToken,
    ClientSecret,
    Code,
    InitialAccessToken,
    RefreshToken,
    RegistrationAccessToken,
    ScimToken,
    SessionCookie,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::AccessToken,
        Self::ClientSecret,
        Self::Code,
        Self::InitialAccessToken,
        Self::RefreshToken,
        Self::RegistrationAccessToken,
        Self::ScimToken,
        Self::SessionCookie,
    ];

    /// The text before the random part.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::AccessToken => "rsc_at_",
            Self::ClientSecret => "rsc_cs_",
            Self::Code => "rsc_ac_",
            Self::InitialAccessToken => "rsc_ia_",
            Self::RefreshToken => "rsc_rt_",
            Self::RegistrationAccessToken => "rsc_ra_",
            Self::ScimToken => "rsc_sp_",
            Self::SessionCookie => "rsc_sc_",
        }
    }
}

/// SHA-256 of a credential: the only form in which it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of any presented credential, well-formed or not.
    #[must_use]
    pub fn of(presented: &str) -> Self {
        Self(Sha256::digest(presented.as_bytes()).into())
    }

    /// As text for people and claims.
    #[must_use]
    pub fn base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads that text back.
    #[must_use]
    pub fn from_base64url(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({}…)", URL_SAFE_NO_PAD.encode(self.0.first_chunk::<4>().map_or(&[][..], |head| head)))
    }
}

/// A credential in the clear. It is shown once, to its holder, and cannot be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

const CHECKSUM_LEN: usize = 6;
const RANDOM_LEN: usize = 43;

impl Secret {
    /// Forms a credential from 256 random bits.
    #[must_use]
    pub fn form(kind: Kind, random: &[u8; 32]) -> Self {
        let body = format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random));
        let checksum = checksum(&body);
        Self(Zeroizing::new(body + &checksum))
    }

    /// The text, for the one who is to hold it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The form that is kept.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a text is none of our opaque credentials.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    #[error("no known prefix")]
    Prefix,
    #[error("wrong length")]
    Length,
    #[error("wrong checksum")]
    Checksum,
}

impl Kind {
    /// Which kind of credential a text is, judged by prefix, length and checksum alone: what a secret scanner does.
    pub fn recognise(text: &str) -> Result<Self, Malformed> {
        let kind = Self::ALL.into_iter().find(|kind| text.starts_with(kind.prefix())).ok_or(Malformed::Prefix)?;
        let body_len = kind.prefix().len() + RANDOM_LEN;
        if text.len() != body_len + CHECKSUM_LEN || !text.is_ascii() {
            return Err(Malformed::Length);
        }
        let (body, sum) = text.split_at(body_len);
        if checksum(body) == sum { Ok(kind) } else { Err(Malformed::Checksum) }
    }
}

/// CRC-32 of the body as six characters of base64url: 32 bits, padded on the left with zero bits.
fn checksum(body: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let crc = crc32fast::hash(body.as_bytes());
    (0..CHECKSUM_LEN)
        .rev()
        .map(|place| {
            let six = (u64::from(crc) >> (6 * place)) & 63;
            ALPHABET.get(usize::try_from(six).unwrap_or(0)).copied().map_or('A', char::from)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::form(Kind::AccessToken, &[7; 32]);
        assert!(!format!("{secret:?}").contains("rsc_"));
    }

    proptest! {
        #[test]
        fn every_formed_secret_is_recognised(random: [u8; 32]) {
            for kind in Kind::ALL {
                let secret = Secret::form(kind, &random);
                prop_assert_eq!(Kind::recognise(secret.reveal()), Ok(kind));
            }
        }

        #[test]
        fn one_wrong_character_is_noticed(random: [u8; 32], place in 7usize..56, other in "[A-Za-z0-9_-]") {
            let secret = Secret::form(Kind::RefreshToken, &random);
            let mut text = secret.reveal().to_owned();
            prop_assume!(text[place..=place] != other);
            text.replace_range(place..=place, &other);
            prop_assert!(Kind::recognise(&text).is_err());
        }

        #[test]
        fn any_text_is_looked_at_without_harm(text: String) {
            let _ = Kind::recognise(&text);
        }
    }
}
