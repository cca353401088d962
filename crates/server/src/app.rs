//! The only wiring: opens the data directory, builds the live state and starts the writer.

use std::{sync::Arc, thread, time::Duration};

use anyhow::bail;
use rescind_check::FingerprintKey;
use rescind_ledger::{
    Client, ClientChange, Door, Initiator, Lane, LedgerError, Live, Queue, Reads, Settings, Startup, Store, Target,
    Ticket, Timestamp, Writer,
};
use rescind_store::{DataDir, FileMarker, Lock, MarkerState, Sqlite, SqliteReads, inspect_marker};
use zeroize::Zeroizing;

use crate::{
    audit::{Refused, heads::Turn},
    census::{self, Censuses},
    clock::{Clock, random},
    config::{Config, Lifetimes},
    console,
    deliveries::Deliveries,
    egress::Egress,
    keys::Keys,
    master_key, openapi, origin,
    overview::Overviews,
    pace::Pace,
    places::Places,
    protocol::{certificate::ClientKeys, session_api::quota::Quota, throttle::Throttle},
    records::Records,
    runtime_log::RuntimeLog,
    scripts::Workshop,
    status_lists::{self, StatusLists},
    telemetry::Telemetry,
};

/// Everything a request may reach.
pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub live: Arc<Live>,
    pub queue: Arc<Queue>,
    pub records: Records<SqliteReads>,
    pub status_lists: StatusLists,
    pub censuses: Censuses,
    pub overviews: Overviews,
    pub keys: Keys,
    pub egress: Egress,
    /// Wrong passwords.
    pub throttle: Throttle,
    /// Authorization requests begun by strangers.
    pub beginnings: Throttle,
    /// Calls of the revocation endpoint that end nothing.
    pub fruitless_revocations: Throttle,
    /// Ids of unknown sessions put on the revocation list by clients.
    pub unknown_ids: Quota,
    pub client_keys: ClientKeys,
    /// Refusals, against the most that get a record of their own.
    pub refused: Refused,
    pub audit_heads: Turn,
    /// Where scripts are run.
    pub scripts: Arc<Workshop>,
    pub telemetry: Telemetry,
    pub deliveries: Deliveries,
    pub runtime_log: RuntimeLog,
    pub places: Places,
    pub openapi: openapi::Cached,
    pub pace: Pace,
    pub data_dir: DataDir,
    _lock: Lock,
}

/// An opened data directory whose writer does not run yet.
pub struct Opened {
    pub app: Arc<App>,
    pub writer: Writer,
}

/// How many readers there are; more than the cores of a small machine gains nothing.
const READERS: usize = 8;

impl Opened {
    /// Opens the data directory, making what is missing. Refuses a database that is not the one it was.
    pub fn open(config: Config, clock: Clock, pace: Pace) -> anyhow::Result<Self> {
        let data_dir = DataDir::at(&config.data_dir);
        data_dir.create()?;
        let lock = data_dir.lock()?;
        let mut store = Sqlite::open(&data_dir.database())?;
        let marker = marker(&data_dir, &mut store)?;
        let issuer = store.issuer()?;
        check_issuer(issuer.as_deref(), &config.issuer)?;
        let startup = Startup { issuer: &config.issuer, key: FingerprintKey::new(random()) };
        let live = Arc::new(startup.load(&mut store)?);
        let secrets = store.secrets()?;
        let horizons = store.horizons()?;
        let master = read_master_key(&config, &data_dir, secrets.is_empty())?;
        let now = clock.now();
        let ended = |target: &Target| live.position_of(target).is_some();
        let (keys, fresh_secrets) = Keys::open(*master, &secrets, now, ended)?;
        let records = Records::new(store.reads(READERS)?, live.clone(), config.cache_bytes);
        let status_lists = StatusLists::new(live.clone(), records.store.clone(), store.reads(status_lists::SCANNERS)?);
        let censuses = Censuses::new(live.clone(), store.reads(census::READERS)?);
        let queue = Arc::new(Queue::default());
        let mut writer = Writer::new(Box::new(store), Box::new(marker), live.clone(), queue.clone());
        let facts = Facts {
            issuer: issuer.is_none().then(|| config.issuer.clone()),
            horizon: Some(config.lifetimes.overlaid(&live.settings()).horizon())
                .filter(|now| horizons.last().map(|fact| fact.secs) != Some(now.as_secs())),
            secrets: fresh_secrets,
            console: console_client(&live, &config.issuer, now),
        };
        facts.state(&queue, &mut writer, now)?;
        let telemetry = Telemetry::default();
        let runtime_log = RuntimeLog::start(&config, telemetry.runtime_log_lost.clone())?;
        let app = App {
            egress: Egress::new(&config.egress)?,
            throttle: Throttle::new(config.limits.sign_in_attempts_per_minute),
            beginnings: Throttle::new(config.limits.sign_ins_begun_per_minute),
            fruitless_revocations: Throttle::new(1),
            unknown_ids: Quota::new(config.limits.unknown_session_ids_per_day),
            client_keys: ClientKeys::default(),
            refused: Refused::default(),
            audit_heads: Turn::default(),
            scripts: Arc::default(),
            telemetry,
            deliveries: Deliveries::new(&live, now),
            runtime_log,
            places: Places::open(config.geoip_database.as_deref())?,
            openapi: openapi::Cached::default(),
            config,
            clock,
            live,
            queue,
            records,
            status_lists,
            censuses,
            overviews: Overviews::default(),
            keys,
            pace,
            data_dir,
            _lock: lock,
        };
        Ok(Self { app: Arc::new(app), writer })
    }

    /// Starts the writer on a thread of its own; it ends once the queue is closed and empty.
    pub fn start(self) -> anyhow::Result<(Arc<App>, thread::JoinHandle<()>)> {
        let Self { app, mut writer } = self;
        let (queue, clock) = (CloseAtEnd(app.queue.clone()), app.clock.clone());
        let thread = thread::Builder::new().name("writer".to_owned()).spawn(move || {
            while queue.0.wait() {
                writer.turn(&|| clock.now());
            }
        })?;
        Ok((app, thread))
    }
}

/// Abandons the queue however the writer ends: without one, whoever waits must be told, and `/readyz` must say so.
struct CloseAtEnd(Arc<Queue>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The facts a start brings: those that are new.
struct Facts {
    issuer: Option<String>,
    horizon: Option<Duration>,
    secrets: Vec<crate::keys::Written>,
    /// The console is a client like any other, but that it comes with the server.
    console: Option<ClientChange>,
}

/// The console's client, unless it is there as it should be. Whether it is enabled is for administrators to say.
fn console_client(live: &Live, issuer: &str, now: Timestamp) -> Option<ClientChange> {
    let wanted = console::client(issuer, now);
    let Some(known) = live.client(console::CLIENT_ID) else { return Some(ClientChange::Put(Box::new(wanted))) };
    let kept = Client { enabled: known.enabled, created_at: known.created_at, ..wanted };
    (*known != kept).then(|| ClientChange::Put(Box::new(kept)))
}

impl Facts {
    /// Writes them down, before anything is served.
    fn state(self, queue: &Queue, writer: &mut Writer, now: Timestamp) -> anyhow::Result<()> {
        let ticket = queue.submit(Lane::Issuing, move |door| {
            for (name, sealed) in &self.secrets {
                door.put_secret(name, sealed)?;
            }
            if let Some(horizon) = self.horizon {
                door.state_horizon(horizon)?;
            }
            if self.issuer.is_some() {
                door.state_issuer(self.issuer.as_deref())?;
            }
            if let Some(console) = &self.console {
                door.change_client(console, &App::system("console"))?;
            }
            Ok(())
        });
        writer.turn(&|| now);
        Ok(ticket.wait()?)
    }
}

/// Entries name subjects by their issuer: under another name they would not be found, and what was revoked would hold again.
fn check_issuer(known: Option<&str>, configured: &str) -> anyhow::Result<()> {
    match known {
        Some(known) if known != configured => bail!(
            "refusing to serve: this database belongs to the issuer {known}, and the configuration says {configured}. Revocations \
             name users by their issuer, so to change it run `rescind epoch open`: everything issued so far is then revoked"
        ),
        _ => Ok(()),
    }
}

/// The head marker, if the database is the one it belongs to (DESIGN rule 5).
fn marker(data_dir: &DataDir, store: &mut Sqlite) -> anyhow::Result<FileMarker> {
    const HOW: &str = "If this database was put there on purpose, run `rescind epoch open`: everything issued so far is then \
                       revoked, because revocations may be missing. To go back to a backup, use `rescind restore`.";
    match inspect_marker(data_dir, store)? {
        MarkerState::Fresh => Ok(FileMarker::create(data_dir, store)?),
        MarkerState::Agrees | MarkerState::Behind => Ok(FileMarker::open(data_dir, store)?),
        MarkerState::Ahead { marker, store } => bail!(
            "refusing to serve: the database stands at {} ({} commits) but the head marker at {} ({} commits), so an older \
             database file was put here by hand. {HOW}",
            store.head,
            store.commits,
            marker.head,
            marker.commits,
        ),
        MarkerState::Missing => {
            bail!("refusing to serve: the head marker `head` is missing beside the database. {HOW}")
        }
        MarkerState::Foreign => {
            bail!("refusing to serve: the head marker belongs to another database than the one beside it. {HOW}")
        }
    }
}

fn read_master_key(config: &Config, data_dir: &DataDir, first_start: bool) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    match &config.master_key {
        None if first_start => master_key::read_or_make(&data_dir.master_key()),
        source => master_key::load(source.as_ref(), data_dir),
    }
}

impl App {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.live.settings()
    }

    /// How long things live: what the configuration file says, under what was set since.
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        self.config.lifetimes.overlaid(&self.live.settings())
    }

    /// Leaves a job for the writer, with the request it belongs to.
    pub fn submit<T, F>(&self, lane: Lane, work: F) -> Ticket<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Door<'_>) -> Result<T, LedgerError> + Send + 'static,
    {
        self.queue.submit_from(origin::here(), lane, work)
    }

    /// Signs with fresh keys from now on; the old ones stay published until nothing signed with them can be alive.
    pub async fn rotate_signing_keys(&self) -> anyhow::Result<()> {
        let fresh = self.keys.fresh_signing_keys(self.now())?;
        self.keep_secrets(fresh).await?;
        self.reload_signing_keys().await
    }

    /// Takes the stored signing keys into use again, without those that were revoked.
    pub async fn reload_signing_keys(&self) -> anyhow::Result<()> {
        let stored = self.records.store.secrets().await?;
        let made = self.keys.reload(&stored, self.now(), |target| self.live.position_of(target).is_some())?;
        Ok(self.keep_secrets(made).await?)
    }

    async fn keep_secrets(&self, secrets: Vec<crate::keys::Written>) -> Result<(), LedgerError> {
        self.submit(Lane::Issuing, move |door| {
            secrets.iter().try_for_each(|(name, sealed)| door.put_secret(name, sealed))
        })
        .await
    }

    /// Who acts when the server itself does.
    #[must_use]
    pub fn system(rule: &str) -> Initiator {
        Initiator::System(rule.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::from_toml;

    fn open(folder: &std::path::Path, issuer: &str) -> anyhow::Result<Opened> {
        let text = format!("issuer = {issuer:?}\ndata_dir = {folder:?}\n");
        Opened::open(from_toml(&text, []).map_err(|why| anyhow::anyhow!("{why}"))?, Clock::System, Pace::Free)
    }

    #[test]
    fn a_database_is_not_served_under_another_issuer_until_a_new_epoch_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), "http://127.0.0.1:8080").unwrap());
        let refused = open(folder.path(), "http://localhost:8080").err().unwrap().to_string();
        assert!(refused.contains("rescind epoch open"), "{refused}");
        let dir = DataDir::at(folder.path());
        rescind_store::open_epoch(&dir, &dir.lock().unwrap(), Clock::System.now(), "a new name").unwrap();
        open(folder.path(), "http://localhost:8080").unwrap();
    }

    #[test]
    fn a_writer_that_is_gone_leaves_nobody_waiting() {
        let queue = Arc::new(Queue::default());
        let waiting = queue.submit(Lane::Ending, |_| Ok(()));
        drop(CloseAtEnd(queue.clone()));
        assert!(matches!(waiting.wait(), Err(LedgerError::Stopped)));
        assert!(queue.is_closed());
        assert!(matches!(queue.submit(Lane::Ending, |_| Ok(())).wait(), Err(LedgerError::Stopped)));
    }
}
