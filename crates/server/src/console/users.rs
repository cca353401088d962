//! The list of users: searched, page by page, with a choice of several for one job.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    trouble::Trouble,
    visit::{Fields, Visit, link, segment, user_name},
    words::{Badge, Moment},
};

/// How many rows a page has.
pub(super) const ROWS: &str = "50";

/// Where a listing goes on, and where it began.
pub(super) struct Pages {
    pub(super) next: Option<String>,
    pub(super) first: Option<String>,
}

impl Pages {
    /// The pages of the listing at `path`, with the filters that are set.
    pub(super) fn of(visit: &Visit, path: &str, filters: &[(&str, &str)], found: &Json) -> Self {
        let path = visit.console.path(path);
        let next = found.find("next").map(|cursor| {
            let mut parameters = filters.to_vec();
            parameters.push(("cursor", &cursor));
            link(&path, &parameters)
        });
        let first = visit.query.find("cursor").map(|_| link(&path, filters));
        Self { next, first }
    }
}

/// Asks a listing with the filters that are set.
pub(super) async fn listed(visit: &Visit, path: &str, filters: &[(&str, &str)], rows: &str) -> Result<Json, Trouble> {
    let mut parameters = filters.to_vec();
    parameters.push(("limit", rows));
    parameters.extend(visit.query.find("cursor").map(|cursor| ("cursor", cursor)));
    visit.load(&link(path, &parameters)).await
}

/// A user in a list.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) user_name: String,
    pub(super) role: Option<String>,
    pub(super) state: Badge,
    pub(super) created: Option<Moment>,
    pub(super) link: String,
    pub(super) revoke: String,
}

impl Row {
    pub(super) fn of(visit: &Visit, user: &Json, back: &str) -> Self {
        let id = user.text("id");
        Self {
            name: user_name(user),
            user_name: user.text("user_name"),
            role: user.find("role"),
            state: Badge::enabled(user.is("enabled")),
            created: user.moment("created_at", visit.now()),
            link: visit.console.path(&format!("/users/{}", segment(&id))),
            revoke: revoke(visit, &[("kind", "user"), ("user", &id)], back),
            id,
        }
    }
}

/// The address of the dialog for a target.
pub(super) fn revoke(visit: &Visit, target: &[(&str, &str)], back: &str) -> String {
    let mut parameters = target.to_vec();
    parameters.push(("back", back));
    visit.console.path(&link("/revoke", &parameters))
}

#[derive(Template)]
#[template(path = "console/users.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    pages: Pages,
    search: String,
    enabled: String,
    role: String,
    sort: String,
}

const FILTERS: [&str; 4] = ["search", "enabled", "role", "sort"];

/// `GET /console/users`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let filters = visit.query.picked(&FILTERS);
    let found = listed(&visit, "/users", &filters, ROWS).await?;
    let back = here(&visit);
    let rows = found.list("items").iter().map(|user| Row::of(&visit, user, &back)).collect();
    let text = |fields: &Fields, name: &str| fields.text(name);
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Users),
        rows,
        pages: Pages::of(&visit, "/users", &filters, &found),
        search: text(&visit.query, "search"),
        enabled: text(&visit.query, "enabled"),
        role: text(&visit.query, "role"),
        sort: text(&visit.query, "sort"),
    }))
}

/// The address of this very page.
pub(super) fn here(visit: &Visit) -> String {
    visit.parts.uri.path_and_query().map(|it| it.as_str().to_owned()).unwrap_or_default()
}
