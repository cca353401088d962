//! Restores: nothing that was issued before one is honoured after it.

use std::sync::Arc;

use rescind_check::{FingerprintKey, Index, Side, Trace, Verdict};
use rescind_ledger::{
    Client, ClientChange, Initiator, Lane, Live, Minted, Order, Position, Queue, Reason, Startup, Store, StoreError,
    Target, Timestamp, Writer,
};
use rescind_store::{DataDir, FileMarker, MarkerState, Restored, Sqlite, backup, inspect_marker, open_epoch, restore};

use crate::conformance::samples::{access_token, at, client, grant};

const ISSUER: &str = "https://issuer.example";
/// The present of these tests: later than any epoch that is not a restore's.
const NOW: i64 = 1_700_000_000;

fn key() -> FingerprintKey {
    FingerprintKey::new([3; 16])
}

fn load(store: &mut Sqlite) -> Arc<Live> {
    Arc::new(Startup { issuer: ISSUER, key: key() }.load(store).unwrap())
}

/// A server in all but name: a writer on a data directory, and what it has issued.
struct Running {
    live: Arc<Live>,
    queue: Arc<Queue>,
    writer: Writer,
    issued: Vec<Trace>,
}

impl Running {
    fn start(dir: &DataDir) -> Self {
        let mut store = Sqlite::open(&dir.database()).unwrap();
        let marker = match inspect_marker(dir, &mut store).unwrap() {
            MarkerState::Fresh => FileMarker::create(dir, &mut store).unwrap(),
            MarkerState::Agrees | MarkerState::Behind => FileMarker::open(dir, &store).unwrap(),
            refused => panic!("a server does not start: {refused:?}"),
        };
        let live = load(&mut store);
        let queue = Arc::new(Queue::default());
        let writer = Writer::new(Box::new(store), Box::new(marker), Arc::clone(&live), Arc::clone(&queue));
        Self { live, queue, writer, issued: Vec::new() }
    }

    fn issue(&mut self, prefix: &str, count: u32) {
        for number in 0..count {
            let mut grant = grant(&format!("{prefix}{number}"));
            grant.position = self.live.stamp();
            let access = access_token(&grant.id, &grant);
            self.issued.push(access.trace(ISSUER, &key()));
            let minted = Minted { grant, access, refresh: None, status: None };
            let ticket = self.queue.submit(Lane::Issuing, move |door| door.mint(&minted));
            self.writer.turn(&|| at(NOW));
            ticket.wait().unwrap();
        }
    }

    fn revoke(&mut self, targets: impl Iterator<Item = Target>) {
        for target in targets {
            let order = Order::new(target, Reason::TokenLeaked, Initiator::Administrator("local".to_owned()));
            let ticket = self.queue.submit(Lane::Ending, move |door| door.end(&order));
            self.writer.turn(&|| at(NOW));
            assert!(ticket.wait().unwrap().fresh);
        }
    }

    fn index(&self) -> Index {
        self.live.look(|index, _| index.clone())
    }
}

fn data_dir() -> (tempfile::TempDir, DataDir) {
    let keep = tempfile::tempdir().unwrap();
    let dir = DataDir::at(&keep.path().join("data"));
    dir.create().unwrap();
    (keep, dir)
}

/// The closed epochs of a restored store, as an edge hears of them.
fn closed(store: &mut Sqlite) -> Vec<(u32, u64)> {
    let mut epochs = store.epochs().unwrap().0;
    epochs.pop();
    epochs
}

fn nothing_is_honoured(issued: &[Trace], dir: &DataDir, mut follower: Index) {
    let mut store = Sqlite::open(&dir.database()).unwrap();
    let live = load(&mut store);
    let head = live.head();
    follower.follow_epoch(head.epoch, &closed(&mut store)).unwrap();
    follower.apply(Target::Everything.fingerprint(&key()), Target::Everything.cut(None), head).unwrap();
    for (number, trace) in issued.iter().enumerate() {
        assert_eq!(live.verdict(trace), Verdict::Revoked, "token {number} at the restored node");
        for side in [Side::Node, Side::Edge] {
            assert_eq!(follower.verdict(trace, side), Verdict::Revoked, "token {number} at a follower");
        }
    }
}

#[test]
fn after_a_restore_nothing_issued_before_it_is_honoured() {
    let (keep, dir) = data_dir();
    let mut server = Running::start(&dir);
    server.issue("before", 40);
    server.revoke((0..10).map(|number| Target::Token { token: format!("before{number}") }));
    server.issue("between", 10);
    assert_eq!(server.live.verdict(server.issued.last().unwrap()), Verdict::NotRevoked);
    let copy = keep.path().join("backup.db");
    backup(&dir.database(), &copy).unwrap();
    let at_backup = server.live.head();
    server.issue("after", 40);
    server.revoke((0..20).map(|number| Target::Token { token: format!("after{number}") }));
    server.issue("last", 10);
    assert_eq!(server.issued.len(), 100);
    let (issued, follower) = (std::mem::take(&mut server.issued), server.index());
    drop(server);

    let lock = dir.lock().unwrap();
    let restored = restore(&dir, &lock, &copy, at(NOW)).unwrap();
    assert_eq!(restored.before, at_backup);
    assert_eq!(i64::from(restored.epoch), NOW, "the present second");
    assert_eq!(restored.position, Position { epoch: restored.epoch, seq: 1 });
    nothing_is_honoured(&issued, &dir, follower);

    let mut server = Running::start(&dir);
    server.issue("new", 1);
    assert_eq!(server.live.verdict(&server.issued[0]), Verdict::NotRevoked, "life goes on");
    let mut entries = Vec::new();
    Sqlite::open(&dir.database()).unwrap().entries_after(at_backup, &mut |entry| entries.push(entry)).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].target, entries[0].reason), (&Target::Everything, Reason::Restore));
    assert_eq!(entries[0].initiator, Initiator::System("restore".to_owned()));
}

#[test]
fn two_restores_of_one_backup_do_not_honour_each_other() {
    let (keep, dir) = data_dir();
    let mut server = Running::start(&dir);
    server.issue("a", 5);
    server.revoke((0..3).map(|number| Target::Token { token: format!("a{number}") }));
    let copy = keep.path().join("backup.db");
    backup(&dir.database(), &copy).unwrap();
    let (mut issued, first_follower) = (std::mem::take(&mut server.issued), server.index());
    drop(server);

    // In one directory, in the same second.
    let first = restore(&dir, &dir.lock().unwrap(), &copy, at(NOW)).unwrap();
    let mut server = Running::start(&dir);
    server.issue("first", 20);
    server.revoke((0..7).map(|number| Target::Token { token: format!("first{number}") }));
    server.issue("first again", 20);
    issued.append(&mut server.issued);
    let follower = server.index();
    drop(server);
    let second = restore(&dir, &dir.lock().unwrap(), &copy, at(NOW)).unwrap();
    assert!(second.epoch > first.epoch);
    nothing_is_honoured(&issued, &dir, follower);
    nothing_is_honoured(&issued[..5], &dir, first_follower);

    // In a directory that knows nothing of the others, at another moment.
    let (_keep, elsewhere) = data_dir();
    let third = restore(&elsewhere, &elsewhere.lock().unwrap(), &copy, at(NOW + 60)).unwrap();
    assert!(third.epoch > second.epoch);
    let live = load(&mut Sqlite::open(&elsewhere.database()).unwrap());
    assert!(issued.iter().all(|trace| live.verdict(trace) == Verdict::Revoked));
}

#[test]
fn a_file_put_back_by_hand_needs_a_new_epoch() {
    let (keep, dir) = data_dir();
    let mut server = Running::start(&dir);
    server.issue("a", 3);
    let copy = keep.path().join("copy");
    backup(&dir.database(), &copy).unwrap();
    server.issue("b", 3);
    let (issued, follower) = (std::mem::take(&mut server.issued), server.index());
    drop(server);
    std::fs::copy(&copy, dir.database()).unwrap();
    let state = |dir: &DataDir| inspect_marker(dir, &mut Sqlite::open(&dir.database()).unwrap()).unwrap();
    assert!(matches!(state(&dir), MarkerState::Ahead { .. }), "though nothing was revoked meanwhile");
    let opened = open_epoch(&dir, &dir.lock().unwrap(), at(NOW), "put back by hand").unwrap();
    assert_eq!(state(&dir), MarkerState::Agrees);
    assert_eq!(opened.position, Position { epoch: opened.epoch, seq: 1 });
    nothing_is_honoured(&issued, &dir, follower);
}

#[test]
fn an_epoch_is_later_than_any_that_is_known_even_if_the_clock_is_slow() {
    let (keep, dir) = data_dir();
    drop(Running::start(&dir));
    let copy = keep.path().join("copy");
    backup(&dir.database(), &copy).unwrap();
    let lock = dir.lock().unwrap();
    let epochs: Vec<u32> =
        [NOW, 5, -5, NOW].map(|secs| restore(&dir, &lock, &copy, Timestamp(secs * 1000)).unwrap().epoch).into();
    assert!(epochs.is_sorted_by(|a, b| a < b), "by the marker: {epochs:?}");
    std::fs::remove_file(dir.marker()).unwrap();
    let Restored { epoch, before, .. } = open_epoch(&dir, &lock, at(5), "the marker was lost").unwrap();
    assert_eq!(Some(&before.epoch), epochs.last());
    assert!(epoch > before.epoch, "by the database");
}

#[test]
fn the_log_of_a_killed_server_is_not_played_into_the_restored_database() {
    let (keep, dir) = data_dir();
    let mut server = Running::start(&dir);
    server.issue("a", 3);
    let copy = keep.path().join("copy");
    backup(&dir.database(), &copy).unwrap();
    server.issue("b", 3);
    let log = dir.path().join("rescind.db-wal");
    let left = std::fs::read(&log).unwrap();
    assert!(!left.is_empty());
    drop(server);
    std::fs::write(&log, left).unwrap();
    let restored = restore(&dir, &dir.lock().unwrap(), &copy, at(NOW)).unwrap();
    let mut store = Sqlite::open(&dir.database()).unwrap();
    store.integrity_check().unwrap();
    assert_eq!(store.mark().unwrap().head, restored.position);
}

#[test]
fn a_bad_backup_changes_nothing() {
    let (keep, dir) = data_dir();
    let mut server = Running::start(&dir);
    let change = ClientChange::Put(Box::new(Client { name: "kept".repeat(20_000), ..client("c") }));
    let by = Initiator::Administrator("local".to_owned());
    let ticket = server.queue.submit(Lane::Issuing, move |door| door.change_client(&change, &by));
    server.writer.turn(&|| at(NOW));
    ticket.wait().unwrap();
    server.issue("a", 50);
    let copy = keep.path().join("copy");
    backup(&dir.database(), &copy).unwrap();
    drop(server);
    let lock = dir.lock().unwrap();
    let before = (std::fs::read(dir.database()).unwrap(), std::fs::read(dir.marker()).unwrap());

    let sound = std::fs::read(&copy).unwrap();
    let other = keep.path().join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (id INTEGER)").unwrap();
    let mut damaged = sound.clone();
    // Far behind the schema and what opening an epoch reads: only a look at every page finds it.
    let pages = damaged.len() / 4096;
    for page in damaged.chunks_mut(4096).skip(pages - 4) {
        page[..64].fill(0xff);
    }
    let bad = [
        Vec::new(),
        b"not a database".repeat(1000),
        sound[..sound.len() / 2].to_vec(),
        damaged,
        std::fs::read(&other).unwrap(),
    ];
    for (number, bytes) in bad.into_iter().enumerate() {
        std::fs::write(&copy, bytes).unwrap();
        let refused = restore(&dir, &lock, &copy, at(NOW));
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{number}: {refused:?}");
        let after = (std::fs::read(dir.database()).unwrap(), std::fs::read(dir.marker()).unwrap());
        assert!(after == before, "{number}");
    }
    assert!(restore(&dir, &lock, &keep.path().join("missing"), at(NOW)).is_err());
    let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["head", "lock", "rescind.db"], "nothing is left lying about");
}
