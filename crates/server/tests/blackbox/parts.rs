//! The installed clients that others wrote, and how one of them is run.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::{
    application::{API, API_SCOPE, Application, SCOPE},
    server::{PASSWORD, Server, USER_NAME},
};

/// Long enough for a browser, or for building a client, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Where `cargo xtask install` put them; `None`, said aloud, where nobody did.
///
/// # Panics
/// If they are missing although they are required.
pub(crate) fn find() -> Option<PathBuf> {
    if let Some(parts) = env::var_os("RESCIND_PARTS") {
        return Some(parts.into());
    }
    assert!(env::var_os("RESCIND_REQUIRE_PARTS").is_none(), "RESCIND_PARTS is not set: run `cargo xtask test`");
    // Not by `eprintln!`, which the harness would keep to itself.
    let _ =
        writeln!(std::io::stderr(), "\n!!! SKIPPED: RESCIND_PARTS is not set; `cargo xtask test` installs the parts\n");
    None
}

/// The folder with the clients' programs.
pub(crate) fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../blackbox")
}

/// The application that the programs speak for.
pub(crate) struct Subject<'a> {
    pub(crate) app: Application<'a>,
    pub(crate) redirect_uri: String,
    pub(crate) post_logout_redirect_uri: String,
}

impl<'a> Subject<'a> {
    /// Added by the administrator, with an API to call; `more` are members of its own.
    pub(crate) async fn add(server: &'a Server, more: serde_json::Value) -> Result<Self> {
        let api = json!({ "audience": API, "name": "Orders", "scopes": [API_SCOPE] });
        server.administer(reqwest::Method::POST, "/apis", &api).await?;
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let redirect_uri = format!("http://{address}/callback");
        let post_logout_redirect_uri = format!("http://{address}/signed-out");
        let mut members = json!({
            "redirect_uris": [redirect_uri],
            "post_logout_redirect_uris": [post_logout_redirect_uri],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
            "scopes": SCOPE.split(' ').chain([API_SCOPE]).collect::<Vec<_>>(),
        });
        if let (Some(members), serde_json::Value::Object(more)) = (members.as_object_mut(), more) {
            members.extend(more);
        }
        let app = Application::add(server, members).await?;
        Ok(Self { app, redirect_uri, post_logout_redirect_uri })
    }

    /// Tells a program who it is and where to go.
    pub(crate) fn tell(&self, command: &mut Command) {
        command
            .env("ISSUER", &self.app.server.issuer)
            .env("CLIENT_ID", &self.app.id)
            .env("REDIRECT_URI", &self.redirect_uri)
            .env("POST_LOGOUT_REDIRECT_URI", &self.post_logout_redirect_uri)
            .env("USERNAME", USER_NAME)
            .env("PASSWORD", PASSWORD)
            .env("SCOPE", SCOPE)
            .env("SERVICE_SCOPE", API_SCOPE)
            .env("RESOURCE", API);
        if let Some(secret) = &self.app.secret {
            command.env("CLIENT_SECRET", secret);
        }
    }
}

/// Runs a program to its end, which must be a good one.
pub(crate) async fn run(mut command: Command, server: &Server) -> Result<()> {
    let log = server.path("client.log");
    let output = fs::File::create(&log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    command.env_remove("HTTP_PROXY").env_remove("HTTPS_PROXY");
    let mut child = command.spawn().context("cannot start the client")?;
    let begun = Instant::now();
    let status = loop {
        match child.try_wait()? {
            None if begun.elapsed() < PATIENCE => tokio::time::sleep(Duration::from_millis(50)).await,
            status => break status,
        }
    };
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let said = fs::read_to_string(&log)?;
    println!("{said}");
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("the client ended with {status}; the server said:\n{}", server.log()),
        None => bail!("the client had no end after {PATIENCE:?}; the server said:\n{}", server.log()),
    }
}
