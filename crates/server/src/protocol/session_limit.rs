//! How many sessions a user may have at once, and what memory knows of them that is not written down yet.

use std::collections::HashMap;

use rescind_ledger::{Reads, SessionClock, SessionLimit, StoreError, Timestamp};

use crate::app::App;

/// The limit for the sessions of a user, if there is one.
///
/// # Errors
/// If the store cannot be read.
pub async fn find_limit(app: &App, user: &str, now: Timestamp) -> Result<Option<SessionLimit>, StoreError> {
    let Some(most) = app.config.sessions.max_per_user else { return Ok(None) };
    let mut activity = HashMap::new();
    for session in app.records.store.live_sessions_of(user).await? {
        // What is written down can only be behind: whoever runs by it runs.
        if SessionClock::of(&session).runs(now).is_err() {
            let known = app.records.know_session(session);
            let touched_at = known.clock().touched_at;
            activity.insert(known.record.id, touched_at);
        }
    }
    Ok(Some(SessionLimit { most, activity }))
}
