//! Adding and changing users: name, password, role, enabled or not, and their removal. What ends with a change, the admin API
//! decides.

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
    trouble::Trouble,
    users::Row,
    visit::{Fields, Visit, segment},
};

/// The roles there are; empty means none.
pub(super) const ROLES: [(&str, &str); 4] = [
    ("", "None"),
    ("viewer", "Viewer: sees"),
    ("revoker", "Revoker: sees and ends access"),
    ("administrator", "Administrator: everything"),
];

#[derive(Template)]
#[template(path = "console/new_user.html")]
struct New {
    frame: Frame,
    typed: Fields,
    wrong: Option<String>,
}

#[derive(Template)]
#[template(path = "console/change_user.html")]
struct Change {
    frame: Frame,
    user: Row,
    display_name: String,
    email: String,
    role: String,
    roles: &'static [(&'static str, &'static str)],
    path: String,
    wrong: Option<String>,
}

/// `GET /console/new-user`.
pub(super) async fn new(visit: Arc<Visit>) -> Result<Response, Trouble> {
    Ok(shown(&New { frame: Frame::of(&visit, Section::Users), typed: Fields::default(), wrong: None }))
}

/// `POST /console/users`.
pub(super) async fn add(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let mut user = json!({ "user_name": visit.form.text("user_name") });
    for name in ["display_name", "email"] {
        if let Some(value) = visit.form.find(name) {
            user[name] = json!(value);
        }
    }
    if let Some(password) = visit.form.exact("password").filter(|text| !text.is_empty()) {
        user["password"] = json!(password);
    }
    let answer = visit.ask(Method::POST, "/users", Some(&user)).await?;
    if answer.is_success() {
        return Ok(visit.go(&format!("/users/{}?done=added", segment(&answer.body.text("id")))));
    }
    let frame = Frame::of(&visit, Section::Users);
    let again = New { frame, typed: visit.form.clone(), wrong: Some(answer.body.text("detail")) };
    Ok(page(answer.status, &again))
}

/// `GET /console/users/{id}/change`.
pub(super) async fn ask(visit: Arc<Visit>) -> Result<Response, Trouble> {
    form(&visit, StatusCode::OK, None).await
}

async fn form(visit: &Visit, status: StatusCode, wrong: Option<String>) -> Result<Response, Trouble> {
    let user = visit.load(&user_path(visit)?).await?;
    let path = visit.console.path(&format!("/users/{}", segment(&user.text("id"))));
    let change = Change {
        frame: Frame::of(visit, Section::Users),
        display_name: user.text("display_name"),
        email: user.text("email"),
        role: user.text("role"),
        roles: &ROLES,
        wrong,
        user: Row::of(visit, &user, &path),
        path,
    };
    Ok(page(status, &change))
}

fn user_path(visit: &Visit) -> Result<String, Trouble> {
    Ok(format!("/users/{}", segment(visit.id()?)))
}

/// Changes the user, and goes back to the details with word of it.
async fn patch(visit: &Visit, change: &Value, done: &str) -> Result<Response, Trouble> {
    let answer = visit.ask(Method::PATCH, &user_path(visit)?, Some(change)).await?;
    match answer.status {
        status if status.is_success() => {
            // By what the answer says has ended: a rule may be switched off.
            let done = match (done, answer.body.has("ended")) {
                ("saved", true) => "renamed",
                ("disabled", false) => "disabled-only",
                ("password", false) => "password-only",
                _ => done,
            };
            Ok(visit.go(&format!("/users/{}?done={done}{}", segment(&answer.body.text("id")), entry(&answer.body))))
        }
        StatusCode::NOT_FOUND => Err(Trouble::NotFound),
        status => form(visit, status, Some(answer.body.text("detail"))).await,
    }
}

/// The revocation that came with it, for the address of the next page.
fn entry(answered: &Json) -> String {
    answered.at("ended").find("position").map(|position| format!("&entry={}", segment(&position))).unwrap_or_default()
}

/// `POST /console/users/{id}/profile`.
pub(super) async fn profile(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let typed = |name: &str| visit.form.find(name).map_or(Value::Null, |text| json!(text));
    let change =
        json!({ "user_name": typed("user_name"), "display_name": typed("display_name"), "email": typed("email") });
    patch(&visit, &change, "saved").await
}

/// `POST /console/users/{id}/password`.
pub(super) async fn password(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let typed = visit.form.exact("password").unwrap_or_default();
    if visit.form.exact("again") != Some(typed) {
        return form(&visit, StatusCode::BAD_REQUEST, Some("The two passwords are not the same.".to_owned())).await;
    }
    patch(&visit, &json!({ "password": typed }), "password").await
}

/// `POST /console/users/{id}/role`.
pub(super) async fn role(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let role = visit.form.find("role").map_or(Value::Null, |text| json!(text));
    patch(&visit, &json!({ "role": role }), "role").await
}

/// `POST /console/users/{id}/enabled`.
pub(super) async fn enabled(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let enabled = visit.form.find("enabled") == Some("true");
    patch(&visit, &json!({ "enabled": enabled }), if enabled { "enabled" } else { "disabled" }).await
}

/// `POST /console/users/{id}/remove`: the name has to be typed.
pub(super) async fn remove(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let user = visit.load(&user_path(&visit)?).await?;
    if visit.form.exact("user_name") != Some(user.text("user_name").as_str()) {
        return form(
            &visit,
            StatusCode::BAD_REQUEST,
            Some("That is not the user name. Nobody was removed.".to_owned()),
        )
        .await;
    }
    let gone = visit.change(Method::DELETE, &user_path(&visit)?, &Value::Null).await?;
    Ok(visit.go(&format!("/users?done=removed{}", entry(&gone))))
}
