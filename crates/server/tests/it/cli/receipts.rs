//! Receipts from the command line: shown, waited for, signed, and checked by somebody who has the keys and nothing else.

use std::fs;

use serde_json::{Value, json};

use super::{Host, world::World};

fn position_of(answer: &Value) -> String {
    answer["position"].as_str().unwrap_or_else(|| panic!("no position: {answer}")).to_owned()
}

#[test]
fn a_receipt_is_shown_signed_and_checked_offline() {
    let mut world = World::new();
    world.issue();
    let host = &world.host;
    let position = position_of(&host.json(&["revoke", "user", "alice", "--reason", "left_company"]));
    let shown = host.json(&["receipt", "show", &position, "--wait"]);
    assert_eq!((&shown["finished"], &shown["user"]["user_name"]), (&json!(true), &json!("alice")), "{shown}");
    let ended = &shown["ended"];
    let counts = json!([ended["users"], ended["sessions"], ended["grants"], ended["access_tokens"]]);
    assert_eq!(counts, json!([1, 1, 3, 3]), "{shown}");
    let signed = host.run(&["receipt", "show", &position, "--signed"]).succeeded().stdout();
    let (file, jwks) = (host.path("receipt.jwt"), host.path("jwks.json"));
    let (file, jwks) = (file.to_str().unwrap(), jwks.to_str().unwrap());
    fs::write(file, &signed).unwrap();
    fs::write(jwks, serde_json::to_string(&host.json_at("/jwks")).unwrap()).unwrap();
    // Somebody else, without a server.
    let auditor = Host::new();
    let checked = auditor.json(&["receipt", "verify", file, "--jwks", jwks]);
    assert_eq!((&checked["valid"], &checked["finished"]), (&json!(true), &json!(true)), "{checked}");
    assert_eq!((&checked["receipt"], &checked["issuer"]), (&shown, &json!(host.issuer())));
    let by_server = host.run(&["receipt", "verify", file]).succeeded().stdout();
    assert!(by_server.starts_with("valid: ") && !by_server.contains("unfinished"), "{by_server}");

    let refused = |name: &str, text: &str, says: &str| {
        let file = host.path(name);
        fs::write(&file, text).unwrap();
        let ran = auditor.run(&["receipt", "verify", file.to_str().unwrap(), "--jwks", jwks]);
        assert!(ran.code() == 1 && ran.stderr().contains(says), "{name}: {}", ran.stderr());
    };
    let (claims, signature) = signed.trim().rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    refused("altered", &format!("{claims}.{other}{}", &signature[1..]), "the signature is wrong");
    refused("nothing", "nothing of the kind", "not a signed text");
    let head: Value = serde_json::from_str(&host.run(&["audit", "head"]).succeeded().stdout()).unwrap();
    refused("head", head["head"].as_str().unwrap(), "a token of another type");
    let stranger = Host::started();
    fs::write(jwks, serde_json::to_string(&stranger.json_at("/jwks")).unwrap()).unwrap();
    refused("stranger", &signed, "none of these keys");
}

#[test]
fn revocations_are_listed_by_what_is_asked_and_there_are_no_receivers() {
    let host = Host::started();
    host.client("robot", &[]);
    let first = position_of(&host.json(&["revoke", "client", "robot", "--reason", "policy"]));
    let second = position_of(&host.json(&["revoke", "everything", "--yes"]));
    let listed = |filter: &[&str]| {
        let listed = host.json(&[&["revocations", "list"], filter].concat());
        listed["items"].as_array().unwrap().iter().map(position_of).collect::<Vec<_>>()
    };
    assert_eq!(listed(&[]), [second.clone(), first.clone()]);
    assert_eq!(listed(&["--kind", "client"]), [first.as_str()]);
    assert_eq!(listed(&["--reason", "other"]), [second.as_str()]);
    assert_eq!(listed(&["--initiator", "local", "--since", "2020-01-01T00:00:00Z", "--limit", "1"]), [second]);
    assert_eq!(listed(&["--until", "2020-01-01T00:00:00Z"]), [""; 0]);
    assert_eq!(host.json(&["receivers", "list"])["items"], json!([]));
    assert_eq!(host.run(&["revocations", "list", "--kind", "planet"]).code(), 1);
    let shown = host.json(&["revocations", "show", &first]);
    assert_eq!(shown["deliveries"], json!([]));
}
