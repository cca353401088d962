//! The table against the router that is built from it.

mod interleaved;

use std::{collections::HashSet, net::SocketAddr, path::Path, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Request, Response, StatusCode, header},
};
use http_body_util::BodyExt;
use rescind_ledger::{AccessToken, Grant, Hash, Lane, Minted, Position};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Access, BASE, ROUTES, local_router, router};
use crate::{
    app::{App, Opened},
    clock::{Clock, fresh_id},
    config,
    pace::Pace,
};

fn open(folder: &Path) -> Arc<App> {
    let mut config = config::from_toml("issuer = \"https://id.example/tenant\"", []).unwrap();
    config.data_dir = folder.join("data");
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    // Opening waits for the writer, which must not be done where futures run.
    let opening = std::thread::spawn(|| Opened::open(config, Clock::System, Pace::Free).unwrap().start().unwrap().0);
    opening.join().unwrap()
}

async fn send(router: &Router, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    router.clone().oneshot(request.unwrap()).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn local(router: &Router, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let response = send(router, method, &format!("{BASE}{path}"), None, body).await;
    (response.status(), json_of(response).await)
}

/// Writes down an access token of a client and gives its text.
async fn token(app: &App, client: &str, scope: &str, audience: &str) -> String {
    let text = fresh_id("test token ");
    let now = app.now();
    let expires_at = now.plus(std::time::Duration::from_secs(600));
    let grant = Grant {
        id: fresh_id("g_"),
        client: client.to_owned(),
        user: None,
        session: None,
        session_bound: false,
        device: None,
        scope: scope.to_owned(),
        audiences: vec![audience.to_owned()],
        position: app.live.stamp(),
        auth_time: None,
        nonce: None,
        issued_at: now,
        expires_at,
    };
    let access = AccessToken {
        hash: Hash::of(&text),
        id: fresh_id(""),
        grant: grant.id.clone(),
        client: client.to_owned(),
        user: None,
        session: None,
        session_validation: rescind_ledger::SessionValidation::NONE,
        device: None,
        scope: scope.to_owned(),
        audiences: grant.audiences.clone(),
        key: None,
        certificate: None,
        position: grant.position,
        auth_time: None,
        issued_at: now,
        expires_at,
    };
    let minted = Minted { grant, access, refresh: None, status: None };
    app.submit(Lane::Issuing, move |door| door.mint(&minted)).await.unwrap();
    text
}

#[test]
fn no_two_lines_of_the_table_are_for_the_same_thing() {
    let mut seen = HashSet::new();
    for route in ROUTES {
        assert!(seen.insert((route.method.name(), route.path)), "{} {}", route.method.name(), route.path);
        let reads = route.access == Access::Read;
        assert!(route.method.name() != "GET" || reads, "{} is a GET that needs more than read", route.path);
    }
}

#[tokio::test]
async fn every_route_asks_for_a_credential_and_for_its_scope() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let (router, on_socket) = (router(&app), local_router(&app));
    let base = format!("/tenant{BASE}");
    local(&on_socket, "POST", "/clients", Some(json!({"id": "robot", "name": "Robot"}))).await;
    let issuer = app.config.issuer.clone();
    for route in ROUTES {
        let (method, path) = (route.method.name(), format!("{base}{}", route.path.replace("{id}", "x")));
        let refused = send(&router, method, &path, None, None).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        assert!(refused.headers().contains_key(header::WWW_AUTHENTICATE));
        assert_eq!(refused.headers()[header::CONTENT_TYPE], "application/problem+json");
        let wrong = send(&router, method, &path, Some("rsc_at_guess"), None).await;
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        let below: Vec<&str> = Access::ALL.into_iter().filter(|one| *one < route.access).map(Access::scope).collect();
        let weak = token(&app, "robot", &below.join(" "), &issuer).await;
        let forbidden = send(&router, method, &path, Some(&weak), None).await;
        assert_eq!(forbidden.status(), StatusCode::FORBIDDEN, "{method} {path}");
        assert_eq!(json_of(forbidden).await["status"], 403);
    }
    for path in ["", "/", "/planets", "/users/a/b/c"] {
        let refused = send(&router, "GET", &format!("{base}{path}"), None, None).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(local(&on_socket, "GET", "/planets", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(local(&on_socket, "PUT", "/users", None).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_that_is_revoked_for_another_api_or_of_a_disabled_client_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let (router, on_socket) = (router(&app), local_router(&app));
    let status = format!("/tenant{BASE}/status");
    let issuer = app.config.issuer.clone();
    local(&on_socket, "POST", "/clients", Some(json!({"id": "robot", "name": "Robot"}))).await;
    let good = token(&app, "robot", "rescind:read", &issuer).await;
    assert_eq!(send(&router, "GET", &status, Some(&good), None).await.status(), StatusCode::OK);
    let foreign = token(&app, "robot", "rescind:read", "https://api.example").await;
    assert_eq!(send(&router, "GET", &status, Some(&foreign), None).await.status(), StatusCode::UNAUTHORIZED);
    let order = json!({"target": {"kind": "client", "client": "robot"}, "reason": "token_leaked"});
    assert_eq!(local(&on_socket, "POST", "/revocations", Some(order)).await.0, StatusCode::CREATED);
    assert_eq!(send(&router, "GET", &status, Some(&good), None).await.status(), StatusCode::UNAUTHORIZED);
    let later = token(&app, "robot", "rescind:read", &issuer).await;
    assert_eq!(send(&router, "GET", &status, Some(&later), None).await.status(), StatusCode::OK);
    local(&on_socket, "PATCH", "/clients/robot", Some(json!({"enabled": false}))).await;
    assert_eq!(send(&router, "GET", &status, Some(&later), None).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_order_for_something_unknown_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let on_socket = local_router(&app);
    for target in [
        json!({"kind": "user", "user": "nobody"}),
        json!({"kind": "client", "client": "none"}),
        json!({"kind": "api", "api": "https://none.example"}),
        json!({"kind": "device", "device": "none"}),
        json!({"kind": "token", "token": "none"}),
        json!({"kind": "grant", "grant": "none"}),
        json!({"kind": "session", "session": "none"}),
        json!({"kind": "key", "key": "none"}),
        json!({"kind": "user_client", "user": "nobody", "client": "none"}),
    ] {
        let order = json!({"target": target, "reason": "policy"});
        assert_eq!(local(&on_socket, "POST", "/revocations", Some(order)).await.0, StatusCode::NOT_FOUND, "{target}");
    }
    let misspelt = json!({"target": {"kind": "everything"}, "reason": "because"});
    assert_eq!(local(&on_socket, "POST", "/revocations", Some(misspelt)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(app.live.head(), Position::START);
}

#[tokio::test]
async fn the_preview_counts_exactly_what_the_order_then_ends() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let on_socket = local_router(&app);
    for id in ["one", "two"] {
        local(&on_socket, "POST", "/clients", Some(json!({"id": id, "name": id}))).await;
    }
    local(&on_socket, "POST", "/apis", Some(json!({"audience": "https://api.example", "name": "Orders"}))).await;
    let mut texts = Vec::new();
    for (client, audience) in
        [("one", "https://api.example"), ("one", "https://other.example"), ("two", "https://api.example")]
    {
        texts.push(token(&app, client, "", audience).await);
    }
    let path = "/revocations/preview?kind=client_api&client=one&api=https%3A%2F%2Fapi.example";
    let preview = local(&on_socket, "GET", path, None).await.1;
    assert_eq!((&preview["access_tokens"], &preview["grants"]), (&json!(1), &json!(0)));
    assert_eq!(preview["by_client"], json!([{"client": "one", "access_tokens": 1}]));
    let order =
        json!({"target": {"kind": "client_api", "client": "one", "api": "https://api.example"}, "note": "why not"});
    let receipt = local(&on_socket, "POST", "/revocations", Some(order)).await.1;
    assert_eq!(receipt["position"], preview["position"]);
    let mut alive = Vec::new();
    for text in &texts {
        let answer = local(&on_socket, "POST", "/explain", Some(json!({"token": text}))).await.1;
        alive.push(answer["alive"] == json!(true));
        if answer["alive"] == json!(false) {
            assert_eq!(answer["revoked_by"][0]["note"], "why not");
            assert_eq!(answer["revoked_by"][0]["initiator"], json!({"kind": "administrator", "id": "local"}));
        }
    }
    assert_eq!(alive, [false, true, true]);
    assert_eq!(local(&on_socket, "GET", path, None).await.1["access_tokens"], 0);
}

#[tokio::test]
async fn a_repeated_idempotency_key_is_the_same_order() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let on_socket = local_router(&app);
    let send = |target: Value| {
        let body = json!({"target": target, "reason": "policy"}).to_string();
        let request = Request::post(format!("{BASE}/revocations"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "\"k1\"")
            .body(Body::from(body));
        on_socket.clone().oneshot(request.unwrap())
    };
    assert_eq!(send(json!({"kind": "everything"})).await.unwrap().status(), StatusCode::CREATED);
    let again = send(json!({"kind": "everything"})).await.unwrap();
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(json_of(again).await["position"], "1-1");
    let other = send(json!({"kind": "api", "api": app.config.issuer})).await.unwrap();
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn revoking_the_key_that_signs_puts_another_in_its_place_and_takes_it_out_of_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let on_socket = local_router(&app);
    let keys = local(&on_socket, "GET", "/keys", None).await.1;
    let kid = keys["items"][0]["kid"].as_str().unwrap().to_owned();
    local(&on_socket, "POST", "/clients", Some(json!({"id": "robot", "name": "Robot"}))).await;
    token(&app, "robot", "", &app.config.issuer).await;
    let preview = local(&on_socket, "GET", &format!("/revocations/preview?kind=key&key={kid}"), None).await.1;
    assert_eq!(preview["access_tokens"], 0, "the key did not sign it");
    let order = json!({"target": {"kind": "key", "key": kid}, "reason": "key_compromise"});
    assert_eq!(local(&on_socket, "POST", "/revocations", Some(order.clone())).await.0, StatusCode::CREATED);
    assert!(app.keys.ring().published.kids().all(|one| one != kid));
    let left = local(&on_socket, "GET", "/keys", None).await.1;
    assert!(left["items"].as_array().unwrap().iter().all(|key| key["kid"] != json!(kid)));
    assert_eq!(local(&on_socket, "POST", "/revocations", Some(order)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_disabled_user_loses_access_and_a_new_password_ends_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    let on_socket = local_router(&app);
    let new = json!({"user_name": "alice", "password": "correct horse"});
    let (status, user) = local(&on_socket, "POST", "/users", Some(new.clone())).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(!user.to_string().contains("argon2"));
    assert_eq!(local(&on_socket, "POST", "/users", Some(new)).await.0, StatusCode::CONFLICT);
    let changed = local(&on_socket, "PATCH", "/users/alice", Some(json!({"display_name": "Alice"}))).await.1;
    assert_eq!(changed["ended"], Value::Null);
    let changed = local(&on_socket, "PATCH", "/users/Alice", Some(json!({"password": "battery staple"}))).await.1;
    assert_eq!(changed["ended"]["position"], "1-1");
    let changed = local(&on_socket, "PATCH", "/users/alice", Some(json!({"enabled": false}))).await.1;
    assert_eq!(changed["ended"]["position"], "1-2");
    assert_eq!(local(&on_socket, "DELETE", "/users/alice", None).await.1["ended"]["position"], "1-3");
    assert_eq!(local(&on_socket, "GET", "/users/alice", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_misspelt_filter_is_an_error_and_not_a_wider_list() {
    let folder = tempfile::tempdir().unwrap();
    let on_socket = local_router(&open(folder.path()));
    for path in
        ["/tokens?usr=alice", "/tokens?client=", "/tokens?client=a&client=b", "/tokens?limit=501", "/tokens?live=no"]
    {
        assert_eq!(local(&on_socket, "GET", path, None).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
    let unknown = json!({"name": "x", "redirect_uri": ["https://x"]});
    assert_eq!(local(&on_socket, "POST", "/clients", Some(unknown)).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(local(&on_socket, "GET", "/tokens?user=nobody", None).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_client_is_given_neither_keys_that_are_none_nor_a_grace_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let on_socket = local_router(&open(folder.path()));
    let wrong = [
        json!({"name": "x", "jwks": {"keys": [[null]]}}),
        json!({"name": "x", "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "a secret"}]}}),
        json!({"name": "x", "rotation_grace_secs": 301}),
    ];
    for client in wrong {
        let (status, problem) = local(&on_socket, "POST", "/clients", Some(client.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{client}");
        assert!(!problem.to_string().contains("a secret"));
    }
    let right = json!({"name": "x", "jwks": {"keys": [{"kty": "EC"}]}, "rotation_grace_secs": 300});
    assert_eq!(local(&on_socket, "POST", "/clients", Some(right)).await.0, StatusCode::CREATED);
}
