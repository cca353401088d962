//! What becomes of entries: effects, tallies, deliveries with their attempts, and the names of their moment.

use std::collections::BTreeMap;

use rescind_ledger::{
    Attempt, Delivery, DeliveryState, Effect, EntryFilter, Identity, Initiator, Outcome, Position, Reads, Reason,
    Tally, Target,
};

use super::{
    Backend,
    samples::{at, entry, grant, nth_entry, position, user},
    wait,
};

fn append<B: Backend>(backend: &mut B, seqs: std::ops::RangeInclusive<u64>) {
    backend.write(|tx| seqs.for_each(|seq| tx.append(&nth_entry(seq)).unwrap()));
}

fn delivery(seq: u64, receiver: &str) -> Delivery {
    Delivery::new(position(seq), receiver, "test", at(1))
}

fn tally(grants: u64) -> Tally {
    let by_client = BTreeMap::from([("c".to_owned(), 7)]);
    Tally { grants, by_client, access_tokens: 7, ..Tally::nothing() }
}

pub(crate) fn what_is_expanded_waits_until_it_is_complete<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=4);
    assert_eq!(wait(backend.reads().unexpanded(2)).unwrap(), [position(1), position(2)]);
    backend.write(|tx| tx.expanded_through(position(3)).unwrap());
    let mut backend = backend.reopened();
    assert_eq!(wait(backend.reads().unexpanded(9)).unwrap(), [position(4)]);
    assert_eq!(wait(backend.reads().outbox(9)).unwrap().len(), 4);
    backend.write(|tx| tx.complete_outbox(position(4)).unwrap());
    assert_eq!(wait(backend.reads().unexpanded(9)).unwrap(), []);
}

pub(crate) fn the_oldest_in_the_outbox_says_since_when_records_are_needed<B: Backend>() {
    let mut backend = B::fresh();
    let oldest = |backend: &mut B| backend.try_write(|tx| tx.oldest_in_outbox()).unwrap();
    assert_eq!(oldest(&mut backend), None);
    append(&mut backend, 1..=3);
    backend.write(|tx| tx.complete_outbox(position(1)).unwrap());
    assert_eq!(oldest(&mut backend), Some(nth_entry(2).time));
}

pub(crate) fn an_effect_is_found_by_any_position_in_its_stretch<B: Backend>() {
    let mut backend = B::fresh();
    let effect = |first, last| {
        let (first, last) = (position(first), position(last));
        Effect { first, last, durable_at: at(5), applied_at: at(6), at_latest: last == position(9) }
    };
    backend.write(|tx| [effect(2, 4), effect(8, 9)].iter().for_each(|it| tx.put_effect(it).unwrap()));
    let find = |seq| wait(backend.reads().find_effect(position(seq))).unwrap();
    assert_eq!([1, 5, 7, 10].map(find), [None; 4]);
    assert_eq!([2, 3, 4].map(find), [Some(effect(2, 4)); 3]);
    assert_eq!(find(9), Some(effect(8, 9)));
    assert_eq!(wait(backend.reads().find_effect(Position { epoch: 2, seq: 3 })).unwrap(), None);
}

pub(crate) fn a_tally_comes_back_as_it_was_and_is_kept_once<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        tx.put_tally(position(1), &tally(3)).unwrap();
        tx.put_tally(position(1), &tally(4)).unwrap();
    });
    assert_eq!(wait(backend.reads().find_tally(position(1))).unwrap(), Some(tally(3)));
    assert_eq!(wait(backend.reads().find_tally(position(2))).unwrap(), None);
}

pub(crate) fn there_is_one_delivery_of_an_entry_to_a_receiver<B: Backend>() {
    let mut backend = B::fresh();
    let first = delivery(1, "a");
    let again = Delivery { made_at: at(99), ..first.clone() };
    backend.write(|tx| {
        for one in [&first, &again, &delivery(1, "b"), &delivery(2, "a")] {
            tx.insert_delivery(one).unwrap();
        }
    });
    assert_eq!(wait(backend.reads().deliveries_of(position(1))).unwrap(), [first, delivery(1, "b")]);
    assert_eq!(wait(backend.reads().deliveries_of(position(3))).unwrap(), []);
}

pub(crate) fn attempts_are_rows_and_what_is_due_comes_longest_due_first<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| [1, 2, 3].into_iter().for_each(|seq| tx.insert_delivery(&delivery(seq, "a")).unwrap()));
    let due = |backend: &B, secs| {
        let due = wait(backend.reads().due_deliveries("a", at(secs), 9)).unwrap();
        due.iter().map(|it| it.position.seq).collect::<Vec<_>>()
    };
    assert_eq!((due(&backend, 0), due(&backend, 1).len()), (vec![], 3));
    let retry = Outcome::Retry { after: Some(std::time::Duration::from_secs(60)), why: "busy".to_owned() };
    let note = |backend: &mut B, seq, outcome: &Outcome, secs| {
        let found = backend.try_write(|tx| tx.find_delivery(position(seq), "a")).unwrap().unwrap();
        let (after, attempt) = found.after(outcome, at(secs), 0);
        backend.write(|tx| tx.put_attempt(&after, &attempt).unwrap());
        (after, attempt)
    };
    let (_, first) = note(&mut backend, 1, &retry, 2);
    note(&mut backend, 2, &Outcome::GiveUp { why: "no".to_owned() }, 3);
    assert_eq!(due(&backend, 5), [3]);
    assert_eq!(due(&backend, 100), [3, 1]);
    let (delivered, second) = note(&mut backend, 1, &Outcome::Delivered, 70);
    assert_eq!(wait(backend.reads().deliveries_of(position(1))).unwrap(), [delivered]);
    assert_eq!(wait(backend.reads().attempts_at(position(1), "a")).unwrap(), [first, second]);
    let standing = wait(backend.reads().standings()).unwrap().remove(0);
    assert_eq!((standing.receiver.as_str(), standing.kind.as_str()), ("a", "test"));
    assert_eq!((standing.pending, standing.gave_up), (1, 1));
    assert_eq!(standing.last, Some(Attempt { number: 2, at: at(70), error: None }));
}

pub(crate) fn every_receiver_stands_for_itself<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| ["b", "a", "c"].into_iter().for_each(|name| tx.insert_delivery(&delivery(1, name)).unwrap()));
    let done = Delivery {
        state: DeliveryState::Delivered,
        attempts: 1,
        last_at: Some(at(2)),
        next_at: None,
        ..delivery(1, "b")
    };
    backend.write(|tx| tx.put_attempt(&done, &Attempt { number: 1, at: at(2), error: None }).unwrap());
    let standings = wait(backend.reads().standings()).unwrap();
    let shown: Vec<_> = standings.iter().map(|it| (it.receiver.as_str(), it.pending, it.last.is_some())).collect();
    assert_eq!(shown, [("a", 1, false), ("b", 0, true), ("c", 1, false)]);
}

pub(crate) fn a_user_is_called_what_held_at_the_entry<B: Backend>() {
    let mut backend = B::fresh();
    let identity = |name: &str| Identity { user_name: name.to_owned(), email: None, display_name: None };
    let find =
        |backend: &B, seq| wait(backend.reads().find_identity("u1", position(seq))).unwrap().map(|it| it.user_name);
    assert_eq!(find(&backend, 1), None);
    backend.write(|tx| {
        tx.put_user(&user("u1", "third")).unwrap();
        tx.keep_identity("u1", position(3), &identity("first")).unwrap();
        tx.keep_identity("u1", position(3), &identity("between")).unwrap();
        tx.keep_identity("u1", position(5), &identity("second")).unwrap();
    });
    let called = |backend: &B| [1, 3, 4, 5, 6].map(|seq| find(backend, seq).unwrap_or_default());
    assert_eq!(called(&backend), ["first", "first", "second", "second", "third"]);
    backend.write(|tx| {
        tx.keep_identity("u1", position(7), &identity("third")).unwrap();
        tx.delete_user("u1").unwrap();
    });
    assert_eq!(called(&backend), ["first", "first", "second", "second", "third"]);
    assert_eq!(find(&backend, 8), None, "nobody was called anything by then");
}

pub(crate) fn what_becomes_of_an_entry_goes_with_it_and_not_before<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=3);
    let identity = Identity { user_name: "n".to_owned(), email: None, display_name: None };
    backend.write(|tx| {
        for seq in 1..=3 {
            let (first, last) = (position(seq), position(seq));
            tx.put_tally(first, &tally(seq)).unwrap();
            tx.put_effect(&Effect { first, last, durable_at: at(1), applied_at: at(1), at_latest: false }).unwrap();
            tx.keep_identity("u", first, &identity).unwrap();
        }
        tx.insert_delivery(&delivery(2, "a")).unwrap();
        tx.complete_outbox(position(3)).unwrap();
    });
    let left = |backend: &B, seq| {
        let reads = backend.reads();
        let effect = wait(reads.find_effect(position(seq))).unwrap().is_some();
        (wait(reads.find_tally(position(seq))).unwrap().is_some(), effect)
    };
    let forget = |backend: &mut B| backend.try_write(|tx| tx.forget(position(3), at(9), at(9), 100)).unwrap();
    forget(&mut backend);
    assert_eq!([1, 2, 3].map(|seq| left(&backend, seq)), [(false, false), (true, true), (false, false)]);
    assert_eq!(wait(backend.reads().entries_before(None, 9)).unwrap().len(), 1, "a delivery is pending");
    assert!(wait(backend.reads().find_identity("u", position(2))).unwrap().is_some());
    let (given_up, attempt) = delivery(2, "a").after(&Outcome::GiveUp { why: String::new() }, at(9), 0);
    backend.write(|tx| tx.put_attempt(&given_up, &attempt).unwrap());
    forget(&mut backend);
    assert_eq!(left(&backend, 2), (false, false));
    assert_eq!(wait(backend.reads().deliveries_of(position(2))).unwrap(), []);
    assert_eq!(wait(backend.reads().attempts_at(position(2), "a")).unwrap(), []);
    assert_eq!(wait(backend.reads().find_identity("u", position(1))).unwrap(), None);
}

pub(crate) fn a_record_that_is_still_to_be_counted_stays<B: Backend>() {
    let mut backend = B::fresh();
    let expiry = grant("g").expires_at;
    backend.write(|tx| tx.insert_grant(&grant("g")).unwrap());
    let none = Position { epoch: 0, seq: 0 };
    let mut forget =
        |counted_from| backend.try_write(|tx| tx.forget(none, at(1_000_000), counted_from, 9)).unwrap().rows;
    assert_eq!(forget(rescind_ledger::Timestamp(expiry.0 - 1)), 0, "it was alive then");
    assert_eq!(forget(expiry), 1);
}

pub(crate) fn entries_are_listed_by_what_is_asked_the_newest_first<B: Backend>() {
    let mut backend = B::fresh();
    let text = |text: &str| text.to_owned();
    backend.write(|tx| {
        for seq in 1..=6 {
            let target = if seq % 2 == 0 { Target::Everything } else { Target::Client { client: text("c") } };
            let initiator = if seq > 3 { Initiator::User(text("u")) } else { Initiator::System(text("s")) };
            let reason = if seq == 4 { Reason::Logout } else { Reason::Policy };
            let one = rescind_ledger::Entry {
                initiator,
                reason,
                time: at(i64::try_from(seq).unwrap()),
                ..entry(position(seq), target)
            };
            tx.append(&one).unwrap();
        }
    });
    let list = |filter: &EntryFilter, before: Option<u64>, limit| {
        let page = wait(backend.reads().entries_listed(filter, before.map(position), limit)).unwrap();
        (page.items.iter().map(|it| it.position.seq).collect::<Vec<_>>(), page.next)
    };
    let all = EntryFilter::default();
    assert_eq!(list(&all, None, 4), (vec![6, 5, 4, 3], Some(text("1-3"))));
    assert_eq!(list(&all, Some(3), 4), (vec![2, 1], None));
    assert_eq!(list(&EntryFilter { kind: Some("everything"), ..all.clone() }, None, 9), (vec![6, 4, 2], None));
    assert_eq!(list(&EntryFilter { kind: Some("everything"), ..all.clone() }, None, 2).0, [6, 4]);
    assert_eq!(list(&EntryFilter { reason: Some(Reason::Logout), ..all.clone() }, None, 9).0, [4]);
    assert_eq!(list(&EntryFilter { initiator: Some(text("s")), ..all.clone() }, None, 9).0, [3, 2, 1]);
    let between = EntryFilter { since: Some(at(2)), until: Some(at(5)), ..all.clone() };
    assert_eq!(list(&between, None, 9), (vec![4, 3, 2], None), "from then on, and before then");
    assert_eq!(list(&between, Some(3), 9).0, [2]);
    assert_eq!(list(&all, Some(77), 9), (vec![], None), "what the cursor named is gone");
}

pub(crate) fn entries_are_read_onward_a_page_at_a_time<B: Backend>() {
    let mut backend = B::fresh();
    append(&mut backend, 1..=3);
    backend.write(|tx| {
        tx.open_epoch(9, at(4)).unwrap();
        tx.append(&entry(Position { epoch: 9, seq: 1 }, Target::Everything)).unwrap();
    });
    let page = |after, limit| {
        let page = wait(backend.reads().entries_after(after, limit)).unwrap();
        page.iter().map(|entry| entry.position.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(Position { epoch: 0, seq: 0 }, 2), ["1-1", "1-2"]);
    assert_eq!(page(position(2), 9), ["1-3", "9-1"]);
}
