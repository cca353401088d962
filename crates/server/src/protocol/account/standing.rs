//! What a user has just now: the sessions that count and the applications that may act for them. A read, it writes nothing.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use rescind_check::Verdict;
use rescind_ledger::{Client, Consent, Filter, Grant, Reads, StoreError, Timestamp};

use super::{end_link, moment::seen, user_agent, what::What};
use crate::{
    app::App,
    protocol::{
        pages::{OwnApplication, OwnSession, Permission},
        signed_in::SignedIn,
    },
    records::KnownSession,
};

/// How many grants are read at once, and how many of one application are kept: the newest.
const PAGE: u32 = 500;
const GRANTS_OF_ONE: usize = 500;
/// How many sessions are shown, this one among them.
const MOST_SESSIONS: usize = 200;
/// How many grants of one application are asked for the last use.
const ASKED_FOR_USE: usize = 8;

/// The sessions and grants of the user who looks, as of one moment.
pub(super) struct Standing<'a> {
    app: &'a App,
    now: Timestamp,
    this: String,
    /// The latest activity first.
    sessions: Vec<Arc<KnownSession>>,
    /// The newest first.
    grants: Vec<Grant>,
    consents: Vec<Consent>,
}

impl<'a> Standing<'a> {
    pub(super) async fn load(app: &'a App, signed_in: &SignedIn) -> Result<Self, StoreError> {
        let (user, now) = (&signed_in.user.id, app.now());
        let mut sessions = vec![signed_in.session.clone()];
        let others = sessions_of(app, user, now).await?;
        sessions.extend(others.into_iter().filter(|known| known.record.id != signed_in.record().id));
        sessions.sort_by_key(|known| std::cmp::Reverse(known.clock().touched_at));
        let (issuer, key) = (app.live.issuer(), app.live.key());
        let mut consents = app.records.store.consents_of(user).await?;
        consents.retain(|consent| {
            consent.expires_at > now && app.live.verdict(&consent.trace(issuer, key)) == Verdict::NotRevoked
        });
        let grants = grants_of(app, user, now).await?;
        Ok(Self { app, now, this: signed_in.record().id.clone(), sessions, grants, consents })
    }

    /// How many other sessions there are.
    pub(super) fn others(&self) -> usize {
        self.sessions.iter().filter(|known| known.record.id != self.this).count()
    }

    /// The sessions as the page shows them; this one always among them, however many there are.
    pub(super) async fn sessions(&self) -> Result<Vec<OwnSession>, StoreError> {
        let mut shown = Vec::new();
        for (place, known) in self.sessions.iter().enumerate() {
            if place < MOST_SESSIONS || known.record.id == self.this {
                shown.push(self.session(known).await?);
            }
        }
        Ok(shown)
    }

    /// One of the sessions, if it is there and counts.
    pub(super) async fn find_session(&self, id: &str) -> Result<Option<OwnSession>, StoreError> {
        match self.sessions.iter().find(|known| known.record.id == id) {
            Some(known) => Ok(Some(self.session(known).await?)),
            None => Ok(None),
        }
    }

    async fn session(&self, known: &KnownSession) -> Result<OwnSession, StoreError> {
        let record = &known.record;
        let browser = user_agent::in_words(record.user_agent.as_deref());
        let device = match &record.device {
            Some(id) => self.app.records.store.find_device(id).await?.map(|device| device.name),
            None => None,
        };
        let address = record.ip.as_deref().and_then(|ip| ip.parse().ok());
        let mut applications: Vec<String> = self
            .grants
            .iter()
            .filter(|grant| grant.session.as_deref() == Some(&record.id))
            .filter_map(|grant| Some(self.app.live.client(&grant.client)?.name.clone()))
            .collect();
        applications.sort();
        applications.dedup();
        Ok(OwnSession {
            end: end_link(self.app, &What::Session(record.id.clone())),
            is_this: record.id == self.this,
            is_handheld: user_agent::is_handheld(record.user_agent.as_deref()),
            name: device.clone().unwrap_or_else(|| browser.clone()),
            browser: device.map(|_| browser),
            place: address.and_then(|address| self.app.places.find(address)),
            address: record.ip.clone(),
            started: seen(record.started_at, self.now),
            active: seen(known.clock().touched_at, self.now),
            applications,
        })
    }

    /// The applications as the page shows them, by name.
    pub(super) async fn applications(&self) -> Result<Vec<OwnApplication>, StoreError> {
        let mut shown = Vec::new();
        for holding in self.holdings() {
            shown.push(self.application(&holding).await?);
        }
        shown.sort_by_key(|application| application.name.to_lowercase());
        Ok(shown)
    }

    /// The name of one of the applications, if it is there.
    pub(super) fn find_application(&self, id: &str) -> Option<String> {
        self.holdings().iter().find(|holding| holding.client.id == id).map(|holding| holding.client.name.clone())
    }

    fn holdings(&self) -> Vec<Holding<'_>> {
        let mut by_client: BTreeMap<&str, (Vec<&Grant>, Vec<&Consent>)> = BTreeMap::new();
        for grant in &self.grants {
            by_client.entry(&grant.client).or_default().0.push(grant);
        }
        for consent in &self.consents {
            by_client.entry(&consent.client).or_default().1.push(consent);
        }
        let client = |id| self.app.live.client(id).filter(|client| client.enabled);
        let holdings = by_client.into_iter();
        holdings
            .filter_map(|(id, (grants, consents))| Some(Holding { client: client(id)?, grants, consents }))
            .collect()
    }

    async fn application(&self, holding: &Holding<'_>) -> Result<OwnApplication, StoreError> {
        let used = self.last_used(holding).await?;
        let works_offline = holding.grants.iter().any(|grant| !grant.session_bound);
        let mut permissions = self.permissions(holding);
        // It is said in other words already.
        permissions.retain(|permission| !works_offline || *permission != Permission::of("offline_access"));
        let began = holding.grants.iter().map(|grant| grant.issued_at);
        let began = began.chain(holding.consents.iter().map(|consent| consent.at)).min();
        Ok(OwnApplication {
            end: end_link(self.app, &What::Application(holding.client.id.clone())),
            name: holding.client.name.clone(),
            permissions,
            since: seen(began.unwrap_or(self.now), self.now),
            used: used.map(|at| seen(at, self.now)),
            works_offline,
            has_access: !holding.grants.is_empty(),
        })
    }

    /// A refresh leaves a new access token behind, and nothing else a trace.
    async fn last_used(&self, holding: &Holding<'_>) -> Result<Option<Timestamp>, StoreError> {
        let mut latest = None;
        for grant in holding.grants.iter().take(ASKED_FOR_USE) {
            let filter = Filter { grant: Some(grant.id.clone()), ..Filter::default() };
            let tokens = self.app.records.store.access_tokens(&filter, None, 1).await?;
            latest = latest.max(tokens.items.first().map(|token| token.issued_at));
        }
        Ok(latest)
    }

    fn permissions(&self, holding: &Holding<'_>) -> Vec<Permission> {
        let granted = holding.grants.iter().map(|grant| (grant.scope.split(' ').collect(), &grant.audiences));
        let agreed = holding.consents.iter();
        let agreed = agreed.map(|consent| (consent.scopes.iter().map(String::as_str).collect(), &consent.audiences));
        let mut permissions = Vec::new();
        for (scopes, audiences) in granted.chain(agreed) {
            permissions.extend(self.permissions_of(&scopes, audiences));
        }
        permissions.sort();
        permissions.dedup();
        permissions
    }

    fn permissions_of(&self, scopes: &Vec<&str>, audiences: &[String]) -> Vec<Permission> {
        let apis: Vec<_> = audiences.iter().filter_map(|audience| self.app.live.api(audience)).collect();
        let mut permissions = Vec::new();
        for scope in scopes.iter().filter(|scope| !scope.is_empty()) {
            let at: Vec<_> = apis.iter().filter(|api| api.scopes.iter().any(|one| one == scope)).collect();
            permissions.extend(at.iter().map(|api| Permission::at(scope, &api.name)));
            if at.is_empty() {
                permissions.push(Permission::of(scope));
            }
        }
        let idle = apis.iter().filter(|api| !api.scopes.iter().any(|one| scopes.contains(&one.as_str())));
        permissions.extend(idle.map(|api| Permission::act(&api.name)));
        permissions
    }
}

/// What one application holds of the user.
struct Holding<'a> {
    client: Arc<Client>,
    grants: Vec<&'a Grant>,
    consents: Vec<&'a Consent>,
}

/// All that count, however many: one that is not shown could not be ended.
async fn sessions_of(app: &App, user: &str, now: Timestamp) -> Result<Vec<Arc<KnownSession>>, StoreError> {
    let records = app.records.store.live_sessions_of(user).await?;
    let known = records.into_iter().map(|record| Arc::new(app.records.know_session(record)));
    Ok(known.filter(|known| app.live.session_counts(&known.current(), now).is_ok()).collect())
}

/// Those that count, of each application the newest. All are looked at, or an application could hide behind many newer
/// grants of another.
async fn grants_of(app: &App, user: &str, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
    let filter = Filter { user: Some(user.to_owned()), live_at: Some(now), ..Filter::default() };
    let (mut found, mut of_client) = (Vec::new(), HashMap::<String, usize>::new());
    let mut cursor: Option<String> = None;
    loop {
        let page = app.records.store.grants(&filter, cursor.as_deref(), PAGE).await?;
        for grant in page.items {
            if of_client.get(&grant.client).is_some_and(|seen| *seen >= GRANTS_OF_ONE) {
                continue;
            }
            let clock = app.records.clock_of(grant.session.as_deref(), grant.session_bound).await?;
            if app.live.grant_counts(&grant, clock, now).is_ok() {
                *of_client.entry(grant.client.clone()).or_default() += 1;
                found.push(grant);
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}
