//! The way back: a restored database opens a new epoch, so that nothing issued before it counts (DESIGN rule 5).

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rescind_check::FingerprintKey;
use rescind_ledger::{
    Initiator, Lane, LedgerError, Mark, Marker, Order, Position, Queue, Reason, Startup, Store, StoreError, Target,
    Timestamp, Writer,
};

use crate::{
    DataDir, FileMarker, Lock, Sqlite,
    audit_head::set_aside_audit_head,
    durable_file::{create_private, remove_if_present, sync_parent, unavailable},
    marker::noted_epoch,
    sqlite,
};

/// A new life of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its number.
    pub epoch: u32,
    /// Where the entry stands that ended everything.
    pub position: Position,
    /// The last position of the life before, as the database remembers it.
    pub before: Position,
}

/// Puts a backup in the place of the database and opens a new epoch in it.
///
/// All is done in a copy beside the database, which then takes its place in one step. If the process dies in between, the
/// head marker disagrees with whichever file is there, and the server refuses to start until this is done again.
///
/// # Errors
/// [`StoreError::Corrupt`] if the backup is unsound or not one of ours: nothing was changed then. [`StoreError::Unavailable`]
/// if something cannot be read or written: the server refuses to start unless nothing was changed either.
pub fn restore(dir: &DataDir, _lock: &Lock, backup: &Path, now: Timestamp) -> Result<Restored, StoreError> {
    let fresh = dir.path().join("rescind.db.new");
    remove_database(&fresh).map_err(unavailable("remove", &fresh))?;
    let prepared = prepare(dir, backup, &fresh, now);
    if prepared.is_err() {
        remove_database(&fresh).map_err(unavailable("remove", &fresh))?;
    }
    let restored = prepared?;
    let database = dir.database();
    put_in_place(&fresh, &database).map_err(unavailable("replace", &database))?;
    set_aside_audit_head(dir, restored.epoch)?;
    FileMarker::create(dir, &mut Sqlite::open(&database)?)?;
    Ok(restored)
}

/// Opens a new epoch in the database that is there: for a file put back by hand, or a marker that was lost.
///
/// # Errors
/// [`StoreError::Corrupt`] if the database is unsound; [`StoreError::Unavailable`].
pub fn open_epoch(dir: &DataDir, _lock: &Lock, now: Timestamp, note: &str) -> Result<Restored, StoreError> {
    let database = dir.database();
    sqlite::check_not_empty(&sqlite::connect(&database)?)?;
    let store = Sqlite::open(&database)?;
    store.integrity_check()?;
    let restored = begin_epoch(dir, store, now, note)?;
    set_aside_audit_head(dir, restored.epoch)?;
    FileMarker::create(dir, &mut Sqlite::open(&database)?)?;
    Ok(restored)
}

fn prepare(dir: &DataDir, backup: &Path, fresh: &Path, now: Timestamp) -> Result<Restored, StoreError> {
    copy_file(backup, fresh).map_err(unavailable("copy", backup))?;
    {
        let connection = sqlite::connect(fresh)?;
        sqlite::check_not_empty(&connection).map_err(|why| unsound(&why))?;
        sqlite::check_integrity(&connection).map_err(|why| unsound(&why))?;
    }
    let store = Sqlite::open(fresh)?;
    let restored = begin_epoch(dir, store, now, "restored from a backup")?;
    Sqlite::open(fresh)?.checkpoint()?;
    File::open(fresh).and_then(|file| file.sync_all()).map_err(unavailable("sync", fresh))?;
    Ok(restored)
}

/// A backup that cannot be read will not be readable later either.
fn unsound(why: &StoreError) -> StoreError {
    StoreError::Corrupt { table: "backup", why: why.to_string() }
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut target = create_private(to)?;
    io::copy(&mut File::open(from)?, &mut target)?;
    target.sync_all()
}

/// Opens the epoch and ends everything, through the ledger's one door.
fn begin_epoch(dir: &DataDir, mut store: Sqlite, now: Timestamp, note: &str) -> Result<Restored, StoreError> {
    let before = store.mark()?.head;
    let epoch = next_epoch(before.epoch.max(noted_epoch(dir)?.unwrap_or(0)), now)?;
    // This index only serves to get through the door: its names are told to nobody.
    let startup = Startup { issuer: "", key: FingerprintKey::new([0; 16]) };
    let live = Arc::new(startup.load(&mut store)?);
    let queue = Arc::new(Queue::default());
    let mut writer = Writer::new(Box::new(store), Box::new(Unmarked), live, Arc::clone(&queue));
    let order = Order::new(Target::Everything, Reason::Restore, Initiator::System("restore".to_owned()));
    let order = order.with_note(note);
    let ticket = queue.submit(Lane::Ending, move |door| {
        door.open_epoch(epoch)?;
        // Whatever was issued is ended here, under whichever name: the next start may go by another.
        door.state_issuer(None)?;
        door.end(&order)
    });
    writer.turn(&|| now);
    let ended = ticket.wait().map_err(|why| match why {
        LedgerError::Store(why) => why,
        other => StoreError::Unavailable(other.to_string()),
    })?;
    Ok(Restored { epoch, position: ended.position, before })
}

/// Later than every epoch we know of, and not before the present second: two restores of one backup that know nothing of
/// each other get different epochs, and neither honours what the other issued.
fn next_epoch(known: u32, now: Timestamp) -> Result<u32, StoreError> {
    let later = known.checked_add(1).ok_or_else(|| StoreError::Unavailable("there are no more epochs".to_owned()))?;
    Ok(later.max(u32::try_from(now.secs()).unwrap_or(0)))
}

/// The marker is written anew afterwards, when the database is in its place.
struct Unmarked;

impl Marker for Unmarked {
    fn advance(&mut self, _: Mark, _: bool) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A log that stayed behind would be played into the new file, so it goes first.
fn put_in_place(fresh: &Path, database: &Path) -> io::Result<()> {
    remove_beside(fresh)?;
    remove_beside(database)?;
    std::fs::rename(fresh, database)?;
    sync_parent(database)
}

fn remove_database(path: &Path) -> io::Result<()> {
    remove_beside(path)?;
    remove_if_present(path)
}

fn remove_beside(database: &Path) -> io::Result<()> {
    ["-wal", "-shm", "-journal"].into_iter().try_for_each(|suffix| {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        remove_if_present(&PathBuf::from(name))
    })
}
