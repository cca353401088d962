//! Entries conditioned on "issued before T". They are rare, so they stand beside the table and not in it.

use std::collections::BTreeMap;

use crate::index::SHARD_BITS;

/// For each target the conditioned entries that no other covers. One covers another if it lies no earlier in the ledger and
/// its time is no earlier: so, of those kept for one target, the later ones have the earlier times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    /// By fingerprint and ordinal: the time before which the root must lie.
    rows: BTreeMap<(u64, u64), i64>,
}

impl Conditions {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// About: a tree keeps its nodes two thirds full.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.rows.len() * size_of::<((u64, u64), i64)>() * 3 / 2
    }

    /// Takes in an entry, whatever else was taken in before it.
    pub(crate) fn add(&mut self, target: u64, ordinal: u64, before: i64) {
        if self.first(target, ordinal).is_some_and(|(_, latest)| latest >= before) {
            return;
        }
        let earlier = self.rows.range((target, 0)..=(target, ordinal));
        let covered: Vec<_> = earlier.filter(|(_, time)| **time <= before).map(|(row, _)| *row).collect();
        for row in covered {
            self.rows.remove(&row);
        }
        self.rows.insert((target, ordinal), before);
    }

    /// The ordinal, from `from` on, of an entry that ends what has this root time.
    pub(crate) fn find(&self, target: u64, from: u64, root_time: i64) -> Option<u64> {
        self.first(target, from).filter(|(_, before)| root_time < *before).map(|(ordinal, _)| ordinal)
    }

    /// The first entry of a target from an ordinal on: of all those, the one with the latest time.
    fn first(&self, target: u64, from: u64) -> Option<(u64, i64)> {
        let mut rows = self.rows.range((target, from)..=(target, u64::MAX));
        rows.next().map(|((_, ordinal), before)| (*ordinal, *before))
    }

    /// Drops what lies at or before `floor`, of the targets of one shard.
    pub(crate) fn forget_up_to(&mut self, floor: u64, shard: usize) {
        if self.is_empty() {
            return;
        }
        let below = u64::MAX >> SHARD_BITS;
        let first = (shard as u64) << (64 - SHARD_BITS);
        let rows = self.rows.range((first, 0)..=(first | below, u64::MAX));
        let forgotten: Vec<_> = rows.map(|(row, _)| *row).filter(|(_, ordinal)| *ordinal <= floor).collect();
        for row in forgotten {
            self.rows.remove(&row);
        }
    }
}
