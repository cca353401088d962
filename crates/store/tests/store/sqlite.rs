//! SQLite under the conformance suite.

use rescind_ledger::Store;
use rescind_store::{Sqlite, SqliteReads};

use crate::conformance::{Backend, conformance};

struct OneFile {
    store: Sqlite,
    reads: SqliteReads,
    dir: tempfile::TempDir,
}

impl OneFile {
    fn open(dir: tempfile::TempDir) -> Self {
        let store = Sqlite::open(&dir.path().join("rescind.db")).unwrap();
        let reads = store.reads(2).unwrap();
        Self { store, reads, dir }
    }
}

impl Backend for OneFile {
    type Reads = SqliteReads;

    fn fresh() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn reopened(self) -> Self {
        let Self { store, reads, dir } = self;
        drop((store, reads));
        Self::open(dir)
    }

    fn store(&mut self) -> &mut dyn Store {
        &mut self.store
    }

    fn reads(&self) -> &SqliteReads {
        &self.reads
    }
}

conformance!(crate::sqlite::OneFile);
