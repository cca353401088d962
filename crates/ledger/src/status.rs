//! What published status lists are made from (Token Status List): which token stands at which index of which list, and what
//! of it the verdict needs. A list itself is never stored: it is the verdict over its references.

use std::collections::HashSet;

use rescind_check::{FingerprintKey, Lineage, Position, Trace};

use crate::{AccessToken, Hash, Target, Timestamp};

/// Where the status of one token stands. It is never given to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StatusSlot {
    /// The list's id.
    pub list: String,
    pub index: u32,
}

/// A token whose status is published, with its lineage and nothing else of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReference {
    pub slot: StatusSlot,
    /// The `jti`.
    pub token: String,
    pub grant: String,
    /// The session, if the token ends with it.
    pub session: Option<String>,
    pub user: Option<String>,
    pub device: Option<String>,
    pub client: String,
    pub audiences: Vec<String>,
    pub key: Option<String>,
    pub position: Position,
    /// When the authentication was from which the token descends.
    pub root_time: Timestamp,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The names of a reference by which most entries find their tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusNames<'a> {
    pub index: u32,
    pub token: &'a str,
    pub grant: &'a str,
    pub session: Option<&'a str>,
    pub user: Option<&'a str>,
    pub device: Option<&'a str>,
}

/// A reference as it is read out of a list, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusView<'a> {
    pub names: StatusNames<'a>,
    pub client: &'a str,
    pub audiences: &'a [String],
    pub key: Option<&'a str>,
    pub position: Position,
    pub root_time: Timestamp,
    pub issued_at: Timestamp,
}

/// Who reads the references of a list, in the order of their indexes.
pub trait StatusScan: Send {
    /// Whether the rest of a reference is to be read.
    fn wants(&mut self, names: &StatusNames<'_>) -> bool;
    /// Takes one that was wanted.
    fn take(&mut self, reference: &StatusView<'_>);
}

/// A list as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusList {
    pub id: String,
    /// When its first token was issued.
    pub opened_at: Timestamp,
    /// When its last token expires; from then on nobody need ask for it.
    pub expires_at: Timestamp,
}

/// A JWT by which a client learns from a status list that its user's sign-in has ended. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutStatusJwt {
    pub hash: Hash,
    /// The `jti`.
    pub id: String,
    pub grant: String,
    pub client: String,
    pub user: String,
    /// Always part of its lineage: it says how that very session stands.
    pub session: String,
    pub device: Option<String>,
    pub key: String,
    pub position: Position,
    /// When the user proved who they are.
    pub auth_time: Timestamp,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub slot: StatusSlot,
}

impl StatusReference {
    /// The reference of an access token.
    #[must_use]
    pub fn of(token: &AccessToken, slot: &StatusSlot) -> Self {
        let bound = token.session_validation.depends_on_session();
        Self {
            slot: slot.clone(),
            token: token.id.clone(),
            grant: token.grant.clone(),
            session: token.session.clone().filter(|_| bound),
            user: token.user.clone(),
            device: token.device.clone(),
            client: token.client.clone(),
            audiences: token.audiences.clone(),
            key: token.key.clone(),
            position: token.position,
            root_time: token.root_time(),
            issued_at: token.issued_at,
            expires_at: token.expires_at,
        }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> StatusView<'_> {
        StatusView {
            names: StatusNames {
                index: self.slot.index,
                token: &self.token,
                grant: &self.grant,
                session: self.session.as_deref(),
                user: self.user.as_deref(),
                device: self.device.as_deref(),
            },
            client: &self.client,
            audiences: &self.audiences,
            key: self.key.as_deref(),
            position: self.position,
            root_time: self.root_time,
            issued_at: self.issued_at,
        }
    }
}

impl StatusView<'_> {
    /// Everything whose revocation ends the token: the same as [`crate::TokenView::trace`] says of an access token.
    #[must_use]
    pub fn trace(&self, issuer: &str, key: &FingerprintKey) -> Trace {
        let names = &self.names;
        Lineage {
            token: Some(names.token),
            grant: Some(names.grant),
            session: names.session,
            device: names.device,
            subject: names.user.map(|user| (issuer, user)),
            client: Some(self.client),
            audiences: self.audiences,
            key: self.key,
            position: self.position,
            root_time: self.root_time.0,
        }
        .trace(key)
    }
}

impl LogoutStatusJwt {
    /// What its list holds of it.
    #[must_use]
    pub fn reference(&self) -> StatusReference {
        StatusReference {
            slot: self.slot.clone(),
            token: self.id.clone(),
            grant: self.grant.clone(),
            session: Some(self.session.clone()),
            user: Some(self.user.clone()),
            device: self.device.clone(),
            client: self.client.clone(),
            audiences: Vec::new(),
            key: Some(self.key.clone()),
            position: self.position,
            root_time: self.auth_time,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}

/// Which tokens some entries may have ended, by the names that the entries bear: a sieve before the verdict, which alone
/// decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    tokens: HashSet<String>,
    grants: HashSet<String>,
    sessions: HashSet<String>,
    users: HashSet<String>,
    devices: HashSet<String>,
}

impl Reach {
    /// The reach of some targets together; `None` if one of them may reach any token.
    #[must_use]
    pub fn of<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Option<Self> {
        let mut reach = Self::default();
        for target in targets {
            let (names, name) = match target {
                Target::Token { token } => (&mut reach.tokens, token),
                Target::Grant { grant } => (&mut reach.grants, grant),
                Target::Session { session } => (&mut reach.sessions, session),
                Target::Subject { subject, .. }
                | Target::SubjectClient { subject, .. }
                | Target::SubjectAudience { subject, .. } => (&mut reach.users, subject),
                Target::Device { device } | Target::DeviceClient { device, .. } => (&mut reach.devices, device),
                Target::Key { .. }
                | Target::Client { .. }
                | Target::Audience { .. }
                | Target::ClientAudience { .. }
                | Target::Everything => return None,
            };
            names.insert(name.clone());
        }
        Some(reach)
    }

    /// Whether a token of these names may be among those.
    #[must_use]
    pub fn may_include(&self, names: &StatusNames<'_>) -> bool {
        let holds = |set: &HashSet<String>, name: Option<&str>| name.is_some_and(|name| set.contains(name));
        self.grants.contains(names.grant)
            || holds(&self.sessions, names.session)
            || holds(&self.users, names.user)
            || holds(&self.devices, names.device)
            || self.tokens.contains(names.token)
    }

    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> StatusReference {
        StatusReference {
            slot: StatusSlot { list: "l".to_owned(), index: 7 },
            token: "t".to_owned(),
            grant: "g".to_owned(),
            session: Some("s".to_owned()),
            user: Some("u".to_owned()),
            device: Some("d".to_owned()),
            client: "c".to_owned(),
            audiences: vec!["a".to_owned(), "b".to_owned()],
            key: Some("k".to_owned()),
            position: Position { epoch: 1, seq: 0 },
            root_time: Timestamp(0),
            issued_at: Timestamp(0),
            expires_at: Timestamp(1),
        }
    }

    #[test]
    fn no_target_of_a_lineage_slips_through_the_sieve() {
        let reference = reference();
        let view = reference.view();
        let lineage = Lineage {
            token: Some("t"),
            grant: Some("g"),
            session: Some("s"),
            device: Some("d"),
            subject: Some(("i", "u")),
            client: Some("c"),
            audiences: &reference.audiences,
            key: Some("k"),
            position: reference.position,
            root_time: 0,
        };
        assert_eq!(lineage.targets().count(), 16);
        for target in lineage.targets() {
            let target = Target::from_ref(&target);
            let reach = Reach::of([&target]);
            assert!(reach.is_none_or(|reach| reach.may_include(&view.names)), "{target}");
        }
        let other = Target::Grant { grant: "t".to_owned() };
        assert!(!Reach::of([&other]).unwrap().may_include(&view.names), "a name counts for its own kind alone");
    }

    #[test]
    fn a_session_that_a_token_outlives_does_not_reach_it() {
        let reference = StatusReference { session: None, ..reference() };
        let ended = Target::Session { session: "s".to_owned() };
        assert!(!Reach::of([&ended]).unwrap().may_include(&reference.view().names));
        assert!(Reach::of([]).unwrap().is_empty());
    }
}
