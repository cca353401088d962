//! Guards: before a person, a script or a machine ends the access of many, they say which, and if so set another
//! administrator agrees (`docs/adr/0028-guards.md`). The rule is the ledger's; here its reach is counted.

use std::collections::HashSet;

use rescind_check::Trace;
use rescind_ledger::{
    Extent, Filter, Grant, Guard, Initiator, Lane, Need, Order, Placement, Reads, StoreError, Target, Timestamp,
    Verdict, phrase,
};
use serde_json::{Value, json};

use super::{
    aim::Aim,
    call::{Call, Query},
    problem::Problem,
    target::reach,
};
use crate::{
    app::App,
    clock::fresh_id,
    openapi::{
        Description,
        shape::{Shape, flag, maybe, name, object, text},
    },
};

/// By which a change of configuration is confirmed.
pub(super) const PARAMETERS: [&str; 2] = ["confirm", "break_glass"];

/// How many records are looked at before others get their turn, and how many at most: if that does not tell, it is too many.
const PAGE: u32 = 500;
const MOST_PAGES: u32 = 200;
/// How many live sessions are counted at most: of everything, all of them end.
const MOST_SESSIONS: u32 = 100_000;

/// What a guard found about an order.
pub(super) struct Found {
    guard: Guard,
    need: Need,
    extent: Extent,
}

/// Counts what an order would reach, as far as the guard wants to know.
pub(super) async fn look(app: &App, target: &Target, before: Option<Timestamp>) -> Result<Found, Problem> {
    let guard = Guard::of(&app.settings());
    if !guard.asks_about(target) {
        return Ok(Found { guard, need: Need::Nothing, extent: Extent::NONE });
    }
    let extent = Census::of(app, guard, target, before).count().await?;
    Ok(Found { guard, need: guard.need(&extent), extent })
}

/// The same for users who are named one by one.
pub(super) fn look_at_users(app: &App, users: usize) -> Found {
    let (guard, extent) = (Guard::of(&app.settings()), Extent::of_users(users));
    Found { guard, need: guard.need(&extent), extent }
}

/// What a preview says of the guard: the phrase that the order needs, and whether another administrator has to approve.
pub(super) async fn shown_for(app: &App, target: &Target, before: Option<Timestamp>) -> Result<Value, Problem> {
    let found = look(app, target, before).await?;
    let confirm = (found.need > Need::Nothing).then(|| phrase("revoke", target));
    Ok(json!({ "confirm": confirm, "approval": found.need == Need::Approval }))
}

/// What [`shown_for`] writes.
pub(super) fn shown() -> Shape {
    object().with("confirm", maybe(text())).with("approval", flag()).open()
}

/// Says which parameters a guarded change takes.
pub(super) fn parameters(it: Description) -> Description {
    let it = it.query("confirm", name(), "The phrase that a change of great reach has to be confirmed with.");
    it.query("break_glass", name(), "Why no second administrator is waited for.")
}

impl Found {
    pub(super) fn parts(&self) -> (Guard, Need) {
        (self.guard, self.need)
    }

    /// Fails unless what had to be typed was typed. A phrase that names something else is refused even if none was needed:
    /// whoever sent it means another order.
    pub(super) fn confirmed(
        &self,
        verb: &str,
        what: &impl std::fmt::Display,
        given: Option<&str>,
    ) -> Result<(), Problem> {
        let phrase = phrase(verb, what);
        let fits = given.map_or(self.need == Need::Nothing, |given| given == phrase);
        if fits { Ok(()) } else { Err(Problem::confirmation_required(&phrase, self.show())) }
    }

    fn show(&self) -> Value {
        let Extent { users, sessions, complete, .. } = self.extent;
        json!({ "users": users, "sessions": sessions, "exact": complete, "approval": self.need == Need::Approval })
    }

    /// The order as it is given to the door.
    pub(super) fn placement(&self, order: Order, at: Option<Timestamp>, break_glass: Option<String>) -> Placement {
        Placement { order, at, need: self.need, guard: self.guard, break_glass, id: fresh_id("p_") }
    }
}

/// Fails unless a change of configuration that ends everything of a target may be made: confirmed in the query, and if a
/// second administrator is called for, either approved as a revocation before, after which nothing is left to reach, or with
/// the glass broken.
pub(super) async fn allow_change(call: &Call, query: Query<'_>, verb: &str, target: &Target) -> Result<(), Problem> {
    let found = look(&call.app, target, None).await?;
    found.confirmed(verb, target, query.find("confirm"))?;
    let why = query.find("break_glass").map(str::to_owned);
    if found.need == Need::Approval && why.is_none() {
        return Err(Problem::approval_required(found.show()));
    }
    if let Some(why) = why {
        let (by, what, reason) = (call.initiator.clone(), phrase(verb, target), why.clone());
        call.app.submit(Lane::Ending, move |door| door.break_glass(&reason, &by, &what)).await?;
        tell_broken_glass(&call.app, &call.initiator, &why);
    }
    Ok(())
}

/// Says loudly that somebody did not wait for another administrator; the audit trail says it as well.
pub(super) fn tell_broken_glass(app: &App, by: &Initiator, why: &str) {
    tracing::warn!(%by, reason = ?why, "break-glass: a second administrator was not waited for");
    app.telemetry.glass_broken.increment(1);
}

/// Counting for a guard: record by record with the verdict itself, and no further than it takes to know.
struct Census<'a> {
    app: &'a App,
    guard: Guard,
    target: &'a Target,
    aim: Aim,
    /// Whether it ends only what was issued before a time.
    conditioned: bool,
    users: HashSet<String>,
    sessions: u64,
    pages: u32,
}

impl<'a> Census<'a> {
    fn of(app: &'a App, guard: Guard, target: &'a Target, before: Option<Timestamp>) -> Self {
        let aim = Aim::new(target, before, app.live.head().next(), app.live.key());
        Self { app, guard, target, aim, conditioned: before.is_some(), users: HashSet::new(), sessions: 0, pages: 0 }
    }

    async fn count(mut self) -> Result<Extent, Problem> {
        // An audience has no index of its own: whether a grant is for it is seen in the grant.
        let filter = Filter { audience: None, live_at: Some(self.app.now()), ..reach(self.target) };
        let ends_sessions = matches!(self.target, Target::Device { .. } | Target::Everything);
        let mut complete = true;
        if ends_sessions {
            complete &= self.walk_sessions(&filter).await?;
        }
        complete &= match self.target {
            Target::Key { .. } => self.walk_tokens(&filter).await?,
            _ => self.walk_grants(&filter).await?,
        };
        let mut extent = self.extent(complete);
        if self.guard.sessions_percent > 0 && ends_sessions {
            self.share(&mut extent).await?;
        }
        Ok(extent)
    }

    fn extent(&self, complete: bool) -> Extent {
        let users = u64::try_from(self.users.len()).unwrap_or(u64::MAX);
        Extent { users, sessions: self.sessions, all_sessions: self.sessions, complete }
    }

    /// Of all live sessions, counted as far as the share needs it.
    async fn share(&self, extent: &mut Extent) -> Result<(), Problem> {
        let store = &self.app.records.store;
        if *self.target == Target::Everything && !self.conditioned {
            extent.sessions = store.live_sessions(MOST_SESSIONS).await?.into();
            extent.all_sessions = extent.sessions;
            return Ok(());
        }
        let most = extent.sessions.saturating_mul(100) / u64::from(self.guard.sessions_percent) + 1;
        extent.all_sessions = store.live_sessions(u32::try_from(most).unwrap_or(u32::MAX)).await?.into();
        Ok(())
    }

    /// Whether the order would end what has this lineage, and nothing has ended it yet.
    fn would_end(&self, trace: &Trace) -> bool {
        self.aim.hits(trace) && self.app.live.verdict(trace) == Verdict::NotRevoked
    }

    fn note(&mut self, user: Option<&String>) {
        if let Some(user) = user.filter(|user| !self.users.contains(*user)) {
            self.users.insert(user.clone());
        }
    }

    /// Whether the number of users tells enough.
    fn is_enough(&self) -> bool {
        self.guard.users > 0 && self.users.len() > usize::try_from(self.guard.users).unwrap_or(usize::MAX)
    }

    /// After a page: `Some` if it was the last to be looked at, with whether there was no more.
    async fn turn(&mut self, is_last: bool) -> Option<bool> {
        self.pages += 1;
        if is_last || self.is_enough() || self.pages >= MOST_PAGES {
            return Some(is_last);
        }
        tokio::task::yield_now().await;
        None
    }

    async fn walk_sessions(&mut self, filter: &Filter) -> Result<bool, StoreError> {
        let mut cursor = None;
        loop {
            let page = self.app.records.store.sessions(filter, cursor.as_deref(), PAGE).await?;
            for session in &page.items {
                if self.would_end(&session.trace(self.app.live.issuer(), self.app.live.key())) {
                    self.sessions += 1;
                    self.note(Some(&session.user));
                }
            }
            cursor = page.next;
            if let Some(complete) = self.turn(cursor.is_none()).await {
                return Ok(complete);
            }
        }
    }

    async fn walk_grants(&mut self, filter: &Filter) -> Result<bool, StoreError> {
        let mut cursor = None;
        loop {
            let page = self.app.records.store.grants(filter, cursor.as_deref(), PAGE).await?;
            for grant in &page.items {
                if self.lineage(grant).is_some_and(|trace| self.would_end(&trace)) {
                    self.note(grant.user.as_ref());
                }
            }
            cursor = page.next;
            if let Some(complete) = self.turn(cursor.is_none()).await {
                return Ok(complete);
            }
        }
    }

    /// What may end a grant, as far as this order is concerned: for an API, what it holds for that one.
    fn lineage(&self, grant: &Grant) -> Option<Trace> {
        let (issuer, key) = (self.app.live.issuer(), self.app.live.key());
        match self.target {
            Target::Audience { audience } | Target::ClientAudience { audience, .. } => {
                grant.audiences.contains(audience).then(|| grant.trace_for(audience, issuer, key))
            }
            _ => Some(grant.trace(issuer, key)),
        }
    }

    async fn walk_tokens(&mut self, filter: &Filter) -> Result<bool, StoreError> {
        let mut cursor = None;
        loop {
            let page = self.app.records.store.access_tokens(filter, cursor.as_deref(), PAGE).await?;
            for token in &page.items {
                if self.would_end(&token.trace(self.app.live.issuer(), self.app.live.key())) {
                    self.note(token.user.as_ref());
                }
            }
            cursor = page.next;
            if let Some(complete) = self.turn(cursor.is_none()).await {
                return Ok(complete);
            }
        }
    }
}
