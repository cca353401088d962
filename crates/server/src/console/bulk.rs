//! One job for several users, with its progress.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    frame::{Frame, Section, page, shown},
    json::Json,
    pending::names,
    receipt::said_by,
    target::Names,
    trouble::Trouble,
    visit::{Fields, Visit, segment},
    words::{self, Badge, Moment, reason, sentence},
};

/// The most that one job takes from a page.
const MOST: usize = 500;

#[derive(Template)]
#[template(path = "console/bulk.html")]
struct Ask {
    frame: Frame,
    action: &'static str,
    verb: &'static str,
    users: Vec<(String, String)>,
    reasons: &'static [(&'static str, &'static str)],
    reason: String,
    note: String,
    confirm: Option<String>,
    /// Whether a second administrator would have to approve.
    needs_approval: bool,
    break_glass: String,
    wrong: Option<String>,
}

/// A job.
struct Job {
    link: String,
    stop: String,
    approve: String,
    needs_approval: bool,
    by: String,
    approved_by: Option<String>,
    what: String,
    state: Badge,
    is_open: bool,
    total: u64,
    done: u64,
    failed: u64,
    reason: String,
    note: Option<String>,
    begun: Option<Moment>,
    failures: Vec<(String, String)>,
}

impl Job {
    fn of(visit: &Visit, found: &Json, failures: &[Json], names: &Names) -> Self {
        let who = |name: &str| said_by(&found.at(name), names);
        let (id, state) = (segment(&found.text("id")), found.text("state"));
        let number = |name: &str| found.number(name).unwrap_or_default();
        Self {
            link: visit.console.path(&format!("/bulk/{id}")),
            stop: visit.console.path(&format!("/bulk/{id}/stop")),
            approve: visit.console.path(&format!("/bulk/{id}/approve")),
            needs_approval: state == "waiting",
            by: who("ordered_by"),
            approved_by: found.has("approved_by").then(|| who("approved_by")),
            what: sentence(&found.text("action")),
            is_open: state == "running",
            state: Badge::of(&state),
            total: number("total"),
            done: number("done"),
            failed: number("failed"),
            reason: reason(&found.text("reason")),
            note: found.find("note"),
            begun: found.moment("ordered_at", visit.now()).or_else(|| found.moment("created_at", visit.now())),
            failures: failures.iter().map(|one| (one.text("user"), one.text("why"))).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "console/job.html")]
struct JobPage {
    frame: Frame,
    job: Job,
}

#[derive(Template)]
#[template(path = "console/job_part.html")]
struct JobPart {
    frame: Frame,
    job: Job,
}

#[derive(Template)]
#[template(path = "console/jobs.html")]
struct Jobs {
    frame: Frame,
    jobs: Vec<Job>,
}

/// `POST /console/bulk`: asks before it begins.
pub(super) async fn ask(visit: Arc<Visit>) -> Result<Response, Trouble> {
    confirm(&visit, StatusCode::OK, None, &Json::default()).await
}

fn action(fields: &Fields) -> Result<(&'static str, &'static str), Trouble> {
    let known = [("revoke", "Revoke all tokens of"), ("disable", "Disable"), ("enable", "Enable")];
    known.into_iter().find(|(name, _)| fields.find("action") == Some(name)).ok_or(Trouble::NotFound)
}

async fn confirm(
    visit: &Visit,
    status: StatusCode,
    wrong: Option<String>,
    refused: &Json,
) -> Result<Response, Trouble> {
    let (action, verb) = action(&visit.form)?;
    let mut ids = visit.form.all("user");
    ids.truncate(MOST);
    if ids.is_empty() {
        return Err(Trouble::Refused(
            StatusCode::BAD_REQUEST,
            "No user was chosen. Go back and choose some first.".to_owned(),
        ));
    }
    let names = visit.user_names(ids.iter().cloned()).await;
    let named = ids.into_iter().map(|id| (names.get(&id).cloned().unwrap_or_else(|| id.clone()), id));
    let ask = Ask {
        frame: Frame::of(visit, Section::Users),
        action,
        verb,
        users: named.map(|(name, id)| (id, name)).collect(),
        reasons: &words::REASONS,
        reason: visit.form.find("reason").unwrap_or("other").to_owned(),
        note: visit.form.text("note"),
        confirm: refused.find("confirm"),
        needs_approval: refused.at("reach").is("approval"),
        break_glass: visit.form.text("break_glass"),
        wrong,
    };
    Ok(page(status, &ask))
}

/// `POST /console/bulk/begin`.
pub(super) async fn begin(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let (action, _) = action(&visit.form)?;
    let mut job = json!({ "action": action, "users": visit.form.all("user"), "reason": visit.form.text("reason") });
    for name in ["note", "confirm", "break_glass"] {
        if let Some(value) = visit.form.find(name) {
            job[name] = json!(value);
        }
    }
    let answer = visit.ask(Method::POST, "/bulk-jobs", Some(&job)).await?;
    if answer.is_success() {
        return Ok(visit.go(&format!("/bulk/{}", segment(&answer.body.text("id")))));
    }
    confirm(&visit, answer.status, Some(answer.body.text("detail")), &answer.body).await
}

/// `GET /console/bulk/{id}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let found = visit.load(&path(&visit, "")?).await?;
    let has_failed = found.number("failed").unwrap_or_default() > 0 && !visit.is_partial();
    let failures = if has_failed { visit.find(&path(&visit, "/failures?limit=100")?).await? } else { None };
    let failures = failures.unwrap_or_default().list("items");
    let job = Job::of(&visit, &found, &failures, &names(&visit, std::slice::from_ref(&found)).await);
    let frame = Frame::of(&visit, Section::Users);
    Ok(if visit.is_partial() { shown(&JobPart { frame, job }) } else { shown(&JobPage { frame, job }) })
}

/// `GET /console/bulk`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let items = visit.load("/bulk-jobs").await?.list("items");
    let names = names(&visit, &items).await;
    let jobs = items.iter().map(|job| Job::of(&visit, job, &[], &names)).collect();
    Ok(shown(&Jobs { frame: Frame::of(&visit, Section::Users), jobs }))
}

/// `POST /console/bulk/{id}/approve`.
pub(super) async fn approve(visit: Arc<Visit>) -> Result<Response, Trouble> {
    visit.change(Method::POST, &path(&visit, "/approve")?, &Value::Null).await?;
    Ok(visit.go(&format!("/bulk/{}", segment(visit.id()?))))
}

/// `POST /console/bulk/{id}/stop`.
pub(super) async fn stop(visit: Arc<Visit>) -> Result<Response, Trouble> {
    visit.change(Method::POST, &path(&visit, "/stop")?, &Value::Null).await?;
    Ok(visit.go(&format!("/bulk/{}?done=stopped", segment(visit.id()?))))
}

fn path(visit: &Visit, more: &str) -> Result<String, Trouble> {
    Ok(format!("/bulk-jobs/{}{more}", segment(visit.id()?)))
}
