//! What a revocation would end, counted record by record with the verdict itself. Nothing is written.

use std::collections::{BTreeMap, HashSet};

use axum::response::Response;
use rescind_check::Trace;
use rescind_ledger::{Filter, Position, Reads, Target, Timestamp, check_condition};
use serde_json::{Value, json};

use super::{
    aim::Aim,
    call::{Call, ok},
    guard, moment,
    problem::Problem,
    state,
    target::{self, KINDS, Named, PARAMETERS, reach},
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{self, Members, list_of, maybe, name, number, object, one_of, position, text},
    },
    protocol::mint::insert,
};

/// How many records are looked at before others get their turn.
const PAGE: u32 = 1000;

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let query = call.query(&[PARAMETERS.as_slice(), &["before"]].concat())?;
    let before = query.find("before").map(|text| moment::read("before", text)).transpose()?;
    let target = Named::of(query)?.resolve(&call.app).await?;
    check_condition(&target, before, call.app.now())?;
    let mut count = Count::new(&call.app);
    count.before = before;
    count.add(&call.app, &target).await?;
    let mut shown = count.show();
    insert(&mut shown, "target", Some(json!(target)));
    insert(&mut shown, "before", Some(json!(before)));
    insert(&mut shown, "guard", Some(guard::shown_for(&call.app, &target, before).await?));
    Ok(ok(&shown))
}

/// What [`Count::show`] writes.
pub(super) fn counted() -> Members {
    let by = |name: &str| list_of(object().with(name, text()).with("access_tokens", number()).open());
    let counted = object().with("position", position()).with("users", number()).with("sessions", number());
    let counted = counted.with("grants", number()).with("access_tokens", number());
    counted.with("by_client", by("client")).with("by_api", by("api"))
}

pub(super) fn describe(it: Description) -> Description {
    let it = it
        .needs_query("kind", one_of(&KINDS.map(|(kind, _)| kind)), "What kind of target is meant.")
        .such_as("everything");
    let about = "Which one, where the kind takes it.";
    let it = PARAMETERS.into_iter().skip(1).fold(it, |it, member| it.query(member, name(), about));
    let it = it.query("before", moment::written(), "Only what was issued before this time.");
    let counted = counted().with("target", target::shown()).with("before", maybe(shape::moment()));
    it.gives(200, counted.with("guard", guard::shown()).named("Preview")).refuses(&[404, 422])
}

/// What was counted so far.
pub(super) struct Count {
    /// The entry that the order would write if it came now.
    at: Position,
    /// The condition of the order.
    before: Option<Timestamp>,
    /// What is being counted for.
    aim: Option<Aim>,
    users: HashSet<String>,
    sessions: u64,
    grants: u64,
    tokens: u64,
    by_client: BTreeMap<String, u64>,
    by_api: BTreeMap<String, u64>,
}

impl Count {
    pub(super) fn new(app: &App) -> Self {
        Self {
            at: app.live.head().next(),
            before: None,
            aim: None,
            users: HashSet::new(),
            sessions: 0,
            grants: 0,
            tokens: 0,
            by_client: BTreeMap::new(),
            by_api: BTreeMap::new(),
        }
    }

    /// Counts what an order for a target would end. Of several targets, no two may reach the same record.
    pub(super) async fn add(&mut self, app: &App, target: &Target) -> Result<(), Problem> {
        self.aim = Some(Aim::new(target, self.before, self.at, app.live.key()));
        let filter = Filter { live_at: Some(app.now()), ..reach(target) };
        self.sessions(app, &filter).await?;
        self.grants(app, &filter).await?;
        self.tokens(app, &filter).await
    }

    fn would_end(&self, trace: &Trace) -> bool {
        self.aim.as_ref().is_some_and(|aim| aim.hits(trace))
    }

    async fn sessions(&mut self, app: &App, filter: &Filter) -> Result<(), Problem> {
        let mut cursor = None;
        loop {
            let page = app.records.store.sessions(filter, cursor.as_deref(), PAGE).await?;
            for session in &page.items {
                let hit = self.would_end(&session.trace(app.live.issuer(), app.live.key()));
                if hit && state::of_session(app, session).await?.is_ok() {
                    self.sessions += 1;
                    self.user(Some(&session.user));
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn grants(&mut self, app: &App, filter: &Filter) -> Result<(), Problem> {
        let mut cursor = None;
        loop {
            let page = app.records.store.grants(filter, cursor.as_deref(), PAGE).await?;
            for grant in &page.items {
                let hit = self.would_end(&grant.trace(app.live.issuer(), app.live.key()));
                if hit && state::of_grant(app, grant).await?.is_ok() {
                    self.grants += 1;
                    self.user(grant.user.as_ref());
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    async fn tokens(&mut self, app: &App, filter: &Filter) -> Result<(), Problem> {
        let mut cursor = None;
        loop {
            let page = app.records.store.access_tokens(filter, cursor.as_deref(), PAGE).await?;
            for token in &page.items {
                let hit = self.would_end(&token.trace(app.live.issuer(), app.live.key()));
                if !hit || state::of_token(app, token).await?.is_err() {
                    continue;
                }
                self.tokens += 1;
                self.user(token.user.as_ref());
                add(&mut self.by_client, &token.client);
                for audience in &token.audiences {
                    add(&mut self.by_api, audience);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    fn user(&mut self, user: Option<&String>) {
        if let Some(user) = user
            && !self.users.contains(user)
        {
            self.users.insert(user.clone());
        }
    }

    pub(super) fn show(&self) -> Value {
        let list = |counts: &BTreeMap<String, u64>, name: &str| {
            counts.iter().map(|(one, count)| json!({ name: one, "access_tokens": count })).collect::<Vec<_>>()
        };
        json!({
            "position": self.at.to_string(),
            "users": self.users.len(),
            "sessions": self.sessions,
            "grants": self.grants,
            "access_tokens": self.tokens,
            "by_client": list(&self.by_client, "client"),
            "by_api": list(&self.by_api, "api"),
        })
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
