//! `kill -9` with activity that is not written down: the session idles out a little early, and never late.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Application, Person, Tokens, userinfo_answers},
    server::{Answer, Place, Server},
};

/// How long a session may rest here: long enough for a busy machine to be active in the first quarter of it.
const WINDOW: Duration = Duration::from_secs(16);
/// When in that quarter.
const ACTIVE_AFTER: Duration = Duration::from_secs(2);
/// How early a session may idle out after a crash, and how soon its end must be written down: what the design promises
/// (`docs/adr/0014-session-time.md`).
const EARLY: Duration = Duration::from_secs(WINDOW.as_secs() / 4);
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// A session whose last activity, between two moments, died with the server.
struct Lost {
    server: Server,
    session: String,
    tokens: Tokens,
    asked: Instant,
    answered: Instant,
}

async fn session_of(server: &Server, person: &Person) -> Value {
    let listed = server.administer(Method::GET, &format!("/sessions?user={}", person.id), &json!({})).await;
    listed.unwrap().succeeds()["items"][0].clone()
}

/// One life of the server up to its kill, and the beginning of the next.
async fn lose_activity(place: &Place, attempt: usize) -> Option<Lost> {
    let server = place.serve();
    let diary = Application::diary(&server).await;
    let mut person = Person::add(&server, &format!("pat-{attempt}")).await;
    let tokens = diary.sign_in(&server, &mut person).await;
    tokio::time::sleep(ACTIVE_AFTER).await;
    let asked = Instant::now();
    assert!(userinfo_answers(&server, &tokens.access).await);
    let answered = Instant::now();
    server.kill();
    let server = place.serve();
    let session = session_of(&server, &person).await;
    // On a machine so busy that more than a quarter of the window had passed, it was written.
    let is_lost = session["touched_at"] == session["started_at"];
    let session = session["id"].as_str().unwrap().to_owned();
    is_lost.then_some(Lost { server, session, tokens, asked, answered })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_a_session_idles_out_at_most_a_quarter_early_and_never_late() {
    let place = Place::new(&format!("[lifetimes]\nsession_idle_secs = {}\nsession_max_secs = 600", WINDOW.as_secs()));
    let mut lost = None;
    for attempt in 0..5 {
        lost = lose_activity(&place, attempt).await;
        if lost.is_some() {
            break;
        }
    }
    let Lost { server, session, tokens, asked, answered } = lost.expect("a machine that is not too busy");
    let mut seen_alive = answered;
    let seen_over = loop {
        let now = Instant::now();
        // To look at a refresh token is no activity.
        if !is_active(&server, &tokens.refresh).await {
            break Instant::now();
        }
        seen_alive = now;
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(seen_over - asked >= WINDOW - EARLY, "{:?} after the last activity", seen_over - asked);
    assert!(seen_alive - answered < WINDOW, "{:?} after the last activity", seen_alive - answered);
    assert!(!userinfo_answers(&server, &tokens.access).await);
    let reason = loop {
        if let Some(reason) = reason_of(&server, &session).await {
            break reason;
        }
        assert!(seen_over.elapsed() < WRITTEN_WITHIN, "its end is not written down");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(reason, "idle_timeout");
    println!("over {:.1?} after the last activity, written {:.1?} later", seen_over - asked, seen_over.elapsed());
}

/// As an administrator sees it.
async fn is_active(server: &Server, token: &str) -> bool {
    let told = server.administer(Method::POST, "/introspect", &json!({ "token": token })).await.unwrap().succeeds();
    told["active"].as_bool().unwrap()
}

/// Why a session was ended, if that is written down.
async fn reason_of(server: &Server, session: &str) -> Option<String> {
    let entries = server.administer(Method::GET, "/revocations", &json!({})).await.unwrap().succeeds();
    let of_session = |entry: &&Value| entry["target"]["session"] == session;
    let entry = entries["items"].as_array().unwrap().iter().find(of_session)?;
    Some(entry["reason"].as_str().unwrap().to_owned())
}

/// A status query by a client of the session-revocation API, which is activity in the session.
async fn ask_status(server: &Server, secret: &str, session: &str) {
    let asked = server.request(Method::GET, &format!("/pf-ws/rest/sessionMgmt/revokedSris/{session}"));
    let asked = asked.header("X-XSRF-HEADER", "x").basic_auth("watch", Some(secret));
    assert_eq!(Answer::of(asked).await.unwrap().status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p16_a_status_query_is_written_down_once_less_than_three_quarters_of_the_window_remain() {
    let place = Place::new(&format!("[lifetimes]\nsession_idle_secs = {}\nsession_max_secs = 600", WINDOW.as_secs()));
    let mut server = place.serve();
    let client = json!({ "id": "watch", "name": "Watch", "session_revocation_api": true });
    let made = server.administer(Method::POST, "/clients", &client).await.unwrap().succeeds();
    let secret = made["client_secret"].as_str().unwrap();
    let diary = Application::diary(&server).await;
    let mut person = Person::add(&server, "pat").await;
    diary.sign_in(&server, &mut person).await;
    let session = session_of(&server, &person).await;
    let (sid, started) = (session["id"].as_str().unwrap(), session["started_at"].as_i64().unwrap());
    let since = |session: &Value| session["touched_at"].as_i64().unwrap() - started;
    for (wait, is_written) in [(Duration::ZERO, false), (EARLY, true)] {
        tokio::time::sleep(wait).await;
        ask_status(&server, secret, sid).await;
        let in_memory = since(&session_of(&server, &person).await);
        server.kill();
        server = place.serve();
        let stored = since(&session_of(&server, &person).await);
        // On a machine so busy that the first query came late, it is due as well.
        let is_due = in_memory > i64::try_from(EARLY.as_millis()).unwrap();
        assert!(is_due || !is_written);
        assert_eq!(stored, if is_due { in_memory } else { 0 }, "{in_memory} ms after its start");
    }
}
