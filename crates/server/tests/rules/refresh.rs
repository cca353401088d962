//! The policy of refresh tokens and codes: a lost answer logs nobody out, a replay ends the grant, a stranger ends nothing.

use axum::http::StatusCode;
use futures_util::future::join_all;
use rescind_ledger::{Client, Rotation};
use serde_json::Value;

use crate::house::{House, client, text};

/// A server with a client of some policy, and the first tokens of a grant.
async fn granted(client: Client) -> (House, String, Value) {
    let house = House::open().await;
    let id = client.id.clone();
    house.put_client(client).await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, &id, &[]).await;
    let (status, body) = house.exchange(&id, &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    (house, text(&body, "refresh_token"), body)
}

async fn is_refused(house: &House, client: &str, token: &str) {
    let (status, body) = house.refresh(client, token).await;
    assert_eq!((status, text(&body, "error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
}

async fn successor(house: &House, client: &str, token: &str) -> String {
    let (status, body) = house.refresh(client, token).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    text(&body, "refresh_token")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_parallel_refreshes_give_one_successor_and_tokens_of_one_grant() {
    let (house, first, _) = granted(client("public")).await;
    let answers = join_all((0..50).map(|_| house.refresh("public", &first))).await;
    let mut successors: Vec<String> = answers
        .iter()
        .map(|(status, body)| {
            assert_eq!(*status, StatusCode::OK, "{body}");
            text(body, "refresh_token")
        })
        .collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let mut grants = Vec::new();
    for (_, body) in &answers {
        let known = house.app.records.find_access_token(&rescind_ledger::Hash::of(&text(body, "access_token"))).await;
        grants.push(known.unwrap().unwrap().view().unwrap().grant.to_owned());
    }
    grants.dedup();
    assert_eq!(grants.len(), 1);
    let next = successor(&house, "public", &successors[0]).await;
    assert_ne!(next, first, "the one head goes on");
}

#[tokio::test]
async fn a_lost_answer_within_the_grace_gives_the_same_successor() {
    let (house, first, _) = granted(client("public")).await;
    let second = successor(&house, "public", &first).await;
    house.later(30);
    assert_eq!(successor(&house, "public", &first).await, second);
    assert_eq!(successor(&house, "public", &first).await, second, "as often as it is lost");
}

#[tokio::test]
async fn a_replay_after_the_grace_ends_the_grant() {
    let (house, first, body) = granted(client("public-spa")).await;
    let second = successor(&house, "public-spa", &first).await;
    house.later(31);
    is_refused(&house, "public-spa", &first).await;
    is_refused(&house, "public-spa", &second).await;
    let access = house.app.records.find_access_token(&rescind_ledger::Hash::of(&text(&body, "access_token"))).await;
    let known = access.unwrap().unwrap();
    assert_eq!(
        house.app.live.verdict(&known.view().unwrap().trace(house.app.live.issuer(), house.app.live.key())),
        rescind_ledger::Verdict::Revoked
    );
}

#[tokio::test]
async fn without_a_grace_a_replay_in_the_same_second_ends_the_grant() {
    let strict = Client { rotation_grace_secs: 0, ..client("public") };
    let (house, first, _) = granted(strict).await;
    let second = successor(&house, "public", &first).await;
    is_refused(&house, "public", &first).await;
    is_refused(&house, "public", &second).await;
}

#[tokio::test]
async fn a_replay_after_the_use_of_the_successor_ends_the_grant() {
    let (house, first, _) = granted(client("web")).await;
    let second = successor(&house, "web", &first).await;
    let third = successor(&house, "web", &second).await;
    assert!(house.is_active("web", &third).await);
    is_refused(&house, "web", &first).await;
    assert!(!house.is_active("web", &third).await);
    is_refused(&house, "web", &third).await;
}

#[tokio::test]
async fn a_client_that_does_not_rotate_keeps_its_refresh_token() {
    let (house, first, _) = granted(Client { rotation: Rotation::Never, ..client("web") }).await;
    for _ in 0..3 {
        house.later(60);
        assert_eq!(successor(&house, "web", &first).await, first);
    }
    assert!(house.is_active("web", &first).await);
}

#[tokio::test]
async fn a_stranger_with_an_old_refresh_token_ends_nothing() {
    let (house, first, _) = granted(client("web")).await;
    let second = successor(&house, "web", &first).await;
    house.later(31);
    is_refused(&house, "app", &first).await;
    assert!(house.is_active("web", &second).await);
    successor(&house, "web", &second).await;
}

#[tokio::test]
async fn a_code_replayed_by_its_own_client_ends_the_grant() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let (_, body) = house.exchange("web", &code).await;
    let (access, refresh) = (text(&body, "access_token"), text(&body, "refresh_token"));
    assert!(house.is_active("web", &access).await);
    let (status, _) = house.exchange("web", &code).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(!house.is_active("web", &access).await);
    is_refused(&house, "web", &refresh).await;
}

#[tokio::test]
async fn a_stranger_with_a_leaked_code_ends_nothing() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let (_, body) = house.exchange("web", &code).await;
    let head = house.app.live.head();
    let wrong = "another-verifier-of-enough-characters-for-it-all";
    for (thief, verifier) in [("app", crate::house::VERIFIER), ("web", wrong)] {
        let (status, _) = house.exchange_with(thief, &code, verifier).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(house.app.live.head(), head);
    assert!(house.is_active("web", &text(&body, "access_token")).await);
    successor(&house, "web", &text(&body, "refresh_token")).await;
}
