//! The audit trail: one record for everything that was ordered, refused, set, run or read, each chained to the one before.
//!
//! A record is JSON text and is never written again; its hash covers the text, its number and the hash before. Whoever removes,
//! alters or moves one breaks the chain, and whoever cuts off the end contradicts the last signed head.

use std::net::IpAddr;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Door, Ended, Hash, Initiator, LedgerError, Order, Position, Reason, Target, Timestamp};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// An administrator changed who or what there is.
    Change,
    /// Something was to end.
    Order,
    /// An administrator saw somebody's sessions, grants or tokens.
    Read,
    /// A request was turned away.
    Refusal,
    /// An interception script ran.
    Script,
    /// A setting was changed.
    Setting,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Change, Self::Order, Self::Read, Self::Refusal, Self::Script, Self::Setting];

    /// The word for it, as it stands in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Order => "order",
            Self::Read => "read",
            Self::Refusal => "refusal",
            Self::Script => "script",
            Self::Setting => "setting",
        }
    }
}

/// Something to be recorded. Never put a token or a secret into it: records are exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    pub action: Action,
    /// On whose word; nobody's if the caller did not prove who it is.
    pub actor: Option<Initiator>,
    /// What it was about, if the ledger has a name for it.
    pub target: Option<Target>,
    /// What was asked, in words: an endpoint, a setting, a script with its version.
    pub what: Option<String>,
    pub reason: Option<Reason>,
    /// What came of it: a word for programs, such as `ended` or an OAuth error code.
    pub outcome: String,
    pub position: Option<Position>,
    /// For people.
    pub note: Option<String>,
}

impl AuditEvent {
    /// An event with an outcome and nothing else.
    #[must_use]
    pub fn new(action: Action, actor: Option<Initiator>, outcome: impl Into<String>) -> Self {
        let outcome = outcome.into();
        Self { action, actor, target: None, what: None, reason: None, outcome, position: None, note: None }
    }

    /// The same about something in words.
    #[must_use]
    pub fn about(self, what: impl Into<String>) -> Self {
        Self { what: Some(what.into()), ..self }
    }

    /// The same about a target.
    #[must_use]
    pub fn on(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// The same with words for people.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
}

/// The last record of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the record; the first has 1.
    pub seq: u64,
    pub hash: Hash,
}

impl AuditHead {
    /// Before the first record.
    pub const START: Self = Self { seq: 0, hash: Hash([0; 32]) };

    /// The head after one more record.
    #[must_use]
    pub fn follow(self, body: &str) -> Self {
        let seq = self.seq + 1;
        let mut sha = Sha256::new();
        sha.update(b"rescind audit 1\0");
        sha.update(self.hash.0);
        sha.update(seq.to_be_bytes());
        sha.update(body);
        Self { seq, hash: Hash(sha.finalize().into()) }
    }
}

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRecord {
    pub seq: u64,
    pub at: Timestamp,
    /// The JSON text that was hashed.
    pub body: String,
    pub hash: Hash,
}

/// A head that was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    pub head: AuditHead,
    pub at: Timestamp,
    /// A JWS that says so.
    pub token: String,
}

/// The members of a record, in the order in which they are written.
#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    /// Milliseconds since 1970.
    at: Timestamp,
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a Initiator>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
}

impl Door<'_> {
    /// Appends a record to the audit trail, in this transaction.
    ///
    /// # Errors
    /// If it cannot be written; then what it tells of does not happen either.
    pub fn record(&mut self, event: &AuditEvent) -> Result<(), LedgerError> {
        self.write_record(Body {
            seq: 0,
            at: self.now,
            action: event.action,
            actor: event.actor.as_ref(),
            what: event.what.as_deref(),
            target: event.target.as_ref(),
            reason: event.reason,
            outcome: &event.outcome,
            position: event.position.map(|position| position.to_string()),
            note: event.note.as_deref(),
            correlation_id: None,
            client: None,
            ip: None,
        })
    }

    /// The record of an order that the door has taken.
    pub(crate) fn record_order(&mut self, order: &Order, ended: Ended) -> Result<(), LedgerError> {
        self.write_record(Body {
            seq: 0,
            at: self.now,
            action: Action::Order,
            actor: Some(&order.initiator),
            what: None,
            target: Some(&order.target),
            reason: Some(order.reason),
            outcome: if ended.fresh { "ended" } else { "already_ended" },
            position: Some(ended.position.to_string()),
            note: order.note.as_deref(),
            correlation_id: None,
            client: None,
            ip: None,
        })
    }

    fn write_record(&mut self, body: Body<'_>) -> Result<(), LedgerError> {
        let before = match self.audit {
            Some(head) => head,
            None => self.tx.audit_head()?,
        };
        let origin = &self.origin;
        let body = Body {
            seq: before.seq + 1,
            correlation_id: origin.correlation_id.as_deref(),
            client: origin.client.as_deref(),
            ip: origin.ip,
            ..body
        };
        let body = serde_json::to_string(&body)
            .map_err(|_| LedgerError::Refused("an audit record that cannot be written as JSON"))?;
        let head = before.follow(&body);
        self.tx.append_audit(&AuditRecord { seq: head.seq, at: self.now, body, hash: head.hash })?;
        self.audit = Some(head);
        Ok(())
    }

    /// Keeps a signed head.
    pub fn keep_signed_head(&mut self, signed: &SignedHead) -> Result<(), LedgerError> {
        Ok(self.tx.put_signed_head(signed)?)
    }

    /// Forgets records made before a moment, as far as a signed head vouches for them. Returns how many went.
    pub fn forget_audit(&mut self, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
        Ok(self.tx.forget_audit(before, limit)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_depends_on_all_that_came_before_and_on_its_place() {
        let (one, other) = (AuditHead::START.follow("a"), AuditHead::START.follow("b"));
        assert_ne!(one.hash, other.hash);
        assert_ne!(one.follow("c").hash, other.follow("c").hash);
        let moved = AuditHead { seq: 7, ..AuditHead::START };
        assert_ne!(moved.follow("a").hash, one.hash);
    }

    #[test]
    fn the_word_for_an_action_is_the_one_in_its_records() {
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
    }
}
