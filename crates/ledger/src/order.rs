//! An order: what is to end, why, and on whose word.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Target;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub target: Target,
    pub reason: Reason,
    pub initiator: Initiator,
    /// Free text for people, at most [`Order::NOTE_LIMIT`] bytes.
    pub note: Option<String>,
    /// Two orders of one initiator with one key are one order.
    pub idempotency_key: Option<String>,
}

impl Order {
    /// The longest note, in bytes.
    pub const NOTE_LIMIT: usize = 2000;
    /// The longest name in a target or idempotency key, in bytes.
    pub const NAME_LIMIT: usize = 1024;

    /// An order without note or key.
    #[must_use]
    pub fn new(target: Target, reason: Reason, initiator: Initiator) -> Self {
        Self { target, reason, initiator, note: None, idempotency_key: None }
    }

    /// The same order with a note for people.
    #[must_use]
    pub fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }
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
