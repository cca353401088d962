//! The commands that show, change and remove, each by what can be seen of it afterwards.

use std::fs;

use serde_json::{Value, json};

use super::{
    Host,
    world::{ORDERS, PAYROLL, TABLET, World, ids},
};

#[test]
fn lists_are_narrowed_by_every_filter() {
    let mut world = World::new();
    let held = world.issue();
    let record = world.record(&held[0]);
    let of = |name: &str| record[name].as_str().unwrap();
    for (filter, tokens, grants) in [
        (&["--user", "alice"][..], 3, 3),
        (&["--user", "bob"], 1, 1),
        (&["--client", "desk"], 3, 3),
        (&["--client", "robot"], 2, 2),
        (&["--api", ORDERS], 4, 4),
        (&["--api", PAYROLL, "--user", "alice"], 1, 1),
        (&["--session", of("session")], 3, 3),
        (&["--grant", of("grant")], 1, 1),
        (&["--device", TABLET], 3, 3),
        (&[], 6, 6),
    ] {
        let count = |kind: &str| ids(&world.host.json(&[&[kind, "list"], filter].concat())).len();
        assert_eq!((count("tokens"), count("grants")), (tokens, grants), "{filter:?}");
    }
    let session = json!(of("session"));
    for filter in [["--user", "alice"], ["--device", TABLET], ["--session", of("session")]] {
        assert_eq!(ids(&world.host.json(&[&["sessions", "list"], &filter[..]].concat())), [&session], "{filter:?}");
    }
    assert_eq!(ids(&world.host.json(&["sessions", "list"])).len(), 2);
    assert_eq!(ids(&world.host.json(&["grants", "list", "--limit", "5"])).len(), 5);
    let first = world.host.json(&["tokens", "list", "--limit", "4"]);
    let rest = world.host.json(&["tokens", "list", "--limit", "4", "--cursor", first["next"].as_str().unwrap()]);
    let mut all = [ids(&first), ids(&rest)].concat();
    all.sort_by_key(|id| id.as_str());
    all.dedup();
    assert_eq!(all.len(), 6, "the second page goes on where the first has ended");
}

#[test]
fn lists_are_searched_sorted_and_narrowed_by_state() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    let names = |arguments: &[&str], member: &str| {
        let listed = host.json(arguments);
        let items = listed["items"].as_array().unwrap().clone();
        items.iter().map(|item| item[member].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["user", "list", "--sort", "-user_name"], "user_name"), ["bob", "alice"]);
    assert_eq!(names(&["user", "list", "--search", "AL", "--enabled"], "user_name"), ["alice"]);
    assert!(names(&["user", "list", "--disabled"], "user_name").is_empty());
    assert_eq!(names(&["client", "list", "--search", "rob", "--enabled"], "id"), ["robot"]);
    assert_eq!(names(&["client", "list", "--sort", "-name", "--limit", "1"], "id"), ["robot"]);
    assert_eq!(names(&["api", "list", "--search", "nothing", "--sort", "created_at"], "audience"), [""; 0]);
    assert_eq!(names(&["device", "list", "--search", "nothing", "--enabled"], "id"), [""; 0]);
    let tokens = |more: &[&str]| names(&[&["tokens", "list"], more].concat(), "id");
    let mut oldest_first = tokens(&["--oldest-first"]);
    oldest_first.reverse();
    assert_eq!(tokens(&[]), oldest_first);
    host.run_with(&["revoke", "token"], &held[4].token).succeeded();
    assert_eq!((tokens(&["--state", "active"]).len(), tokens(&["--state", "ended"]).len()), (5, 1));
    assert!(host.run(&["tokens", "list", "--state", "dead"]).code() != 0);
}

#[test]
fn what_has_expired_is_listed_only_if_all_is_asked_for() {
    let mut world = World::new();
    world.host.json(&["api", "set", ORDERS, "--access-token-secs", "1"]);
    world.issue();
    let list = |more: &[&str]| world.host.json(&[&["tokens", "list", "--api", ORDERS], more].concat());
    // Bounded, so that a token that does not expire is a failure and not a wait without end.
    let expired = (0..600).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        ids(&list(&[])).is_empty()
    });
    assert!(expired, "they are to live for a second");
    let all = list(&["--all"]);
    let states: Vec<_> = all["items"].as_array().unwrap().iter().map(|token| &token["state"]).collect();
    assert_eq!(states, ["expired"; 4]);
}

#[test]
fn settings_are_listed_shown_set_and_taken_back_with_a_history() {
    let world = World::new();
    let name = "allowAllValueForRevokeEndpoint";
    let listed = world.host.json(&["settings", "list"]);
    let of = |listed: &Value, name: &str| {
        listed["items"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!((of(&listed, "REVOKE_TOKEN"), of(&listed, name)), (json!(true), json!(false)));
    let set = world.host.json(&["settings", "set", name, "true", "--note", "asked for"]);
    assert_eq!((&set["value"], &set["version"]), (&json!(true), &json!(1)));
    let late = world.host.run(&["settings", "set", name, "false", "--if-version", "0"]);
    assert!(late.code() != 0 && late.stderr().contains("changed meanwhile"), "{}", late.stderr());
    let wrong = world.host.run(&["settings", "set", "statusListTtl", "0"]);
    let expected = "a whole number of seconds from 1 to 3600";
    assert!(wrong.code() != 0 && wrong.stderr().contains(expected), "{}", wrong.stderr());
    world.host.json(&["settings", "set", name, "--default"]);
    let shown = world.host.json(&["settings", "show", name]);
    assert_eq!((&shown["value"], &shown["takes"]), (&json!(false), &json!("true or false")));
    let history = world.host.json(&["settings", "history", name]);
    let values: Vec<_> = history["items"].as_array().unwrap().iter().map(|one| &one["value"]).collect();
    assert_eq!(values, [&Value::Null, &json!(true)], "the newest first");
    assert_eq!(history["items"][1]["note"], "asked for");
    assert_eq!(world.host.json(&["settings", "history"])["items"].as_array().unwrap().len(), 2);
}

#[test]
fn a_session_is_shown_and_ended_by_its_id() {
    let mut world = World::new();
    let held = world.issue();
    let session = world.record(&held[0])["session"].as_str().unwrap().to_owned();
    let shown = world.host.json(&["sessions", "show", &session]);
    assert_eq!((&shown["user_name"], &shown["state"]), (&json!("alice"), &json!("active")));
    let end = ["sessions", "end", &session, "--reason", "user_request", "--note", "asked for"];
    assert_eq!(world.host.json(&[&end[..], &["--preview"]].concat())["sessions"], 1);
    assert_eq!(world.host.json(&["sessions", "show", &session])["state"], "active");
    let ended = world.host.json(&end);
    assert_eq!(ended["target"], json!({"kind": "session", "session": session}));
    assert_eq!(world.host.json(&["sessions", "show", &session])["state"], "revoked");
    let entry = world.host.json(&["revocations", "show", ended["position"].as_str().unwrap()]);
    assert_eq!((&entry["reason"], &entry["note"]), (&json!("user_request"), &json!("asked for")));
}

#[test]
fn a_user_is_shown_changed_and_removed() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    let id = host.json(&["user", "show", "alice"])["id"].as_str().unwrap().to_owned();
    let options = ["--email", "ada@example.org", "--display-name", "Ada"];
    let changed = host.json(&[&["user", "set", "alice"], &options[..]].concat());
    assert_eq!((&changed["email"], &changed["display_name"]), (&json!("ada@example.org"), &json!("Ada")));
    assert!(host.is_alive(&held[0].token), "an address ends nothing");
    host.json(&["user", "set", &id, "--rename", "ada", "--disabled"]);
    let shown = host.json(&["user", "show", "ada"]);
    assert_eq!((&shown["id"], &shown["enabled"]), (&json!(id), &json!(false)));
    assert!(!host.is_alive(&held[0].token) && host.is_alive(&held[3].token), "hers, and not Bob's");
    assert_eq!(host.json(&["user", "set", "ada", "--enabled"])["enabled"], true);
    let password = |name: &str| host.run_with(&["user", "set", name, "--password-stdin"], "another long password");
    password("bob").succeeded();
    assert!(!host.is_alive(&held[3].token), "a new password ends what the old one began");
    assert_eq!(host.json(&["user", "remove", "ada"])["removed"], true);
    assert_eq!(host.run(&["user", "show", &id]).code(), 1);
    assert_eq!(ids(&host.json(&["user", "list"])).len(), 1);
}

#[test]
fn a_client_is_shown_changed_given_a_secret_and_removed() {
    let mut world = World::new();
    let held = world.issue();
    let (desk, robot) = (&held[0].token, &held[4].token);
    let host = &world.host;
    let changed = host.json(&["client", "set", "robot", "--name", "Nightly", "--scope", "read", "--scope", "write"]);
    assert_eq!((&changed["name"], &changed["scopes"]), (&json!("Nightly"), &json!(["read", "write"])));
    assert!(host.is_alive(robot), "more ends nothing");
    assert_eq!(host.json(&["client", "show", "robot"])["name"], "Nightly");
    let secret = host.json(&["client", "secret", "robot"])["client_secret"].as_str().unwrap().to_owned();
    let fresh = host.token("robot", &secret);
    assert!(host.is_alive(&fresh), "the new secret is good for a token");
    assert_eq!(host.json(&["client", "set", "robot", "--disabled"])["enabled"], false);
    assert!(!host.is_alive(robot) && host.is_alive(desk));
    assert_eq!(host.json(&["client", "remove", "desk"])["removed"], true);
    assert!(!host.is_alive(desk));
    assert_eq!(host.run(&["client", "show", "desk"]).code(), 1);
    assert_eq!(ids(&host.json(&["client", "list"])), ["rescind-console", "robot", "portal"]);
}

#[test]
fn an_api_is_shown_changed_and_removed() {
    let mut world = World::new();
    let held = world.issue();
    let (orders, payroll) = (&held[4].token, &held[5].token);
    let host = &world.host;
    let changed = host.json(&["api", "set", ORDERS, "--name", "Orders", "--scope", "read", "--scope", "write"]);
    assert_eq!(changed["scopes"], json!(["read", "write"]));
    let shown = host.json(&["api", "show", ORDERS]);
    assert_eq!((&shown["name"], &shown["token_format"]), (&json!("Orders"), &json!("opaque")));
    assert!(host.is_alive(orders));
    host.json(&["api", "set", ORDERS, "--scope", "write"]);
    assert!(!host.is_alive(orders) && host.is_alive(payroll), "a scope that is gone ends the tokens for it");
    assert_eq!(host.json(&["api", "remove", PAYROLL])["removed"], true);
    assert!(!host.is_alive(payroll));
    assert_eq!(host.run(&["api", "show", PAYROLL]).code(), 1);
    assert_eq!(host.json(&["api", "list"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_device_that_is_switched_off_is_listed_so() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    host.json(&["device", "set", TABLET, "--disabled"]);
    assert!(!host.is_alive(&held[0].token) && host.is_alive(&held[3].token));
    assert_eq!(host.json(&["device", "list"])["items"][0]["enabled"], false);
}

#[test]
fn fresh_keys_sign_beside_the_ones_before() {
    let host = Host::started();
    let signing = |listed: &Value| {
        let items = listed["items"].as_array().unwrap().clone();
        items.into_iter().filter(|key| key["signing"] == true).map(|key| key["kid"].clone()).collect::<Vec<_>>()
    };
    let before = host.json(&["keys", "list"]);
    let after = host.json(&["keys", "rotate"]);
    assert!(!signing(&before).is_empty() && signing(&before).iter().all(|key| !signing(&after).contains(key)));
    let listed = host.json(&["keys", "list"]);
    assert_eq!(listed, after);
    for key in before["items"].as_array().unwrap() {
        let kept = listed["items"].as_array().unwrap().iter().find(|one| one["kid"] == key["kid"]).unwrap();
        assert_eq!(kept["published"], true, "what it has signed is still to be verified");
    }
}

#[test]
fn a_registration_token_lets_one_client_register_itself() {
    let host = Host::started();
    let token = host.json(&["registration-token", "new"])["initial_access_token"].as_str().unwrap().to_owned();
    fs::write(host.path("header"), format!("Authorization: Bearer {token}")).unwrap();
    let register = || {
        let metadata = r#"{"client_name":"Guest","redirect_uris":["https://guest.example/back"]}"#;
        let curl = std::process::Command::new("curl")
            .args(["-s", "-H", "@header", "-H", "Content-Type: application/json", "-d", metadata])
            .arg(format!("{}/register", host.issuer()))
            .current_dir(host.folder.path())
            .output();
        serde_json::from_slice::<Value>(&curl.unwrap().stdout).unwrap()
    };
    let registered = register();
    let id = registered["client_id"].as_str().unwrap_or_else(|| panic!("{registered}"));
    assert_eq!(host.json(&["client", "show", id])["name"], "Guest");
    assert!(register()["error"].is_string(), "it is good for one");
}

#[test]
fn a_scim_token_lets_a_directory_in_until_it_is_removed() {
    let host = Host::started();
    let made = host.json(&["scim-token", "issue", "entra", "--days", "30"]);
    let token = made["scim_token"].as_str().unwrap();
    fs::write(host.path("header"), format!("Authorization: Bearer {token}")).unwrap();
    let find = || {
        let curl = std::process::Command::new("curl")
            .args(["-s", "-H", "@header", &format!("{}/scim/v2/Users", host.issuer())])
            .current_dir(host.folder.path())
            .output();
        serde_json::from_slice::<Value>(&curl.unwrap().stdout).unwrap()
    };
    assert_eq!(find()["totalResults"], 0);
    let listed = host.json(&["scim-token", "list"]);
    let id = listed["items"][0]["id"].as_str().unwrap();
    assert_eq!((&listed["items"][0]["name"], listed["items"].as_array().unwrap().len()), (&Value::from("entra"), 1));
    assert_eq!(host.json(&["scim-token", "remove", id])["removed"], true);
    assert_eq!(find()["status"], "401");
    assert_eq!(host.json(&["scim-token", "list"])["items"], serde_json::json!([]));
}
