//! How much there is, at one glance.

use axum::http::StatusCode;
use rescind_ledger::Target;
use serde_json::{Value, json};

use crate::house::{API_A, House, ISSUER};

async fn overview(house: &House) -> Value {
    let (status, body) = house.admin("GET", "/overview", &Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

#[tokio::test]
async fn an_overview_counts_what_is_alive_and_says_how_old_it_is() {
    let house = House::open().await;
    for _ in 0..3 {
        let cookie = house.sign_in("alice").await;
        let code = house.code(&cookie, "web", &[("scope", "read"), ("resource", API_A)]).await;
        assert_eq!(house.exchange("web", &code).await.0, StatusCode::OK);
    }
    let first = overview(&house).await;
    assert_eq!((&first["live_sessions"], &first["live_tokens"]), (&json!(3), &json!(3)), "{first}");
    assert_eq!(
        (&first["users"], &first["clients"], &first["apis"]),
        (&json!(2), &json!(3), &json!(3)),
        "the console among the clients"
    );
    assert_eq!((&first["exact"], &first["as_of"]), (&json!(true), &json!(house.app.now())));
    let counts = |overview: &Value, of: &str| {
        let stretches = overview[of].as_array().unwrap().clone();
        stretches.iter().map(|stretch| stretch["count"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(counts(&first, "revocations"), [0; 24]);
    house.end(Target::Subject { issuer: ISSUER.to_owned(), subject: "u_alice".to_owned() }).await;
    house.later(20);
    assert_eq!(overview(&house).await, first, "it is fresh enough");
    house.later(20);
    assert_eq!(overview(&house).await, first, "what is old is shown once more, with its age");
    let fresh = loop {
        let shown = overview(&house).await;
        if shown["as_of"] != first["as_of"] {
            break shown;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert_eq!((&fresh["live_sessions"], &fresh["live_tokens"]), (&json!(0), &json!(0)), "{fresh}");
    assert_eq!(counts(&fresh, "revocations").iter().sum::<u64>(), 1);
    let days = counts(&fresh, "revocations_by_day");
    assert_eq!((days.len(), days.last()), (30, Some(&1)));
}

#[tokio::test]
async fn an_overview_tells_how_long_each_revocation_took_once() {
    let house = House::open().await;
    for _ in 0..3 {
        house.end(Target::Everything).await;
    }
    rescind::deliveries::dispatch(&house.app).await.unwrap();
    let effect = overview(&house).await["time_to_effect"].clone();
    let buckets = effect["buckets"].as_array().unwrap();
    assert_eq!(effect["count"], 3);
    assert_eq!(buckets.iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum::<u64>(), 3, "{effect}");
    assert_eq!(buckets.last().unwrap()["le_ms"], Value::Null, "the slowest have no bound");
}
