//! Revocations conditioned on "issued before T": what descends from an older sign-in ends, at every endpoint and for good, and
//! what descends from a younger one does not.

mod model;

use axum::http::StatusCode;
use rescind::{background, protocol::sign_in::reauthenticate};
use rescind_ledger::{Client, LedgerError, Order, Position, Reason, Target, Timestamp};
use serde_json::{Value, json};

use crate::{
    house::{API_A, API_B, API_J, House, ISSUER, PASSWORD, Went, client, somebody, subject, text},
    rules::push,
};

/// The tokens of one authorization.
struct Held {
    access: String,
    refresh: String,
}

async fn held(house: &House, cookie: &str, scope: &str) -> Held {
    let code = house.code(cookie, "web", &[("scope", scope), ("resource", API_A)]).await;
    let (status, body) = house.exchange("web", &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    Held { access: text(&body, "access_token"), refresh: text(&body, "refresh_token") }
}

/// Ends what is older than so many seconds.
async fn end_older(house: &House, target: Target, secs: i64) -> Position {
    let before = Timestamp::from_secs(house.app.now().secs() - secs);
    let order = Order::new(target, Reason::Policy, somebody()).issued_before(before);
    house.door(move |door| door.end(&order)).await.unwrap().position
}

/// As an administrator writes a moment of so many seconds ago.
fn written(house: &House, secs_ago: i64) -> String {
    jiff::Timestamp::from_second(house.app.now().secs() - secs_ago).unwrap().to_string()
}

/// The living targets that a session of alice's at the client web for one API falls under.
fn targets() -> Vec<Target> {
    let (issuer, subject, client, audience) =
        (ISSUER.to_owned(), "u_alice".to_owned(), "web".to_owned(), API_A.to_owned());
    vec![
        Target::Everything,
        Target::Subject { issuer: issuer.clone(), subject: subject.clone() },
        Target::Client { client: client.clone() },
        Target::Audience { audience: audience.clone() },
        Target::SubjectClient { issuer: issuer.clone(), subject: subject.clone(), client: client.clone() },
        Target::SubjectAudience { issuer, subject, audience: audience.clone() },
        Target::ClientAudience { client, audience },
    ]
}

#[tokio::test]
async fn what_descends_from_an_older_sign_in_ends_and_what_is_younger_goes_on() {
    for target in targets() {
        let house = House::open().await;
        let old = held(&house, &house.sign_in("alice").await, "read offline_access").await;
        house.later(100);
        let young = held(&house, &house.sign_in("alice").await, "read offline_access").await;
        house.later(100);
        end_older(&house, target.clone(), 150).await;
        assert!(!house.is_active("web", &old.access).await, "{target}");
        assert_ne!(house.refresh("web", &old.refresh).await.0, StatusCode::OK, "{target}");
        assert!(house.is_active("web", &young.access).await, "{target}");
        assert_eq!(house.refresh("web", &young.refresh).await.0, StatusCode::OK, "{target}");
    }
}

#[tokio::test]
async fn the_very_moment_is_not_before_itself() {
    let house = House::open().await;
    let exactly = held(&house, &house.sign_in("alice").await, "read").await;
    house.later(10);
    end_older(&house, subject("alice"), 10).await;
    assert!(house.is_active("web", &exactly.access).await);
    end_older(&house, subject("alice"), 9).await;
    assert!(!house.is_active("web", &exactly.access).await);
}

#[tokio::test]
async fn a_refresh_makes_nothing_younger() {
    let house = House::open().await;
    let first = held(&house, &house.sign_in("alice").await, "read offline_access").await;
    house.later(100);
    let (_, second) = house.refresh("web", &first.refresh).await;
    let (access, refresh) = (text(&second, "access_token"), text(&second, "refresh_token"));
    end_older(&house, subject("alice"), 50).await;
    assert!(!house.is_active("web", &access).await, "issued after the time, of a sign-in before it");
    assert_ne!(house.refresh("web", &refresh).await.0, StatusCode::OK);
}

#[tokio::test]
async fn what_a_client_got_by_itself_is_as_old_as_its_issue() {
    let house = House::open().await;
    let mint =
        async || text(&house.post("web", "/token", &[("grant_type", "client_credentials")]).await.1, "access_token");
    let old = mint().await;
    house.later(100);
    let young = mint().await;
    end_older(&house, Target::Client { client: "web".to_owned() }, 50).await;
    assert_eq!((house.is_active("web", &old).await, house.is_active("web", &young).await), (false, true));
}

#[tokio::test]
async fn a_session_is_as_old_as_its_sign_in_and_what_was_proved_again_in_it_as_that_proof() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let old = held(&house, &cookie, "read").await;
    house.later(100);
    let session = house.session_of(&cookie).await;
    let known = house.app.records.find_session(&session).await.unwrap().unwrap();
    reauthenticate(&house.app, &known, PASSWORD).await.unwrap();
    let young = held(&house, &cookie, "read").await;
    end_older(&house, subject("alice"), 50).await;
    let silent = [("resource", API_A), ("prompt", "none")];
    let refused = house.authorize(&cookie, "web", &silent).await;
    assert_eq!(refused, Went::Refused("login_required".to_owned()), "the session itself has ended");
    let shown = house.admin("GET", &format!("/sessions/{session}"), &Value::Null).await.1;
    assert_eq!(shown["state"], "revoked");
    assert!(!house.is_active("web", &old.access).await);
    assert!(house.is_active("web", &young.access).await);
    assert_eq!(house.refresh("web", &young.refresh).await.0, StatusCode::OK);
    house.end(Target::Session { session }).await;
    assert!(!house.is_active("web", &young.access).await, "it still hangs on the session, and ends with it");
}

#[tokio::test]
async fn a_fresh_sign_in_is_demanded_of_the_older_ones_alone() {
    for target in targets().into_iter().filter(|target| !matches!(target, Target::Everything | Target::Subject { .. }))
    {
        let house = House::open().await;
        let old = house.sign_in("alice").await;
        house.later(100);
        let young = house.sign_in("alice").await;
        end_older(&house, target.clone(), 50).await;
        let silent = [("resource", API_A), ("prompt", "none")];
        house.code(&young, "web", &silent).await;
        let refused = house.authorize(&old, "web", &silent).await;
        assert_eq!(refused, Went::Refused("login_required".to_owned()), "{target}");
        let session = house.session_of(&old).await;
        let known = house.app.records.find_session(&session).await.unwrap().unwrap();
        reauthenticate(&house.app, &known, PASSWORD).await.unwrap();
        house.code(&old, "web", &silent).await;
    }
}

#[tokio::test]
async fn an_audience_that_was_cut_off_for_older_sign_ins_drops_out_of_their_refreshes() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[("resource", API_A), ("resource", API_B)]).await;
    let refresh = text(&house.exchange("web", &code).await.1, "refresh_token");
    house.later(10);
    end_older(&house, Target::Audience { audience: API_A.to_owned() }, 5).await;
    let (status, body) = house.refresh("web", &refresh).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let hash = rescind_ledger::Hash::of(&text(&body, "access_token"));
    let known = house.app.records.find_access_token(&hash).await.unwrap().unwrap();
    assert_eq!(known.view().unwrap().audiences, [API_B]);
}

#[tokio::test]
async fn a_remembered_consent_is_as_old_as_the_sign_in_it_was_given_in() {
    let house = House::open().await;
    house.put_client(Client { first_party: false, ..client("web") }).await;
    let signed_in = house.app.now();
    house.later(100);
    let consent = rescind_ledger::Consent {
        user: "u_alice".to_owned(),
        client: "web".to_owned(),
        scopes: vec!["read".to_owned()],
        audiences: vec![ISSUER.to_owned()],
        position: house.app.live.stamp(),
        auth_time: signed_in,
        at: house.app.now(),
        expires_at: house.app.now().plus(std::time::Duration::from_secs(3600)),
    };
    house.door(move |door| door.remember_consent(&consent)).await.unwrap();
    let cookie = house.sign_in("alice").await;
    let silent = [("prompt", "none"), ("scope", "read")];
    house.code(&cookie, "web", &silent).await;
    end_older(&house, Target::Client { client: "web".to_owned() }, 50).await;
    assert_eq!(house.authorize(&cookie, "web", &silent).await, Went::Refused("consent_required".to_owned()));
}

#[tokio::test]
async fn what_waits_for_its_user_or_for_a_client_is_as_old_as_its_beginning() {
    let house = House::open().await;
    let ask = async || house.admin("POST", "/initial-access-tokens", &Value::Null).await.0;
    let visit = async |pushed: &str| {
        let names = [("client_id", "web"), ("request_uri", pushed)];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(names).finish();
        house.visit(&house.sign_in("alice").await, &query).await
    };
    assert_eq!(ask().await, StatusCode::CREATED);
    let old = push(&house).await;
    house.later(20);
    assert_eq!(ask().await, StatusCode::CREATED);
    let young = push(&house).await;
    end_older(&house, Target::Everything, 10).await;
    assert_eq!(visit(&old).await, Went::Page(StatusCode::BAD_REQUEST));
    assert!(matches!(visit(&young).await, Went::Code(_)));
    let listed = house.admin("GET", "/initial-access-tokens", &Value::Null).await.1;
    let mut revoked: Vec<_> = listed["items"].as_array().unwrap().iter().map(|one| one["revoked"] == true).collect();
    revoked.sort_unstable();
    assert_eq!(revoked, [false, true]);
}

#[tokio::test]
async fn whoever_holds_an_ended_token_ends_nothing_more_with_it() {
    let house = House::open().await;
    let old = held(&house, &house.sign_in("alice").await, "read offline_access").await;
    house.later(100);
    let (_, refreshed) = house.refresh("web", &old.refresh).await;
    end_older(&house, subject("alice"), 50).await;
    let script = "fn revoke(event) { allow().widen(\"user\") }";
    let put = json!({ "name": "widen", "source": script, "enabled": true });
    let (status, body) = house.admin("POST", "/scripts", &put).await;
    assert!(status.is_success(), "{body}");
    let young = held(&house, &house.sign_in("alice").await, "read").await;
    for token in [&old.access, &text(&refreshed, "access_token"), &text(&refreshed, "refresh_token")] {
        assert_eq!(house.post("web", "/revoke", &[("token", token)]).await.0, StatusCode::OK);
        assert!(house.is_active("web", &young.access).await);
    }
}

#[tokio::test]
async fn a_status_list_says_so_too_now_and_of_the_past() {
    use crate::status_lists::{is_invalid, logout, time::was_invalid, token_in};
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[("scope", "read offline_access"), ("resource", API_J)]).await;
    let refresh = text(&house.exchange("web", &code).await.1, "refresh_token");
    house.later(100);
    // Both are of now, and of a sign-in before.
    let old = text(&house.refresh("web", &refresh).await.1, "access_token");
    let reports = logout::jwt(&house, &cookie).await;
    let young = token_in(&house, &house.sign_in("alice").await, "web", "read").await;
    assert!(!is_invalid(&house, &old).await);
    let earlier = house.app.now().secs();
    house.later(100);
    end_older(&house, Target::Audience { audience: API_J.to_owned() }, 150).await;
    assert_eq!((is_invalid(&house, &old).await, is_invalid(&house, &young).await), (true, false));
    assert!(!is_invalid(&house, &reports).await);
    end_older(&house, subject("alice"), 150).await;
    assert!(is_invalid(&house, &reports).await, "the sign-in that it reports on has ended");
    house.later(10);
    // The cut-off ends the younger one as well, and must not hide when the older one ended.
    house.end(Target::Audience { audience: API_J.to_owned() }).await;
    assert_eq!((is_invalid(&house, &old).await, is_invalid(&house, &young).await), (true, true));
    let mut dead = Vec::new();
    for at in [earlier, earlier + 99, earlier + 100, earlier + 109, earlier + 110] {
        dead.push((was_invalid(&house, &old, at).await, was_invalid(&house, &young, at).await));
    }
    assert_eq!(dead, [(false, false), (false, false), (true, false), (true, false), (true, true)]);
}

#[tokio::test]
async fn the_preview_counts_what_the_order_ends_and_everything_tells_of_the_condition() {
    let house = House::open().await;
    let old = held(&house, &house.sign_in("alice").await, "read offline_access").await;
    house.later(100);
    let young = held(&house, &house.sign_in("alice").await, "read offline_access").await;
    let (time, audited) = (written(&house, 50), house.audited().await);
    let path = format!("/revocations/preview?kind=user&user=alice&before={time}");
    let (status, preview) = house.admin("GET", &path, &Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{preview}");
    let counted = ["sessions", "grants", "access_tokens", "users"].map(|what| preview[what].as_u64().unwrap());
    assert_eq!(counted, [1, 1, 1, 1], "{preview}");
    let order = json!({ "target": { "kind": "user", "user": "alice" }, "reason": "policy", "before": time });
    let (status, answer) = house.admin("POST", "/revocations", &order).await;
    assert_eq!((status, &answer["position"]), (StatusCode::CREATED, &preview["position"]), "{answer}");
    let before = json!((house.app.now().secs() - 50) * 1000);
    assert_eq!((&answer["before"], &preview["before"]), (&before, &before));
    assert!(house.is_active("web", &young.access).await);
    let again = house.admin("GET", &path, &Value::Null).await.1;
    assert_eq!(again["access_tokens"], 0, "what has ended does not end again");

    let receipt = house.admin("GET", &format!("/revocations/{}", text(&answer, "position")), &Value::Null).await.1;
    let listed = house.admin("GET", "/revocations", &Value::Null).await.1;
    let entry = &listed["items"][0];
    let explained = house.admin("POST", "/explain", &json!({ "token": old.access })).await.1;
    assert_eq!((&entry["before"], &receipt["before"]), (&before, &before));
    assert_eq!((&explained["why"], &explained["revoked_by"]), (&json!("revoked"), &json!([entry])));
    let records = house.audit_after(audited).await;
    let told = records.iter().find(|record| record["action"] == "order").unwrap();
    assert_eq!((&told["before"], &told["outcome"]), (&before, &json!("ended")));
}

#[tokio::test]
async fn a_condition_that_cannot_be_right_is_refused_and_changes_nothing() {
    let house = House::open().await;
    let tokens = held(&house, &house.sign_in("alice").await, "read").await;
    let session = house.session_of(&house.sign_in("alice").await).await;
    let (head, now) = (house.app.live.head(), written(&house, 0));
    let alice = json!({ "kind": "user", "user": "alice" });
    for (target, before, expected) in [
        (alice.clone(), json!(written(&house, -1)), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "kind": "session", "session": session }), json!(now), StatusCode::UNPROCESSABLE_ENTITY),
        (json!({ "kind": "token", "token": tokens.access }), json!(now), StatusCode::UNPROCESSABLE_ENTITY),
        (alice.clone(), Value::Null, StatusCode::BAD_REQUEST),
        (alice.clone(), json!(""), StatusCode::BAD_REQUEST),
        (alice.clone(), json!(now.replace('Z', ".5Z")), StatusCode::BAD_REQUEST),
        (alice.clone(), json!(1_800_000_000_000_i64), StatusCode::BAD_REQUEST),
    ] {
        let order = json!({ "target": target, "reason": "policy", "before": before });
        let (status, body) = house.admin("POST", "/revocations", &order).await;
        assert_eq!(status, expected, "{order}: {body}");
        assert!(!before.is_string() || text(&body, "detail").contains("before"), "{body}");
    }
    for (query, expected) in [
        (format!("kind=user&user=alice&before={}", written(&house, -1)), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("kind=session&session={session}&before={now}"), StatusCode::UNPROCESSABLE_ENTITY),
        ("kind=user&user=alice&before=yesterday".to_owned(), StatusCode::BAD_REQUEST),
    ] {
        let (status, body) = house.admin("GET", &format!("/revocations/preview?{query}"), &Value::Null).await;
        assert_eq!(status, expected, "{query}: {body}");
    }
    // Only code of our own can get so far with a fraction.
    let fraction = Order::new(subject("alice"), Reason::Policy, somebody()).issued_before(Timestamp(1_500));
    let refused = house.door(move |door| door.end(&fraction)).await;
    assert!(matches!(refused, Err(LedgerError::Refused(_))), "{refused:?}");
    assert_eq!(house.app.live.head(), head);
    assert!(house.is_active("web", &tokens.access).await);
}

#[tokio::test]
async fn a_key_of_another_condition_is_another_order() {
    let house = House::open().await;
    house.later(100);
    let keyed = |before: Option<i64>| Order {
        before: before.map(|secs| Timestamp::from_secs(house.app.now().secs() - secs)),
        idempotency_key: Some("k".to_owned()),
        ..Order::new(subject("alice"), Reason::Policy, somebody())
    };
    let send = async |order: Order| house.door(move |door| door.end(&order)).await;
    let first = send(keyed(Some(50))).await.unwrap();
    let again = send(keyed(Some(50))).await.unwrap();
    assert_eq!((first.fresh, again.fresh, again.position), (true, false, first.position));
    for other in [None, Some(51)] {
        let refused = send(keyed(other)).await;
        assert!(matches!(refused, Err(LedgerError::Refused(why)) if why.contains("before")), "{refused:?}");
    }
}

#[tokio::test]
async fn a_conditioned_entry_is_forgotten_with_the_horizon_and_brings_nothing_back() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let tokens = held(&house, &cookie, "read offline_access").await;
    house.later(10);
    end_older(&house, Target::Everything, 5).await;
    let conditioned = || house.app.live.look(|index, _| index.conditioned());
    let horizon = i64::try_from(house.app.config.lifetimes.horizon().as_secs()).unwrap();
    house.later(horizon);
    background::sweep(&house.app).await.unwrap();
    assert_eq!(conditioned(), 1, "something from before it may live until now");
    house.later(1);
    background::sweep(&house.app).await.unwrap();
    assert_eq!(conditioned(), 0);
    assert!(!house.is_active("web", &tokens.access).await);
    assert_ne!(house.refresh("web", &tokens.refresh).await.0, StatusCode::OK);
    assert_eq!(
        house.authorize(&cookie, "web", &[("prompt", "none")]).await,
        Went::Refused("login_required".to_owned())
    );
    assert!(house.is_active("web", &held(&house, &house.sign_in("alice").await, "read").await.access).await);
}
