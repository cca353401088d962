//! Administrators: the users with a role.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    trouble::Trouble,
    users::{Row, here},
    visit::{Visit, link},
};

#[derive(Template)]
#[template(path = "console/administrators.html")]
struct Page {
    frame: Frame,
    groups: Vec<(&'static str, &'static str, Vec<Row>)>,
}

/// From the most to the least that one may do.
const ROLES: [(&str, &str, &str); 3] = [
    ("administrator", "Administrators", "see, end access and change who and what there is"),
    ("revoker", "Revokers", "see and end access"),
    ("viewer", "Viewers", "see"),
];

/// `GET /console/administrators`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let (back, mut groups) = (here(&visit), Vec::new());
    for (role, name, may) in ROLES {
        let users = with_role(&visit, role).await?;
        groups.push((name, may, users.iter().map(|user| Row::of(&visit, user, &back)).collect()));
    }
    Ok(shown(&Page { frame: Frame::of(&visit, Section::Administrators), groups }))
}

/// How many pages of users are read.
const MOST_PAGES: usize = 20;

async fn with_role(visit: &Visit, role: &str) -> Result<Vec<Json>, Trouble> {
    users(visit, &[("role", role)]).await
}

async fn users(visit: &Visit, filters: &[(&str, &str)]) -> Result<Vec<Json>, Trouble> {
    let (mut users, mut cursor) = (Vec::new(), String::new());
    for _ in 0..MOST_PAGES {
        let parameters: Vec<_> = filters.iter().copied().chain([("limit", "500"), ("cursor", &cursor)]).collect();
        let found = visit.load(&link("/users", &parameters)).await?;
        users.extend(found.list("items"));
        match found.find("next") {
            Some(next) => cursor = next,
            None => break,
        }
    }
    Ok(users)
}
