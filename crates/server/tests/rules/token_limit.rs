//! The most grants with a refresh token that a user may have at one application: one more ends the one used longest ago.

use axum::http::StatusCode;
use rescind_ledger::{Entry, Initiator, Reads, Reason, Target};
use serde_json::json;

use crate::house::{House, text};

async fn refresh_token(house: &House, name: &str, client: &str) -> String {
    let cookie = house.sign_in(name).await;
    let code = house.code(&cookie, client, &[]).await;
    house.later(1);
    text(&house.exchange(client, &code).await.1, "refresh_token")
}

/// Whether a refresh token works; if so, its successor.
async fn refreshed(house: &House, client: &str, token: &str) -> Option<String> {
    house.later(1);
    let (status, body) = house.refresh(client, token).await;
    (status == StatusCode::OK).then(|| text(&body, "refresh_token"))
}

async fn entries(house: &House) -> Vec<Entry> {
    house.app.records.store.entries_before(None, 100).await.unwrap()
}

#[tokio::test]
async fn e11_the_51st_grant_of_a_user_at_an_application_ends_the_one_issued_from_longest_ago() {
    let house = House::open().await;
    let mut tokens = Vec::new();
    for _ in 0..50 {
        tokens.push(refresh_token(&house, "alice", "web").await);
    }
    let (elsewhere, his) = (refresh_token(&house, "alice", "app").await, refresh_token(&house, "bob", "web").await);
    assert!(entries(&house).await.is_empty(), "fifty are allowed, and others do not count");
    tokens.push(refresh_token(&house, "alice", "web").await);
    let [entry] = &entries(&house).await[..] else { panic!("one entry") };
    assert!(matches!(entry.target, Target::Grant { .. }));
    assert_eq!((entry.reason, &entry.initiator), (Reason::TokenLimit, &Initiator::System("token_limit".to_owned())));
    assert_eq!(
        house.app.records.store.outbox(10).await.unwrap(),
        [entry.position],
        "an eviction is told like any ending"
    );
    assert!(refreshed(&house, "web", &tokens[0]).await.is_none());
    for token in &tokens[1..] {
        assert!(refreshed(&house, "web", token).await.is_some());
    }
    assert!(refreshed(&house, "app", &elsewhere).await.is_some() && refreshed(&house, "web", &his).await.is_some());
}

#[tokio::test]
async fn e12_a_grant_that_was_refreshed_lately_is_not_the_one_that_goes() {
    let house = House::open().await;
    house.set("maxTokensPerUserPerApplication", json!(3)).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(refresh_token(&house, "alice", "web").await);
    }
    let oldest = refreshed(&house, "web", &tokens[0]).await.unwrap();
    refresh_token(&house, "alice", "web").await;
    assert!(refreshed(&house, "web", &tokens[1]).await.is_none(), "the one issued from longest ago");
    assert!(refreshed(&house, "web", &oldest).await.is_some() && refreshed(&house, "web", &tokens[2]).await.is_some());
}

#[tokio::test]
async fn what_has_ended_makes_room_by_itself() {
    let house = House::open().await;
    house.set("maxTokensPerUserPerApplication", json!(2)).await;
    refresh_token(&house, "alice", "web").await;
    refresh_token(&house, "alice", "web").await;
    house.end(crate::house::subject("alice")).await;
    let after = [refresh_token(&house, "alice", "web").await, refresh_token(&house, "alice", "web").await];
    assert_eq!(entries(&house).await.len(), 1, "nothing was evicted");
    for token in after {
        assert!(refreshed(&house, "web", &token).await.is_some());
    }
}

#[tokio::test]
async fn a_grant_that_has_expired_takes_no_place() {
    let house =
        House::open_with("[lifetimes]\nrefresh_token_secs = 100\naccess_token_secs = 50\nsession_idle_secs = 60\nsession_max_secs = 100\n")
            .await;
    house.set("maxTokensPerUserPerApplication", json!(2)).await;
    refresh_token(&house, "alice", "web").await;
    house.later(60);
    let living = refresh_token(&house, "alice", "web").await;
    house.later(45);
    refresh_token(&house, "alice", "web").await;
    assert!(entries(&house).await.is_empty(), "nothing sweeps here, and yet the one that has expired is not counted");
    assert!(refreshed(&house, "web", &living).await.is_some());
}

#[tokio::test]
async fn a_lower_limit_holds_from_the_next_grant_on_and_zero_is_no_limit() {
    let house = House::open().await;
    house.set("maxTokensPerUserPerApplication", json!(0)).await;
    for _ in 0..5 {
        refresh_token(&house, "alice", "web").await;
    }
    assert!(entries(&house).await.is_empty());
    house.set("maxTokensPerUserPerApplication", json!(2)).await;
    let newest = refresh_token(&house, "alice", "web").await;
    assert_eq!(entries(&house).await.len(), 4, "four of six went");
    assert!(refreshed(&house, "web", &newest).await.is_some());
}
