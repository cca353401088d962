//! Settings: in force with the next request, kept over a restart, and never without the horizon they need.

use axum::http::StatusCode;
use rescind::clock::Clock;
use rescind_ledger::{Action, Reads, horizon_in_force};
use serde_json::{Value, json};

use crate::house::{House, open_in, text};

async fn lifetime(house: &House) -> i64 {
    let (status, body) = house.post("web", "/token", &[("grant_type", "client_credentials")]).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["expires_in"].as_i64().unwrap()
}

#[tokio::test]
async fn a_lifetime_holds_for_the_next_token_and_lengthens_the_horizon_with_it() {
    let house = House::open().await;
    let usual = lifetime(&house).await;
    let horizon = || async {
        let facts = house.app.records.store.horizons().await.unwrap();
        horizon_in_force(&facts, house.app.now()).unwrap()
    };
    house.set("accessTokenLifetime", json!(86_400)).await;
    assert_eq!(lifetime(&house).await, 86_400);
    house.set("accessTokenLifetime", Value::Null).await;
    assert_eq!(lifetime(&house).await, usual);
    let before = horizon().await;
    house.set("refreshTokenLifetime", json!(31_622_400)).await;
    let longer = horizon().await;
    assert!(longer > before, "what is issued from now on is remembered for as long as it lives");
    house.set("refreshTokenLifetime", Value::Null).await;
    assert_eq!(horizon().await, longer, "what was issued under the longer life is still out there");
}

#[tokio::test]
async fn contradictions_and_unknown_settings_change_nothing() {
    let house = House::open().await;
    let before = (house.app.settings(), house.app.records.store.horizons().await.unwrap().len());
    for (name, body, status) in [
        ("NOTHING", json!({"value": true}), StatusCode::NOT_FOUND),
        ("REVOKE_TOKEN", json!({"value": "off"}), StatusCode::UNPROCESSABLE_ENTITY),
        ("REVOKE_TOKEN", json!({}), StatusCode::BAD_REQUEST),
        ("REVOKE_TOKEN", json!({"value": true, "values": 1}), StatusCode::BAD_REQUEST),
        ("REVOKE_TOKEN", json!({"value": true, "version": 7}), StatusCode::CONFLICT),
        ("refreshTokenLifetime", json!({"value": 1}), StatusCode::UNPROCESSABLE_ENTITY),
        ("sessionIdUnusedLifetime", json!({"value": 31_622_400}), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (answered, answer) = house.admin("PATCH", &format!("/settings/{name}"), &body).await;
        assert_eq!(answered, status, "{name} {body}: {answer}");
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{answer}");
    }
    assert_eq!((house.app.settings(), house.app.records.store.horizons().await.unwrap().len()), before);
}

#[tokio::test]
async fn settings_survive_a_restart_and_each_change_is_recorded_with_who_made_it() {
    let house = House::open().await;
    let before = house.audited().await;
    house.set("STATUS_LIST", json!(false)).await;
    house.set("statusListTtl", json!(77)).await;
    let records = house.audit_after(before).await;
    let of = |what: &str| records.iter().find(|record| record["what"] == what).unwrap().clone();
    for what in ["STATUS_LIST: true -> false", "statusListTtl: 10 -> 77"] {
        let record = of(what);
        assert_eq!(record["action"], Action::Setting.name());
        assert_eq!(record["actor"], json!({"kind": "administrator", "id": "local"}));
    }
    let settings = house.app.settings();
    let dir = house.close().await;
    let opened = open_in(dir.path(), Clock::System).unwrap();
    assert_eq!(opened.app.settings(), settings);
}

#[tokio::test]
async fn the_history_goes_page_by_page_and_a_stale_version_is_refused() {
    let house = House::open().await;
    for secs in 1..=5 {
        house.set("statusListTtl", json!(secs)).await;
    }
    let (_, first) = house.admin("GET", "/settings/statusListTtl/history?limit=3", &Value::Null).await;
    let next = text(&first, "next");
    let (_, rest) =
        house.admin("GET", &format!("/settings/statusListTtl/history?limit=3&cursor={next}"), &Value::Null).await;
    let values =
        |page: &Value| page["items"].as_array().unwrap().iter().map(|one| one["value"].clone()).collect::<Vec<_>>();
    assert_eq!((values(&first), values(&rest)), (vec![json!(5), json!(4), json!(3)], vec![json!(2), json!(1)]));
    assert_eq!(rest["next"], Value::Null);
    let (_, shown) = house.admin("GET", "/settings/statusListTtl", &Value::Null).await;
    assert_eq!((&shown["value"], &shown["default"], &shown["version"]), (&json!(5), &json!(10), &json!(5)));
    let stale = json!({"value": 9, "version": 4});
    assert_eq!(house.admin("PATCH", "/settings/statusListTtl", &stale).await.0, StatusCode::CONFLICT);
    let present = json!({"value": 9, "version": 5});
    assert_eq!(house.admin("PATCH", "/settings/statusListTtl", &present).await.0, StatusCode::OK);
}
