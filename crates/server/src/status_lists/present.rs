//! A list as of now.

use std::sync::Arc;

use rescind_check::Verdict;
use rescind_ledger::{
    Live, Position, Reach, Reads, StatusNames, StatusScan, StatusView, StoreError, Target, Timestamp,
};
use rescind_store::SqliteReads;
use tokio::runtime::Handle;

use super::{Bits, Packed, StatusLists};

/// After more entries than this it is quicker to ask about every token than to read whom the entries name.
const ENTRIES: u32 = 1000;

/// What is remembered of a list: the tokens in it that are dead, and up to where in the ledger that is known.
#[derive(Default)]
pub(super) struct Kept {
    dead: Bits,
    known_to: Option<Position>,
    packed: Option<Arc<Packed>>,
}

impl StatusLists {
    /// The list of that id as of now: whatever was acknowledged before this was called is in it. `None` for one that is not
    /// there, or retired.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn present(&self, id: &str, now: Timestamp) -> Result<Option<Arc<Packed>>, StoreError> {
        if self.find(id, now).await?.is_none() {
            return Ok(None);
        }
        let wanted = self.live.head();
        let kept = self.kept.lock().entry(id.to_owned()).or_default().clone();
        // Whoever waits here shares what the one before has worked out.
        let mut kept = kept.lock_owned().await;
        if let Some(packed) = kept.as_of(wanted) {
            return Ok(Some(packed));
        }
        // The permit goes along, for the work goes on even if the one who asked has gone.
        let permit = self.scans.clone().acquire_owned().await.map_err(|_| closed())?;
        let (live, reads, id, runtime) = (self.live.clone(), self.scanners.clone(), id.to_owned(), Handle::current());
        let work = tokio::task::spawn_blocking(move || {
            let packed = runtime.block_on(kept.bring_up(&live, &reads, &id));
            drop(permit);
            packed
        });
        work.await.map_err(|_| closed())?.map(Some)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the server is stopping".to_owned())
}

impl Kept {
    /// The list, if it is known up to a position.
    fn as_of(&self, wanted: Position) -> Option<Arc<Packed>> {
        self.packed.clone().filter(|_| self.known_to.is_some_and(|known| known >= wanted))
    }

    /// Looks at the tokens that what ended since may have reached, and at all of them the first time. Dead stays dead.
    ///
    /// No token that comes later is missed: none is written down that the ledger, as it stands then, ends.
    async fn bring_up(&mut self, live: &Live, reads: &SqliteReads, id: &str) -> Result<Arc<Packed>, StoreError> {
        let head = live.head();
        let reach = match self.known_to {
            Some(known) => reach_since(reads, known).await?,
            None => None,
        };
        let mut changed = false;
        if !reach.as_ref().is_some_and(Reach::is_empty) {
            let mut look = Look { live, reach, dead: &mut self.dead, changed: false };
            let scanned = reads.scan_status_list(id, &mut look).await;
            changed = look.changed;
            if changed && scanned.is_err() {
                // What was found is noted already, and would not be found anew.
                self.packed = None;
            }
            scanned?;
        }
        self.known_to = Some(head);
        match &self.packed {
            Some(packed) if !changed => Ok(packed.clone()),
            _ => Ok(self.packed.insert(Arc::new(Packed::of(&self.dead))).clone()),
        }
    }
}

/// Whom the entries after a position name; `None` if that may be anybody.
async fn reach_since(reads: &SqliteReads, known: Position) -> Result<Option<Reach>, StoreError> {
    let mut entries = reads.entries_before(None, ENTRIES).await?;
    let (read, before) = (entries.len(), entries.iter().position(|entry| entry.position <= known));
    entries.truncate(before.unwrap_or(read));
    if before.is_none() && read >= ENTRIES as usize {
        return Ok(None);
    }
    let targets: Vec<Target> = entries.into_iter().map(|entry| entry.target).collect();
    Ok(Reach::of(&targets))
}

/// Asks for the verdict on each token that is not known to be dead and may be.
struct Look<'a> {
    live: &'a Live,
    reach: Option<Reach>,
    dead: &'a mut Bits,
    changed: bool,
}

impl StatusScan for Look<'_> {
    fn wants(&mut self, names: &StatusNames<'_>) -> bool {
        !self.dead.is_set(names.index) && self.reach.as_ref().is_none_or(|reach| reach.may_include(names))
    }

    fn take(&mut self, reference: &StatusView<'_>) {
        let trace = reference.trace(self.live.issuer(), self.live.key());
        if self.live.verdict(&trace) != Verdict::NotRevoked {
            self.dead.set(reference.names.index);
            self.changed = true;
        }
    }
}
