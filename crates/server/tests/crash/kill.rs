//! `kill -9`, a hundred times, each time while revocations are in flight.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use reqwest::Method;
use rescind::clock::random;
use serde_json::json;

use crate::{
    client::Application,
    report,
    seed::{Holder, holders},
    server::{Place, Server},
};

const KILLS: usize = 100;
/// Connections that issue and revoke (RFC 7009), and connections that revoke users.
const APPLICATIONS: usize = 4;
const ADMINISTRATORS: usize = 2;
const PEOPLE: usize = 6000;

/// Tokens of which it is certain how they are.
#[derive(Default)]
struct Certain {
    /// Their revocation was acknowledged.
    dead: Vec<String>,
    /// Their issuance was acknowledged, and nobody ever asked to revoke them.
    alive: Vec<String>,
}

/// What the clients know.
#[derive(Default)]
struct Known {
    /// From all lives of the server but the last.
    earlier: Certain,
    /// From the last one.
    fresh: Certain,
    /// Revocations that were sent and are not answered.
    in_flight: BTreeSet<String>,
    /// People whose turn is yet to come.
    people: Vec<Holder>,
}

impl Known {
    /// Whether a kill now would prove nothing.
    fn is_quiet(&self) -> bool {
        self.fresh.dead.is_empty() || self.in_flight.is_empty()
    }
}

type Shared = Arc<Mutex<Known>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_revocation_is_lost_by_a_hundred_kills_while_others_are_in_flight() {
    let place = Place::new("[lifetimes]\naccess_token_secs = 3600");
    let server = place.serve();
    let robot = Application::robot(&server).await;
    server.stop();
    let known = Shared::default();
    // Opening a data directory waits for its writer, which a thread of the runtime may not do as it is.
    known.lock().people = tokio::task::block_in_place(|| holders(&place, &robot.id, PEOPLE));
    let (mut kills, mut rounds, mut in_flight_at_kills) = (0, 0, Vec::new());
    let begun = Instant::now();
    while kills < KILLS {
        rounds += 1;
        assert!(rounds < 2 * KILLS, "only {kills} of {rounds} kills met a revocation in flight");
        let (acknowledged, in_flight) = one_life(&place, &robot, &known).await;
        // Everything may have been answered between the last look and the kill: such a kill proves nothing.
        if in_flight > 0 && acknowledged > 0 {
            kills += 1;
            in_flight_at_kills.push(in_flight);
        }
    }
    let server = Arc::new(place.serve());
    let Known { earlier: Certain { dead, alive }, .. } = std::mem::take(&mut *known.lock());
    all_are(&server, &robot, &dead, false).await;
    all_are(&server, &robot, &alive, true).await;
    // The record of an order is written with its entry, or neither is: however the server was killed.
    let trail = tokio::task::block_in_place(|| place.run(&["audit", "verify", "--output", "json"])).unwrap();
    let trail: serde_json::Value = serde_json::from_str(&trail).unwrap();
    assert!(trail["revocations"].as_u64().unwrap() >= dead.len() as u64, "{trail}");
    let (least, all) = (in_flight_at_kills.iter().min().unwrap(), in_flight_at_kills.iter().sum::<usize>());
    report(&format!(
        "{kills} kills in {:.1?}: {} revocations acknowledged and in force, {all} in flight at the kills (at least {least}); \
         {} tokens never revoked and active",
        begun.elapsed(),
        dead.len(),
        alive.len()
    ));
}

/// Starts the server, looks at what the life before has left, loads it and kills it: how many revocations were acknowledged,
/// and how many were in flight.
async fn one_life(place: &Place, robot: &Application, known: &Shared) -> (usize, usize) {
    let server = Arc::new(place.serve());
    let fresh = std::mem::take(&mut known.lock().fresh);
    all_are(&server, robot, &fresh.dead, false).await;
    all_are(&server, robot, &fresh.alive, true).await;
    let mut clients = Vec::new();
    for _ in 0..APPLICATIONS {
        clients.push(tokio::spawn(issue_and_revoke(server.clone(), robot.clone(), known.clone())));
    }
    for _ in 0..ADMINISTRATORS {
        clients.push(tokio::spawn(revoke_users(server.clone(), known.clone())));
    }
    let [first, second] = random::<2>();
    tokio::time::sleep(Duration::from_millis(40 + u64::from(first) / 4)).await;
    while known.lock().is_quiet() {
        tokio::time::sleep(Duration::from_micros(u64::from(second) * 4)).await;
    }
    let sent = known.lock().in_flight.clone();
    server.kill();
    for client in clients {
        client.await.unwrap();
    }
    let mut known = known.lock();
    // Nobody was told anything about these: they may be dead or alive.
    let unanswered = std::mem::take(&mut known.in_flight).intersection(&sent).count();
    let (dead, alive) = (known.fresh.dead.clone(), known.fresh.alive.clone());
    let acknowledged = dead.len();
    known.earlier.dead.extend(dead);
    known.earlier.alive.extend(alive);
    (acknowledged, unanswered)
}

async fn issue_and_revoke(server: Arc<Server>, robot: Application, known: Shared) {
    for number in 0.. {
        let Ok(answer) = robot.try_issue(&server).await else { return };
        let token = answer.succeeds()["access_token"].as_str().unwrap().to_owned();
        if number % 4 == 1 {
            known.lock().fresh.alive.push(token);
            continue;
        }
        known.lock().in_flight.insert(token.clone());
        let Ok(answer) = robot.try_revoke(&server, &token).await else { return };
        answer.succeeds();
        acknowledged(&known, token);
    }
}

async fn revoke_users(server: Arc<Server>, known: Shared) {
    loop {
        let Holder { user, token } = {
            let mut known = known.lock();
            let holder = known.people.pop().unwrap();
            known.in_flight.insert(holder.token.clone());
            holder
        };
        let order = json!({ "target": { "kind": "user", "user": user }, "reason": "left_company" });
        let Ok(answer) = server.administer(Method::POST, "/revocations", &order).await else { return };
        answer.succeeds();
        acknowledged(&known, token);
    }
}

fn acknowledged(known: &Shared, token: String) {
    let mut known = known.lock();
    known.in_flight.remove(&token);
    known.fresh.dead.push(token);
}

async fn all_are(server: &Arc<Server>, robot: &Application, tokens: &[String], active: bool) {
    let mut asked = Vec::new();
    for share in tokens.chunks(tokens.len() / 4 + 1) {
        let (server, robot, share) = (server.clone(), robot.clone(), share.to_vec());
        asked.push(tokio::spawn(async move {
            for token in share {
                assert_eq!(robot.is_active(&server, &token).await, active, "after a kill");
            }
        }));
    }
    for one in asked {
        one.await.unwrap();
    }
}
