//! APIs: the resource servers. Each is known by a URI, which stands in the query.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    trouble::Trouble,
    users::{Pages, ROWS, here, listed, revoke},
    visit::{Visit, link},
    words::{Moment, span},
};

/// An API.
struct Row {
    audience: String,
    name: String,
    scopes: Vec<String>,
    format: &'static str,
    lifetime: String,
    created: Option<Moment>,
    revoke: String,
}

impl Row {
    fn of(visit: &Visit, api: &Json, back: &str) -> Self {
        let audience = api.text("audience");
        Self {
            name: api.text("name"),
            scopes: api.texts("scopes"),
            format: if api.text("token_format") == "opaque" { "Opaque" } else { "JWT" },
            lifetime: api.number("access_token_secs").map_or_else(|| "As the server's".to_owned(), span),
            created: api.moment("created_at", visit.now()),
            revoke: revoke(visit, &[("kind", "api"), ("api", &audience)], back),
            audience,
        }
    }
}

#[derive(Template)]
#[template(path = "console/apis.html")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    pages: Pages,
    /// Only the one that was asked for.
    is_one: bool,
}

/// `GET /console/apis`, or the one of the query's `audience`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let back = here(&visit);
    let one = visit.query.find("audience");
    let (found, rows) = match one {
        Some(audience) => {
            let api = visit.load(&link("/apis", &[("audience", audience)])).await?;
            (Json::default(), vec![Row::of(&visit, &api, &back)])
        }
        None => {
            let found = listed(&visit, "/apis", &[], ROWS).await?;
            let rows = found.list("items").iter().map(|api| Row::of(&visit, api, &back)).collect();
            (found, rows)
        }
    };
    let pages = Pages::of(&visit, "/apis", &[], &found);
    Ok(shown(&Page { frame: Frame::of(&visit, Section::Apis), rows, pages, is_one: one.is_some() }))
}
