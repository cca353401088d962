//! The Revoke dialog: one for every place. It says what will stop working, shows what would be hit, asks why, and then shows the
//! receipt filling in. Its address works as a page of its own; htmx puts the same into a `<dialog>`.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    frame::{Frame, Section, page},
    inside::Answer,
    json::Json,
    pending,
    preview::{self, Preview},
    receipt,
    target::{Aim, Said},
    trouble::Trouble,
    visit::{Fields, Visit},
    words::{self, Moment},
};
use crate::clock::fresh_id;

/// What the form holds: what was typed stays when something was wrong.
struct Typed {
    reason: String,
    note: String,
    before: String,
    at: String,
    confirm: String,
    break_glass: String,
    idempotency: String,
    back: String,
}

impl Typed {
    fn read(fields: &Fields) -> Self {
        Self {
            reason: fields.find("reason").unwrap_or("other").to_owned(),
            note: fields.text("note"),
            before: fields.text("before"),
            at: fields.text("at"),
            confirm: fields.text("confirm"),
            break_glass: fields.text("break_glass"),
            idempotency: fields.find("idempotency").map_or_else(|| fresh_id("console-"), str::to_owned),
            back: fields.text("back"),
        }
    }

    /// The body of the order.
    fn order(&self, aim: &Aim) -> Result<Value, Trouble> {
        let mut order = json!({ "target": aim.json(), "reason": self.reason });
        let texts = [("note", &self.note), ("confirm", &self.confirm), ("break_glass", &self.break_glass)];
        for (name, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
            order[name] = json!(value);
        }
        for (name, value) in [("before", &self.before), ("at", &self.at)] {
            if let Some(moment) = moment(value)? {
                order[name] = json!(moment);
            }
        }
        Ok(order)
    }
}

/// A field for a date and time holds `2026-11-30T23:30` and means UTC, as everything here.
fn moment(text: &str) -> Result<Option<String>, Trouble> {
    if text.is_empty() {
        return Ok(None);
    }
    let whole = if text.ends_with('Z') { text.to_owned() } else { format!("{text}Z") };
    let read = whole.parse::<jiff::Timestamp>();
    let read = read.or_else(|_| format!("{text}:00Z").parse::<jiff::Timestamp>());
    let wrong = || {
        Trouble::Refused(StatusCode::BAD_REQUEST, "That is not a date and time such as 2026-11-30T23:30.".to_owned())
    };
    read.map(|at| Some(at.to_string())).map_err(|_| wrong())
}

/// The dialog.
#[derive(Template)]
#[template(path = "console/revoke.html")]
struct Dialog {
    frame: Frame,
    aim: Aim,
    said: Said,
    preview: Preview,
    typed: Typed,
    reasons: &'static [(&'static str, &'static str)],
    wrong: Option<String>,
    before: Option<Moment>,
    /// Where one goes without revoking.
    back: String,
}

/// The same without a page around it.
#[derive(Template)]
#[template(path = "console/revoke_part.html")]
struct Part<'a> {
    dialog: &'a Dialog,
}

/// `GET /console/revoke`.
pub(super) async fn ask(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let aim = Aim::read(&visit.query)?;
    dialog(&visit, aim, Typed::read(&visit.query), StatusCode::OK, None, None).await
}

async fn dialog(
    visit: &Visit,
    aim: Aim,
    typed: Typed,
    status: StatusCode,
    wrong: Option<String>,
    confirm: Option<String>,
) -> Result<Response, Trouble> {
    let said = aim.describe(visit).await?;
    let before = moment(&typed.before)?;
    let mut preview = preview::load(visit, &aim, before.as_deref()).await?;
    preview.confirm = confirm.or(preview.confirm);
    let own = visit.console.path("");
    let back = if typed.back.starts_with(&format!("{own}/")) { typed.back.clone() } else { own };
    let dialog = Dialog {
        frame: Frame::of(visit, Section::Revocations),
        said,
        preview,
        before: Json(json!({ "at": before })).moment("at", visit.now()),
        typed,
        reasons: &words::REASONS,
        wrong,
        back,
        aim,
    };
    if visit.is_partial() {
        // htmx shows only what succeeded.
        return Ok(page(StatusCode::OK, &Part { dialog: &dialog }));
    }
    Ok(page(status, &dialog))
}

/// `POST /console/revoke`.
pub(super) async fn carry_out(visit: Arc<Visit>) -> Result<Response, Trouble> {
    let (aim, typed) = (Aim::read(&visit.form)?, Typed::read(&visit.form));
    // What is ordered is what was counted: a time that was typed since is counted first, and looked at.
    let is_new = typed.before != visit.form.text("counted");
    if is_new || visit.form.find("count").is_some() {
        let said = is_new.then(|| "Counted anew for the time you typed. Look at it, and go on.".to_owned());
        return dialog(&visit, aim, typed, StatusCode::OK, said, None).await;
    }
    let order = typed.order(&aim)?;
    let answer = visit.ask_once(Method::POST, "/revocations", Some(&order), Some(&typed.idempotency)).await?;
    match answer.status {
        StatusCode::ACCEPTED => Ok(pending::ordered(&visit, &answer.body.at("pending")).await),
        status if status.is_success() => receipt::of_order(&visit, &answer.body).await,
        status => refused(&visit, aim, typed, status, &answer).await,
    }
}

async fn refused(
    visit: &Visit,
    aim: Aim,
    typed: Typed,
    status: StatusCode,
    answer: &Answer,
) -> Result<Response, Trouble> {
    let body = &answer.body;
    if body.text("code") != "confirmation_required" {
        return dialog(visit, aim, typed, status, Some(body.text("detail")), None).await;
    }
    let wrong = if typed.confirm.is_empty() {
        "This reaches far: type the words below to go on."
    } else {
        "Those are not the words."
    };
    dialog(visit, aim, typed, status, Some(wrong.to_owned()), body.find("confirm")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_field_means_utc() {
        assert_eq!(moment("2026-11-30T23:30"), Ok(Some("2026-11-30T23:30:00Z".to_owned())));
        assert_eq!(moment("2026-11-30T23:30:05"), Ok(Some("2026-11-30T23:30:05Z".to_owned())));
        assert_eq!(moment("2026-11-30T23:30:05Z"), Ok(Some("2026-11-30T23:30:05Z".to_owned())));
        assert_eq!(moment(""), Ok(None));
        assert!(moment("tomorrow").is_err());
    }
}
