//! The newest signed head of the audit trail, in a file outside the database: whoever cuts off the end of the trail there is
//! contradicted here.

use std::{
    io::{self, Write},
    path::Path,
};

use rescind_ledger::StoreError;

use crate::{
    DataDir,
    durable_file::{create_private, remove_if_present, sync_parent, unavailable},
};

/// Puts a text in the place of the one before, in one step that survives a power cut.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub fn keep_audit_head(dir: &DataDir, text: &str) -> Result<(), StoreError> {
    let path = dir.audit_head();
    replace(&path, text).map_err(unavailable("write", &path))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    remove_if_present(&fresh)?;
    let mut file = create_private(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    sync_parent(path)
}

/// The text that was kept last.
///
/// # Errors
/// [`StoreError::Unavailable`] if it is there and cannot be read.
pub fn find_audit_head(dir: &DataDir) -> Result<Option<String>, StoreError> {
    let path = dir.audit_head();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(unavailable("read", &path)(why)),
    }
}

/// Sets the head aside under the number of the epoch that begins: a database from a backup has a shorter trail, by rule.
pub(crate) fn set_aside_audit_head(dir: &DataDir, epoch: u32) -> Result<(), StoreError> {
    let path = dir.audit_head();
    let moved = std::fs::rename(&path, path.with_extension(format!("before-{epoch}")));
    match moved.and_then(|()| sync_parent(&path)) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(unavailable("set aside", &path)(why)),
        _ => Ok(()),
    }
}
