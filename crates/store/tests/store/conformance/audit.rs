//! The audit trail: its chain, its signed heads, and how its beginning is forgotten.

use rescind_ledger::{AuditHead, AuditRecord, Reads, SignedHead, Timestamp};

use super::{
    Backend,
    samples::{at, hash},
    wait,
};

/// Record number `seq`, made at second `seq`, behind the one before it.
fn follow(before: AuditHead) -> AuditRecord {
    let body = format!(r#"{{"seq":{}}}"#, before.seq + 1);
    let head = before.follow(&body);
    AuditRecord { seq: head.seq, at: at(i64::try_from(head.seq).unwrap()), body, hash: head.hash }
}

fn head_of(record: &AuditRecord) -> AuditHead {
    AuditHead { seq: record.seq, hash: record.hash }
}

fn append<B: Backend>(backend: &mut B, count: usize) -> Vec<AuditRecord> {
    let mut written: Vec<AuditRecord> = Vec::new();
    backend.write(|tx| {
        for _ in 0..count {
            let record = follow(tx.audit_head().unwrap());
            tx.append_audit(&record).unwrap();
            written.push(record);
        }
    });
    written
}

fn sign<B: Backend>(backend: &mut B, record: &AuditRecord) -> SignedHead {
    let signed = SignedHead { head: head_of(record), at: record.at, token: format!("head {}", record.seq) };
    backend.write(|tx| tx.put_signed_head(&signed).unwrap());
    signed
}

fn forget<B: Backend>(backend: &mut B, before: Timestamp, limit: u32) -> (u64, Option<u64>) {
    let mut forgotten = None;
    backend.write(|tx| forgotten = Some(tx.forget_audit(before, limit).unwrap()));
    let forgotten = forgotten.unwrap();
    (forgotten.rows, forgotten.last)
}

fn kept<B: Backend>(backend: &B) -> Vec<u64> {
    wait(backend.reads().audit_after(0, 100)).unwrap().iter().map(|record| record.seq).collect()
}

pub(crate) fn the_chain_goes_on_where_it_was_left<B: Backend>() {
    let mut backend = B::fresh();
    assert_eq!(wait(backend.reads().audit_span()).unwrap(), (AuditHead::START, AuditHead::START));
    let mut written = append(&mut backend, 3);
    let mut backend = backend.reopened();
    assert_eq!(backend.try_write(|tx| tx.audit_head()).unwrap(), head_of(&written[2]));
    written.extend(append(&mut backend, 2));
    assert_eq!(wait(backend.reads().audit_after(0, 100)).unwrap(), written);
    assert_eq!(wait(backend.reads().audit_after(1, 2)).unwrap(), written[1..3]);
    let newest: Vec<_> = written.iter().rev().cloned().collect();
    assert_eq!(wait(backend.reads().audit_before(None, 2)).unwrap(), newest[..2]);
    assert_eq!(wait(backend.reads().audit_before(Some(3), 100)).unwrap(), newest[3..]);
    assert_eq!(wait(backend.reads().audit_span()).unwrap(), (AuditHead::START, head_of(&written[4])));
}

pub(crate) fn an_undone_job_takes_its_record_with_it<B: Backend>() {
    let mut backend = B::fresh();
    let mut first = None;
    let outcome = backend.store().transact(&mut |tx| {
        tx.begin_job()?;
        let record = follow(AuditHead::START);
        tx.append_audit(&record)?;
        tx.keep_job()?;
        tx.begin_job()?;
        tx.append_audit(&follow(head_of(&record)))?;
        tx.undo_job()?;
        assert_eq!(tx.audit_head()?, head_of(&record));
        first = Some(record);
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(wait(backend.reads().audit_after(0, 100)).unwrap(), [first.unwrap()]);
}

pub(crate) fn a_number_is_taken_once<B: Backend>() {
    let mut backend = B::fresh();
    let written = append(&mut backend, 2);
    let again = AuditRecord { body: "{}".to_owned(), ..written[0].clone() };
    backend.try_write(|tx| tx.append_audit(&again)).unwrap_err();
    assert_eq!(wait(backend.reads().audit_after(0, 100)).unwrap(), written);
}

pub(crate) fn signed_heads_come_oldest_first_and_one_signed_again_is_the_newer<B: Backend>() {
    let mut backend = B::fresh();
    assert_eq!(wait(backend.reads().newest_signed_head()).unwrap(), None);
    let written = append(&mut backend, 4);
    let second = sign(&mut backend, &written[1]);
    let fourth = sign(&mut backend, &written[3]);
    let mut backend = backend.reopened();
    assert_eq!(wait(backend.reads().signed_heads(0, 100)).unwrap(), [second, fourth.clone()]);
    assert_eq!(wait(backend.reads().signed_heads(2, 100)).unwrap(), std::slice::from_ref(&fourth));
    let again = SignedHead { at: at(9), token: "by another key".to_owned(), ..fourth };
    backend.write(|tx| tx.put_signed_head(&again).unwrap());
    assert_eq!(wait(backend.reads().newest_signed_head()).unwrap(), Some(again));
}

pub(crate) fn forgetting_never_goes_beyond_a_signed_head_and_keeps_the_place<B: Backend>() {
    let mut backend = B::fresh();
    let written = append(&mut backend, 6);
    assert_eq!(forget(&mut backend, at(100), 100), (0, None), "nobody vouches for any");
    sign(&mut backend, &written[0]);
    sign(&mut backend, &written[3]);
    assert_eq!(forget(&mut backend, at(1), 100), (0, None), "none is that old");
    assert_eq!(forget(&mut backend, at(100), 2), (2, Some(2)), "a round is bounded");
    assert_eq!(kept(&backend), [3, 4, 5, 6]);
    assert_eq!(forget(&mut backend, at(4), 100), (1, Some(3)), "the fourth was made at that moment");
    assert_eq!(forget(&mut backend, at(100), 100), (1, Some(4)));
    let mut backend = backend.reopened();
    assert_eq!(kept(&backend), [5, 6]);
    let span = wait(backend.reads().audit_span()).unwrap();
    assert_eq!(span, (head_of(&written[3]), head_of(&written[5])));
    let heads = wait(backend.reads().signed_heads(0, 100)).unwrap();
    assert_eq!(heads.len(), 1, "the one that vouches for where the chain begins stays");
    let next = append(&mut backend, 1);
    assert_eq!(next[0], follow(head_of(&written[5])));
}

pub(crate) fn a_clock_that_went_back_makes_nobody_forget_what_is_young<B: Backend>() {
    let mut backend = B::fresh();
    let mut head = AuditHead::START;
    backend.write(|tx| {
        for secs in [1, 50, 2] {
            let record = AuditRecord { at: at(secs), ..follow(head) };
            tx.append_audit(&record).unwrap();
            head = head_of(&record);
        }
        tx.put_signed_head(&SignedHead { head, at: at(50), token: String::new() }).unwrap();
    });
    assert_eq!(forget(&mut backend, at(10), 100), (1, Some(1)));
    assert_eq!(kept(&backend), [2, 3]);
}

pub(crate) fn a_trail_that_was_forgotten_to_its_end_goes_on_from_there<B: Backend>() {
    let mut backend = B::fresh();
    let written = append(&mut backend, 2);
    sign(&mut backend, &written[1]);
    assert_eq!(forget(&mut backend, at(100), 100), (2, Some(2)));
    let mut backend = backend.reopened();
    let end = head_of(&written[1]);
    assert_eq!(wait(backend.reads().audit_span()).unwrap(), (end, end));
    assert_eq!(append(&mut backend, 1)[0], follow(end));
    assert_ne!(end.hash, hash(""));
}
