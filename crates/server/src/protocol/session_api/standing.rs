//! How a session stands, as these APIs see it.

use std::sync::Arc;

use rescind_check::{TargetRef, Verdict};
use rescind_ledger::{Inactive, Reads, Reason, SessionClock, SessionView, Target, Timestamp};

use super::answer::Refusal;
use crate::{
    app::App,
    records::{Activity, KnownSession},
};

/// How a session stands.
pub(super) enum Standing<T = Arc<KnownSession>> {
    /// On the revocation list: an entry names it, or it is known and an entry for something wider (its user, its device,
    /// everything) ended it.
    Revoked,
    Runs(T),
    /// It ran out of time, or nobody knows it.
    Over,
}

impl Standing {
    /// Looks a session up. Nothing is read from the store if it is remembered or on the list itself.
    pub(super) async fn of(app: &App, id: &str, now: Timestamp) -> Result<Self, Refusal> {
        if is_named(app, id) {
            return Ok(Self::Revoked);
        }
        let known = app.records.find_session(id).await?;
        Ok(known.map_or(Self::Over, |known| Self::of_known(app, known, now)))
    }

    /// The same for a session that was just read.
    pub(super) fn of_known(app: &App, known: Arc<KnownSession>, now: Timestamp) -> Self {
        judge(app, SessionView::from(&known.record), known.clock(), now).map(|()| known)
    }
}

impl Standing<Activity> {
    /// As [`Standing::of`], for whoever needs no more of a session that runs: nothing of one that is remembered is copied.
    pub(super) async fn of_activity(app: &App, id: &str, now: Timestamp) -> Result<Self, Refusal> {
        let judged = |view: SessionView<'_>, activity: &Activity| {
            judge(app, view, activity.clock(), now).map(|()| activity.clone())
        };
        if is_named(app, id) {
            return Ok(Self::Revoked);
        }
        if let Some(standing) = app.records.look_at_session(id, judged) {
            return Ok(standing);
        }
        Ok(Standing::of(app, id, now).await?.map(|known| known.activity.clone()))
    }
}

impl<T> Standing<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Standing<U> {
        match self {
            Self::Revoked => Standing::Revoked,
            Self::Runs(session) => Standing::Runs(change(session)),
            Self::Over => Standing::Over,
        }
    }
}

fn judge(app: &App, session: SessionView<'_>, clock: SessionClock, now: Timestamp) -> Standing<()> {
    match app.live.session_counts_by(session, clock, now) {
        Ok(()) => Standing::Runs(()),
        Err(Inactive::Revoked) => Standing::Revoked,
        // It may have been revoked before its time ran out.
        Err(_) if was_revoked(app, session) => Standing::Revoked,
        Err(_) => Standing::Over,
    }
}

/// Whether the entry that names a session only says that its time ran out.
pub(super) async fn timed_out(app: &App, id: &str) -> Result<bool, Refusal> {
    let target = Target::Session { session: id.to_owned() };
    let Some(position) = app.live.position_of(&target) else { return Ok(false) };
    let entry = app.records.store.find_entry(position).await?;
    Ok(entry.is_some_and(|entry| matches!(entry.reason, Reason::IdleTimeout | Reason::MaxTimeout)))
}

/// Whether an entry names this very session.
pub(super) fn is_named(app: &App, id: &str) -> bool {
    let fingerprint = TargetRef::Session(id).fingerprint(app.live.key());
    app.live.look(|index, _| index.position_of(fingerprint).is_some())
}

/// Whether the ledger ended a session that has no time left. Below the floor it says so of everything: that is forgetting,
/// and what is forgotten is on the list no more.
fn was_revoked(app: &App, session: SessionView<'_>) -> bool {
    let remembered = app.live.look(|index, _| session.position >= index.floor());
    remembered && app.live.verdict(&session.trace(app.live.issuer(), app.live.key())) != Verdict::NotRevoked
}
