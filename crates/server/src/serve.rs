//! The accept loops: TCP with or without TLS, and the local socket; bounded in connections, ended gently.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    http::{StatusCode, request::Parts},
};
use rustls::{ProtocolVersion, ServerConnection};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    config::Limits,
    peer::{LocalPeer, Peer},
    tls::TlsState,
};
use connection::{Connection, Phase};

mod answer;
mod connection;

/// How long a TLS handshake may take, if a request may not take less.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Hears = dyn Fn(&Parts, StatusCode) + Send + Sync;
type Locates = dyn Fn(&Parts) -> Option<IpAddr> + Send + Sync;

/// A router, and who hears of the requests that never reach one.
#[derive(Clone)]
pub struct Routes {
    router: Router,
    refused: Option<Arc<Hears>>,
    locates: Option<Arc<Locates>>,
}

impl From<Router> for Routes {
    fn from(router: Router) -> Self {
        Self { router, refused: None, locates: None }
    }
}

impl Routes {
    /// Tells `hears` the head, with its [`Peer`], and the status of each request whose body could not be had.
    #[must_use]
    pub fn telling_of_refusals(self, hears: impl Fn(&Parts, StatusCode) + Send + Sync + 'static) -> Self {
        Self { refused: Some(Arc::new(hears)), ..self }
    }

    /// Asks `locates` from which address a request comes, by its head with its [`Peer`].
    #[must_use]
    pub fn locating(self, locates: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static) -> Self {
        Self { locates: Some(Arc::new(locates)), ..self }
    }

    fn address(&self, head: &Parts) -> Option<IpAddr> {
        self.locates.as_ref().and_then(|locates| locates(head))
    }

    fn refuse(&self, head: &Parts, status: StatusCode) {
        if let Some(hears) = &self.refused {
            hears(head, status);
        }
    }
}

/// Serves `routes` on `listener` until `shutdown` completes, then lets open requests finish within `limits.shutdown`.
///
/// Speaks HTTP/1.1 and HTTP/2, by ALPN under TLS and by prior knowledge without. Every request carries a [`Peer`] as an
/// extension; it reaches the router with its whole body, at most `limits.body_bytes`, and has `limits.request` to be
/// read and again to be answered. At `limits.connections` no more are accepted until one ends.
///
/// # Errors
/// None once it runs: whatever goes wrong while accepting is logged and waited out.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<TlsState>>,
    routes: impl Into<Routes>,
    limits: &Limits,
    shutdown: impl Future,
) -> anyhow::Result<()> {
    let routes = routes.into();
    accept_until(shutdown, limits, listener, |(stream, address), connection| {
        tokio::spawn(serve_stream(stream, address, tls.clone(), routes.clone(), connection));
    })
    .await;
    Ok(())
}

async fn serve_stream(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Arc<TlsState>>,
    routes: Routes,
    connection: Connection,
) {
    // Answers are small and written whole; waiting for more of them only adds delay.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(tls) = tls else {
        let peer = Peer { address, certificate: None, chain_verified: false, tls_version: None };
        return connection.serve(stream, routes, peer).await;
    };
    let handshake = tokio_rustls::TlsAcceptor::from(tls.server_config()).accept(stream);
    let within = HANDSHAKE.min(connection.limits.request);
    let stream = match connection.unless_ending(timeout(within, handshake)).await {
        Some(Ok(Ok(stream))) => stream,
        Some(Ok(Err(error))) => return tracing::debug!(%address, %error, "TLS handshake failed"),
        Some(Err(_)) => return tracing::debug!(%address, "TLS handshake too slow"),
        None => return,
    };
    let peer = tls_peer(address, stream.get_ref().1, &tls);
    connection.serve(stream, routes, peer).await;
}

fn tls_peer(address: SocketAddr, session: &ServerConnection, tls: &TlsState) -> Peer {
    let chain = session.peer_certificates().unwrap_or_default();
    let tls_version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Some("TLSv1.3"),
        Some(ProtocolVersion::TLSv1_2) => Some("TLSv1.2"),
        _ => None,
    };
    Peer {
        address,
        certificate: chain.first().map(|leaf| leaf.to_vec()),
        chain_verified: tls.verifies(chain),
        tls_version,
    }
}

/// Serves `router` on a unix socket at `path`, for the owner of the process only, as [`serve`] does on TCP. Every request
/// carries a [`LocalPeer`]. The file is removed first, if one is left from before, and at the end.
///
/// # Errors
/// The socket cannot be made.
pub async fn serve_unix(path: &Path, router: Router, limits: &Limits, shutdown: impl Future) -> anyhow::Result<()> {
    let listener = bind_private(path)?;
    let _file = RemovedAtEnd(path.to_owned());
    let routes = Routes::from(router);
    accept_until(shutdown, limits, listener, |(stream, peer), connection| {
        tokio::spawn(connection.serve(stream, routes.clone(), peer));
    })
    .await;
    Ok(())
}

/// Binds inside a fresh folder that only we may enter, so that at no time anyone else can connect.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".new");
    let folder = PathBuf::from(folder);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    let inside = folder.join("s");
    let listener = UnixListener::bind(&inside)?;
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&inside, path)?;
    std::fs::remove_dir(&folder)?;
    Ok(listener)
}

struct RemovedAtEnd(PathBuf);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!(%error, "the local socket was not removed");
        }
    }
}

/// What connections come from.
trait Source {
    type Stream;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Source for TcpListener {
    type Stream = (TcpStream, SocketAddr);

    async fn accept(&self) -> io::Result<Self::Stream> {
        self.accept().await
    }
}

impl Source for UnixListener {
    type Stream = (UnixStream, LocalPeer);

    async fn accept(&self) -> io::Result<Self::Stream> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, LocalPeer { uid }))
    }
}

/// Accepts until `shutdown`, then waits for the connections: first for them to end, then ends them.
async fn accept_until<S: Source>(
    shutdown: impl Future,
    limits: &Limits,
    source: S,
    spawn: impl Fn(S::Stream, Connection),
) {
    let (phase, watched) = watch::channel(Phase::Serving);
    let room = Arc::new(Semaphore::new(limits.connections));
    let limits = Arc::new(limits.clone());
    let accepting = async {
        let mut pause = Pause::default();
        loop {
            let Some(permit) = permit(&room).await else { return };
            match source.accept().await {
                Ok(stream) => {
                    pause = Pause::default();
                    spawn(stream, Connection { limits: limits.clone(), phase: watched.clone(), _permit: permit });
                }
                Err(error) => pause.after(&error).await,
            }
        }
    };
    tokio::select! {
        _ = shutdown => {}
        () = accepting => {}
    }
    // Whoever connects from now on is refused rather than left waiting.
    drop(source);
    drop(watched);
    phase.send_replace(Phase::Ending);
    if timeout(limits.shutdown, phase.closed()).await.is_err() {
        tracing::warn!("requests were still open at the end of the shutdown time");
        phase.send_replace(Phase::Ended);
        phase.closed().await;
    }
}

async fn permit(room: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = room.clone().try_acquire_owned() {
        return Some(permit);
    }
    tracing::warn!("as many connections as allowed; accepting no more until one ends");
    room.clone().acquire_owned().await.ok()
}

/// How long to wait after an error of `accept`.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Pause {
    /// An error of the one connection costs nothing; one of ours (no file descriptor, no memory) is waited out, for
    /// accepting again at once would only burn the processor.
    async fn after(&mut self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
        if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | NotConnected) {
            return;
        }
        tracing::error!(%error, "cannot accept connections");
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests;
