//! Receipts: what each revocation has ended, counted exactly however late; when it took effect; and the link that survives it.

mod delivering;
mod links;

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use rescind::{background, clock::Clock, deliveries, receipts::Receipt};
use rescind_ledger::{Filter, Order, Position, Reads, Reason, Tally, Target, UserChange};
use serde_json::{Value, json};

use crate::house::{API_A, API_B, House, ISSUER, client, open_in, somebody, subject, text};

/// A user signs in and an application gets a grant with two access tokens.
async fn issue(house: &House, user: &str, id: &str, offline: bool) {
    let cookie = house.sign_in(user).await;
    let scope = if offline { "read offline_access" } else { "read" };
    let code = house.code(&cookie, id, &[("scope", scope), ("resource", API_A), ("resource", API_B)]).await;
    let (status, body) = house.exchange(id, &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (status, body) = house.refresh(id, &text(&body, "refresh_token")).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

/// Everything that is alive now, by kind and id: what the server itself would honour.
#[derive(Default)]
struct Alive {
    sessions: BTreeMap<String, String>,
    grants: BTreeMap<String, Option<String>>,
    tokens: BTreeMap<String, (Option<String>, String, Vec<String>)>,
}

impl Alive {
    async fn look(house: &House) -> Self {
        let (app, all, now) = (&house.app, Filter::default(), house.app.now());
        let store = &app.records.store;
        let mut alive = Self::default();
        for session in store.sessions(&all, None, 500).await.unwrap().items {
            if app.live.session_counts(&session, now).is_ok() {
                alive.sessions.insert(session.id, session.user);
            }
        }
        for grant in store.grants(&all, None, 500).await.unwrap().items {
            if app.live.grant_counts(&grant, None, now).is_ok() {
                alive.grants.insert(grant.id, grant.user);
            }
        }
        for token in store.access_tokens(&all, None, 500).await.unwrap().items {
            let trace = token.trace(app.live.issuer(), app.live.key());
            if app.live.access_token_counts(&token, &trace, None, now).is_ok() {
                alive.tokens.insert(token.id, (token.user, token.client, token.audiences));
            }
        }
        alive
    }

    /// What has died since.
    fn tally_until(self, after: &Self) -> Tally {
        let mut tally = Tally::nothing();
        let mut users = BTreeSet::new();
        for (_, user) in self.sessions.into_iter().filter(|(id, _)| !after.sessions.contains_key(id)) {
            tally.sessions += 1;
            users.insert(user);
        }
        for (_, user) in self.grants.into_iter().filter(|(id, _)| !after.grants.contains_key(id)) {
            tally.grants += 1;
            users.extend(user);
        }
        for (_, (user, by, apis)) in self.tokens.into_iter().filter(|(id, _)| !after.tokens.contains_key(id)) {
            tally.access_tokens += 1;
            users.extend(user);
            *tally.by_client.entry(by).or_default() += 1;
            apis.into_iter().for_each(|api| *tally.by_api.entry(api).or_default() += 1);
        }
        tally.users = users.len() as u64;
        tally
    }
}

/// A number below `below`, always the same ones in turn.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % below as u64).unwrap()
    }

    fn pick<'a>(&mut self, map: impl Iterator<Item = &'a String>) -> Option<String> {
        let all: Vec<_> = map.collect();
        (!all.is_empty()).then(|| all[self.roll(all.len())].clone())
    }

    async fn target(&mut self, house: &House) -> Target {
        let everything = Alive::look(house).await;
        let user = ["alice", "bob"][self.roll(2)];
        let id = ["web", "app"][self.roll(2)].to_owned();
        let (issuer, name, audience) = (ISSUER.to_owned(), format!("u_{user}"), API_A.to_owned());
        let target = match self.roll(10) {
            0 => self.pick(everything.tokens.keys()).map(|token| Target::Token { token }),
            1 => self.pick(everything.grants.keys()).map(|grant| Target::Grant { grant }),
            2 | 3 => self.pick(everything.sessions.keys()).map(|session| Target::Session { session }),
            4 => Some(Target::Client { client: id }),
            5 => Some(Target::Audience { audience }),
            6 => Some(Target::SubjectClient { issuer, subject: name, client: id }),
            7 => Some(Target::SubjectAudience { issuer, subject: name, audience }),
            8 => Some(Target::ClientAudience { client: id, audience }),
            _ => None,
        };
        target.unwrap_or_else(|| if self.roll(4) == 0 { Target::Everything } else { subject(user) })
    }
}

async fn receipt(house: &House, position: Position) -> Receipt {
    Receipt::find(&house.app, position).await.unwrap().unwrap()
}

#[tokio::test]
async fn every_receipt_counts_exactly_what_died_by_it_however_late_it_is_counted() {
    let mut most = 0;
    for seed in 0..6 {
        let mut house = House::open().await;
        let mut dice = Dice(seed);
        let mut expected = Vec::new();
        for _ in 0..24 {
            if dice.roll(3) > 0 {
                issue(&house, ["alice", "bob"][dice.roll(2)], ["web", "app"][dice.roll(2)], dice.roll(2) == 0).await;
            }
            let target = dice.target(&house).await;
            let before = Alive::look(&house).await;
            let ended = house.end(target.clone()).await;
            if ended.fresh {
                expected.push((ended.position, target, before.tally_until(&Alive::look(&house).await)));
            }
            match dice.roll(8) {
                0 => deliveries::dispatch(&house.app).await.unwrap(),
                1 => {
                    // The index of what is counted is then built from the entries.
                    let clock = house.clock();
                    let dir = house.close().await;
                    let opened = open_in(dir.path(), Clock::Manual(clock.clone())).unwrap();
                    house = House::of(opened, clock, dir);
                }
                _ => {}
            }
        }
        deliveries::dispatch(&house.app).await.unwrap();
        for (position, target, tally) in expected {
            let counted = receipt(&house, position).await;
            assert_eq!(counted.ended.as_ref(), Some(&tally), "seed {seed}: {position} {target}");
            assert!(counted.is_finished());
            most = most.max(tally.access_tokens);
        }
        assert!(house.app.records.store.outbox(9).await.unwrap().is_empty());
    }
    assert!(most > 4, "something was there to die: {most}");
}

#[tokio::test]
async fn a_second_revocation_of_the_same_user_counts_only_what_was_left() {
    let house = House::open().await;
    issue(&house, "alice", "web", false).await;
    let first = house.end(subject("alice")).await.position;
    let second = house.end(subject("alice")).await.position;
    deliveries::dispatch(&house.app).await.unwrap();
    let (first, second) = (receipt(&house, first).await.ended.unwrap(), receipt(&house, second).await.ended.unwrap());
    assert_eq!((first.users, first.sessions, first.grants, first.access_tokens), (1, 1, 1, 2));
    assert_eq!(second, Tally::nothing());
}

#[tokio::test]
async fn until_it_is_counted_a_receipt_says_so_and_says_nothing_else() {
    let house = House::open().await;
    issue(&house, "alice", "web", false).await;
    let position = house.end(subject("alice")).await.position;
    let (status, before) = house.admin("GET", &format!("/revocations/{position}"), &json!(null)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&before["ended"]["counting"], &before["ended"]["users"]), (&json!(true), &json!(null)));
    assert_eq!((&before["finished"], &before["at_latest"]), (&json!(false), &json!(false)));
    assert_eq!(before["applied"], json!({ "this_server": house.app.now(), "nodes": [], "edges": [] }));
    deliveries::dispatch(&house.app).await.unwrap();
    let (_, after) = house.admin("GET", &format!("/revocations/{position}"), &json!(null)).await;
    assert_eq!((&after["ended"]["counting"], &after["ended"]["sessions"]), (&json!(false), &json!(1)));
    assert_eq!((&after["finished"], &after["deliveries"]), (&json!(true), &json!([])));
    assert_eq!(after["ended"]["by_client"], json!([{ "client": "web", "access_tokens": 2 }]));
    assert_eq!((&after["durable_at"], &after["applied"]), (&before["durable_at"], &before["applied"]));
}

#[tokio::test]
async fn what_a_crash_kept_from_being_noted_is_said_to_be_at_the_latest() {
    let house = House::open().await;
    let position = house.end(subject("alice")).await.position;
    let ended_at = house.app.now();
    house.later(500);
    let (clock, restarted_at) = (house.clock(), house.app.now());
    let dir = house.close().await;
    let house = House::of(open_in(dir.path(), Clock::Manual(clock.clone())).unwrap(), clock, dir);
    house.later(500);
    deliveries::dispatch(&house.app).await.unwrap();
    let shown = receipt(&house, position).await.show();
    assert_eq!((&shown["at_latest"], &shown["time"]), (&json!(true), &json!(ended_at)));
    assert_eq!(
        shown["durable_at"],
        json!(restarted_at),
        "it was durable by the restart, and not since it was looked for"
    );
    let fresh = house.end(subject("bob")).await.position;
    deliveries::dispatch(&house.app).await.unwrap();
    let shown = receipt(&house, fresh).await.show();
    assert_eq!((&shown["at_latest"], &shown["durable_at"]), (&json!(false), &json!(house.app.now())));
}

#[tokio::test]
async fn a_receipt_calls_a_user_what_they_were_called_then_also_when_they_are_gone() {
    let house = House::open().await;
    let named = async |position| receipt(&house, position).await.show()["user"]["user_name"].clone();
    let first = house.end(subject("alice")).await.position;
    let renamed = UserChange { user_name: Some("alicia".to_owned()), ..UserChange::default() };
    let renaming = house.door(move |door| door.change_user("u_alice", &renamed, &somebody())).await.unwrap().unwrap();
    let second = house.end(subject("alice")).await.position;
    let gone = house.door(|door| door.delete_user("u_alice", &somebody())).await.unwrap();
    let after = house.end(subject("alice")).await.position;
    let names = [named(first).await, named(renaming.position).await, named(second).await, named(gone.position).await];
    assert_eq!(names, ["alice", "alice", "alicia", "alicia"]);
    assert_eq!(named(after).await, Value::Null, "nobody was called anything by then");
}

#[tokio::test]
async fn forgetting_waits_for_the_counting_of_records_but_not_for_ever() {
    let house = House::open().await;
    issue(&house, "alice", "web", false).await;
    let order = Order::new(subject("alice"), Reason::Policy, somebody());
    let first = house.door(move |door| door.end(&order)).await.unwrap().position;
    house.later(2 * 3600);
    background::sweep(&house.app).await.unwrap();
    deliveries::dispatch(&house.app).await.unwrap();
    let counted = receipt(&house, first).await.ended.unwrap();
    assert_eq!((counted.access_tokens, counted.at_least), (2, false), "they have expired since, and were kept");
    background::sweep(&house.app).await.unwrap();
    let left = house.app.records.store.access_tokens(&Filter::default(), None, 9).await.unwrap().items;
    assert!(left.is_empty(), "now they may go");

    issue(&house, "bob", "web", false).await;
    let late = house.end(subject("bob")).await.position;
    house.later(10 * 3600);
    background::sweep(&house.app).await.unwrap();
    deliveries::dispatch(&house.app).await.unwrap();
    let counted = receipt(&house, late).await.ended.unwrap();
    assert_eq!((counted.access_tokens, counted.at_least), (0, true), "gone before they were counted, and it says so");
}

#[tokio::test]
async fn a_session_that_timed_out_is_in_the_receipt_of_the_entry_that_says_so() {
    let house = House::open().await;
    issue(&house, "alice", "web", true).await;
    house.later(60 * 60 * 24 * 30);
    assert_eq!(background::time_out_sessions(&house.app).await.unwrap(), 1);
    deliveries::dispatch(&house.app).await.unwrap();
    let entry = house.app.records.store.entries_before(None, 1).await.unwrap().remove(0);
    let ended = receipt(&house, entry.position).await.ended.unwrap();
    assert_eq!((ended.users, ended.sessions, ended.access_tokens), (1, 1, 0));
}

#[tokio::test]
async fn revocations_are_found_by_kind_reason_initiator_and_time() {
    let house = House::open().await;
    let first = house.end(subject("alice")).await.position.to_string();
    house.later(100);
    let order = json!({ "target": { "kind": "api", "api": API_A }, "reason": "token_leaked" });
    assert_eq!(house.admin("POST", "/revocations", &order).await.0, StatusCode::CREATED);
    let second = house.app.live.head().to_string();
    let listed = async |query: &str| {
        let (status, body) = house.admin("GET", &format!("/revocations?{query}"), &json!(null)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["items"].as_array().unwrap().iter().map(|item| text(item, "position")).collect::<Vec<_>>()
    };
    let (all, one, two) = (vec![second.clone(), first.clone()], vec![first], vec![second]);
    assert_eq!(listed("limit=9").await, all);
    assert_eq!((listed("kind=user").await, listed("kind=api").await), (one.clone(), two.clone()));
    assert_eq!(listed("kind=everything").await, [""; 0]);
    assert_eq!((listed("reason=token_leaked").await, listed("initiator=somebody").await), (two.clone(), one.clone()));
    assert_eq!(listed("initiator=local&reason=token_leaked&kind=api").await, two);
    let between = "1970-01-01T00:00:00Z";
    assert_eq!(listed(&format!("since={between}")).await, all);
    let at = jiff::Timestamp::from_millisecond(house.app.now().0).unwrap();
    assert_eq!((listed(&format!("since={at}")).await, listed(&format!("until={at}")).await), (two, one));
    for wrong in ["kind=planet", "reason=because", "since=yesterday", "until=", "initiator=a&initiator=b"] {
        let (status, body) = house.admin("GET", &format!("/revocations?{wrong}"), &json!(null)).await;
        assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!("invalid_request")), "{wrong}: {body}");
    }
}

/// An application that may revoke.
async fn revoker(house: &House) -> String {
    let mut one = client("soc");
    one.scopes.push("rescind:revoke".to_owned());
    house.put_client(one).await;
    let fields = [("grant_type", "client_credentials"), ("scope", "rescind:revoke")];
    text(&house.post("soc", "/token", &fields).await.1, "access_token")
}
