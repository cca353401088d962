//! Bulk jobs: one thing done to many users, in the background, with progress that survives whatever happens.

use std::collections::HashSet;

use axum::response::Response;
use rescind_ledger::{
    BulkAction, BulkFailure, BulkJob, BulkState, Initiator, Lane, LedgerError, NewBulkJob, PendingStep, Reads, Reason,
    StoreError,
};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Access,
    call::{Call, accepted, ok},
    entries, guard,
    problem::Problem,
    revocations::{other, read_reason, reasons},
};
use crate::{
    app::App,
    clock::fresh_id,
    openapi::{
        Description,
        shape::{Shape, inline, maybe, moment, number, object, of, one_of, text, words_of},
    },
};

/// The longest request: as many users as a job may have, by ids of 24 characters in quotes, and room for the rest.
pub(super) const BODY_LIMIT: usize = BulkJob::LIMIT * 32 + 8192;
/// The longest id that is looked for, in bytes.
const ID_LIMIT: usize = 1024;

/// The body of an order.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewBulkJob, examples(json!({ "action": "revoke", "users": ["u_AAAAAAAAAAAAAAAAAAAAAA"], "reason": "left_company" })))]
#[serde(deny_unknown_fields)]
pub(super) struct BulkForm {
    #[schema(schema_with = actions)]
    action: BulkAction,
    /// Ids.
    #[schema(min_items = 1, max_items = 100_000)]
    users: Vec<String>,
    #[serde(default = "other")]
    #[schema(schema_with = reasons)]
    reason: String,
    note: Option<String>,
    /// The phrase that a job for many has to be confirmed with.
    confirm: Option<String>,
    /// Why no second administrator is waited for.
    break_glass: Option<String>,
}

fn actions() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    inline(words_of(&BulkAction::ALL))
}

pub(super) fn describe(it: Description) -> Description {
    let it = it.says("The scope rescind:revoke lets a caller revoke; to disable and enable takes rescind:write.");
    it.json(of::<BulkForm>()).gives(202, shown()).refuses(&[409, 422])
}

/// What [`show`] writes.
pub(super) fn shown() -> Shape {
    let job = object().with("id", text()).with("state", one_of(&BulkState::WORDS)).with("action", text());
    let job = job.with("reason", text()).with("note", maybe(text())).with("total", number()).with("done", number());
    let job = job.with("failed", number()).with("ordered_by", entries::initiator()).with("ordered_at", moment());
    let job = job.with("expires_at", maybe(moment())).with("break_glass", maybe(text()));
    let job = job.with("approved_by", maybe(entries::initiator())).with("approved_at", maybe(moment()));
    job.with("closed_at", maybe(moment())).with("stopped_by", maybe(entries::initiator())).named("BulkJob")
}

fn show(job: &BulkJob) -> Value {
    let stopped_by = match &job.state {
        BulkState::Stopped { by, .. } => Some(by),
        _ => None,
    };
    let expires_at = match job.state {
        BulkState::Waiting { until } => Some(until),
        _ => None,
    };
    json!({
        "id": job.id,
        "state": job.state.word(),
        "action": job.action,
        "reason": job.reason,
        "note": job.note,
        "total": job.total,
        "done": job.done,
        "failed": job.failed,
        "ordered_by": job.initiator,
        "ordered_at": job.ordered_at,
        "expires_at": expires_at,
        "break_glass": job.break_glass,
        "approved_by": job.approval.as_ref().map(|approval| &approval.by),
        "approved_at": job.approval.as_ref().map(|approval| approval.at),
        "closed_at": job.state.closed_at(),
        "stopped_by": stopped_by,
    })
}

/// What [`failures`] lists.
pub(super) fn failure() -> Shape {
    object().with("user", text()).with("why", text()).named("BulkFailure")
}

pub(super) async fn order(call: Call) -> Result<Response, Problem> {
    if call.idempotency_key.is_some() {
        return Err(Problem::invalid("a bulk job takes no Idempotency-Key: look in the list whether it was begun"));
    }
    let form: BulkForm = call.body()?;
    if form.action != BulkAction::Revoke {
        call.must_have(Access::Write).await?;
    }
    let reason = read_reason(&form.reason)?;
    let users = each_once(form.users)?;
    let found = guard::look_at_users(&call.app, users.len());
    found.confirmed(form.action.word(), &format!("{} users", users.len()), form.confirm.as_deref())?;
    let (guard, need) = found.parts();
    let new = NewBulkJob {
        id: fresh_id("b_"),
        action: form.action,
        reason,
        note: form.note,
        initiator: call.initiator.clone(),
        users,
        need,
        guard,
        break_glass: form.break_glass.clone(),
    };
    let job = call.app.submit(Lane::Ending, move |door| door.place_bulk(&new)).await?;
    if let Some(why) = &form.break_glass {
        guard::tell_broken_glass(&call.app, &call.initiator, why);
    }
    Ok(accepted(&show(&job)))
}

/// No user gets two entries, however often the list names them.
fn each_once(users: Vec<String>) -> Result<Vec<String>, Problem> {
    if users.is_empty() || users.len() > BulkJob::LIMIT {
        return Err(Problem::refused(format!("a bulk job has 1 to {} users", BulkJob::LIMIT)));
    }
    if users.iter().any(|user| user.is_empty() || user.len() > ID_LIMIT) {
        return Err(Problem::refused("a user's id has 1 to 1024 bytes"));
    }
    let mut known = HashSet::new();
    Ok(users.into_iter().filter(|user| known.insert(user.clone())).collect())
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let page = call.app.records.store.bulk_jobs(query.find("cursor"), query.limit()?).await?;
    Ok(ok(&json!({ "items": page.items.iter().map(show).collect::<Vec<_>>(), "next": page.next })))
}

pub(super) async fn show_one(call: Call) -> Result<Response, Problem> {
    Ok(ok(&show(&load(&call).await?)))
}

pub(super) async fn failures(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let job = load(&call).await?;
    let page = call.app.records.store.bulk_failures(&job.id, query.find("cursor"), query.limit()?).await?;
    let item = |BulkFailure { user, why }: &BulkFailure| json!({ "user": user, "why": why });
    Ok(ok(&json!({ "items": page.items.iter().map(item).collect::<Vec<_>>(), "next": page.next })))
}

async fn load(call: &Call) -> Result<BulkJob, Problem> {
    let id = call.id()?;
    let found = call.app.records.store.find_bulk_job(id).await?;
    found.ok_or_else(|| Problem::unknown("bulk job", id))
}

pub(super) async fn approve(call: Call) -> Result<Response, Problem> {
    step(&call, PendingStep::Approve).await
}

pub(super) async fn stop(call: Call) -> Result<Response, Problem> {
    step(&call, PendingStep::Withdraw).await
}

async fn step(call: &Call, step: fn(Initiator) -> PendingStep) -> Result<Response, Problem> {
    call.query(&[])?;
    let job = load(call).await?;
    if job.action != BulkAction::Revoke {
        call.must_have(Access::Write).await?;
    }
    let step = step(call.initiator.clone());
    let job = call.app.submit(Lane::Ending, move |door| door.move_bulk(&job.id, &step)).await?;
    Ok(ok(&show(&job)))
}

/// Works off the jobs that there are, a piece of each in turn, until none is left to do. Returns how many pieces that were.
///
/// # Errors
/// If nothing of what is left can be written; it is tried again.
pub async fn work_off(app: &App) -> Result<usize, LedgerError> {
    let mut pieces = 0;
    loop {
        let (mut moved, mut failure) = (0, None);
        for job in app.records.store.open_bulk_jobs().await? {
            match work_on(app, job).await {
                Ok(worked) => moved += usize::from(worked),
                Err(why) => failure = Some(why),
            }
        }
        pieces += moved;
        match failure {
            Some(why) if moved == 0 => return Err(why),
            None if moved == 0 => return Ok(pieces),
            _ => {}
        }
    }
}

/// The next piece of a job, if it runs.
async fn work_on(app: &App, job: BulkJob) -> Result<bool, LedgerError> {
    match job.state {
        BulkState::Running => {}
        BulkState::Waiting { until } if until <= app.now() => {
            app.submit(Lane::Issuing, move |door| door.move_bulk(&job.id, &PendingStep::Clock)).await?;
            return Ok(false);
        }
        _ => return Ok(false),
    }
    let users = app.records.store.bulk_piece(&job.id, job.next).await?;
    if users.is_empty() {
        let why = format!("job {} has no piece {}", job.id, job.next);
        return Err(StoreError::Corrupt { table: "bulk_pieces", why }.into());
    }
    let (id, place, before) = (job.id, job.next, job.done);
    // One piece at a time: whoever else ends something has their turn in between.
    let after = app.submit(Lane::Ending, move |door| door.work_off(&id, place, &users)).await?;
    let reason = match job.action {
        BulkAction::Disable => Reason::AccountDisabled,
        BulkAction::Enable => return Ok(true),
        BulkAction::Revoke => job.reason,
    };
    let labels = [("target", "subject"), ("reason", reason.code())];
    (before..after.done).for_each(|_| app.telemetry.count("rescind_revocations_total", &labels));
    Ok(true)
}
