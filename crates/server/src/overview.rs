//! How much there is, for the page that administrators see first: counted in the background, and never at every view.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rescind_ledger::{Filter, Reads, StoreError, Target, Timestamp};
use tokio::runtime::Handle;

use crate::{
    app::App,
    census::{MOST, NotCounted, Wanted},
};

/// How old an overview may be before a view has it counted anew, and how many times longer that is than counting took: so
/// that no more than a twentieth of a core goes into it, however much there is.
const FRESH: Duration = Duration::from_secs(30);
const REST: u32 = 20;

/// Milliseconds of an hour and of a day, and how many of them are shown.
const HOUR: (i64, i64) = (3_600_000, 24);
const DAY: (i64, i64) = (86_400_000, 30);

/// How much there was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    pub as_of: Timestamp,
    pub live_sessions: u64,
    pub live_tokens: u64,
    /// Whether the two were asked for their verdicts. Of more than a million tokens it is counted what has not expired.
    pub exact: bool,
    pub users: u64,
    /// How many revocations there were in each of the last hours and days, the oldest first.
    pub hours: Vec<(Timestamp, u64)>,
    pub days: Vec<(Timestamp, u64)>,
}

/// The last overview, with how long it took.
#[derive(Default)]
pub struct Overviews {
    kept: Mutex<Option<(Arc<Overview>, Duration)>>,
    counting: Arc<tokio::sync::Mutex<()>>,
}

impl Overviews {
    /// How much there is. What is not fresh is shown once more, with its age, and counted anew meanwhile.
    ///
    /// # Errors
    /// [`NotCounted`], if nothing was ever counted.
    pub async fn look(app: &Arc<App>) -> Result<Arc<Overview>, NotCounted> {
        let kept = app.overviews.kept.lock().clone();
        if let Some((overview, took)) = kept {
            if app.now().since(overview.as_of) >= FRESH.max(took * REST)
                && let Ok(turn) = app.overviews.counting.clone().try_lock_owned()
            {
                let app = app.clone();
                tokio::spawn(async move {
                    if let Err(why) = refresh(&app).await {
                        tracing::warn!(error = %why, "the overview was not counted anew; the next view tries again");
                    }
                    drop(turn);
                });
            }
            return Ok(overview);
        }
        let _turn = app.overviews.counting.lock().await;
        // Whoever waited here shares what the one before has counted.
        let kept = app.overviews.kept.lock().clone();
        match kept {
            Some((overview, _)) => Ok(overview),
            None => refresh(app).await,
        }
    }
}

async fn refresh(app: &Arc<App>) -> Result<Arc<Overview>, NotCounted> {
    let begun = Instant::now();
    let now = app.now();
    let (reads, runtime) = (app.censuses.reads().clone(), Handle::current());
    let looking = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let totals = reads.totals(now).await?;
            let hours = shown(&reads.entries_by_time(first(now, HOUR), HOUR.0).await?, now, HOUR);
            let days = shown(&reads.entries_by_time(first(now, DAY), DAY.0).await?, now, DAY);
            Ok::<_, StoreError>((totals, hours, days))
        })
    });
    let stopping = |_| StoreError::Unavailable("the server is stopping".to_owned());
    let (totals, hours, days) = looking.await.map_err(stopping)??;
    let mut overview = Overview {
        as_of: now,
        live_sessions: totals.sessions,
        live_tokens: totals.access_tokens,
        exact: false,
        users: totals.users,
        hours,
        days,
    };
    if totals.access_tokens <= MOST {
        let reach = Filter { live_at: Some(now), ..Filter::default() };
        let everything = vec![Wanted { target: Target::Everything, before: None, reach }];
        let outcome = app.censuses.count_up_to(MOST, 1, &app.records, everything, now).await?;
        if outcome.exact {
            (overview.live_sessions, overview.live_tokens) = (outcome.counted.sessions, outcome.counted.access_tokens);
            overview.exact = true;
        }
    }
    let overview = Arc::new(overview);
    *app.overviews.kept.lock() = Some((overview.clone(), begun.elapsed()));
    Ok(overview)
}

/// Where the first of the stretches begins.
fn first(now: Timestamp, (width, count): (i64, i64)) -> Timestamp {
    Timestamp((now.0.div_euclid(width) - (count - 1)) * width)
}

/// Every stretch, also those in which nothing was.
fn shown(found: &[(Timestamp, u64)], now: Timestamp, (width, count): (i64, i64)) -> Vec<(Timestamp, u64)> {
    let stretches = (0..count).map(|place| Timestamp(first(now, (width, count)).0 + place * width));
    let count_of = |from| found.iter().find(|(at, _)| *at == from).map_or(0, |(_, count)| *count);
    stretches.map(|from| (from, count_of(from))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stretch_is_the_one_that_goes_on() {
        let now = Timestamp(10 * 3_600_000 + 5);
        let hours = shown(&[(Timestamp(9 * 3_600_000), 7)], now, (3_600_000, 3));
        let at = |hour: i64| Timestamp(hour * 3_600_000);
        assert_eq!(hours, [(at(8), 0), (at(9), 7), (at(10), 0)]);
    }
}
