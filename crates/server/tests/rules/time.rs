//! Sessions in time: refused from the first request after a limit and not one second before, kept alive by activity, and
//! ended for others too once their time ran out.

use axum::http::StatusCode;
use rescind::background::time_out_sessions;
use rescind_ledger::{
    AccessToken, Api, Client, Entry, Grant, Hash, Initiator, Minted, Position, Reads, Reason, RefreshBinding,
    SessionValidation, Target, Timestamp,
};
use serde_json::{Value, json};

use crate::house::{API_A, API_B, House, Went, client, somebody, subject, text};

mod writing;

const IDLE: i64 = 1000;
const MAX: i64 = 5000;
const LIFETIMES: &str = "[lifetimes]\nsession_idle_secs = 1000\nsession_max_secs = 5000\naccess_token_secs = 20000\n";
/// A client whose refresh tokens end with the session, and which may ask userinfo.
const PHONE: &str = "phone";

/// A user who is signed in, and what the client got.
struct SignedIn {
    cookie: String,
    session: String,
    access: String,
    refresh: String,
    answer: Value,
}

async fn open() -> House {
    let house = House::open_with(LIFETIMES).await;
    let scopes = ["openid", "read", "offline_access"].map(str::to_owned).to_vec();
    house.put_client(Client { scopes, refresh_binding: RefreshBinding::Always, ..client(PHONE) }).await;
    house
}

async fn sign_in(house: &House, resources: &[&str]) -> SignedIn {
    let cookie = house.sign_in("alice").await;
    let mut more = vec![("scope", if resources.is_empty() { "openid read" } else { "read" })];
    more.extend(resources.iter().map(|resource| ("resource", *resource)));
    let code = house.code(&cookie, PHONE, &more).await;
    let (status, answer) = house.exchange(PHONE, &code).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let session = house.session_of(&cookie).await;
    SignedIn { session, cookie, access: text(&answer, "access_token"), refresh: text(&answer, "refresh_token"), answer }
}

/// Whoever asks.
#[derive(Clone, Copy, Debug)]
enum Way {
    Introspection,
    IntrospectionOfRefreshToken,
    Userinfo,
    Refresh,
    Authorize,
}

const WAYS: [Way; 5] =
    [Way::Introspection, Way::IntrospectionOfRefreshToken, Way::Userinfo, Way::Refresh, Way::Authorize];

impl Way {
    /// Whether the answer is that the session counts; another must be the proper refusal.
    async fn counts(self, house: &House, one: &SignedIn) -> bool {
        match self {
            Self::Introspection => house.is_active(PHONE, &one.access).await,
            Self::IntrospectionOfRefreshToken => house.is_active(PHONE, &one.refresh).await,
            Self::Userinfo => {
                let (status, body) = house.userinfo(&one.access).await;
                assert!(status == StatusCode::OK || body["error"] == "invalid_token", "{status} {body}");
                status == StatusCode::OK
            }
            Self::Refresh => {
                let (status, body) = house.refresh(PHONE, &one.refresh).await;
                assert!(status == StatusCode::OK || body["error"] == "invalid_grant", "{status} {body}");
                status == StatusCode::OK
            }
            Self::Authorize => match house.authorize(&one.cookie, PHONE, &[("prompt", "none")]).await {
                Went::Code(_) => true,
                Went::Refused(why) => {
                    assert_eq!(why, "login_required");
                    false
                }
                Went::Page(status) => panic!("a page: {status}"),
            },
        }
    }
}

/// Where a session stands by memory.
async fn touched_at(house: &House, session: &str) -> Timestamp {
    house.app.records.find_session(session).await.unwrap().unwrap().clock().touched_at
}

/// Where it stands by the store.
async fn stored_at(house: &House, session: &str) -> Timestamp {
    house.app.records.store.find_session(session).await.unwrap().unwrap().touched_at
}

async fn entry_of(house: &House, session: &str) -> Option<Entry> {
    let position = house.app.live.position_of(&Target::Session { session: session.to_owned() })?;
    Some(house.app.records.store.find_entry(position).await.unwrap().unwrap())
}

#[tokio::test]
async fn p24_every_way_refuses_from_the_idle_limit_on_and_not_a_second_before() {
    for way in WAYS {
        let house = open().await;
        let (early, late) = (sign_in(&house, &[]).await, sign_in(&house, &[]).await);
        house.later(IDLE - 1);
        assert!(way.counts(&house, &early).await, "{way:?} a second before the limit");
        house.later(1);
        assert!(!way.counts(&house, &late).await, "{way:?} at the limit");
        assert_eq!(entry_of(&house, &late.session).await, None, "no answer waits for the entry");
    }
}

#[tokio::test]
async fn p24_a_token_that_needs_a_session_which_nobody_knows_is_refused() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    let store = &house.app.records.store;
    let access = store.find_access_token(&Hash::of(&one.access)).await.unwrap().unwrap();
    let grant = store.find_grant(&access.grant).await.unwrap().unwrap();
    let session = Some("s_nobody".to_owned());
    let off = SessionValidation { check_valid_authn_session: false, ..SessionValidation::ALL };
    for (text, session_validation, active) in [("needs", SessionValidation::ALL, false), ("names", off, true)] {
        let grant = Grant { id: format!("g_{text}"), session: session.clone(), ..grant.clone() };
        let access = AccessToken {
            hash: Hash::of(text),
            id: format!("the one that {text}"),
            grant: grant.id.clone(),
            session: session.clone(),
            session_validation,
            ..access.clone()
        };
        house.door(move |door| door.mint(&Minted { grant, access, refresh: None, status: None })).await.unwrap();
        assert_eq!(house.is_active(PHONE, text).await, active, "{text}");
    }
}

#[tokio::test]
async fn every_way_refuses_from_the_maximum_on_however_active_the_session_is() {
    for way in WAYS {
        let house = open().await;
        let one = sign_in(&house, &[]).await;
        for _ in 0..5 {
            house.later((MAX - 1) / 5);
            house.code(&one.cookie, PHONE, &[("prompt", "none")]).await;
        }
        house.later((MAX - 1) % 5);
        let latest = house.code(&one.cookie, PHONE, &[("prompt", "none"), ("scope", "openid")]).await;
        let (_, answer) = house.exchange(PHONE, &latest).await;
        assert_eq!(answer["expires_in"], 1, "{answer}");
        let one =
            SignedIn { access: text(&answer, "access_token"), refresh: text(&answer, "refresh_token"), answer, ..one };
        assert!(Way::Authorize.counts(&house, &one).await && Way::Userinfo.counts(&house, &one).await);
        house.later(1);
        assert!(!way.counts(&house, &one).await, "{way:?}");
    }
}

#[tokio::test]
async fn a_bound_access_token_and_refresh_token_expire_with_the_longest_life_of_the_session() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    assert_eq!(one.answer["expires_in"], MAX);
    house.later(600);
    let (_, second) = house.refresh(PHONE, &one.refresh).await;
    assert_eq!(second["expires_in"], MAX - 600);
    let ends = house.app.records.store.find_session(&one.session).await.unwrap().unwrap().expires_at;
    for token in [one.refresh, text(&second, "refresh_token")] {
        let (token, _) = house.app.records.store.find_refresh_token(&Hash::of(&token)).await.unwrap().unwrap();
        assert_eq!(token.expires_at, ends);
    }
}

#[tokio::test]
async fn p25_validation_and_refresh_and_the_browser_count_as_activity() {
    for way in [Way::Introspection, Way::Userinfo, Way::Refresh, Way::Authorize] {
        let house = open().await;
        let one = sign_in(&house, &[]).await;
        house.later(IDLE - 1);
        assert!(way.counts(&house, &one).await, "{way:?}");
        assert_eq!(touched_at(&house, &one.session).await, house.app.now(), "{way:?}");
        house.later(IDLE - 1);
        assert!(house.is_active(PHONE, &one.access).await, "{way:?} kept it alive");
    }
}

#[tokio::test]
async fn p25_validation_by_the_api_itself_counts_as_activity() {
    let house = open().await;
    house.put_client(Client { serves: Some(API_A.to_owned()), ..client("api-a") }).await;
    let one = sign_in(&house, &[API_A]).await;
    house.later(10);
    assert!(house.is_active("api-a", &one.access).await);
    assert_eq!(touched_at(&house, &one.session).await, house.app.now());
}

#[tokio::test]
async fn what_administrators_look_at_and_what_is_inactive_is_no_activity() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    let begun = touched_at(&house, &one.session).await;
    house.later(500);
    let token = json!({ "token": one.access });
    for (method, path, body) in [
        ("GET", "/sessions", Value::Null),
        ("GET", "/grants", Value::Null),
        ("GET", "/tokens", Value::Null),
        ("GET", &*format!("/revocations/preview?kind=session&session={}", one.session), Value::Null),
        ("POST", "/explain", token.clone()),
        ("POST", "/introspect", token),
    ] {
        let (status, answer) = house.admin(method, path, &body).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        assert_eq!(touched_at(&house, &one.session).await, begun, "{path}");
    }
    assert!(!house.is_active("web", &one.access).await, "none of its business");
    assert!(house.is_active(PHONE, &one.refresh).await, "no switch is about refresh tokens");
    let (status, _) = house.refresh("web", &one.refresh).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    house.end(subject("alice")).await;
    assert!(!house.is_active(PHONE, &one.access).await);
    assert_eq!(house.userinfo(&one.access).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.refresh(PHONE, &one.refresh).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(touched_at(&house, &one.session).await, begun);
}

#[tokio::test]
async fn a_token_minted_while_the_switches_are_off_neither_needs_the_session_nor_keeps_it_alive() {
    let house = open().await;
    let off = SessionValidation { check_valid_authn_session: false, ..SessionValidation::ALL };
    let silent = SessionValidation { update_authn_session_activity: false, ..SessionValidation::ALL };
    for (audience, session_validation) in [(API_A, off), (API_B, silent)] {
        let api: Api = (*house.app.live.api(audience).unwrap()).clone();
        house.door(move |door| door.put_api(&Api { session_validation, ..api }, &somebody())).await.unwrap();
    }
    let without_check = sign_in(&house, &[API_A]).await;
    let without_update = sign_in(&house, &[API_B]).await;
    assert_eq!(without_check.answer["expires_in"], 20_000, "not bounded by the session");
    house.later(10);
    let before = touched_at(&house, &without_update.session).await;
    assert!(house.is_active(PHONE, &without_update.access).await);
    assert_eq!(touched_at(&house, &without_update.session).await, before);
    house.later(IDLE - 10);
    assert!(house.is_active(PHONE, &without_check.access).await, "idle, which this token does not ask");
    assert!(!house.is_active(PHONE, &without_update.access).await, "idle");
    assert!(!house.is_active(PHONE, &without_check.refresh).await, "the grant is bound to the session");
    assert_eq!(touched_at(&house, &without_check.session).await, before, "nothing revives it");
}

#[tokio::test]
async fn the_sweep_writes_down_the_end_of_a_session_that_idled_out_or_grew_too_old() {
    let house = open().await;
    let idle = sign_in(&house, &[]).await;
    let old = sign_in(&house, &[]).await;
    for _ in 0..5 {
        house.later(IDLE - 1);
        assert!(house.is_active(PHONE, &old.access).await);
        time_out_sessions(&house.app).await.unwrap();
    }
    house.later(5);
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 1);
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 0, "once");
    for (one, reason) in [(idle, Reason::IdleTimeout), (old, Reason::MaxTimeout)] {
        let entry = entry_of(&house, &one.session).await.unwrap();
        assert_eq!(entry.reason, reason);
        assert_eq!(entry.initiator, Initiator::System("session_timeout".to_owned()));
        let outbox: Vec<Position> = house.app.records.store.outbox(100).await.unwrap();
        assert!(outbox.contains(&entry.position));
    }
}

#[tokio::test]
async fn a_session_whose_activity_is_not_written_down_is_not_ended_but_has_it_written_down() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    let begun = house.app.now();
    house.later(IDLE / 5);
    assert!(house.is_active(PHONE, &one.access).await);
    let active = house.app.now();
    house.later(IDLE * 4 / 5);
    assert_eq!(stored_at(&house, &one.session).await, begun, "less than a quarter had passed");
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 0);
    assert_eq!(stored_at(&house, &one.session).await, active);
    assert!(house.is_active(PHONE, &one.refresh).await);
    assert!(house.app.records.store.due_sessions(house.app.now(), 9).await.unwrap().is_empty());
    house.later(IDLE / 5 - 1);
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 0);
    house.later(1);
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 1);
}

#[tokio::test]
async fn a_session_that_ended_before_its_time_is_settled_and_has_one_entry_of_its_own() {
    let house = open().await;
    let (by_name, by_user) = (sign_in(&house, &[]).await, sign_in(&house, &[]).await);
    let ended = house.end(Target::Session { session: by_name.session.clone() }).await;
    house.end(subject("alice")).await;
    house.later(IDLE);
    assert_eq!(house.app.records.store.due_sessions(house.app.now(), 9).await.unwrap().len(), 1);
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 1);
    assert!(house.app.records.store.due_sessions(house.app.now(), 9).await.unwrap().is_empty());
    assert_eq!(entry_of(&house, &by_name.session).await.unwrap().position, ended.position);
    // Its record is forgotten soon, and with it who its user was: whoever asks by its id must go on hearing that it ended.
    assert_eq!(entry_of(&house, &by_user.session).await.unwrap().reason, Reason::IdleTimeout);
}

#[tokio::test]
async fn more_sessions_than_the_writer_takes_at_once_end_in_one_sweep() {
    let house = open().await;
    for _ in 0..300 {
        house.sign_in("alice").await;
    }
    house.later(IDLE);
    assert_eq!(time_out_sessions(&house.app).await.unwrap(), 300);
}

#[tokio::test]
async fn p15_the_limits_of_the_authentication_source_override_the_general_ones() {
    let house = House::open_with(
        "[lifetimes]\nsession_idle_secs = 1000\nsession_max_secs = 5000\n\
         [authentication_sources.password]\nsession_idle_secs = 200\nsession_max_secs = 500\n",
    )
    .await;
    let (rests, works) = (house.sign_in("alice").await, house.sign_in("alice").await);
    let counts =
        async |cookie: &str| matches!(house.authorize(cookie, "web", &[("prompt", "none")]).await, Went::Code(_));
    house.later(199);
    assert!(counts(&works).await);
    house.later(1);
    assert!(!counts(&rests).await, "its own idle limit");
    house.later(150);
    assert!(counts(&works).await);
    house.later(149);
    assert!(counts(&works).await);
    house.later(1);
    assert!(!counts(&works).await, "its own maximum");
}
