//! A bounded share of a processor: whoever counts works in short slices and sleeps in proportion.

use std::time::{Duration, Instant};

/// How long is worked without a rest. Whoever comes meanwhile waits no longer than that.
const SLICE: Duration = Duration::from_millis(3);
/// For each slice of work so many of rest: a fifth of one processor.
const REST: u32 = 4;

/// Work that yields to all other.
pub(super) struct Share {
    begun: Instant,
}

impl Share {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now() }
    }

    /// Rests, if it is time to. Called between pieces of work that are short themselves.
    pub(super) async fn rest(&mut self) {
        let worked = self.begun.elapsed();
        if worked >= SLICE {
            tokio::time::sleep(worked * REST).await;
            self.begun = Instant::now();
        }
    }
}
