//! Files whose existence must survive a power cut: created for the owner alone, and synced with their directory.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rescind_ledger::StoreError;

/// Creates a file that only the owner may read; fails if it is there.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the names in a file's directory durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Removes a file that need not be there.
pub(crate) fn remove_if_present(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The store's word for a failed file operation.
pub(crate) fn unavailable(what: &str, path: &Path) -> impl Fn(io::Error) -> StoreError {
    let what = format!("cannot {what} {}", path.display());
    move |why| StoreError::Unavailable(format!("{what}: {why}"))
}
