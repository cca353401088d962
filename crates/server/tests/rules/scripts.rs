//! Interception scripts at the revocation endpoint: what they decide is what happens, and each run is recorded.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use rescind::scripts::{self, Endpoint, Event, Refusal};
use rescind_ledger::{Order, Reads, Reason, Target};
use serde_json::{Value, json};

use crate::house::{API_A, House, client, somebody, subject, text};

const DENY: &str = "fn revoke(event) { deny().note(\"not this one\") }";
const ALLOW: &str = "fn revoke(event) { allow() }";

impl House {
    async fn put_script(&self, name: &str, source: &str) -> Value {
        let (status, body) = self.admin("POST", "/scripts", &json!({ "name": name, "source": source })).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body
    }

    async fn change_script(&self, name: &str, change: Value) {
        let (status, body) = self.admin("PATCH", &format!("/scripts/{name}"), &change).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    /// What a user granted a client: an access token.
    async fn token_of(&self, name: &str, client: &str) -> String {
        let code = self.code(&self.sign_in(name).await, client, &[("scope", "read"), ("resource", API_A)]).await;
        text(&self.exchange(client, &code).await.1, "access_token")
    }

    async fn revoke(&self, client: &str, token: &str) -> (StatusCode, Value) {
        self.post(client, "/revoke", &[("token", token), ("token_type_hint", "access_token")]).await
    }

    /// The audit records of an action, oldest first.
    async fn recorded(&self, action: &str) -> Vec<Value> {
        let records = self.app.records.store.audit_after(0, 10_000).await.unwrap();
        let bodies = records.iter().map(|record| serde_json::from_str::<Value>(&record.body).unwrap());
        bodies.filter(|body| body["action"] == action).collect()
    }

    async fn outcomes(&self) -> Vec<String> {
        self.recorded("script").await.iter().map(|record| text(record, "outcome")).collect()
    }
}

/// J31.
#[tokio::test]
async fn what_a_script_denies_silently_goes_on_and_the_audit_trail_says_who_asked() {
    let house = House::open().await;
    house.put_script("guard", DENY).await;
    let token = house.token_of("alice", "web").await;
    assert_eq!(house.revoke("web", &token).await, (StatusCode::OK, Value::Null));
    assert!(house.is_active("web", &token).await);
    let [record] = &house.recorded("script").await[..] else { panic!("one run, one record") };
    assert_eq!((&record["outcome"], &record["note"]), (&json!("denied_silently"), &json!("not this one")));
    assert_eq!(record["actor"], json!({ "kind": "client", "id": "web" }));
    assert_eq!(record["what"], "revoke: script guard version 1");
    assert_eq!(record["target"]["kind"], "grant");
    assert!(!record.to_string().contains(&token));
    assert!(house.recorded("order").await.is_empty(), "nothing was ordered");
}

#[tokio::test]
async fn a_script_refuses_with_an_error_of_its_choice() {
    let house = House::open().await;
    let token = house.token_of("alice", "web").await;
    for (code, status) in [
        ("unauthorized_client", StatusCode::BAD_REQUEST),
        ("access_denied", StatusCode::FORBIDDEN),
        ("temporarily_unavailable", StatusCode::SERVICE_UNAVAILABLE),
        ("house_rule", StatusCode::BAD_REQUEST),
    ] {
        house.put_script("guard", &format!("fn revoke(event) {{ deny(\"{code}\", \"not by you\") }}")).await;
        let answer = house.revoke("web", &token).await;
        assert_eq!(answer, (status, json!({ "error": code, "error_description": "not by you" })));
        assert!(house.is_active("web", &token).await);
    }
    assert_eq!(house.outcomes().await, ["denied"; 4]);
}

#[tokio::test]
async fn a_script_that_fails_does_not_lose_the_revocation() {
    let house = House::open().await;
    let token = house.token_of("alice", "web").await;
    for (source, outcome) in [
        ("fn revoke(event) { loop {} }", "limit"),
        ("fn revoke(event) { throw \"no\" }", "failed"),
        ("fn revoke(event) { true }", "failed"),
        ("fn revoke(event) { event.nothing }", "failed"),
    ] {
        house.put_script("broken", source).await;
        let body = format!("client_id=web&client_secret=the+secret+of+web&token={token}");
        let request = Request::post("/revoke").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let response = house.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{source}");
        assert!(response.headers().contains_key(header::RETRY_AFTER), "the caller is to try again");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["error"], "temporarily_unavailable");
        assert!(house.is_active("web", &token).await);
        assert_eq!(house.outcomes().await.last().unwrap(), outcome);
    }
    let (status, body) = house.admin("PATCH", "/settings/scriptFailure", &json!({ "value": "allow" })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(house.revoke("web", &token).await.0, StatusCode::OK);
    assert!(!house.is_active("web", &token).await, "the setting says that it goes ahead");
    let record = house.recorded("script").await.pop().unwrap();
    assert_eq!(record["outcome"], "failed");
    assert!(text(&record, "note").contains("nothing"), "{record}");
}

#[tokio::test]
async fn what_is_stored_or_switched_counts_with_the_next_request() {
    let house = House::open().await;
    let first = house.token_of("alice", "web").await;
    house.put_script("guard", DENY).await;
    house.revoke("web", &first).await;
    assert!(house.is_active("web", &first).await);
    house.change_script("guard", json!({ "enabled": false })).await;
    house.revoke("web", &first).await;
    assert!(!house.is_active("web", &first).await, "it is off");
    let second = house.token_of("alice", "web").await;
    house.change_script("guard", json!({ "enabled": true })).await;
    house.revoke("web", &second).await;
    assert!(house.is_active("web", &second).await, "it is on again");
    house.put_script("guard", ALLOW).await;
    house.revoke("web", &second).await;
    assert!(!house.is_active("web", &second).await, "another version is in use");
    let third = house.token_of("alice", "web").await;
    house.put_script("guard", DENY).await;
    assert_eq!(house.admin("DELETE", "/scripts/guard", &Value::Null).await.0, StatusCode::OK);
    house.revoke("web", &third).await;
    assert!(!house.is_active("web", &third).await, "it is gone");
    assert_eq!(house.outcomes().await, ["denied_silently", "denied_silently", "allowed"]);
}

#[tokio::test]
async fn a_widened_revocation_ends_everything_of_the_user_and_says_why() {
    let house = House::open().await;
    house.put_script("leaked", "fn revoke(event) { allow().widen(\"user\").note(`leaked by ${event.client}`) }").await;
    let (hers, elsewhere) = (house.token_of("alice", "web").await, house.token_of("alice", "app").await);
    let his = house.token_of("bob", "web").await;
    assert_eq!(house.revoke("web", &hers).await.0, StatusCode::OK);
    assert!(!house.is_active("web", &hers).await && !house.is_active("app", &elsewhere).await);
    assert!(house.is_active("web", &his).await);
    let entry = house.app.records.store.entries_before(None, 1).await.unwrap().pop().unwrap();
    assert_eq!((entry.target, entry.note.as_deref()), (subject("alice"), Some("leaked: leaked by web")));
    let run = house.recorded("script").await.pop().unwrap();
    let order = house.recorded("order").await.pop().unwrap();
    assert_eq!((&run["outcome"], &run["target"]["kind"]), (&json!("widened"), &json!("grant")));
    assert_eq!(order["seq"].as_u64(), run["seq"].as_u64().map(|seq| seq + 1), "one transaction holds both");
    assert_eq!(order["at"], run["at"]);
}

#[tokio::test]
async fn a_machines_token_has_no_user_to_widen_to() {
    let house = House::open().await;
    house.put_script("leaked", "fn revoke(event) { allow().widen(\"user\") }").await;
    let fields = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", API_A)];
    let token = text(&house.post("web", "/token", &fields).await.1, "access_token");
    assert_eq!(house.revoke("web", &token).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(house.is_active("web", &token).await);
    let record = house.recorded("script").await.pop().unwrap();
    assert!(text(&record, "note").contains("no user is behind this"), "{record}");
}

#[tokio::test]
async fn scripts_are_asked_in_their_order_until_one_denies() {
    let house = House::open().await;
    for name in ["b", "c", "a"] {
        house.put_script(name, &format!("fn revoke(event) {{ allow().note(\"{name}\") }}")).await;
    }
    house.change_script("c", json!({ "order": -1 })).await;
    house.revoke("web", &house.token_of("alice", "web").await).await;
    let entry = house.app.records.store.entries_before(None, 1).await.unwrap().pop().unwrap();
    assert_eq!(entry.note.as_deref(), Some("c: c; a: a; b: b"));
    house.put_script("a", DENY).await;
    house.revoke("web", &house.token_of("alice", "web").await).await;
    assert_eq!(house.outcomes().await, ["allowed", "allowed", "allowed", "allowed", "denied_silently"]);
}

#[tokio::test]
async fn to_a_script_the_token_of_another_is_like_one_that_nobody_knows() {
    let house = House::open().await;
    house.put_client(client("public")).await;
    let seen = "fn revoke(event) { allow().note(`${event.known} ${event.user} ${event.grant} ${event.scope} ${event.target}`) }";
    house.put_script("seen", seen).await;
    let foreign = house.token_of("alice", "web").await;
    for token in [foreign.as_str(), "nobody-knows-it"] {
        assert_eq!(house.revoke("public", token).await, (StatusCode::OK, Value::Null));
    }
    assert!(house.is_active("web", &foreign).await);
    let records = house.recorded("script").await;
    let notes: Vec<_> = records.iter().map(|record| text(record, "note")).collect();
    assert_eq!(notes, ["false    none"; 2]);
    let code = house.code(&house.sign_in("alice").await, "public", &[("scope", "read"), ("resource", API_A)]).await;
    let own = text(&house.exchange("public", &code).await.1, "access_token");
    house.revoke("public", &own).await;
    let note = text(&house.recorded("script").await.pop().unwrap(), "note");
    assert!(note.starts_with("true u_alice ") && note.ends_with(" read grant"), "{note}");
}

#[tokio::test]
async fn what_cannot_be_run_is_not_stored() {
    let house = House::open().await;
    let refused = [
        json!({ "name": "guard", "source": "fn revoke(event) { allow( }" }),
        json!({ "name": "guard", "source": "allow()" }),
        json!({ "name": "guard", "source": "fn revoke(event) { eval(\"1\") }" }),
        json!({ "name": "Guard", "source": ALLOW }),
        json!({ "name": "guard", "source": format!("{ALLOW}//{}", "x".repeat(64 << 10)) }),
    ];
    for body in refused {
        let (status, answer) = house.admin("POST", "/scripts", &body).await;
        assert!(status.is_client_error() && answer["detail"].is_string(), "{status} {answer}");
    }
    assert_eq!(house.admin("GET", "/scripts", &Value::Null).await.1["items"], json!([]));
    assert_eq!(house.admin("GET", "/scripts/guard/versions", &Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.admin("PATCH", "/scripts/guard", &json!({ "enabled": true })).await.0, StatusCode::NOT_FOUND);
    let longest = format!("{ALLOW}//{}", "x".repeat((64 << 10) - ALLOW.len() - 2));
    assert_eq!(house.put_script("guard", &longest).await["bytes"], 64 << 10);
    house.change_script("guard", json!({ "order": 3 })).await;
    for n in 1..32 {
        house.put_script(&format!("s{n}"), ALLOW).await;
    }
    let one_more = house.admin("POST", "/scripts", &json!({ "name": "more", "source": ALLOW })).await;
    assert!(one_more.0.is_client_error(), "{one_more:?}");
}

#[tokio::test]
async fn every_version_is_kept_and_scripts_outlive_a_restart() {
    let house = House::open().await;
    assert_eq!(house.put_script("guard", ALLOW).await["version"], 1);
    house.later(5);
    assert_eq!(house.put_script("guard", DENY).await["version"], 2);
    assert_eq!(house.put_script("guard", DENY).await["version"], 2, "the same text is the same version");
    house.admin("DELETE", "/scripts/guard", &Value::Null).await;
    house.changes_were_recorded(&["stored", "stored", "stored", "removed"]).await;
    assert_eq!(house.put_script("guard", DENY).await["version"], 3, "a number is never given twice");
    let (_, versions) = house.admin("GET", "/scripts/guard/versions", &Value::Null).await;
    let numbers: Vec<_> =
        versions["items"].as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(versions["items"][2]["stored_by"], json!({ "kind": "administrator", "id": "local" }));
    let stored_at = |place: usize| versions["items"][place]["stored_at"].as_i64().unwrap();
    assert_eq!(stored_at(1) - stored_at(2), 5000);
    let (_, first) = house.admin("GET", "/scripts/guard?version=1", &Value::Null).await;
    assert_eq!(first["source"], ALLOW);
    assert_eq!(house.admin("GET", "/scripts/guard?version=9", &Value::Null).await.0, StatusCode::NOT_FOUND);
    let token = house.token_of("alice", "web").await;
    let house = house.reopened().await;
    house.revoke("web", &token).await;
    assert!(house.is_active("web", &token).await, "it is asked after a restart");
    assert_eq!(house.recorded("script").await[0]["what"], "revoke: script guard version 3");
}

impl House {
    async fn changes_were_recorded(&self, outcomes: &[&str]) {
        let changes = self.recorded("change").await;
        let about = changes
            .iter()
            .filter(|record| record["what"].as_str().is_some_and(|what| what.starts_with("script guard")));
        assert_eq!(about.map(|record| text(record, "outcome")).collect::<Vec<_>>(), outcomes);
    }

    /// The same server, started again.
    async fn reopened(self) -> Self {
        let clock = self.clock();
        let dir = self.close().await;
        let opened = crate::house::open_in(dir.path(), rescind::clock::Clock::Manual(clock.clone())).unwrap();
        Self::of(opened, clock, dir)
    }
}

#[tokio::test]
async fn an_administrators_order_is_not_asked_about() {
    let house = House::open().await;
    house.put_script("guard", DENY).await;
    let token = house.token_of("alice", "web").await;
    house.end(Target::Client { client: "web".to_owned() }).await;
    assert!(!house.is_active("web", &token).await);
    assert!(house.recorded("script").await.is_empty());
}

#[tokio::test]
async fn of_several_revocations_in_one_request_a_denial_of_one_stops_all_and_every_run_is_recorded() {
    let house = House::open().await;
    house.put_script("guard", "fn revoke(event) { if event.grant == \"g_2\" { deny(\"no\") } else { allow() } }").await;
    let asking = client("web");
    let event = |grant: Option<&str>| {
        let grant = grant.map(str::to_owned);
        let target = grant.clone().map(|grant| Target::Grant { grant });
        Event { target, grant, ..Event::new(Endpoint::Revoke, &asking) }
    };
    let refused =
        scripts::decide_all(&house.app, vec![event(Some("g_1")), event(Some("g_2")), event(Some("g_3"))]).await;
    assert_eq!(refused.unwrap_err(), Refusal::Told { code: "no".to_owned(), description: String::new() });
    assert_eq!(house.outcomes().await, ["allowed", "denied"], "the third is not asked about");
    let allowed = scripts::decide_all(&house.app, vec![event(Some("g_1")), event(None)]).await.unwrap();
    let targets: Vec<_> = allowed.iter().map(scripts::Permission::target).collect();
    assert_eq!(targets, [Some(&Target::Grant { grant: "g_1".to_owned() }), None]);
    assert_eq!(house.outcomes().await, ["allowed", "denied"], "that is for whoever writes the orders");
    house.door(move |door| allowed.iter().try_for_each(|permission| permission.record(door))).await.unwrap();
    assert_eq!(house.outcomes().await, ["allowed", "denied", "allowed", "allowed"]);
}

#[tokio::test]
async fn the_note_of_a_script_stands_beside_that_of_the_order() {
    let house = House::open().await;
    let asking = client("web");
    let asked = || Event::new(Endpoint::Revoke, &asking);
    let order = || Order::new(Target::Everything, Reason::UserRequest, somebody());
    let unasked = scripts::decide(&house.app, asked()).await.unwrap();
    assert_eq!(unasked.order(order()), order(), "without scripts an order is what it was");
    house.put_script("guard", "fn revoke(event) { allow().note(\"seen\") }").await;
    let permission = scripts::decide(&house.app, asked()).await.unwrap();
    assert_eq!(permission.order(order()).note.as_deref(), Some("guard: seen"));
    assert_eq!(permission.order(order().with_note("own")).note.as_deref(), Some("own; guard: seen"));
    let full = "x".repeat(Order::NOTE_LIMIT);
    assert_eq!(
        permission.order(order().with_note(full.clone())).note,
        Some(full),
        "what does not fit is in the record"
    );
}

#[tokio::test]
async fn a_script_decides_on_several_tokens_and_on_everything_of_a_client() {
    let house = House::open().await;
    house.put_script("guard", "fn revoke(event) { if event.user == \"u_bob\" { deny() } else { allow() } }").await;
    let (hers, his) = (house.token_of("alice", "web").await, house.token_of("bob", "web").await);
    assert_eq!(house.revoke("web", &format!("{hers} {his}")).await, (StatusCode::OK, Value::Null));
    assert!(house.is_active("web", &hers).await && house.is_active("web", &his).await, "all or nothing");
    assert_eq!(house.outcomes().await, ["allowed", "denied_silently"]);
    house
        .put_script("guard", "fn revoke(event) { if event.target == \"client\" { deny(event.hint) } else { allow() } }")
        .await;
    house.admin("PATCH", "/settings/allowAllValueForRevokeEndpoint", &json!({ "value": true })).await;
    let (status, body) = house.post("web", "/revoke", &[("token", "-"), ("token_type_hint", "all")]).await;
    assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("all")));
    assert!(house.is_active("web", &hers).await);
    house.revoke("web", &format!("{hers} {his}")).await;
    assert!(!house.is_active("web", &hers).await && !house.is_active("web", &his).await);
}

/// A client that may end what is not its own.
async fn with_operator(house: &House) {
    let operator = client("operator");
    let scopes = ["revoke_session", "global_token_revocation"].map(str::to_owned).to_vec();
    house.put_client(rescind_ledger::Client { scopes, ..operator }).await;
}

async fn global(house: &House, user: &str) -> StatusCode {
    let body = json!({ "sub_id": { "format": "iss_sub", "iss": crate::house::ISSUER, "sub": user } });
    let credentials = STANDARD.encode("operator-basic:the+secret+of+operator-basic");
    let request = Request::post("/global-token-revocation")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Basic {credentials}"));
    house.send(request.body(Body::from(body.to_string())).unwrap()).await.status()
}

#[tokio::test]
async fn scripts_are_asked_before_the_sessions_of_a_user_end_and_may_widen_that() {
    let house = House::open().await;
    with_operator(&house).await;
    let revoke = async |user: &str| {
        let fields = [("user_criterion_key", "uid"), ("user_criterion_value", user)];
        house.post("operator", "/revoke_session", &fields).await.0
    };
    let offline = async |name: &str| {
        let asked = [("scope", "read offline_access"), ("resource", API_A)];
        let code = house.code(&house.sign_in(name).await, "web", &asked).await;
        text(&house.exchange("web", &code).await.1, "refresh_token")
    };
    let token = offline("alice").await;
    let session = house.session_of(&house.sign_in("alice").await).await;
    let ended = || house.app.live.position_of(&Target::Session { session: session.clone() }).is_some();
    house
        .put_script("guard", "fn revoke(event) { deny().note(`${event.endpoint} ${event.target} ${event.user}`) }")
        .await;
    assert_eq!(revoke("alice").await, StatusCode::OK);
    assert!(!ended());
    let note = text(&house.recorded("script").await.pop().unwrap(), "note");
    assert_eq!(note, "revoke_session session u_alice");
    assert_eq!(revoke("nobody").await, StatusCode::OK);
    let note = text(&house.recorded("script").await.pop().unwrap(), "note");
    assert_eq!(note, "revoke_session none ", "an unknown user is asked about, too");
    house.put_script("guard", ALLOW).await;
    assert_eq!(revoke("alice").await, StatusCode::OK);
    assert!(ended());
    assert_eq!(house.refresh("web", &token).await.0, StatusCode::OK, "what outlives the session goes on");
    let token = offline("alice").await;
    house.put_script("guard", "fn revoke(event) { allow().widen(\"user\").note(\"all of it\") }").await;
    assert_eq!(revoke("alice").await, StatusCode::OK);
    assert_eq!(house.refresh("web", &token).await.0, StatusCode::BAD_REQUEST, "it was widened to everything");
    let entry = house.app.records.store.entries_before(None, 1).await.unwrap().pop().unwrap();
    assert_eq!((entry.target, entry.note.as_deref()), (subject("alice"), Some("guard: all of it")));
}

#[tokio::test]
async fn scripts_are_asked_before_everything_of_a_user_ends() {
    let house = House::open().await;
    let scopes = vec!["global_token_revocation".to_owned()];
    let operator = client("operator-basic");
    let auth_method = rescind_ledger::ClientAuthMethod::ClientSecretBasic;
    house.put_client(rescind_ledger::Client { scopes, auth_method, ..operator }).await;
    let token = house.token_of("alice", "web").await;
    house.put_script("guard", DENY).await;
    assert_eq!(global(&house, "u_alice").await, StatusCode::NO_CONTENT);
    assert!(house.is_active("web", &token).await);
    house.put_script("guard", "fn revoke(event) { deny(\"access_denied\") }").await;
    assert_eq!(global(&house, "u_alice").await, StatusCode::FORBIDDEN);
    house.put_script("guard", "fn revoke(event) { event.nothing }").await;
    assert_eq!(global(&house, "u_alice").await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(house.is_active("web", &token).await);
    house.put_script("guard", "fn revoke(event) { allow().note(event.endpoint) }").await;
    assert_eq!(global(&house, "u_nobody").await, StatusCode::NOT_FOUND);
    assert_eq!(global(&house, "u_alice").await, StatusCode::NO_CONTENT);
    assert!(!house.is_active("web", &token).await);
    assert_eq!(house.outcomes().await, ["denied_silently", "denied", "failed", "allowed", "allowed"]);
    let entry = house.app.records.store.entries_before(None, 1).await.unwrap().pop().unwrap();
    assert_eq!(entry.note.as_deref(), Some("guard: global_token_revocation"));
}
