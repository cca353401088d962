//! The real program on a data directory of the test's own: started, killed, stopped, and asked over the wire.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use rescind::config::{self, Config};
use serde_json::Value;
use tempfile::TempDir;

/// The same in every life, whatever the port.
pub(crate) const ISSUER: &str = "http://127.0.0.1:8080";
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory, its configuration file, and room for whatever else a test needs.
pub(crate) struct Place {
    folder: TempDir,
    http: Client,
}

impl Place {
    /// With more lines in the configuration file.
    pub(crate) fn new(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let http = Client::builder().redirect(Policy::none()).no_proxy().timeout(PATIENCE).build().unwrap();
        let place = Self { folder, http };
        fs::create_dir(place.data()).unwrap();
        fs::set_permissions(place.data(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(place.beside("rescind.toml"), configuration(&place.data(), lines)).unwrap();
        place
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with this place's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RESCIND")) {
            command.env_remove(name);
        }
        command.args(arguments).arg("--config").arg(self.beside("rescind.toml")).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; its output if it succeeds, and what it complained of if not, or if it has no end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.finish(self.command(arguments))
    }

    /// The same with a command that was made already.
    pub(crate) fn finish(&self, mut command: Command) -> Result<String, String> {
        let (said, complained) = (self.beside("said"), self.beside("complained"));
        let output = |path| fs::File::create(path).unwrap();
        let mut child = command.stdout(output(&said)).stderr(output(&complained)).spawn().unwrap();
        let begun = Instant::now();
        let succeeded = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status.success(),
                None if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    break false;
                }
            }
        };
        let (words, complaint) = (fs::read_to_string(said).unwrap(), fs::read_to_string(complained).unwrap());
        if succeeded { Ok(words) } else { Err(words + complaint.as_str()) }
    }

    pub(crate) fn serve(&self) -> Server {
        self.start(self.command(&["serve"]))
    }

    /// Waits until it says where it listens.
    pub(crate) fn start(&self, mut command: Command) -> Server {
        let log = fs::File::options().create(true).append(true).open(self.beside("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            if said.read_line(&mut line).unwrap() == 0 {
                let status = child.wait().unwrap();
                panic!("the server ended with {status}:\n{}", fs::read_to_string(self.beside("log")).unwrap());
            }
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                break address.to_owned();
            }
        };
        // A socket of a life before must not be asked: no connection is kept for another request.
        let socket = Client::builder().unix_socket(self.data().join("admin.sock")).pool_max_idle_per_host(0);
        let admin = socket.timeout(PATIENCE).build().unwrap();
        Server {
            child: Mutex::new(child),
            _said: said,
            base: format!("http://{address}"),
            http: self.http.clone(),
            admin,
        }
    }
}

/// The text of a configuration of the data directory at `data`.
pub(crate) fn configuration(data: &Path, lines: &str) -> String {
    format!("issuer = {ISSUER:?}\nlisten = \"127.0.0.1:0\"\ndata_dir = {data:?}\n{lines}\n")
}

/// The same, checked, for a server in process.
pub(crate) fn configured(data: &Path, lines: &str) -> Config {
    config::from_toml(&configuration(data, lines), []).unwrap()
}

/// A running server. It ends with this value.
pub(crate) struct Server {
    child: Mutex<Child>,
    /// Kept open: the server would fail to say more otherwise.
    _said: BufReader<ChildStdout>,
    base: String,
    http: Client,
    admin: Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> reqwest::Result<Self> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let retry_after = headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let text = answer.text().await?;
        Ok(Self { status, retry_after, body: serde_json::from_str(&text).unwrap_or_default() })
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// Not now, but later: 503 with `Retry-After`.
    #[track_caller]
    pub(crate) fn is_put_off(&self) {
        assert_eq!((self.status, self.retry_after.as_deref()), (503, Some("1")), "{self:?}");
    }
}

impl Server {
    /// A request to the world's side of the server.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request to a URL that the server gave out, at the address where it really is.
    pub(crate) fn at_issuer(&self, method: Method, url: &str) -> RequestBuilder {
        self.request(method, url.strip_prefix(ISSUER).unwrap_or(url))
    }

    /// A call of the admin API on the local socket.
    pub(crate) async fn administer(&self, method: Method, path: &str, body: &Value) -> reqwest::Result<Answer> {
        Answer::of(self.admin.request(method, format!("http://localhost/admin/v1{path}")).json(body)).await
    }

    /// `kill -9`.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// `kill -TERM`, and waits for a good end.
    pub(crate) fn stop(self) {
        let mut child = self.child.lock();
        let told = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
        assert!(told.success());
        assert!(child.wait().unwrap().success(), "the server did not end well");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        // Nothing can be done about a process that is gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
}
