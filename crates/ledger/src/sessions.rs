//! The sessions of one user taken together: the most there may be, and ending all of them but one.
//!
//! What counts is listed inside the transaction that acts on it, so that nothing slips in between: there is one writer.

use std::collections::HashMap;

use crate::{Door, Ended, Initiator, LedgerError, Order, Reason, Session, SessionClock, Target, Timestamp};

/// How many sessions a user may have at once.
#[derive(Clone, Debug)]
pub struct SessionLimit {
    pub most: u32,
    /// The last activity of sessions, by id, where it is later than what is written down.
    pub activity: HashMap<String, Timestamp>,
}

/// An order for the sessions of one user, each of which is ended by itself: what was granted to outlive them goes on.
#[derive(Clone, Debug)]
pub struct EndingOfSessions {
    pub user: String,
    /// The one that goes on.
    pub except: Option<String>,
    pub reason: Reason,
    pub initiator: Initiator,
    pub note: Option<String>,
}

/// A session that an order for several has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSession {
    pub session: String,
    pub ended: Ended,
}

impl Door<'_> {
    /// Ends the oldest sessions of a user, so that beside `newest`, which begins in this transaction, there are no more
    /// than the limit allows. Those that are over already do not count.
    ///
    /// # Errors
    /// As [`Door::end`]; then the session does not begin either.
    pub fn make_room(&mut self, newest: &Session, limit: &SessionLimit) -> Result<Vec<EndedSession>, LedgerError> {
        let mut others = self.tx.live_sessions_of(&newest.user)?;
        others.retain(|session| session.id != newest.id && self.may_run(session, newest.started_at, limit));
        let kept = usize::try_from(limit.most.saturating_sub(1)).unwrap_or(usize::MAX);
        others.truncate(others.len().saturating_sub(kept));
        let system = Initiator::System("session_limit".to_owned());
        others.iter().map(|session| self.end_one(session, Reason::SessionLimit, &system, None)).collect()
    }

    /// Whether a session runs, or did at `began`. The activity was noted then, and who had run out of time by then cannot
    /// have been touched since; who runs out of time while the job waits is still counted.
    fn may_run(&self, session: &Session, began: Timestamp, limit: &SessionLimit) -> bool {
        let noted = limit.activity.get(&session.id).copied();
        let clock =
            SessionClock { touched_at: session.touched_at.max(noted.unwrap_or_default()), ..SessionClock::of(session) };
        clock.runs(began).is_ok() && self.stands(session)
    }

    fn stands(&self, session: &Session) -> bool {
        self.must_stand(&session.trace(self.live.issuer(), self.live.key())).is_ok()
    }

    /// Ends the sessions that a user has now, all of them or all but one, in one transaction.
    ///
    /// Whether one has run out of time is not asked: its last activity may not be written down yet.
    pub fn end_sessions(&mut self, order: &EndingOfSessions) -> Result<Vec<EndedSession>, LedgerError> {
        let mut sessions = self.tx.live_sessions_of(&order.user)?;
        sessions.retain(|session| order.except.as_ref() != Some(&session.id) && self.stands(session));
        let note = order.note.as_deref();
        sessions.iter().map(|session| self.end_one(session, order.reason, &order.initiator, note)).collect()
    }

    fn end_one(
        &mut self,
        session: &Session,
        reason: Reason,
        initiator: &Initiator,
        note: Option<&str>,
    ) -> Result<EndedSession, LedgerError> {
        let target = Target::Session { session: session.id.clone() };
        let note = note.map(str::to_owned);
        let ended = self.end(&Order { note, ..Order::new(target, reason, initiator.clone()) })?;
        Ok(EndedSession { session: session.id.clone(), ended })
    }
}
