//! Scripts from the command line: tried without a server, stored, switched, looked at and taken out of use.

use std::fs;

use serde_json::{Value, json};

use super::Host;

const DENY: &str = "// é\nfn revoke(event) { deny().note(\"no\") }\n";
const ALLOW: &str = "fn revoke(event) { allow() }\n";

fn file(host: &Host, name: &str, source: &str) -> String {
    fs::write(host.path(name), source).unwrap();
    host.path(name).to_str().unwrap().to_owned()
}

#[test]
fn a_script_is_checked_without_a_server() {
    let host = Host::new();
    let good = file(&host, "good.rhai", DENY);
    let shown = host.run(&["script", "check", &good]).succeeded().stdout();
    assert!(shown.contains("unknown token") && shown.contains("denied_silently"), "{shown}");
    let tried = host.json(&["script", "check", &good]);
    assert!(tried["items"].as_array().unwrap().iter().all(|one| one["outcome"] == "denied_silently"), "{tried}");
    let named =
        file(&host, "named.rhai", "fn revoke(event) { if event.client == \"web\" { allow() } else { deny() } }");
    assert_eq!(host.json(&["script", "check", &named, "--client", "web"])["items"][0]["outcome"], "allowed");
    for (source, says) in [
        ("fn revoke(event) { allow( }", "line 1"),
        ("fn other(event) { allow() }", "fn revoke(event)"),
        ("fn revoke(event) { loop {} }", "no answer to 15 of 15 events"),
        ("fn revoke(event) { allow().widen(\"user\") }", "no answer to 2 of 15 events"),
        ("fn revoke(event) { event.header(\"cookie\") }", "no answer to 15"),
    ] {
        let bad = file(&host, "bad.rhai", source);
        let ran = host.run(&["script", "check", &bad]);
        assert!(ran.code() == 1 && ran.stderr().contains(says), "{source}: {}", ran.stderr());
    }
    assert_eq!(host.run(&["script", "check", "nothing.rhai"]).code(), 1);
}

#[test]
fn the_examples_pass_their_check() {
    let host = Host::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/scripts");
    let examples: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        host.run(&["script", "check", example.to_str().unwrap()]).succeeded();
    }
}

#[test]
fn a_script_is_stored_switched_shown_and_taken_out_of_use() {
    let host = Host::started();
    let (deny, allow) = (file(&host, "deny.rhai", DENY), file(&host, "allow.rhai", ALLOW));
    let put = host.json(&["script", "put", "guard", &deny, "--order", "-2", "--disabled"]);
    assert_eq!((&put["version"], &put["order"], &put["enabled"]), (&json!(1), &json!(-2), &json!(false)));
    assert_eq!(host.json(&["script", "enable", "guard"])["enabled"], true);
    let secret = host.client("robot", &[]);
    let token = host.token("robot", &secret);
    let revoke = || {
        let url = format!("{}/revoke", host.issuer());
        let arguments =
            ["-s", "-u", &format!("robot:{secret}"), "-d", &format!("token={token}"), "-w", "%{http_code}", &url];
        let ran = std::process::Command::new("curl").args(arguments).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    assert_eq!(revoke(), "200");
    assert!(host.is_alive(&token), "it denies");
    assert_eq!(host.json(&["script", "put", "guard", &allow])["version"], 2);
    let second = host.json(&["script", "show", "guard"]);
    assert_eq!((&second["source"], &second["order"], &second["enabled"]), (&json!(ALLOW), &json!(-2), &json!(true)));
    assert_eq!(host.json(&["script", "show", "guard", "--version-number", "1"])["source"], DENY);
    let shown = host.run(&["script", "show", "guard", "--version-number", "1"]).succeeded().stdout();
    assert!(shown.contains("administrator local") && shown.ends_with(DENY), "{shown}");
    assert_eq!(host.json(&["script", "disable", "guard"])["enabled"], false);
    assert_eq!(host.json(&["script", "order", "guard", "7"])["order"], 7);
    let listed = host.json(&["script", "list"]);
    let item = &listed["items"][0];
    assert_eq!((&item["name"], &item["version"], &item["source"]), (&json!("guard"), &json!(2), &Value::Null));
    assert_eq!(revoke(), "200");
    assert!(!host.is_alive(&token), "it is off");
    assert_eq!(host.json(&["script", "remove", "guard"])["removed"], true);
    assert_eq!(host.run(&["script", "show", "guard"]).code(), 1);
    let history = host.json(&["script", "history", "guard"]);
    assert_eq!(history["items"].as_array().unwrap().iter().map(|one| &one["version"]).collect::<Vec<_>>(), [2, 1]);
    let refused = host.run(&["script", "put", "guard", &file(&host, "bad.rhai", "fn revoke(event) {")]);
    assert!(refused.code() == 1 && refused.stderr().contains("not a script"), "{}", refused.stderr());
    // As long as a script may be, with what JSON makes longest.
    let most = format!("{ALLOW}//{}", "\u{1}".repeat((64 << 10) - ALLOW.len() - 2));
    assert_eq!(host.json(&["script", "put", "long", &file(&host, "long.rhai", &most)])["bytes"], 64 << 10);
}
