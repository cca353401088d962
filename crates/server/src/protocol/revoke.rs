//! `POST /revoke` (RFC 7009), with what Janssen adds to it: everything of the calling client, tokens of other clients, and
//! several tokens in one call.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rescind_check::{Lineage, Verdict};
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
        form::read_form,
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
    let asked = Asked::read(&form, &settings)?;
    // A public client could be anybody, so that each address pays for itself; and each token costs a look-up.
    let payer = (&client.id, address.filter(|_| client.is_public()));
    let most = settings.fruitless_revocations_per_minute;
    let attempt = app.fruitless_revocations.ask(&payer, asked.tokens(), most, app.now());
    let attempt = attempt.map_err(|too_many| {
        *who = None;
        ProtocolError::slow_down(too_many)
    })?;
    let asking = Event::of(Endpoint::Revoke, client, &parts.headers);
    let asking = asking.with_hint(form.find("token_type_hint"));
    let (wishes, events) = wishes(app, client, asked, &settings, &asking).await?.into_iter().unzip();
    match permit_all(app, events).await? {
        Some(permissions) => settle(app, client, wishes, permissions, &attempt).await,
        None => Ok(()),
    }
}

/// What one of the things asked for comes to.
#[derive(Debug)]
enum Wish {
    End {
        order: Order,
        /// Whether what was presented still counted.
        stands: bool,
    },
    /// Nothing ends, for a reason that only the audit trail hears: the grant, if the token is another client's.
    Nothing(Option<String>),
}

/// Finds out what is to end, all of it before any of it ends: one token that is refused refuses the call. With each goes what
/// scripts are asked about it.
async fn wishes(
    app: &App,
    client: &Client,
    asked: Asked<'_>,
    settings: &Settings,
    asking: &Event,
) -> Result<Vec<(Wish, Event)>, ProtocolError> {
    let initiator = Initiator::Client(client.id.clone());
    match asked {
        Asked::Everything if client.is_public() => Err(ProtocolError::unauthorized_client(
            "a public client cannot prove who it is, so it cannot revoke everything that was issued to it",
        )),
        Asked::Everything => {
            let target = Target::Client { client: client.id.clone() };
            let event = Event { target: Some(target.clone()), ..asking.clone() };
            // Whoever may end everything at once is not asked what it cost, but each time counts.
            let order = Order::new(target, Reason::UserRequest, initiator);
            Ok(vec![(Wish::End { order, stands: false }, event)])
        }
        Asked::Tokens { texts, hint } => {
            let mut wishes = Vec::with_capacity(texts.len());
            for text in texts {
                let hint = hint.filter(|_| !client.is_public());
                let owner = look_up(app, text, hint).await?;
                let stands = owner.as_ref().is_some_and(|owner| stands(app, owner));
                let standing = standing(client, owner.as_ref(), settings)?;
                wishes.push(wish(&client.id, standing, owner.map(|owner| (owner, stands)), asking));
            }
            Ok(wishes)
        }
    }
}

/// Finds whose a token is: one hash and one question to the store, whatever comes of it. Whoever has no right to know whether
/// a token exists must not learn it from how much work that was.
///
/// The hint is only an optimisation (section 2.1), and a look-up by hash needs none. `jti` alone says something: that the text
/// may be the id of a token rather than the token. An id is no secret, so it counts only from a client that proved who it is.
async fn look_up(app: &App, text: &str, hint: Option<&str>) -> Result<Option<CredentialOwner>, ProtocolError> {
    app.telemetry.hashed.increment(1);
    let id = hint.filter(|hint| *hint == "jti").map(|_| text);
    Ok(app.records.store.find_owner(&Hash::of(text), id).await?)
}

/// Whether a credential still counts in the eyes of the ledger. What is dead ends nothing more, however wide a script would
/// have it: an old token in the wrong hands must not end everything its user has had since.
fn stands(app: &App, owner: &CredentialOwner) -> bool {
    let lineage = Lineage {
        token: None,
        grant: Some(&owner.grant),
        session: None,
        device: None,
        subject: owner.user.as_deref().map(|user| (app.live.issuer(), user)),
        client: Some(&owner.client),
        audiences: &[],
        key: None,
        position: owner.position,
        root_time: owner.root_time.0,
    };
    app.now() < owner.expires_at && app.live.verdict(&lineage.trace(app.live.key())) == Verdict::NotRevoked
}

fn wish(client: &str, standing: Standing, owner: Option<(CredentialOwner, bool)>, asking: &Event) -> (Wish, Event) {
    match (standing, owner) {
        // Section 2.1: one revoked token ends its whole grant, whichever kind it is.
        (Standing::Own | Standing::OfAnother, Some((owner, stands))) => {
            let target = Target::Grant { grant: owner.grant.clone() };
            let order = Order::new(target.clone(), Reason::UserRequest, Initiator::Client(client.to_owned()));
            let foreign = owner.client != client;
            let order = if foreign { order.with_note(format!("of the client {}", owner.client)) } else { order };
            if !stands {
                return (Wish::End { order, stands }, asking.clone());
            }
            let known = Event { target: Some(target), grant: Some(owner.grant), user: owner.user, ..asking.clone() };
            (Wish::End { order, stands }, Event { scope: owner.scope, ..known })
        }
        // Section 2.2: an unknown token is no error, for its purpose is achieved. To a script what the client must not hear
        // about is unknown too, or the script would be the oracle that this is not.
        (Standing::Hidden, Some((owner, _))) => (Wish::Nothing(Some(owner.grant)), asking.clone()),
        (_, _) => (Wish::Nothing(None), asking.clone()),
    }
}

/// What a job has ended, and how many of the tokens were worth the asking.
#[derive(Default)]
struct Settled {
    ended: Vec<&'static str>,
    fruitful: usize,
}

/// One job, so that all of it happens or none.
async fn settle(
    app: &App,
    client: &Client,
    wishes: Vec<Wish>,
    permissions: Vec<Permission>,
    attempt: &Attempt,
) -> Result<(), ProtocolError> {
    app.pace.at("submit").await;
    let begun = Instant::now();
    let initiator = Initiator::Client(client.id.clone());
    let settled = app.submit(Lane::Ending, move |door| fulfil(door, wishes, &permissions, initiator)).await?;
    // Whoever ends something has not been guessing.
    app.fruitless_revocations.give_back_some(attempt, settled.fruitful);
    if !settled.ended.is_empty() {
        app.telemetry.revoke_seconds.record(begun.elapsed());
    }
    for target in settled.ended {
        app.telemetry.count("rescind_revocations_total", &[("target", target), ("reason", "user_request")]);
    }
    Ok(())
}

fn fulfil(
    door: &mut Door<'_>,
    wishes: Vec<Wish>,
    permissions: &[Permission],
    initiator: Initiator,
) -> Result<Settled, LedgerError> {
    let (mut settled, mut ordered, mut nothing) = (Settled::default(), Vec::new(), Vec::new());
    for (wish, permission) in wishes.into_iter().zip(permissions) {
        permission.record(door)?;
        let (order, stands) = match wish {
            Wish::End { order, stands } => (permission.order(order), stands),
            Wish::Nothing(grant) => {
                nothing.push(grant);
                continue;
            }
        };
        // Tokens of one grant, or of one user to whom a script has widened them, are one order.
        if ordered.contains(&order.target) {
            continue;
        }
        if door.end(&order)?.fresh {
            settled.ended.push(kind(&order.target));
            settled.fruitful += usize::from(stands);
        }
        ordered.push(order.target);
    }
    if !nothing.is_empty() {
        door.record(&fruitless(nothing, initiator))?;
    }
    Ok(settled)
}

fn kind(target: &Target) -> &'static str {
    match target {
        Target::Client { .. } => "client",
        Target::Subject { .. } => "user",
        _ => "grant",
    }
}

/// One record for all tokens of a call that ended nothing, however many there were.
fn fruitless(nothing: Vec<Option<String>>, initiator: Initiator) -> AuditEvent {
    let tokens = nothing.len();
    let mut foreign: Vec<String> = nothing.into_iter().flatten().collect();
    let outcome = if foreign.is_empty() { "unknown_token" } else { "foreign_token" };
    let note = (tokens > 1).then(|| format!("{tokens} tokens, {} of other clients", foreign.len()));
    let target = foreign.pop().filter(|_| tokens == 1).map(|grant| Target::Grant { grant });
    let event = AuditEvent::new(Action::Order, Some(initiator), outcome).about("POST /revoke");
    AuditEvent { target, note, reason: Some(Reason::UserRequest), ..event }
}

pub(super) fn describe(it: Description) -> Description {
    let form = object().with("token", name()).may("token_type_hint", text());
    it.says("`token` may name several, with spaces between them: all of them are revoked, or none.")
        .form(client_auth::form(form))
        .gives_nothing(200)
        .refuses(&[400, 401, 403, 429])
}
