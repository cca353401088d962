//! Decides which unsynced changes a power cut spares.

/// What of the unsynced changes is on the disk after the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing: only what was synced.
    Synced,
    /// A part, the same for the same seed and cut.
    Some {
        /// Any number; each is another fate.
        seed: u64,
    },
}

/// The part of one write that reached the disk, as a range of its bytes.
pub(crate) type Part = std::ops::Range<usize>;

const SECTOR: usize = 512;

/// A stream of decisions (splitmix64: small, and the same everywhere).
#[derive(Debug)]
pub(crate) struct Fate(u64);

impl Fate {
    pub(crate) fn new(seed: u64, cut: usize) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (cut as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, or 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap_or(0)
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// Whole, nothing, a half, or torn at a sector of the file.
    pub(crate) fn part_of_write(&mut self, offset: u64, len: usize) -> Part {
        match self.below(8) {
            0..=2 => 0..len,
            3..=5 => 0..0,
            6 => {
                let middle = len / 2;
                if self.coin() { 0..middle } else { middle..len }
            }
            _ => {
                let past_sector = usize::try_from(offset % SECTOR as u64).unwrap_or(0);
                let sectors = (past_sector + len).div_ceil(SECTOR);
                let torn_at = (self.below(sectors + 1) * SECTOR).saturating_sub(past_sector).min(len);
                if self.coin() { 0..torn_at } else { torn_at..len }
            }
        }
    }
}
