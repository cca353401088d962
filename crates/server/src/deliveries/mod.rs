//! OUT: who must hear of an ending. Dispatching (no network) expands an outbox row into deliveries to the receivers there are;
//! delivering (network, no fan-out) makes attempts at them, a task for each receiver, so that a slow one delays nobody else.
//! What an entry has ended is counted afterwards, in small slices: deliveries never wait for that.

mod counting;
mod dispatch;
mod share;
mod tally;
mod worker;

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use rescind_check::Index;
use rescind_ledger::{Entry, Identity, LedgerError, Live, Outcome, Position, Reads, Standing, StoreError, Timestamp};
use tokio::sync::{Mutex, Notify};

use crate::app::App;

pub use worker::deliver_due;

/// How often the dispatcher looks whether the ledger has grown.
const DISPATCH_EVERY: Duration = Duration::from_millis(100);
/// How long counting rests when there is nothing to count, or after a failure.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How often deliveries are looked for whose receiver is not configured any more.
const ORPHANS_EVERY: Duration = Duration::from_secs(60);

/// What a receiver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub entry: Entry,
    /// What the user was called then, if it is about one of ours.
    pub user: Option<Identity>,
}

/// The adapter to one receiver. It says what it makes of an attempt; when there is another, and whether, is decided here.
pub trait Connector: Send + Sync + 'static {
    /// The receiver's name, as configured: deliveries are kept under it.
    fn name(&self) -> &str;
    fn kind(&self) -> &'static str;
    /// Whether the receiver must hear of it. No network: it is asked for every entry.
    fn wants(&self, notice: &Notice) -> bool;
    /// Tells the receiver, which may have heard of it before. What it says of a failure is shown to administrators.
    fn deliver<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Outcome>;
}

/// A registered receiver.
pub struct Receiver {
    connector: Arc<dyn Connector>,
    /// Told when there may be something to deliver.
    wake: Notify,
}

impl Receiver {
    /// The receiver's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.connector.name()
    }
}

/// What dispatching and delivering know.
pub struct Deliveries {
    /// None in production: no kind of connector exists yet.
    receivers: RwLock<Vec<Arc<Receiver>>>,
    /// The index of the entries that are counted, once it is needed.
    counted: Mutex<Option<Index>>,
    wake_counting: Notify,
    /// How far the ledger had got when the server opened it, and when that was.
    opened: (Position, Timestamp),
}

impl Deliveries {
    /// Of a server that has just opened its ledger.
    #[must_use]
    pub fn new(live: &Live, now: Timestamp) -> Self {
        Self {
            receivers: RwLock::default(),
            counted: Mutex::default(),
            wake_counting: Notify::new(),
            opened: (live.head(), now),
        }
    }

    /// Registers a receiver; before [`spawn`], for it to have a task of its own.
    ///
    /// # Errors
    /// If there is one of that name: neither would be told everything.
    pub fn register(&self, connector: Arc<dyn Connector>) -> anyhow::Result<Arc<Receiver>> {
        let mut receivers = self.receivers.write();
        if receivers.iter().any(|known| known.name() == connector.name()) {
            bail!("there is a receiver `{}` already", connector.name());
        }
        let receiver = Arc::new(Receiver { connector, wake: Notify::new() });
        receivers.push(receiver.clone());
        Ok(receiver)
    }

    /// Name and kind of each receiver that would be told of an entry, if it came now.
    #[must_use]
    pub fn would_tell(&self, entry: Entry) -> Vec<(String, &'static str)> {
        let notice = Notice { entry, user: None };
        let told = self.receivers().into_iter().filter(|receiver| receiver.connector.wants(&notice));
        told.map(|receiver| (receiver.name().to_owned(), receiver.connector.kind())).collect()
    }

    fn receivers(&self) -> Vec<Arc<Receiver>> {
        self.receivers.read().clone()
    }

    /// By when an entry had taken effect whose moment nobody noted.
    fn known_by(&self, position: Position, now: Timestamp) -> Timestamp {
        if position <= self.opened.0 { self.opened.1 } else { now }
    }
}

/// Starts dispatching, counting, and a task for each receiver; they end with the runtime.
pub fn spawn(app: &Arc<App>) {
    tokio::spawn(dispatch_for_ever(app.clone()));
    tokio::spawn(count_for_ever(app.clone()));
    for receiver in app.deliveries.receivers() {
        tokio::spawn(worker::deliver_for_ever(app.clone(), receiver));
    }
    let app = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(ORPHANS_EVERY);
        loop {
            tick.tick().await;
            if let Err(why) = give_up_orphans(&app).await {
                tracing::error!(error = %why, "deliveries to receivers that are gone were not given up; it is tried again");
            }
        }
    });
}

async fn dispatch_for_ever(app: Arc<App>) {
    let mut tick = tokio::time::interval(DISPATCH_EVERY);
    let mut done = None;
    loop {
        tick.tick().await;
        let head = app.live.head();
        if done == Some(head) {
            continue;
        }
        match dispatch::expand_all(&app).await {
            Ok(()) => done = Some(head),
            Err(why) => tracing::error!(error = %why, "dispatching failed; it is tried again"),
        }
        app.deliveries.wake_counting.notify_one();
    }
}

async fn count_for_ever(app: Arc<App>) {
    if let Err(why) = counting::prime(&app).await {
        tracing::warn!(error = %why, "counting starts from the entries themselves");
    }
    loop {
        if let Err(why) = counting::count_all(&app, share::Share::begin()).await {
            tracing::error!(error = %why, "counting failed; it is tried again");
            tokio::time::sleep(COUNT_EVERY).await;
        }
        let _ = tokio::time::timeout(COUNT_EVERY, app.deliveries.wake_counting.notified()).await;
    }
}

/// Expands and counts everything that waits. The background tasks do the same bit by bit.
pub async fn dispatch(app: &App) -> Result<(), LedgerError> {
    dispatch::expand_all(app).await?;
    counting::count_all(app, share::Share::whole()).await
}

/// Gives up what has waited too long for a receiver that is not configured any more: nobody else ever would.
pub async fn give_up_orphans(app: &App) -> Result<(), LedgerError> {
    let registered = app.deliveries.receivers();
    for standing in app.records.store.standings().await? {
        if standing.pending > 0 && registered.iter().all(|known| known.name() != standing.receiver) {
            worker::give_up_old(app, &standing.receiver).await?;
        }
    }
    Ok(())
}

/// How a receiver does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing was ever sent to it.
    Unused,
    /// The last attempt succeeded.
    Healthy,
    /// The last attempt failed.
    Failing,
    /// It has deliveries, but is not configured any more.
    Gone,
}

impl Health {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unused, Self::Healthy, Self::Failing, Self::Gone];

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }
}

/// Every receiver that is configured, and every other that has deliveries, with how it does: by name.
pub async fn receivers(app: &App) -> Result<Vec<(Health, Standing)>, StoreError> {
    let mut known: Vec<(Health, Standing)> = Vec::new();
    let registered = app.deliveries.receivers();
    for standing in app.records.store.standings().await? {
        let configured = registered.iter().any(|receiver| receiver.name() == standing.receiver);
        let health = match &standing.last {
            _ if !configured => Health::Gone,
            None => Health::Unused,
            Some(attempt) if attempt.error.is_none() => Health::Healthy,
            Some(_) => Health::Failing,
        };
        known.push((health, standing));
    }
    for receiver in registered {
        if known.iter().all(|(_, standing)| standing.receiver != receiver.name()) {
            let (name, kind) = (receiver.name().to_owned(), receiver.connector.kind().to_owned());
            let unused = Standing { receiver: name, kind, pending: 0, gave_up: 0, last: None };
            known.push((Health::Unused, unused));
        }
    }
    known.sort_by(|(_, one), (_, other)| one.receiver.cmp(&other.receiver));
    Ok(known)
}
