//! `rescind demo`: a small company on a throw-away server, whose access is taken back before your eyes.

mod browser;
mod company;
mod ending;
mod folder;
mod invitation;
mod issuing;
mod portal;
mod show;
mod sight;
mod tour;
mod web;

use std::sync::Arc;

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

use super::{arguments::DemoArguments, connection::Connection, serve};
use crate::config::{self, Config};
use company::{Company, DEVICE_HEADER};
use folder::Folder;
use portal::Portal;
use show::{heading, note};
use web::{Admin, Web};

/// How many tokens there are if nobody says: without optimisation, issuing takes its time.
const TOKENS: u32 = if cfg!(debug_assertions) { 2_000 } else { 10_000 };

/// The command.
pub(super) fn run(arguments: &DemoArguments) -> anyhow::Result<()> {
    // The tour speaks for itself; only what goes wrong is logged, unless somebody asks for more.
    let filter = EnvFilter::try_from_env("RESCIND_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    logging.map_err(|why| anyhow::anyhow!("logging cannot be set up: {why}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(on_a_throw_away_server(arguments))
}

async fn on_a_throw_away_server(arguments: &DemoArguments) -> anyhow::Result<()> {
    let mut told = Told::listen()?;
    let folder = Folder::make()?;
    let server = serve::run_server(configuration(&folder)?).await?;
    let outcome = tokio::select! {
        outcome = everything(arguments, &folder, &server.app.config.issuer) => outcome,
        () = told.stop_asked() => {
            println!();
            Ok(())
        }
    };
    server.stop().await?;
    drop(folder);
    if outcome.is_ok() {
        note("The server has stopped, and its data directory is gone.");
    }
    outcome
}

/// Development mode, any free port; long-lived tokens, so that what is printed at the end still works after lunch. The demo
/// is its own proxy: its browsers name the device they are on.
fn configuration(folder: &Folder) -> anyhow::Result<Config> {
    const TEXT: &str = "listen = \"127.0.0.1:0\"\ndevelopment = true\nlifetimes.access_token_secs = 28_800\n\
                        limits.shutdown_secs = 1\n";
    // Whatever is set for a real server here must not reach this one.
    let text = format!("{TEXT}proxy.trusted = [\"127.0.0.1\"]\nproxy.device_header = {DEVICE_HEADER:?}\n");
    let mut config = config::from_toml(&text, [])?;
    config.data_dir = folder.path().to_owned();
    Ok(config)
}

async fn everything(arguments: &DemoArguments, folder: &Folder, issuer: &str) -> anyhow::Result<()> {
    heading("rescind demo");
    note(&format!("A server of its own at {issuer}, on a throw-away store."));
    let web = Arc::new(Web::new(issuer)?);
    let admin = Admin::new(Connection::local(&rescind_store::DataDir::at(folder.path()))?);
    // The portal must listen before its redirect URI can be registered.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let portal_url = format!("http://{}", listener.local_addr()?);
    let company = Company::found(&admin, arguments.users, &portal_url).await?;
    let portal = Portal::new(web.clone(), company.portal.clone(), portal_url);
    let url = portal.url.clone();
    let _open = portal.open(listener);
    let tokens = arguments.tokens.unwrap_or(TOKENS);
    let issued = issuing::issue(&web, &company, tokens).await?;
    issuing::report(&admin, &issued, arguments.tokens.is_none()).await?;
    let tour = tour::Tour { web: &web, admin: &admin, company: &company, issued: &issued };
    let dead = tour.walk().await?;
    if arguments.exit {
        return Ok(());
    }
    invitation::print(&tour, folder, &url, &dead).await?;
    std::future::pending().await
}

/// The signals that end the demo, a closed terminal's among them.
struct Told([Signal; 3]);

impl Told {
    fn listen() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn stop_asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
