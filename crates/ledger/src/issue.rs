//! Issuing: facts written down, none of which appends to the ledger (DESIGN rule 8).

use rescind_check::Verdict;

use crate::{
    AccessToken, Authentication, Code, Consent, Door, Ended, Grant, Hash, Inactive, Initiator, LedgerError, Order,
    PushedRequest, Reason, RefreshToken, Session, SessionClock, Target, Timestamp, Use,
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
}

impl Door<'_> {
    /// Begins a session.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if its user was revoked since the stamp was taken.
    pub fn sign_in(&mut self, sign_in: &SignIn) -> Result<(), LedgerError> {
        let session = &sign_in.session;
        self.must_hold(self.verdict(&session.trace(self.live.issuer(), self.live.key())))?;
        self.tx.insert_session(session)?;
        self.tx.insert_authentication(&sign_in.authentication)?;
        Ok(())
    }

    /// Notes that the user of a session proved again who they are: a fact with a position of its own (DESIGN rule 1).
    pub fn reauthenticate(&mut self, session: &Session, authentication: &Authentication) -> Result<(), LedgerError> {
        self.must_hold(self.verdict(&session.trace(self.live.issuer(), self.live.key())))?;
        self.tx.insert_authentication(authentication)?;
        self.tx.touch_session(&session.id, self.now)?;
        Ok(())
    }

    /// Notes activity in a session.
    pub fn touch(&mut self, session: &str) -> Result<(), LedgerError> {
        Ok(self.tx.touch_session(session, self.now)?)
    }

    /// Asked before a job does what a session asked for: whether the session has not ended, as of this very point of the
    /// transaction.
    ///
    /// # Errors
    /// [`LedgerError::Revoked`] if it has.
    pub fn must_stand(&self, session: &Session) -> Result<(), LedgerError> {
        self.must_hold(self.verdict(&session.trace(self.live.issuer(), self.live.key())))
    }

    /// Ends a session that ran out of time, given as of its last activity. One that goes on after all has that activity
    /// written down instead; one that was ended before is only noted as ended.
    pub fn time_out(&mut self, session: &Session) -> Result<Option<Ended>, LedgerError> {
        if self.verdict(&session.trace(self.live.issuer(), self.live.key())) != Verdict::NotRevoked {
            self.tx.settle_session(&session.id)?;
            return Ok(None);
        }
        let reason = match SessionClock::of(session).runs(self.now) {
            Ok(()) => {
                self.tx.touch_session(&session.id, session.touched_at)?;
                return Ok(None);
            }
            Err(Inactive::SessionIdle) => Reason::IdleTimeout,
            Err(_) => Reason::MaxTimeout,
        };
        self.tx.settle_session(&session.id)?;
        let target = Target::Session { session: session.id.clone() };
        self.end(&Order::new(target, reason, Initiator::System("session_timeout".to_owned()))).map(Some)
    }

    /// The sessions of a user that have not ended as of this very point of the transaction, oldest first. One that may
    /// have idled out is among them: its last activity need not be written down yet.
    pub fn live_sessions_of(&mut self, user: &str) -> Result<Vec<Session>, LedgerError> {
        let mut sessions = self.tx.live_sessions_of(user, self.now)?;
        let (issuer, key) = (self.live.issuer(), self.live.key());
        sessions.retain(|session| self.verdict(&session.trace(issuer, key)) == Verdict::NotRevoked);
        Ok(sessions)
    }

    /// Remembers a consent.
    pub fn remember_consent(&mut self, consent: &Consent) -> Result<(), LedgerError> {
        self.must_hold(self.verdict(&consent.trace(self.live.issuer(), self.live.key())))?;
        Ok(self.tx.insert_consent(consent)?)
    }

    /// Keeps a pushed or pending authorization request.
    pub fn push_request(&mut self, request: &PushedRequest) -> Result<(), LedgerError> {
        self.must_hold(self.verdict(&request.trace(self.live.key())))?;
        Ok(self.tx.insert_pushed_request(request)?)
    }

    /// Issues an authorization code and, with it, the id of its grant.
    ///
    /// `request` is the handle of the pushed request it answers, which is used up.
    pub fn issue_code(&mut self, code: &Code, request: Option<&Hash>) -> Result<(), LedgerError> {
        self.must_hold(self.verdict(&code.grant.trace(self.live.issuer(), self.live.key())))?;
        if let Some(handle) = request
            && self.tx.use_pushed_request(handle, self.now)? != Use::First
        {
            return Err(LedgerError::Replayed);
        }
        Ok(self.tx.insert_code(code)?)
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
        self.must_hold(self.verdict(&minted.access.trace(self.live.issuer(), self.live.key())))?;
        self.tx.insert_access_token(&minted.access)?;
        if let Some(refresh) = &minted.refresh {
            self.tx.insert_refresh_token(refresh)?;
        }
        Ok(())
    }

    pub(crate) fn must_hold(&self, verdict: Verdict) -> Result<(), LedgerError> {
        match verdict {
            Verdict::NotRevoked => Ok(()),
            Verdict::Revoked | Verdict::Stale => Err(LedgerError::Revoked),
        }
    }
}
