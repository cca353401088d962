//! Sessions as administrators see and end them: one with all there is to know, and those of one user together.

use axum::http::StatusCode;
use rescind_ledger::{
    AccessToken, Authentication, Client, Grant, Hash, Minted, Position, Reads, Rotation, SessionValidation, Target,
};
use serde_json::{Value, json};

use crate::house::{House, client, text};

/// The tokens of one authorization.
struct Held {
    access: String,
    refresh: String,
}

/// A session in which a client got something.
struct Entered {
    session: String,
    cookie: String,
    bound: Held,
    /// What it got with `offline_access`.
    offline: Held,
}

async fn got(house: &House, cookie: &str, scope: &str) -> Held {
    let code = house.code(cookie, "web", &[("scope", scope)]).await;
    let (status, body) = house.exchange("web", &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    Held { access: text(&body, "access_token"), refresh: text(&body, "refresh_token") }
}

async fn entered(house: &House, name: &str) -> Entered {
    let cookie = house.sign_in(name).await;
    let (bound, offline) = (got(house, &cookie, "read").await, got(house, &cookie, "read offline_access").await);
    Entered { session: house.session_of(&cookie).await, cookie, bound, offline }
}

async fn get(house: &House, path: &str) -> Value {
    let (status, body) = house.admin("GET", path, &Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

async fn ended_sessions(house: &House, path: &str) -> Vec<(String, Position)> {
    let (status, body) = house.admin("POST", path, &json!({ "reason": "policy", "note": "why" })).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    let ended = body["ended"].as_array().unwrap();
    ended.iter().map(|one| (text(one, "session"), text(one, "position").parse().unwrap())).collect()
}

async fn is_over(house: &House, entered: &Entered) -> bool {
    let over = get(house, &format!("/sessions/{}", entered.session)).await["state"] != "active";
    assert_eq!(house.is_active("web", &entered.bound.access).await, !over);
    assert_eq!(house.refresh("web", &entered.bound.refresh).await.0 != StatusCode::OK, over);
    assert!(house.is_active("web", &entered.offline.access).await, "what was granted to outlive the session does");
    assert_eq!(house.refresh("web", &entered.offline.refresh).await.0, StatusCode::OK);
    over
}

#[tokio::test]
async fn the_other_sessions_of_a_user_end_together_and_this_one_goes_on() {
    let house = House::open().await;
    house.put_client(Client { rotation: Rotation::Never, ..client("web") }).await;
    let mut all = Vec::new();
    for name in ["alice", "alice", "alice", "bob"] {
        all.push(entered(&house, name).await);
        house.later(1);
    }
    let path = format!("/sessions/{}/end-others", all[1].session);
    let preview = get(&house, &path).await;
    assert_eq!(
        (&preview["sessions"], &preview["grants"], &preview["access_tokens"]),
        (&json!(2), &json!(2), &json!(2))
    );
    assert_eq!((&preview["user"], &preview["except"]), (&json!("u_alice"), &json!(all[1].session)));
    assert_eq!(house.app.live.head(), Position::START, "a preview ends nothing");
    let ended = ended_sessions(&house, &path).await;
    let at = |seq| Position { epoch: 1, seq };
    assert_eq!(ended, [(all[0].session.clone(), at(1)), (all[2].session.clone(), at(2))], "the oldest first");
    let entry = house.app.records.store.find_entry(at(2)).await.unwrap().unwrap();
    assert_eq!((entry.reason.code(), entry.note.as_deref()), ("policy", Some("why")));
    for (place, over) in [(0, true), (1, false), (2, true), (3, false)] {
        assert_eq!(is_over(&house, &all[place]).await, over, "{place}");
    }
    assert_eq!(ended_sessions(&house, &path).await, [], "nothing is ended twice");
    assert_eq!(get(&house, &path).await["sessions"], 0);
}

#[tokio::test]
async fn all_sessions_of_a_user_end_and_offline_access_goes_on() {
    let house = House::open().await;
    house.put_client(Client { rotation: Rotation::Never, ..client("web") }).await;
    let (one, other, bobs) =
        (entered(&house, "alice").await, entered(&house, "alice").await, entered(&house, "bob").await);
    let path = "/users/Alice/end-sessions";
    assert_eq!(get(&house, path).await["sessions"], 2);
    assert_eq!(ended_sessions(&house, path).await.len(), 2);
    assert!(is_over(&house, &one).await && is_over(&house, &other).await && !is_over(&house, &bobs).await);
    let again = entered(&house, "alice").await;
    assert!(!is_over(&house, &again).await, "ending is not banning");
}

#[tokio::test]
async fn an_order_for_sessions_of_nobody_or_for_no_known_reason_ends_nothing() {
    let house = House::open().await;
    let alices = entered(&house, "alice").await;
    let path = format!("/sessions/{}/end-others", alices.session);
    house.sign_in("alice").await;
    for (path, body, expected) in [
        ("/sessions/s_nobody/end-others", json!({}), StatusCode::NOT_FOUND),
        ("/users/nobody/end-sessions", json!({}), StatusCode::NOT_FOUND),
        (&path, json!({ "reason": "because" }), StatusCode::BAD_REQUEST),
        (&path, json!({ "except": "s_x" }), StatusCode::BAD_REQUEST),
        (&path, json!({ "note": "n".repeat(2001) }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(house.admin("POST", path, &body).await.0, expected, "{path} {body}");
    }
    assert_eq!(house.admin("GET", "/sessions/s_nobody", &Value::Null).await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.app.live.head(), Position::START);
}

#[tokio::test]
async fn a_session_ended_by_name_no_longer_counts_among_those_of_its_user() {
    let house = House::open().await;
    let (first, second) = (entered(&house, "alice").await, entered(&house, "alice").await);
    house.end(Target::Session { session: first.session }).await;
    let left = house.app.records.store.live_sessions_of("u_alice").await.unwrap();
    assert_eq!(left.into_iter().map(|session| session.id).collect::<Vec<_>>(), [second.session]);
    assert!(house.app.records.store.due_sessions(rescind_ledger::Timestamp::MAX, 9).await.unwrap().len() == 1);
}

#[tokio::test]
async fn a_session_is_shown_with_everything_it_knows() {
    let house = House::open().await;
    let began = house.app.now();
    let entered = entered(&house, "alice").await;
    house.later(60);
    let (id, now) = (entered.session.clone(), house.app.now());
    let proof = Authentication {
        session: id.clone(),
        position: house.app.live.stamp(),
        at: now,
        methods: vec!["pwd".to_owned(), "otp".to_owned()],
    };
    let known = house.app.records.find_session(&id).await.unwrap().unwrap();
    let record = known.record.clone();
    house.door(move |door| door.reauthenticate(&record, &proof)).await.unwrap();
    let shown = get(&house, &format!("/sessions/{id}")).await;
    for (member, expected) in [
        ("id", json!(id)),
        ("user", json!("u_alice")),
        ("user_name", json!("alice")),
        ("source", json!("password")),
        ("device", Value::Null),
        ("started_at", json!(began)),
        ("idle_secs", json!(28_800)),
        ("expires_at", json!(began.plus(std::time::Duration::from_secs(604_800)))),
        ("state", json!("active")),
        ("revoked_by", json!([])),
        ("more_grants", json!(false)),
        ("clients", json!([{ "id": "web", "name": "web", "active_grants": 2 }])),
        ("authentications", json!([{ "at": began, "methods": ["pwd"] }, { "at": now, "methods": ["pwd", "otp"] }])),
    ] {
        assert_eq!(shown[member], expected, "{member}");
    }
    let grants = shown["grants"].as_array().unwrap();
    let bound: Vec<_> = grants.iter().map(|grant| (&grant["session_bound"], &grant["state"])).collect();
    assert_eq!(bound.len(), 2);
    assert!(bound.contains(&(&json!(true), &json!("active"))) && bound.contains(&(&json!(false), &json!("active"))));
    assert!(!shown.to_string().contains(&entered.cookie));
    assert!(!shown.to_string().contains(&serde_json::to_string(&Hash::of(&entered.cookie)).unwrap()));

    house.end(Target::Session { session: id.clone() }).await;
    let shown = get(&house, &format!("/sessions/{id}")).await;
    assert_eq!((&shown["state"], &shown["ends_at"]), (&json!("revoked"), &Value::Null));
    assert_eq!(
        (&shown["revoked_by"][0]["position"], &shown["revoked_by"][0]["reason"]),
        (&json!("1-1"), &json!("policy"))
    );
    assert_eq!(shown["clients"][0]["active_grants"], 1, "what was granted to outlive it");
}

#[tokio::test]
async fn looking_at_a_session_is_no_activity_and_shows_what_memory_knows() {
    let house = House::open().await;
    let entered = entered(&house, "alice").await;
    let known = house.app.records.find_session(&entered.session).await.unwrap().unwrap();
    house.later(60);
    let touched = house.app.now();
    assert!(!known.touch(touched), "too early to write it down");
    house.later(60);
    let head = house.app.live.head();
    let shown = get(&house, &format!("/sessions/{}", entered.session)).await;
    let listed = get(&house, "/sessions").await;
    get(&house, &format!("/sessions/{}/end-others", entered.session)).await;
    get(&house, "/users/alice/end-sessions").await;
    assert_eq!((&shown["touched_at"], &listed["items"][0]["touched_at"]), (&json!(touched), &json!(touched)));
    let ends_at = touched.plus(std::time::Duration::from_secs(28_800));
    assert_eq!(shown["ends_at"], json!(ends_at), "if nothing more happens in it");
    assert_eq!((known.clock().touched_at, house.app.live.head()), (touched, head));
    let stored = house.app.records.store.find_session(&entered.session).await.unwrap().unwrap();
    assert_eq!(stored.touched_at, stored.started_at, "nor was anything written");
}

#[tokio::test]
async fn p24_a_token_that_needs_a_valid_session_fails_if_the_session_is_unknown() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let (_, body) = house.exchange("web", &code).await;
    let store = &house.app.records.store;
    let real = store.find_access_token(&Hash::of(&text(&body, "access_token"))).await.unwrap().unwrap();
    let grant = store.find_grant(&real.grant).await.unwrap().unwrap();
    let only_valid = SessionValidation { check_valid_authn_session: true, ..SessionValidation::NONE };
    for (name, session, validation, active) in [
        ("known", real.session.clone(), only_valid, true),
        ("unknown", Some("s_unknown".to_owned()), only_valid, false),
        ("unknown and not asked for", Some("s_unknown".to_owned()), SessionValidation::NONE, true),
    ] {
        let grant = Grant { id: format!("g {name}"), session: session.clone(), ..grant.clone() };
        let access = AccessToken {
            hash: Hash::of(name),
            id: name.to_owned(),
            grant: grant.id.clone(),
            session,
            session_validation: validation,
            ..real.clone()
        };
        house.door(move |door| door.mint(&Minted { grant, access, refresh: None, status: None })).await.unwrap();
        assert_eq!(house.is_active("web", name).await, active, "{name}");
    }
}
