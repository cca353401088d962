//! The revocation endpoint: its settings, several tokens at once, who may end what, and that work tells nothing.

use axum::http::{Request, StatusCode, header};
use rescind_ledger::{Client, Reads};
use serde_json::{Value, json};

use crate::house::{House, client, text};

/// A server with two public clients and one that may end tokens of others.
async fn house() -> House {
    let house = House::open().await;
    for id in ["public", "public2"] {
        house.put_client(client(id)).await;
    }
    let mut scopes = client("soc").scopes;
    scopes.push("revoke_any_token".to_owned());
    house.put_client(Client { scopes, ..client("soc") }).await;
    house
}

/// A user's access and refresh token at a client.
async fn tokens(house: &House, id: &str) -> (String, String) {
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, id, &[("scope", "read offline_access")]).await;
    let (status, body) = house.exchange(id, &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    (text(&body, "access_token"), text(&body, "refresh_token"))
}

async fn own_token(house: &House, id: &str) -> String {
    text(&house.post(id, "/token", &[("grant_type", "client_credentials")]).await.1, "access_token")
}

async fn revoke(house: &House, id: &str, token: &str, hint: Option<&str>) -> (StatusCode, Value) {
    let fields = [("token", token), ("token_type_hint", hint.unwrap_or_default())];
    house.post(id, "/revoke", &fields).await
}

/// Whether a token is dead, as an administrator sees it.
async fn is_dead(house: &House, token: &str) -> bool {
    let (status, body) = house.admin("POST", "/explain", &json!({ "token": token })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["alive"] == json!(false)
}

#[tokio::test]
async fn j25_all_ends_every_token_of_the_caller_and_none_of_another_client() {
    let house = house().await;
    let (ours, refresh) = tokens(&house, "web").await;
    let (machine, theirs) = (own_token(&house, "web").await, own_token(&house, "app").await);
    for (token, hint) in [("all", None), ("x", Some("all"))] {
        assert_eq!(revoke(&house, "web", token, hint).await.0, StatusCode::OK);
    }
    assert!(!is_dead(&house, &ours).await && !is_dead(&house, &machine).await, "it is switched off");
    house.set("allowAllValueForRevokeEndpoint", json!(true)).await;
    assert_eq!(revoke(&house, "web", "All", None).await.0, StatusCode::OK);
    for token in [&ours, &refresh, &machine] {
        assert!(is_dead(&house, token).await);
    }
    assert!(!is_dead(&house, &theirs).await);
    let later = own_token(&house, "web").await;
    assert!(!is_dead(&house, &later).await, "ending is not banning");
    assert_eq!(revoke(&house, "web", "x", Some("all")).await.0, StatusCode::OK);
    assert!(is_dead(&house, &later).await, "the hint says it too");
}

#[tokio::test]
async fn j26_all_with_a_hint_still_ends_grants_as_a_whole() {
    let house = house().await;
    house.set("allowAllValueForRevokeEndpoint", json!(true)).await;
    let (access, refresh) = tokens(&house, "web").await;
    assert_eq!(revoke(&house, "web", "all", Some("refresh_token")).await.0, StatusCode::OK);
    assert!(is_dead(&house, &refresh).await && is_dead(&house, &access).await);
}

#[tokio::test]
async fn a_public_client_cannot_end_everything_that_others_hold_in_its_name() {
    let house = house().await;
    house.set("allowAllValueForRevokeEndpoint", json!(true)).await;
    let (access, _) = tokens(&house, "public").await;
    let (status, body) = revoke(&house, "public", "all", None).await;
    assert_eq!((status, &body["error"]), (StatusCode::BAD_REQUEST, &json!("unauthorized_client")));
    assert!(!is_dead(&house, &access).await);
}

#[tokio::test]
async fn j11_j12_j13_j14_j15_j28_another_clients_token_takes_the_setting_and_the_scope() {
    let house = house().await;
    let theirs = own_token(&house, "app").await;
    let refused = |answer: (StatusCode, Value)| {
        assert_eq!(
            (answer.0, &answer.1["error"]),
            (StatusCode::BAD_REQUEST, &json!("invalid_request")),
            "{}",
            answer.1
        );
    };
    for id in ["web", "soc"] {
        refused(revoke(&house, id, &theirs, None).await);
    }
    house.set("allowRevokeForOtherClients", json!(true)).await;
    refused(revoke(&house, "web", &theirs, None).await);
    assert!(!is_dead(&house, &theirs).await);
    let own = own_token(&house, "web").await;
    assert_eq!(revoke(&house, "web", &own, None).await.0, StatusCode::OK, "one's own needs no scope");
    assert_eq!(revoke(&house, "soc", &theirs, None).await.0, StatusCode::OK);
    assert!(is_dead(&house, &theirs).await && is_dead(&house, &own).await);
    let record = house.audit_after(house.audited().await - 3).await;
    let order = record.iter().find(|record| record["note"] == "of the client app").unwrap();
    assert_eq!((&order["outcome"], &order["actor"]), (&json!("ended"), &json!({"kind": "client", "id": "soc"})));
}

#[tokio::test]
async fn j30_several_tokens_die_together_or_not_at_all() {
    let house = house().await;
    let (one, other, theirs) =
        (own_token(&house, "web").await, own_token(&house, "web").await, own_token(&house, "app").await);
    let mixed = format!("{one} {theirs} {other}");
    assert_eq!(revoke(&house, "web", &mixed, None).await.0, StatusCode::BAD_REQUEST);
    for token in [&one, &other, &theirs] {
        assert!(!is_dead(&house, token).await);
    }
    assert_eq!(revoke(&house, "web", &format!("{one} unknown {other}"), None).await.0, StatusCode::OK);
    assert!(is_dead(&house, &one).await && is_dead(&house, &other).await);
}

#[tokio::test]
async fn j24_the_endpoint_is_switched_off_and_on_while_the_server_runs() {
    let house = house().await;
    let token = own_token(&house, "web").await;
    let discovered = |name: &'static str| {
        let house = &house;
        async move {
            let request = Request::get("/.well-known/openid-configuration").body(axum::body::Body::empty()).unwrap();
            let body = axum::body::to_bytes(house.send(request).await.into_body(), 1 << 20).await.unwrap();
            serde_json::from_slice::<Value>(&body).unwrap().get(name).is_some()
        }
    };
    for (setting, path, member) in [
        ("REVOKE_TOKEN", "/revoke", "revocation_endpoint"),
        ("INTROSPECTION", "/introspect", "introspection_endpoint"),
        ("USERINFO", "/userinfo", "userinfo_endpoint"),
        ("END_SESSION", "/logout", "end_session_endpoint"),
        ("DYNAMIC_REGISTRATION", "/register", "registration_endpoint"),
    ] {
        assert!(discovered(member).await, "{member}");
        house.set(setting, json!(false)).await;
        let (status, body) = house.post("web", path, &[("token", &token)]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        assert!(path == "/logout" || body["error"] == "access_denied", "{path}: {body}");
        assert!(!discovered(member).await, "{member}");
        house.set(setting, Value::Null).await;
        assert!(discovered(member).await, "{member}");
    }
    assert!(house.is_active("web", &token).await, "nothing was revoked");
}

#[tokio::test]
async fn a_public_client_costs_and_hears_the_same_for_a_foreign_an_unknown_and_a_dead_token() {
    let house = house().await;
    let (dead, _) = tokens(&house, "public").await;
    assert_eq!(revoke(&house, "public", &dead, None).await.0, StatusCode::OK);
    let (foreign, foreign_refresh) = tokens(&house, "web").await;
    let another_publics = tokens(&house, "public2").await.0;
    // Remembered in memory, or not: that must make no difference either.
    assert!(house.is_active("web", &foreign).await);
    let unknown = format!("rsc_at_{}", "A".repeat(49));
    let mut costs = Vec::new();
    for token in [&dead, &foreign, &foreign_refresh, &another_publics, &unknown, "x"] {
        for hint in [None, Some("access_token"), Some("refresh_token"), Some("jti"), Some("urn:x")] {
            let before = cost(&house).await;
            let request = Request::post("/revoke").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let body = format!("client_id=public&token={token}&token_type_hint={}", hint.unwrap_or_default());
            let answer = house.send(request.body(body.into()).unwrap()).await;
            let (status, headers) = (answer.status(), format!("{:?}", answer.headers()));
            let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
            let after = cost(&house).await;
            costs.push((status, headers, body, after.0 - before.0, after.1 - before.1, after.2 - before.2));
        }
    }
    assert_eq!((costs[0].0, costs[0].4, costs[0].5), (StatusCode::OK, 1, 1), "one hash, one audit record");
    assert!(costs.iter().all(|one| *one == costs[0]), "{costs:?}");
    assert!(house.is_active("web", &foreign).await);
}

#[tokio::test]
async fn many_unknown_tokens_in_one_call_leave_one_record_and_each_counts() {
    let house = house().await;
    house.set("fruitlessRevocationsPerMinute", json!(100)).await;
    let own = own_token(&house, "web").await;
    let many = |first: usize| (first..first + 60).map(|n| format!("t{n}")).collect::<Vec<_>>().join(" ");
    let before = house.audited().await;
    assert_eq!(revoke(&house, "web", &format!("{} {own}", many(0)), None).await.0, StatusCode::OK);
    assert!(is_dead(&house, &own).await);
    let records = house.audit_after(before).await;
    let notes: Vec<_> = records.iter().filter(|one| one["action"] == "order").map(|one| &one["note"]).collect();
    assert_eq!(notes, [&Value::Null, &json!("60 tokens, 0 of other clients")]);
    let (status, body) = revoke(&house, "web", &many(100), None).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "the one that ended something pays for itself alone: {body}");
}

#[tokio::test]
async fn an_id_is_no_secret_and_ends_nothing_in_the_hands_of_a_public_client() {
    let house = house().await;
    let (token, _) = tokens(&house, "public").await;
    let (_, shown) = house.admin("POST", "/explain", &json!({ "token": token })).await;
    let jti = text(&shown["record"], "id");
    assert_eq!(revoke(&house, "public", &jti, Some("jti")).await.0, StatusCode::OK);
    assert!(!is_dead(&house, &token).await);
}

#[tokio::test]
async fn a_dead_token_ends_nothing_more_however_wide_a_script_would_have_it() {
    let house = house().await;
    let script = json!({ "name": "wide", "source": "fn revoke(event) { allow().widen(\"user\") }" });
    assert_eq!(house.admin("POST", "/scripts", &script).await.0, StatusCode::CREATED);
    let (old, _) = tokens(&house, "public").await;
    let (other, _) = tokens(&house, "web").await;
    assert_eq!(revoke(&house, "public", &old, None).await.0, StatusCode::OK);
    assert!(is_dead(&house, &other).await, "the script has widened it to the user");
    let (later, _) = tokens(&house, "web").await;
    for _ in 0..3 {
        assert_eq!(revoke(&house, "public", &old, None).await.0, StatusCode::OK);
    }
    assert!(!is_dead(&house, &later).await);
}

/// Reads of the store, tokens hashed, and audit records written so far.
async fn cost(house: &House) -> (u64, u64, u64) {
    let reads = house.app.records.store.count();
    let audited = house.audited().await;
    let rendered = house.app.telemetry.render();
    let hashed = rendered.lines().find_map(|line| line.strip_prefix("rescind_revocation_lookups_total "));
    // Asking for the last audit record is a read of its own.
    (reads, hashed.map_or(0, |text| text.parse().unwrap()), audited)
}

#[tokio::test]
async fn calls_that_end_nothing_are_limited_and_calls_that_end_something_are_not() {
    let house = house().await;
    house.set("fruitlessRevocationsPerMinute", json!(3)).await;
    for _ in 0..10 {
        let token = own_token(&house, "web").await;
        assert_eq!(revoke(&house, "web", &token, None).await.0, StatusCode::OK);
    }
    for _ in 0..3 {
        assert_eq!(revoke(&house, "web", "unknown", None).await.0, StatusCode::OK);
    }
    let token = own_token(&house, "web").await;
    let request = Request::post("/revoke").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let body = format!("client_id=web&client_secret=the+secret+of+web&token={token}");
    let answer = house.send(request.body(body.into()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "20");
    assert!(house.is_active("web", &token).await);
    let other = own_token(&house, "app").await;
    assert_eq!(revoke(&house, "app", &other, None).await.0, StatusCode::OK, "each caller pays for itself");
    assert_eq!(
        house.post("nobody", "/revoke", &[("token", "x")]).await.0,
        StatusCode::UNAUTHORIZED,
        "first who, then how often"
    );
    house.later(20);
    assert_eq!(revoke(&house, "web", &token, None).await.0, StatusCode::OK);
    assert!(is_dead(&house, &token).await);
}

#[tokio::test]
async fn a_token_is_named_by_its_jti_where_the_hint_says_so() {
    let house = house().await;
    let token = own_token(&house, "web").await;
    let (_, shown) = house.admin("POST", "/explain", &json!({ "token": token })).await;
    let jti = text(&shown["record"], "id");
    assert_eq!(revoke(&house, "web", &jti, None).await.0, StatusCode::OK);
    assert!(!is_dead(&house, &token).await, "an id is no token");
    assert_eq!(revoke(&house, "app", &jti, Some("jti")).await.0, StatusCode::BAD_REQUEST, "another client's");
    assert_eq!(revoke(&house, "web", &jti, Some("jti")).await.0, StatusCode::OK);
    assert!(is_dead(&house, &token).await);
}

#[tokio::test]
async fn what_was_asked_and_refused_is_recorded_without_any_token() {
    let house = house().await;
    let (own, theirs) = (own_token(&house, "web").await, own_token(&house, "app").await);
    let before = house.audited().await;
    revoke(&house, "web", &own, None).await;
    revoke(&house, "web", &own, None).await;
    revoke(&house, "web", "unknown", None).await;
    revoke(&house, "web", &theirs, None).await;
    let records = house.audit_after(before).await;
    let outcomes: Vec<_> = records.iter().map(|record| (&record["action"], &record["outcome"])).collect();
    let expected =
        [("order", "ended"), ("order", "already_ended"), ("order", "unknown_token"), ("refusal", "invalid_request")];
    assert_eq!(json!(outcomes), json!(expected));
    assert!(records.iter().all(|record| record["actor"] == json!({"kind": "client", "id": "web"})));
    let whole = json!(records).to_string();
    assert!(!whole.contains(&own) && !whole.contains(&theirs));
    assert!(house.app.records.store.audit_span().await.unwrap().1.seq >= 4);
}
