//! Pushed authorization requests (RFC 9126): `POST /par`.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{number, object, text},
    },
    protocol::{
        authorization_request::{AuthorizationRequest, REQUEST_URI, Refusal, find_registered},
        authorize, client_auth,
        error::{ProtocolError, json_response},
        flow,
        form::read_form,
        sign_in::address,
        trouble::Trouble,
    },
};

/// Takes a request from its client, checks the whole of it, and gives back a name for it.
pub async fn push(State(app): State<Arc<App>>, request: Request) -> Response {
    keep(&app, request).await.unwrap_or_else(|response| response)
}

async fn keep(app: &App, request: Request) -> Result<Response, Response> {
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await.map_err(IntoResponse::into_response)?;
    let caller = client_auth::authenticate(app, &parts, &form).await.map_err(IntoResponse::into_response)?;
    if form.find("request_uri").is_some() {
        // Section 2.1, step 2.
        return Err(refused(&Refusal::new("invalid_request", "a pushed request cannot refer to another one")));
    }
    let redirect_uri = form.find("redirect_uri").filter(|uri| find_registered(&caller.client, uri).is_some());
    let redirect_uri = redirect_uri
        .ok_or_else(|| refused(&Refusal::new("invalid_request", "redirect_uri is missing or not registered")))?;
    let request =
        AuthorizationRequest::read(app, &caller.client, redirect_uri, &form).map_err(|refusal| refused(&refusal))?;
    if caller.client.is_public() {
        let admitted = app.beginnings.admit(address(app, &parts), app.now());
        admitted.map_err(|too_many| failed(Trouble::TooMany(too_many)).into_response())?;
    }
    let handle = flow::push(app, &request, caller.stamp).await.map_err(|trouble| failed(trouble).into_response())?;
    let expires_in = app.lifetimes().pushed_request.as_secs();
    let body = json!({ "request_uri": format!("{REQUEST_URI}{handle}"), "expires_in": expires_in });
    Ok(json_response(StatusCode::CREATED, body.to_string()))
}

/// The error codes of the authorization endpoint, in the form of the token endpoint (section 2.3).
fn refused(refusal: &Refusal) -> Response {
    let body = json!({ "error": refusal.code, "error_description": refusal.description });
    json_response(StatusCode::BAD_REQUEST, body.to_string())
}

fn failed(trouble: Trouble) -> ProtocolError {
    match trouble {
        Trouble::Unavailable => ProtocolError::unavailable(),
        Trouble::TooLarge => ProtocolError::too_large(),
        Trouble::TooMany(too_many) => ProtocolError::slow_down(too_many),
        // The client was changed while it pushed.
        Trouble::Expired => ProtocolError::invalid_client("client authentication failed"),
        _ => ProtocolError::server_error(),
    }
}

pub(super) fn describe(it: Description) -> Description {
    let kept = object().with("request_uri", text()).with("expires_in", number());
    it.form(client_auth::form(authorize::request_form()))
        .gives(201, kept.named("PushedRequest"))
        .refuses(&[400, 401, 429])
}
