//! Applications: the clients, with the tokens that were issued to each.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{Method, StatusCode},
    response::Response,
};
use serde_json::json;

use super::{
    CLIENT_ID,
    frame::{Frame, Section, page, shown},
    json::Json,
    trouble::Trouble,
    user::{Called, Held},
    users::{Pages, ROWS, here, listed, revoke},
    visit::{Visit, link, segment},
    words::{Badge, Moment, sentence},
};

/// An application.
struct Row {
    id: String,
    name: String,
    kind: String,
    scopes: Vec<String>,
    state: Badge,
    created: Option<Moment>,
    link: String,
    revoke: String,
}

impl Row {
    fn of(visit: &Visit, client: &Json, back: &str) -> Self {
        let id = client.text("id");
        let kind = if client.has("serves") {
            "API's own".to_owned()
        } else if client.texts("redirect_uris").is_empty() {
            "Service".to_owned()
        } else if client.text("auth_method") == "none" {
            "Public".to_owned()
        } else {
            "Web".to_owned()
        };
        Self {
            name: client.text("name"),
            kind,
            scopes: client.texts("scopes"),
            state: Badge::enabled(client.is("enabled")),
            created: client.moment("created_at", visit.now()),
            link: visit.console.path(&format!("/applications/{}", segment(&id))),
            revoke: revoke(visit, &[("kind", "client"), ("client", &id)], back),
            id,
        }
    }
}

#[derive(Template)]
#[template(path = "console/applications.html")]
struct List {
    frame: Frame,
    rows: Vec<Row>,
    pages: Pages,
    search: String,
}

/// `GET /console/applications`.
pub(super) async fn list(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let (filters, back) = (visit.query.picked(&["search"]), here(&visit));
    let found = listed(&visit, "/clients", &filters, ROWS).await?;
    let rows = found.list("items").iter().map(|client| Row::of(&visit, client, &back)).collect();
    Ok(shown(&List {
        frame: Frame::of(&visit, Section::Applications),
        rows,
        pages: Pages::of(&visit, "/applications", &filters, &found),
        search: visit.query.text("search"),
    }))
}

#[derive(Template)]
#[template(path = "console/application.html")]
struct Page {
    frame: Frame,
    application: Row,
    enabled: bool,
    is_console: bool,
    facts: Vec<(&'static str, String)>,
    tokens: Vec<Token>,
    pages: Pages,
}

/// A token of an application, with whose it is.
struct Token {
    user: Option<(String, String)>,
    held: Held,
}

/// `GET /console/applications/{id}`.
pub(super) async fn show(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let client = visit.load(&format!("/clients/{}", segment(visit.id()?))).await?;
    let (id, back) = (client.text("id"), here(&visit));
    let found = listed(&visit, "/tokens", &[("client", &id)], ROWS).await?;
    let (items, called) = (found.list("items"), Called::load(&visit).await);
    let names = visit.user_names(items.iter().map(|token| token.text("user"))).await;
    let tokens = items.iter().map(|token| Token {
        user: token.find("user").map(|user| {
            let path = visit.console.path(&format!("/users/{}", segment(&user)));
            (names.get(&user).cloned().unwrap_or(user), path)
        }),
        held: Held::token(&visit, token, &called, &back),
    });
    let facts = [
        ("Id", id.clone()),
        ("Authenticates by", sentence(&client.text("auth_method"))),
        ("Grant types", client.texts("grant_types").join(", ")),
        ("Redirect URIs", client.texts("redirect_uris").join(", ")),
        ("Scopes", client.texts("scopes").join(" ")),
        ("Registered itself", if client.is("registered_itself") { "yes" } else { "no" }.to_owned()),
    ];
    Ok(shown(&Page {
        frame: Frame::of(&visit, Section::Applications),
        application: Row::of(&visit, &client, &back),
        enabled: client.is("enabled"),
        is_console: id == CLIENT_ID,
        facts: facts.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
        tokens: tokens.collect(),
        pages: Pages::of(&visit, &format!("/applications/{}", segment(&id)), &[], &found),
    }))
}

/// `POST /console/applications/{id}/enabled`.
pub(super) async fn enabled(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let enabled = visit.form.find("enabled") == Some("true");
    let path = format!("/clients/{}", segment(visit.id()?));
    let confirmed = visit.form.picked(&["confirm", "break_glass"]);
    let answer = visit.ask(Method::PATCH, &link(&path, &confirmed), Some(&json!({ "enabled": enabled }))).await?;
    let (status, body) = (answer.status, answer.body);
    if let Some(phrase) = body.find("confirm").filter(|_| status == StatusCode::CONFLICT) {
        return confirm(&visit, enabled, phrase);
    }
    if !status.is_success() {
        return Err(Trouble::Refused(status, body.text("detail")));
    }
    let entry = body.at("ended").text("position");
    let done = if enabled { "enabled" } else { "disabled" };
    let path = format!("/applications/{}", segment(visit.id()?));
    Ok(visit.go(&link(&path, &[("done", done), ("entry", &entry)])))
}

/// Asks for the words without which nothing that reaches far is done.
#[derive(Template)]
#[template(path = "console/confirm.html")]
struct Confirm {
    frame: Frame,
    enabled: bool,
    phrase: String,
    action: String,
    back: String,
}

fn confirm(visit: &Visit, enabled: bool, phrase: String) -> Result<Response, Trouble> {
    let back = visit.console.path(&format!("/applications/{}", segment(visit.id()?)));
    let (frame, action) = (Frame::of(visit, Section::Applications), format!("{back}/enabled"));
    Ok(page(StatusCode::CONFLICT, &Confirm { frame, enabled, phrase, action, back }))
}
