//! The verdict: one pure function of the index and a credential's lineage.

use std::ops::ControlFlow;

use crate::epochs::Place;
use crate::index::key;
use crate::shard::Start;
use crate::{FingerprintKey, Index, Lineage, Position, TargetRef, Trace};

/// What the index says of a credential. Not "valid": signature, expiry and the rest are the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Nothing in the ledger ends it.
    NotRevoked,
    /// It is dead, and no later entry revives it.
    Revoked,
    /// It was stamped after the last entry this edge has heard of; the edge's policy decides.
    Stale,
}

/// Who asks. A node applies each entry before it stamps with it, so that nothing honest is above its head; an edge may be behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// A process that issues and holds the ledger.
    Node,
    /// A process beside an API that follows the feed.
    Edge,
}

/// What is wrong with a stamp itself, whatever it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The ledger does not know the epoch.
    UnknownEpoch,
    /// Beyond the last entry of an epoch that is closed: stamped on a database that a restore replaced.
    BeyondEpoch,
    /// Below the floor: the entries that might end it are forgotten.
    BelowFloor,
    /// Above the head: dead at a node, stale at an edge.
    AboveHead,
}

/// How many searches are begun together: enough for all targets of a common credential.
const TOGETHER: usize = 16;

impl Index {
    /// The verdict on a credential.
    #[must_use]
    pub fn verdict(&self, trace: &Trace, side: Side) -> Verdict {
        let fault = self.fault(trace.position());
        match (fault, side) {
            (Some(Fault::AboveHead), Side::Edge) | (None, _) => {}
            (Some(_), _) => return Verdict::Revoked,
        }
        if self.each_match(trace, |_, _| ControlFlow::Break(())).is_break() {
            return Verdict::Revoked;
        }
        // Where nobody conditions revocations, this one look is all that they cost.
        if !self.conditions.is_empty() && self.each_condition(trace, |_, _| ControlFlow::Break(())).is_break() {
            return Verdict::Revoked;
        }
        if fault.is_some() { Verdict::Stale } else { Verdict::NotRevoked }
    }

    /// What is wrong with a stamp itself, if anything.
    #[must_use]
    pub fn fault(&self, position: Position) -> Option<Fault> {
        match self.place(position) {
            Place::UnknownEpoch => Some(Fault::UnknownEpoch),
            Place::BeyondEnd => Some(Fault::BeyondEpoch),
            _ if position < self.floor() => Some(Fault::BelowFloor),
            Place::AboveHead(_) => Some(Fault::AboveHead),
            Place::At(_) => None,
        }
    }

    /// The targets of the lineage whose entries end it, with their positions: the reasons behind [`Index::verdict`], found
    /// by the same search. A living target may stand there twice, with its cut-off and with a conditioned entry. A stamp with a
    /// [`Fault`] may be dead without any.
    #[must_use]
    pub fn matching<'a>(&self, lineage: &Lineage<'a>, key: &FingerprintKey) -> Vec<(TargetRef<'a>, Position)> {
        let (trace, mut found) = (lineage.trace(key), Vec::new());
        let mut note = |number, ordinal| {
            found.push((number, self.position_at(ordinal)));
            ControlFlow::Continue(())
        };
        let search = self.each_match(&trace, &mut note);
        debug_assert!(search.is_continue());
        let search = self.each_condition(&trace, &mut note);
        debug_assert!(search.is_continue());
        let targets: Vec<_> = lineage.targets().collect();
        found.into_iter().filter_map(|(number, at)| targets.get(number).map(|target| (*target, at))).collect()
    }

    /// Calls `on_match` with the number (in the order of [`Lineage::targets`]) and ordinal of each entry that ends the credential.
    fn each_match(&self, trace: &Trace, mut on_match: impl FnMut(usize, u64) -> ControlFlow<()>) -> ControlFlow<()> {
        let stamp = self.stamp_of(trace);
        for (group, prints) in trace.prints().chunks(TOGETHER).enumerate() {
            let mut starts = [Start::default(); TOGETHER];
            for (start, print) in starts.iter_mut().zip(prints) {
                *start = self.shard(key(*print)).start(key(*print));
            }
            for (nth, (start, print)) in starts.iter().zip(prints).enumerate() {
                let number = group * TOGETHER + nth;
                let found = self.shard(key(*print)).find_from(*start, key(*print));
                if let Some(entry) = found.filter(|entry| self.counts(*entry))
                    && (!trace.is_living(number) || stamp < entry)
                {
                    on_match(number, entry)?;
                }
            }
        }
        ControlFlow::Continue(())
    }
    /// Calls `on_match` likewise for each target with a conditioned entry that ends the credential: of several, the one with
    /// the latest time.
    fn each_condition(
        &self,
        trace: &Trace,
        mut on_match: impl FnMut(usize, u64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let from = self.counts_from(self.stamp_of(trace));
        for (number, print) in trace.prints().iter().enumerate().filter(|(number, _)| trace.is_living(*number)) {
            if let Some(entry) = self.conditions.find(*print, from, trace.root_time()) {
                on_match(number, entry)?;
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn stamp_of(&self, trace: &Trace) -> u64 {
        match self.place(trace.position()) {
            Place::At(ordinal) | Place::AboveHead(ordinal) => ordinal,
            // Only the never-reused targets can be matched then; the fault alone makes it dead.
            Place::UnknownEpoch | Place::BeyondEnd => u64::MAX,
        }
    }
}
