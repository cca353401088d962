//! A list as of an earlier moment (Token Status List section 8.4).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rescind_check::{Effect, Fingerprint, Trace, Verdict};
use rescind_ledger::{Live, Reads, StatusNames, StatusScan, StatusView, StoreError, Timestamp};
use rescind_store::SqliteReads;
use tokio::runtime::Handle;

use super::{Bits, Packed, StatusLists};

/// Entries that are read at once.
const PAGE: u32 = 1000;

/// What there is to say of an earlier moment.
pub enum Past {
    /// The list as it stood.
    Stood(Packed),
    /// There was no such list yet, there is none any more, or the moment has not come.
    Unknown,
    /// Somebody else looks back just now.
    Busy,
}

impl StatusLists {
    /// The list of that id as it stood at a moment. It reads the entries back to the oldest stamp that matters, so this is done
    /// for one caller at a time.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn past(&self, id: &str, at: Timestamp, now: Timestamp) -> Result<Past, StoreError> {
        let list = self.find(id, now).await?;
        if list.is_none_or(|list| at < list.opened_at || at > now) {
            return Ok(Past::Unknown);
        }
        let Ok(permit) = self.looks_back.clone().try_acquire_owned() else { return Ok(Past::Busy) };
        let (live, reads, id, runtime) = (self.live.clone(), self.scanners.clone(), id.to_owned(), Handle::current());
        let work = tokio::task::spawn_blocking(move || {
            let stood = runtime.block_on(look_back(&live, &reads, &id, at));
            drop(permit);
            stood
        });
        let stood = work.await.map_err(|_| StoreError::Unavailable("the server is stopping".to_owned()))?;
        Ok(Past::Stood(Packed::of(&stood?)))
    }
}

async fn look_back(live: &Arc<Live>, reads: &SqliteReads, id: &str, at: Timestamp) -> Result<Bits, StoreError> {
    let mut dead = Dead { live, at, found: Vec::new() };
    reads.scan_status_list(id, &mut dead).await?;
    let ended = endings(live, reads, &dead.found, at).await?;
    let mut bits = Bits::default();
    for (index, trace) in &dead.found {
        if trace.is_ended_among(|target| ended.get(&target)) {
            bits.set(*index);
        }
    }
    Ok(bits)
}

/// The tokens that are dead now and had been issued by then: who lives now lived then.
struct Dead<'a> {
    live: &'a Live,
    at: Timestamp,
    found: Vec<(u32, Trace)>,
}

impl StatusScan for Dead<'_> {
    fn wants(&mut self, _: &StatusNames<'_>) -> bool {
        true
    }

    fn take(&mut self, reference: &StatusView<'_>) {
        let trace = reference.trace(self.live.issuer(), self.live.key());
        if reference.issued_at <= self.at && self.live.verdict(&trace) != Verdict::NotRevoked {
            self.found.push((reference.names.index, trace));
        }
    }
}

/// What the entries that stood by then do to each target of these tokens. The index cannot say: of a living target it knows the latest
/// cut-off alone, which may be a later one.
async fn endings(
    live: &Live,
    reads: &SqliteReads,
    dead: &[(u32, Trace)],
    at: Timestamp,
) -> Result<HashMap<Fingerprint, Effect>, StoreError> {
    let targets: HashSet<Fingerprint> = dead.iter().flat_map(|(_, trace)| trace.targets()).collect();
    let mut ended: HashMap<Fingerprint, Effect> = HashMap::new();
    let Some(oldest) = dead.iter().map(|(_, trace)| trace.position()).min() else { return Ok(ended) };
    let mut before = None;
    loop {
        let page = reads.entries_before(before, PAGE).await?;
        let Some(last) = page.last().map(|entry| entry.position) else { return Ok(ended) };
        for entry in page {
            let fingerprint = entry.target.fingerprint(live.key());
            if entry.time <= at && targets.contains(&fingerprint) {
                ended.entry(fingerprint).or_default().add(entry.cut(), entry.position);
            }
        }
        if last <= oldest {
            return Ok(ended);
        }
        before = Some(last);
    }
}
