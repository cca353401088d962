//! Lists of what was issued, each record with its present state and, if it ended, why.

use std::collections::HashMap;

use axum::response::Response;
use rescind_ledger::{AccessToken, Filter, Grant, Issuance, Page, Reads, Session, StoreError};
use serde_json::{Value, json};

use super::{
    apis,
    call::{Call, Query, ok},
    ended::{self, Endings},
    names,
    problem::Problem,
    state::{self, State},
    target::{load_device, load_user},
};
use crate::{
    app::App,
    openapi::{
        Description,
        shape::{Members, flag, list_of, maybe, moment, name, number, object, one_of, page_of, position, text},
    },
    protocol::mint::insert,
};

const PARAMETERS: [&str; 12] =
    ["user", "client", "api", "session", "grant", "device", "token", "live", "state", "sort", "cursor", "limit"];

/// How many records are looked at for one page. Where a filter by state lets few of them through, the page is short.
const LOOKED_AT: usize = 5000;

/// What was issued and can be listed.
pub(super) trait Record: Sized + Send + Sync {
    /// What it can be sorted by.
    const MADE_AT: &'static str;
    fn page(
        app: &App,
        filter: &Filter,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<Self>, StoreError>> + Send;
    fn state(&self, app: &App) -> impl Future<Output = Result<State, StoreError>> + Send;
    /// Why it ended.
    fn ended(&self, endings: &mut Endings<'_>) -> impl Future<Output = Result<Value, Problem>> + Send;
    /// Its grant, if it has one.
    fn grant(&self) -> Option<&str>;
    fn show(&self, app: &App, issuance: Option<&Issuance>) -> Value;
}

impl Record for Session {
    const MADE_AT: &'static str = "started_at";

    /// As of their last activity, which may not be written down yet.
    async fn page(app: &App, filter: &Filter, cursor: Option<&str>, limit: u32) -> Result<Page<Self>, StoreError> {
        let mut page = app.records.store.sessions(filter, cursor, limit).await?;
        for session in &mut page.items {
            session.touched_at = app.records.clock_over(session).touched_at;
        }
        Ok(page)
    }

    async fn state(&self, app: &App) -> Result<State, StoreError> {
        Ok(app.live.session_counts(self, app.now()))
    }

    async fn ended(&self, endings: &mut Endings<'_>) -> Result<Value, Problem> {
        let found = self.with_lineage(endings.issuer(), |lineage| endings.find(lineage));
        endings.show(found, self.expires_at).await
    }

    fn grant(&self) -> Option<&str> {
        None
    }

    fn show(&self, _: &App, _: Option<&Issuance>) -> Value {
        show_session(self)
    }
}

impl Record for Grant {
    const MADE_AT: &'static str = "issued_at";

    async fn page(app: &App, filter: &Filter, cursor: Option<&str>, limit: u32) -> Result<Page<Self>, StoreError> {
        app.records.store.grants(filter, cursor, limit).await
    }

    async fn state(&self, app: &App) -> Result<State, StoreError> {
        state::of_grant(app, self).await
    }

    async fn ended(&self, endings: &mut Endings<'_>) -> Result<Value, Problem> {
        let found = self.with_lineage(endings.issuer(), &[], |lineage| endings.find(lineage));
        endings.show(found, self.expires_at).await
    }

    fn grant(&self) -> Option<&str> {
        Some(&self.id)
    }

    fn show(&self, app: &App, issuance: Option<&Issuance>) -> Value {
        let mut shown = show_grant(self);
        insert(&mut shown, "kind", Some(kind(app, &self.audiences, issuance).into()));
        insert(&mut shown, "last_issued_at", Some(json!(issuance.map_or(self.issued_at, |issuance| issuance.last))));
        shown
    }
}

impl Record for AccessToken {
    const MADE_AT: &'static str = "issued_at";

    async fn page(app: &App, filter: &Filter, cursor: Option<&str>, limit: u32) -> Result<Page<Self>, StoreError> {
        app.records.store.access_tokens(filter, cursor, limit).await
    }

    async fn state(&self, app: &App) -> Result<State, StoreError> {
        state::of_token(app, self).await
    }

    async fn ended(&self, endings: &mut Endings<'_>) -> Result<Value, Problem> {
        let found = self.with_lineage(endings.issuer(), |lineage| endings.find(lineage));
        endings.show(found, self.expires_at).await
    }

    fn grant(&self) -> Option<&str> {
        Some(&self.grant)
    }

    fn show(&self, app: &App, issuance: Option<&Issuance>) -> Value {
        let mut shown = show_token(self);
        let issued = |of: fn(&Issuance) -> _| issuance.map_or(self.issued_at, of);
        insert(&mut shown, "kind", Some(kind(app, &self.audiences, issuance).into()));
        insert(&mut shown, "first_issued_at", Some(json!(issued(|issuance| issuance.first))));
        insert(&mut shown, "last_issued_at", Some(json!(issued(|issuance| issuance.last))));
        shown
    }
}

/// The kinds of tokens, as people tell them apart.
const KINDS: [&str; 3] = ["userinfo", "access", "access_and_refresh"];

fn kind(app: &App, audiences: &[String], issuance: Option<&Issuance>) -> &'static str {
    let [userinfo, access, access_and_refresh] = KINDS;
    if audiences == [app.config.issuer.as_str()] {
        userinfo
    } else if issuance.is_some_and(|issuance| issuance.refresh) {
        access_and_refresh
    } else {
        access
    }
}

/// Reads a listing's filters. `live`, which is the default, leaves out what has expired.
async fn filter(app: &App, query: Query<'_>, made_at: &'static str) -> Result<Filter, Problem> {
    let own = |name: &str| query.find(name).map(str::to_owned);
    let user = match query.find("user") {
        Some(user) => Some(load_user(app, user).await?.id),
        None => None,
    };
    let device = match query.find("device") {
        Some(device) => Some(load_device(app, device).await?.id),
        None => None,
    };
    Ok(Filter {
        user,
        client: own("client"),
        audience: own("api"),
        session: own("session"),
        grant: own("grant"),
        device,
        token: own("token"),
        live_at: query.flag("live", true)?.then(|| app.now()),
        oldest_first: !query.sort(&[made_at], (0, true))?.1,
    })
}

/// Of which state records are asked for.
const STATES: [&str; 2] = ["active", "ended"];

/// Whether active ones are asked for, or those that are not, or both.
fn wanted_state(query: Query<'_>) -> Result<Option<bool>, Problem> {
    match query.find("state") {
        None => Ok(None),
        Some("active") => Ok(Some(true)),
        Some("ended") => Ok(Some(false)),
        Some(_) => Err(Problem::invalid("`state` is active or ended")),
    }
}

/// The filters of a listing, and its pages.
pub(super) fn describe<T: Record>(it: Description, item: Members) -> Description {
    let filters = ["user", "client", "api", "session", "grant", "device", "token"];
    let it = filters.into_iter().fold(it, |it, filter| it.query(filter, name(), "Of this one only."));
    let it = it.query("live", flag(), "`false`: also what has expired.");
    let about = "Only those that count now, or only those that do not. A page may then be short though more follow.";
    let it = names::sorted(it.query("state", one_of(&STATES), about), &[T::MADE_AT]).pages();
    it.gives(200, page_of(item.with("state", text()).with("ended", ended::shown()).open())).refuses(&[404])
}

pub(super) async fn list<T: Record>(call: Call) -> Result<Response, Problem> {
    let (query, app) = (call.query(&PARAMETERS)?, call.app.as_ref());
    let filter = filter(app, query, T::MADE_AT).await?;
    let (wanted, limit) = (wanted_state(query)?, query.limit()?);
    let (mut kept, mut looked_at) = (Vec::new(), 0);
    let mut cursor = query.find("cursor").map(str::to_owned);
    loop {
        let missing = limit - u32::try_from(kept.len()).unwrap_or(limit);
        let page = T::page(app, &filter, cursor.as_deref(), missing).await?;
        looked_at += page.items.len();
        for record in page.items {
            let state = record.state(app).await?;
            if wanted.is_none_or(|active| active == state.is_ok()) {
                kept.push((record, state));
            }
        }
        cursor = page.next;
        if cursor.is_none() || kept.len() >= usize::try_from(limit).unwrap_or(usize::MAX) || looked_at >= LOOKED_AT {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(ok(&json!({ "items": show_all(app, &kept).await?, "next": cursor })))
}

/// Shows records with what is known beside them, which is read for all of them together.
async fn show_all<T: Record>(app: &App, records: &[(T, State)]) -> Result<Vec<Value>, Problem> {
    let grants: Vec<&str> = records.iter().filter_map(|(record, _)| record.grant()).collect();
    let found = app.records.store.issuances(&grants).await?;
    let issuances: HashMap<&str, Issuance> =
        grants.iter().zip(found).filter_map(|(grant, found)| Some((*grant, found?))).collect();
    let mut endings = Endings::new(app);
    let mut items = Vec::with_capacity(records.len());
    for (record, state) in records {
        let issuance = record.grant().and_then(|grant| issuances.get(grant));
        let mut shown = with_state(record.show(app, issuance), *state);
        let ended = if state.is_ok() { Value::Null } else { record.ended(&mut endings).await? };
        insert(&mut shown, "ended", Some(ended));
        items.push(shown);
    }
    Ok(items)
}

pub(super) fn with_state(mut shown: Value, state: state::State) -> Value {
    if let Some(object) = shown.as_object_mut() {
        object.insert("state".to_owned(), state::word(state).into());
    }
    shown
}

/// What [`show_session`] writes.
pub(super) fn session() -> Members {
    let session = object().with("id", text()).with("user", text()).with("source", text()).with("device", maybe(text()));
    let session = session.with("ip", maybe(text())).with("user_agent", maybe(text())).with("position", position());
    let session = session.with("started_at", moment()).with("touched_at", moment()).with("idle_secs", number());
    session.with("expires_at", moment())
}

/// What [`show_grant`] writes.
pub(super) fn grant() -> Members {
    let grant = object().with("id", text()).with("client", text()).with("user", maybe(text()));
    let grant = grant.with("session", maybe(text())).with("session_bound", flag()).with("device", maybe(text()));
    let grant = grant.with("scope", text()).with("audiences", list_of(text())).with("position", position());
    grant.with("issued_at", moment()).with("expires_at", moment())
}

/// What a list says of a grant.
pub(super) fn listed_grant() -> Members {
    grant().with("kind", one_of(&KINDS)).with("last_issued_at", moment())
}

/// What [`show_token`] writes.
pub(super) fn token() -> Members {
    let token = object().with("id", text()).with("grant", text()).with("client", text()).with("user", maybe(text()));
    let token = token.with("session", maybe(text())).with("session_validation", apis::validation());
    let token = token.with("device", maybe(text())).with("scope", text()).with("audiences", list_of(text()));
    let token = token.with("key", maybe(text())).with("position", position());
    token.with("issued_at", moment()).with("expires_at", moment())
}

/// What a list says of an access token.
pub(super) fn listed_token() -> Members {
    token().with("kind", one_of(&KINDS)).with("first_issued_at", moment()).with("last_issued_at", moment())
}

/// A session, without its cookie.
pub(super) fn show_session(session: &Session) -> Value {
    json!({
        "id": session.id,
        "user": session.user,
        "source": session.source,
        "device": session.device,
        "ip": session.ip,
        "user_agent": session.user_agent,
        "position": session.position.to_string(),
        "started_at": session.started_at,
        "touched_at": session.touched_at,
        "idle_secs": session.idle_secs,
        "expires_at": session.expires_at,
    })
}

/// A grant.
pub(super) fn show_grant(grant: &Grant) -> Value {
    json!({
        "id": grant.id,
        "client": grant.client,
        "user": grant.user,
        "session": grant.session,
        "session_bound": grant.session_bound,
        "device": grant.device,
        "scope": grant.scope,
        "audiences": grant.audiences,
        "position": grant.position.to_string(),
        "issued_at": grant.issued_at,
        "expires_at": grant.expires_at,
    })
}

/// An access token: everything but what would let one use it.
pub(super) fn show_token(token: &AccessToken) -> Value {
    json!({
        "id": token.id,
        "grant": token.grant,
        "client": token.client,
        "user": token.user,
        "session": token.session,
        "session_validation": token.session_validation,
        "device": token.device,
        "scope": token.scope,
        "audiences": token.audiences,
        "key": token.key,
        "position": token.position.to_string(),
        "issued_at": token.issued_at,
        "expires_at": token.expires_at,
    })
}
