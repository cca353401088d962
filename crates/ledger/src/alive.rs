//! Whether a record still counts: `active = record ∧ not expired ∧ session not idle ∧ enabled ∧ NotRevoked`.

use rescind_check::{Side, Trace, Verdict};

use crate::{Grant, Live, Session, Timestamp, TokenView};

/// Why a credential does not count. For logs and `explain`; a stranger only ever hears "inactive".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inactive {
    ClientDisabled,
    DeviceDisabled,
    Expired,
    Revoked,
    SessionIdle,
    UserDisabled,
}

/// The one mutable thing about a session: when it was last used, and how long it may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    pub touched_at: Timestamp,
    pub idle_secs: u32,
}

impl Idle {
    /// What the session's record says.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self { touched_at: session.touched_at, idle_secs: session.idle_secs }
    }

    /// Whether the session has rested too long.
    #[must_use]
    pub fn is_over(self, now: Timestamp) -> bool {
        now.since(self.touched_at).as_secs() >= u64::from(self.idle_secs)
    }
}

/// What is asked about a credential besides its lineage.
struct Question<'a> {
    trace: &'a Trace,
    expires_at: Timestamp,
    client: Option<&'a str>,
    user: Option<&'a str>,
    device: Option<&'a str>,
    idle: Option<Idle>,
}

impl Live {
    /// Whether an access token counts. `idle` is the state of its session, for a session-bound token.
    pub fn access_token_counts<'a>(
        &self,
        token: impl Into<TokenView<'a>>,
        trace: &Trace,
        idle: Option<Idle>,
        now: Timestamp,
    ) -> Result<(), Inactive> {
        let token = token.into();
        self.counts(
            &Question {
                trace,
                expires_at: token.expires_at,
                client: Some(token.client),
                user: token.user,
                device: token.device,
                idle,
            },
            now,
        )
    }

    /// Whether a grant counts, and with it its code and refresh tokens.
    pub fn grant_counts(&self, grant: &Grant, idle: Option<Idle>, now: Timestamp) -> Result<(), Inactive> {
        self.counts(
            &Question {
                trace: &grant.trace(self.issuer(), self.key()),
                expires_at: grant.expires_at,
                client: Some(&grant.client),
                user: grant.user.as_deref(),
                device: grant.device.as_deref(),
                idle,
            },
            now,
        )
    }

    /// Whether a session counts.
    pub fn session_counts(&self, session: &Session, now: Timestamp) -> Result<(), Inactive> {
        self.counts(
            &Question {
                trace: &session.trace(self.issuer(), self.key()),
                expires_at: session.expires_at,
                client: None,
                user: Some(&session.user),
                device: session.device.as_deref(),
                idle: Some(Idle::of(session)),
            },
            now,
        )
    }

    fn counts(&self, question: &Question<'_>, now: Timestamp) -> Result<(), Inactive> {
        if question.expires_at <= now {
            return Err(Inactive::Expired);
        }
        if question.idle.is_some_and(|idle| idle.is_over(now)) {
            return Err(Inactive::SessionIdle);
        }
        self.look(|index, configuration| {
            if index.verdict(question.trace, Side::Node) != Verdict::NotRevoked {
                return Err(Inactive::Revoked);
            }
            let enabled = |id| configuration.clients.get(id).is_some_and(|client| client.enabled);
            if !question.client.is_none_or(enabled) {
                return Err(Inactive::ClientDisabled);
            }
            if question.user.is_some_and(|user| configuration.disabled_users.contains(user)) {
                return Err(Inactive::UserDisabled);
            }
            if question.device.is_some_and(|device| configuration.disabled_devices.contains(device)) {
                return Err(Inactive::DeviceDisabled);
            }
            Ok(())
        })
    }
}
