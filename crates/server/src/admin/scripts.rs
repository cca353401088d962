//! Interception scripts: what is asked before a revocation is written.

use axum::response::Response;
use rescind_ledger::{Lane, Reads, Script, ScriptChange, ScriptVersion, Scripts};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, created, ok, page_of},
    entries,
    problem::Problem,
};
use crate::{
    app::App,
    openapi::shape::{Members, Shape, any_of, flag, integer, moment, number, object, text},
    scripts,
};

/// The longest request with a source in it: JSON may write a byte as six.
pub(super) const BODY_LIMIT: usize = 6 * Scripts::SOURCE_LIMIT + 4096;

#[derive(Deserialize, ToSchema)]
#[schema(examples(json!({ "name": "lenient", "source": "allow()", "enabled": false })))]
#[serde(deny_unknown_fields)]
pub(super) struct NewScript {
    name: String,
    source: String,
    order: Option<i32>,
    enabled: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangedScript, examples(json!({ "enabled": false })))]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    source: Option<String>,
    order: Option<i32>,
    enabled: Option<bool>,
}

pub(super) async fn put(call: Call) -> Result<Response, Problem> {
    let NewScript { name, source, order, enabled } = call.body()?;
    let script = store(&call, name, ScriptChange { source: Some(source), order, enabled }).await?;
    Ok(created(&show_script(&script)))
}

pub(super) async fn change(call: Call) -> Result<Response, Problem> {
    let Change { source, order, enabled } = call.body()?;
    let name = load(&call.app, call.id()?)?.name;
    let script = store(&call, name, ScriptChange { source, order, enabled }).await?;
    Ok(ok(&show_script(&script)))
}

/// What cannot be run is not stored: it would fail at the next revocation.
async fn store(call: &Call, name: String, change: ScriptChange) -> Result<Script, Problem> {
    if let Some(source) = &change.source {
        let compiled = scripts::compile(source).map(drop);
        compiled.map_err(|why| Problem::refused(format!("not a script: {why}")))?;
    }
    let initiator = call.initiator.clone();
    Ok(call.app.submit(Lane::Issuing, move |door| door.put_script(&name, &change, &initiator)).await?)
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let all: Vec<_> = call.app.live.look(|_, configuration| configuration.scripts.iter().cloned().collect());
    Ok(ok(&page_of(all.iter(), query, |script| &script.name, |script| summary(script))?))
}

/// The script as it is used, or one of its versions.
pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let (name, query) = (call.id()?, call.query(&["version"])?);
    let Some(wanted) = query.find("version") else {
        return Ok(ok(&show_script(&load(&call.app, name)?)));
    };
    let wanted = wanted.parse::<u32>().map_err(|_| Problem::invalid("`version` is a number"))?;
    let versions = load_versions(&call, name).await?;
    let version = versions.iter().find(|one| one.version == wanted);
    let version = version.ok_or_else(|| Problem::unknown("version of that script", &wanted.to_string()))?;
    let mut shown = show_version(version);
    shown["source"] = json!(version.source);
    Ok(ok(&shown))
}

/// Those of a script that is gone as well.
pub(super) async fn versions(call: Call) -> Result<Response, Problem> {
    let name = call.id()?;
    call.query(&[])?;
    let versions = load_versions(&call, name).await?;
    Ok(ok(&json!({ "items": versions.iter().map(show_version).collect::<Vec<_>>(), "next": null })))
}

pub(super) async fn remove(call: Call) -> Result<Response, Problem> {
    let (name, initiator) = (load(&call.app, call.id()?)?.name, call.initiator.clone());
    let gone = call.app.submit(Lane::Issuing, move |door| door.remove_script(&name, &initiator)).await?;
    Ok(ok(&json!({ "name": gone.name, "version": gone.version, "removed": true })))
}

fn load(app: &App, name: &str) -> Result<Script, Problem> {
    let found = app.live.look(|_, configuration| configuration.scripts.find(name).cloned());
    found.map(|script| (*script).clone()).ok_or_else(|| Problem::unknown("script", name))
}

async fn load_versions(call: &Call, name: &str) -> Result<Vec<ScriptVersion>, Problem> {
    let versions = call.app.records.store.script_versions(name).await?;
    if versions.is_empty() { Err(Problem::unknown("script", name)) } else { Ok(versions) }
}

fn summary_members() -> Members {
    let script =
        object().with("name", text()).with("version", number()).with("order", integer()).with("enabled", flag());
    let script = script.with("bytes", number()).with("stored_at", moment());
    script.with("stored_by", entries::initiator())
}

/// What [`summary`] writes.
pub(super) fn summarized() -> Shape {
    summary_members().named("ScriptSummary")
}

/// What [`show_script`] writes.
pub(super) fn shown() -> Shape {
    summary_members().with("source", text()).named("Script")
}

fn version_members() -> Members {
    let version = object().with("name", text()).with("version", number()).with("bytes", number());
    version.with("stored_at", moment()).with("stored_by", entries::initiator())
}

/// What [`show_version`] writes.
pub(super) fn version() -> Shape {
    version_members().named("ScriptVersion")
}

/// What [`show`] answers.
pub(super) fn found() -> Shape {
    any_of([shown(), version_members().with("source", text()).open()])
}

/// What [`remove`] answers.
pub(super) fn removed() -> Shape {
    object().with("name", text()).with("version", number()).with("removed", flag()).open()
}

/// Everything but the text.
fn summary(script: &Script) -> Value {
    json!({
        "name": script.name,
        "version": script.version,
        "order": script.order,
        "enabled": script.enabled,
        "bytes": script.source.len(),
        "stored_at": script.stored_at,
        "stored_by": script.stored_by,
    })
}

fn show_script(script: &Script) -> Value {
    let mut shown = summary(script);
    shown["source"] = json!(*script.source);
    shown
}

fn show_version(version: &ScriptVersion) -> Value {
    json!({
        "name": version.name,
        "version": version.version,
        "bytes": version.source.len(),
        "stored_at": version.stored_at,
        "stored_by": version.stored_by,
    })
}
