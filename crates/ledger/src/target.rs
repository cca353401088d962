//! What a revocation can name: the owned form of [`rescind_check::TargetRef`].

use std::fmt;

use rescind_check::{Cut, Fingerprint, FingerprintKey, TargetRef};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What an order names. Tokens, grants, sessions and signing keys are never reused, so an entry naming one ends it for
/// good; the others live on, so an entry for one is a cut-off.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// One access token, by its `jti`.
    Token { token: String },
    /// One grant with its refresh-token family.
    Grant { grant: String },
    /// One sign-in, by its `sid`.
    Session { session: String },
    /// One signing key, by its `kid`.
    Key { key: String },
    /// A managed device.
    Device { device: String },
    /// Everything about one subject.
    Subject { issuer: String, subject: String },
    /// Everything issued to one client (application).
    Client { client: String },
    /// Everything for one resource server (API).
    Audience { audience: String },
    /// Everything there is.
    Everything,
    /// What one client holds about one subject.
    SubjectClient { issuer: String, subject: String, client: String },
    /// What is for one API about one subject.
    SubjectAudience { issuer: String, subject: String, audience: String },
    /// What one client holds for one API.
    ClientAudience { client: String, audience: String },
    /// What one client was given on one device.
    DeviceClient { device: String, client: String },
}

impl Target {
    /// The same target, borrowed: what `check` works on.
    #[must_use]
    pub fn as_ref(&self) -> TargetRef<'_> {
        match self {
            Self::Token { token } => TargetRef::Token(token),
            Self::Grant { grant } => TargetRef::Grant(grant),
            Self::Session { session } => TargetRef::Session(session),
            Self::Key { key } => TargetRef::Key(key),
            Self::Device { device } => TargetRef::Device(device),
            Self::Subject { issuer, subject } => TargetRef::Subject { issuer, subject },
            Self::Client { client } => TargetRef::Client(client),
            Self::Audience { audience } => TargetRef::Audience(audience),
            Self::Everything => TargetRef::Everything,
            Self::SubjectClient { issuer, subject, client } => TargetRef::SubjectClient { issuer, subject, client },
            Self::SubjectAudience { issuer, subject, audience } => {
                TargetRef::SubjectAudience { issuer, subject, audience }
            }
            Self::ClientAudience { client, audience } => TargetRef::ClientAudience { client, audience },
            Self::DeviceClient { device, client } => TargetRef::DeviceClient { device, client },
        }
    }

    /// Whether entries for it are cut-offs, because what it names lives on.
    #[must_use]
    pub fn is_living(&self) -> bool {
        self.as_ref().is_living()
    }

    /// How much of it an entry ends, conditioned on "issued before T" if that is given.
    #[must_use]
    pub fn cut(&self, before: Option<Timestamp>) -> Cut {
        self.as_ref().cut(before.map(|before| before.0))
    }

    /// The word for its kind, as entries have it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.as_ref().kind()
    }

    /// The id of the user whom it is about, if that is one of this issuer's.
    #[must_use]
    pub fn user(&self, ours: &str) -> Option<&str> {
        match self {
            Self::Subject { issuer, subject }
            | Self::SubjectClient { issuer, subject, .. }
            | Self::SubjectAudience { issuer, subject, .. } => (issuer == ours).then_some(subject),
            _ => None,
        }
    }

    /// Its place in the index.
    #[must_use]
    pub fn fingerprint(&self, key: &FingerprintKey) -> Fingerprint {
        self.as_ref().fingerprint(key)
    }

    /// The owned form of a borrowed target.
    #[must_use]
    pub fn from_ref(target: &TargetRef<'_>) -> Self {
        let own = |text: &str| text.to_owned();
        match *target {
            TargetRef::Token(token) => Self::Token { token: own(token) },
            TargetRef::Grant(grant) => Self::Grant { grant: own(grant) },
            TargetRef::Session(session) => Self::Session { session: own(session) },
            TargetRef::Key(key) => Self::Key { key: own(key) },
            TargetRef::Device(device) => Self::Device { device: own(device) },
            TargetRef::Subject { issuer, subject } => Self::Subject { issuer: own(issuer), subject: own(subject) },
            TargetRef::Client(client) => Self::Client { client: own(client) },
            TargetRef::Audience(audience) => Self::Audience { audience: own(audience) },
            TargetRef::Everything => Self::Everything,
            TargetRef::SubjectClient { issuer, subject, client } => {
                Self::SubjectClient { issuer: own(issuer), subject: own(subject), client: own(client) }
            }
            TargetRef::SubjectAudience { issuer, subject, audience } => {
                Self::SubjectAudience { issuer: own(issuer), subject: own(subject), audience: own(audience) }
            }
            TargetRef::ClientAudience { client, audience } => {
                Self::ClientAudience { client: own(client), audience: own(audience) }
            }
            TargetRef::DeviceClient { device, client } => {
                Self::DeviceClient { device: own(device), client: own(client) }
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { token } => write!(f, "token {token}"),
            Self::Grant { grant } => write!(f, "grant {grant}"),
            Self::Session { session } => write!(f, "session {session}"),
            Self::Key { key } => write!(f, "key {key}"),
            Self::Device { device } => write!(f, "device {device}"),
            Self::Subject { subject, .. } => write!(f, "user {subject}"),
            Self::Client { client } => write!(f, "client {client}"),
            Self::Audience { audience } => write!(f, "api {audience}"),
            Self::Everything => f.write_str("everything"),
            Self::SubjectClient { subject, client, .. } => write!(f, "user {subject} at client {client}"),
            Self::SubjectAudience { subject, audience, .. } => write!(f, "user {subject} at api {audience}"),
            Self::ClientAudience { client, audience } => write!(f, "client {client} at api {audience}"),
            Self::DeviceClient { device, client } => write!(f, "client {client} on device {device}"),
        }
    }
}

/// A target that was written wrongly.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a target: {0}")]
pub struct UnknownTarget(pub String);

impl std::str::FromStr for Target {
    type Err = UnknownTarget;

    /// Reads the stored form, JSON with a `kind`.
    fn from_str(text: &str) -> Result<Self, UnknownTarget> {
        serde_json::from_str(text).map_err(|why| UnknownTarget(why.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_survives_storage() {
        let target = Target::SubjectClient { issuer: "https://i".into(), subject: "u".into(), client: "c".into() };
        let text = serde_json::to_string(&target).unwrap();
        assert_eq!(text, r#"{"kind":"subject_client","issuer":"https://i","subject":"u","client":"c"}"#);
        assert_eq!(text.parse::<Target>().unwrap(), target);
        assert_eq!(Target::from_ref(&target.as_ref()), target);
    }

    #[test]
    fn a_target_with_an_extra_part_is_refused() {
        assert!(r#"{"kind":"token","token":"t","client":"c"}"#.parse::<Target>().is_err());
        assert!(r#"{"kind":"planet"}"#.parse::<Target>().is_err());
    }
}
