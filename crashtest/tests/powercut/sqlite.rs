//! SQLite: with `synchronous=FULL` no acknowledged row is lost at any cut; with OFF, or acknowledged early, the loss is found.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crashtest::{Replay, replay};
use rusqlite::{Connection, OpenFlags};

use crate::process::{Place, say};
use crate::{assert_all_hold, shim};

const DATABASE: &str = "rescind.db";

fn open(folder: &Path, synchronous: &str) -> Connection {
    let db = Connection::open(folder.join(DATABASE)).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    let settings = format!("PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA wal_autocheckpoint=25;");
    let tables = "CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, target TEXT UNIQUE, note BLOB);
                  CREATE TABLE IF NOT EXISTS noise (n INTEGER, filling BLOB);";
    db.execute_batch(&settings).unwrap();
    db.execute_batch(tables).unwrap();
    db
}

fn insert(db: &Connection, number: u32) -> rusqlite::Result<usize> {
    db.execute(
        "INSERT INTO entry (target, note) VALUES (?1, randomblob(?2))",
        (format!("t{number}"), 40 + number * 997 % 9000),
    )
}

/// One acknowledged writer, one noisy neighbour, checkpoints, a head marker, a vacuum, the last connection closed and opened again.
pub(crate) fn mixed_run(folder: &Path, synchronous: &str) {
    for round in 0..3u32 {
        let stop = AtomicBool::new(false);
        let db = open(folder, synchronous);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let noisy = open(folder, synchronous);
                while !stop.load(Ordering::Relaxed) {
                    noisy.execute("INSERT INTO noise VALUES (?1, randomblob(3000))", [round]).unwrap();
                    std::thread::sleep(Duration::from_millis(4));
                }
            });
            for number in round * 40..round * 40 + 40 {
                insert(&db, number).unwrap();
                if number % 8 == 0 {
                    write_head(folder, number);
                }
                say(&format!("ack t{number}"));
            }
            stop.store(true, Ordering::Relaxed);
        });
        db.execute_batch("DELETE FROM noise; VACUUM;").unwrap();
    }
}

fn write_head(folder: &Path, number: u32) {
    let mut fresh = File::create(folder.join("head.fresh")).unwrap();
    write!(fresh, "{number}").unwrap();
    fresh.sync_all().unwrap();
    std::fs::rename(folder.join("head.fresh"), folder.join("head")).unwrap();
    File::open(folder).unwrap().sync_all().unwrap();
}

pub(crate) fn acknowledge_before_the_commit(folder: &Path) {
    let db = open(folder, "FULL");
    for number in 0..10 {
        println!("ack t{number}");
        insert(&db, number).unwrap();
    }
}

/// A commit that fails is not acknowledged, and the next one after the repair is.
pub(crate) fn run_over_a_broken_disk(folder: &Path) {
    let db = open(folder, "FULL");
    let mut number: u32 = 0;
    for fault in ["disk full", "disk no-growth", "disk failing-syncs"] {
        for _ in 0..5 {
            insert(&db, number).unwrap();
            say(&format!("ack t{number}"));
            number += 1;
        }
        say(fault);
        let mut refused = 0;
        for _ in 0..40 {
            match insert(&db, number) {
                Ok(_) => {
                    say(&format!("ack t{number}"));
                    number += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0, "{fault} was not felt");
        assert!(fault != "disk full" || refused == 40, "a write on a full disk succeeded");
        say("disk mend");
    }
    insert(&db, number).unwrap();
    say(&format!("ack t{number}"));
}

/// The file is whole and every acknowledged row is in it.
fn nothing_acknowledged_is_lost(cut: &Path, acked: &[String]) -> Result<(), String> {
    let path = cut.join(DATABASE);
    if !path.exists() {
        return if acked.is_empty() { Ok(()) } else { Err("the database is gone".to_owned()) };
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| error.to_string())?;
    let whole: String =
        db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(|error| error.to_string())?;
    if whole != "ok" {
        return Err(whole);
    }
    for target in acked {
        let found: rusqlite::Result<i64> =
            db.query_row("SELECT seq FROM entry WHERE target = ?1", [target], |row| row.get(0));
        found.map_err(|error| format!("{target} is lost: {error}"))?;
    }
    Ok(())
}

#[test]
fn with_full_sync_every_acknowledged_row_survives_every_cut() {
    let place = Place::new();
    place.run(shim(), "wal-full");
    let summary = Replay::new(&place.log).seeds([1, 2]).run(nothing_acknowledged_is_lost).unwrap();
    assert_all_hold(&summary);
    assert_eq!(summary.acked_total, 120);
    assert!(summary.cuts > 1000, "{summary}");
}

#[test]
fn with_sync_off_the_same_check_finds_the_loss() {
    let place = Place::new();
    place.run(shim(), "wal-off");
    let summary = replay(&place.log, nothing_acknowledged_is_lost).unwrap();
    println!("{summary}");
    assert!(!summary.failures.is_empty(), "{summary}");
}

#[test]
fn an_acknowledgement_before_the_commit_is_found() {
    let place = Place::new();
    place.run(shim().sync_delay(Duration::from_millis(20)), "early");
    let summary = replay(&place.log, nothing_acknowledged_is_lost).unwrap();
    assert!(!summary.failures.is_empty(), "{summary}");
}

#[test]
fn a_broken_disk_refuses_and_what_it_accepted_survives_every_cut() {
    let place = Place::new();
    place.run(shim(), "full-disk");
    assert_all_hold(&Replay::new(&place.log).seeds([1]).run(nothing_acknowledged_is_lost).unwrap());
}
