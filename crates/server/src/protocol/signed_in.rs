//! Who is signed in: the session behind a browser's cookie, if it counts.

use std::sync::Arc;

use rescind_check::Trace;
use rescind_ledger::{Authentication, Hash, Reads, Session, StoreError, User};

use crate::{app::App, protocol::pages::Person, records::KnownSession, touch::touch};

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

    /// The session's lineage. What outlives the session does not have it in its own, but may not begin after its end either:
    /// the writer asks whether this stands before it writes what the session was asked for.
    #[must_use]
    pub fn trace(&self, app: &App) -> Trace {
        self.record().trace(app.live.issuer(), app.live.key())
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
    touch(app, &session, now).await;
    Ok(Some(SignedIn { session, user, authentication }))
}
