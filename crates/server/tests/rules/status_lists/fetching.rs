//! How lists are fetched, found, kept and retired.

use axum::http::{StatusCode, header};
use rescind::{background, clock::Clock};
use rescind_ledger::Target;
use serde_json::json;

use super::{bytes, claims, fetch, is_invalid, slot, token, unpack, verified};
use crate::house::{House, ISSUER, configuration, open_in, subject, text};

const JSON: (header::HeaderName, &str) = (header::ACCEPT, "application/statuslist+json");

#[tokio::test]
async fn a_list_comes_signed_or_as_json_and_in_no_other_form() {
    let house = House::open().await;
    let token = token(&house, "alice", "web", "read").await;
    let (uri, index) = slot(&token);
    let signed = fetch(&house, &uri, &[]).await;
    assert_eq!((signed.status, signed.header(header::CONTENT_TYPE)), (StatusCode::OK, "application/statuslist+jwt"));
    let said = verified(&house, &signed.body);
    let now = house.app.now().secs();
    assert_eq!((&said["iss"], &said["sub"], &said["iat"]), (&json!(ISSUER), &json!(uri), &json!(now)));
    assert_eq!((&said["exp"], &said["ttl"]), (&json!(now + 600), &json!(10)));
    assert_eq!(said["status_list"]["aggregation_uri"], format!("{ISSUER}/status_list_aggregation"));
    assert_eq!(said["status_list"]["bits"], 1);
    assert_eq!(signed.header(header::CACHE_CONTROL), "public, max-age=10");
    assert_eq!(signed.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
    let plain = fetch(&house, &uri, &[JSON]).await;
    assert_eq!(plain.header(header::CONTENT_TYPE), "application/statuslist+json");
    assert_eq!(plain.json(), json!({ "bits": 1, "lst": said["status_list"]["lst"] }));
    assert_eq!(unpack(&text(&plain.json(), "lst")).unwrap().len(), 8192);
    assert!(index < 65_536);
    let other = fetch(&house, &uri, &[(header::ACCEPT, "application/statuslist+cwt")]).await;
    assert_eq!((other.status, &other.json()["error"]), (StatusCode::NOT_ACCEPTABLE, &json!("invalid_request")));
}

#[tokio::test]
async fn a_list_that_has_not_changed_is_not_sent_again() {
    let house = House::open().await;
    let token = token(&house, "alice", "web", "read").await;
    let (uri, _) = slot(&token);
    for accept in ["application/statuslist+jwt", "application/statuslist+json"] {
        let accept = (header::ACCEPT, accept);
        let tag = fetch(&house, &uri, std::slice::from_ref(&accept)).await.header(header::ETAG).to_owned();
        let known = [accept.clone(), (header::IF_NONE_MATCH, tag.as_str())];
        let same = fetch(&house, &uri, &known).await;
        assert_eq!((same.status, same.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!((same.header(header::ETAG), same.header(header::CACHE_CONTROL)), (&*tag, "public, max-age=10"));
        house.end(Target::Session { session: "s_of_nobody".to_owned() }).await;
        assert_eq!(fetch(&house, &uri, &known).await.status, StatusCode::NOT_MODIFIED, "nobody in it is concerned");
        let listed = [accept.clone(), (header::IF_NONE_MATCH, &*format!("\"other\", {tag}"))];
        assert_eq!(fetch(&house, &uri, &listed).await.status, StatusCode::NOT_MODIFIED);
        let another = [accept, (header::IF_NONE_MATCH, "\"other\"")];
        assert_eq!(fetch(&house, &uri, &another).await.status, StatusCode::OK);
    }
    let tag = fetch(&house, &uri, &[]).await.header(header::ETAG).to_owned();
    let known = [(header::IF_NONE_MATCH, tag.as_str())];
    house.later(300);
    let fresh = fetch(&house, &uri, &known).await;
    assert_eq!(fresh.status, StatusCode::OK, "the signed one that is kept will expire");
    let tag = fresh.header(header::ETAG).to_owned();
    house.end(subject("alice")).await;
    assert_eq!(fetch(&house, &uri, &[(header::IF_NONE_MATCH, &*tag)]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_list_stands_in_the_aggregation_and_without_a_name_there_is_none() {
    let house = House::open().await;
    let all = format!("{ISSUER}/status_list_aggregation");
    assert_eq!(fetch(&house, &all, &[]).await.json(), json!({ "status_lists": [] }));
    let (uri, _) = slot(&token(&house, "alice", "web", "read").await);
    assert_eq!(fetch(&house, &all, &[]).await.json(), json!({ "status_lists": [uri] }));
    let nameless = fetch(&house, "/status_list", &[]).await;
    assert_eq!((nameless.status, &nameless.json()["error"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    assert!(text(&nameless.json(), "error_description").contains("/status_list_aggregation"));
    let unknown = fetch(&house, "/status_list/nobody", &[]).await;
    assert_eq!((unknown.status, &unknown.json()["error"]), (StatusCode::NOT_FOUND, &json!("not_found")));
    let metadata = fetch(&house, "/.well-known/openid-configuration", &[]).await.json();
    assert_eq!(metadata["status_list_endpoint"], format!("{ISSUER}/status_list"));
    assert_eq!(metadata["status_list_aggregation_endpoint"], all);
}

#[tokio::test]
async fn many_who_ask_at_once_after_a_revocation_all_hear_of_it() {
    let house = House::open().await;
    let token = token(&house, "alice", "web", "read").await;
    let (uri, index) = slot(&token);
    assert!(!is_invalid(&house, &token).await);
    house.end(subject("alice")).await;
    let asked = futures_util::future::join_all((0..40).map(|_| bytes(&house, &uri))).await;
    assert!(asked.iter().all(|bytes| bytes[index / 8] >> (index % 8) & 1 == 1));
}

#[tokio::test]
async fn a_list_is_retired_when_its_last_token_has_expired_and_never_taken_up_again() {
    let house = House::open().await;
    let first = token(&house, "alice", "web", "read").await;
    let (uri, _) = slot(&first);
    let life = claims(&first)["exp"].as_i64().unwrap() - house.app.now().secs();
    house.later(life - 1);
    let second = token(&house, "alice", "web", "read").await;
    assert_eq!(slot(&second).0, uri, "it is not full");
    house.later(1);
    assert!(!is_invalid(&house, &second).await, "it goes on as long as one of its tokens");
    house.later(life - 1);
    for swept in [false, true] {
        if swept {
            background::sweep(&house.app).await.unwrap();
        }
        assert_eq!(fetch(&house, &uri, &[]).await.status, StatusCode::NOT_FOUND);
        let all = fetch(&house, "/status_list_aggregation", &[]).await.json();
        assert_eq!(all, json!({ "status_lists": [] }));
    }
    let third = token(&house, "alice", "web", "read").await;
    assert_ne!(slot(&third).0, uri);
    assert!(!is_invalid(&house, &third).await);
}

#[tokio::test]
async fn a_server_that_starts_again_opens_another_list_and_goes_on_to_serve_the_old_one() {
    let house = House::open().await;
    let (dead, alive) = (token(&house, "alice", "web", "read").await, token(&house, "bob", "web", "read").await);
    house.end(subject("alice")).await;
    let now = house.app.now().0;
    let dir = house.close().await;
    let clock = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(now));
    assert_eq!(configuration(dir.path()).issuer, ISSUER);
    let house = House::of(open_in(dir.path(), Clock::Manual(clock.clone())).unwrap(), clock, dir);
    assert!(is_invalid(&house, &dead).await);
    assert!(!is_invalid(&house, &alive).await);
    let young = token(&house, "bob", "web", "read").await;
    assert_ne!(slot(&young).0, slot(&alive).0);
    house.end(subject("bob")).await;
    assert!(is_invalid(&house, &alive).await && is_invalid(&house, &young).await);
}

async fn set(house: &House, name: &str, value: serde_json::Value) {
    let (status, body) = house.admin("PATCH", &format!("/settings/{name}"), &json!({ "value": value })).await;
    assert!(status.is_success(), "{status}: {body}");
}

#[tokio::test]
async fn j24_switched_off_nothing_is_listed_and_who_asks_is_told_so() {
    let house = House::open().await;
    let before = token(&house, "alice", "web", "read").await;
    let (uri, _) = slot(&before);
    set(&house, "STATUS_LIST", json!(false)).await;
    for path in [uri.as_str(), "/status_list", "/status_list_aggregation"] {
        let refused = fetch(&house, path, &[]).await;
        assert_eq!((refused.status, &refused.json()["error"]), (StatusCode::FORBIDDEN, &json!("access_denied")));
    }
    let metadata = fetch(&house, "/.well-known/openid-configuration", &[]).await.json();
    assert!(metadata.as_object().unwrap().keys().all(|member| !member.starts_with("status_list")), "{metadata}");
    assert!(claims(&token(&house, "alice", "web", "read").await).get("status").is_none());
    house.end(subject("alice")).await;
    set(&house, "STATUS_LIST", json!(true)).await;
    assert!(is_invalid(&house, &before).await, "what was revoked meanwhile is in the list");
    assert!(!is_invalid(&house, &token(&house, "alice", "web", "read").await).await);
}

#[tokio::test]
async fn the_settings_say_how_long_a_list_may_be_relied_on() {
    let house = House::open().await;
    let (uri, _) = slot(&token(&house, "alice", "web", "read").await);
    let tag = fetch(&house, &uri, &[]).await.header(header::ETAG).to_owned();
    set(&house, "statusListTtl", json!(30)).await;
    set(&house, "statusListResponseJwtLifetime", json!(90)).await;
    let fetched = fetch(&house, &uri, &[(header::IF_NONE_MATCH, &*tag)]).await;
    assert_eq!(fetched.status, StatusCode::OK, "what is kept says something else");
    let said = verified(&house, &fetched.body);
    assert_eq!((&said["ttl"], said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap()), (&json!(30), 90));
    assert_eq!(fetched.header(header::CACHE_CONTROL), "public, max-age=30");
}
