//! The session APIs where time matters, and what they must leave alone: on a clock that a test moves.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use proptest::prelude::*;
use rescind::{background, records::KnownSession, runtime_log::LoggedCaller};
use rescind_ledger::{
    Client, ClientAuthMethod, EndingOfSessions, Hash, Initiator, Order, Reads, Reason, Session, Store, Target,
};
use rescind_store::{DataDir, Sqlite};
use serde_json::{Value, json};

use crate::house::{self, House, client, somebody, subject};

const CALLER: &str = "caller";
const SECRET: &str = "the caller's secret";
const BASE: &str = "/pf-ws/rest/sessionMgmt";

/// A house with a client that may use both APIs.
async fn open() -> House {
    let house = House::open().await;
    let caller = Client {
        auth_method: ClientAuthMethod::ClientSecretBasic,
        secret_hash: Some(Hash::of(SECRET)),
        session_revocation_api: true,
        session_management_api: true,
        ..client(CALLER)
    };
    house.put_client(caller).await;
    house
}

async fn respond(house: &House, method: Method, path: &str, body: &Value) -> Response {
    let basic = format!("Basic {}", STANDARD.encode(format!("{CALLER}:{SECRET}")));
    let request = Request::builder().method(method).uri(format!("{BASE}{path}")).header("x-xsrf-header", "x");
    let request = request.header(header::AUTHORIZATION, basic).header(header::CONTENT_TYPE, "application/json");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    house.send(request.body(body).unwrap()).await
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn get(house: &House, path: &str) -> (u16, Value) {
    read(respond(house, Method::GET, path, &Value::Null).await).await
}

async fn post(house: &House, path: &str) -> (u16, Value) {
    read(respond(house, Method::POST, path, &Value::Null).await).await
}

async fn add(house: &House, id: &str) {
    let added = respond(house, Method::POST, "/revokedSris", &json!({ "id": id })).await;
    assert_eq!(added.status(), StatusCode::CREATED);
}

async fn is_listed(house: &House, id: &str) -> bool {
    let (status, body) = get(house, &format!("/revokedSris/{id}?updateActivityTime=false")).await;
    assert!(matches!(status, 200 | 404), "{status}: {body}");
    status == 200
}

async fn status(house: &House, id: &str) -> String {
    house::text(&get(house, &format!("/sessions/{id}")).await.1, "status")
}

async fn known(house: &House, id: &str) -> Arc<KnownSession> {
    house.app.records.find_session(id).await.unwrap().unwrap()
}

async fn stored(house: &House, id: &str) -> Session {
    house.app.records.store.find_session(id).await.unwrap().unwrap()
}

/// How many transactions were ever committed.
fn commits(house: &House) -> u64 {
    let file = DataDir::at(house.app.data_dir.path()).database();
    // On a thread of its own: it may wait for the disk.
    std::thread::spawn(move || Sqlite::open(&file).unwrap().mark().unwrap().commits).join().unwrap()
}

fn idle_secs(house: &House) -> i64 {
    i64::try_from(house.app.config.lifetimes.password_session.idle.as_secs()).unwrap()
}

#[tokio::test]
async fn p14_asking_moves_the_end_of_the_idle_time_to_a_whole_window_from_now() {
    let house = open().await;
    let (asked, left) = (house.sign_in("alice").await, house.sign_in("bob").await);
    let (asked, left) = (house.session_of(&asked).await, house.session_of(&left).await);
    let idle = idle_secs(&house);
    for _ in 0..5 {
        house.later(idle - 1);
        assert_eq!(get(&house, &format!("/revokedSris/{asked}")).await.0, 404);
        assert_eq!(known(&house, &asked).await.clock().touched_at, house.app.now());
    }
    assert_eq!(status(&house, &left).await, "NO_VALID_SESSIONS");
    assert_eq!(status(&house, &asked).await, "HAS_VALID_SESSIONS");
    house.later(idle - 1);
    assert_eq!(status(&house, &asked).await, "HAS_VALID_SESSIONS");
    house.later(1);
    assert_eq!(status(&house, &asked).await, "NO_VALID_SESSIONS", "looking has extended nothing");
    for path in [format!("/revokedSris/{asked}"), format!("/revokedSris/{asked}?updateActivityTime=true")] {
        assert_eq!(get(&house, &path).await.0, 404);
    }
    assert_eq!(post(&house, &format!("/sessions/{asked}/extend")).await.1["status"], "NO_VALID_SESSIONS");
    assert_eq!(status(&house, &asked).await, "NO_VALID_SESSIONS", "what has run out does not come back");
}

#[tokio::test]
async fn p27_no_extension_goes_beyond_the_maximum() {
    let house = open().await;
    let sid = house.session_of(&house.sign_in("alice").await).await;
    let end = stored(&house, &sid).await.expires_at;
    let idle = idle_secs(&house);
    let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
    while house.app.now().0 + idle * 500 < end.0 {
        let (status, body) = post(&house, &format!("/sessions/{sid}/extend")).await;
        assert_eq!((status, &body["status"]), (200, &json!("HAS_VALID_SESSIONS")));
        let shown = &body["authnSessions"][0];
        let expected = (house.app.now().0 + idle * 1000).min(end.0);
        assert_eq!((moment(&shown["idleTimeout"]), moment(&shown["maxTimeout"])), (expected, end.0));
        house.later(idle / 2);
    }
    house.later((end.0 - house.app.now().0) / 1000 - 1);
    assert_eq!(post(&house, &format!("/sessions/{sid}/extend")).await.1["status"], "HAS_VALID_SESSIONS");
    house.later(1);
    assert_eq!(post(&house, &format!("/sessions/{sid}/extend")).await.1["status"], "NO_VALID_SESSIONS");
}

#[tokio::test]
async fn p17_what_a_wider_entry_ended_is_on_the_list_too_and_is_not_extended() {
    let wider: [fn(&Session) -> Target; 3] =
        [|_| subject("alice"), |_| Target::Everything, |session| Target::Session { session: session.id.clone() }];
    for target in wider {
        let house = open().await;
        let sid = house.session_of(&house.sign_in("alice").await).await;
        assert!(!is_listed(&house, &sid).await);
        let record = stored(&house, &sid).await;
        house.end(target(&record)).await;
        house.later(idle_secs(&house) - 1);
        let before = known(&house, &sid).await.clock();
        assert_eq!(get(&house, &format!("/revokedSris/{sid}")).await, (200, json!({ "id": sid })));
        assert_eq!(known(&house, &sid).await.clock(), before);
        house.later(1);
        assert!(is_listed(&house, &sid).await, "out of time after it was revoked, it is still revoked");
        assert_eq!(status(&house, &sid).await, "SESSION_REVOKED");
    }
}

#[tokio::test]
async fn p19_an_entry_older_than_the_horizon_is_forgotten_and_a_younger_one_is_not() {
    let house = open().await;
    let horizon = i64::try_from(house.app.config.lifetimes.horizon().as_secs()).unwrap();
    let sid = house.session_of(&house.sign_in("alice").await).await;
    assert!(!is_listed(&house, &sid).await, "it is remembered in memory, too");
    house.end(subject("alice")).await;
    add(&house, "old").await;
    house.later(horizon / 2);
    add(&house, "young").await;
    house.later(horizon / 2);
    background::sweep(&house.app).await.unwrap();
    assert!(is_listed(&house, "old").await && is_listed(&house, "young").await);
    house.later(2);
    background::sweep(&house.app).await.unwrap();
    assert!(!is_listed(&house, "old").await);
    assert!(!is_listed(&house, &sid).await, "the floor is no entry");
    assert!(is_listed(&house, "young").await);
    add(&house, "old").await;
    assert!(is_listed(&house, "old").await, "it can be added again");
}

#[tokio::test]
async fn p20_the_list_has_no_cap_and_the_oldest_entry_stays() {
    /// PingFederate's list holds 50,000 by default, and drops the oldest.
    const MORE_THAN_THEIRS: u32 = 60_000;
    let house = open().await;
    add(&house, "the-first").await;
    let filled = house.door(|door| {
        for number in 0..MORE_THAN_THEIRS {
            let target = Target::Session { session: format!("filler-{number}") };
            door.end(&Order::new(target, Reason::UserRequest, Initiator::Client(CALLER.to_owned())))?;
        }
        Ok(())
    });
    filled.await.unwrap();
    add(&house, "the-last").await;
    for id in ["the-first", "filler-0", "filler-59999", "the-last"] {
        assert!(is_listed(&house, id).await, "{id}");
    }
}

#[tokio::test]
async fn a_session_that_begins_behind_a_listing_is_ended_with_the_others() {
    let house = open().await;
    let first = house.session_of(&house.sign_in("alice").await).await;
    let others = house.session_of(&house.sign_in("bob").await).await;
    let copy = Session { id: "s_late".to_owned(), cookie: Hash::of("late"), ..stored(&house, &first).await };
    let ended = house.door(move |door| {
        // The same transaction stands for the narrowest gap there is.
        let authentication = rescind_ledger::Authentication {
            session: copy.id.clone(),
            position: copy.position,
            at: copy.started_at,
            methods: vec!["pwd".to_owned()],
        };
        door.sign_in(&rescind_ledger::SignIn { session: copy, authentication })?;
        door.end_sessions(&all_of_alice())
    });
    let mut ended: Vec<_> = ended.await.unwrap().into_iter().map(|one| one.session).collect();
    ended.sort();
    let mut expected = vec![first.clone(), "s_late".to_owned()];
    expected.sort();
    assert_eq!(ended, expected);
    for (sid, listed) in [(first.as_str(), true), ("s_late", true), (&others, false)] {
        assert_eq!(is_listed(&house, sid).await, listed, "{sid}");
    }
    let again = house.door(|door| door.end_sessions(&all_of_alice())).await;
    assert_eq!(again.unwrap(), [], "what has ended is not ended again");
}

fn all_of_alice() -> EndingOfSessions {
    EndingOfSessions {
        user: "u_alice".to_owned(),
        except: None,
        reason: Reason::UserRequest,
        initiator: somebody(),
        note: None,
    }
}

#[tokio::test]
async fn each_answer_says_whose_call_it_was_for_the_log() {
    let house = open().await;
    let logged = |response: Response| response.extensions().get::<LoggedCaller>().cloned();
    let named = |name: &str, method| Some(LoggedCaller { name: name.to_owned(), method });
    for (method, path) in [
        (Method::GET, "/revokedSris/a"),
        (Method::GET, "/revokedSris/a%20b"),
        (Method::PUT, "/revokedSris"),
        (Method::POST, "/users/alice/revoke"),
    ] {
        let response = respond(&house, method, path, &Value::Null).await;
        assert_eq!(logged(response), named(CALLER, "client_secret_basic"), "{path}");
    }
    let refused = |body: Value| {
        let request = Request::post(format!("{BASE}/revokedSris")).header(header::CONTENT_TYPE, "application/json");
        house.send(request.header("x-xsrf-header", "x").body(Body::from(body.to_string())).unwrap())
    };
    let wrong = refused(json!({ "client_id": "web", "client_secret": "wrong" })).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(logged(wrong), named("web", "client_secret_post"));
    assert_eq!(logged(refused(json!({ "client_id": "nobody" })).await), named("nobody", "-"));
    assert_eq!(logged(refused(json!({ "id": "a" })).await), None);
}

/// One thing that happens before a silent question.
#[derive(Clone, Debug)]
enum Step {
    Later(i64),
    Active(usize),
    Ended(usize),
    Asked { session: usize, spelling: usize },
}

const SPELLINGS: [&str; 4] = [
    "?updateActivityTime=false",
    "?x=1&updateActivityTime=FALSE",
    "&updateActivityTime=False",
    "%26updateActivityTime=false",
];
const SESSIONS: usize = 3;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..20_000_i64).prop_map(Step::Later),
        (0..SESSIONS).prop_map(Step::Active),
        (0..SESSIONS).prop_map(Step::Ended),
        (0..=SESSIONS, 0..SPELLINGS.len()).prop_map(|(session, spelling)| Step::Asked { session, spelling }),
        (0..=SESSIONS, 0..SPELLINGS.len()).prop_map(|(session, spelling)| Step::Asked { session, spelling }),
    ]
}

/// Everything that a question could change.
async fn all(house: &House, sessions: &[String]) -> (Vec<Option<(Session, Session)>>, rescind_ledger::Position, u64) {
    let mut seen = Vec::new();
    for id in sessions {
        let record = house.app.records.store.find_session(id).await.unwrap();
        let current = house.app.records.find_session(id).await.unwrap().map(|known| known.current());
        seen.push(record.zip(current));
    }
    (seen, house.app.live.head(), commits(house))
}

async fn walk(steps: Vec<Step>) {
    let house = open().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(house.session_of(&house.sign_in("alice").await).await);
    }
    sessions.push("unknown".to_owned());
    for step in steps {
        match step {
            Step::Later(secs) => house.later(secs),
            Step::Active(session) => drop(get(&house, &format!("/revokedSris/{}", sessions[session])).await),
            Step::Ended(session) => drop(house.end(Target::Session { session: sessions[session].clone() }).await),
            Step::Asked { session, spelling } => {
                // What was submitted before is through when this is.
                house.door(|_| Ok(())).await.unwrap();
                let before = all(&house, &sessions).await;
                let path = format!("/revokedSris/{}{}", sessions[session], SPELLINGS[spelling]);
                let (status, _) = get(&house, &path).await;
                assert!(matches!(status, 200 | 404), "{path}: {status}");
                house.door(|_| Ok(())).await.unwrap();
                let mut after = all(&house, &sessions).await;
                // The job that was waited for is a commit of its own.
                after.2 -= 1;
                assert_eq!(after, before, "{path}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_silent_question_never_changes_anything(steps in prop::collection::vec(step(), 1..20)) {
        tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(walk(steps));
    }
}
