//! Checks an audit trail that somebody shows: whether each record follows from the one before, whether signed heads lie on the
//! chain, and whether orders and entries belong together. It believes nothing that it can compute.

mod entries;

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
};

use rescind_check::Position;

use crate::{AuditBody, AuditHead, AuditRecord, Hash};

pub use entries::EntrySet;

/// What is wrong with a trail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrailFault {
    #[error("{} missing", Numbers { first: *.first, last: *.last })]
    Missing { first: u64, last: u64 },
    #[error("record {seq} is out of its place: {expected} was to come here")]
    OutOfPlace { seq: u64, expected: u64 },
    #[error(
        "record {seq} does not have the hash that follows from its text and the record before: one of the two was altered"
    )]
    Altered { seq: u64 },
    #[error("record {seq} {what}")]
    Inside { seq: u64, what: &'static str },
    #[error("{witness} says another hash of record {seq}: something in {} was altered and the hashes made anew", Range(*.after + 1, *.seq))]
    Contradicted { seq: u64, after: u64, witness: String },
    #[error("{witness} comes behind record {at}, though it is about record {seq}")]
    HeadOutOfPlace { seq: u64, at: u64, witness: String },
    #[error("the trail ends with record {last}, but {witness} says that there was a record {seq}: its end was cut off")]
    CutOff { last: u64, seq: u64, witness: String },
    #[error("the trail begins behind record {start}, but no record tells that the ones before were forgotten by rule")]
    Unaccounted { start: u64 },
    #[error("the revocation {position} has no record of its order")]
    NoRecord { position: Position },
    #[error("record {seq} tells of the revocation {position}, which is not in the ledger")]
    NoEntry { seq: u64, position: Position },
    #[error("record {seq} and the ledger differ on the revocation {position}")]
    Differs { seq: u64, position: Position },
    #[error("record {seq} says that its order ended something at {position}, which is not behind the one before")]
    NotInOrder { seq: u64, position: String },
}

struct Numbers {
    first: u64,
    last: u64,
}

impl Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(f, "record {first} is") } else { write!(f, "records {first} to {last} are") }
    }
}

struct Range(u64, u64);

impl Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= self.1 {
            write!(f, "record {}", self.1)
        } else {
            write!(f, "the records {} to {}", self.0, self.1)
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailReport {
    /// Behind which record the trail begins.
    pub start: AuditHead,
    /// Where it ends.
    pub end: AuditHead,
    /// How many records were looked at.
    pub records: u64,
    /// How many signed heads lie on the chain.
    pub heads: u64,
    /// How many revocations were found with the record of their order; none if the ledger was not at hand.
    pub entries: Option<u64>,
    /// The first of what is wrong.
    pub faults: Vec<TrailFault>,
    /// How much more is wrong.
    pub more_faults: u64,
}

/// One look at a trail, record by record. What vouches for a record is named before it or right behind it.
pub struct TrailCheck {
    start: AuditHead,
    /// Where the chain stands, by what was computed or, behind a fault, by what is said.
    head: AuditHead,
    /// Heads of records that are yet to come.
    waiting: BTreeMap<u64, Vec<(Hash, String)>>,
    /// The last record that a signed head agreed with.
    agreed: u64,
    /// Whether the trail claims to begin where the kept records do.
    whole: bool,
    forgotten_through: Option<u64>,
    ledger: Option<EntrySet>,
    last_ended: Option<Position>,
    report: TrailReport,
}

/// A trail that is wrong all over need not be listed in full.
const MOST_FAULTS: usize = 100;

impl TrailCheck {
    /// Begins behind a record. `whole` if that is where the server's trail begins: then whatever is missing before has to be
    /// accounted for.
    #[must_use]
    pub fn begin(start: AuditHead, whole: bool) -> Self {
        let report =
            TrailReport { start, end: start, records: 0, heads: 0, entries: None, faults: Vec::new(), more_faults: 0 };
        Self {
            start,
            head: start,
            waiting: BTreeMap::new(),
            agreed: start.seq,
            whole,
            forgotten_through: None,
            ledger: None,
            last_ended: None,
            report,
        }
    }

    /// Also compares with the ledger.
    #[must_use]
    pub fn with_ledger(self, ledger: EntrySet) -> Self {
        Self { ledger: Some(ledger), ..self }
    }

    /// Takes note of something else that is wrong, found by the caller.
    pub fn note(&mut self, fault: TrailFault) {
        if self.report.faults.len() < MOST_FAULTS {
            self.report.faults.push(fault);
        } else {
            self.report.more_faults += 1;
        }
    }

    /// Somebody vouches for a record: the trail has to have it, with this hash. What is said of forgotten records is let be.
    pub fn vouch(&mut self, head: AuditHead, witness: impl Into<String>) {
        let witness = witness.into();
        match head.seq.cmp(&self.head.seq) {
            std::cmp::Ordering::Greater => self.waiting.entry(head.seq).or_default().push((head.hash, witness)),
            std::cmp::Ordering::Equal => self.compare(head.hash, witness),
            std::cmp::Ordering::Less if head.seq < self.start.seq => {}
            std::cmp::Ordering::Less => {
                self.note(TrailFault::HeadOutOfPlace { seq: head.seq, at: self.head.seq, witness });
            }
        }
    }

    fn compare(&mut self, hash: Hash, witness: String) {
        let seq = self.head.seq;
        if hash == self.head.hash {
            self.report.heads += 1;
            self.agreed = seq;
        } else {
            self.note(TrailFault::Contradicted { seq, after: self.agreed.min(seq.saturating_sub(1)), witness });
            // Every later head disagrees as well: what lies before this one is told of once.
            self.agreed = seq;
        }
    }

    /// Looks at the next record.
    pub fn take(&mut self, record: &AuditRecord) {
        self.report.records += 1;
        let expected = self.head.seq + 1;
        if record.seq < expected {
            // One that was said to be missing is here after all.
            let alone = TrailFault::Missing { first: record.seq, last: record.seq };
            self.report.faults.retain(|fault| *fault != alone);
            return self.note(TrailFault::OutOfPlace { seq: record.seq, expected });
        }
        if record.seq > expected {
            // Without the one before there is nothing to compute its hash from.
            self.note(TrailFault::Missing { first: expected, last: record.seq - 1 });
        } else if self.head.follow(&record.body).hash != record.hash {
            self.note(TrailFault::Altered { seq: record.seq });
        }
        self.head = AuditHead { seq: record.seq, hash: record.hash };
        self.look_inside(record);
        while let Some(due) = self.waiting.first_entry().filter(|due| *due.key() <= record.seq) {
            let (seq, heads) = due.remove_entry();
            for (hash, witness) in heads {
                if seq == record.seq {
                    self.compare(hash, witness);
                }
            }
        }
    }

    fn look_inside(&mut self, record: &AuditRecord) {
        let seq = record.seq;
        let Ok(body) = serde_json::from_str::<AuditBody>(&record.body) else {
            return self.note(TrailFault::Inside { seq, what: "is not written as records are" });
        };
        if body.seq != seq {
            self.note(TrailFault::Inside { seq, what: "has another number in its text" });
        }
        if body.at != record.at {
            self.note(TrailFault::Inside { seq, what: "has another time in its text" });
        }
        self.forgotten_through = body.forgotten_through().or(self.forgotten_through);
        if let Some(position) = body.ended_at() {
            self.match_with_entry(seq, position, &body);
        }
        if let Some(ledger) = &mut self.ledger {
            ledger.note_first_record(body.at);
        }
    }

    fn match_with_entry(&mut self, seq: u64, position: &str, body: &AuditBody) {
        let read = position.parse().ok().filter(|position| self.last_ended.is_none_or(|last| *position > last));
        let Some(position) = read else {
            return self.note(TrailFault::NotInOrder { seq, position: position.to_owned() });
        };
        self.last_ended = Some(position);
        let matched = self.ledger.as_mut().and_then(|ledger| ledger.match_order(position, body));
        match matched {
            None | Some(entries::Match::Same) => {}
            Some(entries::Match::Absent) => self.note(TrailFault::NoEntry { seq, position }),
            Some(entries::Match::Different) => self.note(TrailFault::Differs { seq, position }),
        }
    }

    /// Where the chain stands now.
    #[must_use]
    pub fn head(&self) -> AuditHead {
        self.head
    }

    /// Ends the look.
    #[must_use]
    pub fn finish(mut self) -> TrailReport {
        let last = self.head.seq;
        for (seq, heads) in std::mem::take(&mut self.waiting) {
            for (_, witness) in heads {
                self.note(TrailFault::CutOff { last, seq, witness });
            }
        }
        let start = self.start.seq;
        if self.whole && start > 0 && self.forgotten_through != Some(start) {
            self.note(TrailFault::Unaccounted { start });
        }
        if let Some(ledger) = self.ledger.take() {
            self.report.entries = Some(ledger.matched());
            for position in ledger.without_record(start > 0) {
                self.note(TrailFault::NoRecord { position });
            }
        }
        self.report.end = self.head;
        self.report
    }
}

#[cfg(test)]
mod tests;
