//! The most sessions that a user may have at once: one more ends the oldest, in the transaction that begins it.

use std::sync::mpsc;

use futures_util::future::join_all;
use rescind_ledger::{Entry, Initiator, Lane, Reads, Reason, Target};

use crate::house::{House, subject};

fn sections(most: u32) -> String {
    format!("[sessions]\nmax_per_user = {most}\n[lifetimes]\nsession_idle_secs = 100\nsession_max_secs = 1000\n")
}

/// The sessions of some people, one after the other, ten seconds apart.
async fn begun(house: &House, names: &[&str]) -> Vec<String> {
    let mut sessions = Vec::new();
    for name in names {
        sessions.push(house.session_of(&house.sign_in(name).await).await);
        house.later(10);
    }
    sessions
}

/// Which of these sessions count.
async fn running<'a>(house: &House, sessions: &'a [String]) -> Vec<&'a str> {
    let mut running = Vec::new();
    for id in sessions {
        let known = house.app.records.find_session(id).await.unwrap().unwrap();
        if house.app.live.session_counts(&known.current(), house.app.now()).is_ok() {
            running.push(id.as_str());
        }
    }
    running
}

async fn entries(house: &House) -> Vec<Entry> {
    house.app.records.store.entries_before(None, 100).await.unwrap()
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest_by_an_order_of_the_server() {
    let house = House::open_with(&sections(2)).await;
    let sessions = begun(&house, &["alice", "bob", "alice"]).await;
    assert!(entries(&house).await.is_empty());
    // The oldest by its start, however lately it was in use.
    let known = house.app.records.find_session(&sessions[0]).await.unwrap().unwrap();
    let _ = known.touch(house.app.now());
    let third = begun(&house, &["alice"]).await;
    let all = [sessions.clone(), third].concat();
    assert_eq!(running(&house, &all).await, [&all[1], &all[2], &all[3]]);
    let [entry] = &entries(&house).await[..] else { panic!("one entry") };
    assert_eq!(entry.target, Target::Session { session: sessions[0].clone() });
    assert_eq!(
        (entry.reason, &entry.initiator),
        (Reason::SessionLimit, &Initiator::System("session_limit".to_owned()))
    );
    assert_eq!(house.app.records.store.outbox(10).await.unwrap(), [entry.position]);
    let listed = house.app.records.store.live_sessions_of("u_alice").await.unwrap();
    assert_eq!(listed.len(), 2, "what was ended need not be looked at again");
}

#[tokio::test]
async fn what_hangs_on_the_oldest_session_ends_with_it() {
    let house = House::open_with(&sections(1)).await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[]).await;
    let (_, tokens) = house.exchange("web", &code).await;
    let access = crate::house::text(&tokens, "access_token");
    assert!(house.is_active("web", &access).await);
    house.sign_in("alice").await;
    assert!(!house.is_active("web", &access).await);
    let (status, _) = house.refresh("web", &crate::house::text(&tokens, "refresh_token")).await;
    assert_eq!(status, axum::http::StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn sessions_that_are_over_do_not_count() {
    let house = House::open_with(&sections(2)).await;
    let sessions = begun(&house, &["alice", "alice"]).await;
    house.end(Target::Session { session: sessions[0].clone() }).await;
    let third = begun(&house, &["alice"]).await;
    assert_eq!(running(&house, &[sessions.clone(), third].concat()).await.len(), 2, "one had been ended");
    house.end(subject("alice")).await;
    begun(&house, &["alice", "alice"]).await;
    house.later(101);
    let late = begun(&house, &["alice", "alice"]).await;
    assert_eq!(running(&house, &late).await.len(), 2, "the others had been idle for too long");
    let reasons: Vec<_> = entries(&house).await.into_iter().map(|entry| entry.reason).collect();
    assert_eq!(reasons, [Reason::Policy, Reason::Policy], "nothing was ended to make room");
}

#[tokio::test]
async fn a_session_whose_last_activity_is_not_written_down_yet_counts() {
    let house = House::open_with(&sections(2)).await;
    let active = begun(&house, &["alice"]).await.remove(0);
    house.later(10);
    let known = house.app.records.find_session(&active).await.unwrap().unwrap();
    assert!(!known.touch(house.app.now()), "20 of 100 seconds are gone: too early to write it down");
    house.later(85);
    let more = begun(&house, &["alice"]).await;
    let before = running(&house, &[vec![active.clone()], more.clone()].concat()).await.len();
    assert_eq!((before, entries(&house).await.len()), (2, 0));
    let last = begun(&house, &["alice"]).await;
    assert_eq!(entries(&house).await[0].target, Target::Session { session: active }, "or there would be three");
    assert_eq!(running(&house, &[more, last].concat()).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sign_ins_at_once_never_leave_more_than_the_limit() {
    for most in [1, 2] {
        let house = House::open_with(&sections(most)).await;
        let before = begun(&house, &["alice"]).await;
        // The writer is held up until both wait: each has looked at the sessions that there are without the other.
        let (free, held) = mpsc::channel::<()>();
        let holding = house.app.queue.submit(Lane::Issuing, move |_| Ok(held.recv().is_ok()));
        let freeing = async {
            while house.app.queue.waiting() < 2 {
                tokio::task::yield_now().await;
            }
            free.send(()).unwrap();
        };
        let (one, other, ()) = tokio::join!(house.sign_in("alice"), house.sign_in("alice"), freeing);
        assert!(holding.await.unwrap());
        let fresh = vec![house.session_of(&one).await, house.session_of(&other).await];
        let left = running(&house, &[before, fresh].concat()).await.len();
        assert_eq!(left, usize::try_from(most).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sign_ins_at_once_leave_as_many_sessions_as_the_limit() {
    let house = House::open_with(&sections(3)).await;
    let cookies = join_all((0..20).map(|_| house.sign_in("alice"))).await;
    let sessions = join_all(cookies.iter().map(|cookie| house.session_of(cookie))).await;
    assert_eq!(running(&house, &sessions).await.len(), 3);
    assert_eq!(entries(&house).await.len(), 17);
}

#[tokio::test]
async fn without_a_limit_nothing_is_ended() {
    let house = House::open().await;
    let sessions = begun(&house, &["alice"; 8]).await;
    assert_eq!(running(&house, &sessions).await.len(), 8);
}
