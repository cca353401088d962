//! Touching: what keeps a session from idling out, and how it is written down.

use rescind_ledger::{Grant, Lane, StoreError, Timestamp, TokenView};

use crate::{
    app::App,
    records::{Activity, KnownSession},
};

/// Notes activity in a session that still runs.
pub async fn touch(app: &App, session: &KnownSession, now: Timestamp) {
    note(app, &session.record.id, &session.activity, now).await;
}

/// Notes that a token was found active, if its API wants that to count as activity.
pub async fn validated(app: &App, token: &TokenView<'_>, now: Timestamp) -> Result<(), StoreError> {
    match token.session.filter(|_| token.session_validation.update_authn_session_activity) {
        Some(session) => touch_by_id(app, session, now).await,
        None => Ok(()),
    }
}

/// Notes that a grant was refreshed, which is activity in the session that it is bound to.
pub async fn refreshed(app: &App, grant: &Grant, now: Timestamp) {
    let Some(session) = grant.session.as_deref().filter(|_| grant.session_bound) else { return };
    // What was refreshed is written down by now, and must be handed out.
    if let Err(why) = touch_by_id(app, session, now).await {
        tracing::warn!(error = %why, "cannot note a refresh as activity in its session");
    }
}

async fn touch_by_id(app: &App, session: &str, now: Timestamp) -> Result<(), StoreError> {
    if let Some(activity) = app.records.find_activity(session).await? {
        note(app, session, &activity, now).await;
    }
    Ok(())
}

/// Notes activity in the session of that id, if it still runs.
///
/// Once in a quarter of the idle window somebody waits for the write: an answer that counted on activity which a crash
/// then forgets would let the session idle out earlier than by that quarter.
pub async fn note(app: &App, session: &str, activity: &Activity, now: Timestamp) {
    if !activity.touch(now) {
        return;
    }
    let session = session.to_owned();
    let written = app.submit(Lane::Issuing, move |door| door.touch(&session, now));
    let activity = activity.clone();
    // A task of its own, since whoever asks may go away.
    let done = tokio::spawn(async move {
        if let Err(why) = written.await {
            tracing::warn!(error = %why, "cannot write down a session's activity; its next activity tries again");
            activity.take_back(now);
        }
    });
    if let Err(why) = done.await {
        tracing::error!(error = %why, "noting a session's activity failed");
    }
}
