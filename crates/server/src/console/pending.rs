//! Revocations that are ordered and not carried out yet: they wait for their time, or for a second administrator.

use std::sync::Arc;

use askama::Template;
use axum::{http::Method, response::Response};
use serde_json::Value;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    receipt::said_by,
    target::{Mark, Names, users_of},
    trouble::Trouble,
    visit::{Visit, segment},
    words::{Badge, Moment, reason},
};

/// One of them.
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) link: String,
    pub(super) state: Badge,
    pub(super) target: Mark,
    pub(super) reason: String,
    pub(super) note: Option<String>,
    pub(super) before: Option<Moment>,
    pub(super) at: Option<Moment>,
    pub(super) ordered_by: String,
    pub(super) ordered_at: Option<Moment>,
    pub(super) expires_at: Option<Moment>,
    pub(super) approved_by: Option<String>,
    pub(super) remark: Option<String>,
    pub(super) break_glass: Option<String>,
    pub(super) entry: Option<String>,
    pub(super) is_open: bool,
    pub(super) needs_approval: bool,
}

#[derive(Template)]
#[template(path = "console/pending.html")]
struct Page {
    frame: Frame,
    pending: Pending,
}

/// The same in the dialog.
#[derive(Template)]
#[template(path = "console/pending_part.html")]
struct Part {
    frame: Frame,
    pending: Pending,
}

impl Pending {
    pub(super) fn of(visit: &Visit, found: &Json, names: &Names) -> Self {
        let (now, state) = (visit.now(), found.text("state"));
        let by = |name: &str| {
            let who = found.at(name);
            if who.has("id") { Some(said_by(&who, names)) } else { found.find(name) }
        };
        Self {
            link: visit.console.path(&format!("/pending/{}", segment(&found.text("id")))),
            id: found.text("id"),
            state: Badge::of(&state),
            target: Mark::of(visit, &found.at("target"), names),
            reason: reason(&found.text("reason")),
            note: found.find("note"),
            before: found.moment("before", now),
            at: found.moment("at", now),
            ordered_by: by("ordered_by").unwrap_or_default(),
            ordered_at: found.moment("ordered_at", now),
            expires_at: found.moment("expires_at", now),
            approved_by: by("approved_by"),
            remark: found.find("remark"),
            break_glass: found.find("break_glass"),
            entry: found.find("position"),
            is_open: matches!(state.as_str(), "waiting" | "scheduled"),
            needs_approval: state == "waiting",
        }
    }
}

/// The names that one of them needs.
pub(super) async fn names(visit: &Visit, items: &[Json]) -> Names {
    let targets: Vec<Json> = items.iter().map(|item| item.at("target")).collect();
    let people = items.iter().flat_map(|item| [item.at("ordered_by").text("id"), item.at("approved_by").text("id")]);
    let people = people.filter(|id| id.starts_with("u_"));
    Names {
        users: visit.user_names(users_of(targets.iter()).into_iter().chain(people)).await,
        applications: visit.application_names().await,
        apis: visit.api_names().await,
    }
}

/// `GET /console/pending/{id}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let found = visit.load(&path(visit.id()?, "")).await?;
    let names = names(&visit, std::slice::from_ref(&found)).await;
    Ok(one(&visit, &found, &names))
}

/// What the dialog shows after an order that is to wait.
pub(super) async fn ordered(visit: &Visit, found: &Json) -> Response {
    if !visit.is_partial() {
        return visit.go(&format!("/pending/{}", segment(&found.text("id"))));
    }
    let names = names(visit, std::slice::from_ref(found)).await;
    one(visit, found, &names)
}

fn one(visit: &Visit, found: &Json, names: &Names) -> Response {
    let (frame, pending) = (Frame::of(visit, Section::Revocations), Pending::of(visit, found, names));
    if visit.is_partial() { shown(&Part { frame, pending }) } else { shown(&Page { frame, pending }) }
}

/// `POST /console/pending/{id}/approve`.
pub(super) async fn approve(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let done = visit.change(Method::POST, &path(visit.id()?, "/approve"), &Value::Null).await?;
    match done.find("position").filter(|position| super::target::is_position(position)) {
        Some(position) => Ok(visit.go(&format!("/revocations/{position}"))),
        None => Ok(visit.go(&format!("/pending/{}", segment(visit.id()?)))),
    }
}

/// `POST /console/pending/{id}/withdraw`.
pub(super) async fn withdraw(visit: Arc<Visit>) -> Result<Response, Trouble> {
    visit.change(Method::POST, &path(visit.id()?, "/withdraw"), &Value::Null).await?;
    Ok(visit.go(&format!("/pending/{}?done=withdrawn", segment(visit.id()?))))
}

fn path(id: &str, more: &str) -> String {
    format!("/pending-revocations/{}{more}", segment(id))
}
