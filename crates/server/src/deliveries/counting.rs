//! Counting: what each entry has ended, once, exactly, as of its position.
//!
//! An index of its own holds the entries that are counted already. So whatever came since, it can be said of a record whether
//! the entries before one had left it alive.

use rescind_check::{FingerprintKey, Index};
use rescind_ledger::{COUNTED_WITHIN, Entry, Lane, LedgerError, Position, Reads, StoreError, Tally};

use super::{share::Share, tally};
use crate::app::App;

/// The most entries that one transaction completes.
const ROUND: u32 = 256;
/// How many entries are read at a time while the index is built.
const PAGE: u32 = 1000;

/// Counts whatever is expanded and waits.
pub(super) async fn count_all(app: &App, mut share: Share) -> Result<(), LedgerError> {
    while count_some(app, &mut share).await? {
        share.rest().await;
    }
    Ok(())
}

/// Takes over the index of the server itself, if nothing waits to be counted, as is usual at a start: a copy in memory instead
/// of a read of the whole ledger.
pub(super) async fn prime(app: &App) -> Result<(), LedgerError> {
    let mut counted = app.deliveries.counted.lock().await;
    let copy = app.live.look(|index, _| index.clone());
    let first = app.records.store.outbox(1).await?.first().copied();
    if counted.is_none() && first.is_none_or(|first| first > copy.head()) {
        *counted = Some(copy);
    }
    Ok(())
}

async fn count_some(app: &App, share: &mut Share) -> Result<bool, LedgerError> {
    let store = &app.records.store;
    let mut counted = app.deliveries.counted.lock().await;
    let mut waiting = store.outbox(ROUND).await?;
    let unexpanded = store.unexpanded(1).await?.first().copied();
    waiting.retain(|position| unexpanded.is_none_or(|unexpanded| *position < unexpanded));
    let (Some(first), Some(last)) = (waiting.first().copied(), waiting.last().copied()) else { return Ok(false) };
    // Taken, not borrowed: whatever goes wrong below, a half-advanced index is not used again.
    let mut index = match counted.take().filter(|index| follows(index, first)) {
        Some(index) => index,
        None => build(app, first, share).await?,
    };
    let mut tallies: Vec<(Position, Tally)> = Vec::new();
    for entry in store.entries_after(before(first), ROUND).await? {
        if entry.position > last {
            break;
        }
        let mut counted = tally::of(app, &entry, &index, share).await?;
        counted.at_least |= app.now().since(entry.time) >= COUNTED_WITHIN;
        let large = counted.access_tokens + counted.grants + counted.sessions > u64::from(ROUND);
        advance(&mut index, &entry, app.live.key())?;
        tallies.push((entry.position, counted));
        if large {
            break;
        }
        share.rest().await;
    }
    let through = tallies.last().map_or(last, |(position, _)| *position);
    app.submit(Lane::Issuing, move |door| door.keep_tallies(&tallies, through)).await?;
    let (head, floor) = app.live.look(|index, _| (index.head(), index.floor()));
    if index.head() == head {
        // Only now: while something waits, what is forgotten since may still have ended it.
        index.forget_below(floor);
    }
    *counted = Some(index);
    Ok(true)
}

/// Whether an entry at this position is the very next.
fn follows(index: &Index, position: Position) -> bool {
    let head = index.head();
    position == head.next() || (position.epoch > head.epoch && position.seq == 1)
}

/// The place before a position, in its epoch.
fn before(position: Position) -> Position {
    Position { seq: position.seq.saturating_sub(1), ..position }
}

fn advance(index: &mut Index, entry: &Entry, key: &FingerprintKey) -> Result<(), StoreError> {
    let corrupt = |why: rescind_check::OutOfOrder| StoreError::Corrupt { table: "entries", why: why.to_string() };
    if entry.position.epoch > index.head().epoch {
        index.open_epoch(entry.position.epoch).map_err(corrupt)?;
    }
    index.apply(entry.target.fingerprint(key), entry.target.cut(entry.before), entry.position).map_err(corrupt)?;
    Ok(())
}

/// The index of the entries before a position, from the entries themselves.
async fn build(app: &App, first: Position, share: &mut Share) -> Result<Index, StoreError> {
    let (mut epochs, floor) = app.live.look(|index, _| (index.epochs().collect::<Vec<_>>(), index.floor()));
    epochs.retain(|(epoch, _)| *epoch < first.epoch);
    epochs.push((first.epoch, before(first).seq));
    let mut retained = Vec::new();
    let mut at = Position { epoch: 0, seq: 0 };
    'pages: loop {
        let page = app.records.store.entries_after(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for entry in &page {
            if entry.position >= first {
                break 'pages;
            }
            retained.push((entry.target.fingerprint(app.live.key()), entry.target.cut(entry.before), entry.position));
        }
        share.rest().await;
    }
    Index::restore(&epochs, floor, retained)
        .map_err(|why| StoreError::Corrupt { table: "entries", why: why.to_string() })
}
