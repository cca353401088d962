//! Every way to revoke on the command line, each seen in what is dead after it and in what is not.

use std::fs;

use serde_json::{Value, json};

use super::world::{Held, ORDERS, TABLET, World};

/// What is written behind `rescind revoke`, the target that the ledger then names, and what ends. Names in braces are
/// those of the first token, of Alice at her desk for Orders.
const ENDINGS: [(&str, &str, &[&str]); 14] = [
    ("token {token}", r#"{"kind":"token","token":"{token}"}"#, &["alice desk orders"]),
    ("token --file {file}", r#"{"kind":"token","token":"{token}"}"#, &["alice desk orders"]),
    ("grant {grant}", r#"{"kind":"grant","grant":"{grant}"}"#, &["alice desk orders"]),
    (
        "session {session}",
        r#"{"kind":"session","session":"{session}"}"#,
        &["alice desk orders", "alice desk payroll", "alice portal orders"],
    ),
    (
        "device {tablet}",
        r#"{"kind":"device","device":"{device}"}"#,
        &["alice desk orders", "alice desk payroll", "alice portal orders"],
    ),
    (
        "device {device} --client desk",
        r#"{"kind":"device_client","device":"{device}","client":"desk"}"#,
        &["alice desk orders", "alice desk payroll"],
    ),
    (
        "user alice",
        r#"{"kind":"subject","issuer":"{issuer}","subject":"{user}"}"#,
        &["alice desk orders", "alice desk payroll", "alice portal orders"],
    ),
    (
        "user {user} --client desk",
        r#"{"kind":"subject_client","issuer":"{issuer}","subject":"{user}","client":"desk"}"#,
        &["alice desk orders", "alice desk payroll"],
    ),
    (
        "user alice --api {orders}",
        r#"{"kind":"subject_audience","issuer":"{issuer}","subject":"{user}","audience":"{orders}"}"#,
        &["alice desk orders", "alice portal orders"],
    ),
    (
        "client desk",
        r#"{"kind":"client","client":"desk"}"#,
        &["alice desk orders", "alice desk payroll", "bob desk orders"],
    ),
    (
        "client desk --api {orders}",
        r#"{"kind":"client_audience","client":"desk","audience":"{orders}"}"#,
        &["alice desk orders", "bob desk orders"],
    ),
    (
        "api {orders}",
        r#"{"kind":"audience","audience":"{orders}"}"#,
        &["alice desk orders", "alice portal orders", "bob desk orders", "robot orders"],
    ),
    ("key {key}", r#"{"kind":"key","key":"{key}"}"#, &["alice desk payroll", "robot payroll"]),
    (
        "everything --yes",
        r#"{"kind":"everything"}"#,
        &[
            "alice desk orders",
            "alice desk payroll",
            "alice portal orders",
            "bob desk orders",
            "robot orders",
            "robot payroll",
        ],
    ),
];

/// What the names in braces stand for.
fn names(world: &World, held: &[Held]) -> Vec<(&'static str, String)> {
    let [first, jwt, ..] = held else { panic!("too few tokens") };
    let file = world.host.path("token");
    fs::write(&file, &first.token).unwrap();
    let record = world.record(first);
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {record}")).to_owned();
    vec![
        ("{token}", text(&record["id"])),
        ("{file}", file.to_str().unwrap().to_owned()),
        ("{grant}", text(&record["grant"])),
        ("{session}", text(&record["session"])),
        ("{device}", text(&record["device"])),
        ("{user}", text(&record["user"])),
        ("{key}", text(&world.record(jwt)["key"])),
        ("{tablet}", TABLET.to_owned()),
        ("{orders}", ORDERS.to_owned()),
        ("{issuer}", world.host.issuer()),
    ]
}

fn filled(text: &str, names: &[(&'static str, String)]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[test]
fn every_kind_of_revocation_ends_what_it_names_and_nothing_else() {
    let mut world = World::new();
    for (place, (written, target, ends)) in ENDINGS.into_iter().enumerate() {
        let held = world.issue();
        let names = names(&world, &held);
        let line = filled(written, &names);
        let target: Value = serde_json::from_str(&filled(target, &names)).unwrap();
        let words: Vec<&str> = ["revoke"].into_iter().chain(line.split(' ')).collect();
        let alive = world.alive();
        let preview = world.host.json(&[&words[..], &["--preview"]].concat());
        assert_eq!(preview["target"], target, "{line}");

        let (key, note) = (format!("order {place}"), format!("because of {written}"));
        let why = ["--reason", "policy", "--note", &note, "--idempotency-key", &key];
        let order = [&words[..], &why].concat();
        let ended = world.host.json(&order);
        assert_eq!((&ended["target"], &ended["fresh"]), (&target, &json!(true)), "{line}");
        assert_eq!(ended["position"], preview["position"], "{line}: a preview writes nothing");
        let again = world.host.json(&order);
        assert_eq!(
            (&again["position"], &again["fresh"]),
            (&ended["position"], &json!(false)),
            "{line}: the same order"
        );

        let entry = world.host.json(&["receipt", "show", ended["position"].as_str().unwrap(), "--wait"]);
        for counted in ["users", "sessions", "grants", "access_tokens", "by_client", "by_api"] {
            assert_eq!(entry["ended"][counted], preview[counted], "{line}: {counted} as in the preview");
        }
        let shown = (&entry["target"], &entry["reason"], &entry["note"]);
        assert_eq!(shown, (&target, &json!("policy"), &json!(note)), "{line}");
        let dead = held.iter().filter(|one| !world.host.is_alive(&one.token)).map(|one| one.name);
        assert_eq!(dead.collect::<Vec<_>>(), ends, "{line}");
        assert_eq!(
            preview["access_tokens"],
            json!(alive - world.alive()),
            "{line}: as many as the preview has counted"
        );
    }
    let listed = world.host.json(&["revocation", "list"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), ENDINGS.len(), "one entry for each order");
}

#[test]
fn a_revocation_before_a_time_ends_the_older_tokens_alone_and_its_time_is_shown() {
    let mut world = World::new();
    let old = world.issue();
    let now = jiff::Timestamp::now();
    let next = jiff::Timestamp::from_second(now.as_second() + 1).unwrap();
    std::thread::sleep(now.duration_until(next).unsigned_abs());
    let (young, time) = (world.issue(), next.to_string());
    let line = ["revoke", "client", "robot", "--before", &time];
    let preview = world.host.json(&[&line[..], &["--preview"]].concat());
    let ended = world.host.json(&line);
    assert_eq!((&preview["access_tokens"], &preview["position"]), (&json!(2), &ended["position"]));
    assert_eq!((&preview["before"], &ended["before"]), (&json!(next.as_millisecond()), &preview["before"]));
    let dead = |held: &[Held]| held.iter().filter(|one| !world.host.is_alive(&one.token)).count();
    assert_eq!((dead(&old), dead(&young)), (2, 0));
    let shown = world.host.run(&["revocations", "list"]).succeeded().stdout();
    assert!(shown.contains(&time), "{shown}");
    let explained = world.host.run_with(&["explain"], &old[4].token).succeeded().stdout();
    assert!(explained.contains("before") && explained.contains(&time), "{explained}");
    let refused = world.host.run(&["revoke", "client", "robot", "--before", "yesterday"]);
    assert!(refused.stderr().contains("`before` is a time"), "{}", refused.stderr());
}
