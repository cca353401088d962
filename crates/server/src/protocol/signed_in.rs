//! Who is signed in: the session behind a browser's cookie, if it counts.

use std::sync::Arc;

use rescind_check::Verdict;
use rescind_ledger::{Authentication, Hash, Lane, LedgerError, Live, Reads, Session, StoreError, User};

use crate::{app::App, protocol::pages::Person, records::KnownSession};

/// A session that counts, with its user and when the user last proved who they are.
pub struct SignedIn {
    pub session: Arc<KnownSession>,
    pub user: User,
    /// What is granted now gets its position from here (DESIGN rule 1).
    pub authentication: Authentication,
}

impl SignedIn {
    /// The session's record.
    #[must_use]
    pub fn record(&self) -> &Session {
        &self.session.record
    }

    /// How the user is shown on pages.
    #[must_use]
    pub fn person(&self) -> Person<'_> {
        let username = self.user.user_name.as_str();
        Person { name: self.user.display_name.as_deref().unwrap_or(username), username }
    }
}

/// Finds out who is signed in. Being asked is activity, and keeps the session from idling out.
pub async fn find_signed_in(app: &App, cookie: Option<Hash>) -> Result<Option<SignedIn>, StoreError> {
    let Some(cookie) = cookie else { return Ok(None) };
    app.pace.at("read session").await;
    let Some(session) = app.records.find_session_by_cookie(&cookie).await? else { return Ok(None) };
    let now = app.now();
    if app.live.session_counts(&session.current(), now).is_err() {
        return Ok(None);
    }
    let authentications = app.records.store.authentications(&session.record.id).await?;
    let Some(authentication) = authentications.into_iter().max_by_key(|one| (one.position, one.at)) else {
        return Ok(None);
    };
    app.pace.at("read user").await;
    let Some(user) = app.records.store.find_user(&session.record.user).await?.filter(|user| user.enabled) else {
        return Ok(None);
    };
    touch(app, &session, now);
    Ok(Some(SignedIn { session, user, authentication }))
}

/// To be asked by the writer, before it writes what a session was asked for: what outlives the session does not have it in
/// its lineage, but may not begin after its end either.
///
/// # Errors
/// [`LedgerError::Revoked`] if the session has ended.
pub fn must_stand(live: &Live, session: &Session) -> Result<(), LedgerError> {
    match live.verdict(&session.trace(live.issuer(), live.key())) {
        Verdict::NotRevoked => Ok(()),
        Verdict::Revoked | Verdict::Stale => Err(LedgerError::Revoked),
    }
}

/// Notes activity in a session. Nobody waits for the write: losing it to a crash makes the session idle out early, which it
/// may.
pub fn touch(app: &App, session: &KnownSession, now: rescind_ledger::Timestamp) {
    if session.touch(now) {
        let id = session.record.id.clone();
        drop(app.queue.submit(Lane::Issuing, move |door| door.touch(&id)));
    }
}
