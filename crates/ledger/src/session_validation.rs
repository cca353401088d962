//! What of the session behind it an access token depends on: set for each API, fixed at minting.

use serde::{Deserialize, Serialize};

/// How an API wants the sessions behind its access tokens treated. The names are those that PingFederate's access token
/// managers have for the same switches. All are on unless somebody says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionValidation {
    /// The token says from which session it comes: `sid` and `pi.sri`.
    pub include_session_id: bool,
    /// The token does not count while its session is idle, over-age, unknown or ended.
    pub check_valid_authn_session: bool,
    /// The session is part of the token's lineage, so that its end is the token's end.
    pub check_session_revocation_status: bool,
    /// Each validation counts as activity in the session.
    pub update_authn_session_activity: bool,
}

impl Default for SessionValidation {
    fn default() -> Self {
        Self::ALL
    }
}

impl SessionValidation {
    pub const ALL: Self = Self {
        include_session_id: true,
        check_valid_authn_session: true,
        check_session_revocation_status: true,
        update_authn_session_activity: true,
    };
    pub const NONE: Self = Self {
        include_session_id: false,
        check_valid_authn_session: false,
        check_session_revocation_status: false,
        update_authn_session_activity: false,
    };

    /// What holds for a token that is for several APIs: whatever one of them wants.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::from_bits(self.bits() | other.bits())
    }

    /// What is left for a token that outlives its session: it may still say where it comes from.
    #[must_use]
    pub fn as_information(self) -> Self {
        Self { include_session_id: self.names_session(), ..Self::NONE }
    }

    /// Whether the token says from which session it comes: it must, if anything depends on it.
    #[must_use]
    pub fn names_session(self) -> bool {
        self != Self::NONE
    }

    /// Whether the session belongs to the token's lineage. A session that was ended is no valid one either, so both checks
    /// ask for it.
    #[must_use]
    pub fn depends_on_session(self) -> bool {
        self.check_valid_authn_session || self.check_session_revocation_status
    }

    /// Whether this demands something of the session that `before` did not.
    #[must_use]
    pub fn is_stricter_than(self, before: Self) -> bool {
        (self.check_valid_authn_session && !before.check_valid_authn_session)
            || (self.check_session_revocation_status && !before.check_session_revocation_status)
    }

    /// The switches as the bits of a number, as stores keep them.
    #[must_use]
    pub fn bits(self) -> u8 {
        let Self {
            include_session_id,
            check_valid_authn_session,
            check_session_revocation_status,
            update_authn_session_activity,
        } = self;
        u8::from(include_session_id)
            | u8::from(check_valid_authn_session) << 1
            | u8::from(check_session_revocation_status) << 2
            | u8::from(update_authn_session_activity) << 3
    }

    /// Reads what [`SessionValidation::bits`] wrote.
    #[must_use]
    pub fn from_bits(bits: u8) -> Self {
        Self {
            include_session_id: bits & 1 != 0,
            check_valid_authn_session: bits & 2 != 0,
            check_session_revocation_status: bits & 4 != 0,
            update_authn_session_activity: bits & 8 != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_say_what_the_switches_say() {
        for bits in 0..16 {
            assert_eq!(SessionValidation::from_bits(bits).bits(), bits);
        }
        assert_eq!(SessionValidation::default().bits(), 15);
    }

    #[test]
    fn one_strict_api_among_several_decides() {
        let check = SessionValidation { check_valid_authn_session: true, ..SessionValidation::NONE };
        let name = SessionValidation { include_session_id: true, ..SessionValidation::NONE };
        assert_eq!(check.or(name), SessionValidation { include_session_id: true, ..check });
        assert!(check.is_stricter_than(name) && !name.is_stricter_than(check));
        assert_eq!(SessionValidation::ALL.as_information(), name);
        assert_eq!(SessionValidation::NONE.as_information(), SessionValidation::NONE);
    }
}
