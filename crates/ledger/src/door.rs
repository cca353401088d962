//! The door: the one function through which anything ends.

use std::collections::HashMap;

use rescind_check::{Effect, Fingerprint, Position, Trace, Verdict};

use crate::{
    AuditHead, ConfigurationChange, Entry, LedgerError, Live, Order, Origin, Settings, StoreError, Target, Timestamp,
    Tx, order::check_condition,
};

/// The inside of the one write transaction, as seen by a job.
///
/// A job may record facts and end things; both take effect together, or neither does.
pub struct Door<'a> {
    pub(crate) tx: &'a mut dyn Tx,
    pub(crate) live: &'a Live,
    pub(crate) now: Timestamp,
    /// Where the present job came from.
    pub(crate) origin: Origin,
    /// The last audit record of this transaction, once there is one.
    pub(crate) audit: Option<AuditHead>,
    head: Position,
    written: Written,
    /// What the entries of this transaction do to each target.
    ended: HashMap<Fingerprint, Effect>,
}

/// What a transaction leaves to be applied once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) entries: Vec<Entry>,
    pub(crate) changes: Vec<ConfigurationChange>,
    /// What lies at or below it is forgotten.
    pub(crate) floor: Option<Position>,
    /// How many authorization requests wait now, if that has changed.
    pub(crate) pending: Option<u64>,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Where the entry stands.
    pub position: Position,
    /// Whether this order wrote it, rather than an earlier one.
    pub fresh: bool,
}

impl<'a> Door<'a> {
    pub(crate) fn open(tx: &'a mut dyn Tx, live: &'a Live, now: Timestamp) -> Self {
        Self {
            tx,
            live,
            now,
            origin: Origin::default(),
            audit: None,
            head: live.head(),
            written: Written::default(),
            ended: HashMap::new(),
        }
    }

    pub(crate) fn close(self) -> Written {
        self.written
    }

    /// The moment of this transaction.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Ends what the order names.
    ///
    /// The only thing in the program that can: it appends the entry, its outbox row and its audit record in this transaction.
    /// After the commit the writer applies the entry to the index and only then tells the caller (DESIGN rule 7).
    ///
    /// A target that is never reused keeps its first entry; a living one gets a new cut-off each time, or a conditioned one
    /// beside those it has.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for an order that cannot be right, [`LedgerError::Store`] if it cannot be written.
    pub fn end(&mut self, order: &Order) -> Result<Ended, LedgerError> {
        check_sizes(order)?;
        check_condition(&order.target, order.before, self.now)?;
        let ended = self.end_unrecorded(order)?;
        self.record_order(order, ended)?;
        Ok(ended)
    }

    fn end_unrecorded(&mut self, order: &Order) -> Result<Ended, LedgerError> {
        if let Some(key) = &order.idempotency_key
            && let Some(kept) = self.tx.find_idempotent(&order.initiator, key)?
        {
            return if kept.target != order.target {
                Err(LedgerError::Refused("the idempotency key was used for another target"))
            } else if kept.before != order.before {
                Err(LedgerError::Refused("the idempotency key was used with another `before`"))
            } else {
                Ok(Ended { position: kept.position, fresh: false })
            };
        }
        let fingerprint = order.target.fingerprint(self.live.key());
        if !order.target.is_living()
            && let Some(position) = self.first_entry(&order.target, fingerprint)
        {
            return Ok(Ended { position, fresh: false });
        }
        let position = self.append(order)?;
        self.ended.entry(fingerprint).or_default().add(order.target.cut(order.before), position);
        if let Target::Session { session } = &order.target {
            self.tx.settle_session(session)?;
        }
        Ok(Ended { position, fresh: true })
    }

    fn append(&mut self, order: &Order) -> Result<Position, LedgerError> {
        let entry = Entry {
            position: self.head.next(),
            time: self.now,
            target: order.target.clone(),
            reason: order.reason,
            initiator: order.initiator.clone(),
            note: order.note.clone(),
            before: order.before,
        };
        self.tx.append(&entry)?;
        if let Some(key) = &order.idempotency_key {
            self.tx.remember_idempotent(&entry, key)?;
        }
        self.head = entry.position;
        self.written.entries.push(entry);
        Ok(self.head)
    }

    fn first_entry(&self, target: &Target, fingerprint: Fingerprint) -> Option<Position> {
        self.ended.get(&fingerprint).and_then(|effect| effect.cut_off).or_else(|| self.live.position_of(target))
    }

    /// Opens a new epoch: every stamp so far belongs to an older one.
    pub fn open_epoch(&mut self, epoch: u32) -> Result<(), LedgerError> {
        if epoch <= self.head.epoch {
            return Err(LedgerError::Refused("a new epoch must be later than the present one"));
        }
        self.tx.open_epoch(epoch, self.now)?;
        self.head = Position { epoch, seq: 0 };
        Ok(())
    }

    /// Fails unless what has this lineage stands at this very point of the transaction: an ending earlier in the same batch
    /// counts, though nobody outside can see it yet. To be asked about whatever a job rests on, before it writes anything.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`].
    pub fn must_stand(&self, trace: &Trace) -> Result<(), LedgerError> {
        match self.verdict(trace) {
            Verdict::NotRevoked => Ok(()),
            Verdict::Revoked | Verdict::Stale => Err(LedgerError::Revoked),
        }
    }

    /// The last entry, those of this transaction included.
    pub(crate) fn head(&self) -> Position {
        self.head
    }

    /// The verdict, entries not yet committed included.
    fn verdict(&self, trace: &Trace) -> Verdict {
        let hit = trace.is_ended_among(|target| self.ended.get(&target));
        if hit { Verdict::Revoked } else { self.live.verdict(trace) }
    }

    /// Notes that everything at or below `floor` was forgotten.
    pub(crate) fn raise_floor(&mut self, floor: Position) {
        self.written.floor = Some(floor);
    }

    /// How many authorization requests wait for their answer at this very point of the transaction.
    pub(crate) fn pending_requests(&self) -> u64 {
        self.written.pending.unwrap_or_else(|| self.live.pending_requests())
    }

    /// Notes how many wait from here on.
    pub(crate) fn note_pending(&mut self, pending: u64) {
        self.written.pending = Some(pending);
    }

    /// The settings as an earlier job of this transaction has left them.
    pub(crate) fn pending_settings(&self) -> Option<Settings> {
        self.written.changes.iter().rev().find_map(|change| match change {
            ConfigurationChange::Settings(settings) => Some(settings.as_ref().clone()),
            _ => None,
        })
    }

    /// Notes a configuration change to be taken over with this commit.
    pub(crate) fn change(&mut self, change: ConfigurationChange) {
        self.written.changes.push(change);
    }

    /// Runs one job so that its failure leaves no trace.
    pub(crate) fn attempt(
        &mut self,
        origin: Origin,
        job: impl FnOnce(&mut Self) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.origin = origin;
        let audit = self.audit;
        let before = (self.head, self.written.entries.len(), self.written.changes.len(), self.written.pending);
        self.tx.begin_job()?;
        match job(self) {
            Ok(()) => Ok(self.tx.keep_job()?),
            Err(why) => {
                if !matches!(why, LedgerError::Store(StoreError::Unavailable(_))) {
                    self.tx.undo_job()?;
                }
                self.audit = audit;
                self.head = before.0;
                self.written.entries.truncate(before.1);
                self.written.changes.truncate(before.2);
                self.written.pending = before.3;
                let key = self.live.key();
                self.ended.clear();
                for entry in &self.written.entries {
                    let effect = self.ended.entry(entry.target.fingerprint(key)).or_default();
                    effect.add(entry.cut(), entry.position);
                }
                Err(why)
            }
        }
    }
}

pub(crate) fn check_sizes(order: &Order) -> Result<(), LedgerError> {
    if order.note.as_ref().is_some_and(|note| note.len() > Order::NOTE_LIMIT) {
        return Err(LedgerError::Refused("the note is longer than 2000 bytes"));
    }
    let key = order.idempotency_key.as_deref().unwrap_or("-");
    if key.is_empty() || key.len() > Order::NAME_LIMIT {
        return Err(LedgerError::Refused("an idempotency key has 1 to 1024 bytes"));
    }
    let longest = serde_json::to_string(&order.target).map_or(0, |text| text.len());
    if longest > 4 * Order::NAME_LIMIT {
        return Err(LedgerError::Refused("the names in the target are too long"));
    }
    Ok(())
}
