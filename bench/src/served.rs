//! The two servers of a comparison, each in a process of its own and of the same shape.
//!
//! A server says where it listens as soon as it does, and ends when its input ends: whoever started it may
//! be gone, but nothing is left running.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use rescind::app::Opened;
use rescind::clock::Clock;
use rescind::config::{self, Config};
use rescind::pace::Pace;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::credentials::{APPLICATION, AUDIENCE, CROWDED, RESOURCE_SERVER, SCOPE, client_secret, session_id, token};
use crate::reference::http::{Fingerprint, Issuance, Known, Record, Server, fingerprint};
use crate::reference::sessions::Sessions;
use crate::seed::{LIFE, grant_id, token_id};

/// The issuer in every answer of both servers.
const ISSUER: &str = "http://127.0.0.1:8080";
/// Threads that serve: as many as the machine of `docs/benchmarks.md` has cores, the same on both sides.
const WORKERS: usize = 2;

/// The configuration of a measurement: the defaults, but for place and name.
///
/// # Errors
/// When the folder's name cannot stand in a configuration.
pub fn config(folder: &Path) -> anyhow::Result<Config> {
    let folder = folder.to_str().context("the folder's name is not UTF-8")?;
    let text = format!("data_dir = {folder:?}\nissuer = {ISSUER:?}\nlisten = \"127.0.0.1:0\"\n");
    Ok(config::from_toml(&text, [])?)
}

/// Serves a data directory as `rescind serve` does, but for the local socket, until the input ends.
///
/// # Errors
/// When it cannot be opened or served.
pub fn rescind(folder: &Path) -> anyhow::Result<()> {
    let (app, writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        rescind::background::spawn(&app);
        say_ready(listener.local_addr()?)?;
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            wait_for_end();
            end.send(())
        });
        rescind::serve::serve(listener, None, rescind::router(&app), &app.config.limits, ended).await
    })?;
    app.queue.close();
    writer.join().map_err(|_| anyhow!("the writer panicked"))
}

/// Serves the reference with the tokens `0..tokens`, until the input ends.
///
/// # Errors
/// When it cannot be served.
pub fn reference(tokens: u64) -> anyhow::Result<()> {
    let issuance = Arc::new(Issuance { client: APPLICATION.into(), audience: AUDIENCE.into(), scope: SCOPE.into() });
    let record = |number: u64| Record {
        issuance: issuance.clone(),
        subject: CROWDED.into(),
        // Not the names that the seeded tokens have, which depend on an order, but as long.
        id: token_id(number).into(),
        grant: grant_id(number).into(),
        authenticated: 1_900_000_000,
        issued: 1_900_000_000,
        expires: 1_900_086_400,
    };
    let tokens = (0..tokens).map(|number| (token(number).hash().0, record(number))).collect();
    serve_reference(tokens, Sessions::new(std::iter::empty(), std::iter::empty(), 0))
}

/// Serves the reference with the live sessions `0..live` and as many revoked ones after them as `revoked` says, until the
/// input ends.
///
/// # Errors
/// When it cannot be served.
pub fn reference_of_sessions(live: u64, revoked: u64) -> anyhow::Result<()> {
    let ids = |numbers: std::ops::Range<u64>| numbers.map(session_id);
    serve_reference(HashMap::new(), Sessions::new(ids(0..live), ids(live..live + revoked), LIFE.as_secs()))
}

fn serve_reference(tokens: HashMap<Fingerprint, Record>, sessions: Sessions) -> anyhow::Result<()> {
    let secret = fingerprint(client_secret().reveal().as_bytes());
    let clients = HashMap::from([(RESOURCE_SERVER.to_owned(), secret)]);
    let known = Known { issuer: ISSUER.to_owned(), clients, tokens, sessions };
    let server = Server::start(known, WORKERS)?;
    say_ready(server.address())?;
    wait_for_end();
    Ok(())
}

fn say_ready(address: SocketAddr) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{address}")?;
    out.flush()
}

fn wait_for_end() {
    // An input that cannot be read has ended too.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}
