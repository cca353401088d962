//! `POST /revoke` (RFC 7009).

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rescind_ledger::{Client, Hash, Initiator, Lane, Order, Reads, Reason, Target};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{name, object, text},
    },
    protocol::{
        client_auth::{self, authenticate},
        cors,
        error::{ProtocolError, empty},
        form::read_form,
    },
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
    let Some(found) = find(app, token).await? else { return Ok(()) };
    if found.client != caller.client.id {
        return refuse_foreign(&caller.client);
    }
    end_grant(app, found.grant, &caller.client).await
}

/// The grant behind a token, and whose it is.
struct Found {
    grant: String,
    client: String,
}

async fn find(app: &App, token: &str) -> Result<Option<Found>, ProtocolError> {
    let hash = Hash::of(token);
    if let Some(known) = app.records.find_access_token(&hash).await? {
        let token = known.view()?;
        return Ok(Some(Found { grant: token.grant.to_owned(), client: token.client.to_owned() }));
    }
    let found = app.records.store.find_refresh_token(&hash).await?;
    Ok(found.map(|(_, grant)| Found { grant: grant.id, client: grant.client }))
}

/// Section 2.1: the request is refused and the client told, but the token goes on working. A public client could be
/// anybody, so it is told nothing by which tokens could be guessed.
fn refuse_foreign(caller: &Client) -> Result<(), ProtocolError> {
    if caller.is_public() {
        return Ok(());
    }
    Err(ProtocolError::invalid_request("the token was not issued to this client"))
}

/// One revoked token ends its whole grant, whichever kind it is (section 2.1: "also ... all access tokens based on the same
/// authorization grant", and the other way round).
pub async fn end_grant(app: &App, grant: String, client: &Client) -> Result<(), ProtocolError> {
    let order = Order::new(Target::Grant { grant }, Reason::UserRequest, Initiator::Client(client.id.clone()));
    app.pace.at("submit").await;
    let begun = Instant::now();
    app.queue.submit(Lane::Ending, move |door| door.end(&order)).await?;
    app.telemetry.revoke_seconds.record(begun.elapsed());
    app.telemetry.count("rescind_revocations_total", &[("target", "grant"), ("reason", "user_request")]);
    Ok(())
}

pub(super) fn describe(it: Description) -> Description {
    let form = object().with("token", name()).may("token_type_hint", text());
    it.form(client_auth::form(form)).gives_nothing(200).refuses(&[400, 401])
}
