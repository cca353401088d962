//! Forgetting: what can still matter stays.

use rescind_ledger::{Filter, Position, PushedRequest, Reads, StoreError, Use};

use super::{
    Backend,
    samples::{
        access_token, at, authentication, code, consent, grant, hash, nth_entry, position, pushed_request,
        refresh_token, session,
    },
    wait,
};

const NOTHING: Position = Position { epoch: 0, seq: 0 };

/// One of each kind under a name, all of which expire at second `expires`.
fn insert_all<B: Backend>(backend: &mut B, name: &str, expires: i64) {
    backend.write(|tx| {
        let mut session = session(name);
        session.expires_at = at(expires);
        tx.insert_session(&session).unwrap();
        tx.settle_session(name).unwrap();
        tx.insert_authentication(&authentication(name, 100)).unwrap();
        let mut grant = grant(name);
        grant.expires_at = at(expires);
        tx.insert_grant(&grant).unwrap();
        tx.insert_access_token(&access_token(name, &grant)).unwrap();
        let mut refresh = refresh_token(name, name);
        refresh.expires_at = at(expires);
        tx.insert_refresh_token(&refresh).unwrap();
        tx.use_refresh_token(&refresh.hash, at(110)).unwrap();
        let mut code = code(name);
        code.expires_at = at(expires);
        tx.insert_code(&code).unwrap();
        tx.use_code(&code.hash, at(110)).unwrap();
        let mut pushed = pushed_request(name);
        pushed.expires_at = at(expires);
        tx.insert_pushed_request(&pushed).unwrap();
        tx.use_pushed_request(&pushed.handle, at(110)).unwrap();
        let mut consent = consent(100);
        (consent.client, consent.expires_at) = (name.to_owned(), at(expires));
        tx.insert_consent(&consent).unwrap();
        tx.use_assertion(name, "jti", at(expires)).unwrap();
    });
}

/// How many of the ten facts about a name are still there.
fn remaining<B: Backend>(backend: &mut B, name: &str) -> usize {
    let reads = backend.reads();
    let there = [
        wait(reads.find_session(name)).unwrap().is_some(),
        !wait(reads.authentications(name)).unwrap().is_empty(),
        wait(reads.find_grant(name)).unwrap().is_some(),
        wait(reads.find_access_token(&hash(name))).unwrap().is_some(),
        wait(reads.find_refresh_token(&hash(name))).unwrap().is_some(),
        wait(reads.refresh_token_used(&hash(name))).unwrap(),
        wait(reads.find_code(&hash(name))).unwrap().is_some(),
        wait(reads.find_pushed_request(&hash(name))).unwrap().is_some(),
        !wait(reads.consents("u", name)).unwrap().is_empty(),
    ];
    // Asked inside a job that is undone, so that asking leaves nothing behind.
    let mut known = false;
    let asked = backend.store().transact(&mut |tx| {
        tx.begin_job()?;
        known = tx.use_assertion(name, "jti", at(0))? != Use::First;
        tx.undo_job()
    });
    asked.unwrap();
    there.into_iter().chain([known]).filter(|there| *there).count()
}

pub(crate) fn what_has_expired_goes_and_nothing_else<B: Backend>() {
    let mut backend = B::fresh();
    insert_all(&mut backend, "short", 500);
    insert_all(&mut backend, "long", 501);
    let early = backend.try_write(|tx| tx.forget(NOTHING, at(499), at(499), 100)).unwrap();
    assert_eq!((early.rows, early.more), (0, false));
    assert_eq!((remaining(&mut backend, "short"), remaining(&mut backend, "long")), (10, 10));
    let swept = backend.try_write(|tx| tx.forget(NOTHING, at(500), at(500), 100)).unwrap();
    assert!(swept.rows >= 8 && !swept.more, "{swept:?}");
    assert_eq!((remaining(&mut backend, "short"), remaining(&mut backend, "long")), (0, 10));
    for again in [
        backend.try_write(|tx| tx.use_code(&hash("long"), at(600))),
        backend.try_write(|tx| tx.use_refresh_token(&hash("long"), at(600))),
        backend.try_write(|tx| tx.use_pushed_request(&hash("long"), at(600))),
    ] {
        assert_eq!(again.unwrap(), Use::Before { at: at(110) }, "a use stays as long as what was used");
    }
}

pub(crate) fn requests_that_wait_for_their_answer_are_counted<B: Backend>() {
    let mut backend = B::fresh();
    assert_eq!(backend.store().pending_requests().unwrap(), 0);
    backend.write(|tx| {
        for (name, expires) in
            [("answered", 500), ("given up", 500), ("answered late", 501), ("late", 501), ("later", 502)]
        {
            let pushed = PushedRequest { expires_at: at(expires), ..pushed_request(name) };
            tx.insert_pushed_request(&pushed).unwrap();
        }
        for name in ["answered", "answered late"] {
            tx.use_pushed_request(&hash(name), at(110)).unwrap();
        }
    });
    assert_eq!(backend.store().pending_requests().unwrap(), 3);
    for (moment, left) in [(499, 3), (500, 2), (501, 1), (502, 0)] {
        let swept = backend.try_write(|tx| tx.forget(NOTHING, at(moment), at(moment), 100)).unwrap();
        assert_eq!((swept.pending, backend.store().pending_requests().unwrap()), (left, left), "{moment}");
    }
}

pub(crate) fn a_session_stays_until_its_end_is_written_down<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        tx.insert_session(&session("s")).unwrap();
        tx.insert_authentication(&authentication("s", 100)).unwrap();
    });
    let late = at(100_000);
    assert_eq!(backend.try_write(|tx| tx.forget(NOTHING, late, late, 100)).unwrap().rows, 0);
    assert_eq!(wait(backend.reads().due_sessions(late, 10)).unwrap().len(), 1);
    assert_eq!(wait(backend.reads().authentications("s")).unwrap().len(), 1);
    backend.write(|tx| tx.settle_session("s").unwrap());
    assert_eq!(backend.try_write(|tx| tx.forget(NOTHING, late, late, 100)).unwrap().rows, 1);
    assert_eq!(wait(backend.reads().find_session("s")).unwrap(), None);
    assert_eq!(wait(backend.reads().authentications("s")).unwrap(), []);
}

pub(crate) fn a_round_of_forgetting_is_bounded_and_says_so<B: Backend>() {
    let mut backend = B::fresh();
    for number in 0..7 {
        insert_all(&mut backend, &format!("n{number}"), 500 + number);
    }
    let left = |backend: &B| wait(backend.reads().grants(&Filter::default(), None, 100)).unwrap().items.len();
    let mut rounds = Vec::new();
    loop {
        let swept = backend.try_write(|tx| tx.forget(NOTHING, at(600), at(600), 3)).unwrap();
        rounds.push(left(&backend));
        if !swept.more {
            break;
        }
    }
    assert_eq!(rounds, [4, 1, 0]);
}

pub(crate) fn entries_above_the_floor_or_in_the_outbox_stay<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| (1..=9).for_each(|seq| tx.append(&nth_entry(seq)).unwrap()));
    backend.write(|tx| tx.complete_outbox(position(4)).unwrap());
    let kept = |backend: &B| {
        let entries = wait(backend.reads().entries_before(None, 100)).unwrap();
        entries.into_iter().rev().map(|entry| entry.position.seq).collect::<Vec<_>>()
    };
    let first = backend.try_write(|tx| tx.forget(position(6), at(100), at(100), 3)).unwrap();
    assert!(first.more);
    assert_eq!(kept(&backend), [4, 5, 6, 7, 8, 9], "the oldest first");
    let second = backend.try_write(|tx| tx.forget(position(6), at(100), at(100), 3)).unwrap();
    assert!(!second.more);
    assert_eq!(kept(&backend), [5, 6, 7, 8, 9], "5 and 6 are still to be told");
    backend.write(|tx| tx.complete_outbox(position(9)).unwrap());
    backend.write(|tx| {
        tx.forget(position(6), at(100), at(100), 3).unwrap();
    });
    assert_eq!(kept(&backend), [7, 8, 9]);
}

pub(crate) fn an_idempotency_key_lives_as_long_as_its_entry<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for seq in 1..=3 {
            tx.append(&nth_entry(seq)).unwrap();
            tx.remember_idempotent(&nth_entry(seq), &format!("k{seq}")).unwrap();
        }
    });
    backend.write(|tx| tx.complete_outbox(position(1)).unwrap());
    backend.write(|tx| {
        tx.forget(position(2), at(100), at(100), 10).unwrap();
    });
    let initiator = nth_entry(1).initiator;
    let mut known = |key: &str| backend.try_write(|tx| tx.find_idempotent(&initiator, key)).unwrap().is_some();
    assert!(!known("k1"));
    assert!(known("k2"), "its entry waits in the outbox");
    assert!(known("k3"));
}

pub(crate) fn the_floor_survives_reopening_and_never_sinks<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| (1..=5).for_each(|seq| tx.append(&nth_entry(seq)).unwrap()));
    assert_eq!(backend.store().epochs().unwrap().1, Position::START);
    for (floor, stands_at) in [(NOTHING, Position::START), (position(3), position(3)), (position(2), position(3))] {
        backend.write(|tx| {
            tx.forget(floor, at(0), at(0), 1).unwrap();
        });
        assert_eq!(backend.store().epochs().unwrap().1, stands_at);
    }
    assert_eq!(backend.reopened().store().epochs().unwrap(), (vec![(1, 5)], position(3)));
}

pub(crate) fn the_head_survives_the_forgetting_of_every_entry<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| (1..=5).for_each(|seq| tx.append(&nth_entry(seq)).unwrap()));
    backend.write(|tx| {
        tx.complete_outbox(position(5)).unwrap();
        tx.forget(position(5), at(100), at(100), 100).unwrap();
    });
    let mut backend = backend.reopened();
    assert_eq!(wait(backend.reads().entries_before(None, 9)).unwrap(), []);
    let again = backend.try_write(|tx| tx.append(&nth_entry(5)));
    assert!(
        matches!(again, Err(StoreError::Conflict(_))),
        "a place is taken even if its entry is forgotten: {again:?}"
    );
    assert_eq!(backend.write(|tx| tx.append(&nth_entry(6)).unwrap()).head, position(6));
}

pub(crate) fn what_was_used_and_forgotten_cannot_be_used_again<B: Backend>() {
    let mut backend = B::fresh();
    insert_all(&mut backend, "n", 500);
    backend.write(|tx| {
        tx.forget(NOTHING, at(500), at(500), 100).unwrap();
    });
    for again in [
        backend.try_write(|tx| tx.use_code(&hash("n"), at(500))),
        backend.try_write(|tx| tx.use_refresh_token(&hash("n"), at(500))),
        backend.try_write(|tx| tx.use_pushed_request(&hash("n"), at(500))),
    ] {
        assert_ne!(again.unwrap(), Use::First, "whoever read it a moment ago");
    }
}
