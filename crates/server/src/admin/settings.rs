//! Settings: what there is to set, what is in force, and who changed what.

use axum::response::Response;
use rescind_ledger::{Definition, Form, Lane, NewSetting, Reads, SettingChange, Settings, StoreError, WrongSetting};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, ok},
    entries,
    problem::Problem,
};
use crate::{
    config::Lifetimes,
    openapi::{
        Description,
        shape::{Shape, any_of, flag, inline, list_of, maybe, moment, null, number, object, one_of, text},
    },
};

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    let settings = call.app.settings();
    let items: Vec<Value> = Settings::definitions().map(|definition| describe(&settings, definition)).collect();
    Ok(ok(&json!({ "items": items, "next": null, "version": settings.version })))
}

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    let definition = find(call.id()?)?;
    Ok(ok(&describe(&call.app.settings(), definition)))
}

/// The body of a change.
#[derive(Deserialize, ToSchema)]
#[schema(as = ChangedSetting, examples(json!({ "value": null, "note": "back to the default" })))]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeForm {
    /// Null goes back to the default, which has to be said.
    #[serde(deserialize_with = "given")]
    #[schema(schema_with = value_schema, required)]
    value: Value,
    /// Refuse unless the settings still have this version.
    version: Option<u64>,
    note: Option<String>,
}

/// `Option` would take an absent member for null, and a forgotten value for the default.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    Value::deserialize(deserializer)
}

fn value_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    inline(value())
}

/// A value, or null where the configuration decides.
fn value() -> Shape {
    any_of([flag(), number(), text(), null()])
}

/// A setting is named in the path.
pub(super) fn named(it: Description) -> Description {
    let names: Vec<_> = Settings::definitions().map(|definition| definition.name).collect();
    it.place("id", one_of(&names), "Its name.").refuses(&[404])
}

/// What [`describe`] writes.
pub(super) fn shown() -> Shape {
    let setting = object().with("name", text()).with("value", value()).with("default", value()).with("takes", text());
    let setting = setting.with("least", maybe(number())).with("most", maybe(number()));
    setting.with("summary", text()).with("version", number()).named("Setting")
}

/// What [`list`] answers.
pub(super) fn listed() -> Shape {
    object().with("items", list_of(shown())).with("next", null()).with("version", number()).open()
}

/// What [`show_change`] writes.
pub(super) fn changed() -> Shape {
    let change = object().with("version", number()).with("at", moment()).with("name", text());
    let change = change.with("value", value()).with("initiator", entries::initiator());
    change.with("note", maybe(text())).named("SettingChange")
}

pub(super) async fn change(call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    let definition = find(call.id()?)?;
    let form: ChangeForm = call.body()?;
    let value = Some(form.value).filter(|value| !value.is_null());
    call.app.settings().as_ref().clone().put(definition.name, value.as_ref()).map_err(|why| wrong(&why))?;
    if form.note.as_ref().is_some_and(|note| note.len() > rescind_ledger::Order::NOTE_LIMIT) {
        return Err(Problem::invalid("the note is longer than 2000 bytes"));
    }
    let new = NewSetting {
        name: definition.name.to_owned(),
        value,
        expected_version: form.version,
        initiator: call.initiator.clone(),
        note: form.note,
    };
    let configured = call.app.config.lifetimes.clone();
    let changing = call.app.submit(Lane::Ending, move |door| {
        door.change_setting(&new, |door, after| keep_horizon(door, &configured, after))
    });
    changing.await?;
    Ok(ok(&describe(&call.app.settings(), definition)))
}

/// No credential may outlive what the ledger remembers, so a longer life and the longer horizon are one transaction.
fn keep_horizon(
    door: &mut rescind_ledger::Door<'_>,
    configured: &Lifetimes,
    after: &Settings,
) -> Result<(), rescind_ledger::LedgerError> {
    let (before, after) = (configured.overlaid(&door.settings()), configured.overlaid(after));
    after.check().map_err(rescind_ledger::LedgerError::Refused)?;
    if before.horizon() == after.horizon() { Ok(()) } else { door.state_horizon(after.horizon()) }
}

pub(super) async fn history(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let definition = find(call.id()?)?;
    history_of(&call, Some(definition.name), query.limit()?, query.find("cursor")).await
}

pub(super) async fn history_of_all(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    history_of(&call, None, query.limit()?, query.find("cursor")).await
}

async fn history_of(call: &Call, name: Option<&str>, limit: u32, cursor: Option<&str>) -> Result<Response, Problem> {
    let before = cursor.map(|text| text.parse().map_err(|_| StoreError::Cursor)).transpose()?;
    // One more than asked for says whether there is another page.
    let mut changes = call.app.records.store.setting_changes(name, before, limit + 1).await?;
    let more = changes.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        changes.pop();
    }
    let next = changes.last().filter(|_| more).map(|change| change.version.to_string());
    Ok(ok(&json!({ "items": changes.iter().map(show_change).collect::<Vec<_>>(), "next": next })))
}

fn show_change(change: &SettingChange) -> Value {
    json!({
        "version": change.version,
        "at": change.at,
        "name": change.name,
        "value": change.value,
        "initiator": change.initiator,
        "note": change.note,
    })
}

fn describe(settings: &Settings, definition: Definition) -> Value {
    let (least, most) = match definition.form {
        Form::Number { least, most, .. } => (Some(least), Some(most)),
        Form::Switch | Form::Choice(_) => (None, None),
    };
    json!({
        "name": definition.name,
        "value": settings.value(definition.name),
        "default": Settings::default().value(definition.name),
        "takes": definition.form.to_string(),
        "least": least,
        "most": most,
        "summary": definition.summary,
        "version": settings.version,
    })
}

fn find(name: &str) -> Result<Definition, Problem> {
    Settings::definition(name).map_err(|why| wrong(&why))
}

fn wrong(why: &WrongSetting) -> Problem {
    match why {
        WrongSetting::Unknown(name) => Problem::unknown("setting", name),
        WrongSetting::Value { .. } => Problem::refused(why.to_string()),
    }
}
