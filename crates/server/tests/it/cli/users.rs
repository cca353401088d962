//! Users by the command line: what happens to an account, and users from a file.

use std::fs;

use serde_json::{Value, json};

use super::world::{World, ids};

#[test]
fn what_happens_to_an_account_has_a_command_each() {
    let mut world = World::new();
    let mut held = world.issue();
    let ended = |answer: &Value| answer["ended"]["position"].is_string();
    let host = &world.host;
    assert!(ended(&host.json(&["user", "disable", "alice"])) && !host.is_alive(&held[0].token));
    assert!(!ended(&host.json(&["user", "enable", "alice"])) && !host.is_alive(&held[0].token));
    held = world.issue();
    let host = &world.host;
    assert!(host.is_alive(&held[0].token));
    let renamed = host.json(&["user", "rename", "alice", "alicia"]);
    assert!(ended(&renamed) && renamed["user_name"] == "alicia" && !host.is_alive(&held[0].token));
    let made_up = host.json(&["user", "password", "bob"]);
    assert!(ended(&made_up) && !host.is_alive(&held[3].token));
    assert!(made_up["password"].as_str().unwrap().len() > 20, "nobody else can say it");
    let given =
        host.run_with(&["user", "password", "bob", "--password-stdin", "--output", "json"], "a long enough password");
    assert_eq!(given.json()["password"], Value::Null);
    assert_eq!(host.json(&["user", "set", "bob", "--role", "revoker", "--external-id", "7"])["role"], "revoker");
    let taken = host.json(&["user", "set", "bob", "--role", "none"]);
    assert_eq!((&taken["role"], &taken["external_id"]), (&Value::Null, &json!("7")));
    assert_eq!(
        host.json(&["user", "add", "carol", "--role", "viewer", "--password-file", &host.file("password")])["role"],
        "viewer"
    );
    assert_eq!(host.run(&["user", "set", "bob", "--role", "king"]).code(), 1);
    assert_eq!(ids(&host.json(&["user", "list", "--role", "any"])).len(), 1);
    assert!(ids(&host.json(&["user", "list", "--role", "revoker"])).is_empty());
    let overview = host.json(&["overview"]);
    assert_eq!((&overview["users"], overview["live_tokens"].as_u64().unwrap() > 0), (&json!(3), true), "{overview}");
}

#[test]
fn users_are_imported_from_csv_and_json_and_a_second_time_nothing_changes() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    let csv = "user_name,email,enabled,external_id,password\nalice,alice@example.org,true,1,\nbob,,false,2,\n\
               carol,carol@example.org,,3,a password for carol\n";
    fs::write(host.path("users.csv"), csv).unwrap();
    let import = |more: &[&str]| host.json(&[&["user", "import", &host.file("users.csv")], more].concat());
    let shown = import(&["--dry-run"]);
    assert_eq!((&shown["added"], &shown["changed"], &shown["changed_and_ended"]), (&json!(1), &json!(1), &json!(1)));
    assert!(host.is_alive(&held[3].token), "it was only shown");
    let done = import(&[]);
    assert_eq!((&done["added"], &done["changed"], &done["unchanged"]), (&json!(1), &json!(2), &json!(0)), "{done}");
    assert_eq!(done["ended"][0]["user_name"], "bob");
    assert!(host.is_alive(&held[0].token) && !host.is_alive(&held[3].token));
    let again = import(&[]);
    assert_eq!((&again["added"], &again["changed"], &again["unchanged"]), (&json!(0), &json!(0), &json!(3)), "{again}");
    // The external id knows a user by another name.
    fs::write(host.path("users.json"), r#"[{"user_name":"alicia","external_id":"1"}]"#).unwrap();
    let renamed = host.json(&["user", "import", &host.file("users.json")]);
    assert_eq!((&renamed["changed"], renamed["ended"].as_array().unwrap().len()), (&json!(1), 1));
    assert!(!host.is_alive(&held[0].token));
    assert_eq!(host.json(&["user", "show", "alicia"])["email"], "alice@example.org");
    assert_eq!(ids(&host.json(&["user", "list"])).len(), 3);
}

#[test]
fn passwords_of_a_file_are_given_to_users_there_are_only_if_that_is_asked_for() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    fs::write(host.path("users.csv"), "user_name,password\nalice,another long password\n").unwrap();
    assert_eq!(host.json(&["user", "import", &host.file("users.csv")])["unchanged"], 1);
    assert!(host.is_alive(&held[0].token));
    let done = host.json(&["user", "import", &host.file("users.csv"), "--set-passwords"]);
    assert_eq!((&done["changed"], done["ended"].as_array().unwrap().len()), (&json!(1), 1));
    assert!(!host.is_alive(&held[0].token));
}

#[test]
fn who_is_missing_is_disabled_only_if_that_is_asked_for_and_confirmed() {
    let mut world = World::new();
    let held = world.issue();
    let host = &world.host;
    host.json(&["user", "add", "root", "--role", "administrator", "--password-file", &host.file("password")]);
    fs::write(host.path("users.csv"), "user_name\nalice\n").unwrap();
    let file = host.file("users.csv");
    assert_eq!(host.json(&["user", "import", &file])["unchanged"], 1);
    assert!(host.is_alive(&held[3].token), "a missing row changes nothing");
    let shown = host.json(&["user", "import", &file, "--disable-missing", "--dry-run"]);
    assert_eq!((&shown["disabled_as_missing"], &shown["missing"]), (&json!(1), &json!(["bob"])));
    let asked = host.run(&["user", "import", &file, "--disable-missing"]);
    assert_eq!(asked.code(), 2);
    assert!(asked.stderr().contains("bob") && asked.stderr().contains("disable 1 users"), "{}", asked.stderr());
    assert_eq!(host.run(&["user", "import", &file, "--disable-missing", "--confirm", "disable 2 users"]).code(), 2);
    assert!(host.is_alive(&held[3].token));
    let done = host.json(&["user", "import", &file, "--disable-missing", "--confirm", "disable 1 users"]);
    assert_eq!(done["ended"][0]["user_name"], "bob", "{done}");
    assert!(!host.is_alive(&held[3].token) && host.is_alive(&held[0].token));
    assert_eq!(host.json(&["user", "show", "root"])["enabled"], true);
    fs::write(host.path("nobody.csv"), "user_name\n").unwrap();
    assert_eq!(host.run(&["user", "import", &host.file("nobody.csv"), "--disable-missing"]).code(), 2);
}

#[test]
fn a_file_with_a_mistake_imports_nothing_and_a_user_who_is_refused_does_not_stop_the_others() {
    let world = World::new();
    let host = &world.host;
    fs::write(host.path("users.csv"), "user_name,enabled\ncarol,true\ndave,perhaps\n").unwrap();
    let refused = host.run(&["user", "import", &host.file("users.csv")]);
    assert_eq!(refused.code(), 2);
    assert!(refused.stderr().contains("line 3"), "{}", refused.stderr());
    assert_eq!(ids(&host.json(&["user", "list"])).len(), 2);
    fs::write(host.path("users.csv"), "user_name,password\ncarol,short\ndave,a long enough password\n").unwrap();
    let partly = host.run(&["user", "import", &host.file("users.csv"), "--output", "json"]);
    assert_eq!(partly.code(), 1);
    assert_eq!(ids(&host.json(&["user", "list"])).len(), 3);
}
