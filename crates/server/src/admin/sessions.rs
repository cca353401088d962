//! One session with everything there is to know of it, and the sessions of one user, counted or ended together.

use std::{collections::BTreeMap, time::Instant};

use axum::response::Response;
use rescind_ledger::{EndedSession, EndingOfSessions, Filter, Lane, Reads, Reason, Session, SessionClock, Target};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    call::{Call, ok},
    explain::{describe_all, ended_by},
    listings::{self, show_grant, show_session, with_state},
    preview::{count, counted, show_outcome},
    problem::Problem,
    revocations::{other, read_reason, reasons},
    state,
    target::load_user,
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{Shape, flag, free_object, list_of, maybe, moment, number, object, of, position, text},
    },
    protocol::mint::insert,
};

/// How many grants are looked at before others get their turn, and how many are shown.
const PAGE: u32 = 100;

/// Being shown is no activity.
pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let app = &call.app;
    let session = load_session(app, call.id()?).await?;
    let store = &app.records.store;
    let state = app.live.session_counts(&session, app.now());
    let mut shown = with_state(show_session(&session), state);
    let user = store.find_user(&session.user).await?;
    insert(&mut shown, "user_name", user.map(|user| user.user_name.into()));
    let device = match &session.device {
        Some(device) => store.find_device(device).await?,
        None => None,
    };
    insert(&mut shown, "device_name", device.map(|device| device.name.into()));
    let ends_at = state.is_ok().then(|| SessionClock::of(&session).due_at());
    insert(&mut shown, "ends_at", Some(json!(ends_at)));
    let proofs = store.authentications(&session.id).await?;
    let proofs = proofs.iter().map(|proof| json!({ "at": proof.at, "methods": proof.methods }));
    insert(&mut shown, "authentications", Some(proofs.collect()));
    let (entries, _) = session.with_lineage(&app.config.issuer, |lineage| ended_by(app, lineage));
    insert(&mut shown, "revoked_by", Some(describe_all(app, entries).await?.into()));
    let held = Held::of(app, &session.id).await?;
    insert(&mut shown, "clients", Some(held.clients(app)));
    insert(&mut shown, "more_grants", Some(held.more.into()));
    insert(&mut shown, "grants", Some(held.grants.into()));
    Ok(ok(&shown))
}

/// What [`show`] answers.
pub(super) fn shown() -> Shape {
    let proof = object().with("at", moment()).with("methods", list_of(text())).open();
    let client = object().with("id", text()).with("name", maybe(text())).with("active_grants", number()).open();
    let session = listings::session().with("state", text()).may("user_name", text()).may("device_name", text());
    let session = session.with("ends_at", maybe(moment())).with("authentications", list_of(proof));
    let session = session.with("revoked_by", list_of(free_object())).with("clients", list_of(client));
    let grant = listings::grant().with("state", text()).open();
    session.with("more_grants", flag()).with("grants", list_of(grant)).named("SessionInFull")
}

/// What a preview of several endings answers.
pub(super) fn describe_preview(it: Description) -> Description {
    let counted = counted().with("user", text()).with("except", maybe(text()));
    it.gives(200, counted.named("SessionsPreview")).refuses(&[404])
}

/// What several endings take and answer.
pub(super) fn describe_end(it: Description) -> Description {
    let ended = object().with("session", text()).with("position", position()).open();
    let ended = object()
        .with("user", text())
        .with("except", maybe(text()))
        .with("reason", text())
        .with("ended", list_of(ended));
    it.json_if_any(of::<EndForm>()).gives(200, ended.named("EndedSessions")).refuses(&[404, 409, 422])
}

/// The grants that came from a session and have not expired.
#[derive(Default)]
struct Held {
    /// How many of a client's grants are active.
    active: BTreeMap<String, u64>,
    /// The newest of them all.
    grants: Vec<Value>,
    more: bool,
}

impl Held {
    async fn of(app: &App, session: &str) -> Result<Self, Problem> {
        let filter = Filter { session: Some(session.to_owned()), live_at: Some(app.now()), ..Filter::default() };
        let (mut held, mut cursor) = (Self::default(), None);
        loop {
            let page = app.records.store.grants(&filter, cursor.as_deref(), PAGE).await?;
            let first = cursor.is_none();
            for grant in &page.items {
                let state = state::of_grant(app, grant).await?;
                *held.active.entry(grant.client.clone()).or_default() += u64::from(state.is_ok());
                if first {
                    held.grants.push(with_state(show_grant(grant), state));
                }
            }
            cursor = page.next;
            held.more |= cursor.is_some();
            if cursor.is_none() {
                return Ok(held);
            }
            tokio::task::yield_now().await;
        }
    }

    fn clients(&self, app: &App) -> Value {
        let named = |id: &str| app.live.client(id).map(|client| client.name.clone());
        self.active.iter().map(|(id, grants)| json!({ "id": id, "name": named(id), "active_grants": grants })).collect()
    }
}

/// A session as of its last activity, which may not be written down yet.
async fn load_session(app: &App, id: &str) -> Result<Session, Problem> {
    let known = app.records.find_session(id).await?.ok_or_else(|| Problem::unknown("session", id))?;
    Ok(known.current())
}

/// Some sessions of one user.
struct Several {
    user: String,
    /// The one that goes on.
    except: Option<String>,
}

impl Several {
    async fn others_of(call: &Call) -> Result<Self, Problem> {
        let session = load_session(&call.app, call.id()?).await?;
        Ok(Self { user: session.user, except: Some(session.id) })
    }

    async fn of_user(call: &Call) -> Result<Self, Problem> {
        Ok(Self { user: load_user(&call.app, call.id()?).await?.id, except: None })
    }

    async fn preview(&self, app: &App) -> Result<Response, Problem> {
        let sessions = app.records.store.live_sessions_of(&self.user).await?.into_iter();
        let others = sessions.map(|session| session.id).filter(|id| self.except.as_ref() != Some(id));
        let targets: Vec<Target> = others.map(|session| Target::Session { session }).collect();
        let mut shown = show_outcome(&count(app, &targets, None).await?);
        insert(&mut shown, "user", Some(self.user.clone().into()));
        insert(&mut shown, "except", Some(json!(self.except)));
        Ok(ok(&shown))
    }

    async fn end(self, call: &Call) -> Result<Response, Problem> {
        let form: EndForm = call.body_if_any()?;
        let (user, except) = (self.user.clone(), self.except.clone());
        let order = EndingOfSessions {
            user: self.user,
            except: self.except,
            reason: read_reason(&form.reason)?,
            initiator: call.initiator.clone(),
            note: form.note,
        };
        let reason = order.reason;
        call.app.pace.at("submit").await;
        let begun = Instant::now();
        let ended = call.app.submit(Lane::Ending, move |door| door.end_sessions(&order)).await?;
        call.app.telemetry.revoke_seconds.record(begun.elapsed());
        count_ended(&call.app, &ended, reason);
        let shown =
            ended.iter().map(|one| json!({ "session": one.session, "position": one.ended.position.to_string() }));
        let shown: Vec<Value> = shown.collect();
        Ok(ok(&json!({ "user": user, "except": except, "reason": reason, "ended": shown })))
    }
}

fn count_ended(app: &App, ended: &[EndedSession], reason: Reason) {
    for _ in ended.iter().filter(|one| one.ended.fresh) {
        app.telemetry.count("rescind_revocations_total", &[("target", "session"), ("reason", reason.code())]);
    }
}

/// Why sessions are ended.
#[derive(Deserialize, ToSchema)]
#[schema(as = EndingOfSessions, examples(json!({ "reason": "token_leaked", "note": "laptop stolen" })))]
#[serde(deny_unknown_fields)]
pub(super) struct EndForm {
    #[serde(default = "other")]
    #[schema(schema_with = reasons)]
    reason: String,
    note: Option<String>,
}

impl Default for EndForm {
    fn default() -> Self {
        Self { reason: other(), note: None }
    }
}

pub(super) async fn preview_others(call: Call) -> Result<Response, Problem> {
    Several::others_of(&call).await?.preview(&call.app).await
}

pub(super) async fn end_others(call: Call) -> Result<Response, Problem> {
    Several::others_of(&call).await?.end(&call).await
}

pub(super) async fn preview_of_user(call: Call) -> Result<Response, Problem> {
    Several::of_user(&call).await?.preview(&call.app).await
}

pub(super) async fn end_of_user(call: Call) -> Result<Response, Problem> {
    Several::of_user(&call).await?.end(&call).await
}
