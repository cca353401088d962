//! The audit trail: one record for everything that was ordered, refused, set, run or read, each chained to the one before.
//!
//! A record is JSON text and is never written again; its hash covers the text, its number and the hash before. Whoever removes,
//! alters or moves one breaks the chain, and whoever cuts off the end contradicts the last signed head.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Door, Ended, Hash, Initiator, LedgerError, Order, Position, Reason, Target, Timestamp};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Somebody did not wait for the approval of another administrator.
    BreakGlass,
    /// An administrator changed who or what there is.
    Change,
    /// Old records of the trail itself were dropped, as the retention says.
    Forget,
    /// Something was to end.
    Order,
    /// An order or a bulk job waits, or no longer does.
    Pending,
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
    pub const ALL: [Self; 9] = [
        Self::BreakGlass,
        Self::Change,
        Self::Forget,
        Self::Order,
        Self::Pending,
        Self::Read,
        Self::Refusal,
        Self::Script,
        Self::Setting,
    ];

    /// The word for it, as it stands in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BreakGlass => "break_glass",
            Self::Change => "change",
            Self::Forget => "forget",
            Self::Order => "order",
            Self::Pending => "pending",
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

/// The members of a record, as they are read back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuditBody {
    pub seq: u64,
    pub at: Timestamp,
    pub action: Action,
    pub actor: Option<Initiator>,
    pub what: Option<String>,
    pub target: Option<Target>,
    pub reason: Option<Reason>,
    /// The condition of an order: ends only what descends from an authentication before this moment.
    pub before: Option<Timestamp>,
    pub outcome: String,
    pub position: Option<String>,
    pub note: Option<String>,
    pub correlation_id: Option<String>,
    pub client: Option<String>,
    pub ip: Option<IpAddr>,
}

impl AuditBody {
    /// Which position an order ended something at, if the record is of one that did.
    #[must_use]
    pub fn ended_at(&self) -> Option<&str> {
        let ended = self.action == Action::Order && self.outcome == ENDED;
        self.position.as_deref().filter(|_| ended)
    }

    /// The last record that was dropped, if this one tells of such.
    #[must_use]
    pub fn forgotten_through(&self) -> Option<u64> {
        let what = self.what.as_deref().filter(|_| self.action == Action::Forget)?;
        what.strip_prefix(FORGOTTEN)?.parse().ok()
    }
}

/// The outcome of an order that wrote an entry.
const ENDED: &str = "ended";
/// How a record begins to say which others were dropped.
const FORGOTTEN: &str = "records through ";
/// Most records fit.
const USUAL_SIZE: usize = 512;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Timestamp>,
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
            before: None,
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
            before: order.before,
            outcome: if ended.fresh { ENDED } else { "already_ended" },
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
        let body = as_json(&body).ok_or(LedgerError::Refused("an audit record that cannot be written as JSON"))?;
        let head = before.follow(&body);
        self.tx.append_audit(&AuditRecord { seq: head.seq, at: self.now, body, hash: head.hash })?;
        self.audit = Some(head);
        Ok(())
    }

    /// Keeps a signed head.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_signed_head(&mut self, signed: &SignedHead) -> Result<(), LedgerError> {
        Ok(self.tx.put_signed_head(signed)?)
    }

    /// Forgets the oldest records, those made before a moment, as far as a signed head vouches for them. Returns how many went.
    /// A record of its own says through which one, so that nobody can drop more and call it retention.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn forget_audit(&mut self, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
        let forgotten = self.tx.forget_audit(before, limit)?;
        let Some(last) = forgotten.last else { return Ok(0) };
        let event = AuditEvent::new(Action::Forget, Some(Initiator::System("audit retention".to_owned())), "forgotten");
        self.record(&event.about(format!("{FORGOTTEN}{last}")))?;
        Ok(forgotten.rows)
    }
}

fn as_json(body: &Body<'_>) -> Option<String> {
    let mut text = Vec::with_capacity(USUAL_SIZE);
    serde_json::to_writer(&mut text, body).ok()?;
    let text = String::from_utf8(text).ok()?;
    // JSON leaves the control characters beyond ASCII as they are (RFC 8259 section 7), and DEL. The text is exported as it was
    // hashed, line by line, to terminals and collectors that may obey them.
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.contains(obeyed) {
        return Some(text);
    }
    let escaped = text.chars().map(|c| if obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() });
    Some(escaped.collect())
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
    fn a_record_is_read_back_as_it_was_written() {
        let target = Target::Grant { grant: "g".to_owned() };
        let body = Body {
            seq: 7,
            at: Timestamp(5),
            action: Action::Order,
            actor: Some(&Initiator::Client("web".to_owned())),
            what: None,
            target: Some(&target),
            reason: Some(Reason::Logout),
            before: Some(Timestamp(4000)),
            outcome: ENDED,
            position: Some("1-2".to_owned()),
            note: Some("a \"note\"\n"),
            correlation_id: Some("r-1"),
            client: Some("web"),
            ip: "192.0.2.7".parse().ok(),
        };
        let read: AuditBody = serde_json::from_str(&as_json(&body).unwrap()).unwrap();
        assert_eq!(
            (read.seq, read.at, &read.target, read.reason, read.before),
            (7, Timestamp(5), &Some(target.clone()), body.reason, body.before)
        );
        assert_eq!((read.note.as_deref(), read.ip, read.ended_at()), (body.note, body.ip, Some("1-2")));
        assert_eq!(AuditBody { outcome: "already_ended".to_owned(), ..read.clone() }.ended_at(), None);
        assert_eq!(read.forgotten_through(), None);
        let forgotten = AuditBody { action: Action::Forget, what: Some(format!("{FORGOTTEN}12")), ..read };
        assert_eq!(forgotten.forgotten_through(), Some(12));
    }

    #[test]
    fn no_control_character_gets_into_a_record_and_each_is_read_back() {
        let note: String = ('\0'..='\u{a1}').chain(['\u{2028}', '\u{2029}', 'ä', '\u{1f600}']).collect();
        let body = Body {
            seq: 1,
            at: Timestamp(1),
            action: Action::Refusal,
            actor: None,
            what: None,
            target: None,
            reason: None,
            before: None,
            outcome: "x",
            position: None,
            note: Some(&note),
            correlation_id: None,
            client: None,
            ip: None,
        };
        let text = as_json(&body).unwrap();
        assert!(!text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')), "{text:?}");
        assert_eq!(serde_json::from_str::<AuditBody>(&text).unwrap().note, Some(note));
    }

    #[test]
    fn the_word_for_an_action_is_the_one_in_its_records() {
        for action in Action::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
        }
    }
}
