//! The audit trail, for people: who ordered, changed, saw or was refused what.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    receipt::said_by,
    target::Names,
    trouble::Trouble,
    users::{Pages, ROWS, listed},
    visit::{Visit, segment},
    words::{Moment, reason, sentence},
};

/// A record.
pub(super) struct Record {
    pub(super) seq: String,
    pub(super) at: Option<Moment>,
    pub(super) action: String,
    pub(super) outcome: String,
    pub(super) actor: Option<String>,
    pub(super) what: String,
    pub(super) reason: Option<String>,
    pub(super) note: Option<String>,
    pub(super) position: Option<(String, String)>,
    pub(super) address: String,
}

impl Record {
    fn of(visit: &Visit, found: &Json, names: &Names) -> Self {
        let actor = found.at("actor");
        let position = found.find("position").map(|at| {
            let path = visit.console.path(&format!("/revocations/{}", segment(&at)));
            (at, path)
        });
        let target = found.at("target").text("kind");
        Self {
            seq: found.text("seq"),
            at: found.moment("at", visit.now()),
            action: sentence(&found.text("action")),
            outcome: sentence(&found.text("outcome")),
            actor: actor.has("id").then(|| said_by(&actor, names)),
            what: found.find("what").unwrap_or_else(|| sentence(&target)),
            reason: found.find("reason").map(|code| reason(&code)),
            note: found.find("note"),
            position,
            address: found.text("ip"),
        }
    }
}

#[derive(Template)]
#[template(path = "console/audit.html")]
struct Page {
    frame: Frame,
    records: Vec<Record>,
    pages: Pages,
    actions: &'static [(&'static str, &'static str)],
    action: String,
    actor: String,
    outcome: String,
    correlation_id: String,
    since: String,
}

const FILTERS: [&str; 5] = ["action", "actor", "outcome", "client", "correlation_id"];

const ACTIONS: [(&str, &str); 8] = [
    ("order", "Orders to end access"),
    ("change", "Changes"),
    ("read", "Looks"),
    ("refusal", "Refusals"),
    ("setting", "Settings"),
    ("script", "Scripts"),
    ("pending", "Orders that wait"),
    ("break_glass", "Approval not waited for"),
];

/// `GET /console/audit`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let mut filters = visit.query.picked(&FILTERS);
    let since = visit
        .query
        .find("since")
        .map(|day| if day.contains('T') { day.to_owned() } else { format!("{day}T00:00:00Z") });
    filters.extend(since.as_deref().map(|since| ("since", since)));
    let found = listed(&visit, "/audit", &filters, ROWS).await?;
    let kept = visit.query.picked(&["action", "actor", "outcome", "client", "correlation_id", "since"]);
    let names = names(&visit, &found.list("items")).await;
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Audit),
        records: found.list("items").iter().map(|one| Record::of(&visit, one, &names)).collect(),
        pages: Pages::of(&visit, "/audit", &kept, &found),
        actions: &ACTIONS,
        action: visit.query.text("action"),
        actor: visit.query.text("actor"),
        outcome: visit.query.text("outcome"),
        correlation_id: visit.query.text("correlation_id"),
        since: visit.query.text("since"),
    }))
}

async fn names(visit: &Visit, records: &[Json]) -> Names {
    let actors = records.iter().map(|record| record.at("actor").text("id")).filter(|id| id.starts_with("u_"));
    Names {
        users: visit.user_names(actors).await,
        applications: visit.application_names().await,
        apis: std::collections::HashMap::new(),
    }
}

/// How far back the tab of a user looks.
const LATEST: &str = "500";

/// Of the latest records, those of a user's doing and those about the user.
pub(super) async fn about(visit: &Visit, user: &str) -> Result<Vec<Record>, Trouble> {
    let found = visit.load(&format!("/audit?limit={LATEST}")).await?;
    let concerns = |record: &Json| {
        record.at("actor").text("id") == user
            || record.at("target").text("subject") == user
            || record.text("what").contains(user)
    };
    let items: Vec<Json> = found.list("items").into_iter().filter(concerns).collect();
    let names = names(visit, &items).await;
    Ok(items.iter().map(|one| Record::of(visit, one, &names)).collect())
}
