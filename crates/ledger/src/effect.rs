//! When an entry was durable and when it was in force: the first two lines of every receipt.

use std::collections::VecDeque;

use rescind_check::Position;

use crate::Timestamp;

/// A stretch of entries that were committed and applied together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    pub first: Position,
    pub last: Position,
    /// When they would have survived a power cut.
    pub durable_at: Timestamp,
    /// When every check on this server refused what they end.
    pub applied_at: Timestamp,
    /// Nobody noted the moments, because the server stopped in between: it was then *at the latest*.
    pub at_latest: bool,
}

/// What the writer has just done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub effect: Effect,
    /// When the writer took the orders.
    pub begun_at: Timestamp,
}

/// How many batches are remembered until somebody writes them down. What is pushed out is told as "at the latest".
const MOST: usize = 8192;

/// The batches whose moments are not written down yet, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Effects(VecDeque<Done>);

impl Effects {
    pub(crate) fn extend(&mut self, done: Option<Done>) {
        let Some(done) = done else { return };
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(done);
    }

    /// Those that touch the stretch from `first` to `last`.
    pub(crate) fn between(&self, first: Position, last: Position) -> Vec<Done> {
        let begin = self.0.partition_point(|done| done.effect.last < first);
        self.0.range(begin..).take_while(|done| done.effect.first <= last).copied().collect()
    }

    pub(crate) fn forget_through(&mut self, through: Position) {
        while self.0.front().is_some_and(|done| done.effect.last <= through) {
            self.0.pop_front();
        }
    }
}

/// The stretch from `first` to `last` cut into pieces, each with its moments. For what nobody noted, `unknown` gives a moment
/// by which it had happened.
#[must_use]
pub fn effects_of(stretch: &[Position], noted: &[Done], unknown: impl Fn(Position) -> Timestamp) -> Vec<Effect> {
    let mut pieces: Vec<Effect> = Vec::new();
    for &at in stretch {
        let found = noted.iter().find(|done| done.effect.first <= at && at <= done.effect.last);
        let piece = found.map_or_else(
            || Effect { first: at, last: at, durable_at: unknown(at), applied_at: unknown(at), at_latest: true },
            |done| Effect { first: at, last: at, ..done.effect },
        );
        match pieces.last_mut() {
            Some(before) if before.last.next() == at && same_moments(before, &piece) => before.last = at,
            _ => pieces.push(piece),
        }
    }
    pieces
}

fn same_moments(one: &Effect, other: &Effect) -> bool {
    let of = |effect: &Effect| (effect.durable_at, effect.applied_at, effect.at_latest);
    of(one) == of(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u64) -> Position {
        Position { epoch: 1, seq }
    }

    fn done(first: u64, last: u64, when: i64) -> Done {
        let (durable_at, applied_at) = (Timestamp(when), Timestamp(when + 1));
        let effect = Effect { first: at(first), last: at(last), durable_at, applied_at, at_latest: false };
        Done { effect, begun_at: Timestamp(when - 5) }
    }

    #[test]
    fn what_nobody_noted_is_told_as_at_the_latest_and_never_given_the_moment_of_a_neighbour() {
        let stretch: Vec<Position> = (1..=6).map(at).collect();
        let pieces = effects_of(&stretch, &[done(2, 3, 10), done(5, 5, 20)], |_| Timestamp(99));
        let shown: Vec<_> =
            pieces.iter().map(|it| (it.first.seq, it.last.seq, it.durable_at.0, it.at_latest)).collect();
        assert_eq!(shown, [(1, 1, 99, true), (2, 3, 10, false), (4, 4, 99, true), (5, 5, 20, false), (6, 6, 99, true)]);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_newest() {
        let mut effects = Effects::default();
        (1..=MOST as u64 + 3).for_each(|seq| effects.extend(Some(done(seq, seq, 0))));
        assert_eq!(effects.0.len(), MOST);
        assert!(effects.between(at(1), at(3)).is_empty());
        assert_eq!(effects.between(at(4), at(5)).len(), 2);
        effects.forget_through(at(5));
        assert_eq!(effects.between(at(1), at(7)).len(), 2);
    }
}
