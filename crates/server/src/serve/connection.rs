//! One connection: speaks HTTP on it, ends it when it idles or when the server ends.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, watch},
    time::{MissedTickBehavior, interval_at},
};

use super::{Routes, answer::answer};
use crate::config::Limits;

/// What the server is doing; every connection follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// Open requests finish; idle connections close.
    Ending,
    /// Everything is dropped.
    Ended,
}

/// A place among the allowed connections, and what holds for it.
pub(super) struct Connection {
    pub(super) limits: Arc<Limits>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) _permit: OwnedSemaphorePermit,
}

/// What a connection's requests share.
pub(super) struct Shared<P> {
    pub(super) routes: Routes,
    pub(super) peer: P,
    pub(super) limits: Arc<Limits>,
    pub(super) activity: Arc<Activity>,
}

/// What happens on a connection, in the cheapest form that shows idling.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    open: AtomicUsize,
}

/// A request from its first header to the last byte of its answer's body.
#[derive(Debug)]
pub(super) struct Open(Arc<Activity>);

impl Activity {
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.begun.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open(self.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// How often idling is looked for within the time a request may take, and after how many quiet looks in a row the
/// connection is asked to close, and closed.
const LOOKS: u32 = 2;
const QUIET_TO_ASK: u32 = LOOKS + 1;
const QUIET_TO_CLOSE: u32 = QUIET_TO_ASK + 1;

/// Streams at once on one HTTP/2 connection.
const STREAMS: u32 = 64;

impl Connection {
    /// What `future` gives, unless the server ends before.
    pub(super) async fn unless_ending<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut phase = self.phase.clone();
        tokio::select! {
            output = future => Some(output),
            _ = phase.wait_for(|p| *p != Phase::Serving) => None,
        }
    }

    /// Serves requests until either side closes. `peer` becomes an extension of each.
    pub(super) async fn serve<P>(
        mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        routes: Routes,
        peer: P,
    ) where
        P: Clone + Send + Sync + 'static,
    {
        let activity = Arc::<Activity>::default();
        let shared = Shared { routes, peer, limits: self.limits.clone(), activity: activity.clone() };
        let shared = Arc::new(shared);
        let service = service_fn(move |request| answer(shared.clone(), request));
        let builder = builder(&self.limits);
        let mut http = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let look = self.limits.request / LOOKS;
        let mut looks = interval_at(tokio::time::Instant::now() + look, look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idling = Idling::default();
        loop {
            tokio::select! {
                // In this order the usual case costs no random number.
                biased;
                done = http.as_mut() => {
                    // Strangers cause these at will.
                    if let Err(error) = done {
                        tracing::debug!(error, "connection");
                    }
                    return;
                }
                changed = self.phase.changed() => {
                    if changed.is_err() || *self.phase.borrow_and_update() == Phase::Ended {
                        return;
                    }
                    http.as_mut().graceful_shutdown();
                }
                _ = looks.tick() => match idling.look(&activity) {
                    QUIET_TO_ASK => http.as_mut().graceful_shutdown(),
                    quiet if quiet >= QUIET_TO_CLOSE => return,
                    _ => {}
                },
            }
        }
    }
}

/// Counts the looks in a row that found nothing going on. hyper's own time limit for a request's head neither begins
/// before the protocol is known nor exists for HTTP/2, so this one stands for both, and for readers who do not read.
#[derive(Default)]
struct Idling {
    begun: u64,
    quiet: u32,
}

impl Idling {
    fn look(&mut self, activity: &Activity) -> u32 {
        let begun = activity.begun.load(Relaxed);
        let still = begun == self.begun && activity.open.load(Relaxed) == 0;
        self.begun = begun;
        self.quiet = if still { self.quiet + 1 } else { 0 };
        self.quiet
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(limits.header_bytes).header_read_timeout(None).timer(TokioTimer::new());
    builder
        .http2()
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .timer(TokioTimer::new());
    builder
}
