//! The command line against a running server: the real program on both sides.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail here, in its supporting functions too")]

mod audit;
mod commands;
mod endings;
mod guards;
mod receipts;
mod scripts;
mod users;
mod world;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rescind");

/// A data directory, the port it is served on, and the server while it runs.
struct Host {
    folder: TempDir,
    port: u16,
    server: Option<Child>,
    /// Variables of its own, over those that every host has.
    settings: &'static [(&'static str, &'static str)],
}

/// A command that ran.
struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().unwrap_or(-1)
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    fn succeeded(self) -> Self {
        assert!(self.0.status.success(), "{}\n{}", self.stdout(), self.stderr());
        self
    }

    fn json(self) -> Value {
        serde_json::from_str(&self.succeeded().stdout()).unwrap()
    }
}

impl Host {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { folder: tempfile::tempdir().unwrap(), port, server: None, settings: &[] }
    }

    fn started() -> Self {
        Self::started_with(&[])
    }

    fn started_with(settings: &'static [(&'static str, &'static str)]) -> Self {
        let mut host = Self::new();
        host.settings = settings;
        host.start();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of one of its files, as a command takes it.
    fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RESCIND")) {
            command.env_remove(name);
        }
        command.env("RESCIND_LISTEN", format!("127.0.0.1:{}", self.port));
        command.env("RESCIND_DATA_DIR", self.path("data"));
        command.envs(self.settings.iter().copied());
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--output", "json"]].concat()).json()
    }

    /// Runs a command that reads from standard input.
    fn run_with(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A command that fails early does not read; that is not what is tested.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran(child.wait_with_output().unwrap())
    }

    fn start(&mut self) {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut child = self.command(&["serve"]).stderr(log).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line == format!("ready at {}", self.issuer()));
        self.server = Some(child);
        assert!(ready, "{}", fs::read_to_string(self.path("log")).unwrap());
    }

    fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
        assert!(server.wait().unwrap().success(), "{}", fs::read_to_string(self.path("log")).unwrap());
    }

    /// What anybody gets at a path, in JSON.
    fn json_at(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.issuer());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            http.get(url).send().await.unwrap().json().await.unwrap()
        })
    }

    /// A token by client credentials, as any client gets one.
    fn token(&self, id: &str, secret: &str) -> String {
        let (url, id, secret) = (format!("{}/token", self.issuer()), id.to_owned(), secret.to_owned());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let answer: Value = runtime.block_on(async {
            let http = reqwest::Client::builder().build().unwrap();
            let request = http.post(url).basic_auth(id, Some(secret)).form(&[("grant_type", "client_credentials")]);
            request.send().await.unwrap().json().await.unwrap()
        });
        answer["access_token"].as_str().expect("a token").to_owned()
    }

    fn client(&self, id: &str, options: &[&str]) -> String {
        let added = self.json(&[&["client", "add", id, "--id", id], options].concat());
        added["client_secret"].as_str().unwrap().to_owned()
    }

    fn is_alive(&self, token: &str) -> bool {
        let explained = self.run_with(&["explain", "--output", "json"], token).json();
        explained["alive"] == json!(true)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn put_back(copy: &Path, database: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{suffix}", database.display()));
    }
    fs::copy(copy, database).unwrap();
}

#[test]
fn what_is_revoked_on_the_command_line_is_dead_and_explained() {
    let host = Host::started();
    let user = host.json(&["user", "add", "alice", "--email", "alice@example.org"]);
    assert_eq!(user["password"].as_str().map(str::len), Some(24), "made up, as nobody could be asked");
    host.json(&["api", "add", "https://api.example", "--name", "Orders", "--introspection-client"]);
    let secret = host.client("robot", &["--scope", "orders.read"]);
    let token = host.token("robot", &secret);
    assert!(host.is_alive(&token));
    let listed = host.json(&["tokens", "list", "--client", "robot"]);
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["state"]), (1, &json!("active")));
    let preview = host.json(&["revoke", "client", "robot", "--preview"]);
    assert_eq!(preview["access_tokens"], 1);
    assert!(host.is_alive(&token), "a preview ends nothing");
    let by_text = host.run_with(&["revoke", "token", "--preview", "--output", "json"], &token).json();
    assert_eq!(by_text["target"]["token"], listed["items"][0]["id"]);
    let ended = host.json(&["revoke", "client", "robot", "--reason", "token_leaked", "--note", "seen in a log"]);
    assert_eq!((&ended["position"], &ended["fresh"]), (&json!("1-1"), &json!(true)));
    let explained = host.run_with(&["explain"], &token).succeeded().stdout();
    for text in ["dead: revoked", "token_leaked", "seen in a log", "local", "1-1"] {
        assert!(explained.contains(text), "`{text}` is not in:\n{explained}");
    }
    assert!(!explained.contains(&token), "a token is never repeated");
    assert_eq!(host.run_with(&["introspect", "--output", "json"], &token).json(), json!({"active": false}));
    host.json(&["revoke", "user", "alice", "--api", "https://api.example"]);
    let entries = host.json(&["revocation", "list"]);
    assert_eq!(entries["items"][0]["target"]["kind"], "subject_audience");
    assert_eq!(host.json(&["revocation", "show", "1-1"])["note"], "seen in a log");
}

#[test]
fn a_device_is_named_by_what_others_call_it() {
    const GUID: &str = "0a1b2c3d-0000-4000-8000-00000000000a";
    let host = Host::started();
    let (written, name) = (format!("mdm={{{}}}", GUID.to_uppercase()), format!("mdm:{GUID}"));
    let added = host.json(&["device", "add", "Tablet", "--external-id", &written, "--external-id", "udid=A-1"]);
    assert_eq!(added["external_ids"][0], json!({"kind": "mdm", "value": GUID}));
    assert_eq!(host.json(&["device", "show", &name])["id"], added["id"]);
    assert_eq!(host.json(&["device", "set", "udid:a-1", "--name", "Old tablet"])["id"], added["id"]);
    let conflict = host.run(&["device", "add", "Other", "--external-id", &format!("mdm={GUID}")]);
    let said = format!("rescind: a device with the `mdm` id `{GUID}` already exists\n");
    assert_eq!((conflict.code(), conflict.stderr()), (1, said));
    assert_eq!(host.json(&["revoke", "device", &name, "--preview"])["target"]["device"], added["id"]);
    let ended = host.json(&["revoke", "device", &name, "--reason", "device_retired"]);
    assert_eq!(ended["target"]["device"], added["id"]);
    assert_eq!(host.run(&["revoke", "device", "mdm:nobody"]).stderr(), "rescind: no device `mdm:nobody` is known\n");
    assert!(host.run(&["revoke", "device", "planet:x"]).stderr().contains("unknown kind of external id"));
    assert_eq!(host.json(&["sessions", "list", "--device", &name])["items"], json!([]));
    assert_eq!(host.json(&["status"])["ledger"]["head"], "1-1", "only one of these orders was one");
}

#[test]
fn a_command_that_fails_says_so_in_one_line_and_by_its_exit_code() {
    let mut host = Host::started();
    let unknown = host.run(&["revoke", "user", "nobody"]);
    assert_eq!((unknown.code(), unknown.stderr().as_str()), (1, "rescind: no user `nobody` is known\n"));
    let problem = host.run(&["revoke", "user", "nobody", "--output", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&problem.stderr()).unwrap()["status"], 404);
    assert_eq!(host.run(&["revoke", "everything"]).code(), 2);
    assert_eq!(host.run(&["revoke", "user"]).code(), 2);
    assert_eq!(host.run(&["revoke", "planet", "earth"]).code(), 2);
    host.stop();
    let stopped = host.run(&["user", "list"]);
    assert!(stopped.code() == 1 && stopped.stderr().contains("rescind serve"), "{}", stopped.stderr());
}

#[test]
fn from_elsewhere_a_client_may_do_what_its_scopes_say() {
    let host = Host::started();
    let secret = host.client("auditor", &["--scope", "rescind:read"]);
    fs::write(host.path("secret"), secret).unwrap();
    let elsewhere = Host::new();
    let (issuer, file) = (host.issuer(), host.path("secret"));
    let far = ["--server", &issuer, "--client-id", "auditor", "--client-secret-file", file.to_str().unwrap()];
    let clients = elsewhere.json(&[&["client", "list"], &far[..]].concat());
    assert_eq!(clients["items"][0]["id"], "auditor");
    let refused = elsewhere.run(&[&["revoke", "everything", "--yes", "--output", "json"], &far[..]].concat());
    assert_eq!(refused.code(), 1);
    assert_eq!(serde_json::from_str::<Value>(&refused.stderr()).unwrap()["code"], "insufficient_scope");
    assert_eq!(host.json(&["status"])["ledger"]["head"], "1-0");
}

#[test]
fn the_doctor_finds_a_sound_deployment_sound_and_an_open_key_open() {
    let host = Host::started();
    let sound = host.run(&["doctor"]).succeeded().stdout();
    assert!(sound.contains("ok    issuer") && !sound.contains("FAIL"), "{sound}");
    let key = host.path("data/master.key");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let open = host.run(&["doctor"]);
    assert!(open.code() == 1 && open.stdout().contains("chmod 600"), "{}", open.stdout());
    fs::remove_file(&key).unwrap();
    let missing = host.run(&["doctor", "--output", "json"]);
    assert!(missing.code() == 1 && missing.stdout().contains("not part of a backup"), "{}", missing.stdout());
}

#[test]
fn after_a_restore_the_applications_are_back_and_every_token_is_dead() {
    let mut host = Host::started();
    let secret = host.client("robot", &[]);
    let before = host.token("robot", &secret);
    let backup = host.path("backup.db");
    let named = backup.to_str().unwrap();
    host.run(&["backup", named]).succeeded();
    assert_eq!(host.run(&["backup", named]).code(), 1, "a backup is never overwritten");
    let after = host.token("robot", &secret);
    host.client("late", &[]);
    assert_eq!(host.run(&["restore", named]).code(), 1, "not while a server runs");
    host.stop();
    host.run(&["restore", named]).succeeded();
    host.start();
    assert!(!host.is_alive(&before) && !host.is_alive(&after));
    assert_eq!(host.json(&["client", "list"])["items"].as_array().unwrap().len(), 2, "the console, and the one");
    let fresh = host.token("robot", &secret);
    assert!(host.is_alive(&fresh));
}

#[test]
fn a_database_put_back_by_hand_is_refused_until_an_epoch_is_opened() {
    let mut host = Host::started();
    let secret = host.client("robot", &[]);
    let token = host.token("robot", &secret);
    host.stop();
    let (database, copy) = (host.path("data/rescind.db"), host.path("copy.db"));
    fs::copy(&database, &copy).unwrap();
    host.start();
    host.json(&["revoke", "client", "robot"]);
    assert!(!host.is_alive(&token));
    host.stop();
    put_back(&copy, &database);
    let refused = host.run(&["serve"]);
    assert_eq!(refused.code(), 1);
    assert!(refused.stderr().contains("rescind epoch open"), "{}", refused.stderr());
    assert_eq!(host.run(&["doctor"]).code(), 1);
    host.run(&["epoch", "open", "--note", "put back by hand"]).succeeded();
    host.start();
    assert!(!host.is_alive(&token), "the revocation that the old file does not have");
    assert_eq!(host.json(&["revocation", "list"])["items"][0]["target"]["kind"], "everything");
}
