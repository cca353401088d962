//! Keeps the ledger and the records: one SQLite file, a head marker beside it, and the way back from a backup.
//!
//! No rules live here. [`Sqlite`] is the write side for the one writer, [`SqliteReads`] the read side for everybody else,
//! [`FileMarker`] the witness outside the database that tells an old copy of the file from the present one.

mod audit_head;
mod backup;
mod data_dir;
mod durable_file;
mod marker;
mod restore;
mod sqlite;

pub use audit_head::{find_audit_head, keep_audit_head};
pub use backup::backup;
pub use data_dir::{DataDir, Lock};
pub use marker::{FileMarker, MarkerState, inspect_marker};
pub use restore::{Restored, open_epoch, restore};
pub use sqlite::{Durability, Sqlite, SqliteReads, SqliteSnapshot};
