//! `rescind audit`: what it finds in a sound trail, and that it finds whatever was done to one.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{Host, Ran, world::World};

/// A server with some history: people, tokens, endings, a setting.
fn with_history() -> World {
    let mut world = World::new();
    let held = world.issue();
    for token in &held[..2] {
        world.host.run_with(&["revoke", "token"], &token.token).succeeded();
    }
    world.host.json(&["revoke", "user", "bob", "--note", "left, \"for good\"\u{85}"]);
    world.host.json(&["revoke", "client", "desk", "--before", "2026-01-31T12:00:00Z"]);
    world.host.json(&["settings", "set", "statusListTtl", "5"]);
    world
}

fn export(host: &Host, options: &[&str]) -> String {
    host.run(&[&["audit", "export"], options].concat()).succeeded().stdout()
}

fn verify_file(host: &Host, text: &str, options: &[&str]) -> Ran {
    fs::write(host.path("trail"), text).unwrap();
    let file = host.path("trail");
    host.run(&[&["audit", "verify", "--file", file.to_str().unwrap()], options].concat())
}

fn numbers(export: &str) -> Vec<u64> {
    let lines = export.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["record"].is_object()).map(|line| line["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_sound_trail_verifies_at_the_server_in_an_export_and_in_the_data_directory() {
    let mut world = with_history();
    let found = world.host.json(&["audit", "verify"]);
    assert_eq!((&found["sound"], &found["faults"]), (&json!(true), &json!([])), "{found}");
    assert!(found["revocations"].as_u64().unwrap() >= 3, "{found}");
    let shown = world.host.run(&["audit", "verify"]).succeeded().stdout();
    assert!(shown.contains("has a good signature") && shown.contains("the audit trail is sound"), "{shown}");
    let head = world.host.run(&["audit", "head"]).succeeded().stdout();
    fs::write(world.host.path("kept"), &head).unwrap();
    let jwks = Command::new("curl").arg("-s").arg(format!("{}/jwks", world.host.issuer())).output().unwrap();
    fs::write(world.host.path("jwks"), jwks.stdout).unwrap();
    let (kept, jwks) = (world.host.path("kept"), world.host.path("jwks"));
    let witnesses = ["--head", kept.to_str().unwrap(), "--jwks", jwks.to_str().unwrap()];
    world.host.json(&["settings", "set", "statusListTtl", "6"]);
    for format in ["json", "syslog"] {
        let text = export(&world.host, &["--format", format]);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
        let lines = text.lines().filter(|line| line.starts_with("<110>1 20")).count();
        assert_eq!(lines, if format == "json" { 0 } else { text.lines().count() });
        let shown = verify_file(&world.host, &text, &witnesses).succeeded().stdout();
        assert!(shown.contains("has a good signature"), "{shown}");
        let shown = verify_file(&world.host, &text, &[]).succeeded().stdout();
        assert!(shown.contains("signatures were not checked"), "{shown}");
    }
    world.host.json(&["keys", "rotate"]);
    let rotated = world.host.run(&[&["audit", "verify"], &witnesses[..]].concat()).succeeded().stdout();
    assert!(rotated.contains("that of the kept head"), "a rotation of keys is no forgery: {rotated}");
    assert_eq!(world.host.run(&["audit", "verify", "--offline"]).code(), 1, "not while a server runs");
    world.host.stop();
    let last: Value = serde_json::from_str(&fs::read_to_string(world.host.path("data/audit-head")).unwrap()).unwrap();
    let found = world.host.json(&["audit", "verify", "--offline"]);
    assert_eq!(
        (&found["sound"], &found["last"]),
        (&json!(true), &last["seq"]),
        "the head was signed at the end: {found}"
    );
}

#[test]
fn an_export_can_begin_at_a_record_or_at_a_time() {
    let world = with_history();
    let all = numbers(&export(&world.host, &[]));
    assert_eq!(all[0], 1);
    let some = export(&world.host, &["--since", "4"]);
    assert_eq!(numbers(&some)[0], 4);
    verify_file(&world.host, &some, &[]).succeeded();
    assert_eq!(numbers(&export(&world.host, &["--since", "2001-01-01T00:00:00Z"]))[0], 1);
    assert!(numbers(&export(&world.host, &["--since", "2999-01-01T00:00:00Z"])).is_empty());
    let wrong = world.host.run(&["audit", "export", "--since", "yesterday"]);
    assert!(wrong.code() == 1 && wrong.stderr().contains("`since` is a time"), "{}", wrong.stderr());
}

#[test]
fn an_export_that_was_touched_is_found_out_with_the_record_and_what_is_wrong() {
    let world = with_history();
    let sound = export(&world.host, &[]);
    verify_file(&world.host, &sound, &[]).succeeded();
    let lines: Vec<&str> = sound.lines().collect();
    let place = lines.iter().position(|line| line.contains(r#""outcome":"ended""#)).unwrap();
    let seq = serde_json::from_str::<Value>(lines[place]).unwrap()["seq"].as_u64().unwrap();
    let spoilt = |spoil: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        spoil(&mut lines);
        let found = verify_file(&world.host, &(lines.join("\n") + "\n"), &[]);
        assert_eq!(found.code(), 1, "{}", found.stdout());
        format!("{}{}", found.stdout(), found.stderr())
    };
    let removed = spoilt(&|lines| drop(lines.remove(place)));
    assert!(removed.contains(&format!("FAULT record {seq} is missing")), "{removed}");
    let altered = spoilt(&|lines| lines[place] = lines[place].replace("\"ended\"", "\"Ended\""));
    assert!(altered.contains(&format!("FAULT record {seq} does not have the hash")), "{altered}");
    let again = r#""seq":1,"#;
    let respaced =
        spoilt(&|lines| lines[1] = lines[1].replace(&format!("{{{again}\"at\""), &format!("{{ {again}\"at\"")));
    assert!(respaced.contains("FAULT record 1 does not have the hash"), "{respaced}");
    let moved = spoilt(&|lines| lines.swap(place, place + 1));
    assert!(moved.contains("is out of its place"), "{moved}");
    let cut = spoilt(&|lines| lines.truncate(place + 1));
    assert!(cut.contains(&format!("the trail ends with record {seq}, but the first line says")), "{cut}");
    let headless = spoilt(&|lines| drop(lines.remove(0)));
    assert!(headless.contains("is no export"), "{headless}");
    let noise = spoilt(&|lines| lines.insert(place, "{}".to_owned()));
    assert!(noise.contains(&format!("line {}: neither", place + 1)), "{noise}");
}

/// What somebody does who gets at the database of a server that stands still.
fn tamper(host: &Host, sql: &str) {
    let script = format!(
        "import sqlite3\nc = sqlite3.connect('data/rescind.db')\nc.executescript(\"\"\"{sql}\"\"\")\nc.close()\n"
    );
    let ran = Command::new("python3").args(["-c", &script]).current_dir(host.folder.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn offline(host: &Host) -> String {
    let found = host.run(&["audit", "verify", "--offline"]);
    assert_eq!(found.code(), 1, "{}", found.stdout());
    found.stdout()
}

#[test]
fn a_trail_cut_off_in_the_database_is_found_and_the_server_does_not_sign_what_is_left() {
    let mut world = with_history();
    world.host.stop();
    let kept = fs::read_to_string(world.host.path("data/audit-head")).unwrap();
    // The signed heads go too: only the file speaks against it.
    tamper(&world.host, "DELETE FROM audit WHERE seq > 6; DELETE FROM audit_heads WHERE seq > 6;");
    let found = offline(&world.host);
    assert!(found.contains("the trail ends with record 6, but the file `audit-head` says"), "{found}");
    world.host.start();
    let refused = world.host.run(&["audit", "head"]);
    assert!(
        refused.code() == 1 && refused.stderr().contains("contradicts the head in the file"),
        "{}",
        refused.stderr()
    );
    let found = world.host.run(&["audit", "verify"]);
    assert!(found.code() == 1 && found.stdout().contains("the file `audit-head`"), "{}", found.stdout());
    assert_eq!(fs::read_to_string(world.host.path("data/audit-head")).unwrap(), kept, "the evidence stays");
}

#[test]
fn what_is_done_to_records_and_entries_in_the_database_is_found() {
    let mut world = with_history();
    world.host.stop();
    let database = world.host.path("data/rescind.db");
    let sound = fs::read(&database).unwrap();
    for (sql, told) in [
        ("DELETE FROM audit WHERE seq = 4", "FAULT record 4 is missing"),
        (
            "UPDATE audit SET body = replace(body, 'local', 'louis') WHERE seq = 5",
            "FAULT record 5 does not have the hash",
        ),
        (
            "DELETE FROM audit WHERE seq <= 3; UPDATE meta SET audit_floor_seq = 3, audit_floor_hash = (SELECT zeroblob(32))",
            "FAULT",
        ),
        ("DELETE FROM entries WHERE seq = 2", "tells of the revocation 1-2, which is not in the ledger"),
        ("UPDATE entries SET reason = 'logout' WHERE seq = 3", "and the ledger differ on the revocation 1-3"),
        ("UPDATE audit_heads SET token = replace(token, '.e', '.f')", "the signature of"),
    ] {
        tamper(&world.host, sql);
        let found = offline(&world.host);
        assert!(found.contains(told), "{sql}: {found}");
        fs::write(&database, &sound).unwrap();
    }
    let head = world.host.path("data/audit-head");
    let kept = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    assert!(offline(&world.host).contains("FAULT heads were signed, but the file `audit-head`"));
    fs::write(&head, kept).unwrap();
    // Whoever moves the beginning and takes care that the rest fits still has to account for what is gone.
    tamper(
        &world.host,
        "UPDATE meta SET audit_floor_seq = 3, audit_floor_hash = (SELECT hash FROM audit WHERE seq = 3);
         DELETE FROM audit WHERE seq <= 3; DELETE FROM audit_heads WHERE seq < 3",
    );
    let found = offline(&world.host);
    assert!(found.contains("no record tells that the ones before were forgotten by rule"), "{found}");
}

#[test]
fn records_are_listed_by_every_filter() {
    let world = with_history();
    let list = |filter: &[&str]| {
        let found = world.host.json(&[&["audit", "list"], filter].concat());
        found["items"].as_array().unwrap().clone()
    };
    let orders = list(&["--action", "order", "--outcome", "ended", "--actor", "local"]);
    assert!(orders.len() >= 3 && orders.iter().all(|record| record["action"] == "order"), "{orders:#?}");
    assert_eq!(list(&["--action", "setting"])[0]["what"], "statusListTtl: 10 -> 5");
    let id = orders[0]["correlation_id"].as_str().unwrap();
    assert_eq!(list(&["--correlation-id", id]).len(), 1);
    assert!(list(&["--client", "robot"]).is_empty());
    assert!(list(&["--since", "2999-01-01T00:00:00Z"]).is_empty());
    let first = world.host.json(&["audit", "list", "--limit", "2"]);
    let next = first["next"].as_str().unwrap();
    let second = list(&["--limit", "1", "--cursor", next]);
    assert_eq!(second[0]["seq"].as_u64().unwrap() + 1, first["items"][1]["seq"].as_u64().unwrap());
    let table = world.host.run(&["audit", "list", "--action", "order"]).succeeded().stdout();
    assert!(table.contains("administrator local") && table.contains("correlation id"), "{table}");
}

#[test]
fn a_restore_sets_the_head_aside_and_the_trail_goes_on() {
    let mut world = with_history();
    let backup = world.host.path("backup.db");
    world.host.run(&["backup", backup.to_str().unwrap()]).succeeded();
    world.host.json(&["settings", "set", "statusListTtl", "9"]);
    world.host.stop();
    world.host.run(&["restore", backup.to_str().unwrap()]).succeeded();
    world.host.start();
    let found = world.host.json(&["audit", "verify"]);
    assert_eq!(found["sound"], true, "{found}");
    let aside = fs::read_dir(world.host.path("data")).unwrap().flatten();
    assert!(aside.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("audit-head.before-")));
}
