//! Is this token revoked? The index of what no longer holds, and the one verdict over it: no I/O, no clock.
//!
//! An issuer appends *entries* to a ledger; each names a *target* and has a *position*. A credential carries its
//! *lineage* (token, grant, session, device, subject, client, audiences, key), the position at which it was stamped, and the
//! time of the authentication it descends from, which matters to entries conditioned on "issued before T" alone.
//! [`Index::verdict`] is a pure function of the two. Every endpoint, node and edge calls it, so that they cannot disagree.
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod conditions;
mod continuity;
mod cut;
mod epochs;
mod index;
mod lineage;
mod mask;
mod position;
mod shard;
mod target;
mod verdict;

pub use continuity::{Continuity, continuity};
pub use cut::{Cut, Effect};
pub use index::{Applied, Index, OutOfOrder, SHARDS};
pub use lineage::{Lineage, Trace};
pub use mask::{MaskKey, mask, mask_text, unmask, unmask_text};
pub use position::{NotAPosition, Position, stamp};
pub use target::{Fingerprint, FingerprintKey, TargetRef};
pub use verdict::{Fault, Side, Verdict};
