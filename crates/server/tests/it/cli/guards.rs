//! Guards from the command line: what has to be confirmed, approved, waited for, and done to many at once.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    Host, PROGRAM, Ran,
    world::{ORDERS, World},
};

/// The options of somebody who administers from elsewhere.
struct Elsewhere {
    issuer: String,
    file: String,
}

impl Elsewhere {
    fn new(host: &Host) -> Self {
        let secret = host.client("boss", &["--scope", "rescind:write"]);
        fs::write(host.path("boss.secret"), secret).unwrap();
        Self { issuer: host.issuer(), file: host.path("boss.secret").to_str().unwrap().to_owned() }
    }

    fn run(&self, host: &Host, arguments: &[&str]) -> Ran {
        let far = ["--server", &self.issuer, "--client-id", "boss", "--client-secret-file", &self.file];
        host.run(&[arguments, &far, &["--output", "json"]].concat())
    }
}

fn pending_of(answer: &Value) -> String {
    answer["pending"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn what_reaches_many_is_confirmed_and_the_phrase_is_told() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    host.json(&["settings", "set", "guardUsers", "1"]);
    let refused = host.run(&["revoke", "client", "desk"]);
    let said = "rescind: not confirmed, so nothing was done: --confirm 'revoke client desk'\n";
    assert_eq!((refused.code(), refused.stderr().as_str()), (1, said));
    assert_eq!(host.run(&["revoke", "client", "desk", "--confirm", "revoke client portal"]).code(), 1);
    assert!(host.is_alive(&held[0].token));
    host.json(&["revoke", "client", "desk", "--confirm", "revoke client desk"]);
    assert!(!host.is_alive(&held[0].token) && host.is_alive(&held[2].token));
    let set = ["api", "set", ORDERS, "--scope", "write"];
    assert_eq!(host.run(&set).code(), 0, "of the two only one person is left");
}

/// Runs a command on a terminal, which `script` of util-linux makes, and types something there.
fn on_a_terminal(host: &Host, line: &str, typed: &str) -> (bool, String) {
    let mut command = Command::new("script");
    command.env("RESCIND_DATA_DIR", host.path("data"));
    let line = format!("{PROGRAM} {line}");
    let command = command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{typed}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn on_a_terminal_the_phrase_is_asked_for() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    host.json(&["settings", "set", "guardUsers", "1"]);
    let (done, screen) = on_a_terminal(host, "revoke client desk", "yes");
    assert!(!done && screen.contains("2 users") && screen.contains("nothing was done"), "{screen}");
    assert!(host.is_alive(&held[0].token));
    let (done, screen) = on_a_terminal(host, "revoke client desk", "revoke client desk");
    assert!(done && screen.contains("type `revoke client desk`") && screen.contains("revoked"), "{screen}");
    assert!(!host.is_alive(&held[0].token));
}

#[test]
fn removing_what_many_use_is_confirmed_too() {
    let mut world = World::new();
    world.issue();
    let host = &world.host;
    host.json(&["settings", "set", "guardUsers", "1"]);
    for (change, phrase) in [
        (["client", "remove", "desk"].as_slice(), "remove client desk"),
        (&["client", "set", "desk", "--disabled"], "change client desk"),
        (&["api", "remove", ORDERS], "remove api https://orders.example"),
    ] {
        let refused = host.run(change);
        assert!(refused.code() == 1 && refused.stderr().contains(&format!("--confirm '{phrase}'")), "{phrase}");
    }
    host.json(&["api", "remove", ORDERS, "--confirm", "remove api https://orders.example"]);
    host.json(&["client", "remove", "desk", "--confirm", "remove client desk"]);
}

#[test]
fn a_second_administrator_approves_or_withdraws_and_the_glass_can_be_broken() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    let boss = Elsewhere::new(host);
    host.json(&["settings", "set", "guardUsers", "1"]);
    host.json(&["settings", "set", "guardSecondAdministrator", "true"]);
    let order = ["revoke", "client", "desk", "--confirm", "revoke client desk"];
    let waits = host.run(&order).succeeded().stdout();
    assert!(waits.starts_with("waits for another administrator"), "{waits}");
    let kept = host.json(&["revocation", "pending", "--state", "waiting"]);
    let id = kept["items"][0]["id"].as_str().unwrap();
    let own = host.run(&["revocation", "approve", id]);
    assert!(own.code() == 1 && own.stderr().contains("another administrator"), "{}", own.stderr());
    assert!(host.is_alive(&held[0].token));
    let approved = boss.run(host, &["revocation", "approve", id]).json();
    assert_eq!(approved["state"], "carried_out");
    assert!(!host.is_alive(&held[0].token));
    let shown = host.json(&["revocation", "show", approved["position"].as_str().unwrap()]);
    assert_eq!(shown["initiator"]["id"], "local", "who ordered it");
    assert_eq!(host.json(&["revocation", "pending", id])["approved_by"]["id"], "boss");

    let everything = ["revoke", "everything", "--yes", "--confirm", "revoke everything"];
    let id = pending_of(&host.json(&everything));
    assert_eq!(boss.run(host, &["revocation", "withdraw", &id]).json()["state"], "withdrawn");
    assert_eq!(
        boss.run(host, &["revocation", "cancel", &id]).code(),
        1,
        "the same command, and nothing is left to cancel"
    );
    assert!(host.is_alive(&held[2].token));
    let ended = host.json(&[&everything[..], &["--break-glass", "the breach"]].concat());
    assert_eq!(ended["fresh"], true);
    assert!(!host.is_alive(&held[2].token));
    let loud = host.json(&["audit", "list", "--action", "break_glass"]);
    assert_eq!(loud["items"][0]["note"], "the breach");
    let log = fs::read_to_string(host.path("log")).unwrap();
    assert!(log.contains("break-glass"), "{log}");
}

#[test]
fn an_order_for_later_is_kept_listed_and_comes_in_its_time() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    assert_eq!(host.run(&["revoke", "user", "bob", "--at", "tomorrow"]).code(), 1);
    let ahead = |secs: i64| {
        let now = rescind::clock::Clock::System.now().secs();
        jiff::Timestamp::from_second(now + secs).unwrap().to_string()
    };
    let late = host.run(&["revoke", "user", "bob", "--at", &ahead(86_400)]).succeeded().stdout();
    assert!(late.starts_with("scheduled"), "{late}");
    let id = pending_of(&host.json(&["revoke", "user", "alice", "--at", &ahead(2), "--reason", "left_company"]));
    assert!(host.is_alive(&held[0].token));
    let carried_out = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        host.json(&["revocation", "pending", &id])["state"] == "carried_out"
    });
    assert!(carried_out && !host.is_alive(&held[0].token) && host.is_alive(&held[3].token));
}

#[test]
fn many_users_are_one_job() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    let user = |name: &str| host.json(&["user", "show", name])["id"].as_str().unwrap().to_owned();
    let (alice, bob) = (user("alice"), user("bob"));
    let file = host.path("users").to_str().unwrap().to_owned();
    let write = |lines: &[&str]| fs::write(&file, lines.join("\n")).unwrap();
    write(&["# who leaves", &alice, "", "u_nobody", &alice]);
    let done = host.json(&["bulk", "revoke", "--users-file", &file, "--reason", "left_company"]);
    assert_eq!((&done["state"], &done["done"], &done["failed"]), (&json!("done"), &json!(1), &json!(1)));
    assert!(!host.is_alive(&held[0].token) && host.is_alive(&held[3].token));
    let shown = host.run(&["bulk", "show", done["id"].as_str().unwrap()]).succeeded().stdout();
    assert!(shown.contains("u_nobody") && shown.contains("there is no such user"), "{shown}");

    host.json(&["settings", "set", "guardUsers", "1"]);
    write(&[&alice, &bob]);
    let refused = host.run(&["bulk", "disable", "--users-file", &file]);
    assert!(refused.stderr().contains("--confirm 'disable 2 users'"), "{}", refused.stderr());
    host.json(&["bulk", "disable", "--users-file", &file, "--confirm", "disable 2 users"]);
    assert_eq!(host.json(&["user", "show", "bob"])["enabled"], false);
    host.json(&["bulk", "enable", "--users-file", &file, "--confirm", "enable 2 users"]);
    assert_eq!(host.json(&["user", "show", "bob"])["enabled"], true);

    let boss = Elsewhere::new(host);
    host.json(&["settings", "set", "guardSecondAdministrator", "true"]);
    let order = || host.json(&["bulk", "revoke", "--users-file", &file, "--confirm", "revoke 2 users", "--no-wait"]);
    let (one, other) = (order(), order());
    assert_eq!((&one["state"], &other["state"]), (&json!("waiting"), &json!("waiting")));
    assert_eq!(host.json(&["bulk", "stop", one["id"].as_str().unwrap()])["state"], "stopped");
    let id = other["id"].as_str().unwrap();
    assert_eq!(host.run(&["bulk", "approve", id]).code(), 1);
    assert_eq!(boss.run(host, &["bulk", "approve", id]).json()["state"], "running");
    assert_eq!(host.json(&["bulk", "list"])["items"].as_array().unwrap().len(), 5);
    write(&["# nobody"]);
    assert_eq!(host.run(&["bulk", "revoke", "--users-file", &file]).code(), 2);
}
