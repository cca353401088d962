//! Settings: what is in force, changing it without overwriting another's change, and who changed what.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    frame::{Frame, Section, page, shown},
    json::Json,
    receipt::said_by,
    revocations::names,
    target::Names,
    trouble::Trouble,
    visit::{Visit, segment},
    words::Moment,
};

/// A setting.
struct Setting {
    name: String,
    /// Without what comes before the first dot or underscore that it shares with others.
    value: String,
    default: String,
    takes: String,
    summary: String,
    version: u64,
    is_changed: bool,
    link: String,
    form: Form,
}

/// How its value is put in.
enum Form {
    Switch,
    Number { least: String, most: String },
    Choice(Vec<String>),
    Text,
}

impl Setting {
    fn of(visit: &Visit, found: &Json) -> Self {
        let name = found.text("name");
        let takes = found.text("takes");
        let form = match &found.at("value").0 {
            Value::Bool(_) => Form::Switch,
            _ if found.at("default").0.is_boolean() => Form::Switch,
            _ if found.has("least") || found.has("most") => {
                Form::Number { least: found.text("least"), most: found.text("most") }
            }
            _ => choices(&takes),
        };
        Self {
            value: found.find("value").unwrap_or_else(|| "as configured".to_owned()),
            default: found.find("default").unwrap_or_else(|| "as configured".to_owned()),
            takes,
            summary: found.text("summary"),
            version: found.number("version").unwrap_or_default(),
            is_changed: found.at("value") != found.at("default"),
            link: visit.console.path(&format!("/settings/{}", segment(&name))),
            form,
            name,
        }
    }
}

/// `one of: a, b` and the like offers its words.
fn choices(takes: &str) -> Form {
    let plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let words = takes.rsplit(':').next().unwrap_or_default().replace(" or ", ",");
    let words: Vec<String> = words.split(',').map(str::trim).filter(plain).map(str::to_owned).collect();
    if words.len() > 1 { Form::Choice(words) } else { Form::Text }
}

/// A change of one.
struct Change {
    version: String,
    name: String,
    value: String,
    by: String,
    note: Option<String>,
    at: Option<Moment>,
}

impl Change {
    fn of(visit: &Visit, found: &Json, names: &Names) -> Self {
        Self {
            version: found.text("version"),
            name: found.text("name"),
            value: found.find("value").unwrap_or_else(|| "the default".to_owned()),
            by: said_by(&found.at("initiator"), names),
            note: found.find("note"),
            at: found.moment("at", visit.now()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/settings.html")]
struct List {
    frame: Frame,
    settings: Vec<Setting>,
    history: Vec<Change>,
}

#[derive(Template)]
#[template(path = "console/setting.html")]
struct Page {
    frame: Frame,
    setting: Setting,
    history: Vec<Change>,
    wrong: Option<String>,
}

/// `GET /console/settings`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let found = visit.load("/settings").await?;
    let history = history(&visit, "/settings-history?limit=20").await?;
    let settings = found.list("items").iter().map(|setting| Setting::of(&visit, setting)).collect();
    Ok(shown(&List { frame: Frame::of(&visit, Section::Settings), settings, history }))
}

async fn history(visit: &Visit, path: &str) -> Result<Vec<Change>, Trouble> {
    let items = visit.find(path).await?.unwrap_or_default().list("items");
    let names = names(visit, &items).await;
    Ok(items.iter().map(|change| Change::of(visit, change, &names)).collect())
}

/// `GET /console/settings/{name}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    one(&visit, StatusCode::OK, None).await
}

async fn one(visit: &Visit, status: StatusCode, wrong: Option<String>) -> Result<Response, Trouble> {
    let path = format!("/settings/{}", segment(visit.id()?));
    let setting = Setting::of(visit, &visit.load(&path).await?);
    let history = history(visit, &format!("{path}/history?limit=20")).await?;
    Ok(page(status, &Page { frame: Frame::of(visit, Section::Settings), setting, history, wrong }))
}

/// `POST /console/settings/{name}`.
pub(super) async fn change(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let typed = visit.form.text("value");
    let value = if visit.form.find("default").is_some() { Value::Null } else { read(&typed) };
    let mut change = json!({ "value": value });
    if let Some(version) = visit.form.find("version").and_then(|text| text.parse::<u64>().ok()) {
        change["version"] = json!(version);
    }
    if let Some(note) = visit.form.find("note") {
        change["note"] = json!(note);
    }
    let path = format!("/settings/{}", segment(visit.id()?));
    let answer = visit.ask(Method::PATCH, &path, Some(&change)).await?;
    match answer.status {
        status if status.is_success() => Ok(visit.go(&format!("{path}?done=saved"))),
        StatusCode::NOT_FOUND => Err(Trouble::NotFound),
        StatusCode::CONFLICT => {
            let words = "Somebody changed a setting meanwhile. This is how it stands now; nothing of yours was saved.";
            one(&visit, answer.status, Some(words.to_owned())).await
        }
        status => one(&visit, status, Some(answer.body.text("detail"))).await,
    }
}

/// What was typed, as JSON has it.
fn read(typed: &str) -> Value {
    match typed {
        "true" => json!(true),
        "false" => json!(false),
        _ => typed.parse::<i64>().map_or_else(|_| json!(typed), |number| json!(number)),
    }
}
