//! A place in the ledger: the life of the ledger (epoch) and the entry's number within it.

use std::fmt;
use std::str::FromStr;

/// A place in the ledger, compared by epoch first and then by number. As text: `1-42`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The ledger's life: 1 at first, one more (at least) after each restore.
    pub epoch: u32,
    /// The number of the entry within its epoch, from 1; 0 is the place before the first entry.
    pub seq: u64,
}

impl Position {
    /// The head of an empty ledger: `1-0`.
    pub const START: Self = Self { epoch: 1, seq: 0 };

    /// The place of the next entry in the same epoch.
    #[must_use]
    pub fn next(self) -> Self {
        Self { epoch: self.epoch, seq: self.seq.saturating_add(1) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

/// The text is not a position in its one accepted spelling, such as `1-42`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPosition;

impl fmt::Display for NotAPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a ledger position: write epoch and number as in 1-42")
    }
}

impl std::error::Error for NotAPosition {}

impl FromStr for Position {
    type Err = NotAPosition;

    /// Accepts exactly what `Display` writes: no sign, space or leading zero, so that one position has one spelling.
    fn from_str(text: &str) -> Result<Self, NotAPosition> {
        let (epoch, seq) = text.split_once('-').ok_or(NotAPosition)?;
        Ok(Self { epoch: plain_number(epoch)?, seq: plain_number(seq)? })
    }
}

fn plain_number<N: FromStr>(text: &str) -> Result<N, NotAPosition> {
    let digits_only = text.bytes().all(|b| b.is_ascii_digit());
    if !digits_only || (text.len() > 1 && text.starts_with('0')) {
        return Err(NotAPosition);
    }
    text.parse().map_err(|_| NotAPosition)
}

/// The position to stamp on a new credential: the lesser of the index's head and the position of the configuration
/// snapshot that was read. A restricting change of configuration is committed with its entry, so that whoever read the
/// older configuration is stamped before that entry and dies of it.
#[must_use]
pub fn stamp(index_head: Position, configuration: Position) -> Position {
    index_head.min(configuration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn positions_compare_by_epoch_before_number() {
        let p = |epoch, seq| Position { epoch, seq };
        assert!(p(1, 900) < p(2, 0));
        assert!(p(2, 3) < p(2, 4));
        assert_eq!(p(2, 3).next(), p(2, 4));
        assert_eq!(Position::START.to_string(), "1-0");
    }

    #[test]
    fn only_the_one_spelling_is_read() {
        assert_eq!("1-42".parse(), Ok(Position { epoch: 1, seq: 42 }));
        for wrong in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-+2",
            "+1-2",
            " 1-2",
            "1-2 ",
            "1 -2",
            "01-2",
            "1-02",
            "1-2-3",
            "1--2",
            "1.2",
            "4294967296-1",
            "1-18446744073709551616",
            "1-٣",
            "0x1-2",
            "1_0-2",
        ] {
            assert_eq!(wrong.parse::<Position>(), Err(NotAPosition), "{wrong:?}");
        }
    }

    #[test]
    fn rule_4_a_stamp_is_the_lesser_of_index_and_configuration() {
        let (earlier, later) = (Position { epoch: 1, seq: 9 }, Position { epoch: 2, seq: 0 });
        assert_eq!(stamp(earlier, later), earlier);
        assert_eq!(stamp(later, earlier), earlier);
    }

    proptest! {
        #[test]
        fn text_round_trips(epoch: u32, seq: u64) {
            let position = Position { epoch, seq };
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }
    }
}
