//! Backup: a sound copy of the database, taken beside a running server.

use std::{fs::File, io, path::Path};

use rescind_ledger::StoreError;

use crate::{
    durable_file::{create_private, remove_if_present, sync_parent, unavailable},
    sqlite,
};

/// Copies the database as of one moment to a new file, for its owner alone, and syncs it. Writers go on meanwhile.
///
/// The copy holds what the database holds: hashes and encrypted secrets. The master key is not in it.
///
/// # Errors
/// [`StoreError::Conflict`] if there is a file at `to`; [`StoreError::Unavailable`]; [`StoreError::Corrupt`] if the
/// database is not one of ours.
pub fn backup(database: &Path, to: &Path) -> Result<(), StoreError> {
    let source = sqlite::connect(database)?;
    sqlite::check_not_empty(&source)?;
    match create_private(to) {
        Ok(_) => {}
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {
            return Err(StoreError::Conflict("a file with the name of the backup"));
        }
        Err(why) => return Err(unavailable("create", to)(why)),
    }
    let copied = copy(&source, to);
    if copied.is_err() {
        // Half a backup is worse than none.
        remove_if_present(to).map_err(unavailable("remove", to))?;
    }
    copied
}

fn copy(source: &sqlite::Connection, to: &Path) -> Result<(), StoreError> {
    sqlite::copy_into(source, to)?;
    File::open(to).and_then(|file| file.sync_all()).map_err(unavailable("sync", to))?;
    sync_parent(to).map_err(unavailable("sync the directory of", to))
}
