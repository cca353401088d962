//! `POST /revoke_session`: a client that was given the scope for it ends the sessions of a user, named by an attribute. As
//! Janssen has it, save that everybody is meant whom the attribute names, not the first who comes.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use rescind_check::Verdict;
use rescind_ledger::{
    Client, Door, EndingOfSessions, Feature, Initiator, Lane, LedgerError, Order, Reads, Reason, Target, User,
};
use serde_json::json;

use crate::{
    app::App,
    openapi::{
        Description,
        shape::{name, object, one_of},
    },
    protocol::{
        client_auth,
        error::{ProtocolError, empty},
        feature,
        form::{Form, read_form},
        interception::permit_all,
        privileged::{self, Endpoint, REVOKE_SESSION},
        user_attribute::{Attribute, VALUE_LIMIT},
    },
    scripts::{self, Event, Permission},
};

const ENDPOINT: Endpoint = Endpoint { path: "/revoke_session", label: "revoke_session" };

/// The endpoint. A user whom nobody knows, and one without sessions, are no errors: nobody can find out here who exists.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    match carry_out(&app, request).await {
        Ok(()) => empty(StatusCode::OK),
        Err(why) => ENDPOINT.refuse(&app, why).await,
    }
}

async fn carry_out(app: &App, request: Request) -> Result<(), ProtocolError> {
    feature::require(app, Feature::RevokeSession)?;
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    let caller = privileged::authorize(app, &parts, &form, REVOKE_SESSION).await?;
    let users = Criterion::read(&form)?.users(app).await?;
    let breadth = Breadth::configured(app);
    let wishes = wishes(app, breadth, users).await?;
    let asking = Event::of(scripts::Endpoint::RevokeSession, &caller, &parts.headers);
    let about = |wish: &Wish| Event { target: wish.target.clone(), user: wish.user.clone(), ..asking.clone() };
    match permit_all(app, wishes.iter().map(about).collect()).await? {
        Some(permissions) => end(app, wishes, permissions, breadth, &caller).await,
        // As if it had been done.
        None => Ok(()),
    }
}

/// Who is meant.
struct Criterion<'a> {
    attribute: Attribute,
    value: &'a str,
}

impl<'a> Criterion<'a> {
    fn read(form: &'a Form) -> Result<Self, ProtocolError> {
        let attribute = Attribute::find(form.load("user_criterion_key")?).ok_or_else(|| {
            let names = Attribute::names().join(", ");
            ProtocolError::invalid_request(format!("`user_criterion_key` is no attribute that is known here: {names}"))
        })?;
        let value = form.load("user_criterion_value")?;
        if value.len() > VALUE_LIMIT {
            return Err(ProtocolError::invalid_request("`user_criterion_value` is longer than 1024 bytes"));
        }
        Ok(Self { attribute, value })
    }

    async fn users(&self, app: &App) -> Result<Vec<User>, ProtocolError> {
        self.attribute.users(app, self.value).await
    }
}

/// What ends of each user.
#[derive(Clone, Copy, PartialEq)]
enum Breadth {
    /// The sessions, with what is bound to them. What was granted to outlive them goes on.
    Sessions,
    /// Everything: sessions, grants and tokens.
    Everything,
}

impl Breadth {
    fn configured(app: &App) -> Self {
        if app.settings().revoke_session_ends_tokens { Self::Everything } else { Self::Sessions }
    }
}

/// One thing that is to end; nothing, for a user whom nobody knows or who has no session.
struct Wish {
    user: Option<String>,
    target: Option<Target>,
}

/// What is to end: at least one wish, so that scripts are asked about a user whom nobody knows, too.
async fn wishes(app: &App, breadth: Breadth, users: Vec<User>) -> Result<Vec<Wish>, ProtocolError> {
    let mut wishes = Vec::new();
    for user in users {
        let before = wishes.len();
        let mut add = |target| wishes.push(Wish { user: Some(user.id.clone()), target });
        if breadth == Breadth::Everything {
            add(Some(Target::Subject { issuer: app.config.issuer.clone(), subject: user.id.clone() }));
            continue;
        }
        for session in app.records.store.live_sessions_of(&user.id).await? {
            let trace = session.trace(app.live.issuer(), app.live.key());
            if app.live.verdict(&trace) == Verdict::NotRevoked {
                add(Some(Target::Session { session: session.id }));
            }
        }
        if wishes.len() == before {
            wishes.push(Wish { user: Some(user.id), target: None });
        }
    }
    if wishes.is_empty() {
        wishes.push(Wish { user: None, target: None });
    }
    Ok(wishes)
}

/// All of them or nobody: a caller that hears of an error knows that nothing has ended. Where there is nothing to end, that is
/// written down, so that this takes as long as anything else.
async fn end(
    app: &App,
    wishes: Vec<Wish>,
    permissions: Vec<Permission>,
    breadth: Breadth,
    caller: &Client,
) -> Result<(), ProtocolError> {
    let initiator = Initiator::Client(caller.id.clone());
    let fruitless = ENDPOINT.fruitless(caller, "nothing_to_end");
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ending = app.submit(Lane::Ending, move |door| {
        let (mut ended, mut ordered) = (Vec::new(), Vec::new());
        for (wish, permission) in wishes.iter().zip(&permissions) {
            permission.record(door)?;
            let Some(target) = wish.target.clone() else { continue };
            let order = permission.order(Order::new(target, Reason::UserRequest, initiator.clone()));
            // Several sessions that scripts have widened to their user are one user.
            if !ordered.contains(&order.target) {
                ended.extend(door.end(&order)?.fresh.then_some(kind(&order.target)));
                ordered.push(order.target);
            }
        }
        if breadth == Breadth::Sessions {
            ended.extend(end_the_rest(door, &wishes, &initiator)?);
        }
        if ended.is_empty() {
            door.record(&fruitless)?;
        }
        Ok(ended)
    });
    let ended = ending.await?;
    app.telemetry.revoke_seconds.record(begun.elapsed());
    for kind in ended {
        let labels = [("target", kind), ("reason", Reason::UserRequest.code())];
        app.telemetry.count("rescind_revocations_total", &labels);
    }
    Ok(())
}

fn kind(target: &Target) -> &'static str {
    if matches!(target, Target::Subject { .. }) { "subject" } else { "session" }
}

/// Sessions that began since they were listed. No script was asked about them by name, but each about their user.
fn end_the_rest(door: &mut Door<'_>, wishes: &[Wish], initiator: &Initiator) -> Result<Vec<&'static str>, LedgerError> {
    let mut users: Vec<&String> = wishes.iter().filter_map(|wish| wish.user.as_ref()).collect();
    users.dedup();
    let mut ended = Vec::new();
    for user in users {
        let (reason, initiator) = (Reason::UserRequest, initiator.clone());
        let order = EndingOfSessions { user: user.clone(), except: None, reason, initiator, note: None };
        ended.extend(door.end_sessions(&order)?.iter().map(|_| "session"));
    }
    Ok(ended)
}

pub(super) fn describe(it: Description) -> Description {
    let form = object().with("user_criterion_key", one_of(&Attribute::names())).with("user_criterion_value", name());
    it.says("Needs the scope `revoke_session`. A user whom nobody knows is no error.")
        .form(client_auth::form(
            form.for_example(json!({ "user_criterion_key": "uid", "user_criterion_value": "ada" })),
        ))
        .gives_nothing(200)
        .refuses(&[400, 401, 403])
}
