//! Counting what an order would end, beside the requests: on threads and connections of its own, a few counts at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rescind_check::Index;
use rescind_ledger::{
    Aim, Census, CensusView, Configuration, Countable, Counted, Filter, Live, Piece, Position, Reads, Snapshot,
    StoreError, SwitchedOff, Target, Timestamp,
};
use rescind_store::{SqliteReads, SqliteSnapshot};
use tokio::sync::Semaphore;

use crate::records::Records;

/// How many counts go on at once, and how many threads each has.
const COUNTS: usize = 2;
const THREADS: usize = 2;
/// How many connections that takes, with the one for the overview.
pub const READERS: usize = COUNTS * THREADS + 1;

/// How many access tokens are counted. Beyond that the answer is a lower bound.
pub const MOST: u64 = 1_000_000;
/// How long a count may take, and wait for others.
const LONGEST: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// In how many pieces the records of a kind are counted, so that the threads end together.
const PIECES: u32 = 32;
/// How often a view is opened until the ledger in memory stands where it does, and how long that is waited for each time.
const TRIES: u32 = 100;
const LOOKS: u32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_micros(500);

/// What is counted of one target. Of several, no two may reach the same record.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub target: Target,
    /// Only what was issued before this time.
    pub before: Option<Timestamp>,
    /// The records that it could reach: wider than the truth, never narrower.
    pub reach: Filter,
}

/// What an order would end.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The position at which it would stand: everything was counted as of the one before it.
    pub position: Position,
    /// Whether that is all there is. Otherwise each number is a lower bound.
    pub exact: bool,
    pub counted: Counted,
}

/// Why nothing was counted.
#[derive(Debug, thiserror::Error)]
pub enum NotCounted {
    /// Others count, or entries come too fast to count between them.
    #[error("too much is being counted at once")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The counts of this server.
pub struct Censuses {
    live: Arc<Live>,
    reads: SqliteReads,
    permits: Arc<Semaphore>,
}

/// Ends a count whose caller has gone.
struct StopAtEnd(Arc<CensusView>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Censuses {
    /// Over a database and the ledger in memory; `reads` are [`READERS`] connections of their own.
    #[must_use]
    pub fn new(live: Arc<Live>, reads: SqliteReads) -> Self {
        Self { live, reads, permits: Arc::new(Semaphore::new(COUNTS)) }
    }

    /// Connections on which nobody waits.
    #[must_use]
    pub fn reads(&self) -> &SqliteReads {
        &self.reads
    }

    /// Counts what orders for these targets would end, as of one position.
    ///
    /// # Errors
    /// [`NotCounted`].
    pub async fn count(
        &self,
        records: &Records<SqliteReads>,
        wanted: Vec<Wanted>,
        now: Timestamp,
    ) -> Result<Outcome, NotCounted> {
        self.count_up_to(MOST, THREADS, records, wanted, now).await
    }

    /// The same with another bound, by so many threads.
    ///
    /// # Errors
    /// [`NotCounted`].
    pub async fn count_up_to(
        &self,
        most: u64,
        threads: usize,
        records: &Records<SqliteReads>,
        wanted: Vec<Wanted>,
        now: Timestamp,
    ) -> Result<Outcome, NotCounted> {
        let waiting = tokio::time::timeout(LONGEST_WAIT, self.permits.clone().acquire_owned());
        let permit = waiting.await.map_err(|_| NotCounted::Busy)?.map_err(|_| NotCounted::Busy)?;
        let mut tried_again = false;
        loop {
            let (live, reads) = (self.live.clone(), self.reads.clone());
            let opening = tokio::task::spawn_blocking(move || open(&live, &reads, threads));
            let (snapshots, head, off) = opening.await.map_err(|_| stopped())??;
            let clock_over = Box::new(records.clock_over_any());
            let view = Arc::new(CensusView::new(self.live.clone(), (head, off), now, clock_over, most));
            let stop = StopAtEnd(view.clone());
            let counting = count_all(&view, snapshots, wanted.clone());
            let counted = counting.await?;
            let exact = !view.is_stopped() && !counted.unsure;
            drop(stop);
            if !counted.unsure || tried_again {
                drop(permit);
                return Ok(Outcome { position: view.position(), exact, counted });
            }
            // Somebody ended one of those very targets meanwhile.
            tried_again = true;
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the server is stopping".to_owned())
}

/// Opens views of one commit, and finds the configuration as of the last entry in it. The writer applies each commit after it
/// was made, so the ledger in memory comes to stand there, and is caught in the act.
fn open(
    live: &Live,
    reads: &SqliteReads,
    threads: usize,
) -> Result<(Vec<SqliteSnapshot>, Position, SwitchedOff), NotCounted> {
    for _ in 0..TRIES {
        let snapshots = reads.snapshots(threads)?;
        let Some(first) = snapshots.first() else { return Err(NotCounted::Busy) };
        let head = first.head()?;
        for _ in 0..LOOKS {
            let as_of = |index: &Index, configuration: &Configuration| {
                (index.head(), (index.head() == head).then(|| SwitchedOff::of(configuration)))
            };
            match live.look(as_of) {
                (_, Some(off)) => return Ok((snapshots, head, off)),
                (at, None) if at > head => break,
                _ => thread::sleep(BETWEEN_LOOKS),
            }
        }
    }
    Err(NotCounted::Busy)
}

/// What is to be done, shared by the threads.
struct Work {
    view: Arc<CensusView>,
    wanted: Vec<Wanted>,
    pieces: Vec<(usize, Piece)>,
    next: AtomicUsize,
}

async fn count_all(
    view: &Arc<CensusView>,
    mut snapshots: Vec<SqliteSnapshot>,
    wanted: Vec<Wanted>,
) -> Result<Counted, StoreError> {
    let view = view.clone();
    let planning = tokio::task::spawn_blocking(move || {
        let pieces = plan(snapshots.first(), &wanted)?;
        // One thread is enough for little.
        snapshots.truncate(pieces.len().max(1));
        Ok::<_, StoreError>((snapshots, Work { view, wanted, pieces, next: AtomicUsize::new(0) }))
    });
    let (snapshots, work) = planning.await.map_err(|_| stopped())??;
    let work = Arc::new(work);
    let mut counted = Counted::default();
    let threads: Vec<_> = snapshots
        .into_iter()
        .map(|snapshot| {
            let work = work.clone();
            tokio::task::spawn_blocking(move || work.go_through(&snapshot))
        })
        .collect();
    let enough = work.view.clone();
    let clock = tokio::spawn(async move {
        tokio::time::sleep(LONGEST).await;
        enough.stop();
    });
    for thread in threads {
        counted.add(thread.await.map_err(|_| stopped())??);
    }
    clock.abort();
    Ok(counted)
}

fn plan(snapshot: Option<&SqliteSnapshot>, wanted: &[Wanted]) -> Result<Vec<(usize, Piece)>, StoreError> {
    let mut pieces = Vec::new();
    let Some(snapshot) = snapshot else { return Ok(pieces) };
    for (place, one) in wanted.iter().enumerate() {
        for of in [Countable::Sessions, Countable::Grants, Countable::AccessTokens] {
            if may_end(&one.target, of) {
                let found = snapshot.pieces(of, &one.reach, PIECES)?;
                pieces.extend(found.into_iter().map(|piece| (place, piece)));
            }
        }
    }
    Ok(pieces)
}

/// Whether a target can stand in the lineage of such a record.
fn may_end(target: &Target, of: Countable) -> bool {
    let session =
        matches!(target, Target::Session { .. } | Target::Device { .. } | Target::Subject { .. } | Target::Everything);
    let grant = session
        || matches!(
            target,
            Target::Grant { .. } | Target::Client { .. } | Target::SubjectClient { .. } | Target::DeviceClient { .. }
        );
    match of {
        Countable::Sessions => session,
        Countable::Grants => grant,
        Countable::AccessTokens => true,
    }
}

impl Work {
    /// Takes one piece after the other until none is left.
    fn go_through(&self, snapshot: &SqliteSnapshot) -> Result<Counted, StoreError> {
        let mut counted = Counted::default();
        while let Some((place, piece)) = self.pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let Some(wanted) = self.wanted.get(*place) else { continue };
            let mut census = Census::new(&self.view, Aim::at(&wanted.target, wanted.before, self.view.live()));
            snapshot.scan(*piece, &wanted.reach, &mut census)?;
            counted.add(census.finish());
            if self.view.is_stopped() {
                break;
            }
        }
        Ok(counted)
    }
}
