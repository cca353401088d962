//! A server of one test: the real program with a data directory of its own.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, Method, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::tls::Authority;

pub(crate) const USER_NAME: &str = "ada";
pub(crate) const PASSWORD: &str = "a long enough password";
pub(crate) const DISPLAY_NAME: &str = "Ada Lovelace";

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The port was free a moment ago; somebody else may have taken it.
const ATTEMPTS: usize = 5;

/// In what a server differs from the usual one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setup<'a> {
    /// More lines of its configuration file.
    pub(crate) lines: &'a str,
    /// TLS of its own, and more lines of that section.
    pub(crate) tls: Option<(&'a Authority, &'a str)>,
    /// The path of its issuer.
    pub(crate) path: &'a str,
    /// How much it says, as `RESCIND_LOG` has it.
    pub(crate) log: &'a str,
}

/// A running server with one user. It ends with this value.
pub(crate) struct Server {
    pub(crate) issuer: String,
    pub(crate) http: Client,
    pub(crate) admin: Client,
    pub(crate) child: Child,
    origin: String,
    folder: TempDir,
}

impl Server {
    /// Plain HTTP, everything else as it is by default.
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with("").await
    }

    /// With more lines in its configuration file.
    pub(crate) async fn start_with(lines: &str) -> Result<Self> {
        Self::start_as(Setup { lines, ..Setup::default() }).await
    }

    /// With TLS of its own.
    pub(crate) async fn start_over_tls(authority: &Authority) -> Result<Self> {
        Self::start_as(Setup { tls: Some((authority, "")), ..Setup::default() }).await
    }

    /// Any other way.
    pub(crate) async fn start_as(setup: Setup<'_>) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            if let Some(server) = Self::attempt(setup).await? {
                server.add_user().await?;
                return Ok(server);
            }
        }
        bail!("no port stayed free")
    }

    async fn attempt(setup: Setup<'_>) -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let origin = format!("{}://{address}", if setup.tls.is_some() { "https" } else { "http" });
        let (issuer, lines) = (format!("{origin}{}", setup.path), setup.lines);
        let mut text = format!("issuer = {issuer:?}\nlisten = \"{address}\"\ndata_dir = {data:?}\n{lines}\n");
        let mut http = Client::builder().redirect(Policy::none()).no_proxy().timeout(PATIENCE);
        if let Some((authority, lines)) = setup.tls {
            text += &authority.configuration(folder.path())?;
            text += lines;
            http = http.tls_certs_only([authority.root()?]);
        }
        let file = folder.path().join("rescind.toml");
        fs::write(&file, text)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RESCIND")) {
            command.env_remove(name);
        }
        if !setup.log.is_empty() {
            command.env("RESCIND_LOG", setup.log);
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command
            .args(["serve", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start the server")?;
        let admin = Client::builder().unix_socket(data.join("admin.sock")).timeout(PATIENCE).build()?;
        let mut server = Self { issuer, http: http.build()?, admin, child, origin, folder };
        Ok(server.is_ready().await?.then_some(server))
    }

    /// Waits until it answers; `false` if somebody else has its port.
    async fn is_ready(&mut self) -> Result<bool> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                let log = self.log();
                if log.contains("in use") {
                    return Ok(false);
                }
                bail!("the server ended with {status}:\n{log}");
            }
            let answer = self.http.get(format!("{}/readyz", self.origin)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        bail!("the server is not ready after {PATIENCE:?}:\n{}", self.log())
    }

    /// What the server has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A place for files of the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A call of the admin API through the local socket, which must succeed.
    pub(crate) async fn administer(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let mut request = self.admin.request(method.clone(), format!("http://localhost/admin/v1{path}"));
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{method} {path} answered {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    async fn add_user(&self) -> Result<()> {
        let user = json!({
            "user_name": USER_NAME,
            "password": PASSWORD,
            "display_name": DISPLAY_NAME,
            "email": "ada@example.com",
        });
        self.administer(Method::POST, "/users", &user).await?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.log());
        }
    }
}
