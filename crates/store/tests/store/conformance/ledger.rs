//! Entries, epochs, transactions and jobs.

use rescind_ledger::{Entry, Initiator, KeyedOrder, Position, Reads, Reason, StoreError, Target};

use super::{
    Backend,
    samples::{at, entry, grant, nth_entry, position},
    wait,
};

fn ledger<B: Backend>(backend: &mut B) -> Vec<Entry> {
    let mut entries = Vec::new();
    backend.store().entries_after(Position { epoch: 0, seq: 0 }, &mut |entry| entries.push(entry)).unwrap();
    entries
}

fn append<B: Backend>(backend: &mut B, seqs: std::ops::RangeInclusive<u64>) {
    backend.write(|tx| seqs.for_each(|seq| tx.append(&nth_entry(seq)).unwrap()));
}

pub(crate) fn entries_come_back_as_they_were_appended<B: Backend>() {
    let mut backend = B::fresh();
    let text = |text: &str| text.to_owned();
    let targets = [
        Target::Everything,
        Target::Token { token: text("jti with \"quotes\" and ünïcode") },
        Target::SubjectClient { issuer: text("https://i"), subject: text("u"), client: text("c") },
        Target::DeviceClient { device: text("d"), client: text("c") },
    ];
    let mut written = Vec::new();
    for (seq, target) in (1..).zip(targets) {
        let reason = Reason::ALL[usize::try_from(seq).unwrap()];
        let initiator = Initiator::Source(text("mdm"));
        let before = target.is_living().then(|| at(i64::try_from(seq).unwrap() - 3));
        let note = Some(format!("note\n{seq}"));
        written.push(Entry { reason, initiator, note, before, ..entry(position(seq), target) });
    }
    let mark = backend.write(|tx| written.iter().for_each(|entry| tx.append(entry).unwrap()));
    assert_eq!(mark.head, position(4));
    assert_eq!(ledger(&mut backend), written);
    let mut backend = backend.reopened();
    assert_eq!(ledger(&mut backend), written);
    assert_eq!(backend.store().mark().unwrap(), mark);
    for entry in &written {
        assert_eq!(wait(backend.reads().find_entry(entry.position)).unwrap().as_ref(), Some(entry));
    }
    assert_eq!(wait(backend.reads().find_entry(position(5))).unwrap(), None);
}

pub(crate) fn entries_are_read_from_both_ends<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=3);
    backend.write(|tx| {
        tx.open_epoch(9, at(4)).unwrap();
        tx.append(&entry(Position { epoch: 9, seq: 1 }, Target::Everything)).unwrap();
    });
    let mut after = Vec::new();
    backend.store().entries_after(position(2), &mut |entry| after.push(entry.position.to_string())).unwrap();
    assert_eq!(after, ["1-3", "9-1"]);
    let before = |from, limit| {
        let entries = wait(backend.reads().entries_before(from, limit)).unwrap();
        entries.iter().map(|entry| entry.position.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(before(None, 3), ["9-1", "1-3", "1-2"]);
    assert_eq!(before(Some(Position { epoch: 9, seq: 1 }), 9), ["1-3", "1-2", "1-1"]);
    assert_eq!(before(Some(position(1)), 9), [""; 0]);
}

pub(crate) fn an_undone_job_leaves_no_trace<B: Backend>() {
    let mut backend = B::fresh();
    let mark = backend.store().transact(&mut |tx| {
        tx.begin_job()?;
        tx.append(&nth_entry(1))?;
        tx.keep_job()?;
        tx.begin_job()?;
        tx.append(&nth_entry(2))?;
        tx.remember_idempotent(&nth_entry(2), "key")?;
        tx.insert_grant(&grant("undone"))?;
        tx.undo_job()?;
        tx.begin_job()?;
        tx.append(&entry(position(2), Target::Everything))?;
        tx.keep_job()?;
        tx.begin_job()?;
        tx.append(&nth_entry(3))?;
        tx.undo_job()
    });
    assert_eq!(mark.unwrap().head, position(2));
    assert_eq!(ledger(&mut backend), [nth_entry(1), entry(position(2), Target::Everything)]);
    assert_eq!(wait(backend.reads().outbox(9)).unwrap(), [position(1), position(2)]);
    assert_eq!(wait(backend.reads().find_grant("undone")).unwrap(), None);
    let initiator = nth_entry(2).initiator;
    assert_eq!(backend.try_write(|tx| tx.find_idempotent(&initiator, "key")).unwrap(), None);
}

pub(crate) fn an_undone_epoch_was_never_opened<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=2);
    let mark = backend.store().transact(&mut |tx| {
        tx.begin_job()?;
        tx.open_epoch(5, at(3))?;
        tx.append(&entry(Position { epoch: 5, seq: 1 }, Target::Everything))?;
        tx.undo_job()?;
        tx.begin_job()?;
        tx.append(&nth_entry(3))?;
        tx.keep_job()
    });
    assert_eq!(mark.unwrap().head, position(3));
    assert_eq!(backend.reopened().store().epochs().unwrap().0, [(1, 3)]);
}

pub(crate) fn a_failed_transaction_leaves_nothing<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=1);
    let before = backend.store().mark().unwrap();
    let failed = backend.store().transact(&mut |tx| {
        tx.begin_job()?;
        tx.append(&nth_entry(2))?;
        tx.insert_grant(&grant("lost"))?;
        tx.keep_job()?;
        Err(StoreError::Unavailable("the disk is gone".to_owned()))
    });
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    assert_eq!(backend.store().mark().unwrap(), before);
    assert_eq!(ledger(&mut backend), [nth_entry(1)]);
    assert_eq!(wait(backend.reads().find_grant("lost")).unwrap(), None);
    // And the next transaction is one of its own.
    append(&mut backend, 2..=2);
    backend.store().reopen().unwrap();
    assert_eq!(ledger(&mut backend), [nth_entry(1), nth_entry(2)]);
}

pub(crate) fn a_conflict_spares_the_neighbours_of_its_job<B: Backend>() {
    let mut backend = B::fresh();
    backend
        .store()
        .transact(&mut |tx| {
            for id in ["first", "first", "second"] {
                tx.begin_job()?;
                match tx.insert_grant(&grant(id)) {
                    Ok(()) => tx.keep_job()?,
                    Err(StoreError::Conflict(_)) => tx.undo_job()?,
                    Err(other) => return Err(other),
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(wait(backend.reads().find_grant("first")).unwrap().is_some());
    assert!(wait(backend.reads().find_grant("second")).unwrap().is_some());
}

pub(crate) fn every_transaction_is_counted<B: Backend>() {
    let mut backend = B::fresh();
    assert_eq!(backend.store().mark().unwrap().commits, 0);
    backend.write(|_| ());
    assert_eq!(backend.write(|tx| tx.insert_grant(&grant("g")).unwrap()).commits, 2);
    let _ = backend.store().transact(&mut |_| Err(StoreError::Unavailable(String::new())));
    assert_eq!(backend.reopened().store().mark().unwrap().commits, 2);
}

pub(crate) fn a_place_in_the_ledger_is_taken_once_and_in_turn<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=2);
    for taken in [1, 2] {
        let again = backend.try_write(|tx| tx.append(&nth_entry(taken)));
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let gap = backend.try_write(|tx| tx.append(&nth_entry(4)));
    assert!(matches!(gap, Err(StoreError::Corrupt { .. })), "{gap:?}");
    append(&mut backend, 3..=3);
    assert_eq!(ledger(&mut backend).len(), 3);
}

pub(crate) fn epochs_go_up_and_survive_reopening<B: Backend>() {
    let mut backend = B::fresh();
    assert_eq!(backend.store().epochs().unwrap(), (vec![(1, 0)], Position::START));
    assert_eq!(backend.store().mark().unwrap().head, Position::START);
    append(&mut backend, 1..=3);
    let mark = backend.write(|tx| {
        tx.append(&nth_entry(4)).unwrap();
        tx.open_epoch(7, at(5)).unwrap();
        tx.append(&entry(Position { epoch: 7, seq: 1 }, Target::Everything)).unwrap();
    });
    assert_eq!(mark.head, Position { epoch: 7, seq: 1 });
    for again in [1, 6, 7] {
        let again = backend.try_write(|tx| tx.open_epoch(again, at(6)));
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
    let mut backend = backend.reopened();
    assert_eq!(backend.store().mark().unwrap(), rescind_ledger::Mark { commits: 5, ..mark });
    assert_eq!(backend.store().epochs().unwrap().0, [(1, 4), (7, 1)]);
}

pub(crate) fn an_idempotency_key_finds_its_order<B: Backend>() {
    let mut backend = B::fresh();
    let entry = nth_entry(1);
    let conditioned = Entry { before: Some(at(-5)), ..self::entry(position(2), Target::Everything) };
    backend.write(|tx| {
        for (entry, key) in [(&entry, "k"), (&conditioned, "before")] {
            tx.append(entry).unwrap();
            tx.remember_idempotent(entry, key).unwrap();
        }
    });
    let mut find =
        |initiator: &Initiator, key: &str| backend.try_write(|tx| tx.find_idempotent(initiator, key)).unwrap();
    for (entry, key) in [(&entry, "k"), (&conditioned, "before")] {
        let Entry { position, target, before, .. } = entry.clone();
        assert_eq!(find(&entry.initiator, key), Some(KeyedOrder { position, target, before }));
    }
    assert_eq!(find(&entry.initiator, "K"), None);
    assert_eq!(find(&Initiator::Client("local".to_owned()), "k"), None, "another's key is another key");
    let again = backend.try_write(|tx| tx.remember_idempotent(&entry, "k"));
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

pub(crate) fn the_outbox_holds_what_is_not_complete<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=5);
    assert_eq!(wait(backend.reads().outbox(2)).unwrap(), [position(1), position(2)]);
    backend.write(|tx| tx.complete_outbox(position(3)).unwrap());
    assert_eq!(wait(backend.reads().outbox(9)).unwrap(), [position(4), position(5)]);
    assert_eq!(ledger(&mut backend).len(), 5, "what is told is still so");
}

pub(crate) fn the_newest_entry_before_a_moment_is_found<B: Backend>() {
    let mut backend = B::fresh();
    let mut newest = |secs| backend.try_write(|tx| tx.newest_entry_before(at(secs))).unwrap();
    assert_eq!(newest(100), None);
    append(&mut backend, 1..=5);
    let mut newest = |secs| backend.try_write(|tx| tx.newest_entry_before(at(secs))).unwrap();
    assert_eq!(newest(1), None, "before, not at");
    assert_eq!(newest(4), Some(position(3)));
    assert_eq!(newest(100), Some(position(5)));
}
