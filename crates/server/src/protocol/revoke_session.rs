//! `POST /revoke_session`: a client that was given the scope for it ends the sessions of a user, named by an attribute. As
//! Janssen has it, save that everybody is meant whom the attribute names, not the first who comes.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use rescind_ledger::{
    Client, Door, EndingOfSessions, Feature, Initiator, Lane, LedgerError, Order, Reason, Target, User,
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
    let asking = Event::of(scripts::Endpoint::RevokeSession, &caller, &parts.headers);
    let about = |user: &User| Event {
        target: Some(everything_of(app, user)),
        only_sessions: breadth == Breadth::Sessions,
        user: Some(user.id.clone()),
        ..asking.clone()
    };
    let mut events: Vec<Event> = users.iter().map(about).collect();
    if events.is_empty() {
        // Scripts are asked about a user whom nobody knows, too.
        events.push(asking.clone());
    }
    match permit_all(app, events).await? {
        Some(permissions) => end(app, users, permissions, breadth, &caller).await,
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

fn everything_of(app: &App, user: &User) -> Target {
    Target::Subject { issuer: app.config.issuer.clone(), subject: user.id.clone() }
}

/// All of them or nobody: a caller that hears of an error knows that nothing has ended. Where there is nothing to end, that is
/// written down, so that this takes as long as anything else.
async fn end(
    app: &App,
    users: Vec<User>,
    permissions: Vec<Permission>,
    breadth: Breadth,
    caller: &Client,
) -> Result<(), ProtocolError> {
    let initiator = Initiator::Client(caller.id.clone());
    let fruitless = ENDPOINT.fruitless(caller, "nothing_to_end");
    let targets: Vec<Target> = users.iter().map(|user| everything_of(app, user)).collect();
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ending = app.submit(Lane::Ending, move |door| {
        permissions.iter().try_for_each(|permission| permission.record(door))?;
        let mut ended = Vec::new();
        for ((user, target), permission) in users.iter().zip(targets).zip(&permissions) {
            // A script may want the user to lose everything.
            if breadth == Breadth::Everything || permission.breadth() == Some(scripts::Breadth::User) {
                let order = permission.order(Order::new(target, Reason::UserRequest, initiator.clone()));
                ended.extend(door.end(&order)?.fresh.then_some("subject"));
            } else {
                ended.extend(end_sessions(door, user, permission, &initiator)?);
            }
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

/// As they stand in this transaction.
fn end_sessions(
    door: &mut Door<'_>,
    user: &User,
    permission: &Permission,
    initiator: &Initiator,
) -> Result<Vec<&'static str>, LedgerError> {
    let order = EndingOfSessions {
        user: user.id.clone(),
        except: None,
        reason: Reason::UserRequest,
        initiator: initiator.clone(),
        note: permission.note().map(str::to_owned),
    };
    Ok(door.end_sessions(&order)?.iter().map(|_| "session").collect())
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
