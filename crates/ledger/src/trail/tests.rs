use proptest::prelude::*;

use super::*;
use crate::{Action, Entry, Initiator, Reason, Target, Timestamp};

/// What the text of a record says; its number and time are put in front.
fn body(seq: u64, at: i64, rest: &str) -> String {
    format!(r#"{{"seq":{seq},"at":{at},{rest}}}"#)
}

fn refusal(what: &str) -> String {
    format!(r#""action":"refusal","what":{},"outcome":"invalid_client""#, serde_json::to_string(what).unwrap())
}

fn order(position: &str, session: &str) -> String {
    format!(
        r#""action":"order","actor":{{"kind":"client","id":"web"}},"target":{{"kind":"session","session":"{session}"}},"reason":"logout","outcome":"ended","position":"{position}""#
    )
}

/// A sound chain of records that say these things.
fn chain(start: AuditHead, says: &[String]) -> Vec<AuditRecord> {
    let mut head = start;
    says.iter()
        .map(|rest| {
            let at = i64::try_from(head.seq).unwrap() * 10;
            let body = body(head.seq + 1, at, rest);
            head = head.follow(&body);
            AuditRecord { seq: head.seq, at: Timestamp(at), body, hash: head.hash }
        })
        .collect()
}

fn head_of(record: &AuditRecord) -> AuditHead {
    AuditHead { seq: record.seq, hash: record.hash }
}

/// Checks it whole, the end vouched for by a head.
fn check(records: &[AuditRecord], end: Option<AuditHead>) -> TrailReport {
    let mut check = TrailCheck::begin(AuditHead::START, true);
    if let Some(end) = end {
        check.vouch(end, "the newest signed head");
    }
    records.iter().for_each(|record| check.take(record));
    check.finish()
}

fn refusals(count: usize) -> Vec<AuditRecord> {
    let says: Vec<String> = (0..count).map(|number| refusal(&number.to_string())).collect();
    chain(AuditHead::START, &says)
}

#[test]
fn a_sound_trail_has_no_fault() {
    let records = refusals(5);
    let report = check(&records, Some(head_of(&records[4])));
    assert_eq!((report.faults, report.records, report.heads), (Vec::new(), 5, 1));
    assert_eq!(report.end, head_of(&records[4]));
    assert_eq!(check(&[], None).faults, []);
}

#[test]
fn each_way_to_spoil_a_trail_is_told_by_its_name_and_number() {
    let sound = refusals(5);
    let end = Some(head_of(&sound[4]));
    let spoilt = |spoil: &dyn Fn(&mut Vec<AuditRecord>)| {
        let mut records = sound.clone();
        spoil(&mut records);
        check(&records, end).faults
    };
    let told = spoilt(&|records| drop(records.remove(2)));
    assert_eq!(told, [TrailFault::Missing { first: 3, last: 3 }]);
    assert_eq!(told[0].to_string(), "record 3 is missing");
    assert_eq!(spoilt(&|records| records[2].body = body(3, 20, &refusal("x"))), [TrailFault::Altered { seq: 3 }]);
    assert_eq!(spoilt(&|records| records[2].hash = Hash::of("x"))[0], TrailFault::Altered { seq: 3 });
    assert_eq!(spoilt(&|records| records.swap(2, 3)), [TrailFault::OutOfPlace { seq: 3, expected: 5 }]);
    let twice = |records: &mut Vec<AuditRecord>| records.insert(3, records[2].clone());
    assert_eq!(spoilt(&twice), [TrailFault::OutOfPlace { seq: 3, expected: 4 }]);
    let told = spoilt(&|records| records.truncate(3));
    let witness = "the newest signed head".to_owned();
    assert_eq!(told, [TrailFault::CutOff { last: 3, seq: 5, witness }]);
    assert_eq!(spoilt(&|records| records.drain(..2).for_each(drop))[0], TrailFault::Missing { first: 1, last: 2 });
    let what = "has another time in its text";
    assert_eq!(spoilt(&|records| records[1].at = Timestamp(11)), [TrailFault::Inside { seq: 2, what }]);
}

#[test]
fn a_chain_made_anew_contradicts_the_heads_and_the_fault_says_from_where() {
    let sound = refusals(6);
    let mut says: Vec<String> = (0..6).map(|number| refusal(&number.to_string())).collect();
    says[3] = refusal("forged");
    let forged = chain(AuditHead::START, &says);
    let mut check = TrailCheck::begin(AuditHead::START, true);
    for place in [1, 4, 5] {
        check.vouch(head_of(&sound[place]), format!("head {}", place + 1));
    }
    forged.iter().for_each(|record| check.take(record));
    let report = check.finish();
    assert_eq!(report.heads, 1);
    assert_eq!(report.faults[0], TrailFault::Contradicted { seq: 5, after: 2, witness: "head 5".to_owned() });
    assert!(report.faults[0].to_string().contains("the records 3 to 5"), "{}", report.faults[0]);
}

#[test]
fn a_beginning_that_was_dropped_has_to_be_accounted_for() {
    let all = refusals(4);
    let start = head_of(&all[1]);
    let verdict = |says: &[String], whole| {
        let mut check = TrailCheck::begin(start, whole);
        chain(start, says).iter().for_each(|record| check.take(record));
        check.finish().faults
    };
    let told = r#""action":"forget","what":"records through 2","outcome":"forgotten""#.to_owned();
    assert_eq!(verdict(&[refusal("a"), told.clone()], true), []);
    let less = told.replace("through 2", "through 1");
    assert_eq!(verdict(&[refusal("a"), less], true), [TrailFault::Unaccounted { start: 2 }]);
    assert_eq!(verdict(&[refusal("a")], true), [TrailFault::Unaccounted { start: 2 }]);
    assert_eq!(verdict(&[refusal("a")], false), [], "an excerpt claims nothing about what is before it");
}

#[test]
fn heads_of_what_was_forgotten_are_let_be_and_the_one_at_the_beginning_is_compared() {
    let all = refusals(4);
    let mut check = TrailCheck::begin(head_of(&all[1]), false);
    check.vouch(head_of(&all[0]), "an old head");
    check.vouch(head_of(&all[1]), "the head at the beginning");
    check.vouch(AuditHead { seq: 2, hash: Hash::of("x") }, "a forged head");
    check.take(&all[2]);
    check.vouch(head_of(&all[1]), "a head that comes late");
    let report = check.finish();
    assert_eq!(report.heads, 1);
    assert!(matches!(report.faults[0], TrailFault::Contradicted { seq: 2, .. }), "{:?}", report.faults);
    assert!(matches!(report.faults[1], TrailFault::HeadOutOfPlace { seq: 2, at: 3, .. }), "{:?}", report.faults);
}

fn position(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

/// A ledger with sessions ended at these positions, as `order` has them.
fn ledger(floor: u64, head: u64, entries: &[(u64, &str, i64)]) -> EntrySet {
    let mut set = EntrySet::new(position(floor), position(head));
    for (seq, session, at) in entries {
        set.add(&Entry {
            position: position(*seq),
            time: Timestamp(*at),
            target: Target::Session { session: (*session).to_owned() },
            reason: Reason::Logout,
            initiator: Initiator::Client("web".to_owned()),
            note: None,
            before: None,
        });
    }
    set
}

fn against(ledger: EntrySet, start: AuditHead, says: &[String]) -> TrailReport {
    let mut check = TrailCheck::begin(start, false).with_ledger(ledger);
    chain(start, says).iter().for_each(|record| check.take(record));
    check.finish()
}

#[test]
fn every_entry_has_its_order_and_every_order_its_entry() {
    let says = [order("1-1", "a"), refusal("x"), order("1-2", "b")];
    let sound = against(ledger(0, 2, &[(1, "a", 0), (2, "b", 20)]), AuditHead::START, &says);
    assert_eq!((sound.faults, sound.entries), (Vec::new(), Some(2)));
    let faults = |ledger| against(ledger, AuditHead::START, &says).faults;
    let gone = TrailFault::NoEntry { seq: 1, position: position(1) };
    assert_eq!(faults(ledger(0, 2, &[(2, "b", 20)])), [gone]);
    assert_eq!(faults(ledger(1, 2, &[(2, "b", 20)])), [], "it was forgotten");
    assert_eq!(faults(ledger(0, 1, &[(1, "a", 0)])), [], "the second came after the ledger was read");
    let other = [(1, "a", 0), (2, "c", 20)];
    assert_eq!(faults(ledger(0, 2, &other)), [TrailFault::Differs { seq: 3, position: position(2) }]);
    let more = [(1, "a", 0), (2, "b", 20), (3, "c", 30)];
    assert_eq!(faults(ledger(0, 3, &more)), [TrailFault::NoRecord { position: position(3) }]);
}

#[test]
fn entries_older_than_the_trail_owe_no_record_and_younger_ones_do() {
    let start = head_of(&refusals(3)[2]);
    let entries = [(1, "old", 5), (2, "a", 30)];
    let says = [order("1-2", "a")];
    assert_eq!(against(ledger(0, 2, &entries), start, &says).faults, []);
    assert_eq!(against(ledger(0, 2, &entries), AuditHead::START, &says).faults.len(), 2);
    let slipped_in = [(1, "old", 5), (2, "a", 50)];
    let unrecorded = [refusal("y")];
    let told = against(ledger(0, 2, &slipped_in), start, &unrecorded).faults;
    assert_eq!(told, [TrailFault::NoRecord { position: position(2) }]);
}

#[test]
fn an_entry_and_its_record_agree_on_the_condition() {
    let told = |before: &str, condition: Option<i64>| {
        let target = r#""target":{"kind":"everything"},"reason":"policy""#;
        let actor = r#""actor":{"kind":"client","id":"web"}"#;
        let says = format!(r#""action":"order",{actor},{target},{before}"outcome":"ended","position":"1-1""#);
        let mut set = EntrySet::new(position(0), position(1));
        set.add(&Entry {
            position: position(1),
            time: Timestamp(0),
            target: Target::Everything,
            reason: Reason::Policy,
            initiator: Initiator::Client("web".to_owned()),
            note: None,
            before: condition.map(Timestamp),
        });
        against(set, AuditHead::START, &[says]).faults
    };
    let differs = [TrailFault::Differs { seq: 1, position: position(1) }];
    assert_eq!(told(r#""before":5000,"#, Some(5000)), []);
    assert_eq!(told("", None), []);
    assert_eq!(told(r#""before":5000,"#, None), differs, "an order that was conditioned has become one that is not");
    assert_eq!(told("", Some(5000)), differs);
    assert_eq!(told(r#""before":5000,"#, Some(6000)), differs);
}

#[test]
fn positions_only_rise() {
    for second in ["1-1", "1-0", "x"] {
        let says = [order("1-1", "a"), order(second, "b")];
        let told = against(ledger(0, 0, &[]), AuditHead::START, &says).faults;
        assert_eq!(told, [TrailFault::NotInOrder { seq: 2, position: second.to_owned() }]);
    }
}

#[test]
fn a_trail_that_is_wrong_all_over_is_not_listed_in_full() {
    let mut records = refusals(300);
    records.iter_mut().for_each(|record| record.at = Timestamp(-1));
    let report = check(&records, None);
    assert_eq!((report.faults.len(), report.more_faults), (MOST_FAULTS, 200));
}

/// One thing that somebody does to a trail.
#[derive(Clone, Debug)]
enum Mutation {
    Remove(usize),
    AlterByte {
        record: usize,
        byte: usize,
        to: u8,
    },
    AlterHash {
        record: usize,
        byte: usize,
        by: u8,
    },
    AlterTime(usize, i64),
    Swap(usize, usize),
    Truncate(usize),
    /// A copy, or a record of one's own with a hash that follows from the one before.
    Insert {
        at: usize,
        forged: bool,
    },
    /// The text of one is replaced and every hash from there on made anew.
    Rewrite(usize),
}

/// Does it; `false` if that changes nothing.
fn spoil(records: &mut Vec<AuditRecord>, mutation: &Mutation) -> bool {
    let count = records.len();
    match *mutation {
        Mutation::Remove(place) => drop(records.remove(place % count)),
        Mutation::AlterByte { record, byte, to } => {
            let mut bytes = records[record % count].body.clone().into_bytes();
            let place = byte % bytes.len();
            if bytes[place] == to {
                return false;
            }
            bytes[place] = to;
            let Ok(text) = String::from_utf8(bytes) else { return false };
            records[record % count].body = text;
        }
        Mutation::AlterHash { record, byte, by } => records[record % count].hash.0[byte % 32] ^= by,
        Mutation::AlterTime(record, by) => records[record % count].at.0 += by,
        Mutation::Swap(one, other) => {
            if one % count == other % count {
                return false;
            }
            records.swap(one % count, other % count);
        }
        Mutation::Truncate(left) => records.truncate(left % count),
        Mutation::Insert { at, forged } => {
            // Behind the last signed head, whoever can write into the database can add what the server itself could.
            if forged && at % count + 1 == count {
                return false;
            }
            let mut copy = records[at % count].clone();
            if forged {
                copy.body = body(copy.seq + 1, copy.at.0, &refusal("forged"));
                (copy.seq, copy.hash) = (copy.seq + 1, head_of(&copy).follow(&copy.body).hash);
            }
            records.insert(at % count + 1, copy);
        }
        Mutation::Rewrite(from) => {
            let from = from % count;
            let before = if from == 0 { AuditHead::START } else { head_of(&records[from - 1]) };
            let mut head = before;
            for (place, record) in records.iter_mut().enumerate().skip(from) {
                if place == from {
                    record.body = body(record.seq, record.at.0, &refusal("rewritten, and of no other length"));
                }
                head = head.follow(&record.body);
                record.hash = head.hash;
            }
        }
    }
    true
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let place = any::<usize>;
    prop_oneof![
        place().prop_map(Mutation::Remove),
        (place(), place(), 0x20_u8..0x7f).prop_map(|(record, byte, to)| Mutation::AlterByte { record, byte, to }),
        (place(), place(), 1_u8..).prop_map(|(record, byte, by)| Mutation::AlterHash { record, byte, by }),
        (place(), 1_i64..9).prop_map(|(record, by)| Mutation::AlterTime(record, by)),
        (place(), place()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        place().prop_map(Mutation::Truncate),
        (place(), any::<bool>()).prop_map(|(at, forged)| Mutation::Insert { at, forged }),
        place().prop_map(Mutation::Rewrite),
    ]
}

fn trails() -> impl Strategy<Value = Vec<AuditRecord>> {
    let action = (0..Action::ALL.len()).prop_map(|place| Action::ALL[place].name());
    let says = (action, ".{0,12}").prop_map(|(action, what)| {
        format!(r#""action":"{action}","what":{},"outcome":"x""#, serde_json::to_string(&what).unwrap())
    });
    proptest::collection::vec(says, 1..24).prop_map(|says| chain(AuditHead::START, &says))
}

proptest! {
    #[test]
    fn an_untouched_trail_is_never_called_wrong(records in trails(), heads in proptest::collection::vec(any::<usize>(), 0..6)) {
        let mut check = TrailCheck::begin(AuditHead::START, true);
        for place in &heads {
            check.vouch(head_of(&records[place % records.len()]), "a head");
        }
        records.iter().for_each(|record| check.take(record));
        let report = check.finish();
        prop_assert_eq!(report.faults, Vec::new());
        prop_assert_eq!(report.heads, heads.len() as u64);
    }

    #[test]
    fn one_mutation_of_a_trail_is_always_found(records in trails(), mutation in mutations()) {
        let end = head_of(records.last().unwrap());
        let mut spoilt = records.clone();
        prop_assume!(spoil(&mut spoilt, &mutation));
        prop_assume!(spoilt != records);
        prop_assert!(!check(&spoilt, Some(end)).faults.is_empty());
    }
}
