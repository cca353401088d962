//! `POST /revoke` (RFC 7009), with what Janssen adds to it: everything of the calling client, tokens of other clients, and
//! several tokens in one call.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rescind_ledger::{
    Action, AuditEvent, Client, CredentialOwner, Door, Feature, Hash, Initiator, Lane, LedgerError, Order, Reads,
    Reason, Settings, Target,
};

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{name, object, text},
    },
    peer::{Peer, client_address},
    protocol::{
        client_auth::{self, authenticate},
        cors,
        error::{ProtocolError, empty},
        feature,
        form::{Form, read_form},
        interception::permit_all,
        throttle::Attempt,
    },
    scripts::{Endpoint, Event, Permission},
};
use asked::Asked;
use standing::{Standing, standing};

pub mod asked;
pub mod standing;

/// The endpoint.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    let mut caller = None;
    let done = carry_out(&app, request, &mut caller).await;
    let done = match done {
        Ok(()) => Ok(()),
        Err(why) => Err(told(&app, caller, why).await),
    };
    cors::open(done.map_or_else(IntoResponse::into_response, |()| empty(StatusCode::OK)))
}

/// Counts and records a refusal; one that cannot be recorded is no answer. `caller` is who proved to be one: what others are
/// refused, and what there was too much of, does not get a record each time.
async fn told(app: &App, caller: Option<Initiator>, why: ProtocolError) -> ProtocolError {
    app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "revoke"), ("error", why.code())]);
    if why.status().is_server_error() {
        return why;
    }
    match app.audit_refusal(caller, "POST /revoke", why.code()).await {
        Ok(()) => why,
        Err(unwritten) => unwritten.into(),
    }
}

async fn carry_out(app: &App, request: Request, who: &mut Option<Initiator>) -> Result<(), ProtocolError> {
    feature::require(app, Feature::RevokeToken)?;
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    // Section 2.1: first the client, then what it asks for.
    let caller = authenticate(app, &parts, &form).await?;
    let client = caller.client.as_ref();
    *who = (!client.is_public()).then(|| Initiator::Client(client.id.clone()));
    let settings = app.settings();
    let address = parts.extensions.get::<Peer>().map(|peer| client_address(peer, &parts.headers, &app.config.proxy));
    // A public client could be anybody, so that each address pays for itself.
    let payer = (&client.id, address.filter(|_| client.is_public()));
    let attempt = app.fruitless_revocations.ask(&payer, settings.fruitless_revocations_per_minute, app.now());
    let attempt = attempt.map_err(|too_many| {
        *who = None;
        ProtocolError::slow_down(too_many)
    })?;
    let asking = Event::of(Endpoint::Revoke, client, &parts.headers);
    let asking = asking.with_hint(form.find("token_type_hint"));
    let (wishes, events) = wishes(app, client, &form, &settings, &asking).await?.into_iter().unzip();
    match permit_all(app, events).await? {
        Some(permissions) => settle(app, wishes, permissions, &attempt).await,
        None => Ok(()),
    }
}

/// What one of the things asked for comes to.
#[derive(Debug)]
enum Wish {
    End(Order),
    /// Nothing ends, for a reason that only the audit trail hears.
    Nothing(AuditEvent),
}

/// Finds out what is to end, all of it before any of it ends: one token that is refused refuses the call. With each goes what
/// scripts are asked about it.
async fn wishes(
    app: &App,
    client: &Client,
    form: &Form,
    settings: &Settings,
    asking: &Event,
) -> Result<Vec<(Wish, Event)>, ProtocolError> {
    let initiator = Initiator::Client(client.id.clone());
    match Asked::read(form, settings)? {
        Asked::Everything if client.is_public() => Err(ProtocolError::unauthorized_client(
            "a public client cannot prove who it is, so it cannot revoke everything that was issued to it",
        )),
        Asked::Everything => {
            let target = Target::Client { client: client.id.clone() };
            let event = Event { target: Some(target.clone()), ..asking.clone() };
            Ok(vec![(Wish::End(Order::new(target, Reason::UserRequest, initiator)), event)])
        }
        Asked::Tokens { texts, hint } => {
            let mut wishes = Vec::with_capacity(texts.len());
            for text in texts {
                let owner = look_up(app, text, hint).await?;
                wishes.push(wish(client, owner, settings, &initiator, asking)?);
            }
            Ok(wishes)
        }
    }
}

/// Finds whose a token is: one hash and one question to the store, whatever comes of it. Whoever has no right to know whether
/// a token exists must not learn it from how much work that was.
///
/// The hint is only an optimisation (section 2.1), and a look-up by hash needs none. `jti` alone says something: that the text
/// may be the id of a token rather than the token.
async fn look_up(app: &App, text: &str, hint: Option<&str>) -> Result<Option<CredentialOwner>, ProtocolError> {
    app.telemetry.hashed.increment(1);
    let id = hint.filter(|hint| *hint == "jti").map(|_| text);
    Ok(app.records.store.find_owner(&Hash::of(text), id).await?)
}

fn wish(
    client: &Client,
    owner: Option<CredentialOwner>,
    settings: &Settings,
    initiator: &Initiator,
    asking: &Event,
) -> Result<(Wish, Event), ProtocolError> {
    let nothing = |outcome: &str, owner: Option<CredentialOwner>| {
        let event = AuditEvent::new(Action::Order, Some(initiator.clone()), outcome).about("POST /revoke");
        let target = owner.map(|owner| Target::Grant { grant: owner.grant });
        // To a script what the client must not hear about is unknown, or the script would be the oracle that this is not.
        (Wish::Nothing(AuditEvent { target, reason: Some(Reason::UserRequest), ..event }), asking.clone())
    };
    match (standing(client, owner.as_ref(), settings)?, owner) {
        // Section 2.1: one revoked token ends its whole grant, whichever kind it is.
        (Standing::Own | Standing::OfAnother, Some(owner)) => {
            let target = Target::Grant { grant: owner.grant.clone() };
            let order = Order::new(target.clone(), Reason::UserRequest, initiator.clone());
            let foreign = owner.client != client.id;
            let order = if foreign { order.with_note(format!("of the client {}", owner.client)) } else { order };
            let known = Event { target: Some(target), grant: Some(owner.grant), user: owner.user, ..asking.clone() };
            Ok((Wish::End(order), Event { scope: owner.scope, ..known }))
        }
        // Section 2.2: an unknown token is no error, for its purpose is achieved.
        (Standing::Unknown, _) => Ok(nothing("unknown_token", None)),
        (Standing::Hidden, owner) => Ok(nothing("foreign_token", owner)),
        (_, None) => Ok(nothing("unknown_token", None)),
    }
}

/// One job, so that all of it happens or none.
async fn settle(
    app: &App,
    wishes: Vec<Wish>,
    permissions: Vec<Permission>,
    attempt: &Attempt,
) -> Result<(), ProtocolError> {
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ended = app.submit(Lane::Ending, move |door| {
        let ended: Result<Vec<Option<&'static str>>, LedgerError> =
            wishes.into_iter().zip(&permissions).map(|(wish, permission)| fulfil(door, wish, permission)).collect();
        ended
    });
    let ended: Vec<&'static str> = ended.await?.into_iter().flatten().collect();
    if !ended.is_empty() {
        // Whoever ends something has not been guessing.
        app.fruitless_revocations.give_back(attempt);
        app.telemetry.revoke_seconds.record(begun.elapsed());
    }
    for target in ended {
        app.telemetry.count("rescind_revocations_total", &[("target", target), ("reason", "user_request")]);
    }
    Ok(())
}

/// The kind of what has ended now, if anything has.
fn fulfil(door: &mut Door<'_>, wish: Wish, permission: &Permission) -> Result<Option<&'static str>, LedgerError> {
    permission.record(door)?;
    match wish {
        Wish::End(order) => {
            let order = permission.order(order);
            let kind = match order.target {
                Target::Client { .. } => "client",
                Target::Subject { .. } => "user",
                _ => "grant",
            };
            Ok(door.end(&order)?.fresh.then_some(kind))
        }
        Wish::Nothing(event) => door.record(&event).map(|()| None),
    }
}

pub(super) fn describe(it: Description) -> Description {
    let form = object().with("token", name()).may("token_type_hint", text());
    it.says("`token` may name several, with spaces between them: all of them are revoked, or none.")
        .form(client_auth::form(form))
        .gives_nothing(200)
        .refuses(&[400, 401, 403, 429])
}
