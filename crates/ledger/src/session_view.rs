//! A session as it is looked at, wherever its texts are kept.

use rescind_check::{FingerprintKey, Lineage, Position, Trace};

use crate::{Session, Timestamp};

/// What of a [`Session`] decides whether it counts, borrowed; its [`crate::SessionClock`] is the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView<'a> {
    /// The `sid`.
    pub id: &'a str,
    pub user: &'a str,
    pub device: Option<&'a str>,
    pub position: Position,
    pub started_at: Timestamp,
}

impl SessionView<'_> {
    /// The lineage of the session as a credential.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        self.with_lineage(issuer, |lineage| lineage.trace(key))
    }

    /// Hands the lineage to `look`.
    pub fn with_lineage<R>(&self, issuer: &str, look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        look(&Lineage {
            token: None,
            grant: None,
            session: Some(self.id),
            device: self.device,
            subject: Some((issuer, self.user)),
            client: None,
            audiences: &[],
            key: None,
            position: self.position,
            root_time: self.started_at.0,
        })
    }
}

impl<'a> From<&'a Session> for SessionView<'a> {
    fn from(session: &'a Session) -> Self {
        Self {
            id: &session.id,
            user: &session.user,
            device: session.device.as_deref(),
            position: session.position,
            started_at: session.started_at,
        }
    }
}
