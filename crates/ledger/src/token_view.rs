//! An access token as it is looked at, wherever its texts are kept.

use rescind_check::{FingerprintKey, Lineage, Position, Trace};

use crate::{AccessToken, SessionValidation, Timestamp};

/// What an [`AccessToken`] says, borrowed; without its hash, by which whoever looks has found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenView<'a> {
    /// The `jti`.
    pub id: &'a str,
    pub grant: &'a str,
    pub client: &'a str,
    pub user: Option<&'a str>,
    pub session: Option<&'a str>,
    /// What the token depends on of that session.
    pub session_validation: SessionValidation,
    pub device: Option<&'a str>,
    pub scope: &'a str,
    pub audiences: &'a [String],
    /// The key that signed it, if it is a JWT.
    pub key: Option<&'a str>,
    /// `x5t#S256` of the client certificate it is bound to (RFC 8705 section 3).
    pub certificate: Option<&'a str>,
    pub position: Position,
    pub auth_time: Option<Timestamp>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl<'a> TokenView<'a> {
    /// Everything whose revocation ends this token.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        self.with_lineage(issuer, |lineage| lineage.trace(key))
    }

    /// When the authentication was from which it descends, however often it was refreshed since; when it was issued, if a
    /// client got it by its own credentials.
    #[must_use]
    pub fn root_time(&self) -> Timestamp {
        self.auth_time.unwrap_or(self.issued_at)
    }

    /// Hands the lineage to `look`.
    pub fn with_lineage<R>(&self, issuer: &str, look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        look(&Lineage {
            token: Some(self.id),
            grant: Some(self.grant),
            session: self.session.filter(|_| self.session_validation.depends_on_session()),
            device: self.device,
            subject: self.user.map(|user| (issuer, user)),
            client: Some(self.client),
            audiences: self.audiences,
            key: self.key,
            position: self.position,
            root_time: self.root_time().0,
        })
    }
}

impl<'a> From<&'a AccessToken> for TokenView<'a> {
    fn from(token: &'a AccessToken) -> Self {
        Self {
            id: &token.id,
            grant: &token.grant,
            client: &token.client,
            user: token.user.as_deref(),
            session: token.session.as_deref(),
            session_validation: token.session_validation,
            device: token.device.as_deref(),
            scope: &token.scope,
            audiences: &token.audiences,
            key: token.key.as_deref(),
            certificate: token.certificate.as_deref(),
            position: token.position,
            auth_time: token.auth_time,
            issued_at: token.issued_at,
            expires_at: token.expires_at,
        }
    }
}
