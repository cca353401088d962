//! What a user may do as an administrator of this server.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Each role may do what the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees who and what there is.
    Viewer,
    /// Ends access.
    Revoker,
    /// Changes who and what there is.
    Administrator,
}

impl Role {
    /// All, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Revoker, Self::Administrator];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Revoker => "revoker",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role nobody defined.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown role; one of: viewer, revoker, administrator")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_back_from_its_word_and_no_other_word_is_one() {
        for role in Role::ALL {
            assert_eq!(role.name().parse::<Role>(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        for wrong in ["", "admin", "Administrator", "viewer "] {
            assert_eq!(wrong.parse::<Role>(), Err(UnknownRole));
        }
        assert!(Role::Viewer < Role::Revoker && Role::Revoker < Role::Administrator);
    }
}
