//! Bulk jobs: one thing done to many users, piece by piece, each user once whatever stops the server in between.

use axum::http::StatusCode;
use rescind::{admin::work_off, clock::Clock};
use rescind_ledger::{BulkJob, Entry, Reads};
use serde_json::{Value, json};

use crate::house::{House, open_in, text};

async fn people(house: &House, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
    let users: Vec<_> = names.clone();
    house
        .door(move |door| {
            users.iter().try_for_each(|name| {
                door.add_user(&rescind_ledger::User::new(format!("u_{name}"), name.as_str(), door.now()))
            })
        })
        .await
        .unwrap();
    names.into_iter().map(|name| format!("u_{name}")).collect()
}

async fn entries(house: &House) -> Vec<Entry> {
    house.app.records.store.entries_before(None, 10_000).await.unwrap()
}

async fn order(house: &House, body: &Value) -> String {
    let (status, job) = house.admin("POST", "/bulk-jobs", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{job}");
    text(&job, "id")
}

async fn shown(house: &House, id: &str) -> Value {
    let (status, job) = house.admin("GET", &format!("/bulk-jobs/{id}"), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    job
}

/// Each user's entry, and nobody's twice.
async fn each_has_one(house: &House, users: &[String]) {
    let mut ended: Vec<String> = entries(house).await.iter().map(|entry| entry.target.to_string()).collect();
    let mut expected: Vec<String> = users.iter().map(|user| format!("user {user}")).collect();
    ended.sort();
    expected.sort();
    assert_eq!(ended, expected);
}

#[tokio::test]
async fn every_user_is_revoked_once_and_who_is_unknown_is_told() {
    let house = House::open().await;
    let users = people(&house, 2 * BulkJob::PIECE + 7).await;
    house.set("guardUsers", json!(0)).await;
    let mut asked = users.clone();
    asked.insert(3, "u_nobody".to_owned());
    asked.push(users[0].clone());
    let body = json!({ "action": "revoke", "users": asked, "reason": "left_company", "note": "the fair is over" });
    let id = order(&house, &body).await;
    assert_eq!((&shown(&house, &id).await["state"], entries(&house).await.len()), (&json!("running"), 0));
    assert_eq!(work_off(&house.app).await.unwrap(), 3);
    let job = shown(&house, &id).await;
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!((&job["total"], &job["done"], &job["failed"]), (&json!(408), &json!(407), &json!(1)));
    each_has_one(&house, &users).await;
    let entry = &entries(&house).await[0];
    assert_eq!((entry.reason.code(), entry.note.as_deref()), ("left_company", Some("the fair is over")));
    let (_, failures) = house.admin("GET", &format!("/bulk-jobs/{id}/failures"), &json!({})).await;
    assert_eq!(failures["items"], json!([{ "user": "u_nobody", "why": "there is no such user" }]));
    assert_eq!(work_off(&house.app).await.unwrap(), 0);
    let (_, listed) = house.admin("GET", "/bulk-jobs", &json!({})).await;
    assert_eq!(listed["items"], json!([job]));
}

#[tokio::test]
async fn a_job_goes_on_where_it_was_after_a_restart() {
    let house = House::open().await;
    let users = people(&house, 3 * BulkJob::PIECE).await;
    house.set("guardUsers", json!(0)).await;
    let id = order(&house, &json!({ "action": "revoke", "users": users })).await;
    let piece = house.app.records.store.bulk_piece(&id, 0).await.unwrap();
    let (first, again, job) = (id.clone(), id.clone(), piece.clone());
    house.door(move |door| door.work_off(&first, 0, &job)).await.unwrap();
    // The same piece once more, as a worker would that did not hear of the first time.
    let late = house.door(move |door| door.work_off(&again, 0, &piece)).await.unwrap();
    assert_eq!((late.next, late.done), (1, 200));
    let clock = house.clock();
    let dir = house.close().await;
    let opened = open_in(dir.path(), Clock::Manual(clock.clone())).unwrap();
    let house = House::of(opened, clock, dir);
    assert_eq!(shown(&house, &id).await["done"], 200);
    work_off(&house.app).await.unwrap();
    assert_eq!(shown(&house, &id).await["state"], "done");
    each_has_one(&house, &users).await;
}

#[tokio::test]
async fn a_job_that_is_stopped_does_no_more_and_what_is_done_stays_done() {
    let house = House::open().await;
    let users = people(&house, 2 * BulkJob::PIECE).await;
    house.set("guardUsers", json!(0)).await;
    let id = order(&house, &json!({ "action": "revoke", "users": users })).await;
    let piece = house.app.records.store.bulk_piece(&id, 0).await.unwrap();
    let first = id.clone();
    house.door(move |door| door.work_off(&first, 0, &piece)).await.unwrap();
    let stop = format!("/bulk-jobs/{id}/stop");
    assert_eq!(house.admin("POST", &stop, &json!({})).await.1["state"], "stopped");
    assert_eq!(work_off(&house.app).await.unwrap(), 0);
    each_has_one(&house, &users[..BulkJob::PIECE]).await;
    assert_eq!(house.admin("POST", &stop, &json!({})).await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn disabled_users_are_locked_out_and_enabled_ones_may_sign_in_again() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let users = json!(["u_alice", "u_bob"]);
    let body = json!({ "action": "disable", "users": users });
    order(&house, &body).await;
    work_off(&house.app).await.unwrap();
    assert!(house.try_sign_in("alice").await.is_none() && house.try_sign_in("bob").await.is_none());
    assert!(!matches!(house.authorize(&cookie, "web", &[("prompt", "none")]).await, crate::house::Went::Code(_)));
    each_has_one(&house, &["u_alice".to_owned(), "u_bob".to_owned()]).await;
    order(&house, &body).await;
    work_off(&house.app).await.unwrap();
    assert_eq!(entries(&house).await.len(), 2, "who is disabled already is left alone");
    order(&house, &json!({ "action": "enable", "users": users })).await;
    work_off(&house.app).await.unwrap();
    assert!(house.try_sign_in("alice").await.is_some() && house.try_sign_in("bob").await.is_some());
    assert_eq!(entries(&house).await.len(), 2);
}

#[tokio::test]
async fn many_users_are_confirmed_by_their_number_and_approved_if_so_set() {
    let house = House::open().await;
    let users = people(&house, 3).await;
    house.set("guardUsers", json!(2)).await;
    let body = |more: Value| {
        let mut body = json!({ "action": "disable", "users": users });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let (status, refused) = house.admin("POST", "/bulk-jobs", &body(json!({}))).await;
    assert_eq!((status, &refused["confirm"]), (StatusCode::CONFLICT, &json!("disable 3 users")));
    house.set("guardSecondAdministrator", json!(true)).await;
    house.set("approvalLifetime", json!(60)).await;
    let id = order(&house, &body(json!({ "confirm": "disable 3 users" }))).await;
    assert_eq!(work_off(&house.app).await.unwrap(), 0);
    assert_eq!(shown(&house, &id).await["state"], "waiting");
    let approve = format!("/bulk-jobs/{id}/approve");
    assert_eq!(house.admin("POST", &approve, &json!({})).await.1["code"], "own_order");
    house.later(60);
    work_off(&house.app).await.unwrap();
    assert_eq!(shown(&house, &id).await["state"], "expired");
    let id = order(&house, &body(json!({ "confirm": "disable 3 users", "break_glass": "the breach" }))).await;
    assert_eq!(work_off(&house.app).await.unwrap(), 1);
    assert_eq!(shown(&house, &id).await["break_glass"], "the breach");
    let records = house.audit_after(0).await;
    assert_eq!(records.iter().filter(|record| record["action"] == "break_glass").count(), 1);
}

#[tokio::test]
async fn a_list_that_cannot_be_right_is_refused() {
    let house = House::open().await;
    let too_many: Vec<String> = (0..=BulkJob::LIMIT).map(|number| format!("u{number}")).collect();
    for users in [json!([]), json!([""]), json!(too_many)] {
        let (status, _) = house.admin("POST", "/bulk-jobs", &json!({ "action": "revoke", "users": users })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (status, _) = house.admin("POST", "/bulk-jobs", &json!({ "action": "delete", "users": ["u_alice"] })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(house.admin("GET", "/bulk-jobs/b_nothing", &json!({})).await.0, StatusCode::NOT_FOUND);
}
