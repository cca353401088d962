//! `?time=`: a list as it stood at an earlier moment (Token Status List section 8.4).

use axum::http::StatusCode;
use rescind_ledger::Target;
use serde_json::json;

use super::{claims, fetch, id, slot, token, unpack, verified};
use crate::house::{House, subject, text};

/// Whether a token was INVALID at a moment.
pub(crate) async fn was_invalid(house: &House, jwt: &str, at: i64) -> bool {
    let (uri, index) = slot(jwt);
    let fetched = fetch(house, &format!("{uri}?time={at}"), &[]).await;
    assert_eq!(fetched.status, StatusCode::OK, "{}", fetched.body);
    let said = verified(house, &fetched.body);
    assert_eq!((&said["iat"], &said["exp"]), (&json!(at), &json!(at + 600)), "good at that moment");
    unpack(&text(&said["status_list"], "lst")).unwrap()[index / 8] >> (index % 8) & 1 == 1
}

#[tokio::test]
async fn a_list_says_how_each_token_stood_at_any_moment_since_it_was_opened() {
    let house = House::open().await;
    let (alices, bobs) = (token(&house, "alice", "web", "read").await, token(&house, "bob", "web", "read").await);
    let opened = house.app.now().secs();
    house.later(10);
    house.end(subject("alice")).await;
    house.later(10);
    let later = token(&house, "alice", "web", "read").await;
    house.later(10);
    // A second cut-off hides the first one from the index.
    house.end(subject("alice")).await;
    house.end(Target::Grant { grant: id(&bobs, "grant_id") }).await;
    house.later(10);
    let rows = [(0, [false, false, false]), (9, [false, false, false]), (10, [true, false, false])];
    let more = [(29, [true, false, false]), (30, [true, true, true]), (40, [true, true, true])];
    for (after, expected) in rows.into_iter().chain(more) {
        for (token, dead) in [&alices, &bobs, &later].into_iter().zip(expected) {
            assert_eq!(was_invalid(&house, token, opened + after).await, dead, "after {after} s: {}", claims(token));
        }
    }
}

#[tokio::test]
async fn there_is_no_list_before_it_was_opened_nor_in_the_future() {
    let house = House::open().await;
    house.later(100);
    let (uri, _) = slot(&token(&house, "alice", "web", "read").await);
    let now = house.app.now().secs();
    for (time, status) in [
        (now.to_string(), StatusCode::OK),
        ((now - 1).to_string(), StatusCode::NOT_FOUND),
        ((now + 1).to_string(), StatusCode::NOT_FOUND),
        ("0".to_owned(), StatusCode::NOT_FOUND),
        // A parameter without a value counts as left out (RFC 6749 section 3.1).
        (String::new(), StatusCode::OK),
        ("-1".to_owned(), StatusCode::BAD_REQUEST),
        ("%2B1".to_owned(), StatusCode::BAD_REQUEST),
        ("yesterday".to_owned(), StatusCode::BAD_REQUEST),
        ("99999999999999999999".to_owned(), StatusCode::BAD_REQUEST),
        (format!("{now}&time={now}"), StatusCode::BAD_REQUEST),
    ] {
        let fetched = fetch(&house, &format!("{uri}?time={time}"), &[]).await;
        assert_eq!(fetched.status, status, "{time}: {}", fetched.body);
    }
}
