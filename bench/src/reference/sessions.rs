//! Sessions as the bare server knows them: found by one look-up, and kept from idling out by being asked for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// In place of the last activity: the session was revoked.
const REVOKED: u64 = u64::MAX;

/// All sessions, each with the second of its last activity.
pub struct Sessions {
    last: HashMap<String, AtomicU64>,
    /// From here on seconds are counted.
    begun: Instant,
    /// How many seconds each may rest.
    idle: u64,
}

impl Sessions {
    /// Sessions that begin now and may rest for `idle` seconds, and others that were revoked.
    pub fn new(live: impl Iterator<Item = String>, revoked: impl Iterator<Item = String>, idle: u64) -> Self {
        let live = live.map(|id| (id, AtomicU64::new(0)));
        let revoked = revoked.map(|id| (id, AtomicU64::new(REVOKED)));
        Self { last: live.chain(revoked).collect(), begun: Instant::now(), idle }
    }

    /// Whether a session was revoked. If it runs, its idle time begins anew.
    pub(super) fn is_revoked(&self, id: &str) -> bool {
        self.is_revoked_at(id, self.begun.elapsed().as_secs())
    }

    fn is_revoked_at(&self, id: &str, now: u64) -> bool {
        let Some(last) = self.last.get(id) else { return false };
        let before = last.load(Relaxed);
        // Nothing is revoked while this serves, so nothing is overwritten between the two.
        if before != REVOKED && now.saturating_sub(before) < self.idle {
            last.store(now, Relaxed);
        }
        before == REVOKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(sessions: &Sessions, id: &str) -> u64 {
        sessions.last[id].load(Relaxed)
    }

    #[test]
    fn being_asked_for_lets_the_idle_time_of_a_running_session_begin_anew() {
        let sessions = Sessions::new(["s".to_owned()].into_iter(), std::iter::empty(), 100);
        assert!(!sessions.is_revoked_at("s", 99));
        assert_eq!(last(&sessions, "s"), 99);
        assert!(!sessions.is_revoked_at("s", 199));
        assert_eq!(last(&sessions, "s"), 99, "it had idled out");
    }

    #[test]
    fn a_revoked_session_stays_revoked_and_an_unknown_one_is_not() {
        let sessions = Sessions::new(std::iter::empty(), ["s".to_owned()].into_iter(), 100);
        assert!(sessions.is_revoked("s") && sessions.is_revoked("s"));
        assert!(!sessions.is_revoked("t"));
    }
}
