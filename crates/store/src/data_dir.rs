//! The data directory: what is where, and the lock that keeps it to one process.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rescind_ledger::StoreError;

use crate::durable_file::unavailable;

/// The directory that holds everything the server keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
}

/// Held by a server, a restore and the opening of an epoch: none of them may meet another in one directory. Dropping it,
/// or the death of the process, gives it back.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl DataDir {
    /// The data directory at a path. Nothing is looked at or created yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SQLite database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("rescind.db")
    }

    /// The head marker, outside the database (DESIGN rule 5).
    #[must_use]
    pub fn marker(&self) -> PathBuf {
        self.path.join("head")
    }

    /// The newest signed head of the audit trail, outside the database too.
    #[must_use]
    pub fn audit_head(&self) -> PathBuf {
        self.path.join("audit-head")
    }

    /// The key that encrypts what must be read back. Never part of a backup.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// The socket on which the running server listens to its own command line.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }

    /// The file that [`DataDir::lock`] locks.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Creates the directory, for its owner alone, if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file system refuses.
    pub fn create(&self) -> Result<(), StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.path).map_err(unavailable("create", &self.path))
    }

    /// Takes the directory for this process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if another process has it.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        let path = self.lock_path();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(unavailable("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
                "{} is in use by another rescind process; stop it first",
                self.path.display()
            ))),
            Err(TryLockError::Error(why)) => Err(unavailable("lock", &path)(why)),
        }
    }
}
