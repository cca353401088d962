//! APIs: the resource servers. An API's identifier is a URI, so it stands in the query rather than in the path.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use rescind_ledger::{Api, Lane, SessionValidation, StoreError, Target, Timestamp, TokenFormat, restricts_api};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use utoipa::ToSchema;

use super::{
    call::{Call, created, ok, patched, unchanged},
    clients::{self, check_scope, introspection_client, show_client},
    guard,
    names::{self, Names},
    problem::Problem,
    users::{may_have_ended, show_ended},
};
use crate::{
    app::App,
    openapi::shape::{Shape, flag, inline, moment, object, of, words_of},
};

/// An API as people write it.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewApi, examples(json!({ "audience": "https://billing.example", "name": "Billing", "scopes": ["billing:read"] })))]
#[serde(deny_unknown_fields)]
pub(super) struct ApiForm {
    #[schema(min_length = 1, max_length = 1024)]
    audience: String,
    #[schema(min_length = 1)]
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    #[schema(schema_with = token_formats)]
    token_format: TokenFormat,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 86400)]
    access_token_secs: Option<u32>,
    #[serde(default)]
    #[schema(schema_with = session_validation)]
    session_validation: SessionValidation,
    /// Whether to make a client by which the API introspects; asked for when it is added, never shown.
    #[serde(default, skip_serializing)]
    introspection_client: bool,
}

type Schema = utoipa::openapi::RefOr<utoipa::openapi::Schema>;

fn token_formats() -> Schema {
    inline(words_of(&[TokenFormat::Jwt, TokenFormat::Opaque]))
}

fn session_validation() -> Schema {
    inline(validation())
}

/// What of the session behind it a token depends on.
pub(super) fn validation() -> Shape {
    object()
        .may("include_session_id", flag())
        .may("check_valid_authn_session", flag())
        .may("check_session_revocation_status", flag())
        .may("update_authn_session_activity", flag())
        .closed()
}

/// What [`show_api`] writes, and of a new one its client.
pub(super) fn shown() -> Shape {
    let api = object().and(of::<ApiForm>()).without("introspection_client").with("created_at", moment());
    may_have_ended(api.may("introspection_client", clients::shown())).named("Api")
}

/// What already exists if an audience is not free.
const TAKEN: &str = "an api with that identifier";

pub(super) async fn add(call: Call) -> Result<Response, Problem> {
    let form: ApiForm = call.body()?;
    let with_client = form.introspection_client;
    if form.audience == call.app.config.issuer {
        return Err(Problem::taken(TAKEN));
    }
    let api = form.api(&call.app, call.app.now())?;
    let mut shown = show_api(&api);
    let client = if with_client { Some(introspection_client(&call.app, &api.audience, &api.name)?) } else { None };
    if let (Some(object), Some((client, secret))) = (shown.as_object_mut(), &client) {
        object.insert("introspection_client".to_owned(), show_client(client, Some(secret)));
    }
    let initiator = call.initiator.clone();
    let adding = call.app.submit(Lane::Issuing, move |door| {
        if door.find_api(&api.audience)?.is_some() {
            return Err(StoreError::Conflict(TAKEN).into());
        }
        door.put_api(&api, &initiator)?;
        client.iter().try_for_each(|(client, _)| door.add_client(client))
    });
    adding.await?;
    Ok(created(&shown))
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&[&["audience"][..], &names::ALWAYS_ON].concat())?;
    if let Some(audience) = query.find("audience") {
        let api = load_api(&call.app, audience)?;
        return Ok(ok(&show_api(&api)));
    }
    let filter = names::filter(query, &names::SORTS)?;
    let apis: Vec<Arc<Api>> = call.app.live.look(|_, configuration| configuration.apis.values().cloned().collect());
    let page = names::page(
        &apis,
        query,
        &filter,
        |api| Names { id: &api.audience, name: &api.name, created_at: api.created_at },
        |api| show_api(api),
    );
    Ok(ok(&page?))
}

/// An API is named in the query, beside what a guard may ask for.
const QUERY: [&str; 3] = ["audience", guard::PARAMETERS[0], guard::PARAMETERS[1]];

pub(super) async fn change(call: Call) -> Result<Response, Problem> {
    let patch: Value = call.body()?;
    if patch.get("audience").is_some() || patch.get("introspection_client").is_some() {
        return Err(Problem::refused("the identifier of an api does not change, and its client is a client"));
    }
    let query = call.query(&QUERY)?;
    let before = load_api(&call.app, query.load("audience")?)?;
    let after = patched(&ApiForm::of(&before), &patch)?.api(&call.app, before.created_at)?;
    if restricts_api(&before, &after) {
        guard::allow_change(&call, query, "change", &Target::Audience { audience: before.audience.clone() }).await?;
    }
    let mut shown = show_api(&after);
    let initiator = call.initiator.clone();
    let changing = call.app.submit(Lane::Ending, move |door| {
        unchanged(door.find_api(&before.audience)?.as_ref(), &before)?;
        door.put_api(&after, &initiator)
    });
    show_ended(&mut shown, changing.await?);
    Ok(ok(&shown))
}

pub(super) async fn remove(call: Call) -> Result<Response, Problem> {
    let query = call.query(&QUERY)?;
    let api = load_api(&call.app, query.load("audience")?)?;
    guard::allow_change(&call, query, "remove", &Target::Audience { audience: api.audience.clone() }).await?;
    let (audience, initiator) = (api.audience.clone(), call.initiator.clone());
    let ended = call.app.submit(Lane::Ending, move |door| door.delete_api(&audience, &initiator)).await?;
    let mut shown = json!({ "audience": api.audience, "removed": true });
    show_ended(&mut shown, Some(ended));
    Ok(ok(&shown))
}

fn load_api(app: &App, audience: &str) -> Result<Arc<Api>, Problem> {
    app.live.api(audience).ok_or_else(|| Problem::unknown("api", audience))
}

fn show_api(api: &Api) -> Value {
    let mut shown = serde_json::to_value(ApiForm::of(api)).unwrap_or_default();
    if let Some(object) = shown.as_object_mut() {
        object.insert("created_at".to_owned(), json!(api.created_at));
    }
    shown
}

/// The longest life of an access token, as for the server's own default.
const LONGEST: Duration = Duration::from_secs(86_400);

impl ApiForm {
    fn of(api: &Api) -> Self {
        Self {
            audience: api.audience.clone(),
            name: api.name.clone(),
            scopes: api.scopes.clone(),
            token_format: api.token_format,
            access_token_secs: api.access_token_secs,
            session_validation: api.session_validation,
            introspection_client: false,
        }
    }

    fn api(self, app: &App, created_at: Timestamp) -> Result<Api, Problem> {
        check_audience(&self.audience)?;
        if self.name.trim().is_empty() {
            return Err(Problem::refused("an api has a name"));
        }
        for scope in &self.scopes {
            check_scope(scope)?;
        }
        // Nothing may outlive the horizon, or a forgotten revocation could come undone (DESIGN rule 6).
        let longest = LONGEST.min(app.lifetimes().horizon()).as_secs();
        if self.access_token_secs.is_some_and(|secs| secs == 0 || u64::from(secs) > longest) {
            return Err(Problem::refused(format!("`access_token_secs` is a number from 1 to {longest}")));
        }
        Ok(Api {
            audience: self.audience,
            name: self.name,
            scopes: self.scopes,
            token_format: self.token_format,
            access_token_secs: self.access_token_secs,
            session_validation: self.session_validation,
            created_at,
        })
    }
}

/// RFC 8707 section 2: an absolute URI without a fragment.
fn check_audience(audience: &str) -> Result<(), Problem> {
    let sound = audience.len() <= 1024 && Url::parse(audience).is_ok_and(|uri| uri.fragment().is_none());
    if sound { Ok(()) } else { Err(Problem::refused("an api's identifier is an absolute URI without a fragment")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_an_absolute_uri() {
        assert!(check_audience("https://api.example/orders").is_ok());
        assert!(check_audience("urn:example:orders").is_ok());
        for wrong in ["orders", "/orders", "https://api.example/#x"] {
            assert!(check_audience(wrong).is_err(), "{wrong}");
        }
    }
}
