//! `POST /revoke_session`: a client that was given the scope for it ends the sessions of a user, named by an attribute. As
//! Janssen has it, save that everybody is meant whom the attribute names, not the first who comes.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rescind_ledger::{Client, Door, EndingOfSessions, Initiator, Lane, LedgerError, Order, Reason, Target, User};

use crate::{
    app::App,
    protocol::{
        error::{ProtocolError, empty},
        form::{Form, read_form},
        privileged::{self, REVOKE_SESSION},
        user_attribute::{Attribute, VALUE_LIMIT},
    },
};

/// The endpoint. A user whom nobody knows, and one without sessions, are no errors: nobody can find out here who exists.
pub async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    match carry_out(&app, request).await {
        Ok(()) => empty(StatusCode::OK),
        Err(why) => {
            let labels = [("endpoint", "revoke_session"), ("error", why.code())];
            app.telemetry.count("rescind_requests_refused_total", &labels);
            why.into_response()
        }
    }
}

async fn carry_out(app: &App, request: Request) -> Result<(), ProtocolError> {
    let (parts, form) = read_form(request, app.config.limits.body_bytes).await?;
    let caller = privileged::authorize(app, &parts, &form, REVOKE_SESSION).await?;
    let users = Criterion::read(&form)?.users(app).await?;
    end(app, users, &caller).await
}

/// Who is meant.
struct Criterion<'a> {
    attribute: Attribute,
    value: &'a str,
}

impl<'a> Criterion<'a> {
    fn read(form: &'a Form) -> Result<Self, ProtocolError> {
        let attribute = Attribute::find(form.load("user_criterion_key")?).ok_or_else(|| {
            let names = Attribute::names();
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
#[derive(Clone, Copy)]
enum Breadth {
    /// The sessions, with what is bound to them. What was granted to outlive them goes on.
    Sessions,
    /// Everything: sessions, grants and tokens.
    Everything,
}

impl Breadth {
    fn label(self) -> &'static str {
        match self {
            Self::Sessions => "session",
            Self::Everything => "subject",
        }
    }
}

async fn end(app: &App, users: Vec<User>, caller: &Client) -> Result<(), ProtocolError> {
    if users.is_empty() {
        return Ok(());
    }
    let breadth = breadth(app);
    let issuer = app.config.issuer.clone();
    let initiator = Initiator::Client(caller.id.clone());
    app.pace.at("submit").await;
    let begun = Instant::now();
    // All of them or nobody: a caller that hears of an error knows that nothing has ended.
    let ending = app.queue.submit(Lane::Ending, move |door| {
        let ended = users.iter().map(|user| end_one(door, breadth, &issuer, user, &initiator));
        ended.sum::<Result<usize, LedgerError>>()
    });
    let ended = ending.await?;
    app.telemetry.revoke_seconds.record(begun.elapsed());
    for _ in 0..ended {
        let labels = [("target", breadth.label()), ("reason", Reason::UserRequest.code())];
        app.telemetry.count("rescind_revocations_total", &labels);
    }
    Ok(())
}

/// How many orders it took.
fn end_one(
    door: &mut Door<'_>,
    breadth: Breadth,
    issuer: &str,
    user: &User,
    initiator: &Initiator,
) -> Result<usize, LedgerError> {
    let (reason, initiator) = (Reason::UserRequest, initiator.clone());
    match breadth {
        Breadth::Sessions => {
            let order = EndingOfSessions { user: user.id.clone(), except: None, reason, initiator, note: None };
            door.end_sessions(&order).map(|ended| ended.len())
        }
        Breadth::Everything => {
            let target = Target::Subject { issuer: issuer.to_owned(), subject: user.id.clone() };
            door.end(&Order::new(target, reason, initiator)).map(|_| 1)
        }
    }
}

fn breadth(_app: &App) -> Breadth {
    Breadth::Sessions
}
