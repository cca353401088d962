//! What one entry has ended: the records it can reach, looked at one by one.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use rescind_check::Index;
use rescind_ledger::{
    AccessToken, EndedBy, Entry, Filter, Grant, Page, Reads, Session, StoreError, Tally, Target, Timestamp,
};

use super::share::Share;
use crate::app::App;

/// How many records are read at a time: some milliseconds of work.
const PAGE: u32 = 500;

/// Counts what an entry has ended; `before` is the index of the entries before it. This is the one function that counts.
///
/// # Errors
/// If the store cannot be read now. What is unreadable for good is left out, and the tally says so.
pub(super) async fn of(app: &App, entry: &Entry, before: &Index, share: &mut Share) -> Result<Tally, StoreError> {
    let ended_by = EndedBy::new(entry, &app.live, before);
    let mut count = Count { app, ended_by, share, users: Users::default(), tally: Tally::nothing() };
    match count.all(&entry.target, entry.time).await {
        Ok(()) => {}
        Err(StoreError::Unavailable(why)) => return Err(StoreError::Unavailable(why)),
        Err(why) => {
            tracing::error!(error = %why, position = %entry.position, "not everything that this entry ended can be counted");
            count.tally.at_least = true;
        }
    }
    count.tally.users = count.users.seen.len() as u64;
    Ok(count.tally)
}

/// Users seen so far, by hashes of their ids: that two of a million share one is less likely than one in ten million.
#[derive(Default)]
struct Users {
    hasher: RandomState,
    seen: HashSet<u64>,
}

struct Count<'a> {
    app: &'a App,
    ended_by: EndedBy<'a>,
    share: &'a mut Share,
    users: Users,
    tally: Tally,
}

impl Count<'_> {
    async fn all(&mut self, target: &Target, time: Timestamp) -> Result<(), StoreError> {
        let store = &self.app.records.store;
        match target {
            Target::Token { token } => {
                let token = store.find_access_token_by_id(token).await?;
                token.iter().for_each(|token| self.token(token));
                Ok(())
            }
            Target::Grant { grant } => {
                let found = store.find_grant(grant).await?;
                found.iter().for_each(|grant| self.grant(grant));
                self.tokens(&live(Filter::reached_by(target), time)).await
            }
            Target::Session { session } => {
                let session = store.find_session(session).await?;
                session.iter().for_each(|session| self.session(session));
                self.grants_with_tokens(&live(Filter::reached_by(target), time)).await
            }
            Target::Device { .. } | Target::DeviceClient { .. } => {
                let filter = live(Filter::reached_by(target), time);
                self.sessions(&filter).await?;
                self.grants_with_tokens(&filter).await
            }
            _ => {
                let filter = live(Filter::reached_by(target), time);
                if matches!(target, Target::Subject { .. } | Target::Everything) {
                    self.sessions(&filter).await?;
                }
                if !matches!(target, Target::Audience { .. } | Target::Key { .. }) {
                    self.grants(&filter).await?;
                }
                self.tokens(&filter).await
            }
        }
    }

    async fn sessions(&mut self, filter: &Filter) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page: Page<Session> = self.app.records.store.sessions(filter, cursor.as_deref(), PAGE).await?;
            page.items.iter().for_each(|session| self.session(session));
            self.share.rest().await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn grants(&mut self, filter: &Filter) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page: Page<Grant> = self.app.records.store.grants(filter, cursor.as_deref(), PAGE).await?;
            page.items.iter().for_each(|grant| self.grant(grant));
            self.share.rest().await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn tokens(&mut self, filter: &Filter) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page: Page<AccessToken> = self.app.records.store.access_tokens(filter, cursor.as_deref(), PAGE).await?;
            page.items.iter().for_each(|token| self.token(token));
            self.share.rest().await;
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// For targets by which grants have an index and tokens have none: a token's session and device are those of its grant,
    /// which lives no shorter.
    async fn grants_with_tokens(&mut self, filter: &Filter) -> Result<(), StoreError> {
        let mut cursor = None;
        loop {
            let page: Page<Grant> = self.app.records.store.grants(filter, cursor.as_deref(), PAGE).await?;
            for grant in &page.items {
                self.grant(grant);
                let of_grant = Filter { grant: Some(grant.id.clone()), live_at: filter.live_at, ..Filter::default() };
                self.tokens(&of_grant).await?;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    fn session(&mut self, session: &Session) {
        let trace = session.trace(self.app.live.issuer(), self.app.live.key());
        if self.ended_by.is_session(&trace, session.expires_at) {
            self.tally.sessions += 1;
            self.user(Some(&session.user));
        }
    }

    fn grant(&mut self, grant: &Grant) {
        let trace = grant.trace(self.app.live.issuer(), self.app.live.key());
        if self.ended_by.is_it(&trace, grant.expires_at) {
            self.tally.grants += 1;
            self.user(grant.user.as_ref());
        }
    }

    fn token(&mut self, token: &AccessToken) {
        let trace = token.trace(self.app.live.issuer(), self.app.live.key());
        if self.ended_by.is_it(&trace, token.expires_at) {
            self.tally.access_tokens += 1;
            self.user(token.user.as_ref());
            add(&mut self.tally.by_client, &token.client);
            token.audiences.iter().for_each(|audience| add(&mut self.tally.by_api, audience));
        }
    }

    fn user(&mut self, user: Option<&String>) {
        if let Some(user) = user {
            self.users.seen.insert(self.users.hasher.hash_one(user));
        }
    }
}

fn live(filter: Filter, at: Timestamp) -> Filter {
    Filter { live_at: Some(at), ..filter }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}
