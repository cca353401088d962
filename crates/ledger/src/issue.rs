//! Issuing: facts written down, none of which appends to the ledger (DESIGN rule 8).

use crate::{
    AccessToken, Authentication, Code, Consent, Door, Ended, Grant, Hash, Inactive, Initiator, LedgerError,
    LogoutStatusJwt, Order, PushedRequest, Reason, RefreshToken, Session, SessionClock, StatusReference, StatusSlot,
    Target, Timestamp, Use,
};

/// A new session with the authentication that began it.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub session: Session,
    pub authentication: Authentication,
}

/// What a token request brings forth. The grant is new, except at a refresh.
#[derive(Clone, Debug)]
pub struct Minted {
    pub grant: Grant,
    pub access: AccessToken,
    pub refresh: Option<RefreshToken>,
    /// Where the status of the access token is published, if it is.
    pub status: Option<StatusSlot>,
}

/// What became of a session that seemed to have run out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimedOut {
    Ended(Ended),
    /// By another order; that is all there was to note.
    EndedBefore,
    /// There was activity that was not written down; now it is.
    GoesOn,
}

impl Door<'_> {
    /// Begins a session.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if its user was revoked since the stamp was taken.
    pub fn sign_in(&mut self, sign_in: &SignIn) -> Result<(), LedgerError> {
        let session = &sign_in.session;
        self.must_stand(&session.trace(self.live.issuer(), self.live.key()))?;
        self.tx.insert_session(session)?;
        self.tx.insert_authentication(&sign_in.authentication)?;
        Ok(())
    }

    /// Notes that the user of a session proved again who they are: a fact with a position of its own (DESIGN rule 1). The
    /// session is given as of its last activity.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if the session has ended, or its time ran out meanwhile.
    pub fn reauthenticate(&mut self, session: &Session, authentication: &Authentication) -> Result<(), LedgerError> {
        self.must_stand(&session.trace(self.live.issuer(), self.live.key()))?;
        if SessionClock::of(session).runs(self.now).is_err() {
            return Err(LedgerError::Revoked);
        }
        self.tx.insert_authentication(authentication)?;
        self.tx.touch_session(&session.id, authentication.at)?;
        Ok(())
    }

    /// Notes the activity that was in a session at `at`. The moment of the writing would be later, and might let the session
    /// rest too long.
    pub fn touch(&mut self, session: &str, at: Timestamp) -> Result<(), LedgerError> {
        Ok(self.tx.touch_session(session, at)?)
    }

    /// Ends a session that ran out of time, given as of its last activity. One that goes on after all has that activity
    /// written down instead.
    ///
    /// One that ended with something wider, such as its user, gets an entry of its own now: its record is forgotten soon, and
    /// whoever asks for the session by its id must go on hearing that it has ended.
    pub fn time_out(&mut self, session: &Session) -> Result<TimedOut, LedgerError> {
        let reason = match SessionClock::of(session).runs(self.now) {
            Ok(()) => {
                self.tx.touch_session(&session.id, session.touched_at)?;
                return Ok(TimedOut::GoesOn);
            }
            Err(Inactive::SessionIdle) => Reason::IdleTimeout,
            Err(_) => Reason::MaxTimeout,
        };
        self.tx.settle_session(&session.id)?;
        let target = Target::Session { session: session.id.clone() };
        let ended = self.end(&Order::new(target, reason, Initiator::System("session_timeout".to_owned())))?;
        Ok(if ended.fresh { TimedOut::Ended(ended) } else { TimedOut::EndedBefore })
    }

    /// Remembers a consent.
    pub fn remember_consent(&mut self, consent: &Consent) -> Result<(), LedgerError> {
        self.must_stand(&consent.trace(self.live.issuer(), self.live.key()))?;
        Ok(self.tx.insert_consent(consent)?)
    }

    /// Keeps a pushed or pending authorization request, unless `limit` of them wait for their answer already: strangers can
    /// have them kept.
    ///
    /// # Errors
    /// [`LedgerError::Full`]; [`LedgerError::Revoked`] if its client was revoked since the stamp was taken.
    pub fn push_request(&mut self, request: &PushedRequest, limit: u64) -> Result<(), LedgerError> {
        self.must_stand(&request.trace(self.live.key()))?;
        let pending = self.pending_requests();
        if pending >= limit {
            return Err(LedgerError::Full);
        }
        self.tx.insert_pushed_request(request)?;
        self.note_pending(pending + 1);
        Ok(())
    }

    /// Issues an authorization code and, with it, the id of its grant.
    ///
    /// `request` is the handle of the pushed request it answers, which is used up.
    pub fn issue_code(&mut self, code: &Code, request: Option<&Hash>) -> Result<(), LedgerError> {
        self.must_stand(&code.grant.trace(self.live.issuer(), self.live.key()))?;
        if let Some(handle) = request {
            if self.tx.use_pushed_request(handle, self.now)? != Use::First {
                return Err(LedgerError::Replayed);
            }
            self.note_pending(self.pending_requests().saturating_sub(1));
        }
        Ok(self.tx.insert_code(code)?)
    }

    /// Writes down a logout status JWT, which goes out beside the code of its grant.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if what it is to report has ended already.
    pub fn issue_logout_status(&mut self, jwt: &LogoutStatusJwt) -> Result<(), LedgerError> {
        let reference = jwt.reference();
        self.must_stand(&reference.view().trace(self.live.issuer(), self.live.key()))?;
        self.tx.insert_logout_status_jwt(jwt)?;
        Ok(self.tx.insert_status_reference(&reference, self.now)?)
    }

    /// Writes down a grant that a client got by its own credentials.
    pub fn mint(&mut self, minted: &Minted) -> Result<(), LedgerError> {
        self.tx.insert_grant(&minted.grant)?;
        self.insert_tokens(minted)
    }

    /// Remembers that a client assertion was used (RFC 7523 section 3, item 7).
    pub fn use_assertion(&mut self, client: &str, jti: &str, expires_at: Timestamp) -> Result<(), LedgerError> {
        match self.tx.use_assertion(client, jti, expires_at)? {
            Use::First => Ok(()),
            Use::Before { .. } => Err(LedgerError::Replayed),
        }
    }

    /// Inserts the tokens, unless what they descend from was revoked meanwhile. They would be dead anyway; the check
    /// spares a client the surprise, and keeps dead JWTs from whoever reads them without asking.
    pub(crate) fn insert_tokens(&mut self, minted: &Minted) -> Result<(), LedgerError> {
        self.must_stand(&minted.access.trace(self.live.issuer(), self.live.key()))?;
        self.tx.insert_access_token(&minted.access)?;
        if let Some(slot) = &minted.status {
            self.tx.insert_status_reference(&StatusReference::of(&minted.access, slot), self.now)?;
        }
        if let Some(refresh) = &minted.refresh {
            self.tx.insert_refresh_token(refresh)?;
        }
        Ok(())
    }
}
