//! What happens without being asked: forgetting, dispatching, ending sessions whose time ran out, and retiring signing keys.

use std::{sync::Arc, time::Duration};

use rescind_ledger::{
    Lane, LedgerError, Reads, Sealed, Session, Sweep, Target, Ticket, TimedOut, Timestamp, horizon_in_force,
};

use crate::{
    admin,
    app::App,
    audit, deliveries,
    keys::{StoredKey, signing_key_name},
    protocol::register::initial_access,
    records::Activity,
    sources::scim::tokens,
};

const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// The most rows of a kind that one transaction of a sweep removes, so that requests need not wait for it.
const SWEEP_ROWS: u32 = 1000;
/// The end of a session whose time ran out is promised to others within five seconds: a busy writer has four of them.
const TIME_OUT_EVERY: Duration = Duration::from_secs(1);
/// What was ordered for a moment is carried out that late at most.
const SCHEDULE_EVERY: Duration = Duration::from_secs(1);
/// The most sessions that wait for the writer at once: half of what it takes in one transaction.
const TIMED_OUT_AT_ONCE: u32 = 256;

/// Starts the background tasks; they end with the runtime.
pub fn spawn(app: &Arc<App>) {
    audit::heads::spawn(app);
    let sweeper = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SWEEP_EVERY);
        loop {
            tick.tick().await;
            sweeper.telemetry.tidy();
            sweeper.records.tidy(sweeper.now());
            if let Err(why) = sweep(&sweeper).await {
                tracing::error!(error = %why, "forgetting failed; it is tried again");
            }
        }
    });
    let schedule = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SCHEDULE_EVERY);
        loop {
            tick.tick().await;
            if let Err(why) = admin::carry_out_due(&schedule).await {
                tracing::error!(error = %why, "carrying out what was scheduled failed; it is tried again");
            }
        }
    });
    let bulk = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SCHEDULE_EVERY);
        loop {
            tick.tick().await;
            if let Err(why) = admin::work_off(&bulk).await {
                tracing::error!(error = %why, "a bulk job cannot go on; it is tried again");
            }
        }
    });
    deliveries::spawn(app);
    let watch = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TIME_OUT_EVERY);
        loop {
            tick.tick().await;
            if let Err(why) = time_out_sessions(&watch).await {
                tracing::error!(error = %why, "ending sessions whose time ran out failed; it is tried again");
            }
        }
    });
}

/// Ends the sessions whose time ran out, so that others hear of it; answers have not waited for this. Returns how many
/// ended. One that only seemed over, since activity in it was not written down yet, has it written down.
pub async fn time_out_sessions(app: &App) -> Result<usize, LedgerError> {
    let mut ended = 0;
    loop {
        let due = app.records.store.due_sessions(app.now(), TIMED_OUT_AT_ONCE).await?;
        let more = due.len() >= TIMED_OUT_AT_ONCE as usize;
        let (mut settled, mut failure) = (0, None);
        let waiting: Vec<_> = due.into_iter().map(|session| time_out(app, session)).collect();
        for (activity, ticket) in waiting {
            match ticket.await {
                Ok((TimedOut::GoesOn, touched_at)) => activity.keep(touched_at),
                Ok((outcome, _)) => ended += usize::from(matches!(outcome, TimedOut::Ended(_))),
                Err(why) => {
                    failure = Some(why);
                    continue;
                }
            }
            settled += 1;
        }
        match failure {
            // One that cannot be ended must not keep the others from it.
            Some(why) if settled == 0 || !more => return Err(why),
            _ if !more => return Ok(ended),
            _ => {}
        }
    }
}

/// Has the writer look at one session, in memory too: activity up to that very moment counts, and none after it.
fn time_out(app: &App, session: Session) -> (Activity, Ticket<(TimedOut, Timestamp)>) {
    let known = app.records.know_session(session);
    let activity = known.activity.clone();
    let ticket = app.submit(Lane::Issuing, move |door| {
        let touched_at = known.activity.settle(door.now()).touched_at;
        let session = Session { touched_at, ..known.record };
        Ok((door.time_out(&session)?, touched_at))
    });
    (activity, ticket)
}

/// Removes what can never be honoured again. Returns how many rows went.
pub async fn sweep(app: &App) -> Result<u64, LedgerError> {
    let horizons = app.records.store.horizons().await?;
    let stated = horizon_in_force(&horizons, app.now());
    let horizon = stated.unwrap_or_else(|| app.lifetimes().horizon());
    // Before entries are forgotten: one of them may be what ended a leave that lives longer.
    let mut rows = forget_leave(app).await?;
    loop {
        let sweep = Sweep { horizon, limit: SWEEP_ROWS };
        let swept = app.submit(Lane::Issuing, move |door| door.sweep(sweep)).await?;
        rows += swept.rows;
        if !swept.more {
            break;
        }
    }
    app.status_lists.tidy(app.now()).await?;
    rows += forget_audit_records(app).await?;
    rows += forget_closed(app).await?;
    retire_signing_keys(app).await?;
    Ok(rows)
}

/// Drops audit records that were kept as long as the setting says, by whole days: each round leaves a record of its own.
async fn forget_audit_records(app: &App) -> Result<u64, LedgerError> {
    let kept = Duration::from_secs(u64::from(app.settings().audit_retention_days) * 86_400);
    let day = Timestamp::from_secs(app.now().minus(kept).secs().div_euclid(86_400) * 86_400);
    let mut rows = 0;
    loop {
        let forgotten = app.submit(Lane::Issuing, move |door| door.forget_audit(day, SWEEP_ROWS)).await?;
        rows += forgotten;
        if forgotten < u64::from(SWEEP_ROWS) {
            return Ok(rows);
        }
    }
}

/// Drops pending orders and bulk jobs that were over for as long as audit records are kept.
async fn forget_closed(app: &App) -> Result<u64, LedgerError> {
    let kept = Duration::from_secs(u64::from(app.settings().audit_retention_days) * 86_400);
    let before = app.now().minus(kept);
    app.submit(Lane::Issuing, move |door| door.forget_closed(before, SWEEP_ROWS)).await
}

/// Drops initial access tokens and SCIM tokens that have expired: they lie among the secrets, which the store knows no expiry of.
async fn forget_leave(app: &App) -> Result<u64, LedgerError> {
    let stored = app.records.store.secrets().await?;
    let is_over = |name: &str, sealed: &Sealed| {
        initial_access::has_expired(app, name, sealed) || tokens::is_over(app, name, sealed)
    };
    let over = stored.into_iter().filter(|(name, sealed)| is_over(name, sealed));
    let gone: Vec<String> = over.map(|(name, _)| name).collect();
    let rows = u64::try_from(gone.len()).unwrap_or(u64::MAX);
    if rows > 0 {
        app.submit(Lane::Issuing, move |door| gone.iter().try_for_each(|name| door.delete_secret(name))).await?;
    }
    Ok(rows)
}

/// Drops signing keys that are revoked, and those that were replaced so long ago that nothing signed with them can be alive.
async fn retire_signing_keys(app: &App) -> Result<(), LedgerError> {
    let stored = app.records.store.secrets().await?;
    let keys: Vec<StoredKey<'_>> = stored.iter().filter_map(|(name, _)| signing_key_name(name)).collect();
    let horizons = app.records.store.horizons().await?;
    let longest = horizon_in_force(&horizons, app.now()).unwrap_or_default().max(app.lifetimes().horizon());
    // Status lists are signed with them, too, and are no credentials.
    let longest = longest.max(Duration::from_secs(app.settings().status_list_response_jwt_lifetime.into()));
    let replaced = |key: &StoredKey<'_>| {
        let later = keys.iter().filter(|other| other.algorithm == key.algorithm && other.made_at > key.made_at);
        later.map(|other| other.made_at).min().is_some_and(|at| app.now().since(Timestamp(at)) > longest)
    };
    let revoked = |key: &StoredKey<'_>| app.live.position_of(&Target::Key { key: key.kid.to_owned() }).is_some();
    let gone: Vec<String> =
        keys.iter().filter(|key| replaced(key) || revoked(key)).map(|key| key.name.to_owned()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    app.submit(Lane::Issuing, move |door| gone.iter().try_for_each(|name| door.delete_secret(name))).await?;
    if let Err(why) = app.reload_signing_keys().await {
        tracing::error!(error = %why, "cannot reload the signing keys; it is tried again");
    }
    Ok(())
}
