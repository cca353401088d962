//! One part of the index: an ordered table of fingerprints with their places.
//!
//! Open addressing with linear probing, and the keys of the whole table kept in ascending order: the slot of a key grows
//! with the key (multiply and shift), and an insertion moves what is greater one slot on. A search, a vain one too, then ends at
//! the first key that is not less, some five slots on at the highest load; and growing is one pass from table to table.

/// An empty slot. Greater than every key, so that one comparison ends a search.
const EMPTY: u64 = u64::MAX;

/// The share of slots in use at which a shard grows, and the growth that follows (9/10, and 5/4: from 0.9 to 0.72).
const FULL: (usize, usize) = (9, 10);
const GROWTH: (usize, usize) = (5, 4);

/// Fingerprints and, in a slice of their own (12 bytes a slot, no padding), the 32-bit offsets of their ordinals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shard {
    keys: Box<[u64]>,
    offsets: Box<[u32]>,
    /// The ordinal from which offsets count.
    base: u64,
    /// Slots that keys are spread over. The slices are longer: what the end pushes out goes on behind, and the last is empty.
    spread: u32,
    used: u32,
}

/// Where a search begins, with the key that stands there: loaded for several searches before the first goes on, so that
/// the processor waits for memory once and not in turn.
#[derive(Clone, Copy, Default)]
pub(crate) struct Start {
    slot: usize,
    key: u64,
}

/// The ordinal is too far from the oldest one kept for 32 bits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooFar;

impl Shard {
    pub(crate) fn len(&self) -> usize {
        self.used as usize
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.keys) + size_of_val(&*self.offsets)
    }

    #[inline]
    pub(crate) fn start(&self, key: u64) -> Start {
        let slot = slot(key, self.spread);
        Start { slot, key: self.keys.get(slot).copied().unwrap_or(EMPTY) }
    }

    /// The ordinal under `key`, searched from its start.
    #[inline]
    pub(crate) fn find_from(&self, start: Start, key: u64) -> Option<u64> {
        if start.key > key {
            return None;
        }
        let at = if start.key == key { start.slot } else { self.first_not_less(start.slot, key)? };
        if *self.keys.get(at)? != key {
            return None;
        }
        self.offsets.get(at).map(|offset| self.base + u64::from(*offset))
    }

    pub(crate) fn find(&self, key: u64) -> Option<u64> {
        self.find_from(self.start(key), key)
    }

    /// Puts `ordinal` under `key`, in place of one that stands there. Changes nothing if it is too far.
    pub(crate) fn set(&mut self, key: u64, ordinal: u64) -> Result<(), TooFar> {
        let offset = self.offset_of(ordinal)?;
        if let Some(at) = self.first_not_less(slot(key, self.spread), key)
            && let (Some(stored), Some(place)) = (self.keys.get(at), self.offsets.get_mut(at))
            && *stored == key
        {
            *place = offset;
            return Ok(());
        }
        if (self.len() + 1) * FULL.1 > self.spread as usize * FULL.0 {
            self.rebuild(grown(self.spread), self.base, 0);
        }
        if !self.insert(key, offset) {
            // The end ran over: a rebuild makes room behind it again.
            self.rebuild(self.spread, self.base, 0);
            self.insert(key, offset);
        }
        Ok(())
    }

    /// Drops ordinals up to and including `floor` and shrinks to what is left.
    pub(crate) fn forget_up_to(&mut self, floor: u64) {
        let kept = self.ordinals().filter(|ordinal| *ordinal > floor).count();
        if kept < self.len() {
            let spread = (self.spread).min(spread_for(kept));
            let base = self.ordinals().filter(|ordinal| *ordinal > floor).min().unwrap_or(0);
            self.rebuild(spread, base, floor.saturating_add(1));
        }
    }

    fn ordinals(&self) -> impl Iterator<Item = u64> {
        let stored = self.keys.iter().zip(&self.offsets).filter(|(key, _)| **key != EMPTY);
        stored.map(|(_, offset)| self.base + u64::from(*offset))
    }

    /// The offset of an ordinal, after moving the base where that helps.
    fn offset_of(&mut self, ordinal: u64) -> Result<u32, TooFar> {
        if self.used == 0 {
            // Room on both sides: entries may be restored in any order.
            self.base = ordinal.saturating_sub(1 << 31);
        }
        if let Some(offset) = offset(ordinal, self.base) {
            return Ok(offset);
        }
        let mut least = ordinal;
        let mut greatest = ordinal;
        for stored in self.ordinals() {
            least = least.min(stored);
            greatest = greatest.max(stored);
        }
        offset(greatest, least).ok_or(TooFar)?;
        self.rebuild(self.spread, least, 0);
        offset(ordinal, least).ok_or(TooFar)
    }

    fn first_not_less(&self, from: usize, key: u64) -> Option<usize> {
        let ahead = self.keys.get(from..)?;
        ahead.iter().position(|stored| *stored >= key).map(|steps| from + steps)
    }

    /// Inserts a key that is not there; `false` if nothing but the closing empty slot is left behind its place.
    fn insert(&mut self, key: u64, offset: u32) -> bool {
        let Some(at) = self.first_not_less(slot(key, self.spread), key) else {
            return false;
        };
        let Some(free) = self.first_not_less(at, EMPTY) else {
            return false;
        };
        if free + 1 >= self.keys.len() {
            return false;
        }
        self.keys.copy_within(at..free, at + 1);
        self.offsets.copy_within(at..free, at + 1);
        if let (Some(key_slot), Some(offset_slot)) = (self.keys.get_mut(at), self.offsets.get_mut(at)) {
            *key_slot = key;
            *offset_slot = offset;
        }
        self.used += 1;
        true
    }

    /// Moves everything whose ordinal is at least `from` to new slices with another spread and base, in one pass.
    fn rebuild(&mut self, spread: u32, base: u64, from: u64) {
        let behind = 4 + (spread as usize / 4).min(28) + spread as usize / 256;
        let mut keys = Vec::with_capacity(spread as usize + behind);
        let mut offsets = Vec::with_capacity(spread as usize + behind);
        let mut used = 0;
        for (key, old) in self.keys.iter().zip(&self.offsets).filter(|(key, _)| **key != EMPTY) {
            let ordinal = self.base + u64::from(*old);
            let Some(offset) = offset(ordinal, base).filter(|_| ordinal >= from) else {
                continue;
            };
            let at = slot(*key, spread).max(keys.len());
            keys.resize(at, EMPTY);
            offsets.resize(at, 0);
            keys.push(*key);
            offsets.push(offset);
            used += 1;
        }
        let slots = if used == 0 && spread == 0 { 0 } else { keys.len().max(spread as usize) + behind };
        keys.resize(slots, EMPTY);
        offsets.resize(slots, 0);
        *self = Self { keys: keys.into_boxed_slice(), offsets: offsets.into_boxed_slice(), base, spread, used };
    }
}

fn offset(ordinal: u64, base: u64) -> Option<u32> {
    u32::try_from(ordinal.checked_sub(base)?).ok()
}

/// Maps the bits of a key below those that chose the shard to `0..spread`, keeping their order.
#[inline]
fn slot(key: u64, spread: u32) -> usize {
    let bits = (key << crate::index::SHARD_BITS) >> 32;
    ((bits * u64::from(spread)) >> 32) as usize
}

fn grown(spread: u32) -> u32 {
    let wanted = spread as usize * GROWTH.0 / GROWTH.1 + 1;
    u32::try_from(wanted.max(4)).unwrap_or(u32::MAX)
}

/// The spread that a shard of `used` keys gets when it shrinks: as after growing.
fn spread_for(used: usize) -> u32 {
    if used == 0 {
        return 0;
    }
    let after_growth = used * FULL.1 * GROWTH.0 / (FULL.0 * GROWTH.1) + 1;
    u32::try_from(after_growth.max(4)).unwrap_or(u32::MAX)
}
