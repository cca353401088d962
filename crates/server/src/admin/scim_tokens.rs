//! SCIM tokens: an administrator lets one provisioning system drive the accounts, and may take that back.

use axum::response::Response;
use rescind_ledger::Lane;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, created, ok, page_of},
    problem::Problem,
};
use crate::{
    app::App,
    openapi::shape::{Members, Shape, flag, moment, object, text},
    sources::scim::tokens::{self, DEFAULT_DAYS, Fresh, LONGEST_NAME, MOST_DAYS, Token},
};

#[derive(Deserialize, ToSchema)]
#[schema(as = NewScimToken, examples(json!({ "name": "entra", "days": 90 })))]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// Of the provisioning system: entries and audit records have it.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9._-]+$")]
    name: String,
    /// For how long it is good.
    #[serde(default = "usual")]
    #[schema(minimum = 1, maximum = 730)]
    days: u32,
}

fn usual() -> u32 {
    DEFAULT_DAYS
}

pub(super) async fn issue(call: Call) -> Result<Response, Problem> {
    let new: NewToken = call.body()?;
    if !tokens::is_name(&new.name) {
        let why = format!("the name has 1 to {LONGEST_NAME} letters, digits, `.`, `_` and `-`");
        return Err(Problem::refused(why));
    }
    if !(1..=MOST_DAYS).contains(&new.days) {
        return Err(Problem::refused(format!("`days` is a number from 1 to {MOST_DAYS}")));
    }
    let Fresh { secret, token } = Fresh::make(&call.app, new.name, new.days);
    let (place, sealed) = token.seal(&call.app).map_err(|why| {
        tracing::error!(error = %why, "cannot encrypt a SCIM token");
        Problem::internal()
    })?;
    call.app.submit(Lane::Issuing, move |door| door.put_secret(&place, &sealed)).await?;
    let mut shown = show(&call.app, &token);
    if let Some(members) = shown.as_object_mut() {
        members.insert("scim_token".to_owned(), secret.reveal().into());
    }
    Ok(created(&shown))
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["cursor", "limit"])?;
    let tokens = tokens::list(&call.app).await?;
    Ok(ok(&page_of(tokens.iter(), query, |token| &token.id, |token| show(&call.app, token))?))
}

pub(super) async fn withdraw(call: Call) -> Result<Response, Problem> {
    let id = call.id()?;
    if !tokens::withdraw(&call.app, id).await? {
        return Err(Problem::unknown("SCIM token", id));
    }
    Ok(ok(&json!({ "id": id, "removed": true })))
}

fn members() -> Members {
    let members = object().with("id", text()).with("name", text()).with("created_at", moment());
    members.with("expires_at", moment()).with("revoked", flag())
}

/// What [`issue`] answers.
pub(super) fn issued() -> Shape {
    members().with("scim_token", text()).named("FreshScimToken")
}

/// What [`show`] writes.
pub(super) fn shown() -> Shape {
    members().named("ScimToken")
}

fn show(app: &App, token: &Token) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked": token.is_revoked(app),
    })
}
