//! An entry: the immutable record that something no longer holds.

use rescind_check::{Cut, Position};
use serde::Serialize;

use crate::{Initiator, Reason, Target, Timestamp};

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub position: Position,
    pub time: Timestamp,
    pub target: Target,
    pub reason: Reason,
    pub initiator: Initiator,
    pub note: Option<String>,
    /// Ends only what has a root time before this one, if it is conditioned.
    pub before: Option<Timestamp>,
}

impl Entry {
    /// How much of its target it ends.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.target.cut(self.before)
    }
}

/// The shape in which an entry is shown: position as `epoch-seq`, time in milliseconds since 1970.
impl Serialize for Entry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut shape = serializer.serialize_struct("Entry", 7)?;
        shape.serialize_field("position", &self.position.to_string())?;
        shape.serialize_field("time", &self.time)?;
        shape.serialize_field("target", &self.target)?;
        shape.serialize_field("reason", &self.reason)?;
        shape.serialize_field("initiator", &self.initiator)?;
        shape.serialize_field("note", &self.note)?;
        shape.serialize_field("before", &self.before)?;
        shape.end()
    }
}
