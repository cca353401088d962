//! What was counted.

use std::collections::{BTreeMap, HashSet};

use crate::Timestamp;

/// Counts of what an order would end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub users: HashSet<String>,
    pub sessions: u64,
    pub grants: u64,
    pub access_tokens: u64,
    pub by_client: BTreeMap<String, u64>,
    pub by_api: BTreeMap<String, u64>,
    /// Of the access tokens, for each API, those that may be checked without asking here, and when the last of them expires.
    pub self_contained: BTreeMap<String, (u64, Timestamp)>,
    /// Whether something that mattered was ended while it was counted.
    pub unsure: bool,
}

impl Counted {
    /// Adds what somebody else counted.
    pub fn add(&mut self, other: Self) {
        self.users.extend(other.users);
        self.sessions += other.sessions;
        self.grants += other.grants;
        self.access_tokens += other.access_tokens;
        other.by_client.iter().for_each(|(client, count)| self.client(client, *count));
        other.by_api.iter().for_each(|(api, count)| self.api(api, *count));
        other.self_contained.iter().for_each(|(api, (count, until))| self.self_contained(api, *count, *until));
        self.unsure |= other.unsure;
    }

    pub(super) fn user(&mut self, user: &str) {
        if !self.users.contains(user) {
            self.users.insert(user.to_owned());
        }
    }

    pub(super) fn client(&mut self, client: &str, count: u64) {
        add(&mut self.by_client, client, count);
    }

    pub(super) fn api(&mut self, api: &str, count: u64) {
        add(&mut self.by_api, api, count);
    }

    pub(super) fn self_contained(&mut self, api: &str, count: u64, until: Timestamp) {
        match self.self_contained.get_mut(api) {
            Some((known, last)) => (*known, *last) = (*known + count, until.max(*last)),
            None => drop(self.self_contained.insert(api.to_owned(), (count, until))),
        }
    }
}

fn add(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += more,
        None => drop(counts.insert(name.to_owned(), more)),
    }
}
