//! One session by its reference identifier: what there is to say of it, more time for it, its end.

use axum::{http::StatusCode, response::Response};
use rescind_ledger::{Client, Timestamp};
use serde::Serialize;

use super::{
    answer::{Refusal, found},
    caller::Received,
    revoked_sris::{self, well_formed},
    standing::{Standing, timed_out},
};
use crate::{app::App, protocol::error::empty, records::KnownSession, touch::touch};

/// A session and what it holds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    id: &'a str,
    status: &'static str,
    authn_sessions: Vec<AuthnSession>,
}

/// What one authentication source vouched for in a session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthnSession {
    id: String,
    authn_source: AuthnSource,
    creation_time: String,
    last_activity_time: String,
    /// The moment at which it ends if nothing more happens in it.
    idle_timeout: String,
    /// The moment at which it ends in any case.
    max_timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

#[derive(Serialize)]
struct AuthnSource {
    /// PingFederate's word for what signs users in by itself.
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
}

impl AuthnSession {
    /// What there is to say of a session under some id.
    pub(super) fn of(session: &KnownSession, id: String) -> Result<Self, Refusal> {
        let (record, clock) = (&session.record, session.clock());
        Ok(Self {
            id,
            authn_source: AuthnSource { kind: "IDP_ADAPTER", id: record.source.clone() },
            creation_time: moment(record.started_at)?,
            last_activity_time: moment(clock.touched_at)?,
            idle_timeout: moment(clock.due_at())?,
            max_timeout: moment(clock.expires_at)?,
            ip_address: record.ip.clone(),
            user_agent: record.user_agent.clone(),
        })
    }
}

/// RFC 3339 in UTC, with milliseconds.
fn moment(at: Timestamp) -> Result<String, Refusal> {
    let moment = jiff::Timestamp::from_millisecond(at.0).map_err(|why| {
        tracing::error!(error = %why, "a session's time is none");
        Refusal::server_error()
    })?;
    Ok(format!("{moment:.3}"))
}

/// The one authentication session that a session has: the source it began at. Proving oneself again, at the same source,
/// makes no other.
fn authn_session_id(session: &KnownSession) -> String {
    format!("{}.{}", session.record.id, session.record.source)
}

fn shown(id: &str, standing: &Standing) -> Result<Response, Refusal> {
    let (status, authn_sessions) = match standing {
        Standing::Runs(session) => ("HAS_VALID_SESSIONS", vec![AuthnSession::of(session, authn_session_id(session))?]),
        Standing::Revoked => ("SESSION_REVOKED", Vec::new()),
        Standing::Over => ("NO_VALID_SESSIONS", Vec::new()),
    };
    found(&Shown { id, status, authn_sessions })
}

/// `GET /sessions/{sri}`. Looking is no activity.
pub(super) async fn show(app: &App, received: &Received) -> Result<Response, Refusal> {
    let id = well_formed(received.name(0)?)?;
    shown(id, &standing_of(app, id, app.now()).await?)
}

/// How a session stands, where one whose time ran out is over, though it is on the list as well.
async fn standing_of(app: &App, id: &str, now: Timestamp) -> Result<Standing, Refusal> {
    match Standing::of(app, id, now).await? {
        Standing::Revoked if timed_out(app, id).await? => Ok(Standing::Over),
        standing => Ok(standing),
    }
}

/// `POST /sessions/{sri}/extend`: the idle time begins anew. What is revoked, over or unknown stays what it is, and the
/// answer says so.
pub(super) async fn extend(app: &App, received: &Received) -> Result<Response, Refusal> {
    let id = well_formed(received.name(0)?)?;
    let now = app.now();
    let standing = standing_of(app, id, now).await?;
    if let Standing::Runs(session) = &standing {
        touch(app, session, now).await;
    }
    shown(id, &standing)
}

/// `POST /sessions/{sri}/revoke`: the session is on the list from now on.
pub(super) async fn revoke(app: &App, client: &Client, received: &Received) -> Result<Response, Refusal> {
    let id = well_formed(received.name(0)?)?;
    revoked_sris::revoke(app, client, id).await?;
    shown(id, &Standing::Revoked)
}

/// `DELETE /sessions/{sri}/authnSessions/{id}`. A session without any authentication session is none: with its last one it
/// ends.
pub(super) async fn delete_authn_session(app: &App, client: &Client, received: &Received) -> Result<Response, Refusal> {
    let id = well_formed(received.name(0)?)?;
    let named = received.name(1)?;
    match Standing::of(app, id, app.now()).await? {
        Standing::Runs(session) if authn_session_id(&session) == named => {
            revoked_sris::revoke(app, client, id).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Refusal::no_authn_session()),
    }
}
