//! The head marker: a small file outside the database that remembers where it stood (DESIGN rule 5).
//!
//! Whoever puts an old copy of the database back does not think of this file, and so the server notices. It holds two
//! slots, and the one that was synced last is never written to: if a power cut tears the other, it still stands.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use rescind_ledger::{Mark, Marker, Position, Store, StoreError};

use crate::{
    DataDir, Sqlite,
    durable_file::{create_private, remove_if_present, sync_parent, unavailable},
};

const MAGIC: [u8; 8] = *b"rsc-head";
/// Where the slots begin: a disk writes 512 bytes wholly or not at all.
const SLOTS: [u64; 2] = [0, 512];
/// Magic, epoch, number, commits, database id and CRC-32, numbers in little-endian order.
const SLOT_LEN: usize = 8 + 4 + 8 + 8 + 16 + 4;

/// What the head marker says about a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerState {
    /// It is where the store is.
    Agrees,
    /// The store is further: a crash came between a commit and its note. That is harmless.
    Behind,
    /// The store lacks what it once had: it is an older copy, or the disk has lied. Open a new epoch.
    Ahead {
        /// Where the store once stood.
        marker: Mark,
        /// Where it stands.
        store: Mark,
    },
    /// There is none that can be read, though the store has a past. Open a new epoch.
    Missing,
    /// It belongs to another database. Open a new epoch.
    Foreign,
    /// The store is new and there is none yet.
    Fresh,
}

/// Compares the head marker with the store.
///
/// # Errors
/// [`StoreError::Unavailable`] if either cannot be read.
pub fn inspect_marker(dir: &DataDir, store: &mut Sqlite) -> Result<MarkerState, StoreError> {
    let mark = store.mark()?;
    let Some(noted) = read(&dir.marker())? else {
        return Ok(if mark.commits == 0 && !dir.marker().exists() { MarkerState::Fresh } else { MarkerState::Missing });
    };
    if noted.database_id != store.database_id()? {
        return Ok(MarkerState::Foreign);
    }
    if noted.mark == mark {
        return Ok(MarkerState::Agrees);
    }
    // Equal counts with unequal heads are two lives that parted: no honest store gets there.
    let behind = noted.mark.commits < mark.commits && noted.mark.head <= mark.head;
    Ok(if behind { MarkerState::Behind } else { MarkerState::Ahead { marker: noted.mark, store: mark } })
}

/// The epoch that the marker remembers, if it can be read.
pub(crate) fn noted_epoch(dir: &DataDir) -> Result<Option<u32>, StoreError> {
    Ok(read(&dir.marker())?.map(|noted| noted.mark.head.epoch))
}

/// The head marker, open for writing.
pub struct FileMarker {
    file: File,
    database_id: [u8; 16],
    /// The slot to write next: not the one that was synced last.
    next: u64,
}

impl FileMarker {
    /// Opens the marker to go on from where it is. Ask [`inspect_marker`] first whether that is right.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it is not there; [`StoreError::Corrupt`] if it cannot be read or is another
    /// database's.
    pub fn open(dir: &DataDir, store: &Sqlite) -> Result<Self, StoreError> {
        let path = dir.marker();
        let corrupt = |why: &str| StoreError::Corrupt { table: "head", why: why.to_owned() };
        let noted = read(&path)?.ok_or_else(|| corrupt("there is no readable head marker"))?;
        let database_id = store.database_id()?;
        if noted.database_id != database_id {
            return Err(corrupt("the head marker belongs to another database"));
        }
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(unavailable("open", &path))?;
        // The newest slot may be what a killed process wrote and nobody synced; from here on it is the one to fall back to.
        file.sync_data().map_err(unavailable("sync", &path))?;
        let [first, second] = SLOTS;
        Ok(Self { file, database_id, next: if noted.offset == first { second } else { first } })
    }

    /// Writes a new marker at the place where the store is, whatever was there before. For a new store, and after a new
    /// epoch was opened.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn create(dir: &DataDir, store: &mut Sqlite) -> Result<Self, StoreError> {
        let path = dir.marker();
        let noted = Noted { mark: store.mark()?, database_id: store.database_id()?, offset: 0 };
        write_anew(&path, &noted).map_err(unavailable("write", &path))?;
        Self::open(dir, store)
    }
}

impl Marker for FileMarker {
    fn advance(&mut self, mark: Mark, durable: bool) -> Result<(), StoreError> {
        let fault = |why: io::Error| StoreError::Unavailable(format!("cannot write the head marker: {why}"));
        let noted = Noted { mark, database_id: self.database_id, offset: self.next };
        self.file.write_all_at(&noted.encode(), self.next).map_err(fault)?;
        if durable {
            self.file.sync_data().map_err(fault)?;
            // Not sooner: two slots that both wait to be synced can both be torn.
            let [first, second] = SLOTS;
            self.next = if self.next == first { second } else { first };
        }
        Ok(())
    }
}

/// What stands in a slot.
struct Noted {
    mark: Mark,
    database_id: [u8; 16],
    offset: u64,
}

impl Noted {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SLOT_LEN);
        bytes.extend(MAGIC);
        bytes.extend(self.mark.head.epoch.to_le_bytes());
        bytes.extend(self.mark.head.seq.to_le_bytes());
        bytes.extend(self.mark.commits.to_le_bytes());
        bytes.extend(self.database_id);
        let sum = crc32fast::hash(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    fn decode(slot: &[u8], offset: u64) -> Option<Self> {
        let (magic, rest) = slot.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (commits, rest) = rest.split_first_chunk::<8>()?;
        let (database_id, rest) = rest.split_first_chunk::<16>()?;
        let sum = rest.first_chunk::<4>()?;
        let summed = slot.get(..SLOT_LEN - 4)?;
        if *magic != MAGIC || crc32fast::hash(summed) != u32::from_le_bytes(*sum) {
            return None;
        }
        let head = Position { epoch: u32::from_le_bytes(*epoch), seq: u64::from_le_bytes(*seq) };
        let mark = Mark { head, commits: u64::from_le_bytes(*commits) };
        Some(Self { mark, database_id: *database_id, offset })
    }
}

/// The later of the slots that can be read.
fn read(path: &Path) -> Result<Option<Noted>, StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(why) => return Err(unavailable("read", path)(why)),
    };
    let slots = SLOTS.into_iter().filter_map(|offset| {
        let slot = bytes.get(usize::try_from(offset).ok()?..)?;
        Noted::decode(slot, offset)
    });
    Ok(slots.max_by_key(|noted| (noted.mark.commits, noted.mark.head)))
}

/// Replaces the file as a whole, so that no slot of an earlier life stays.
fn write_anew(path: &Path, noted: &Noted) -> io::Result<()> {
    let fresh = path.with_extension("new");
    remove_if_present(&fresh)?;
    let mut file = create_private(&fresh)?;
    file.write_all(&noted.encode())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_parent(path)
}
