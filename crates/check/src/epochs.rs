//! The lives of the ledger that an index knows, laid end to end so that a position becomes one number (its ordinal).

use crate::Position;

#[derive(Clone, Debug)]
struct Span {
    epoch: u32,
    /// Ordinal of the place before the epoch's first entry.
    start: u64,
    /// Number of the epoch's last entry; in the open epoch, of the head.
    last: u64,
    /// The ledger we follow does not have this epoch: it was lived on a database that a restore replaced.
    disowned: bool,
}

/// Known epochs in ascending order; the last one is open, and never disowned. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Epochs {
    closed: Vec<Span>,
    open: Span,
}

/// What the epochs alone say of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    UnknownEpoch,
    /// Beyond the last entry of a closed epoch.
    BeyondEnd,
    AboveHead(u64),
    At(u64),
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self { closed: Vec::new(), open: Span { epoch: 1, start: 0, last: 0, disowned: false } }
    }

    /// From `(epoch, last)` in ascending order; `None` when empty or out of order.
    pub(crate) fn from_history(history: &[(u32, u64)]) -> Option<Self> {
        let (&(epoch, last), rest) = history.split_first()?;
        let mut epochs = Self { closed: Vec::new(), open: Span { epoch, start: 0, last, disowned: false } };
        for &(epoch, last) in rest {
            if epoch <= epochs.open.epoch {
                return None;
            }
            epochs.open(epoch);
            epochs.open.last = last;
        }
        Some(epochs)
    }

    pub(crate) fn head(&self) -> Position {
        Position { epoch: self.open.epoch, seq: self.open.last }
    }

    /// Moves the head by one.
    pub(crate) fn advance(&mut self) {
        self.open.last += 1;
    }

    /// The ordinal that the entry after the head will have.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.open.start.saturating_add(self.open.last).saturating_add(1)
    }

    /// Closes the open epoch at its head and opens `epoch`, which the caller knows to be later.
    pub(crate) fn open(&mut self, epoch: u32) {
        let start = self.next_ordinal();
        let former = std::mem::replace(&mut self.open, Span { epoch, start, last: 0, disowned: false });
        self.closed.push(former);
    }

    /// Takes over the ledger's word on the closed epochs: those it does not list are disowned, those that it ends earlier
    /// end earlier. Ordinals stay as they are.
    pub(crate) fn adopt(&mut self, closed: &[(u32, u64)]) {
        for span in &mut self.closed {
            match closed.iter().find(|(epoch, _)| *epoch == span.epoch) {
                Some((_, last)) => span.last = span.last.min(*last),
                None => span.disowned = true,
            }
        }
    }

    /// The number of an epoch's last entry; of the head if it is the open one.
    pub(crate) fn last_of(&self, epoch: u32) -> Option<u64> {
        self.known().find(|(known, _)| *known == epoch).map(|(_, last)| last)
    }

    pub(crate) fn known(&self) -> impl Iterator<Item = (u32, u64)> {
        self.spans().filter(|span| !span.disowned).map(|span| (span.epoch, span.last))
    }

    pub(crate) fn place(&self, position: Position) -> Place {
        let ordinal = |span: &Span| span.start.saturating_add(position.seq);
        if position.epoch == self.open.epoch {
            let known = position.seq <= self.open.last;
            return if known { Place::At(ordinal(&self.open)) } else { Place::AboveHead(ordinal(&self.open)) };
        }
        match self.closed.iter().find(|span| span.epoch == position.epoch && !span.disowned) {
            None => Place::UnknownEpoch,
            Some(span) if position.seq > span.last => Place::BeyondEnd,
            Some(span) => Place::At(ordinal(span)),
        }
    }

    /// The greatest ordinal whose position is not above `position`, be that known or not.
    pub(crate) fn ordinal_up_to(&self, position: Position) -> u64 {
        let next_starts = self.spans().skip(1).map(|span| Some(span.start)).chain([None]);
        let mut greatest = 0;
        for (span, next_start) in self.spans().zip(next_starts) {
            let end = next_start.map_or(span.start.saturating_add(span.last), |start| start - 1);
            if span.epoch < position.epoch {
                greatest = end;
            } else if span.epoch == position.epoch {
                greatest = end.min(span.start.saturating_add(position.seq));
            }
        }
        greatest
    }

    /// The position of an ordinal that was given out before.
    pub(crate) fn position(&self, ordinal: u64) -> Position {
        let closed = self.closed.iter().rev();
        let span = std::iter::once(&self.open).chain(closed).find(|span| span.start <= ordinal).unwrap_or(&self.open);
        Position { epoch: span.epoch, seq: ordinal.saturating_sub(span.start) }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.closed.capacity() * size_of::<Span>()
    }

    fn spans(&self) -> impl Iterator<Item = &Span> {
        self.closed.iter().chain([&self.open])
    }
}
