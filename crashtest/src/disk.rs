//! The watched folder as a disk sees it: what is durable, and what only the operating system's cache has.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::log::{Event, LogError, SyncTarget};
use crate::survival::{Fate, Survival};

type FileId = usize;

#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Write { offset: u64, data: &'a [u8] },
    Truncate { length: u64 },
    Extend { length: u64 },
}

#[derive(Debug)]
struct File<'a> {
    mode: u32,
    durable: Vec<u8>,
    /// With the number of the event that made each.
    pending: Vec<(usize, Change<'a>)>,
}

#[derive(Debug)]
enum NameChange<'a> {
    Put { name: &'a str, file: FileId },
    Move { from: &'a str, to: &'a str },
    Remove { name: &'a str },
}

#[derive(Debug)]
struct Sync<'a> {
    target: SyncTarget<'a>,
    began: usize,
}

type Names = BTreeMap<String, FileId>;

#[derive(Debug, Default)]
pub(crate) struct Disk<'a> {
    files: Vec<File<'a>>,
    by_inode: HashMap<u64, FileId>,
    /// The names a running process sees.
    live: Names,
    /// The names that survive.
    settled: Names,
    pending_names: Vec<(usize, NameChange<'a>)>,
    syncs: HashMap<u32, Sync<'a>>,
    now: usize,
    generation: usize,
}

impl<'a> Disk<'a> {
    /// The folder as it was before the log began, all of it durable.
    pub(crate) fn load(&mut self, base: &Path, below: &str) -> io::Result<()> {
        for entry in fs::read_dir(base.join(below))? {
            let entry = entry?;
            let file_name =
                entry.file_name().into_string().map_err(|_| io::Error::other("a file name is not UTF-8"))?;
            let name = if below.is_empty() { file_name } else { format!("{below}/{file_name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.load(base, &name)?;
            } else if kind.is_file() {
                let mode = entry.metadata()?.permissions().mode() & 0o7777;
                self.files.push(File { mode, durable: fs::read(entry.path())?, pending: Vec::new() });
                self.live.insert(name.clone(), self.files.len() - 1);
                self.settled.insert(name, self.files.len() - 1);
            }
        }
        Ok(())
    }

    /// Changes whenever something became durable.
    pub(crate) fn generation(&self) -> usize {
        self.generation
    }

    pub(crate) fn apply(&mut self, event: &Event<'a>) -> Result<(), LogError> {
        self.now += 1;
        match *event {
            Event::Open { inode, name, mode, created } => self.open(inode, name, mode, created)?,
            Event::Write { inode, offset, data } => self.change(inode, Change::Write { offset, data })?,
            Event::Truncate { inode, length } => self.change(inode, Change::Truncate { length })?,
            Event::Extend { inode, length } => self.change(inode, Change::Extend { length })?,
            Event::SyncBegin { thread, target } => {
                self.syncs.insert(thread, Sync { target, began: self.now });
            }
            Event::SyncEnd { thread, failed } => self.end_sync(thread, failed)?,
            Event::Rename { from, to } => {
                let file = self.live.remove(from).ok_or_else(|| unknown(from))?;
                self.live.insert(to.to_owned(), file);
                self.pending_names.push((self.now, NameChange::Move { from, to }));
            }
            Event::Remove { name } => {
                self.live.remove(name).ok_or_else(|| unknown(name))?;
                self.pending_names.push((self.now, NameChange::Remove { name }));
            }
            Event::Link { inode, from, to } => {
                let file =
                    self.live.get(from).or_else(|| self.by_inode.get(&inode)).copied().ok_or_else(|| unknown(to))?;
                self.by_inode.insert(inode, file);
                self.put(to, file);
            }
            Event::Mark { .. } => {}
        }
        Ok(())
    }

    fn open(&mut self, inode: u64, name: &'a str, mode: u32, created: bool) -> Result<(), LogError> {
        let file = if created {
            self.files.push(File { mode, durable: Vec::new(), pending: Vec::new() });
            self.files.len() - 1
        } else {
            *self.live.get(name).ok_or_else(|| unknown(name))?
        };
        self.by_inode.insert(inode, file);
        if created && !name.is_empty() {
            self.put(name, file);
        }
        Ok(())
    }

    fn put(&mut self, name: &'a str, file: FileId) {
        self.live.insert(name.to_owned(), file);
        self.pending_names.push((self.now, NameChange::Put { name, file }));
    }

    fn change(&mut self, inode: u64, change: Change<'a>) -> Result<(), LogError> {
        let now = self.now;
        self.file(inode)?.pending.push((now, change));
        Ok(())
    }

    fn file(&mut self, inode: u64) -> Result<&mut File<'a>, LogError> {
        let id = self.by_inode.get(&inode).copied();
        id.and_then(|id| self.files.get_mut(id)).ok_or_else(|| unknown(&format!("inode {inode}")))
    }

    fn end_sync(&mut self, thread: u32, failed: bool) -> Result<(), LogError> {
        let Some(Sync { target, began }) = self.syncs.remove(&thread) else {
            return Err(unknown(&format!("a sync of thread {thread}")));
        };
        match target {
            SyncTarget::File { inode } if failed => {
                // A write the kernel could not keep is not tried again by the next sync; lengths are in the journal.
                self.file(inode)?.pending.retain(|(at, change)| *at > began || !matches!(change, Change::Write { .. }));
                return Ok(());
            }
            SyncTarget::Folder { .. } if failed => return Ok(()),
            SyncTarget::File { inode } => {
                let file = self.file(inode)?;
                let kept = file.pending.partition_point(|(at, _)| *at < began);
                for (_, change) in file.pending.drain(..kept) {
                    change.make(&mut file.durable);
                }
            }
            SyncTarget::Folder { name } => {
                let pending = std::mem::take(&mut self.pending_names);
                let (kept, left) = pending.into_iter().partition(|(at, change)| *at < began && change.folder() == name);
                self.pending_names = left;
                let kept: Vec<_> = kept;
                kept.iter().for_each(|(_, change)| change.make(&mut self.settled));
            }
        }
        self.generation += 1;
        Ok(())
    }

    /// Writes the folder as a cut now would leave it into `dir`, which exists and is empty.
    pub(crate) fn write_out(&self, dir: &Path, survival: Survival, cut: usize) -> io::Result<()> {
        let mut fate = match survival {
            Survival::Synced => None,
            Survival::Some { seed } => Some(Fate::new(seed, cut)),
        };
        let mut names = self.settled.clone();
        if let Some(fate) = &mut fate {
            let kept = fate.below(self.pending_names.len() + 1);
            self.pending_names.iter().take(kept).for_each(|(_, change)| change.make(&mut names));
        }
        for (name, id) in names {
            let Some(file) = self.files.get(id) else { continue };
            let path = dir.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            match &mut fate {
                Some(fate) if !file.pending.is_empty() => fs::write(&path, file.with_some_pending(fate))?,
                _ => fs::write(&path, &file.durable)?,
            }
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
        }
        Ok(())
    }
}

impl File<'_> {
    fn with_some_pending(&self, fate: &mut Fate) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (_, change) in &self.pending {
            match *change {
                Change::Write { offset, data } => {
                    let part = fate.part_of_write(offset, data.len());
                    let offset = offset + part.start as u64;
                    if let Some(data) = data.get(part).filter(|data| !data.is_empty()) {
                        Change::Write { offset, data }.make(&mut bytes);
                    }
                }
                length if fate.coin() => length.make(&mut bytes),
                _ => {}
            }
        }
        bytes
    }
}

impl Change<'_> {
    fn make(&self, bytes: &mut Vec<u8>) {
        match *self {
            Self::Write { offset, data } => {
                let start = size(offset);
                let end = start + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(place) = bytes.get_mut(start..end) {
                    place.copy_from_slice(data);
                }
            }
            Self::Truncate { length } => bytes.resize(size(length), 0),
            Self::Extend { length } => bytes.resize(size(length).max(bytes.len()), 0),
        }
    }
}

impl NameChange<'_> {
    fn make(&self, names: &mut Names) {
        match *self {
            Self::Put { name, file } => {
                names.insert(name.to_owned(), file);
            }
            Self::Move { from, to } => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.to_owned(), file);
                }
            }
            Self::Remove { name } => {
                names.remove(name);
            }
        }
    }

    /// The folder whose sync keeps the change; a move from folder to folder is kept by the sync of its destination.
    fn folder(&self) -> &str {
        let (Self::Put { name, .. } | Self::Move { to: name, .. } | Self::Remove { name }) = self;
        name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

fn size(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn unknown(name: &str) -> LogError {
    LogError::UnknownFile { name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: SyncTarget<'static> = SyncTarget::Folder { name: "" };
    const FILE: SyncTarget<'static> = SyncTarget::File { inode: 7 };

    fn begin(target: SyncTarget<'_>) -> Event<'_> {
        Event::SyncBegin { thread: 1, target }
    }

    fn end(failed: bool) -> Event<'static> {
        Event::SyncEnd { thread: 1, failed }
    }

    fn write(offset: u64, data: &[u8]) -> Event<'_> {
        Event::Write { inode: 7, offset, data }
    }

    fn disk<'a>(events: &[Event<'a>]) -> Disk<'a> {
        let mut disk = Disk::default();
        let made = [Event::Open { inode: 7, name: "a", mode: 0o600, created: true }, begin(FOLDER), end(false)];
        made.iter().chain(events).for_each(|event| disk.apply(event).unwrap());
        disk
    }

    fn after_a_cut(disk: &Disk<'_>, survival: Survival, cut: usize) -> BTreeMap<String, Vec<u8>> {
        let dir = tempfile::tempdir().unwrap();
        disk.write_out(dir.path(), survival, cut).unwrap();
        let entries = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
    }

    fn synced(events: &[Event<'_>]) -> BTreeMap<String, Vec<u8>> {
        after_a_cut(&disk(events), Survival::Synced, 0)
    }

    fn only(name: &str, bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([(name.to_owned(), bytes.to_vec())])
    }

    #[test]
    fn a_sync_keeps_what_was_written_before_it_began_and_only_once_it_has_ended() {
        assert_eq!(synced(&[write(0, b"one"), begin(FILE)]), only("a", b""));
        assert_eq!(synced(&[write(0, b"one"), begin(FILE), write(3, b"two"), end(false)]), only("a", b"one"));
        let next = [write(0, b"one"), begin(FILE), write(3, b"two"), end(false), begin(FILE), end(false)];
        assert_eq!(synced(&next), only("a", b"onetwo"));
    }

    #[test]
    fn what_a_failed_sync_was_to_keep_is_not_kept_by_the_next_one_unless_written_again() {
        let failed = [write(0, b"one"), begin(FILE), end(true), write(3, b"two"), begin(FILE), end(false)];
        assert_eq!(synced(&failed), only("a", b"\0\0\0two"));
        let again = [write(0, b"one"), begin(FILE), end(true), write(0, b"one"), begin(FILE), end(false)];
        assert_eq!(synced(&again), only("a", b"one"));
    }

    #[test]
    fn names_are_kept_by_a_sync_of_the_folder_and_not_by_one_of_the_file() {
        let content = [write(0, b"x"), begin(FILE), end(false)];
        let moved = Event::Rename { from: "a", to: "b" };
        assert_eq!(synced(&[&content[..], &[moved, begin(FILE), end(false)]].concat()), only("a", b"x"));
        assert_eq!(synced(&[&content[..], &[moved, begin(FOLDER), end(false)]].concat()), only("b", b"x"));
        let removed = Event::Remove { name: "a" };
        assert_eq!(synced(&[&content[..], &[removed]].concat()), only("a", b"x"));
        assert_eq!(synced(&[&content[..], &[removed, begin(FOLDER), end(false)]].concat()), BTreeMap::new());
    }

    #[test]
    fn a_seed_always_gives_the_same_remains_and_seeds_differ() {
        let pages: Vec<Vec<u8>> = (1..=20).map(|n| vec![n; 4096]).collect();
        let writes: Vec<_> = (0..).zip(&pages).map(|(n, page)| write(n * 4096, page)).collect();
        let disk = disk(&writes);
        let remains = |seed, cut| after_a_cut(&disk, Survival::Some { seed }, cut);
        assert_eq!(remains(1, 5), remains(1, 5));
        assert_ne!(remains(1, 5), remains(2, 5));
        assert_ne!(remains(1, 5), remains(1, 6));
        let torn = |bytes: &[u8]| bytes.chunks(4096).any(|page| page.contains(&0) && page.iter().any(|b| *b != 0));
        assert!((0..20).any(|seed| remains(seed, 0).values().any(|bytes| torn(bytes))), "no write was torn");
    }

    #[test]
    fn a_file_from_before_the_log_is_refused_when_no_starting_folder_was_given() {
        let mut disk = Disk::default();
        let opened = Event::Open { inode: 7, name: "old", mode: 0o600, created: false };
        assert_eq!(disk.apply(&opened), Err(unknown("old")));
    }
}
