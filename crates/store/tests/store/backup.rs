//! Backups, taken while the server writes.

use std::{
    os::unix::fs::PermissionsExt,
    sync::atomic::{AtomicBool, Ordering},
};

use rescind_ledger::{Position, Reads, Store, StoreError};
use rescind_store::{DataDir, Sqlite, backup};

use crate::conformance::{
    samples::{grant, nth_entry},
    wait,
};

#[test]
fn a_backup_beside_a_busy_writer_is_whole() {
    let keep = tempfile::tempdir().unwrap();
    let dir = DataDir::at(keep.path());
    let mut store = Sqlite::open(&dir.database()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut seq = 0;
            while !stop.load(Ordering::Relaxed) {
                seq += 1;
                // An entry and its grant: a backup has both or neither.
                let work = &mut |tx: &mut dyn rescind_ledger::Tx| {
                    tx.append(&nth_entry(seq))?;
                    tx.insert_grant(&grant(&format!("g{seq}")))
                };
                store.transact(work).unwrap();
            }
            seq
        });
        let mut heads = Vec::new();
        for number in 0..3 {
            while heads.last().is_some_and(|last| Sqlite::open(&dir.database()).unwrap().mark().unwrap().head <= *last)
            {
            }
            let to = keep.path().join(format!("backup{number}"));
            backup(&dir.database(), &to).unwrap();
            let mut copy = Sqlite::open(&to).unwrap();
            copy.integrity_check().unwrap();
            let head = copy.mark().unwrap().head;
            let mut count = 0;
            copy.entries_after(Position { epoch: 0, seq: 0 }, &mut |entry| {
                count += 1;
                assert_eq!(entry.position.seq, count);
            })
            .unwrap();
            assert_eq!(count, head.seq);
            let reads = copy.reads(1).unwrap();
            let last = format!("g{count}");
            assert!(count == 0 || wait(reads.find_grant(&last)).unwrap().is_some());
            assert!(wait(reads.find_grant(&format!("g{}", count + 1))).unwrap().is_none());
            heads.push(head);
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
        assert!(heads.is_sorted_by(|a, b| a < b), "each backup is later: {heads:?}");
    });
}

#[test]
fn a_backup_overwrites_nothing_and_is_private() {
    let keep = tempfile::tempdir().unwrap();
    let dir = DataDir::at(keep.path());
    drop(Sqlite::open(&dir.database()).unwrap());
    let to = keep.path().join("copy.db");
    backup(&dir.database(), &to).unwrap();
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&to).unwrap();
    assert!(matches!(backup(&dir.database(), &to), Err(StoreError::Conflict(_))));
    assert_eq!(std::fs::read(&to).unwrap(), before);
}

#[test]
fn a_backup_has_nothing_of_the_master_key() {
    let keep = tempfile::tempdir().unwrap();
    let dir = DataDir::at(keep.path());
    drop(Sqlite::open(&dir.database()).unwrap());
    let key: Vec<u8> = (0..32).map(|byte| byte * 7 + 1).collect();
    std::fs::write(dir.master_key(), &key).unwrap();
    let to = keep.path().join("copy.db");
    backup(&dir.database(), &to).unwrap();
    let copy = std::fs::read(&to).unwrap();
    assert!(!copy.windows(key.len()).any(|window| window == key));
}

#[test]
fn what_is_not_there_is_not_backed_up() {
    let keep = tempfile::tempdir().unwrap();
    let (missing, to) = (keep.path().join("missing.db"), keep.path().join("copy.db"));
    assert!(backup(&missing, &to).is_err());
    assert!(!missing.exists() && !to.exists());
    std::fs::write(&missing, "not a database, whatever its length may be".repeat(100)).unwrap();
    assert!(backup(&missing, &to).is_err());
    assert!(!to.exists());
}
