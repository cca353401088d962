//! What an entry can name, and the keyed fingerprint by which the index knows it.

use std::fmt;

use siphasher::sip::SipHasher24;

/// The key of fingerprints: it hides names from transport and from stored copies of the index.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey([u8; 16]);

impl FingerprintKey {
    /// A key of 16 random bytes; all holders of one index share it.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(redacted)")
    }
}

/// The keyed 64-bit fingerprint of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

/// A target of an entry, borrowed. The first four are never reused; the others live on after an entry, which is then
/// a cut-off: what was stamped before it is dead, what is stamped later is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetRef<'a> {
    /// One token, by its `jti`.
    Token(&'a str),
    /// One authorization of one client, by its id.
    Grant(&'a str),
    /// One sign-in, by its `sid`.
    Session(&'a str),
    /// One signing key, by its `kid`.
    Key(&'a str),
    /// A managed device, by its id.
    Device(&'a str),
    /// Whom tokens are about.
    Subject {
        /// `iss`
        issuer: &'a str,
        /// `sub`
        subject: &'a str,
    },
    /// An OAuth client, by its `client_id`.
    Client(&'a str),
    /// A resource server, by its identifier.
    Audience(&'a str),
    /// All credentials.
    Everything,
    /// A subject's credentials at one client.
    SubjectClient {
        /// `iss`
        issuer: &'a str,
        /// `sub`
        subject: &'a str,
        /// `client_id`
        client: &'a str,
    },
    /// A subject's credentials for one resource server.
    SubjectAudience {
        /// `iss`
        issuer: &'a str,
        /// `sub`
        subject: &'a str,
        /// The resource server's identifier.
        audience: &'a str,
    },
    /// A client's credentials for one resource server.
    ClientAudience {
        /// `client_id`
        client: &'a str,
        /// The resource server's identifier.
        audience: &'a str,
    },
    /// A client's credentials on one device.
    DeviceClient {
        /// The device's id.
        device: &'a str,
        /// `client_id`
        client: &'a str,
    },
}

impl<'a> TargetRef<'a> {
    /// Whether the target lives on after an entry (the entry is a cut-off), or is ended by it for good.
    #[must_use]
    pub fn is_living(&self) -> bool {
        !matches!(self, Self::Token(_) | Self::Grant(_) | Self::Session(_) | Self::Key(_))
    }

    /// The kind of target in one word, as in orders and listings.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Grant(_) => "grant",
            Self::Session(_) => "session",
            Self::Key(_) => "key",
            Self::Device(_) => "device",
            Self::Subject { .. } => "subject",
            Self::Client(_) => "client",
            Self::Audience(_) => "audience",
            Self::Everything => "everything",
            Self::SubjectClient { .. } => "subject_client",
            Self::SubjectAudience { .. } => "subject_audience",
            Self::ClientAudience { .. } => "client_audience",
            Self::DeviceClient { .. } => "device_client",
        }
    }

    /// The fingerprint: SipHash-2-4 of the kind's tag byte and then, for each part, its length in bytes (64 bits, little
    /// endian) and its UTF-8 bytes. The lengths keep `("ab", "c")` and `("a", "bc")` apart.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        // Room for most messages, so that they need not grow.
        self.fingerprint_within(key, &mut Vec::with_capacity(128))
    }

    /// As [`TargetRef::fingerprint`], in memory that the caller lends. The message is written out and hashed in one piece,
    /// for a hasher that is fed one part after the other spends as much again on bytes that fill no word.
    #[must_use]
    pub fn fingerprint_within(&self, key: &FingerprintKey, message: &mut Vec<u8>) -> Fingerprint {
        let (tag, parts) = self.tag_and_parts();
        message.clear();
        message.push(tag);
        for part in parts.iter().flatten() {
            message.extend_from_slice(&(part.len() as u64).to_le_bytes());
            message.extend_from_slice(part.as_bytes());
        }
        Fingerprint(SipHasher24::new_with_key(&key.0).hash(message))
    }

    /// The tags are part of the feed's format: a number, once given, keeps its meaning.
    fn tag_and_parts(&self) -> (u8, [Option<&'a str>; 3]) {
        match *self {
            Self::Token(jti) => (1, [Some(jti), None, None]),
            Self::Grant(id) => (2, [Some(id), None, None]),
            Self::Session(sid) => (3, [Some(sid), None, None]),
            Self::Key(kid) => (4, [Some(kid), None, None]),
            Self::Device(id) => (5, [Some(id), None, None]),
            Self::Subject { issuer, subject } => (6, [Some(issuer), Some(subject), None]),
            Self::Client(id) => (7, [Some(id), None, None]),
            Self::Audience(id) => (8, [Some(id), None, None]),
            Self::Everything => (9, [None, None, None]),
            Self::SubjectClient { issuer, subject, client } => (10, [Some(issuer), Some(subject), Some(client)]),
            Self::SubjectAudience { issuer, subject, audience } => (11, [Some(issuer), Some(subject), Some(audience)]),
            Self::ClientAudience { client, audience } => (12, [Some(client), Some(audience), None]),
            Self::DeviceClient { device, client } => (13, [Some(device), Some(client), None]),
        }
    }
}
