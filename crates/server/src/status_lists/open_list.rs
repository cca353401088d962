//! The list that is being filled: which index the next token gets.

use std::time::Duration;

use rescind_ledger::{StatusSlot, Timestamp};

use super::bits::INDEXES;

/// A list is filled for a day at most, so that on a quiet server too it can be retired some time.
const FILLED_FOR: Duration = Duration::from_secs(86_400);

/// A list with the indexes that nobody has yet. They exist in this memory alone: whoever starts again opens another list, so
/// that none is given twice, and one whose token was never written down stays unused.
pub(super) struct OpenList {
    id: String,
    free: Vec<u16>,
    opened_at: Timestamp,
    /// When the last token that has an index here expires.
    last_expiry: Timestamp,
}

impl OpenList {
    /// A fresh list under a fresh id.
    pub(super) fn new(id: String, now: Timestamp) -> Self {
        Self { id, free: (0..=u16::MAX).collect(), opened_at: now, last_expiry: Timestamp::MAX }
    }

    /// Whether it takes more tokens. One that is empty of living tokens does not: it may have been retired.
    pub(super) fn goes_on(&self, now: Timestamp) -> bool {
        !self.free.is_empty() && now.since(self.opened_at) < FILLED_FOR && self.last_expiry > now
    }

    /// An index that nobody had, drawn by `random`: its neighbours say nothing about whose it is.
    pub(super) fn take(&mut self, expires_at: Timestamp, random: u64) -> Option<StatusSlot> {
        let among = u64::try_from(self.free.len()).ok().filter(|free| *free > 0)?;
        let index = self.free.swap_remove(usize::try_from(random % among).unwrap_or(0));
        let untouched = self.last_expiry == Timestamp::MAX;
        self.last_expiry = if untouched { expires_at } else { self.last_expiry.max(expires_at) };
        Some(StatusSlot { list: self.id.clone(), index: index.into() })
    }
}

const _: () = assert!(INDEXES == u16::MAX as u32 + 1);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_index_is_given_once_and_in_no_order() {
        let mut list = OpenList::new("l".to_owned(), Timestamp(0));
        let (mut given, mut ascending) = (HashSet::new(), 0);
        let mut before = 0;
        for number in 0..u64::from(INDEXES) {
            assert!(list.goes_on(Timestamp(1)));
            let slot = list.take(Timestamp(1000), number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16).unwrap();
            ascending += u32::from(slot.index == before + 1);
            before = slot.index;
            assert!(given.insert(slot.index));
        }
        assert!(ascending < INDEXES / 100, "{ascending}");
        assert!(!list.goes_on(Timestamp(1)) && list.take(Timestamp(1000), 0).is_none());
    }

    #[test]
    fn a_list_is_left_after_a_day_or_when_its_tokens_have_expired() {
        let mut list = OpenList::new("l".to_owned(), Timestamp(0));
        assert!(list.goes_on(Timestamp(10_000)), "nobody is in it yet");
        list.take(Timestamp(5_000), 1).unwrap();
        list.take(Timestamp(3_000), 1).unwrap();
        assert!(list.goes_on(Timestamp(4_999)) && !list.goes_on(Timestamp(5_000)));
        list.take(Timestamp(100_000_000), 1).unwrap();
        assert!(list.goes_on(Timestamp(86_399_999)) && !list.goes_on(Timestamp(86_400_000)));
    }
}
