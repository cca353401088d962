//! The list of revocations, with those that wait on top.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    pending::{self, Pending},
    receipt::said_by,
    target::{Mark, Names},
    trouble::Trouble,
    users::{Pages, ROWS, listed},
    visit::{Visit, link, segment},
    words::{Moment, REASONS, reason},
};

/// An entry.
struct Row {
    position: String,
    link: String,
    target: Mark,
    reason: String,
    initiator: String,
    note: Option<String>,
    time: Option<Moment>,
}

#[derive(Template)]
#[template(path = "console/revocations.html")]
struct Page {
    frame: Frame,
    waiting: Vec<Pending>,
    rows: Vec<Row>,
    pages: Pages,
    kinds: &'static [(&'static str, &'static str)],
    reasons: &'static [(&'static str, &'static str)],
    kind: String,
    reason: String,
    since: String,
    until: String,
}

/// The kinds of target, as the ledger names them.
const KINDS: [(&str, &str); 9] = [
    ("token", "Token"),
    ("grant", "Grant"),
    ("session", "Session"),
    ("user", "User"),
    ("client", "Application"),
    ("api", "API"),
    ("device", "Device"),
    ("key", "Signing key"),
    ("everything", "Everything"),
];

/// `GET /console/revocations`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let (since, until) = (day(&visit, "since", ""), day(&visit, "until", "T23:59:59.999Z"));
    let mut filters = visit.query.picked(&["kind", "reason", "initiator"]);
    filters.extend(since.as_deref().map(|since| ("since", since)));
    filters.extend(until.as_deref().map(|until| ("until", until)));
    let found = listed(&visit, "/revocations", &filters, ROWS).await?;
    let kept = visit.query.picked(&["kind", "reason", "initiator", "since", "until"]);
    let pages = Pages::of(&visit, "/revocations", &kept, &found);
    let mut waiting: Vec<Json> = Vec::new();
    for state in ["waiting", "scheduled"].iter().filter(|_| visit.query.find("cursor").is_none()) {
        let found = visit.find(&link("/pending-revocations", &[("state", state)])).await?;
        waiting.extend(found.unwrap_or_default().list("items"));
    }
    let items = found.list("items");
    let all: Vec<Json> = items.iter().chain(&waiting).cloned().collect();
    let names = names(&visit, &all).await;
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Revocations),
        waiting: waiting.iter().map(|item| Pending::of(&visit, item, &names)).collect(),
        rows: items.iter().map(|item| Row::of(&visit, item, &names)).collect(),
        pages,
        kinds: &KINDS,
        reasons: &REASONS,
        kind: visit.query.text("kind"),
        reason: visit.query.text("reason"),
        since: visit.query.text("since"),
        until: visit.query.text("until"),
    }))
}

/// A day as the moment it begins, or ends.
fn day(visit: &Visit, name: &str, end: &str) -> Option<String> {
    let text = visit.query.find(name)?;
    if text.contains('T') {
        return Some(text.to_owned());
    }
    Some(format!("{text}{}", if end.is_empty() { "T00:00:00Z" } else { end }))
}

/// Names of those who stand in entries and orders.
pub(super) async fn names(visit: &Visit, items: &[Json]) -> Names {
    let by = items.iter().map(|item| item.at("initiator").text("id")).filter(|id| id.starts_with("u_"));
    let mut names = pending::names(visit, items).await;
    let known: Vec<String> = by.filter(|id| !names.users.contains_key(id)).collect();
    names.users.extend(visit.user_names(known).await);
    names
}

impl Row {
    fn of(visit: &Visit, found: &Json, names: &Names) -> Self {
        let position = found.text("position");
        Self {
            link: visit.console.path(&format!("/revocations/{}", segment(&position))),
            target: Mark::of(visit, &found.at("target"), names),
            reason: reason(&found.text("reason")),
            initiator: said_by(&found.at("initiator"), names),
            note: found.find("note"),
            time: found.moment("time", visit.now()),
            position,
        }
    }
}
