//! What an order would hit if it came now.

use rescind_check::{Effect, Fingerprint, FingerprintKey, Trace};
use rescind_ledger::{Position, Target, Timestamp};

/// The effect that the entry of an order would have.
#[derive(Clone, Debug)]
pub(super) struct Aim {
    target: Fingerprint,
    effect: Effect,
}

impl Aim {
    /// That of an order for a target, conditioned on "issued before T" or not, whose entry would stand at a position.
    pub(super) fn new(target: &Target, before: Option<Timestamp>, at: Position, key: &FingerprintKey) -> Self {
        Self { target: target.fingerprint(key), effect: Effect::of(target.cut(before), at) }
    }

    /// Whether a record of this lineage would end, if it has not ended yet. The trace knows its stamp and its root time.
    pub(super) fn hits(&self, trace: &Trace) -> bool {
        trace.is_ended_among(|target| (target == self.target).then_some(&self.effect))
    }
}
