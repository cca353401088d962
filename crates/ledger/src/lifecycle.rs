//! The life of a user's account, and the rules by which what happens to the account ends what it holds. Each restricting change
//! and its entry are one transaction (DESIGN rule 4), whatever path it came by.

use crate::{
    Action, AuditEvent, ConfigurationChange, Door, Ended, Identity, Initiator, LedgerError, Order, Reason, Role,
    Settings, SignIn, Target, User,
};

/// What is to be different about a user.
#[derive(Clone, Default)]
pub struct UserChange {
    pub user_name: Option<String>,
    pub email: Option<Option<String>>,
    pub display_name: Option<Option<String>>,
    pub password_hash: Option<String>,
    pub enabled: Option<bool>,
    pub role: Option<Option<Role>>,
    pub external_id: Option<Option<String>>,
}

/// A new password that a user chose in a session of their own, having given the old one.
pub struct OwnPassword {
    /// The session as it was when the old password was checked.
    pub session: crate::Session,
    /// The hash that the old password was checked against.
    pub old_hash: String,
    pub new_hash: String,
    /// Under which the browser goes on, if the setting says so: proving the old password was a sign-in. Its position is
    /// filled in here.
    pub successor: SignIn,
}

/// What became of a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordChanged {
    /// Nothing ended, since no rule says so.
    NothingEnded,
    /// Everything ended, this session as well.
    SignedOut(Ended),
    /// Everything ended, and the browser goes on in the new session.
    GoesOn(Ended),
}

/// A rule of the lifecycle: what happens to an account, and whether it ends what the account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleRule {
    UserDisabled,
    PasswordChanged,
    UserRenamed,
    /// Cannot be switched off: tokens about nobody help nobody.
    UserDeleted,
}

impl LifecycleRule {
    /// All of them; of several that apply, the first gives the reason.
    pub const ALL: [Self; 4] = [Self::UserDisabled, Self::PasswordChanged, Self::UserRenamed, Self::UserDeleted];

    /// Its name, as the notes of its entries have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UserDisabled => "user disabled",
            Self::PasswordChanged => "password changed",
            Self::UserRenamed => "user renamed",
            Self::UserDeleted => "user deleted",
        }
    }

    fn reason(self) -> Reason {
        match self {
            Self::UserDisabled => Reason::AccountDisabled,
            Self::PasswordChanged => Reason::CredentialChange,
            Self::UserRenamed => Reason::AccountRenamed,
            Self::UserDeleted => Reason::LeftCompany,
        }
    }

    fn is_on(self, settings: &Settings) -> bool {
        match self {
            Self::UserDisabled => settings.revoke_on_user_disabled,
            Self::PasswordChanged => settings.revoke_on_password_changed,
            Self::UserRenamed => settings.revoke_on_user_renamed,
            Self::UserDeleted => true,
        }
    }

    fn applies(self, before: &User, after: &User) -> bool {
        match self {
            Self::UserDisabled => before.enabled && !after.enabled,
            Self::PasswordChanged => before.password_hash != after.password_hash,
            Self::UserRenamed => before.user_name != after.user_name,
            Self::UserDeleted => false,
        }
    }
}

impl Door<'_> {
    /// Adds a user.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] if the id or the user name is taken.
    pub fn add_user(&mut self, user: &User) -> Result<(), LedgerError> {
        if self.tx.find_user(&user.id)?.is_some() {
            return Err(crate::StoreError::Conflict("a user with that id").into());
        }
        self.tx.put_user(user)?;
        self.note_user(user);
        Ok(())
    }

    /// A user as they stand at this very point of the transaction.
    pub fn find_user(&mut self, id: &str) -> Result<Option<User>, LedgerError> {
        Ok(self.tx.find_user(id)?)
    }

    /// Changes a user. Disabling, renaming and a new password each end everything the user holds, where their rule is on.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if there is no such user.
    pub fn change_user(
        &mut self,
        id: &str,
        change: &UserChange,
        initiator: &Initiator,
    ) -> Result<Option<Ended>, LedgerError> {
        let before = self.tx.find_user(id)?.ok_or(LedgerError::Refused("there is no such user"))?;
        let after = changed(before.clone(), change);
        self.tx.put_user(&after)?;
        if (before.enabled, before.role) != (after.enabled, after.role) {
            self.note_user(&after);
        }
        let settings = self.settings();
        let apply = |rule: &LifecycleRule| rule.applies(&before, &after) && rule.is_on(&settings);
        let rules: Vec<_> = LifecycleRule::ALL.into_iter().filter(apply).collect();
        let ended = self.end_by(&rules, id, initiator)?;
        if Identity::from(&before) != Identity::from(&after) {
            self.keep_identity(&before, self.head())?;
        }
        Ok(ended)
    }

    /// Removes a user and ends everything they hold. Ids are never reused, so nothing of theirs comes back.
    pub fn delete_user(&mut self, id: &str, initiator: &Initiator) -> Result<Ended, LedgerError> {
        let user = self.tx.find_user(id)?.ok_or(LedgerError::Refused("there is no such user"))?;
        let ended = self.end_by(&[LifecycleRule::UserDeleted], id, initiator)?;
        // Receivers may hear of it only later, and know the user by these names.
        self.keep_identity(&user, self.head())?;
        self.tx.delete_user(id)?;
        self.change(ConfigurationChange::User { user: id.to_owned(), enabled: true, role: None });
        ended.ok_or(LedgerError::Refused("there is no such user"))
    }

    /// Gives a user the password they chose.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if the session has ended meanwhile, [`LedgerError::Refused`] if the password was changed.
    pub fn change_own_password(&mut self, own: &OwnPassword) -> Result<PasswordChanged, LedgerError> {
        self.must_stand(&own.session.trace(self.live.issuer(), self.live.key()))?;
        let user = self.tx.find_user(&own.session.user)?.ok_or(LedgerError::Revoked)?;
        if !user.enabled {
            return Err(LedgerError::Revoked);
        }
        if user.password_hash.as_ref() != Some(&own.old_hash) {
            return Err(LedgerError::Refused("the password was changed meanwhile"));
        }
        let change = UserChange { password_hash: Some(own.new_hash.clone()), ..UserChange::default() };
        let person = Initiator::User(user.id.clone());
        let Some(ended) = self.change_user(&user.id, &change, &person)? else {
            // Without an entry nothing else would tell of it.
            self.record(&AuditEvent::new(Action::Change, Some(person), "changed").about("own password"))?;
            return Ok(PasswordChanged::NothingEnded);
        };
        if !self.settings().keep_session_on_own_password_change {
            return Ok(PasswordChanged::SignedOut(ended));
        }
        let SignIn { mut session, mut authentication } = own.successor.clone();
        (session.position, authentication.position) = (ended.position, ended.position);
        // Nothing can have ended it: it stands behind the last entry, which is of this very job.
        self.tx.insert_session(&session)?;
        self.tx.insert_authentication(&authentication)?;
        Ok(PasswordChanged::GoesOn(ended))
    }

    fn note_user(&mut self, user: &User) {
        self.change(ConfigurationChange::User { user: user.id.clone(), enabled: user.enabled, role: user.role });
    }

    /// One entry, however many rules ask for it: all of them end the same.
    fn end_by(
        &mut self,
        rules: &[LifecycleRule],
        user: &str,
        initiator: &Initiator,
    ) -> Result<Option<Ended>, LedgerError> {
        let Some(first) = rules.first() else { return Ok(None) };
        let target = Target::Subject { issuer: self.live.issuer().to_owned(), subject: user.to_owned() };
        let names: Vec<_> = rules.iter().map(|rule| rule.name()).collect();
        let order = Order::new(target, first.reason(), initiator.clone());
        self.end(&order.with_note(format!("rule: {}", names.join(", ")))).map(Some)
    }
}

fn changed(user: User, change: &UserChange) -> User {
    User {
        user_name: change.user_name.clone().unwrap_or(user.user_name),
        email: change.email.clone().unwrap_or(user.email),
        display_name: change.display_name.clone().unwrap_or(user.display_name),
        password_hash: change.password_hash.clone().or(user.password_hash),
        enabled: change.enabled.unwrap_or(user.enabled),
        role: change.role.unwrap_or(user.role),
        external_id: change.external_id.clone().unwrap_or(user.external_id),
        ..user
    }
}
