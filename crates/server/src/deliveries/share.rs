//! A bounded share of a processor: whoever counts works in short slices and sleeps in proportion.

use std::time::{Duration, Instant};

/// How long is worked without a rest. Whoever comes meanwhile waits no longer than that.
const SLICE: Duration = Duration::from_millis(3);
/// For each slice of work so many of rest: a fifth of one processor.
const REST: u32 = 4;

/// Work that yields to all other.
pub(super) struct Share {
    begun: Instant,
    /// For each slice of work so many of rest.
    rest: u32,
}

impl Share {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), rest: REST }
    }

    /// For whoever waits for the work to be done.
    pub(super) fn whole() -> Self {
        Self { rest: 0, ..Self::begin() }
    }

    /// Rests, if it is time to. Called between pieces of work that are short themselves.
    pub(super) async fn rest(&mut self) {
        let worked = self.begun.elapsed();
        if worked >= SLICE {
            if self.rest == 0 {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(worked * self.rest).await;
            }
            self.begun = Instant::now();
        }
    }
}
