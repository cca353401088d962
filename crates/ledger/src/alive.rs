//! Whether a record still counts: `active = record ∧ not expired ∧ session not idle ∧ enabled ∧ NotRevoked`.

use std::time::Duration;

use rescind_check::{Side, Trace, Verdict};

use crate::{Grant, Live, Session, SessionView, Timestamp, TokenView};

/// Why a credential does not count. For logs and `explain`; a stranger only ever hears "inactive".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inactive {
    ClientDisabled,
    DeviceDisabled,
    Expired,
    Revoked,
    SessionExpired,
    SessionIdle,
    UserDisabled,
}

/// How a session stands in time: the last activity, which is the one mutable thing about it, and its two limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionClock {
    pub touched_at: Timestamp,
    /// How long it may rest, in seconds.
    pub idle_secs: u32,
    pub expires_at: Timestamp,
}

impl SessionClock {
    /// The clock of a session that nobody knows: it ran out long ago.
    pub const UNKNOWN: Self = Self { touched_at: Timestamp(0), idle_secs: 0, expires_at: Timestamp(0) };

    /// What the session's record says.
    #[must_use]
    pub fn of(session: &Session) -> Self {
        Self { touched_at: session.touched_at, idle_secs: session.idle_secs, expires_at: session.expires_at }
    }

    /// When the session ends if nothing more happens in it.
    #[must_use]
    pub fn due_at(self) -> Timestamp {
        self.touched_at.plus(Duration::from_secs(self.idle_secs.into())).min(self.expires_at)
    }

    /// Whether the session still runs.
    ///
    /// # Errors
    /// [`Inactive::SessionExpired`] beyond its maximum, [`Inactive::SessionIdle`] if it rested too long.
    pub fn runs(self, now: Timestamp) -> Result<(), Inactive> {
        if self.expires_at <= now {
            return Err(Inactive::SessionExpired);
        }
        if now.since(self.touched_at).as_secs() >= u64::from(self.idle_secs) {
            return Err(Inactive::SessionIdle);
        }
        Ok(())
    }
}

/// What is asked about a credential besides its lineage.
struct Question<'a> {
    trace: &'a Trace,
    expires_at: Timestamp,
    client: Option<&'a str>,
    user: Option<&'a str>,
    device: Option<&'a str>,
    clock: Option<SessionClock>,
}

impl Live {
    /// Whether an access token counts. `clock` is that of its session, for a token that needs a valid one.
    pub fn access_token_counts<'a>(
        &self,
        token: impl Into<TokenView<'a>>,
        trace: &Trace,
        clock: Option<SessionClock>,
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
                clock,
            },
            now,
        )
    }

    /// Whether a grant counts, and with it its code and refresh tokens.
    pub fn grant_counts(&self, grant: &Grant, clock: Option<SessionClock>, now: Timestamp) -> Result<(), Inactive> {
        self.counts(
            &Question {
                trace: &grant.trace(self.issuer(), self.key()),
                expires_at: grant.expires_at,
                client: Some(&grant.client),
                user: grant.user.as_deref(),
                device: grant.device.as_deref(),
                clock,
            },
            now,
        )
    }

    /// Whether a session counts, by what its record says of its last activity.
    pub fn session_counts(&self, session: &Session, now: Timestamp) -> Result<(), Inactive> {
        self.session_counts_by(session, SessionClock::of(session), now)
    }

    /// Whether a session counts, by a clock that knows its activity better than its record.
    pub fn session_counts_by<'a>(
        &self,
        session: impl Into<SessionView<'a>>,
        clock: SessionClock,
        now: Timestamp,
    ) -> Result<(), Inactive> {
        let session = session.into();
        self.counts(
            &Question {
                trace: &session.trace(self.issuer(), self.key()),
                expires_at: clock.expires_at,
                client: None,
                user: Some(session.user),
                device: session.device,
                clock: Some(clock),
            },
            now,
        )
    }

    fn counts(&self, question: &Question<'_>, now: Timestamp) -> Result<(), Inactive> {
        if question.expires_at <= now {
            return Err(Inactive::Expired);
        }
        question.clock.map_or(Ok(()), |clock| clock.runs(now))?;
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
