//! The last activity of each session, where memory knows it better than the store.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use rescind_check::Fingerprint;
use rescind_ledger::{SessionClock, Timestamp};

/// What is known of a session's activity beyond its record. It stays until the session is over and its end is written
/// down: to drop it earlier would let the session idle out early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Touch {
    /// The last activity; [`OVER`] once the session's time ran out.
    last: i64,
    /// Of it, what is written down or about to be; for one that is over, since when.
    kept: i64,
}

/// No activity ever again.
const OVER: i64 = i64::MIN;

/// Longer than any request may take (`limits.request_secs` is at most five minutes, to be received and again to be answered).
const REMEMBERED_AS_OVER: Duration = Duration::from_secs(15 * 60);

/// So that requests seldom wait for each other.
const SHARDS: u64 = 64;

/// The touches of all sessions, by the fingerprint of the session: as in the index, 64 keyed bits name one.
pub(super) struct Touches(Box<[Mutex<HashMap<Fingerprint, Touch>>]>);

impl Touches {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    fn shard(&self, session: Fingerprint) -> &Mutex<HashMap<Fingerprint, Touch>> {
        &self.0[usize::try_from(session.0 % SHARDS).unwrap_or(0)]
    }

    /// Where a session stands in time, given what was read of it.
    pub(super) fn clock(&self, session: Fingerprint, read: SessionClock) -> SessionClock {
        known(self.shard(session).lock().get(&session), read)
    }

    /// Notes activity in a session that runs, and in no other. Says whether it is time to write it down: when less than
    /// 75 % of the idle window would remain by what is stored. Whoever is told so must write it, or take it back.
    pub(super) fn touch(&self, session: Fingerprint, read: SessionClock, now: Timestamp) -> bool {
        let mut shard = self.shard(session).lock();
        let before = shard.get(&session);
        let clock = known(before, read);
        if before.is_some_and(|touch| touch.last == OVER) || clock.runs(now).is_err() || now <= clock.touched_at {
            return false;
        }
        let kept = before.map_or(read.touched_at, |touch| Timestamp(touch.kept));
        let due = now.since(kept).as_millis() * 4 > u128::from(read.idle_secs) * 1000;
        shard.insert(session, Touch { last: now.0, kept: if due { now.0 } else { kept.0 } });
        due
    }

    /// What was to be written down at `at` was not: the next activity tries again.
    pub(super) fn take_back(&self, session: Fingerprint, read: SessionClock, at: Timestamp) {
        if let Some(touch) = self.shard(session).lock().get_mut(&session)
            && touch.kept == at.0
        {
            touch.kept = read.touched_at.0;
        }
    }

    /// Activity at `at` has been written down.
    pub(super) fn keep(&self, session: Fingerprint, at: Timestamp) {
        if let Some(touch) = self.shard(session).lock().get_mut(&session) {
            touch.kept = touch.kept.max(at.0);
        }
    }

    /// Where a session stands in time, as of its last activity; if its time has run out, that was the last for good.
    pub(super) fn settle(&self, session: Fingerprint, read: SessionClock, now: Timestamp) -> SessionClock {
        let mut shard = self.shard(session).lock();
        let clock = known(shard.get(&session), read);
        if clock.runs(now).is_err() {
            shard.insert(session, Touch { last: OVER, kept: now.0 });
        }
        clock
    }

    /// Forgets the activity of sessions that have ended, which no answer depends on any more. That a session's time ran out
    /// is remembered a while longer: a request that was on its way then must not find it running.
    pub(super) fn tidy(&self, now: Timestamp, has_ended: impl Fn(Fingerprint) -> bool) {
        for shard in &self.0 {
            shard.lock().retain(|session, touch| match touch.last {
                OVER => now.since(Timestamp(touch.kept)) < REMEMBERED_AS_OVER || !has_ended(*session),
                _ => !has_ended(*session),
            });
        }
    }
}

fn known(touch: Option<&Touch>, read: SessionClock) -> SessionClock {
    let last = touch.map_or(read.touched_at, |touch| Timestamp(touch.last));
    SessionClock { touched_at: last.max(read.touched_at), ..read }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Fingerprint = Fingerprint(7);

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    /// Begun at 0, a hundred seconds of rest, a thousand at all.
    fn read() -> SessionClock {
        SessionClock { touched_at: at(0), idle_secs: 100, expires_at: at(1000) }
    }

    fn last(touches: &Touches) -> Timestamp {
        touches.clock(SESSION, read()).touched_at
    }

    #[test]
    fn activity_is_due_to_be_written_when_less_than_three_quarters_of_the_window_remain() {
        let touches = Touches::new();
        assert!(!touches.touch(SESSION, read(), at(1)));
        assert!(!touches.touch(SESSION, read(), at(25)), "three quarters remain");
        assert!(touches.touch(SESSION, read(), Timestamp(25_001)));
        assert!(!touches.touch(SESSION, read(), at(50)), "it is being written as of 25.001");
        assert_eq!(last(&touches), at(50));
    }

    #[test]
    fn what_could_not_be_written_is_tried_again_at_the_next_activity() {
        let touches = Touches::new();
        assert!(touches.touch(SESSION, read(), at(30)));
        touches.take_back(SESSION, read(), at(30));
        assert_eq!(last(&touches), at(30), "the activity itself is known");
        assert!(touches.touch(SESSION, read(), at(31)));
        touches.take_back(SESSION, read(), at(30));
        assert!(!touches.touch(SESSION, read(), at(32)), "a later write is on its way");
    }

    #[test]
    fn a_touch_revives_nothing() {
        let touches = Touches::new();
        assert!(touches.touch(SESSION, read(), at(99)));
        assert!(!touches.touch(SESSION, read(), at(199)), "idle");
        assert_eq!(last(&touches), at(99));
        let long = SessionClock { expires_at: at(150), ..read() };
        assert!(!touches.touch(SESSION, long, at(150)), "over-age");
        assert_eq!(last(&touches), at(99));
    }

    #[test]
    fn a_touch_never_moves_back() {
        let touches = Touches::new();
        assert!(touches.touch(SESSION, read(), at(50)));
        assert!(!touches.touch(SESSION, read(), at(40)));
        assert_eq!(last(&touches), at(50));
    }

    #[test]
    fn what_was_settled_while_a_request_was_on_its_way_stays_so() {
        let touches = Touches::new();
        assert_eq!(touches.settle(SESSION, read(), at(99)), read(), "it runs");
        assert!(touches.touch(SESSION, read(), at(99)));
        let clock = touches.settle(SESSION, read(), at(199));
        assert_eq!(clock.touched_at, at(99));
        let read_again = SessionClock { touched_at: at(99), ..read() };
        assert!(!touches.touch(SESSION, read_again, at(150)), "begun before the end, arrived after it");
        assert_eq!(touches.clock(SESSION, read_again).touched_at, at(99));
        assert_eq!(touches.settle(SESSION, read_again, at(200)).touched_at, at(99), "if the first attempt failed");
    }

    #[test]
    fn the_activity_of_ended_sessions_is_forgotten_but_not_while_a_request_may_be_on_its_way() {
        let touches = Touches::new();
        let other = Fingerprint(8);
        assert!(touches.touch(other, read(), at(99)));
        assert!(touches.touch(SESSION, read(), at(99)));
        touches.settle(SESSION, read(), at(199));
        touches.tidy(at(200), |_| true);
        assert_eq!(touches.clock(other, read()).touched_at, at(0), "forgotten");
        assert!(!touches.touch(SESSION, read(), at(99)), "it had ended before this arrived");
        let much_later = at(199).plus(REMEMBERED_AS_OVER);
        touches.tidy(much_later, |_| false);
        assert!(!touches.touch(SESSION, read(), at(99)), "its entry is not written yet");
        touches.tidy(much_later, |_| true);
        assert!(touches.0.iter().all(|shard| shard.lock().is_empty()));
    }
}
