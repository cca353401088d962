//! Listings of the admin API: what they find, in which order, and what they say of each record.

use axum::http::StatusCode;
use rescind_ledger::{Reads, Target};
use serde_json::{Value, json};

use crate::house::{API_A, House, ISSUER, text};

async fn get(house: &House, path: &str) -> Value {
    let (status, body) = house.admin("GET", path, &Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

async fn items(house: &House, path: &str) -> Vec<Value> {
    get(house, path).await["items"].as_array().unwrap().clone()
}

async fn members(house: &House, path: &str, member: &str) -> Vec<String> {
    items(house, path).await.iter().map(|item| text(item, member)).collect()
}

/// A session of alice in which the client web got a token for an API, and what goes with it.
async fn entered(house: &House, more: &[(&str, &str)]) -> (String, Value) {
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", more).await;
    let (status, body) = house.exchange("web", &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    (house.session_of(&cookie).await, body)
}

#[tokio::test]
async fn every_listing_is_searched_and_sorted_and_refuses_what_it_does_not_know() {
    let house = House::open().await;
    for name in ["Ärmel", "berta"] {
        house.later(1);
        let body = json!({ "user_name": name, "email": format!("{name}@example.org") });
        assert_eq!(house.admin("POST", "/users", &body).await.0, StatusCode::CREATED);
        let device = json!({ "name": name, "enabled": name == "berta" });
        assert_eq!(house.admin("POST", "/devices", &device).await.0, StatusCode::CREATED);
    }
    assert_eq!(members(&house, "/users", "user_name").await, ["alice", "berta", "bob", "Ärmel"]);
    assert_eq!(members(&house, "/users?search=%C3%84R", "user_name").await, ["Ärmel"]);
    assert_eq!(members(&house, "/users?search=B&sort=-user_name", "user_name").await, ["bob", "berta"]);
    assert_eq!(members(&house, "/users?sort=-created_at&limit=2", "user_name").await, ["berta", "Ärmel"]);
    assert!(items(&house, "/users?enabled=false").await.is_empty());
    assert_eq!(members(&house, "/devices?enabled=false", "name").await, ["Ärmel"]);
    assert_eq!(members(&house, "/devices?search=BER", "name").await, ["berta"]);
    assert_eq!(members(&house, "/clients?sort=-name", "id").await, ["web", "rescind-console", "app"]);
    assert_eq!(members(&house, "/clients?search=AP&enabled=true", "id").await, ["app"]);
    assert_eq!(members(&house, "/apis?search=B.EX", "audience").await, ["https://b.example"]);
    assert_eq!(items(&house, "/apis?sort=created_at").await.len(), 3);
    for path in ["/users?sort=email", "/tokens?sort=user", "/clients?enabled=perhaps", "/tokens?state=dead"] {
        let (status, body) = house.admin("GET", path, &Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
    }
    for (first, other) in [
        ("/users?limit=1", "/users?sort=-user_name"),
        ("/clients?limit=1", "/clients?search=w"),
        ("/apis?limit=1", "/apis?sort=-name"),
    ] {
        let next = text(&get(&house, first).await, "next");
        assert_eq!(items(&house, &format!("{first}&cursor={next}")).await.len(), 1, "{first}");
        let (status, _) = house.admin("GET", &format!("{other}&cursor={next}"), &Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{other}");
    }
}

#[tokio::test]
async fn each_record_says_why_it_ended_and_an_expired_one_that_it_only_expired() {
    let house = House::open().await;
    let (session, _) = entered(&house, &[("scope", "read"), ("resource", API_A)]).await;
    for kind in ["tokens", "grants", "sessions"] {
        let found = &items(&house, &format!("/{kind}")).await[0];
        assert_eq!((&found["state"], &found["ended"]), (&json!("active"), &Value::Null), "{kind}");
    }
    let order = json!({ "target": { "kind": "session", "session": session }, "reason": "policy", "note": "x" });
    assert_eq!(house.admin("POST", "/revocations", &order).await.0, StatusCode::CREATED);
    // What comes later ended nothing of it.
    house.later(1);
    house.end(Target::Everything).await;
    for kind in ["tokens", "grants", "sessions"] {
        let found = &items(&house, &format!("/{kind}")).await[0];
        let ended = &found["ended"];
        assert_eq!(found["state"], "revoked", "{kind}");
        assert_eq!((&ended["position"], &ended["reason"]), (&json!("1-1"), &json!("policy")), "{kind}: {ended}");
        assert_eq!(ended["initiator"], json!({ "kind": "administrator", "id": "local" }));
        assert!(ended["time"].is_number() && ended["note"].is_null(), "{ended}");
    }
    let (_, _) = entered(&house, &[("scope", "read"), ("resource", API_A)]).await;
    house.later(100_000);
    house.end(Target::Everything).await;
    let found = items(&house, "/tokens?live=false&sort=-issued_at").await;
    assert_eq!((&found[0]["state"], &found[0]["ended"]), (&json!("expired"), &Value::Null), "it expired before");
    assert_eq!(found[1]["ended"]["position"], "1-1", "and this one was ended before it expired");
}

#[tokio::test]
async fn records_are_filtered_by_state_without_losing_any() {
    let house = House::open().await;
    let mut sessions = Vec::new();
    for _ in 0..7 {
        sessions.push(entered(&house, &[("scope", "read")]).await.0);
        house.later(1);
    }
    for session in sessions.iter().step_by(2) {
        house.end(Target::Session { session: session.clone() }).await;
    }
    for (state, expected) in [("active", 3), ("ended", 4)] {
        for sort in ["started_at", "-started_at"] {
            let mut found = Vec::new();
            let mut path = format!("/sessions?state={state}&sort={sort}&limit=2");
            loop {
                let page = get(&house, &path).await;
                found.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "id")));
                let Some(next) = page["next"].as_str() else { break };
                path = format!("/sessions?state={state}&sort={sort}&limit=2&cursor={next}");
            }
            let mut all: Vec<String> =
                sessions.iter().skip(usize::from(state == "active")).step_by(2).cloned().collect();
            if sort.starts_with('-') {
                all.reverse();
            }
            assert_eq!((found.len(), &found), (expected, &all), "{state} {sort}");
        }
    }
}

#[tokio::test]
async fn tokens_say_of_which_kind_they_are_and_when_the_first_and_the_last_were_issued() {
    let house = House::open().await;
    let (_, first) = entered(&house, &[("scope", "read"), ("resource", API_A)]).await;
    house.later(60);
    let (status, _) = house.refresh("web", &text(&first, "refresh_token")).await;
    assert_eq!(status, StatusCode::OK);
    let tokens = items(&house, "/tokens?user=alice&sort=issued_at").await;
    assert_eq!(tokens.len(), 2);
    for token in &tokens {
        assert_eq!(token["kind"], "access_and_refresh");
        assert_eq!(token["first_issued_at"], tokens[0]["issued_at"]);
        assert_eq!(token["last_issued_at"], tokens[1]["issued_at"]);
    }
    let grant = &items(&house, "/grants?user=alice").await[0];
    assert_eq!((&grant["kind"], &grant["last_issued_at"]), (&json!("access_and_refresh"), &tokens[1]["issued_at"]));
    let (status, own) = house.post("web", "/token", &[("grant_type", "client_credentials"), ("resource", API_A)]).await;
    assert_eq!(status, StatusCode::OK, "{own}");
    let token = &items(&house, "/tokens?client=web&limit=1").await[0];
    assert_eq!((&token["kind"], &token["user"]), (&json!("access"), &Value::Null));
    assert!(house.app.config.issuer == ISSUER);
}

#[tokio::test]
async fn a_page_of_a_hundred_tokens_takes_few_reads() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    for _ in 0..20 {
        let code = house.code(&cookie, "web", &[("scope", "read")]).await;
        assert_eq!(house.exchange("web", &code).await.0, StatusCode::OK);
    }
    house.end(Target::Subject { issuer: ISSUER.to_owned(), subject: "u_alice".to_owned() }).await;
    let before = house.app.records.store.count();
    assert_eq!(items(&house, "/tokens?user=u_alice").await.len(), 20);
    let reads = house.app.records.store.count() - before;
    assert!(reads <= 8, "{reads} reads for a page");
    assert!(house.app.records.store.ping().await.is_ok());
}
