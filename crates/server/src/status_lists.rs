//! Published status lists (Token Status List): which tokens stand where, and how they stand as of now.
//!
//! A list is the verdict over its references, worked out when somebody fetches it after something has ended, and kept for
//! the next. So a revocation of any breadth is in the very next list that is fetched, and costs nothing while nobody asks.

mod bits;
mod history;
mod open_list;
mod present;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use rescind_ledger::{Live, Reads, StatusList, StatusSlot, StoreError, Timestamp};
use rescind_store::SqliteReads;
use tokio::sync::Semaphore;

use crate::clock::{fresh_id, random};
pub use bits::{BITS, Bits, INDEXES, unpack};
pub use history::Past;
use open_list::OpenList;
use present::Kept;

/// How many connections lists are scanned by. They serve nothing else: a scan would keep a request waiting.
pub const SCANNERS: usize = 2;

/// The lists of this server.
pub struct StatusLists {
    live: Arc<Live>,
    reads: SqliteReads,
    scanners: SqliteReads,
    open: Mutex<Option<OpenList>>,
    /// Some 30 KB for each list that was fetched and has not been retired.
    kept: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Kept>>>>,
    /// As many lists are worked out at once as there are connections.
    scans: Arc<Semaphore>,
    /// Earlier moments are looked into one at a time.
    looks_back: Arc<Semaphore>,
}

/// A list as it goes out.
pub struct Packed {
    /// `lst`: compressed, base64url.
    pub lst: String,
    /// The last signed form, with what it was signed for.
    pub signed: Mutex<Option<(SignedFor, Arc<str>)>>,
}

/// On what a signed list depends beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedFor {
    pub kid: String,
    pub iat: i64,
    pub ttl: u32,
    pub lifetime: u32,
}

impl Packed {
    fn of(bits: &Bits) -> Self {
        Self { lst: bits.pack(), signed: Mutex::new(None) }
    }
}

impl StatusLists {
    /// Over a database and the ledger in memory; `scanners` are [`SCANNERS`] connections of its own.
    #[must_use]
    pub fn new(live: Arc<Live>, reads: SqliteReads, scanners: SqliteReads) -> Self {
        Self {
            live,
            reads,
            scanners,
            open: Mutex::new(None),
            kept: Mutex::new(HashMap::new()),
            scans: Arc::new(Semaphore::new(SCANNERS)),
            looks_back: Arc::new(Semaphore::new(1)),
        }
    }

    /// A place for the status of a token that expires at a moment.
    #[must_use]
    pub fn allocate(&self, now: Timestamp, expires_at: Timestamp) -> StatusSlot {
        let mut open = self.open.lock();
        loop {
            if let Some(list) = open.as_mut().filter(|list| list.goes_on(now))
                && let Some(slot) = list.take(expires_at, u64::from_le_bytes(random()))
            {
                return slot;
            }
            *open = Some(OpenList::new(fresh_id(""), now));
        }
    }

    /// The lists that somebody may still ask for, the oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn all(&self, now: Timestamp) -> Result<Vec<StatusList>, StoreError> {
        self.reads.status_lists(now).await
    }

    /// The list of that id, unless it is retired: all its tokens have expired.
    async fn find(&self, id: &str, now: Timestamp) -> Result<Option<StatusList>, StoreError> {
        Ok(self.reads.find_status_list(id).await?.filter(|list| list.expires_at > now))
    }

    /// Lets go of what is remembered of lists that are retired.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        let alive: HashSet<String> = self.all(now).await?.into_iter().map(|list| list.id).collect();
        self.kept.lock().retain(|id, _| alive.contains(id));
        Ok(())
    }
}
