//! `rescind serve`: the server as a process, and as a function for those who run one inside a program.

use std::{io::IsTerminal, net::SocketAddr, sync::Arc, thread, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};
use tracing_subscriber::EnvFilter;

use super::{arguments::Globals, connection::configuration, failure::Failure};
use crate::{
    admin,
    app::{App, Opened},
    audit, background,
    clock::Clock,
    config::Config,
    origin,
    pace::Pace,
    peer::{Peer, client_address},
    protocol, runtime_log, serve,
    tls::TlsState,
};

/// A server that accepts requests. Dropping it does not stop it: see [`Running::stop`].
pub struct Running {
    pub app: Arc<App>,
    /// Where it really listens, also if the configuration left the port open.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<anyhow::Result<()>>>,
    writer: thread::JoinHandle<()>,
}

/// Opens the data directory and starts to serve it, on TCP and on the local socket.
///
/// A port 0 in `listen` takes any free one; an issuer that was made from it gets the real one.
///
/// # Errors
/// Whatever keeps it from serving: the address, the certificate, the data directory.
pub async fn run_server(config: Config) -> anyhow::Result<Running> {
    run_server_at(config, Clock::System).await
}

/// As [`run_server`], by a clock of the caller's.
///
/// # Errors
/// As [`run_server`].
pub async fn run_server_at(mut config: Config, clock: Clock) -> anyhow::Result<Running> {
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    if let Some(before) = config.issuer.strip_suffix(":0") {
        config.issuer = format!("{before}:{}", address.port());
    }
    let tls = config.tls.as_ref().map(TlsState::load).transpose()?.map(Arc::new);
    // Opening reads the whole ledger and syncs files: not on a thread that serves.
    let opening = tokio::task::spawn_blocking(move || Opened::open(config, clock, Pace::Free)?.start());
    let (app, writer) = opening.await??;
    background::spawn(&app);
    let (stop, stopped) = watch::channel(false);
    // First the socket: whoever sees `/readyz` answer may give orders at once.
    let mut listeners = vec![listen_locally(&app, stopped.clone()).await?];
    let (limits, logging, mut end) = (app.config.limits.clone(), app.clone(), stopped);
    let routes = serve::Routes::from(crate::router(&app));
    let routes = routes.telling_of_refusals(move |head, status| runtime_log::refused(&logging, head, status));
    let locating = app.clone();
    let routes = routes.locating(move |head| {
        let peer = head.extensions.get::<Peer>()?;
        Some(client_address(peer, &head.headers, &locating.config.proxy))
    });
    let secure = tls.clone();
    listeners.push(tokio::spawn(async move {
        serve::serve(listener, secure, routes, &limits, async move { end.wait_for(|stop| *stop).await.is_ok() }).await
    }));
    if let Some(tls) = tls {
        tokio::spawn(async move { tls.reload_on_hangup().await });
    }
    let has_places = app.clone();
    tokio::spawn(async move { has_places.places.reload_on_hangup().await });
    Ok(Running { app, address, stop, listeners, writer })
}

/// Serves the local socket, and comes back when it is there.
async fn listen_locally(
    app: &Arc<App>,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let (mut limits, socket) = (app.config.limits.clone(), app.data_dir.socket());
    let router = admin::local_router(app).merge(protocol::local_router(app));
    limits.body_bytes = limits.body_bytes.max(admin::LOCAL_BODY_BYTES);
    // One that a killed server left behind must not be taken for ours.
    match std::fs::remove_file(&socket) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => return Err(why.into()),
        _ => {}
    }
    let path = socket.clone();
    let listener = tokio::spawn(async move {
        let end = async move { stopped.wait_for(|stop| *stop).await.is_ok() };
        let served = serve::serve_unix(&path, router, &limits, end).await;
        served.with_context(|| format!("cannot listen on the local socket {}", path.display()))
    });
    while !socket.exists() {
        if listener.is_finished() {
            app.queue.close();
            listener.await??;
            anyhow::bail!("the local socket closed at once");
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(listener)
}

impl Running {
    /// Stops: open requests finish, what waits is written, and then it is over.
    ///
    /// # Errors
    /// If a listener had failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        for listener in self.listeners {
            listener.await??;
        }
        if let Err(why) = audit::heads::sign(&self.app).await {
            tracing::error!(error = %why, "the head of the audit trail was not signed");
        }
        self.app.queue.close();
        let writer = self.writer;
        let (app, within) = (self.app.clone(), self.app.config.limits.shutdown);
        let joined = tokio::task::spawn_blocking(move || {
            let joined = writer.join();
            app.runtime_log.close(within);
            joined
        });
        joined.await?.map_err(|_| anyhow::anyhow!("the writer ended badly"))
    }

    /// Waits until a listener fails, which it never should.
    async fn failure(&mut self) -> anyhow::Error {
        match futures_util::future::select_all(&mut self.listeners).await.0 {
            Ok(Ok(())) => anyhow::anyhow!("a listener ended"),
            Ok(Err(why)) => why,
            Err(why) => why.into(),
        }
    }
}

/// The command.
pub(super) fn run(globals: &Globals) -> Result<(), Failure> {
    let config = configuration(globals)?;
    let filter = EnvFilter::try_from_env("RESCIND_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .fmt_fields(origin::LogFields::default())
        .with_writer(std::io::stderr)
        .try_init();
    logging.map_err(|why| anyhow::anyhow!("logging cannot be set up: {why}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(until_told(config))?)
}

async fn until_told(config: Config) -> anyhow::Result<()> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let mut running = run_server(config).await?;
    let app = running.app.clone();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            app.runtime_log.reopen();
        }
    });
    println!("listening on {}", running.address);
    println!("ready at {}", running.app.config.issuer);
    let why = tokio::select! {
        _ = terminated.recv() => None,
        _ = interrupted.recv() => None,
        why = running.failure() => Some(why),
    };
    if let Some(why) = why {
        return Err(why);
    }
    tracing::info!("stopping");
    running.stop().await
}
