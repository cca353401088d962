//! The entries of the ledger, held against the records of their orders.

use std::collections::HashMap;

use rescind_check::Position;
use sha2::{Digest, Sha256};

use crate::{AuditBody, Entry, Initiator, Reason, Target, Timestamp};

/// As much of a hash as tells two entries apart, whoever wrote them; there may be millions of them.
type Mark = [u8; 16];

/// Every retained entry between the floor and the head of a ledger, as of one moment before the trail was read.
pub struct EntrySet {
    floor: Position,
    head: Position,
    /// What each says and when it was made; those that were found go.
    entries: HashMap<Position, (Mark, Timestamp)>,
    matched: u64,
    first_order: Option<Position>,
    first_record: Option<Timestamp>,
}

pub(super) enum Match {
    Same,
    Absent,
    Different,
}

impl EntrySet {
    /// An empty set of a ledger that stands at `head` and has forgotten everything up to `floor`.
    #[must_use]
    pub fn new(floor: Position, head: Position) -> Self {
        Self { floor, head, entries: HashMap::new(), matched: 0, first_order: None, first_record: None }
    }

    /// Raises the floor: the ledger may have forgotten more while it was read.
    pub fn raise_floor(&mut self, floor: Position) {
        self.floor = self.floor.max(floor);
    }

    /// Adds an entry. One that was written after the moment is left out.
    pub fn add(&mut self, entry: &Entry) {
        let Entry { position, time, target, reason, initiator, note, before } = entry;
        if *position <= self.head {
            self.entries.insert(*position, (mark(*time, target, *reason, initiator, note.as_deref(), *before), *time));
        }
    }

    pub(super) fn note_first_record(&mut self, at: Timestamp) {
        self.first_record.get_or_insert(at);
    }

    /// Looks for the entry of an order; `None` if it cannot be expected to be there.
    pub(super) fn match_order(&mut self, position: Position, body: &AuditBody) -> Option<Match> {
        self.first_order.get_or_insert(position);
        let Some((found, _)) = self.entries.remove(&position) else {
            let retained = position > self.floor && position <= self.head;
            return retained.then_some(Match::Absent);
        };
        let (Some(target), Some(reason), Some(actor)) = (&body.target, body.reason, &body.actor) else {
            return Some(Match::Different);
        };
        self.matched += 1;
        let said = mark(body.at, target, reason, actor, body.note.as_deref(), body.before);
        Some(if said == found { Match::Same } else { Match::Different })
    }

    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// The entries whose orders have no record; where the beginning of the trail was forgotten, only those behind it.
    pub(super) fn without_record(self, has_forgotten: bool) -> Vec<Position> {
        let owes = |position: Position, time: Timestamp| {
            !has_forgotten
                || self.first_order.is_some_and(|first| position > first)
                || self.first_record.is_some_and(|first| time > first)
        };
        let left = self.entries.iter().filter(|(position, (_, time))| owes(**position, *time));
        let mut positions: Vec<Position> = left.map(|(position, _)| *position).collect();
        positions.sort_unstable();
        positions
    }
}

fn mark(
    time: Timestamp,
    target: &Target,
    reason: Reason,
    initiator: &Initiator,
    note: Option<&str>,
    before: Option<Timestamp>,
) -> Mark {
    // What has been read from JSON can be written as JSON.
    let text = serde_json::to_vec(&(time, target, reason, initiator, note, before)).unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(text).into();
    hash.first_chunk().copied().unwrap_or_default()
}
