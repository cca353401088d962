//! The first page: what is alive, what was ended, how fast, and who could not be told.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;

use super::{
    chart::{Chart, begin},
    frame::{Frame, Section, shown},
    json::Json,
    trouble::Trouble,
    visit::Visit,
    words::{Badge, Moment, thousands},
};

/// A receiver that does not hear well.
struct Receiver {
    name: String,
    kind: String,
    health: Badge,
    pending: String,
    gave_up: String,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Page {
    frame: Frame,
    tiles: Vec<(&'static str, String, String)>,
    hours: Option<Chart>,
    days: Option<Chart>,
    effect: Option<Chart>,
    receivers: Vec<Receiver>,
    has_receivers: bool,
    as_of: Option<Moment>,
    head: String,
    /// Whether there is so much that sessions and tokens were not counted to the end.
    is_least: bool,
    version: String,
}

/// `GET /console`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let status = visit.load("/status").await?;
    let overview = visit.find("/overview").await?.unwrap_or_default();
    let tile = |words: &'static str, name: &str, path: &str| {
        overview.number(name).map(|number| (words, thousands(number), visit.console.path(path)))
    };
    let ledger = status.at("ledger");
    let tiles = [
        tile("Live sessions", "live_sessions", "/sessions"),
        tile("Live tokens", "live_tokens", "/applications"),
        tile("Users", "users", "/users"),
        tile("Applications", "clients", "/applications")
            .or_else(|| tile_of(&visit, &ledger, "Applications", "clients", "/applications")),
        tile("APIs", "apis", "/apis").or_else(|| tile_of(&visit, &ledger, "APIs", "apis", "/apis")),
    ];
    let all = visit.find("/receivers").await?.unwrap_or_default().list("items");
    let unwell = all.iter().filter(|one| !matches!(one.text("health").as_str(), "healthy" | "unused" | ""));
    let receivers = unwell.map(|one| Receiver {
        name: one.text("name"),
        kind: one.text("kind"),
        health: Badge::of(&one.text("health")),
        pending: one.text("pending"),
        gave_up: one.text("gave_up"),
    });
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Overview),
        tiles: tiles.into_iter().flatten().collect(),
        hours: series(&overview, true),
        days: series(&overview, false),
        effect: effect(&overview.at("time_to_effect")),
        receivers: receivers.collect(),
        has_receivers: !all.is_empty(),
        as_of: overview.moment("as_of", visit.now()),
        head: ledger.text("head"),
        is_least: overview.has("exact") && !overview.is("exact"),
        version: status.text("version"),
    }))
}

fn tile_of(
    visit: &Visit,
    json: &Json,
    words: &'static str,
    name: &str,
    path: &str,
) -> Option<(&'static str, String, String)> {
    json.number(name).map(|number| (words, thousands(number), visit.console.path(path)))
}

/// Revocations over time: by the hour, or by the day.
fn series(overview: &Json, is_hour: bool) -> Option<Chart> {
    let items = overview.list(if is_hour { "revocations" } else { "revocations_by_day" });
    let counts = items.iter().filter_map(|one| Some((begin(one.time("from")?, is_hour), one.number("count")?)));
    let counts: Vec<(String, u64)> = counts.collect();
    (!counts.is_empty()).then(|| Chart::of(&counts))
}

/// How long it took until an order was in effect.
fn effect(measured: &Json) -> Option<Chart> {
    let counts: Vec<(String, u64)> = measured
        .list("buckets")
        .iter()
        .map(|one| {
            let limit = one.find("le_ms").map_or_else(|| "slower".to_owned(), |most| format!("≤ {most} ms"));
            (limit, one.number("count").unwrap_or_default())
        })
        .collect();
    (measured.number("count").unwrap_or_default() > 0 && !counts.is_empty()).then(|| Chart::of(&counts))
}
