//! What every request asks: the index and the configuration, in memory, under one lock.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use parking_lot::{Mutex, MutexGuard, RwLock};
use rescind_check::{FingerprintKey, Index, Position, SHARDS, Side, Trace, Verdict, stamp};

use crate::{
    Api, Client, Configuration, ConfigurationChange, Done, Entry, Role, Settings, Store, StoreError, Target,
    effect::Effects,
};

/// The state a node answers from. Only the writer changes it, after a commit and before the acknowledgement.
pub struct Live {
    issuer: String,
    key: FingerprintKey,
    state: RwLock<State>,
    pending: AtomicU64,
    effects: Mutex<Effects>,
}

struct State {
    index: Index,
    configuration: Configuration,
}

/// Reads the index and the configuration out of a store.
pub struct Startup<'a> {
    pub issuer: &'a str,
    pub key: FingerprintKey,
}

impl Startup<'_> {
    /// Builds the live state: replaying the retained entries rebuilds the index.
    pub fn load(self, store: &mut dyn Store) -> Result<Live, StoreError> {
        let (epochs, floor) = store.epochs()?;
        let mut retained = Vec::new();
        store.entries_after(Position { epoch: 0, seq: 0 }, &mut |entry| {
            retained.push((entry.target.fingerprint(&self.key), entry.cut(), entry.position));
        })?;
        let index = Index::restore(&epochs, floor, retained)
            .map_err(|why| StoreError::Corrupt { table: "entries", why: why.to_string() })?;
        let mut configuration = store.configuration()?;
        configuration.position = index.head();
        let pending = AtomicU64::new(store.pending_requests()?);
        let state = RwLock::new(State { index, configuration });
        Ok(Live { issuer: self.issuer.to_owned(), key: self.key, state, pending, effects: Mutex::default() })
    }
}

impl Live {
    /// Our issuer identifier: the issuer of every local subject.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key of the fingerprints in the index.
    #[must_use]
    pub fn key(&self) -> &FingerprintKey {
        &self.key
    }

    /// The position a credential gets if its authentication begins now. Take it *before* reading any password, user,
    /// session or consent (DESIGN rule 1).
    #[must_use]
    pub fn stamp(&self) -> Position {
        let state = self.state.read();
        stamp(state.index.head(), state.configuration.position)
    }

    /// A stamp together with the client as it was configured at that position.
    #[must_use]
    pub fn stamped_client(&self, id: &str) -> (Position, Option<Arc<Client>>) {
        let state = self.state.read();
        let position = stamp(state.index.head(), state.configuration.position);
        (position, state.configuration.clients.get(id).cloned())
    }

    /// The last position that is in force here.
    #[must_use]
    pub fn head(&self) -> Position {
        self.state.read().index.head()
    }

    /// What the ledger says of a credential.
    #[must_use]
    pub fn verdict(&self, trace: &Trace) -> Verdict {
        self.state.read().index.verdict(trace, Side::Node)
    }

    /// The client of that name, enabled or not.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.state.read().configuration.clients.get(id).cloned()
    }

    /// The API with that identifier.
    #[must_use]
    pub fn api(&self, audience: &str) -> Option<Arc<Api>> {
        self.state.read().configuration.apis.get(audience).cloned()
    }

    /// What a user may do as an administrator.
    #[must_use]
    pub fn role(&self, user: &str) -> Option<Role> {
        self.state.read().configuration.roles.get(user).copied()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.state.read().configuration.settings.clone()
    }

    /// Looks at index and configuration together, as of one moment. Be brief: writers wait.
    pub fn look<R>(&self, see: impl FnOnce(&Index, &Configuration) -> R) -> R {
        let state = self.state.read();
        see(&state.index, &state.configuration)
    }

    /// Where a target was ended last (or first, if it is never reused), as far as the index remembers. Conditioned entries
    /// are not asked.
    #[must_use]
    pub fn position_of(&self, target: &Target) -> Option<Position> {
        self.state.read().index.position_of(target.fingerprint(&self.key))
    }

    /// How many authorization requests are kept that wait for their answer: what the store holds, counted along so that
    /// nobody has to count it.
    #[must_use]
    pub fn pending_requests(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Takes over how many there are as of a committed batch.
    pub(crate) fn note_pending(&self, pending: u64) {
        self.pending.store(pending, Ordering::Relaxed);
    }

    /// When the entries from `first` to `last` took effect, as far as that is remembered.
    #[must_use]
    pub fn effects_between(&self, first: Position, last: Position) -> Vec<Done> {
        self.effects.lock().between(first, last)
    }

    /// What took effect up to here is written down.
    pub fn forget_effects(&self, through: Position) {
        self.effects.lock().forget_through(through);
    }

    /// Where it is remembered when batches took effect, until that is written down.
    pub(crate) fn effects(&self) -> MutexGuard<'_, Effects> {
        self.effects.lock()
    }

    /// Takes over one committed batch. The configuration goes first and both move under one lock, so that nobody can
    /// hold a stamp of the new position beside a configuration of the old one.
    pub(crate) fn apply(&self, changes: &[ConfigurationChange], entries: &[Entry]) -> Result<(), StoreError> {
        let mut state = self.state.write();
        for change in changes {
            state.configuration.apply(change.clone());
        }
        for entry in entries {
            if entry.position.epoch > state.index.head().epoch {
                state.index.open_epoch(entry.position.epoch).map_err(|why| corrupt(&why))?;
            }
            let fingerprint = entry.target.fingerprint(&self.key);
            state.index.apply(fingerprint, entry.cut(), entry.position).map_err(|why| corrupt(&why))?;
        }
        state.configuration.position = state.index.head();
        Ok(())
    }

    /// Forgets what lies at or below the floor, a shard at a time: nobody waits for the whole of it.
    pub(crate) fn forget_below(&self, floor: Position) {
        if floor <= self.state.read().index.floor() {
            return;
        }
        self.state.write().index.raise_floor(floor);
        for shard in 0..SHARDS {
            self.state.write().index.sweep_shard(shard);
        }
    }

    /// Replaces the configuration by what the store holds, after a commit whose fate was unknown.
    pub(crate) fn replace_configuration(&self, mut configuration: Configuration) {
        let mut state = self.state.write();
        configuration.position = state.index.head();
        state.configuration = configuration;
    }
}

fn corrupt(why: &impl ToString) -> StoreError {
    StoreError::Corrupt { table: "entries", why: why.to_string() }
}
