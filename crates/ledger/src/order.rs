//! An order: what is to end, why, and on whose word.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{LedgerError, Target, Timestamp};

/// Why something was ended. The code travels with the entry to every receipt and receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    AccountDisabled,
    AccountRenamed,
    ClientChanged,
    CredentialChange,
    DeviceNonCompliant,
    DeviceRetired,
    IdleTimeout,
    KeyCompromise,
    LeftCompany,
    Logout,
    MaxTimeout,
    Other,
    Policy,
    Restore,
    ReuseDetected,
    SessionLimit,
    TokenLeaked,
    TokenLimit,
    UserRequest,
}

impl Reason {
    /// Every reason, in the order of the alphabet.
    pub const ALL: [Self; 19] = [
        Self::AccountDisabled,
        Self::AccountRenamed,
        Self::ClientChanged,
        Self::CredentialChange,
        Self::DeviceNonCompliant,
        Self::DeviceRetired,
        Self::IdleTimeout,
        Self::KeyCompromise,
        Self::LeftCompany,
        Self::Logout,
        Self::MaxTimeout,
        Self::Other,
        Self::Policy,
        Self::Restore,
        Self::ReuseDetected,
        Self::SessionLimit,
        Self::TokenLeaked,
        Self::TokenLimit,
        Self::UserRequest,
    ];

    /// The code, as written in entries and on the wire.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AccountDisabled => "account_disabled",
            Self::AccountRenamed => "account_renamed",
            Self::ClientChanged => "client_changed",
            Self::CredentialChange => "credential_change",
            Self::DeviceNonCompliant => "device_non_compliant",
            Self::DeviceRetired => "device_retired",
            Self::IdleTimeout => "idle_timeout",
            Self::KeyCompromise => "key_compromise",
            Self::LeftCompany => "left_company",
            Self::Logout => "logout",
            Self::MaxTimeout => "max_timeout",
            Self::Other => "other",
            Self::Policy => "policy",
            Self::Restore => "restore",
            Self::ReuseDetected => "reuse_detected",
            Self::SessionLimit => "session_limit",
            Self::TokenLeaked => "token_leaked",
            Self::TokenLimit => "token_limit",
            Self::UserRequest => "user_request",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A reason code nobody defined.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown reason `{0}`; one of: {list}", list = Reason::ALL.map(Reason::code).join(", "))]
pub struct UnknownReason(String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.code() == text).ok_or_else(|| UnknownReason(text.to_owned()))
    }
}

/// On whose word something was ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Initiator {
    /// An administrator, by user or client id, or `local` for the server's own command line.
    Administrator(String),
    /// A client, at a protocol endpoint.
    Client(String),
    /// A source of signals, by its configured name.
    Source(String),
    /// The server itself, by the rule that acted.
    System(String),
    /// The user in person, by user id.
    User(String),
}

impl Initiator {
    /// Its name, among those of its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Administrator(id) | Self::Client(id) | Self::Source(id) | Self::System(id) | Self::User(id) => id,
        }
    }
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator(id) => write!(f, "administrator {id}"),
            Self::Client(id) => write!(f, "client {id}"),
            Self::Source(id) => write!(f, "source {id}"),
            Self::System(id) => write!(f, "system {id}"),
            Self::User(id) => write!(f, "user {id}"),
        }
    }
}

/// What is to end, why, and on whose word: the only thing the door accepts.
///
/// It is kept in this form while it waits ([`crate::PendingOrder`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub target: Target,
    pub reason: Reason,
    pub initiator: Initiator,
    /// Free text for people, at most [`Order::NOTE_LIMIT`] bytes.
    pub note: Option<String>,
    /// Two orders of one initiator with one key are one order.
    pub idempotency_key: Option<String>,
    /// Ends only what descends from an authentication before this moment, which is a whole second: tokens tell no more of
    /// theirs. For living targets alone.
    pub before: Option<Timestamp>,
}

impl Order {
    /// The longest note, in bytes.
    pub const NOTE_LIMIT: usize = 2000;
    /// The longest name in a target or idempotency key, in bytes.
    pub const NAME_LIMIT: usize = 1024;

    /// An order without note, key or condition.
    #[must_use]
    pub fn new(target: Target, reason: Reason, initiator: Initiator) -> Self {
        Self { target, reason, initiator, note: None, idempotency_key: None, before: None }
    }

    /// The same order with a note for people.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// The same order for what descends from an authentication before a moment.
    #[must_use]
    pub fn issued_before(self, before: Timestamp) -> Self {
        Self { before: Some(before), ..self }
    }
}

/// Whether an order for a target may have this condition. It is kept to the past, for of the future nobody knows what it would
/// end; and to what every holder of a token can decide alike.
///
/// # Errors
/// [`LedgerError::Refused`].
pub fn check_condition(target: &Target, before: Option<Timestamp>, now: Timestamp) -> Result<(), LedgerError> {
    let Some(before) = before else { return Ok(()) };
    if !target.is_living() {
        let why = "a token, grant, session or key ends as a whole: `before` goes with the other kinds of targets";
        return Err(LedgerError::Refused(why));
    }
    if before > now {
        return Err(LedgerError::Refused("`before` lies in the future, by the server's clock"));
    }
    if before != Timestamp::from_secs(before.secs()) {
        return Err(LedgerError::Refused("`before` is a whole second: tokens tell their times no more exactly"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_code() {
        for reason in Reason::ALL {
            assert_eq!(reason.code().parse::<Reason>().unwrap(), reason);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
        assert!("because".parse::<Reason>().unwrap_err().to_string().contains("token_leaked"));
    }
}
