//! The nine rules as a client or an administrator meets them; what concerns the writer alone stands in `writer`.

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind::{background, clock::Clock, protocol::sign_in::reauthenticate};
use rescind_check::{mask_text, unmask_text};
use rescind_ledger::{Client, Grant, Hash, Position, Reads, SessionValidation, Target, Verdict};
use serde_json::{Value, json};

use crate::house::{self, API_A, API_B, API_J, House, ISSUER, PASSWORD, REDIRECT_URI, Went, client, subject, text};

async fn position_of(house: &House, access_token: &str) -> Position {
    house.app.records.find_access_token(&Hash::of(access_token)).await.unwrap().unwrap().view().unwrap().position
}

/// Something unrelated ends, so that the ledger moves on.
async fn meanwhile(house: &House) {
    house.end(subject("bob")).await;
}

/// The targets after which one client, or one API, asks for a fresh sign-in though the session goes on.
fn cut_offs() -> [Target; 5] {
    let (issuer, subject) = (ISSUER.to_owned(), "u_alice".to_owned());
    let (client, audience) = ("web".to_owned(), API_A.to_owned());
    [
        Target::Client { client: client.clone() },
        Target::SubjectClient { issuer: issuer.clone(), subject: subject.clone(), client: client.clone() },
        Target::Audience { audience: audience.clone() },
        Target::SubjectAudience { issuer, subject, audience: audience.clone() },
        Target::ClientAudience { client, audience },
    ]
}

#[tokio::test]
async fn rule_1_the_stamp_of_the_sign_in_is_inherited_by_all_that_follows() {
    let house = House::open().await;
    meanwhile(&house).await;
    let stamp = house.app.live.stamp();
    let cookie = house.sign_in("alice").await;
    meanwhile(&house).await;
    let code = house.code(&cookie, "web", &[]).await;
    let stored = house.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap();
    assert_eq!(stored.grant.position, stamp);
    meanwhile(&house).await;
    let (_, first) = house.exchange("web", &code).await;
    meanwhile(&house).await;
    let (_, second) = house.refresh("web", &text(&first, "refresh_token")).await;
    for body in [first, second] {
        assert_eq!(position_of(&house, &text(&body, "access_token")).await, stamp);
    }
}

#[tokio::test]
async fn rule_1_a_token_by_client_credentials_is_stamped_when_it_is_minted() {
    let house = House::open().await;
    let ask = || house.post("web", "/token", &[("grant_type", "client_credentials")]);
    let before = text(&ask().await.1, "access_token");
    let cut = house.end(Target::Client { client: "web".to_owned() }).await;
    let after = text(&ask().await.1, "access_token");
    assert!(position_of(&house, &before).await < cut.position);
    assert_eq!(position_of(&house, &after).await, cut.position);
    assert_eq!((house.is_active("web", &before).await, house.is_active("web", &after).await), (false, true));
}

#[tokio::test]
async fn rule_1_a_proof_within_a_session_is_a_new_fact_with_a_position_of_its_own() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let before = house.app.live.stamp();
    meanwhile(&house).await;
    let session = house.session_of(&cookie).await;
    let known = house.app.records.find_session(&session).await.unwrap().unwrap();
    let proof = reauthenticate(&house.app, &known, PASSWORD).await.unwrap();
    assert!(proof.position > before);
    let stored = house.app.records.store.find_session(&session).await.unwrap().unwrap();
    assert_eq!(stored.position, before, "the session is as old as it was");
    let code = house.code(&cookie, "web", &[]).await;
    let code = house.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap();
    assert_eq!(code.grant.position, proof.position);
}

#[tokio::test]
async fn rule_1_a_newer_cut_off_demands_a_fresh_sign_in() {
    for cut_off in cut_offs() {
        let house = House::open().await;
        let cookie = house.sign_in("alice").await;
        let resource = [("resource", API_A)];
        let silent = [("resource", API_A), ("prompt", "none")];
        house.code(&cookie, "web", &silent).await;
        house.end(cut_off.clone()).await;
        let refused = house.authorize(&cookie, "web", &silent).await;
        assert_eq!(refused, Went::Refused("login_required".to_owned()), "{cut_off}");
        assert_eq!(house.authorize(&cookie, "web", &resource).await, Went::Page(StatusCode::OK), "{cut_off}");
        let of_everybody = matches!(cut_off, Target::Audience { .. } | Target::SubjectAudience { .. });
        if !of_everybody {
            house.code(&cookie, "app", &silent).await;
        }
        if !matches!(cut_off, Target::Client { .. } | Target::SubjectClient { .. }) {
            house.code(&cookie, "web", &[("resource", API_B), ("prompt", "none")]).await;
        }
        let session = house.session_of(&cookie).await;
        let known = house.app.records.find_session(&session).await.unwrap().unwrap();
        reauthenticate(&house.app, &known, PASSWORD).await.unwrap();
        house.code(&cookie, "web", &silent).await;
    }
}

#[tokio::test]
async fn rule_1_after_an_audience_cut_off_a_refresh_goes_on_for_the_other_api() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[("resource", API_A), ("resource", API_B)]).await;
    let (_, first) = house.exchange("web", &code).await;
    house.end(Target::Audience { audience: API_A.to_owned() }).await;
    assert!(!house.is_active("web", &text(&first, "access_token")).await, "one of its audiences was cut off");
    let (status, second) = house.refresh("web", &text(&first, "refresh_token")).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    let known = house.app.records.find_access_token(&Hash::of(&text(&second, "access_token"))).await.unwrap().unwrap();
    assert_eq!(known.view().unwrap().audiences, [API_B]);
    let refresh = text(&second, "refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("resource", API_A)];
    let (status, body) = house.post("web", "/token", &fields).await;
    assert_eq!((status, text(&body, "error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
}

#[tokio::test]
async fn rule_2_codes_and_pushed_requests_face_the_verdict() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let pushed = push(&house).await;
    let at = Grant { ..house.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap().grant };
    house.end(Target::Client { client: "web".to_owned() }).await;
    assert_eq!(house.app.live.verdict(&at.trace(ISSUER, house.app.live.key())), Verdict::Revoked);
    let (status, body) = house.exchange("web", &code).await;
    assert_eq!((status, text(&body, "error").as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", "web"), ("request_uri", &pushed)])
        .finish();
    let fresh = house.sign_in("alice").await;
    assert_eq!(house.visit(&fresh, &query).await, Went::Page(StatusCode::BAD_REQUEST));
    let again = push(&house).await;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", "web"), ("request_uri", &again)])
        .finish();
    assert!(matches!(house.visit(&fresh, &query).await, Went::Code(_)), "one that was pushed since is as good as any");
}

pub(crate) async fn push(house: &House) -> String {
    let fields = [
        ("redirect_uri", REDIRECT_URI),
        ("response_type", "code"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let (status, body) = house.post("web", "/par", &fields).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    text(&body, "request_uri")
}

#[tokio::test]
async fn rule_2_a_remembered_consent_faces_the_verdict() {
    let house = House::open().await;
    house.put_client(Client { first_party: false, ..client("web") }).await;
    let cookie = house.sign_in("alice").await;
    let silent = [("prompt", "none"), ("scope", "read")];
    assert_eq!(house.authorize(&cookie, "web", &silent).await, Went::Refused("consent_required".to_owned()));
    let consent = rescind_ledger::Consent {
        user: "u_alice".to_owned(),
        client: "web".to_owned(),
        scopes: vec!["read".to_owned()],
        audiences: vec![ISSUER.to_owned()],
        position: house.app.live.stamp(),
        auth_time: house.app.now(),
        at: house.app.now(),
        expires_at: house.app.now().plus(std::time::Duration::from_secs(3600)),
    };
    house.door(move |door| door.remember_consent(&consent)).await.unwrap();
    house.code(&cookie, "web", &silent).await;
    house.end(cut_offs()[1].clone()).await;
    let fresh = house.sign_in("alice").await;
    assert_eq!(house.authorize(&fresh, "web", &silent).await, Went::Refused("consent_required".to_owned()));
}

#[tokio::test]
async fn rule_2_a_grant_that_was_ended_before_its_code_was_redeemed_never_begins() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let grant = house.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap().grant.id;
    house.end(Target::Grant { grant }).await;
    let (status, _) = house.exchange("web", &code).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn rule_3_ending_is_not_banning_and_enabling_revives_nothing() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let token = token(&house, &cookie).await;
    house.end(subject("alice")).await;
    assert!(!house.is_active("web", &token).await);
    assert_eq!(house.authorize(&cookie, "web", &[]).await, Went::Page(StatusCode::OK), "the session is gone");
    let cookie = house.sign_in("alice").await;
    let token = self::token(&house, &cookie).await;
    assert!(house.is_active("web", &token).await, "a new sign-in works at once");

    let (status, body) = house.admin("PATCH", "/users/alice", &json!({ "enabled": false })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(!house.is_active("web", &token).await);
    assert_eq!(house.try_sign_in("alice").await, None);
    house.admin("PATCH", "/users/alice", &json!({ "enabled": true })).await;
    assert!(!house.is_active("web", &token).await, "what was ended stays ended");
    assert_eq!(house.authorize(&cookie, "web", &[]).await, Went::Page(StatusCode::OK));
    let cookie = house.sign_in("alice").await;
    let token = self::token(&house, &cookie).await;
    assert!(house.is_active("web", &token).await);
}

async fn token(house: &House, cookie: &str) -> String {
    let code = house.code(cookie, "web", &[]).await;
    text(&house.exchange("web", &code).await.1, "access_token")
}

#[tokio::test]
async fn rule_4_what_a_client_loses_is_lost_at_once() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let token = token(&house, &cookie).await;
    let (status, body) = house.admin("PATCH", "/clients/web", &json!({ "name": "Web" })).await;
    assert_eq!((status, &body["ended"]), (StatusCode::OK, &Value::Null), "a new name takes nothing away");
    assert!(house.is_active("web", &token).await);
    let (status, body) = house.admin("PATCH", "/clients/web", &json!({ "scopes": ["read"] })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["ended"]["position"], house.app.live.head().to_string());
    assert!(!house.is_active("web", &token).await);
    assert_eq!(house.app.live.stamp(), house.app.live.head(), "the configuration is as new as the index");
}

#[tokio::test]
async fn rule_5_an_older_database_put_back_by_hand_is_not_served() {
    let house = House::open().await;
    house.end(subject("alice")).await;
    let database = house.app.data_dir.database();
    let dir = house.close().await;
    let older = dir.path().join("older.db");
    std::fs::copy(&database, &older).unwrap();
    let (opened, clock) = house::opened(&dir);
    let house = House::of(opened, clock, dir);
    assert!(house.app.live.position_of(&subject("alice")).is_some(), "a restart forgets nothing");
    house.end(subject("bob")).await;
    let dir = house.close().await;
    for log in ["rescind.db-wal", "rescind.db-shm"] {
        drop(std::fs::remove_file(dir.path().join("data").join(log)));
    }
    std::fs::copy(&older, &database).unwrap();
    let refused = house::open_in(dir.path(), Clock::System);
    let why = refused.err().map(|why| why.to_string()).unwrap_or_default();
    assert!(why.contains("refusing to serve") && why.contains("rescind epoch open"), "{why}");
}

#[tokio::test]
async fn rule_6_what_was_stamped_below_the_floor_is_dead_whatever_else_holds() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[("scope", "read")]).await;
    let (_, body) = house.exchange("web", &code).await;
    let mut record =
        house.app.records.store.find_access_token(&Hash::of(&text(&body, "access_token"))).await.unwrap().unwrap();
    // A record that breaks the promise of an expiry within the horizon.
    record.expires_at = record.issued_at.plus(std::time::Duration::from_secs(100 * 365 * 86_400));
    record.session_validation = SessionValidation::NONE;
    meanwhile(&house).await;
    let counts = |house: &House| {
        let trace = record.trace(ISSUER, house.app.live.key());
        house.app.live.access_token_counts(&record, &trace, None, house.app.now())
    };
    assert_eq!(counts(&house), Ok(()));
    let horizon = i64::try_from(house.app.config.lifetimes.horizon().as_secs()).unwrap();
    house.later(horizon + 1);
    background::sweep(&house.app).await.unwrap();
    assert_eq!(counts(&house), Err(rescind_ledger::Inactive::Revoked));
    assert_eq!(house.app.live.look(|index, _| index.floor()), house.app.live.head());
    let fresh = house.sign_in("alice").await;
    let fresh = token(&house, &fresh).await;
    assert!(house.is_active("web", &fresh).await);
}

#[tokio::test]
async fn rule_8_issuing_appends_nothing() {
    let house = House::open().await;
    let head = house.app.live.head();
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let (_, body) = house.exchange("web", &code).await;
    house.refresh("web", &text(&body, "refresh_token")).await;
    house.post("web", "/token", &[("grant_type", "client_credentials"), ("scope", "read")]).await;
    push(&house).await;
    assert_eq!(house.app.live.head(), head);
    assert!(house.app.records.store.entries_before(None, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn rule_9_the_position_in_a_jwt_is_masked_and_unmasks_to_the_stamp() {
    let house = House::open().await;
    meanwhile(&house).await;
    let cookie = house.sign_in("alice").await;
    let mut masks = Vec::new();
    for _ in 0..2 {
        let code = house.code(&cookie, "web", &[("resource", API_J), ("scope", "read")]).await;
        let jwt = text(&house.exchange("web", &code).await.1, "access_token");
        let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        let (jti, masked) = (text(&claims, "jti"), text(&claims, "pos"));
        let stamp = position_of(&house, &jwt).await;
        assert!(stamp > Position::START);
        assert!(!claims.to_string().contains(&format!("\"{stamp}\"")));
        assert_eq!(unmask_text(&masked, &house.app.keys.mask, &jti), Some(stamp));
        assert_ne!(unmask_text(&masked, &house.app.keys.mask, "another"), Some(stamp));
        assert_eq!(mask_text(stamp, &house.app.keys.mask, &jti), masked);
        masks.push(masked);
    }
    assert_ne!(masks[0], masks[1], "two tokens of one stamp do not look alike");
}
