//! What this source can do (RFC 7643 sections 5 to 7), no more than is true.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
};
use serde_json::{Value, json};

use super::{
    attribute::USER,
    call::{Call, answered},
    error::{ScimError, answer},
    list::MOST_RESULTS,
    resource::BASE,
};
use crate::app::App;

/// `GET /ServiceProviderConfig`.
pub(super) async fn service_provider(State(app): State<Arc<App>>, request: Request) -> Response {
    answered(app, request, |call| async move {
        let no = json!({ "supported": false });
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": { "supported": true },
            "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
            "filter": { "supported": true, "maxResults": MOST_RESULTS },
            "changePassword": { "supported": true },
            "sort": { "supported": true },
            "etag": no,
            "authenticationSchemes": [{
                "type": "oauthbearertoken",
                "name": "SCIM token",
                "description": "A bearer token that an administrator makes for one provisioning system.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": true,
            }],
            "meta": meta(&call, "ServiceProviderConfig", "/ServiceProviderConfig"),
        });
        Ok(answer(StatusCode::OK, &body))
    })
    .await
}

/// `GET /ResourceTypes`.
pub(super) async fn resource_types(State(app): State<Arc<App>>, request: Request) -> Response {
    answered(app, request, |call| async move { listed(&call, &resource_type(&call)) }).await
}

/// `GET /ResourceTypes/{id}`.
pub(super) async fn resource_type_of(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    answered(app, request, |call| async move { one(&id, "User", &resource_type(&call)) }).await
}

/// `GET /Schemas`.
pub(super) async fn schemas(State(app): State<Arc<App>>, request: Request) -> Response {
    answered(app, request, |call| async move { listed(&call, &schema(&call)) }).await
}

/// `GET /Schemas/{id}`.
pub(super) async fn schema_of(State(app): State<Arc<App>>, Path(id): Path<String>, request: Request) -> Response {
    answered(app, request, |call| async move { one(&id, USER, &schema(&call)) }).await
}

fn meta(call: &Call, kind: &str, path: &str) -> Value {
    json!({ "resourceType": kind, "location": format!("{}{BASE}{path}", call.app.config.issuer) })
}

/// There is one of each kind. A filter here is forbidden (RFC 7644 section 4).
fn listed(call: &Call, only: &Value) -> Result<Response, ScimError> {
    if call.find("filter").is_some() {
        return Err(ScimError::forbidden("this list takes no filter"));
    }
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 1,
        "startIndex": 1,
        "itemsPerPage": 1,
        "Resources": [only],
    });
    Ok(answer(StatusCode::OK, &body))
}

fn one(id: &str, known: &str, value: &Value) -> Result<Response, ScimError> {
    if id == known { Ok(answer(StatusCode::OK, value)) } else { Err(ScimError::not_found(id)) }
}

fn resource_type(call: &Call) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "A local account",
        "schema": USER,
        "schemaExtensions": [],
        "meta": meta(call, "ResourceType", "/ResourceTypes/User"),
    })
}

fn schema(call: &Call) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": USER,
        "name": "User",
        "description": "A local account",
        "attributes": attributes(),
        "meta": meta(call, "Schema", &format!("/Schemas/{USER}")),
    })
}

/// What is kept. The one address is shown as that at work; `name` is taken in the place of a missing `displayName`, and not kept.
fn attributes() -> Value {
    let text = |name: &str, about: &str| attribute(name, "string", about);
    let mut user_name = text("userName", "What the user types at sign-in; unique without regard to case.");
    set(&mut user_name, "required", json!(true));
    set(&mut user_name, "uniqueness", json!("server"));
    let mut password = text("password", "A new password; it is never shown.");
    set(&mut password, "mutability", json!("writeOnly"));
    set(&mut password, "returned", json!("never"));
    set(&mut password, "caseExact", json!(true));
    let mut emails = attribute("emails", "complex", "The address that is kept: the primary one, else the one at work.");
    set(&mut emails, "multiValued", json!(true));
    let mut kind = text("type", "Always `work`.");
    set(&mut kind, "canonicalValues", json!(["work"]));
    let mut primary = attribute("primary", "boolean", "Always true.");
    // They may be sent, and say which address is kept.
    for part in [&mut kind, &mut primary] {
        set(part, "mutability", json!("readOnly"));
    }
    set(&mut emails, "subAttributes", json!([text("value", "The address."), kind, primary]));
    json!([
        user_name,
        text("displayName", "The name for people."),
        emails,
        attribute("active", "boolean", "Whether the user may sign in. False ends everything the user holds."),
        password,
    ])
}

fn attribute(name: &str, kind: &str, about: &str) -> Value {
    let mut attribute = json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "description": about,
        "required": false,
        "mutability": "readWrite",
        "returned": "default",
    });
    if kind == "string" {
        set(&mut attribute, "caseExact", json!(false));
        set(&mut attribute, "uniqueness", json!("none"));
    }
    attribute
}

fn set(attribute: &mut Value, name: &str, value: Value) {
    if let Some(members) = attribute.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
