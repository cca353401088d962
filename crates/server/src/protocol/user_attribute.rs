//! Users by the attributes that clients written for Janssen name them by.

use rescind_ledger::{Reads, User};

use crate::{app::App, protocol::error::ProtocolError};

/// What is known here of a user, and by which a client may name one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Several users may have the same.
    Email,
    /// The `sub`.
    Id,
    /// In any case.
    UserName,
}

/// Theirs are names of LDAP attributes and of claims; those that say the same thing are one attribute here.
const NAMES: [(&str, Attribute); 9] = [
    ("uid", Attribute::UserName),
    ("user_name", Attribute::UserName),
    ("userName", Attribute::UserName),
    ("preferred_username", Attribute::UserName),
    ("mail", Attribute::Email),
    ("email", Attribute::Email),
    ("sub", Attribute::Id),
    ("inum", Attribute::Id),
    ("id", Attribute::Id),
];

/// No user is named by more, in bytes.
pub const VALUE_LIMIT: usize = 1024;
/// So many users may share an e-mail address. Whoever ends access for more at once says so user by user.
const MOST_USERS: u32 = 1000;

impl Attribute {
    /// The attribute of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, attribute)| *attribute)
    }

    /// Every name there is.
    #[must_use]
    pub fn names() -> [&'static str; 9] {
        NAMES.map(|(name, _)| name)
    }

    /// Everybody whom a value names; nobody, if it names nobody.
    ///
    /// # Errors
    /// If it names more than anybody can have meant, or the store cannot say.
    pub async fn users(self, app: &App, value: &str) -> Result<Vec<User>, ProtocolError> {
        let store = &app.records.store;
        Ok(match self {
            Self::Id => store.find_user(value).await?.into_iter().collect(),
            Self::UserName => store.find_user_by_name(value).await?.into_iter().collect(),
            Self::Email => {
                let users = store.find_users_by_email(value, MOST_USERS + 1).await?;
                if users.len() > MOST_USERS as usize {
                    return Err(ProtocolError::ambiguous_subject("more than 1000 users have this e-mail address"));
                }
                users
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_goes_by_several_names_and_no_others() {
        assert_eq!(Attribute::find("uid"), Attribute::find("preferred_username"));
        assert_eq!(Attribute::find("mail"), Some(Attribute::Email));
        assert_eq!(Attribute::find("inum"), Some(Attribute::Id));
        for unknown in ["", "UID", "password_hash", "displayName", "uid "] {
            assert_eq!(Attribute::find(unknown), None, "{unknown}");
        }
        assert!(Attribute::names().first() == Some(&"uid") && Attribute::names().last() == Some(&"id"));
    }
}
