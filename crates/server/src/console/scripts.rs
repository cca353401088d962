//! Interception scripts: which are asked, in which order, what they say, and whether they are asked at all.

use std::sync::Arc;

use askama::Template;
use axum::{http::Method, response::Response};
use serde_json::json;

use super::{
    frame::{Frame, Section, shown},
    json::Json,
    receipt::said_by,
    target::Names,
    trouble::Trouble,
    visit::{Visit, link, segment},
    words::{Badge, Moment},
};

/// A script, or a version of it.
struct Script {
    name: String,
    version: String,
    order: String,
    state: Badge,
    enabled: bool,
    bytes: String,
    by: String,
    at: Option<Moment>,
    link: String,
}

impl Script {
    fn of(visit: &Visit, found: &Json, names: &Names) -> Self {
        let name = found.text("name");
        Self {
            version: found.text("version"),
            order: found.text("order"),
            state: Badge::of(if found.is("enabled") { "on" } else { "off" }),
            enabled: found.is("enabled"),
            bytes: found.text("bytes"),
            by: said_by(&found.at("stored_by"), names),
            at: found.moment("stored_at", visit.now()),
            link: visit.console.path(&format!("/scripts/{}", segment(&name))),
            name,
        }
    }
}

#[derive(Template)]
#[template(path = "console/scripts.html")]
struct List {
    frame: Frame,
    scripts: Vec<Script>,
}

#[derive(Template)]
#[template(path = "console/script.html")]
struct Page {
    frame: Frame,
    script: Script,
    source: String,
    /// The version that is shown, if it is not the one in use.
    shown_version: Option<String>,
    versions: Vec<(Script, String)>,
}

/// `GET /console/scripts`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let items = visit.load("/scripts").await?.list("items");
    let names = names(&visit, &items).await;
    let scripts = items.iter().map(|script| Script::of(&visit, script, &names)).collect();
    Ok(shown(&List { frame: Frame::of(&visit, Section::Scripts), scripts }))
}

async fn names(visit: &Visit, items: &[Json]) -> Names {
    let by = items.iter().map(|item| item.at("stored_by").text("id")).filter(|id| id.starts_with("u_"));
    Names { users: visit.user_names(by).await, applications: visit.application_names().await, ..Names::default() }
}

/// `GET /console/scripts/{name}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let path = format!("/scripts/{}", segment(visit.id()?));
    let found = visit.load(&path).await?;
    let wanted = visit.query.find("version").filter(|version| version.bytes().all(|byte| byte.is_ascii_digit()));
    let other = match wanted {
        Some(version) => Some(visit.load(&link(&path, &[("version", version)])).await?),
        None => None,
    };
    let items = visit.find(&format!("{path}/versions")).await?.unwrap_or_default().list("items");
    let names = names(&visit, &items).await;
    let versions = items.iter().map(|one| {
        let address = visit.console.path(&link(&path, &[("version", &one.text("version"))]));
        (Script::of(&visit, one, &names), address)
    });
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Scripts),
        script: Script::of(&visit, &found, &names),
        source: other.as_ref().unwrap_or(&found).text("source"),
        shown_version: other.map(|version| version.text("version")),
        versions: versions.collect(),
    }))
}

/// `POST /console/scripts/{name}`: on or off.
pub(super) async fn switch(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let enabled = visit.form.find("enabled") == Some("true");
    let path = format!("/scripts/{}", segment(visit.id()?));
    visit.change(Method::PATCH, &path, &json!({ "enabled": enabled })).await?;
    Ok(visit.go(&format!("{path}?done=saved")))
}
