//! The kinds of token rescind signs. The kind is the `typ` of the header (RFC 8725 section 3.11).

/// What a token is for. A token of one kind is never accepted as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RFC 9068.
    AccessToken,
    /// OpenID Connect Core section 2.
    IdToken,
    /// OpenID Connect Back-Channel Logout section 2.4.
    LogoutToken,
    /// RFC 8417.
    SecurityEvent,
    /// RFC 9701.
    Introspection,
    /// Token Status List.
    StatusList,
    /// What a client keeps to learn from a status list that its user's sign-in has ended.
    LogoutStatus,
    /// What says who has stopped honouring what, and when.
    Receipt,
    /// The last record of the audit trail, as of a moment.
    AuditHead,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::AccessToken,
        Self::IdToken,
        Self::LogoutToken,
        Self::SecurityEvent,
        Self::Introspection,
        Self::StatusList,
        Self::LogoutStatus,
        Self::Receipt,
        Self::AuditHead,
    ];

    /// The longest token of this kind that is looked at. A receipt names every client and receiver, and is checked by people.
    pub fn max_bytes(self) -> usize {
        if self == Self::Receipt { 8 * 1024 * 1024 } else { crate::MAX_TOKEN_BYTES }
    }

    /// The `typ` of the header, without `application/`.
    pub fn typ(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
            Self::LogoutToken => "logout+jwt",
            Self::SecurityEvent => "secevent+jwt",
            Self::Introspection => "token-introspection+jwt",
            Self::StatusList => "statuslist+jwt",
            Self::LogoutStatus => "logout-status+jwt",
            Self::Receipt => "rescind-receipt+jwt",
            Self::AuditHead => "rescind-audit-head+jwt",
        }
    }
}
