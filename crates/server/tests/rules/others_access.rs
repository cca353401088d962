//! Ending what others have leaves a record, whatever came of it.

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rescind::origin::Call;
use rescind_ledger::{Client, ClientAuthMethod, Hash, Reads};
use serde_json::{Value, json};

use crate::house::{API_A, House, Went, client, text};

const CALLER: &str = "desk";
const SECRET: &str = "the desk's secret";

/// A house with a client that has these scopes.
async fn open(scopes: &[&str]) -> House {
    let house = House::open_with("janssen.prefix = \"/jans-auth/restv1\"").await;
    let caller = Client {
        auth_method: ClientAuthMethod::ClientSecretBasic,
        secret_hash: Some(Hash::of(SECRET)),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..client(CALLER)
    };
    house.put_client(caller).await;
    house
}

async fn ask(house: &House, path: &str, media_type: &str, body: String) -> StatusCode {
    let basic = format!("Basic {}", STANDARD.encode(format!("{CALLER}:{SECRET}")));
    let request = Request::post(path).header(header::AUTHORIZATION, basic).header(header::CONTENT_TYPE, media_type);
    let call = Call::of(&HeaderMap::new(), None);
    call.answer(house.send(request.body(Body::from(body)).unwrap())).await.status()
}

async fn end_sessions(house: &House, user: &str) -> StatusCode {
    let form = format!("user_criterion_key=uid&user_criterion_value={user}");
    ask(house, "/revoke_session", "application/x-www-form-urlencoded", form).await
}

async fn end_everything(house: &House, path: &str, id: &str) -> StatusCode {
    let body = json!({ "sub_id": { "format": "opaque", "id": id } }).to_string();
    ask(house, &format!("{path}/global-token-revocation"), "application/json", body).await
}

/// What the records say that were added after `seq`: what happened, on whose word, what came of it and of what.
async fn records(house: &House, seq: u64) -> Vec<(String, String, String, Value)> {
    let records = house.app.records.store.audit_after(seq, 100).await.unwrap();
    let told = records.iter().map(|record| {
        let body: Value = serde_json::from_str(&record.body).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&body["action"]), text(&body["actor"]["id"]), text(&body["outcome"]), body["target"]["kind"].clone())
    });
    told.collect()
}

async fn last(house: &House) -> u64 {
    house.app.records.store.audit_span().await.unwrap().1.seq
}

fn told(action: &str, outcome: &str, target: impl Into<Value>) -> (String, String, String, Value) {
    (action.to_owned(), CALLER.to_owned(), outcome.to_owned(), target.into())
}

#[tokio::test]
async fn each_call_of_a_known_caller_has_a_record_of_what_came_of_it() {
    let house = open(&["revoke_session", "global_token_revocation"]).await;
    house.sign_in("alice").await;
    let seq = last(&house).await;
    assert_eq!(end_sessions(&house, "alice").await, StatusCode::OK);
    assert_eq!(end_sessions(&house, "alice").await, StatusCode::OK);
    assert_eq!(end_sessions(&house, "nobody").await, StatusCode::OK);
    assert_eq!(end_everything(&house, "", "u_bob").await, StatusCode::NO_CONTENT);
    assert_eq!(end_everything(&house, "/jans-auth/restv1", "nobody").await, StatusCode::NO_CONTENT);
    assert_eq!(end_everything(&house, "", "nobody").await, StatusCode::NOT_FOUND);
    let expected = [
        told("order", "ended", "session"),
        told("order", "nothing_to_end", Value::Null),
        told("order", "nothing_to_end", Value::Null),
        told("order", "ended", "subject"),
        told("order", "unknown_subject", Value::Null),
        told("refusal", "unknown_subject", Value::Null),
    ];
    assert_eq!(records(&house, seq).await, expected);
}

#[tokio::test]
async fn a_caller_without_the_scope_is_recorded_by_name() {
    let house = open(&["read"]).await;
    let seq = last(&house).await;
    assert_eq!(end_sessions(&house, "alice").await, StatusCode::FORBIDDEN);
    assert_eq!(end_everything(&house, "", "u_bob").await, StatusCode::FORBIDDEN);
    assert_eq!(records(&house, seq).await, vec![told("refusal", "access_denied", Value::Null); 2]);
}

async fn put_script(house: &House, source: &str) {
    let (status, body) = house.admin("POST", "/scripts", &json!({ "name": "guard", "source": source })).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

#[tokio::test]
async fn what_a_script_denies_silently_ends_nothing_for_the_unknown_too() {
    let house = open(&["revoke_session", "global_token_revocation"]).await;
    let cookie = house.sign_in("alice").await;
    put_script(&house, "fn revoke(event) { deny() }").await;
    let seq = last(&house).await;
    assert_eq!(end_sessions(&house, "alice").await, StatusCode::OK);
    assert_eq!(end_sessions(&house, "nobody").await, StatusCode::OK);
    assert_eq!(end_everything(&house, "", "u_alice").await, StatusCode::NO_CONTENT);
    assert_eq!(end_everything(&house, "", "nobody").await, StatusCode::NO_CONTENT);
    assert!(matches!(house.authorize(&cookie, "web", &[("scope", "read")]).await, Went::Code(_)), "still signed in");
    let expected = [
        told("script", "denied_silently", "subject"),
        told("script", "denied_silently", Value::Null),
        told("script", "denied_silently", "subject"),
        told("script", "denied_silently", Value::Null),
    ];
    assert_eq!(records(&house, seq).await, expected);
}

#[tokio::test]
async fn a_script_may_refuse_aloud_and_then_nobody_is_ended() {
    let house = open(&["revoke_session", "global_token_revocation"]).await;
    let cookie = house.sign_in("alice").await;
    put_script(&house, "fn revoke(event) { deny(\"access_denied\", \"not at night\") }").await;
    for status in [end_sessions(&house, "alice").await, end_everything(&house, "", "u_alice").await] {
        assert!(status.is_client_error(), "{status}");
    }
    assert!(matches!(house.authorize(&cookie, "web", &[("scope", "read")]).await, Went::Code(_)));
}

#[tokio::test]
async fn sessions_that_a_script_widens_to_their_user_are_one_order() {
    let house = open(&["revoke_session"]).await;
    let cookie = house.sign_in("alice").await;
    house.sign_in("alice").await;
    let offline = [("scope", "read offline_access"), ("resource", API_A)];
    let code = house.code(&cookie, "web", &offline).await;
    let refresh = text(&house.exchange("web", &code).await.1, "refresh_token");
    put_script(
        &house,
        "fn revoke(event) { if event.target == \"session\" { allow().widen(\"user\") } else { allow() } }",
    )
    .await;
    let seq = last(&house).await;
    assert_eq!(end_sessions(&house, "alice").await, StatusCode::OK);
    let orders: Vec<_> = records(&house, seq).await.into_iter().filter(|(action, ..)| action == "order").collect();
    assert_eq!(orders.first(), Some(&told("order", "ended", "subject")));
    assert_eq!(orders.iter().filter(|(.., kind)| *kind == "subject").count(), 1);
    assert_eq!(house.refresh("web", &refresh).await.0, StatusCode::BAD_REQUEST);
}
