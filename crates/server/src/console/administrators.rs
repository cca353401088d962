//! Administrators: the users with a role.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    trouble::Trouble,
    users::{Row, here},
    visit::{Visit, link},
};

#[derive(Template)]
#[template(path = "console/administrators.html")]
struct Page {
    frame: Frame,
    groups: Vec<(&'static str, &'static str, Vec<Row>)>,
    is_known: bool,
}

/// From the most to the least that one may do.
const ROLES: [(&str, &str, &str); 3] = [
    ("administrator", "Administrators", "see, end access and change who and what there is"),
    ("revoker", "Revokers", "see and end access"),
    ("viewer", "Viewers", "see"),
];

/// `GET /console/administrators`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let (back, mut groups, mut is_known) = (here(&visit), Vec::new(), true);
    for (role, name, may) in ROLES {
        let found = visit.find(&link("/users", &[("role", role), ("limit", "200")])).await?;
        is_known &= found.is_some();
        let users = found.unwrap_or_default().list("items");
        groups.push((name, may, users.iter().map(|user| Row::of(&visit, user, &back)).collect()));
    }
    Ok(shown(&Page { frame: Frame::of(&visit, Section::Administrators), groups, is_known }))
}
