//! Deliveries: what becomes of an entry on its way to one receiver, and when the next attempt is due.

use std::{str::FromStr, time::Duration};

use rescind_check::Position;

use crate::{Door, Effect, LedgerError, Tally, Timestamp};

/// How far a delivery has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Pending,
    Delivered,
    GaveUp,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Delivered, Self::GaveUp];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::GaveUp => "gave_up",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or(())
    }
}

/// One entry on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub position: Position,
    pub receiver: String,
    /// What kind of receiver it is: kept here, since the receiver may be gone when the receipt is read.
    pub kind: String,
    pub state: DeliveryState,
    pub attempts: u32,
    pub made_at: Timestamp,
    /// The first attempt.
    pub first_at: Option<Timestamp>,
    /// The last attempt.
    pub last_at: Option<Timestamp>,
    /// When the next attempt is due; none unless it is pending.
    pub next_at: Option<Timestamp>,
    /// Why the last attempt failed; none once it succeeded.
    pub last_error: Option<String>,
}

/// One try at a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub number: u32,
    pub at: Timestamp,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a receiver made of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// It may succeed later, not before `after` if the receiver said so.
    Retry {
        after: Option<Duration>,
        why: String,
    },
    /// It will never succeed.
    GiveUp {
        why: String,
    },
}

/// How a receiver stands as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub receiver: String,
    pub kind: String,
    pub pending: u64,
    pub gave_up: u64,
    /// The last attempt at any of its deliveries.
    pub last: Option<Attempt>,
}

/// The longest that two attempts lie apart, unless the receiver asks for more.
const MOST_APART: Duration = Duration::from_mins(15);
/// When a delivery has been tried so often, or for so long, it is given up. It stays visible.
const MOST_ATTEMPTS: u32 = 250;
const MOST_AGE: Duration = Duration::from_hours(48);
/// The most that is kept of an error, in bytes.
const MOST_ERROR: usize = 500;

/// How long to wait after so many failed attempts: doubling from a second, by half or more of it, so that many deliveries that
/// failed together do not come back together.
#[must_use]
pub fn backoff(attempts: u32, random: u64) -> Duration {
    let whole = Duration::from_secs(1 << attempts.saturating_sub(1).min(20)).min(MOST_APART);
    let half = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX) / 2;
    Duration::from_millis(half + random % (half + 1))
}

impl Delivery {
    /// A delivery that is due at once.
    #[must_use]
    pub fn new(position: Position, receiver: &str, kind: &str, now: Timestamp) -> Self {
        Self {
            position,
            receiver: receiver.to_owned(),
            kind: kind.to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            made_at: now,
            first_at: None,
            last_at: None,
            next_at: Some(now),
            last_error: None,
        }
    }

    /// Whether it is too old to be tried again.
    #[must_use]
    pub fn is_too_old(&self, now: Timestamp) -> bool {
        now.since(self.made_at) >= MOST_AGE
    }

    /// What becomes of it by an attempt that was made at `at`.
    #[must_use]
    pub fn after(&self, outcome: &Outcome, at: Timestamp, random: u64) -> (Self, Attempt) {
        let attempts = self.attempts.saturating_add(1);
        let exhausted = attempts >= MOST_ATTEMPTS || self.is_too_old(at);
        let (state, next_at, error) = match outcome {
            Outcome::Delivered => (DeliveryState::Delivered, None, None),
            Outcome::GiveUp { why } => (DeliveryState::GaveUp, None, Some(why)),
            Outcome::Retry { why, .. } if exhausted => (DeliveryState::GaveUp, None, Some(why)),
            Outcome::Retry { after, why } => {
                let wait = match after {
                    Some(after) => *after + backoff(1, random),
                    None => backoff(attempts, random),
                };
                (DeliveryState::Pending, Some(at.plus(wait)), Some(why))
            }
        };
        let error = error.map(|why| why[..why.floor_char_boundary(MOST_ERROR)].to_owned());
        let attempt = Attempt { number: attempts, at, error: error.clone() };
        let first_at = self.first_at.or(Some(at));
        let delivery =
            Self { state, attempts, first_at, last_at: Some(at), next_at, last_error: error, ..self.clone() };
        (delivery, attempt)
    }
}

/// A stretch of the outbox, expanded.
#[derive(Clone, Debug, Default)]
pub struct Expanded {
    pub effects: Vec<Effect>,
    pub deliveries: Vec<Delivery>,
}

impl Door<'_> {
    /// Writes down what a stretch of the outbox expands into, and that it is expanded up to a position: all of it or nothing,
    /// so that a crash neither loses a delivery nor makes a second one.
    pub fn expand(&mut self, expanded: &Expanded, through: Position) -> Result<(), LedgerError> {
        expanded.effects.iter().try_for_each(|effect| self.tx.put_effect(effect))?;
        expanded.deliveries.iter().try_for_each(|delivery| self.tx.insert_delivery(delivery))?;
        Ok(self.tx.expanded_through(through)?)
    }

    /// Writes down what entries have ended, the last of them at `through`, which completes their rows in the outbox.
    pub fn keep_tallies(&mut self, tallies: &[(Position, Tally)], through: Position) -> Result<(), LedgerError> {
        tallies.iter().try_for_each(|(position, tally)| self.tx.put_tally(*position, tally))?;
        Ok(self.tx.complete_outbox(through)?)
    }

    /// Writes down an attempt. One at what is not pending any more changes nothing.
    pub fn note_attempt(
        &mut self,
        position: Position,
        receiver: &str,
        outcome: &Outcome,
        random: u64,
    ) -> Result<(), LedgerError> {
        let found = self.tx.find_delivery(position, receiver)?;
        let Some(delivery) = found.filter(|delivery| delivery.state == DeliveryState::Pending) else { return Ok(()) };
        let (delivery, attempt) = delivery.after(outcome, self.now, random);
        Ok(self.tx.put_attempt(&delivery, &attempt)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry { after: after.map(Duration::from_secs), why: "busy".to_owned() }
    }

    fn fresh() -> Delivery {
        Delivery::new(Position { epoch: 1, seq: 1 }, "there", "test", Timestamp(0))
    }

    #[test]
    fn the_wait_doubles_up_to_a_quarter_of_an_hour_and_is_never_less_than_half() {
        for (attempts, whole) in [(1, 1), (2, 2), (5, 16), (11, 900), (200, 900)] {
            assert_eq!(backoff(attempts, 0), Duration::from_secs(whole) / 2, "{attempts}");
            let most = (0..2000).map(|random| backoff(attempts, random * 7919)).max().unwrap();
            assert!(
                most <= Duration::from_secs(whole) && most > Duration::from_secs(whole) * 3 / 4,
                "{attempts}: {most:?}"
            );
        }
    }

    #[test]
    fn a_receiver_is_not_tried_before_it_said() {
        let (later, attempt) = fresh().after(&retry(Some(3600)), Timestamp(5), 0);
        assert!(later.next_at.unwrap() >= Timestamp(5).plus(Duration::from_secs(3600)));
        assert_eq!((attempt.number, attempt.error.as_deref()), (1, Some("busy")));
        assert_eq!((later.first_at, later.last_at), (Some(Timestamp(5)), Some(Timestamp(5))));
    }

    #[test]
    fn what_fails_for_ever_is_given_up_after_so_many_attempts_or_so_long() {
        let mut delivery = fresh();
        let mut tried = 0;
        while delivery.state == DeliveryState::Pending {
            delivery = delivery.after(&retry(None), Timestamp(tried), 1).0;
            tried += 1;
        }
        assert_eq!((delivery.state, delivery.attempts, delivery.next_at), (DeliveryState::GaveUp, MOST_ATTEMPTS, None));
        let old = fresh().after(&retry(None), Timestamp(0).plus(MOST_AGE), 1).0;
        assert_eq!((old.state, old.last_error.as_deref()), (DeliveryState::GaveUp, Some("busy")));
    }

    #[test]
    fn success_forgets_the_error_and_a_long_error_is_cut() {
        let failed = fresh().after(&Outcome::GiveUp { why: "é".repeat(400) }, Timestamp(1), 1).0;
        assert_eq!(failed.last_error.unwrap().len(), MOST_ERROR);
        let delivered = fresh().after(&retry(None), Timestamp(1), 1).0.after(&Outcome::Delivered, Timestamp(9), 1).0;
        assert_eq!((delivered.state, delivered.attempts, delivered.last_error), (DeliveryState::Delivered, 2, None));
    }
}
