//! The one-purpose link.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use rescind::deliveries;
use serde_json::{Value, json};

use super::revoker;
use crate::house::{House, ISSUER, text};

async fn open(house: &House, path: &str, accept: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
    let response = house.send(request).await;
    let (status, kind) = (response.status(), response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

async fn by_token(house: &House, method: &str, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string()));
    let response = house.send(request.unwrap()).await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn whoever_ended_everything_still_sees_the_receipt_and_can_do_nothing_else() {
    let house = House::open().await;
    let token = revoker(&house).await;
    let order = json!({ "target": { "kind": "everything" }, "reason": "key_compromise" });
    let (status, answer) = by_token(&house, "POST", "/revocations", &token, &order).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let (position, link) = (text(&answer, "position"), text(&answer, "receipt"));
    let shown = by_token(&house, "GET", &format!("/revocations/{position}"), &token, &json!(null)).await;
    assert_eq!(shown.0, StatusCode::UNAUTHORIZED, "the caller's own token is dead");

    let path = link.strip_prefix(ISSUER).unwrap();
    let (status, kind, page) = open(&house, path, "text/html").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(page.contains(r#"<meta http-equiv="refresh""#) && page.contains("Counting"), "{page}");
    deliveries::dispatch(&house.app).await.unwrap();
    let (_, _, page) = open(&house, path, "*/*").await;
    assert!(!page.contains("http-equiv") && page.contains("key_compromise") && page.contains(&position), "{page}");
    let (status, kind, body) = open(&house, path, "application/json").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"));
    let receipt: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&receipt["position"], &receipt["ended"]["access_tokens"]), (&json!(position), &json!(1)));
    // The code is no token of any kind.
    let code = path.rsplit('/').next().unwrap();
    assert_eq!(by_token(&house, "GET", "/status", code, &json!(null)).await.0, StatusCode::UNAUTHORIZED);
    let audit = house.audit_after(0).await;
    assert!(!audit.iter().any(|record| record.to_string().contains(code)), "a secret reached the audit trail");
}

#[tokio::test]
async fn a_link_that_is_altered_or_too_old_opens_nothing() {
    let house = House::open().await;
    let order = json!({ "target": { "kind": "client", "client": "web" } });
    let (_, answer) = house.admin("POST", "/revocations", &order).await;
    let path = text(&answer, "receipt").strip_prefix(ISSUER).unwrap().to_owned();
    assert_eq!(open(&house, &path, "*/*").await.0, StatusCode::OK);
    for wrong in [path[..path.len() - 1].to_owned(), format!("{path}A"), "/receipts/AAAA".to_owned()] {
        assert_eq!(open(&house, &wrong, "text/html").await.0, StatusCode::NOT_FOUND, "{wrong}");
        let (status, kind, body) = open(&house, &wrong, "application/json").await;
        assert_eq!((status, kind.as_str()), (StatusCode::NOT_FOUND, "application/json"), "{body}");
    }
    house.later(7 * 86_400 - 1);
    assert_eq!(open(&house, &path, "*/*").await.0, StatusCode::OK);
    house.later(1);
    assert_eq!(open(&house, &path, "*/*").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn names_on_the_page_are_text_and_never_markup() {
    let house = House::open().await;
    let order = json!({ "target": { "kind": "client", "client": "web" }, "note": "<script>alert(1)</script>" });
    let (_, answer) = house.admin("POST", "/revocations", &order).await;
    let path = text(&answer, "receipt").strip_prefix(ISSUER).unwrap().to_owned();
    let (_, _, page) = open(&house, &path, "*/*").await;
    assert!(!page.contains("<script") && page.contains("alert(1)"), "{page}");
}

#[tokio::test]
async fn the_page_of_a_conditioned_revocation_says_so() {
    let house = House::open().await;
    let before = jiff::Timestamp::from_second(house.app.now().secs() - 60).unwrap();
    for (condition, told) in [(Value::Null, false), (json!(before.to_string()), true)] {
        let mut order = json!({ "target": { "kind": "user", "user": "alice" } });
        if told {
            order["before"] = condition;
        }
        let (_, answer) = house.admin("POST", "/revocations", &order).await;
        let path = text(&answer, "receipt").strip_prefix(ISSUER).unwrap().to_owned();
        let page = open(&house, &path, "text/html").await.2;
        assert_eq!(page.contains("Only what was issued before"), told, "{page}");
        assert_eq!(page.contains(&before.to_string()), told, "{page}");
    }
}
