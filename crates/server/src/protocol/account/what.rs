//! What a user may end on the account page, and the order that ends it.

use rescind_ledger::{EndingOfSessions, Initiator, Lane, LedgerError, Order, Reason, Target};

use crate::{
    app::App,
    protocol::{form::Form, signed_in::SignedIn},
};

/// Something of one's own that is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A session, by its id.
    Session(String),
    /// Every session but this one.
    Others,
    /// What a client has of the user: grants and remembered consents.
    Application(String),
}

impl What {
    /// What a link asks about; exactly one thing.
    pub(super) fn read(form: &Form) -> Option<Self> {
        let mut asked = form.pairs().filter_map(|(name, value)| match name {
            "session" => Some(Self::Session(value.to_owned())),
            "others" => Some(Self::Others),
            "application" => Some(Self::Application(value.to_owned())),
            _ => None,
        });
        asked.next().filter(|_| asked.next().is_none())
    }

    /// The query of that link.
    pub(super) fn query(&self) -> String {
        let (name, value) = match self {
            Self::Session(id) => ("session", id.as_str()),
            Self::Others => ("others", "1"),
            Self::Application(id) => ("application", id.as_str()),
        };
        form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
    }

    /// The field `flow` of the form that confirms it, where `csrf` seals it.
    pub(super) fn pack(&self) -> String {
        self.query()
    }

    pub(super) fn unpack(flow: &str) -> Option<Self> {
        Self::read(&Form::parse(flow.as_bytes()).ok()?)
    }

    /// Ends it: everything in one job, so that all of it has ended or nothing. Gives back how many of the sessions or
    /// authorizations were still there. The caller has made sure that it is the user's own.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if the session that asks has ended itself: then nothing else has.
    pub(super) async fn end(self, app: &App, signed_in: &SignedIn) -> Result<usize, LedgerError> {
        let (issuer, session) = (app.live.issuer().to_owned(), signed_in.record().clone());
        let (initiator, asking) = (Initiator::User(session.user.clone()), session.trace(&issuer, app.live.key()));
        app.pace.at("submit").await;
        let work = app.submit(Lane::Ending, move |door| {
            door.must_stand(&asking)?;
            let target = match self {
                Self::Session(session) => Target::Session { session },
                Self::Application(client) => Target::SubjectClient { issuer, subject: session.user, client },
                Self::Others => {
                    let (user, except, reason) = (session.user, Some(session.id), Reason::UserRequest);
                    let order = EndingOfSessions { user, except, reason, initiator, note: None };
                    return Ok(door.end_sessions(&order)?.len());
                }
            };
            Ok(usize::from(door.end(&Order::new(target, Reason::UserRequest, initiator))?.fresh))
        });
        work.await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_two_things_at_once_are_nothing() {
        for what in [What::Session("s_1&others=1".into()), What::Others, What::Application("a b=ü".into())] {
            assert_eq!(What::unpack(&what.pack()), Some(what));
        }
        for nothing in ["", "session=", "other=1", "session=s_1&others=1", "session=s_1&session=s_2"] {
            assert_eq!(What::unpack(nothing), None, "{nothing}");
        }
    }
}
