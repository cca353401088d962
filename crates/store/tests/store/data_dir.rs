//! The data directory: who may read it, and how many may use it.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rescind_ledger::{Store, StoreError};
use rescind_store::{DataDir, Sqlite, find_audit_head, keep_audit_head};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_may_read_what_is_kept() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::at(&parent.path().join("deep/data"));
    dir.create().unwrap();
    dir.create().unwrap();
    let _lock = dir.lock().unwrap();
    let mut store = Sqlite::open(&dir.database()).unwrap();
    store.transact(&mut |_| Ok(())).unwrap();
    rescind_store::FileMarker::create(&dir, &mut store).unwrap();
    assert_eq!(mode(dir.path()), 0o700);
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", dir.database().display()));
    for file in [dir.database(), beside("-wal"), beside("-shm"), dir.marker(), dir.lock_path()] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn the_signed_head_is_kept_outside_the_database_and_a_new_epoch_sets_it_aside() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::at(parent.path());
    assert_eq!(find_audit_head(&dir).unwrap(), None);
    for text in ["one", "a longer one", "two"] {
        keep_audit_head(&dir, text).unwrap();
        assert_eq!(find_audit_head(&dir).unwrap().as_deref(), Some(text));
    }
    assert_eq!(mode(&dir.audit_head()), 0o600);
    Sqlite::open(&dir.database()).unwrap();
    let now = rescind_ledger::Timestamp::from_secs(1_700_000_000);
    let opened = rescind_store::open_epoch(&dir, &dir.lock().unwrap(), now, "").unwrap();
    assert_eq!(find_audit_head(&dir).unwrap(), None);
    let aside = dir.audit_head().with_extension(format!("before-{}", opened.epoch));
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "two");
}

#[test]
fn one_process_at_a_time_has_the_directory() {
    let parent = tempfile::tempdir().unwrap();
    let dir = DataDir::at(parent.path());
    let lock = dir.lock().unwrap();
    let second = dir.lock().unwrap_err();
    assert!(second.to_string().contains("in use by another rescind process"), "{second}");
    drop(lock);
    dir.lock().unwrap();
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (id INTEGER); PRAGMA user_version = 1;").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Corrupt { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("rescind.db");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    let refused = Sqlite::open(&path).err().unwrap();
    assert!(refused.to_string().contains("later version"), "{refused}");
}
