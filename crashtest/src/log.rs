//! Reads the log that `shim.c` writes.

use std::fmt;

pub(crate) const HEAD_LEN: usize = 48;
pub(crate) const MAGIC: &[u8; 4] = b"RSH1";
pub(crate) const OP_MARK: u32 = 10;

const CREATED: u32 = 1;
const FAILED: u32 = 1;
const DIRECTORY: u32 = 2;

/// What the log cannot be read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogError {
    /// No change at all was recorded: the shim was not loaded, or it watched another folder.
    Empty,
    /// The bytes at this offset are no record.
    Garbled {
        /// Offset in the log, in bytes.
        at: usize,
    },
    /// A record speaks of a file that neither the log nor the starting folder knows.
    UnknownFile {
        /// Its path below the watched folder, or its inode number.
        name: String,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the log has no write: was the shim loaded, and did it watch the right folder?"),
            Self::Garbled { at } => write!(f, "the log is garbled at byte {at}"),
            Self::UnknownFile { name } => {
                write!(
                    f,
                    "the log speaks of `{name}`, which it never saw; replay from a copy of the folder as it was before"
                )
            }
        }
    }
}

impl std::error::Error for LogError {}

/// What a sync was asked to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncTarget<'a> {
    File { inode: u64 },
    Folder { name: &'a str },
}

/// One event, in the order of effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// `name` is empty for a file made without a name (`O_TMPFILE`).
    Open {
        inode: u64,
        name: &'a str,
        mode: u32,
        created: bool,
    },
    Write {
        inode: u64,
        offset: u64,
        data: &'a [u8],
    },
    Truncate {
        inode: u64,
        length: u64,
    },
    Extend {
        inode: u64,
        length: u64,
    },
    SyncBegin {
        thread: u32,
        target: SyncTarget<'a>,
    },
    SyncEnd {
        thread: u32,
        failed: bool,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    Remove {
        name: &'a str,
    },
    Link {
        inode: u64,
        from: &'a str,
        to: &'a str,
    },
    Mark {
        text: &'a str,
    },
}

/// The events of a log. An incomplete record at its very end is what a killed process leaves, and is dropped.
pub(crate) fn events(bytes: &[u8]) -> Result<Vec<Event<'_>>, LogError> {
    let mut events = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + HEAD_LEN) {
        let garbled = LogError::Garbled { at };
        if !head.starts_with(MAGIC) {
            return Err(garbled);
        }
        let name_end = at + HEAD_LEN + word(head, 40) as usize;
        let end = name_end + word(head, 44) as usize;
        let (Some(name), Some(data)) = (bytes.get(at + HEAD_LEN..name_end), bytes.get(name_end..end)) else {
            break;
        };
        events.push(event(head, name, data).ok_or(garbled)?);
        at = end;
    }
    Ok(events)
}

fn event<'a>(head: &[u8], name: &'a [u8], data: &'a [u8]) -> Option<Event<'a>> {
    let (op, thread, flags) = (word(head, 4), word(head, 8), word(head, 12));
    let (inode, offset, length) = (long(head, 16), long(head, 24), long(head, 32));
    let name = std::str::from_utf8(name).ok()?;
    Some(match op {
        1 => Event::Open { inode, name, mode: u32::try_from(length).ok()?, created: flags & CREATED != 0 },
        2 => Event::Write { inode, offset, data },
        3 => Event::Truncate { inode, length },
        4 => Event::Extend { inode, length },
        5 if flags & DIRECTORY != 0 => Event::SyncBegin { thread, target: SyncTarget::Folder { name } },
        5 => Event::SyncBegin { thread, target: SyncTarget::File { inode } },
        6 => Event::SyncEnd { thread, failed: flags & FAILED != 0 },
        7 => name.split_once('\0').map(|(from, to)| Event::Rename { from, to })?,
        8 => Event::Remove { name },
        9 => name.split_once('\0').map(|(from, to)| Event::Link { inode, from, to })?,
        OP_MARK => Event::Mark { text: std::str::from_utf8(data).ok()? },
        _ => return None,
    })
}

fn word(head: &[u8], at: usize) -> u32 {
    head.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn long(head: &[u8], at: usize) -> u64 {
    head.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(op: u32, name: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(op.to_le_bytes());
        bytes.resize(HEAD_LEN - 8, 0);
        bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        [&bytes, name.as_bytes(), data].concat()
    }

    #[test]
    fn a_record_cut_short_at_the_end_is_dropped_and_the_rest_kept() {
        let whole = [record(OP_MARK, "", b"t1"), record(2, "", b"data")].concat();
        let both = [Event::Mark { text: "t1" }, Event::Write { inode: 0, offset: 0, data: b"data" }];
        assert_eq!(events(&whole).unwrap(), both);
        for cut in record(OP_MARK, "", b"t1").len()..whole.len() {
            assert_eq!(events(&whole[..cut]).unwrap(), both[..1]);
        }
    }

    #[test]
    fn garbage_between_records_is_refused_with_its_place() {
        let first = record(OP_MARK, "", b"t1");
        let garbled = [first.clone(), vec![0; HEAD_LEN]].concat();
        assert_eq!(events(&garbled), Err(LogError::Garbled { at: first.len() }));
        assert_eq!(events(&record(99, "", b"")), Err(LogError::Garbled { at: 0 }));
        assert_eq!(events(&record(7, "one name only", b"")), Err(LogError::Garbled { at: 0 }));
    }
}
