//! Pending orders and bulk jobs.

use rescind_ledger::{
    BulkAction, BulkFailure, BulkJob, BulkState, Initiator, Order, PendingOrder, PendingState, Position, Reads, Reason,
    StoreError, Target,
};

use super::{
    Backend,
    samples::{at, nth_entry, session},
    wait,
};

fn initiator() -> Initiator {
    Initiator::Administrator("é \"one\"".to_owned())
}

fn pending(id: &str, ordered: i64, state: PendingState) -> PendingOrder {
    let order = Order::new(Target::Client { client: id.to_owned() }, Reason::Policy, initiator());
    PendingOrder {
        id: id.to_owned(),
        order: Order { idempotency_key: Some(format!("key of {id}")), ..order },
        ordered_at: at(ordered),
        at: Some(at(1000 + ordered)),
        break_glass: None,
        approval: None,
        state,
    }
}

fn job(id: &str, ordered: i64, state: BulkState) -> BulkJob {
    BulkJob {
        id: id.to_owned(),
        action: BulkAction::Disable,
        reason: Reason::Policy,
        note: Some("a note".to_owned()),
        initiator: initiator(),
        ordered_at: at(ordered),
        break_glass: None,
        approval: None,
        state,
        total: 3,
        pieces: 2,
        next: 0,
        done: 0,
        failed: 0,
    }
}

pub(crate) fn pending_orders_are_found_by_id_by_key_and_by_time<B: Backend>() {
    let mut backend = B::fresh();
    let (late, early) = (pending("late", 2, PendingState::Scheduled), pending("early", 1, PendingState::Scheduled));
    let waiting = pending("waiting", 3, PendingState::Waiting { until: at(50) });
    backend.write(|tx| {
        for one in [&late, &early, &waiting] {
            tx.put_pending(one).unwrap();
        }
        assert_eq!(tx.find_pending("early").unwrap(), Some(early.clone()));
        assert_eq!(tx.find_pending_by_key(&initiator(), "key of late").unwrap(), Some(late.clone()));
        assert_eq!(tx.find_pending_by_key(&Initiator::User("x".into()), "key of late").unwrap(), None);
    });
    let mut backend = backend.reopened();
    let due = |backend: &B, now| wait(backend.reads().due_pending_orders(at(now), 9)).unwrap();
    assert_eq!(due(&backend, 49), []);
    assert_eq!(due(&backend, 1001), [waiting.clone(), early.clone()], "the longest due first");
    let over = PendingState::CarriedOut { at: at(1001), position: Position { epoch: 1, seq: 7 }, remark: None };
    let carried_out = PendingOrder { state: over, ..early };
    backend.write(|tx| tx.put_pending(&carried_out).unwrap());
    assert_eq!(due(&backend, 1001), std::slice::from_ref(&waiting));
    let list = |state, cursor: Option<&str>, limit| wait(backend.reads().pending_orders(state, cursor, limit)).unwrap();
    let first = list(None, None, 2);
    assert_eq!(first.items, [waiting, late.clone()], "the newest first");
    assert_eq!(list(None, first.next.as_deref(), 2).items, std::slice::from_ref(&carried_out));
    assert_eq!(list(Some("scheduled"), None, 9).items, [late]);
    assert_eq!(wait(backend.reads().find_pending_order("early")).unwrap(), Some(carried_out));
    assert_eq!(wait(backend.reads().find_pending_order("nobody")).unwrap(), None);
    assert!(matches!(wait(backend.reads().pending_orders(None, Some("x"), 1)), Err(StoreError::Cursor)));
}

pub(crate) fn a_key_stands_for_one_pending_order<B: Backend>() {
    let mut backend = B::fresh();
    let one = pending("one", 1, PendingState::Scheduled);
    backend.write(|tx| tx.put_pending(&one).unwrap());
    let other = PendingOrder { order: one.order.clone(), ..pending("other", 2, PendingState::Scheduled) };
    let taken = backend.try_write(|tx| tx.put_pending(&other));
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
}

pub(crate) fn a_bulk_job_keeps_its_list_its_progress_and_its_failures<B: Backend>() {
    let mut backend = B::fresh();
    let (one, other) = (job("one", 1, BulkState::Running), job("other", 2, BulkState::Waiting { until: at(9) }));
    let failure = |user: &str| BulkFailure { user: user.to_owned(), why: "é".to_owned() };
    backend.write(|tx| {
        tx.put_bulk(&other).unwrap();
        tx.put_bulk(&one).unwrap();
        tx.put_bulk_piece("one", 0, &["a\"".to_owned(), "b".to_owned()]).unwrap();
        tx.put_bulk_piece("one", 1, &["c".to_owned()]).unwrap();
        tx.put_bulk_failure("one", 2, &failure("c")).unwrap();
        tx.put_bulk_failure("one", 0, &failure("a\"")).unwrap();
        assert_eq!(tx.find_bulk("one").unwrap(), Some(one.clone()));
        assert_eq!(tx.find_bulk("nobody").unwrap(), None);
    });
    let mut backend = backend.reopened();
    assert_eq!(wait(backend.reads().bulk_piece("one", 0)).unwrap(), ["a\"", "b"]);
    assert_eq!(wait(backend.reads().bulk_piece("one", 2)).unwrap(), Vec::<String>::new());
    assert_eq!(wait(backend.reads().open_bulk_jobs()).unwrap(), [one.clone(), other.clone()], "the oldest first");
    let first = wait(backend.reads().bulk_failures("one", None, 1)).unwrap();
    assert_eq!(first.items, [failure("a\"")]);
    assert_eq!(wait(backend.reads().bulk_failures("one", first.next.as_deref(), 1)).unwrap().items, [failure("c")]);
    let done = BulkJob { state: BulkState::Done { at: at(5) }, done: 1, failed: 2, next: 2, ..one };
    backend.write(|tx| tx.put_bulk(&done).unwrap());
    assert_eq!(wait(backend.reads().open_bulk_jobs()).unwrap(), std::slice::from_ref(&other));
    let page = wait(backend.reads().bulk_jobs(None, 1)).unwrap();
    assert_eq!(page.items, [other]);
    assert_eq!(wait(backend.reads().bulk_jobs(page.next.as_deref(), 1)).unwrap().items, std::slice::from_ref(&done));
    assert_eq!(wait(backend.reads().find_bulk_job("one")).unwrap(), Some(done));
}

pub(crate) fn only_what_was_over_before_a_moment_is_forgotten<B: Backend>() {
    let mut backend = B::fresh();
    let withdrawn = |closed| PendingState::Withdrawn { at: at(closed), by: initiator() };
    backend.write(|tx| {
        for one in [pending("old", 1, withdrawn(10)), pending("young", 2, withdrawn(20))] {
            tx.put_pending(&one).unwrap();
        }
        tx.put_pending(&pending("open", 3, PendingState::Scheduled)).unwrap();
        for (id, state) in [("old", BulkState::Done { at: at(10) }), ("open", BulkState::Running)] {
            tx.put_bulk(&job(id, 1, state)).unwrap();
            tx.put_bulk_piece(id, 0, &["u".to_owned()]).unwrap();
            tx.put_bulk_failure(id, 0, &BulkFailure { user: "u".to_owned(), why: "w".to_owned() }).unwrap();
        }
        assert_eq!(tx.forget_closed(at(20), 9).unwrap(), 2);
        assert_eq!(tx.forget_closed(at(20), 9).unwrap(), 0);
    });
    let kept = wait(backend.reads().pending_orders(None, None, 9)).unwrap().items;
    assert_eq!(kept.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["open", "young"]);
    for (id, kept) in [("old", 0), ("open", 1)] {
        assert_eq!(wait(backend.reads().bulk_piece(id, 0)).unwrap().len(), kept, "{id}");
        assert_eq!(wait(backend.reads().bulk_failures(id, None, 9)).unwrap().items.len(), kept, "{id}");
    }
}

pub(crate) fn a_part_of_a_job_is_undone_by_itself<B: Backend>() {
    let mut backend = B::fresh();
    let mark = backend.write(|tx| {
        tx.append(&nth_entry(1)).unwrap();
        tx.begin_job().unwrap();
        tx.append(&nth_entry(2)).unwrap();
        tx.undo_job().unwrap();
        tx.begin_job().unwrap();
        tx.append(&nth_entry(2)).unwrap();
        tx.keep_job().unwrap();
    });
    assert_eq!(mark.head.seq, 2);
    let undone: Result<(), _> = backend.try_write(|tx| {
        tx.begin_job()?;
        tx.append(&nth_entry(3))?;
        tx.keep_job()?;
        Err(StoreError::Conflict("something else"))
    });
    assert!(undone.is_err());
    assert_eq!(backend.store().mark().unwrap().head.seq, 2, "what a part has kept goes with the whole");
}

pub(crate) fn live_sessions_are_counted_as_far_as_asked<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for number in 0..5 {
            tx.insert_session(&session(&format!("s{number}"))).unwrap();
        }
        tx.settle_session("s0").unwrap();
    });
    let count = |most| wait(backend.reads().live_sessions(most)).unwrap();
    assert_eq!((count(2), count(4), count(99)), (2, 4, 4));
}
