//! The head marker: what it notices, and what a power cut cannot do to it.

use std::os::unix::fs::FileExt;

use rescind_ledger::{Mark, Marker, Position, Store, StoreError};
use rescind_store::{DataDir, FileMarker, MarkerState, Sqlite, inspect_marker};

use crate::conformance::samples::{grant, nth_entry};

struct Place {
    dir: DataDir,
    _keep: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        Self { dir: DataDir::at(keep.path()), _keep: keep }
    }

    fn store(&self) -> Sqlite {
        Sqlite::open(&self.dir.database()).unwrap()
    }

    fn state(&self) -> MarkerState {
        inspect_marker(&self.dir, &mut self.store()).unwrap()
    }

    /// Commits an entry, or else a grant, and notes it.
    fn commit(&self, marker: Option<&mut FileMarker>, seq: Option<u64>) {
        let mut store = self.store();
        let name = format!("grant {}", store.mark().unwrap().commits);
        let done = store.transact(&mut |tx| match seq {
            Some(seq) => tx.append(&nth_entry(seq)),
            None => tx.insert_grant(&grant(&name)),
        });
        if let Some(marker) = marker {
            marker.advance(done.unwrap(), true).unwrap();
        }
    }
}

#[test]
fn a_marker_follows_its_store() {
    let place = Place::new();
    assert_eq!(place.state(), MarkerState::Fresh);
    let mut marker = FileMarker::create(&place.dir, &mut place.store()).unwrap();
    assert_eq!(place.state(), MarkerState::Agrees);
    for seq in 1..=5 {
        place.commit(Some(&mut marker), Some(seq));
        assert_eq!(place.state(), MarkerState::Agrees);
    }
    place.commit(None, Some(6));
    assert_eq!(place.state(), MarkerState::Behind);
    drop(marker);
    let mut marker = FileMarker::open(&place.dir, &place.store()).unwrap();
    place.commit(Some(&mut marker), Some(7));
    assert_eq!(place.state(), MarkerState::Agrees);
}

#[test]
fn a_file_put_back_by_hand_is_noticed_even_if_nothing_was_revoked_meanwhile() {
    let place = Place::new();
    let mut marker = FileMarker::create(&place.dir, &mut place.store()).unwrap();
    place.commit(Some(&mut marker), Some(1));
    let old = std::fs::read(place.dir.database()).unwrap();
    place.commit(Some(&mut marker), None);
    assert_eq!(place.state(), MarkerState::Agrees);
    std::fs::write(place.dir.database(), old).unwrap();
    let MarkerState::Ahead { marker, store } = place.state() else { panic!("{:?}", place.state()) };
    assert_eq!(marker.head, store.head);
    assert_eq!((marker.commits, store.commits), (2, 1));
}

#[test]
fn a_store_that_went_another_way_is_noticed() {
    let place = Place::new();
    let mut marker = FileMarker::create(&place.dir, &mut place.store()).unwrap();
    place.commit(Some(&mut marker), Some(1));
    let old = std::fs::read(place.dir.database()).unwrap();
    place.commit(Some(&mut marker), Some(2));
    std::fs::write(place.dir.database(), old).unwrap();
    place.commit(None, None);
    assert!(matches!(place.state(), MarkerState::Ahead { .. }), "as many commits, but not the same");
    place.commit(None, None);
    assert!(matches!(place.state(), MarkerState::Ahead { .. }), "more commits, but an entry is gone");
}

#[test]
fn a_store_with_as_many_commits_but_other_entries_is_noticed() {
    let place = Place::new();
    let mut marker = FileMarker::create(&place.dir, &mut place.store()).unwrap();
    place.commit(Some(&mut marker), Some(1));
    let old = std::fs::read(place.dir.database()).unwrap();
    place.commit(Some(&mut marker), None);
    std::fs::write(place.dir.database(), old).unwrap();
    place.commit(None, Some(2));
    assert!(matches!(place.state(), MarkerState::Ahead { .. }), "{:?}", place.state());
}

#[test]
fn a_marker_of_another_database_is_foreign() {
    let (place, other) = (Place::new(), Place::new());
    let _ = FileMarker::create(&place.dir, &mut place.store()).unwrap();
    let _ = other.store();
    std::fs::copy(other.dir.database(), place.dir.database()).unwrap();
    assert_eq!(place.state(), MarkerState::Foreign);
    assert!(matches!(FileMarker::open(&place.dir, &place.store()), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_lost_or_unreadable_marker_is_missing() {
    let place = Place::new();
    std::fs::write(place.dir.marker(), b"").unwrap();
    assert_eq!(place.state(), MarkerState::Missing, "a store is not new if something stands where its marker goes");
    std::fs::remove_file(place.dir.marker()).unwrap();
    place.commit(None, Some(1));
    assert_eq!(place.state(), MarkerState::Missing);
    std::fs::write(place.dir.marker(), [0x5a; 1024]).unwrap();
    assert_eq!(place.state(), MarkerState::Missing);
}

#[test]
fn notes_that_are_not_synced_leave_the_slot_that_is() {
    let place = Place::new();
    let mut marker = FileMarker::create(&place.dir, &mut place.store()).unwrap();
    let mark = |commits| Mark { head: Position { epoch: 1, seq: 0 }, commits };
    let slots = || {
        let mut bytes = std::fs::read(place.dir.marker()).unwrap();
        bytes.resize(1024, 0);
        let second = bytes.split_off(512);
        (bytes, second)
    };
    let (synced, _) = slots();
    for commits in 1..4 {
        marker.advance(mark(commits), false).unwrap();
        assert_eq!(slots().0, synced, "a power cut may tear whatever was not synced");
    }
    marker.advance(mark(4), true).unwrap();
    let (_, synced) = slots();
    for commits in 5..8 {
        marker.advance(mark(commits), false).unwrap();
        assert_eq!(slots().1, synced);
    }
}

#[test]
fn a_torn_slot_leaves_the_other() {
    // Two notes, so that both slots are written; then each byte of the newer one in turn is lost.
    let place = Place::new();
    let mut store = place.store();
    let mut marker = FileMarker::create(&place.dir, &mut store).unwrap();
    let mark = |commits| Mark { head: Position { epoch: 1, seq: 0 }, commits };
    marker.advance(mark(1), false).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(place.dir.marker()).unwrap();
    let whole = std::fs::read(place.dir.marker()).unwrap();
    let seen = |store: &mut Sqlite| inspect_marker(&place.dir, store).unwrap();
    let ahead = MarkerState::Ahead { marker: mark(1), store: mark(0) };
    assert_eq!(seen(&mut store), ahead);
    for torn in 512..whole.len() {
        file.write_all_at(&[!whole[torn]], u64::try_from(torn).unwrap()).unwrap();
        assert_eq!(seen(&mut store), MarkerState::Agrees, "the slot before still stands, byte {torn}");
        file.write_all_at(&whole[torn..=torn], u64::try_from(torn).unwrap()).unwrap();
    }
    assert_eq!(seen(&mut store), ahead);
    // And the torn slot is the next to be written, never the sound one.
    file.write_all_at(&[0; 48], 512).unwrap();
    let mut marker = FileMarker::open(&place.dir, &store).unwrap();
    marker.advance(mark(2), true).unwrap();
    assert_eq!(std::fs::read(place.dir.marker()).unwrap()[..48], whole[..48]);
    assert_eq!(seen(&mut store), MarkerState::Ahead { marker: mark(2), store: mark(0) });
}
