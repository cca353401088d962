//! The index: for each target that an entry names, where in the ledger that entry stands.

use std::fmt;

use crate::conditions::Conditions;
use crate::epochs::{Epochs, Place};
use crate::shard::{Shard, TooFar};
use crate::{Cut, Fingerprint, Position};

pub(crate) const SHARD_BITS: u32 = 7;

/// How many parts the table has. Growing or forgetting rebuilds one of them at a time.
pub const SHARDS: usize = 1 << SHARD_BITS;

/// What no longer holds, in memory: about 15 bytes for each target, and one look-up to find it.
#[derive(Clone, Debug)]
pub struct Index {
    shards: Box<[Shard]>,
    pub(crate) conditions: Conditions,
    epochs: Epochs,
    floor: Position,
    /// Entries up to here are forgotten, swept or not.
    floor_ordinal: u64,
}

/// What an entry did to the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The target had no entry.
    New,
    /// A living target's cut-off moved on from here.
    Moved(Position),
    /// The never-reused target was ended here already, and that stays its position.
    Already(Position),
    /// The entry is conditioned: it counts beside the target's cut-off, if there is one.
    Conditioned,
    /// The entry is not above the floor: what it ends is dead by the floor.
    BelowFloor,
}

/// The index cannot take this in: the caller reads the ledger anew. The index is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfOrder {
    /// Entries between are missing.
    Gap {
        /// The next position.
        expected: Position,
        /// The one that came.
        found: Position,
    },
    /// The position is not after the head: it was applied before, or belongs to another ledger.
    NotAfterHead {
        /// The index's head.
        head: Position,
        /// The position that came.
        found: Position,
    },
    /// The new epoch is not after the open one.
    EpochNotAfter {
        /// The open epoch.
        open: u32,
        /// The one to be opened.
        found: u32,
    },
    /// The list of epochs is empty or not in ascending order.
    BadHistory,
    /// An entry to be restored lies in no epoch of the list.
    Unplaced(Position),
    /// More than 2^32 entries lie between the oldest kept and this one: raise the floor first.
    TooFar(Position),
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { expected, found } => {
                write!(f, "gap in the ledger: expected {expected}, found {found}")
            }
            Self::NotAfterHead { head, found } => {
                write!(f, "position {found} is not after the head {head}")
            }
            Self::EpochNotAfter { open, found } => {
                write!(f, "epoch {found} is not after the open epoch {open}")
            }
            Self::BadHistory => f.write_str("the list of epochs is empty or not ascending"),
            Self::Unplaced(found) => write!(f, "position {found} lies in no known epoch"),
            Self::TooFar(found) => {
                write!(f, "too many entries before {found}: forget old ones first")
            }
        }
    }
}

impl std::error::Error for OutOfOrder {}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// The index of an empty ledger: epoch 1, head and floor `1-0`.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Epochs::new(), Position::START)
    }

    fn with(epochs: Epochs, floor: Position) -> Self {
        let floor_ordinal = epochs.ordinal_up_to(floor);
        let shards = vec![Shard::default(); SHARDS].into_boxed_slice();
        Self { shards, conditions: Conditions::default(), epochs, floor, floor_ordinal }
    }

    /// The index of the entries a ledger has kept, in any order, as `(target, cut, position)`. `epochs` lists
    /// `(epoch, number of its last entry)` in ascending order; the last is open, and its number is the head's.
    ///
    /// # Errors
    /// [`OutOfOrder::BadHistory`], [`OutOfOrder::Unplaced`] and [`OutOfOrder::TooFar`].
    pub fn restore(
        epochs: &[(u32, u64)],
        floor: Position,
        entries: impl IntoIterator<Item = (Fingerprint, Cut, Position)>,
    ) -> Result<Self, OutOfOrder> {
        let mut index = Self::with(Epochs::from_history(epochs).ok_or(OutOfOrder::BadHistory)?, floor);
        for (target, cut, at) in entries {
            let Place::At(ordinal) = index.epochs.place(at) else {
                return Err(OutOfOrder::Unplaced(at));
            };
            if at <= floor {
                continue;
            }
            let found = index.find_ordinal(target);
            let stays = match cut {
                Cut::ForGood => found.is_some_and(|found| found <= ordinal),
                Cut::Stamped => found.is_some_and(|found| found >= ordinal),
                Cut::Rooted(before) => {
                    index.conditions.add(target.0, ordinal, before);
                    continue;
                }
            };
            if !stays {
                index.set(target, ordinal).map_err(|TooFar| OutOfOrder::TooFar(at))?;
            }
        }
        Ok(index)
    }

    /// Opens a later epoch, as an operator does after a restore; the former one ends at the head. The caller also
    /// appends an entry for everything where entries may have been lost.
    ///
    /// # Errors
    /// [`OutOfOrder::EpochNotAfter`].
    pub fn open_epoch(&mut self, epoch: u32) -> Result<(), OutOfOrder> {
        let open = self.head().epoch;
        if epoch <= open {
            return Err(OutOfOrder::EpochNotAfter { open, found: epoch });
        }
        self.epochs.open(epoch);
        Ok(())
    }

    /// Follows a ledger into an epoch that was opened elsewhere. `closed` lists the ledger's former epochs with the number
    /// of their last entries. Where a restore has cut back what this index had already seen, stamps from there die: those
    /// beyond the new end of an epoch, and those of epochs the ledger no longer has. Entries from there stay in force.
    ///
    /// # Errors
    /// [`OutOfOrder::EpochNotAfter`]; [`OutOfOrder::Gap`] if the ledger has entries that this index has not.
    pub fn follow_epoch(&mut self, epoch: u32, closed: &[(u32, u64)]) -> Result<(), OutOfOrder> {
        for &(closed_epoch, last) in closed {
            if self.epochs.last_of(closed_epoch).is_none_or(|ours| ours < last) {
                let found = Position { epoch: closed_epoch, seq: last };
                return Err(OutOfOrder::Gap { expected: self.head().next(), found });
            }
        }
        self.open_epoch(epoch)?;
        self.epochs.adopt(closed);
        Ok(())
    }

    /// Takes in the next entry. A never-reused target keeps its first position, a living one its latest, and beside that its
    /// conditioned entries: neither kind takes the place of the other.
    ///
    /// # Errors
    /// [`OutOfOrder::NotAfterHead`]; [`OutOfOrder::Gap`] unless it is the very next; [`OutOfOrder::TooFar`].
    pub fn apply(&mut self, target: Fingerprint, cut: Cut, at: Position) -> Result<Applied, OutOfOrder> {
        let head = self.head();
        if at <= head {
            return Err(OutOfOrder::NotAfterHead { head, found: at });
        }
        if at != head.next() {
            return Err(OutOfOrder::Gap { expected: head.next(), found: at });
        }
        let applied = if at <= self.floor {
            Applied::BelowFloor
        } else if let Cut::Rooted(before) = cut {
            self.conditions.add(target.0, self.epochs.next_ordinal(), before);
            Applied::Conditioned
        } else {
            match self.position_of(target) {
                Some(first) if cut == Cut::ForGood => Applied::Already(first),
                found => {
                    let ordinal = self.epochs.next_ordinal();
                    self.set(target, ordinal).map_err(|TooFar| OutOfOrder::TooFar(at))?;
                    found.map_or(Applied::New, Applied::Moved)
                }
            }
        };
        self.epochs.advance();
        Ok(applied)
    }

    /// Drops the entries at or below `floor` and gives their memory back. From now on a stamp below it is dead. A floor
    /// is never lowered.
    ///
    /// What belongs to a never-reused target was stamped before that target's entry, so that the floor covers both. Only a
    /// stolen signing key can stamp later: its public part must have been withdrawn by the time its entry is forgotten.
    pub fn forget_below(&mut self, floor: Position) {
        self.raise_floor(floor);
        for shard in 0..SHARDS {
            self.sweep_shard(shard);
        }
    }

    /// The first half of forgetting, at once: verdicts are those of the new floor, memory is as before.
    pub fn raise_floor(&mut self, floor: Position) {
        self.floor = self.floor.max(floor);
        self.floor_ordinal = self.epochs.ordinal_up_to(self.floor);
    }

    /// The second half, for one of the [`SHARDS`] parts (in a large index, a pause of under a millisecond): gives back the
    /// memory of entries below the floor.
    pub fn sweep_shard(&mut self, number: usize) {
        let floor = self.floor_ordinal;
        if let Some(shard) = self.shards.get_mut(number) {
            shard.forget_up_to(floor);
        }
        self.conditions.forget_up_to(floor, number);
    }

    /// Where the target's entry stands: its first if never reused, its latest cut-off if living. Conditioned ones are not asked.
    #[must_use]
    pub fn position_of(&self, target: Fingerprint) -> Option<Position> {
        self.find_ordinal(target).map(|ordinal| self.epochs.position(ordinal))
    }

    /// The position of the last entry.
    #[must_use]
    pub fn head(&self) -> Position {
        self.epochs.head()
    }

    /// The position below which every stamp is dead.
    #[must_use]
    pub fn floor(&self) -> Position {
        self.floor
    }

    /// The epochs of the ledger in ascending order, each with the number of its last entry (so far).
    pub fn epochs(&self) -> impl Iterator<Item = (u32, u64)> {
        self.epochs.known()
    }

    /// How many targets the table holds, those below the floor included until they are swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// How many conditioned entries are kept beside the table, those below the floor included until they are swept.
    #[must_use]
    pub fn conditioned(&self) -> usize {
        self.conditions.len()
    }

    /// Whether the table holds no target.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let tables: usize = self.shards.iter().map(Shard::heap_bytes).sum();
        tables + size_of_val(&*self.shards) + self.conditions.heap_bytes() + self.epochs.heap_bytes()
    }

    pub(crate) fn place(&self, position: Position) -> Place {
        self.epochs.place(position)
    }

    pub(crate) fn position_at(&self, ordinal: u64) -> Position {
        self.epochs.position(ordinal)
    }

    /// Where an entry counts: above the floor.
    #[inline]
    pub(crate) fn counts(&self, ordinal: u64) -> bool {
        ordinal > self.floor_ordinal
    }

    /// The least ordinal at which an entry counts and lies after a stamp.
    pub(crate) fn counts_from(&self, stamp: u64) -> u64 {
        stamp.max(self.floor_ordinal).saturating_add(1)
    }

    #[inline]
    pub(crate) fn shard(&self, key: u64) -> &Shard {
        &self.shards[(key >> (64 - SHARD_BITS)) as usize]
    }

    fn find_ordinal(&self, target: Fingerprint) -> Option<u64> {
        let key = key(target.0);
        self.shard(key).find(key).filter(|ordinal| self.counts(*ordinal))
    }

    fn set(&mut self, target: Fingerprint, ordinal: u64) -> Result<(), TooFar> {
        let key = key(target.0);
        let shard = &mut self.shards[(key >> (64 - SHARD_BITS)) as usize];
        shard.set(key, ordinal).or_else(|TooFar| {
            shard.forget_up_to(self.floor_ordinal);
            shard.set(key, ordinal)
        })
    }
}

/// The greatest fingerprint shares a key with the one below it: the table needs a value for "empty".
#[inline]
pub(crate) fn key(fingerprint: u64) -> u64 {
    fingerprint.min(u64::MAX - 1)
}
