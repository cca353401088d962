//! How many ids of unknown sessions a client may put on the revocation list: each is kept for the whole horizon, and nothing
//! but the client's word says that it means anything.

use std::collections::HashMap;

use parking_lot::Mutex;
use rescind_ledger::Timestamp;

use crate::protocol::throttle::TooMany;

/// Counts for each client: a day's worth at once, and from then on as many as a day brings. It is in memory only, and after
/// a restart everybody has a day's worth again.
pub struct Quota {
    /// When what a client has taken so far will have been paid off, in microseconds since 1970. Only clients with the
    /// permission come here, so they are few.
    paid_off: Mutex<HashMap<String, i64>>,
    /// What one id costs, in microseconds.
    price: i64,
    /// How far ahead of now a client may be.
    credit: i64,
}

const DAY_MICROS: i64 = 86_400_000_000;

impl Quota {
    /// A quota of that many ids.
    #[must_use]
    pub fn new(per_day: u32) -> Self {
        let ids = i64::from(per_day.max(1));
        let price = DAY_MICROS / ids;
        Self { paid_off: Mutex::default(), price, credit: price * ids }
    }

    /// Takes one, if there is one left.
    pub fn take(&self, client: &str, now: Timestamp) -> Result<(), TooMany> {
        let now = now.0.saturating_mul(1000);
        let mut clients = self.paid_off.lock();
        let before = clients.get(client).copied().unwrap_or(now).max(now);
        let wait = before + self.price - self.credit - now;
        if wait > 0 {
            let secs = u32::try_from(wait / 1_000_000 + 1).unwrap_or(u32::MAX);
            return Err(TooMany { retry_after_secs: secs });
        }
        match clients.get_mut(client) {
            Some(paid_off) => *paid_off = before + self.price,
            None => drop(clients.insert(client.to_owned(), before + self.price)),
        }
        Ok(())
    }

    /// Gives one back that was not used.
    pub fn give_back(&self, client: &str) {
        if let Some(paid_off) = self.paid_off.lock().get_mut(client) {
            *paid_off -= self.price;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_client_has_a_days_worth_at_once_and_then_what_the_day_brings() {
        let quota = Quota::new(24);
        for _ in 0..24 {
            quota.take("app", NOW).unwrap();
        }
        let refused = quota.take("app", NOW).unwrap_err();
        assert!((3600..=3601).contains(&refused.retry_after_secs), "{refused:?}");
        quota.take("another", NOW).unwrap();
        let later = Timestamp(NOW.0 + i64::from(refused.retry_after_secs) * 1000);
        quota.take("app", later).unwrap();
        assert!(quota.take("app", later).is_err());
        quota.give_back("app");
        quota.take("app", later).unwrap();
    }

    #[test]
    fn the_largest_quota_is_still_one() {
        let quota = Quota::new(100_000_000);
        assert!((0..1000).all(|_| quota.take("app", NOW).is_ok()));
        let quota = Quota::new(1);
        quota.take("app", NOW).unwrap();
        let refused = quota.take("app", NOW).unwrap_err();
        assert!((86_400..=86_401).contains(&refused.retry_after_secs));
    }
}
