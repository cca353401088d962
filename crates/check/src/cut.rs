//! How much of its target an entry ends.

use crate::{Position, TargetRef};

/// How much of its target an entry ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// All of it for good: the target is never reused.
    ForGood,
    /// What was stamped before the entry: a cut-off.
    Stamped,
    /// Of that, what has a root time before this one, in milliseconds since 1970: a conditioned cut-off.
    Rooted(i64),
}

impl TargetRef<'_> {
    /// How an entry for this target ends it, conditioned on "issued before T" if that is given. What is never reused cannot be
    /// ended in part.
    #[must_use]
    pub fn cut(&self, before: Option<i64>) -> Cut {
        match before {
            _ if !self.is_living() => Cut::ForGood,
            None => Cut::Stamped,
            Some(before) => Cut::Rooted(before),
        }
    }
}

/// What some entries for one target, not yet in any index, do together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The entry that counts among those that are not conditioned: for a never-reused target the first, for a living one the
    /// latest.
    pub cut_off: Option<Position>,
    conditions: Vec<(Position, i64)>,
}

impl Effect {
    /// The effect of one entry.
    #[must_use]
    pub fn of(cut: Cut, at: Position) -> Self {
        let mut effect = Self::default();
        effect.add(cut, at);
        effect
    }

    /// Takes in an entry, whatever else was taken in before it.
    pub fn add(&mut self, cut: Cut, at: Position) {
        match cut {
            Cut::ForGood => self.cut_off = Some(self.cut_off.map_or(at, |first| first.min(at))),
            Cut::Stamped => self.cut_off = self.cut_off.max(Some(at)),
            Cut::Rooted(before) => self.conditions.push((at, before)),
        }
    }

    /// Whether a credential with the target in its lineage dies of it.
    pub(crate) fn ends(&self, is_living: bool, stamp: Position, root_time: i64) -> bool {
        self.cut_off.is_some_and(|at| !is_living || stamp < at)
            || self.conditions.iter().any(|(at, before)| stamp < *at && root_time < *before)
    }
}
