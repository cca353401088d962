//! Whether somebody else's head fits our ledger: a marker outside the database, a peer, an edge.

use crate::epochs::Place;
use crate::{Index, Position};

/// How their head stands to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Continuity {
    /// The same position.
    Same,
    /// They are on our ledger, earlier: they have to catch up.
    Behind,
    /// They have seen entries of the open epoch that we have not: ours was put back. We must refuse to serve until an
    /// operator opens a new epoch.
    Ahead,
    /// They are on another ledger: in an epoch that we do not know, or beyond the end of one that we closed. If theirs is
    /// later than our head, or is our own marker, we must refuse to serve; otherwise they have to read anew.
    Foreign,
}

/// Compares a head seen elsewhere with our own.
#[must_use]
pub fn continuity(ours: &Index, theirs: Position) -> Continuity {
    match ours.place(theirs) {
        Place::At(_) if theirs == ours.head() => Continuity::Same,
        Place::At(_) => Continuity::Behind,
        Place::AboveHead(_) => Continuity::Ahead,
        Place::UnknownEpoch | Place::BeyondEnd => Continuity::Foreign,
    }
}
