//! `kill -9` with a bulk job half done and with revocations whose time comes while nobody serves: each is carried out, once.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use rescind::clock::Clock;
use serde_json::{Value, json};

use crate::{
    client::Application,
    report,
    seed::holders,
    server::{Place, Server},
};

const PEOPLE: usize = 4000;
const KILLS: usize = 8;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many entries each target has.
async fn entries(server: &Server) -> BTreeMap<String, usize> {
    let (mut found, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let page = server.administer(Method::GET, &format!("/revocations?limit=500{cursor}"), &json!({})).await;
        let page = page.unwrap().succeeds();
        for entry in page["items"].as_array().unwrap() {
            *found.entry(entry["target"].to_string()).or_insert(0) += 1;
        }
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

async fn job(server: &Server, id: &str) -> Value {
    server.administer(Method::GET, &format!("/bulk-jobs/{id}"), &json!({})).await.unwrap().succeeds()
}

/// Waits until a job has done more than it had, or is over.
async fn progress(server: &Server, id: &str, before: u64) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let job = job(server, id).await;
        if job["done"].as_u64().unwrap() > before || job["state"] != "running" {
            return job;
        }
        assert!(begun.elapsed() < PATIENCE, "{job}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_job_that_is_killed_again_and_again_leaves_nobody_out_and_meets_nobody_twice() {
    let place = Place::new("");
    let server = place.serve();
    let robot = Application::robot(&server).await;
    server.stop();
    let people = tokio::task::block_in_place(|| holders(&place, &robot.id, PEOPLE));
    let users: Vec<_> = people.iter().map(|one| one.user.clone()).collect();
    let mut server = place.serve();
    let body = json!({ "action": "revoke", "users": users, "confirm": format!("revoke {PEOPLE} users") });
    let placed = server.administer(Method::POST, "/bulk-jobs", &body).await.unwrap().succeeds();
    let id = placed["id"].as_str().unwrap().to_owned();
    let (mut done, mut kills) = (0, 0);
    let last = loop {
        let job = progress(&server, &id, done).await;
        if job["state"] != "running" {
            break job;
        }
        done = job["done"].as_u64().unwrap();
        if kills < KILLS {
            kills += 1;
            server.kill();
            server = place.serve();
        }
    };
    assert_eq!((&last["state"], &last["done"], &last["failed"]), (&json!("done"), &json!(PEOPLE), &json!(0)), "{last}");
    assert!(kills >= 3, "only {kills} kills met the job half done");
    let entries = entries(&server).await;
    assert!(entries.values().all(|count| *count == 1), "somebody was met twice");
    assert_eq!(entries.len(), PEOPLE);
    for one in people.iter().step_by(97) {
        assert!(!robot.is_active(&server, &one.token).await);
    }
    report(&format!("a job for {PEOPLE} users went on after {kills} kills"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_due_while_nobody_served_is_carried_out_once_at_the_next_start() {
    let place = Place::new("");
    let server = place.serve();
    let robot = Application::robot(&server).await;
    let token = robot.issue(&server).await;
    let at = jiff::Timestamp::from_second(Clock::System.now().secs() + 4).unwrap();
    let target = json!({ "kind": "client", "client": robot.id });
    let order = json!({ "target": target, "at": at.to_string() });
    let kept = server.administer(Method::POST, "/revocations", &order).await.unwrap().succeeds();
    let path = format!("/pending-revocations/{}", kept["pending"]["id"].as_str().unwrap());
    assert!(robot.is_active(&server, &token).await);
    server.kill();
    tokio::time::sleep(Duration::from_millis(4100)).await;
    let mut server = place.serve();
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        loop {
            let shown = server.administer(Method::GET, &path, &json!({})).await.unwrap().succeeds();
            if shown["state"] == "carried_out" {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(!robot.is_active(&server, &token).await);
        let entries = entries(&server).await;
        assert_eq!(entries.values().collect::<Vec<_>>(), [&1], "{entries:?}");
        server.kill();
        server = place.serve();
    }
}
