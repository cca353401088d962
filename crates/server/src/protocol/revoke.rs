//! `POST /revoke` (RFC 7009).

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rescind_ledger::{Client, Grant, Hash, Initiator, Lane, Order, Reads, Reason, Target};

use crate::{
    app::App,
    protocol::{
        client_auth::authenticate,
        cors,
        error::{ProtocolError, empty},
        form::read_form,
        interception::permit,
    },
    scripts::{Endpoint, Event, Permission},
};

/// The endpoint.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    let response = match carry_out(&app, request).await {
        Ok(()) => empty(StatusCode::OK),
        Err(why) => {
            app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "revoke"), ("error", why.code())]);
            why.into_response()
        }
    };
    cors::open(response)
}

async fn carry_out(app: &App, request: Request) -> Result<(), ProtocolError> {
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    let caller = authenticate(app, &parts, &form).await?;
    let token = form.load("token")?;
    // Section 2.2: an unknown token is no error, for its purpose is achieved. The hint is only an optimisation, and a lookup
    // by hash needs none (section 2.1).
    let found = find(app, token).await?;
    let is_foreign = found.as_ref().is_some_and(|found| found.client != caller.client.id);
    if is_foreign && !caller.client.is_public() {
        // Section 2.1: the client is told, but the token goes on working.
        return Err(ProtocolError::invalid_request("the token was not issued to this client"));
    }
    // A public client could be anybody: it is told nothing by which tokens could be guessed, so another's is unknown to it.
    let asked = Event::of(Endpoint::Revoke, &caller.client, &parts.headers);
    let asked = Event { hint: form.find("token_type_hint").map(str::to_owned), ..asked };
    let event = match found.filter(|_| !is_foreign) {
        Some(found) => found.described(asked),
        None => asked,
    };
    match permit(app, event).await? {
        Some(permission) => end(app, permission, &caller.client).await,
        None => Ok(()),
    }
}

/// What a token belongs to.
struct Found {
    grant: String,
    client: String,
    user: Option<String>,
    scope: String,
}

impl Found {
    /// One revoked token ends its whole grant, whichever kind it is (section 2.1: "also ... all access tokens based on the
    /// same authorization grant", and the other way round).
    fn described(self, event: Event) -> Event {
        let target = Some(Target::Grant { grant: self.grant.clone() });
        Event { target, grant: Some(self.grant), user: self.user, scope: self.scope, ..event }
    }
}

async fn find(app: &App, token: &str) -> Result<Option<Found>, ProtocolError> {
    let hash = Hash::of(token);
    if let Some(known) = app.records.find_access_token(&hash).await? {
        let token = known.view()?;
        return Ok(Some(Found {
            grant: token.grant.to_owned(),
            client: token.client.to_owned(),
            user: token.user.map(str::to_owned),
            scope: token.scope.to_owned(),
        }));
    }
    let found = app.records.store.find_refresh_token(&hash).await?;
    let of_grant = |grant: Grant| Found { grant: grant.id, client: grant.client, user: grant.user, scope: grant.scope };
    Ok(found.map(|(_, grant)| of_grant(grant)))
}

/// Ends what the permission is for, if it is for anything.
async fn end(app: &App, permission: Permission, client: &Client) -> Result<(), ProtocolError> {
    let Some(target) = permission.target().cloned() else { return Ok(()) };
    let kind = if matches!(target, Target::Grant { .. }) { "grant" } else { "user" };
    let order = permission.order(Order::new(target, Reason::UserRequest, Initiator::Client(client.id.clone())));
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ending = app.submit(Lane::Ending, move |door| {
        permission.record(door)?;
        door.end(&order)
    });
    ending.await?;
    app.telemetry.revoke_seconds.record(begun.elapsed());
    app.telemetry.count("rescind_revocations_total", &[("target", kind), ("reason", "user_request")]);
    Ok(())
}
