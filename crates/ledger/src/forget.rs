//! Forgetting, which fails closed (DESIGN rule 6): what is older than the horizon is dead whatever else holds.

use std::time::Duration;

use crate::{Door, LedgerError, Position, Swept, Timestamp};

/// From a moment on, no credential may outlive its stamp by more than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HorizonFact {
    pub since: Timestamp,
    pub secs: u64,
}

/// How far back an entry can still matter at `now`.
///
/// A shorter horizon comes into force only when nothing issued under the longer one can be alive.
#[must_use]
pub fn horizon_in_force(facts: &[HorizonFact], now: Timestamp) -> Option<Duration> {
    let ends = facts.iter().skip(1).map(|next| Some(next.since)).chain(std::iter::once(None));
    facts
        .iter()
        .zip(ends)
        .filter(|(fact, end)| end.is_none_or(|end| end.plus(Duration::from_secs(fact.secs)) > now))
        .map(|(fact, _)| Duration::from_secs(fact.secs))
        .max()
}

/// One round of forgetting.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    pub horizon: Duration,
    /// The most rows of each kind that one round removes.
    pub limit: u32,
}

/// How long forgetting waits for records to be counted. Counting that takes longer finds fewer, and says so.
pub const COUNTED_WITHIN: Duration = Duration::from_hours(6);

impl Door<'_> {
    /// Removes what can never be honoured again, and raises the floor to the newest entry beyond the horizon.
    pub fn sweep(&mut self, sweep: Sweep) -> Result<Swept, LedgerError> {
        let floor = self.tx.newest_entry_before(self.now.minus(sweep.horizon))?;
        // What an entry has ended is counted from the records, which have to be there until then.
        let waits = self.tx.oldest_in_outbox()?.unwrap_or(self.now).max(self.now.minus(COUNTED_WITHIN)).min(self.now);
        let floor_or_none = floor.unwrap_or(Position { epoch: 0, seq: 0 });
        let swept = self.tx.forget(floor_or_none, self.now, waits, sweep.limit)?;
        self.note_pending(swept.pending);
        if let Some(floor) = floor {
            self.raise_floor(floor);
        }
        Ok(swept)
    }

    /// States the issuer. Entries name subjects by it, so a server that goes by another name would not find them: it refuses
    /// to start until a new epoch is opened, which takes the name back.
    pub fn state_issuer(&mut self, issuer: Option<&str>) -> Result<(), LedgerError> {
        Ok(self.tx.put_issuer(issuer)?)
    }

    /// States the horizon from now on. It is a fact of the ledger, so that a later, shorter one cannot revive anything.
    pub fn state_horizon(&mut self, horizon: Duration) -> Result<(), LedgerError> {
        Ok(self.tx.put_horizon(&HorizonFact { since: self.now, secs: horizon.as_secs() })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn fact(since_days: i64, days: u64) -> HorizonFact {
        HorizonFact { since: Timestamp::from_secs(since_days * DAY), secs: days * 86_400 }
    }

    #[test]
    fn rule_6_a_shorter_horizon_waits_until_the_longer_one_has_run_out() {
        let facts = [fact(0, 30), fact(10, 5)];
        let at = |days: i64| horizon_in_force(&facts, Timestamp::from_secs(days * DAY)).unwrap().as_secs() / 86_400;
        assert_eq!(at(5), 30);
        assert_eq!(at(39), 30, "issued on day 10 under 30 days, so alive until day 40");
        assert_eq!(at(41), 5);
    }
}
