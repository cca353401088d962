//! What a user was called when an entry was made. Receivers know people by such names, and receipts are read by people.

use serde::{Deserialize, Serialize};

use crate::{Door, LedgerError, Position, User};

/// What a user is known by outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub user_name: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
}

impl From<&User> for Identity {
    fn from(user: &User) -> Self {
        Self { user_name: user.user_name.clone(), email: user.email.clone(), display_name: user.display_name.clone() }
    }
}

impl Door<'_> {
    /// Keeps what a user was called, before that is changed or deleted: it held for every entry up to `through`. An ordinary
    /// revocation so needs to write nothing down, and still finds the names of its moment.
    pub(crate) fn keep_identity(&mut self, before: &User, through: Position) -> Result<(), LedgerError> {
        Ok(self.tx.keep_identity(&before.id, through, &Identity::from(before))?)
    }
}
