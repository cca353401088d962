//! Every kind of target ends exactly what it should, by the admin API as by the door itself.

use std::time::Duration;

use axum::http::StatusCode;
use rescind_ledger::{
    AccessToken, Authentication, Device, Door, Entry, Grant, Hash, Kind, LedgerError, Minted, Position, Presented,
    Reads, Reason, RefreshToken, Secret, Session, SessionValidation, SignIn, SigningAlgorithm, Target, Timestamp,
    refresh,
};
use serde_json::{Value, json};

use crate::house::{API_A, API_B, API_J, House, ISSUER, somebody};

/// One token of the small world: who has it, where, and for what.
struct Sample {
    name: &'static str,
    user: Option<&'static str>,
    client: &'static str,
    api: &'static str,
    device: Option<&'static str>,
    session: Option<&'static str>,
    bound: bool,
    grant: &'static str,
    signed: bool,
}

const PLAIN: Sample = Sample {
    name: "",
    user: None,
    client: "web",
    api: API_A,
    device: None,
    session: None,
    bound: true,
    grant: "",
    signed: false,
};

const WORLD: [Sample; 8] = [
    Sample {
        name: "alice web a",
        user: Some("alice"),
        device: Some("laptop"),
        session: Some("s1"),
        grant: "g1",
        ..PLAIN
    },
    Sample {
        name: "alice web b",
        user: Some("alice"),
        api: API_B,
        device: Some("laptop"),
        session: Some("s1"),
        grant: "g1",
        ..PLAIN
    },
    Sample { name: "alice app a", user: Some("alice"), client: "app", session: Some("s2"), grant: "g2", ..PLAIN },
    Sample {
        name: "alice app a offline",
        user: Some("alice"),
        client: "app",
        session: Some("s1"),
        bound: false,
        grant: "g3",
        ..PLAIN
    },
    Sample { name: "bob web a", user: Some("bob"), device: Some("phone"), session: Some("s3"), grant: "g4", ..PLAIN },
    Sample {
        name: "bob app b",
        user: Some("bob"),
        client: "app",
        api: API_B,
        device: Some("laptop"),
        session: Some("s3"),
        grant: "g5",
        ..PLAIN
    },
    Sample {
        name: "bob web j",
        user: Some("bob"),
        api: API_J,
        session: Some("s3"),
        grant: "g6",
        signed: true,
        ..PLAIN
    },
    Sample { name: "web itself a", grant: "g7", ..PLAIN },
];

/// What an order of each kind must end. As an order is written, so are its parts named.
const ENDS: [(&str, &[&str]); 13] = [
    ("token", &["alice web a"]),
    ("grant", &["alice web a", "alice web b"]),
    ("session", &["alice web a", "alice web b"]),
    ("device", &["alice web a", "alice web b", "bob app b"]),
    ("user", &["alice web a", "alice web b", "alice app a", "alice app a offline"]),
    ("client", &["alice web a", "alice web b", "bob web a", "bob web j", "web itself a"]),
    ("api", &["alice web a", "alice app a", "alice app a offline", "bob web a", "web itself a"]),
    ("user_client", &["alice web a", "alice web b"]),
    ("user_api", &["alice web a", "alice app a", "alice app a offline"]),
    ("client_api", &["alice web a", "bob web a", "web itself a"]),
    ("device_client", &["alice web a", "alice web b"]),
    ("key", &["bob web j"]),
    (
        "everything",
        &[
            "alice web a",
            "alice web b",
            "alice app a",
            "alice app a offline",
            "bob web a",
            "bob app b",
            "bob web j",
            "web itself a",
        ],
    ),
];

/// The small world once more, with ids of its own but for the people, the clients, the APIs and the devices.
struct World {
    number: u32,
    /// Name, client and text.
    tokens: Vec<(&'static str, &'static str, String)>,
    first_id: String,
    key: String,
}

impl World {
    async fn set(house: &House, number: u32) -> Self {
        let key = house.app.keys.ring().signing(SigningAlgorithm::RS256).kid().to_owned();
        let (position, now) = (house.app.live.stamp(), house.app.now());
        let mut world = Self { number, tokens: Vec::new(), first_id: String::new(), key };
        let mut grants = Vec::new();
        for sample in &WORLD {
            let secret = Secret::form(Kind::AccessToken, &rescind::clock::random());
            let access = world.record(sample, secret.hash(), position, now);
            if world.first_id.is_empty() {
                world.first_id.clone_from(&access.id);
            }
            let begins = !grants.contains(&sample.grant);
            grants.push(sample.grant);
            house.door(move |door| write(door, access, begins)).await.unwrap();
            world.tokens.push((sample.name, sample.client, secret.reveal().to_owned()));
        }
        world
    }

    fn id(&self, name: &str) -> String {
        format!("{name}-{}", self.number)
    }

    fn record(&self, sample: &Sample, hash: Hash, position: Position, now: Timestamp) -> AccessToken {
        AccessToken {
            hash,
            id: rescind::clock::fresh_id("t_"),
            grant: self.id(sample.grant),
            client: sample.client.to_owned(),
            user: sample.user.map(|user| format!("u_{user}")),
            session: sample.session.map(|session| self.id(session)),
            session_validation: if sample.bound && sample.session.is_some() {
                SessionValidation::ALL
            } else {
                SessionValidation::NONE
            },
            device: sample.device.map(str::to_owned),
            scope: "read".to_owned(),
            audiences: vec![sample.api.to_owned()],
            key: sample.signed.then(|| self.key.clone()),
            certificate: None,
            position,
            auth_time: None,
            issued_at: now,
            expires_at: now.plus(Duration::from_secs(600)),
        }
    }

    /// The order of a kind, as people write it and as the door takes it.
    fn order(&self, kind: &str) -> (Value, Target) {
        let (issuer, client, audience) = (ISSUER.to_owned(), "web".to_owned(), API_A.to_owned());
        let (subject, device) = ("u_alice".to_owned(), "laptop".to_owned());
        let target = match kind {
            "token" => Target::Token { token: self.first_id.clone() },
            "grant" => Target::Grant { grant: self.id("g1") },
            "session" => Target::Session { session: self.id("s1") },
            "device" => Target::Device { device },
            "user" => Target::Subject { issuer, subject },
            "client" => Target::Client { client },
            "api" => Target::Audience { audience },
            "user_client" => Target::SubjectClient { issuer, subject, client },
            "user_api" => Target::SubjectAudience { issuer, subject, audience },
            "client_api" => Target::ClientAudience { client, audience },
            "device_client" => Target::DeviceClient { device, client },
            "key" => Target::Key { key: self.key.clone() },
            _ => Target::Everything,
        };
        let mut written = json!({ "kind": kind });
        for (part, value) in [
            ("token", self.first_id.clone()),
            ("grant", self.id("g1")),
            ("session", self.id("s1")),
            ("device", "laptop".to_owned()),
            ("user", "alice".to_owned()),
            ("client", "web".to_owned()),
            ("api", API_A.to_owned()),
            ("key", self.key.clone()),
        ] {
            if kind.split('_').any(|one| one == part) {
                written[part] = value.into();
            }
        }
        (written, target)
    }

    async fn dead(&self, house: &House) -> Vec<&'static str> {
        let mut dead = Vec::new();
        for (name, client, text) in &self.tokens {
            if !house.is_active(client, text).await {
                dead.push(*name);
            }
        }
        dead
    }
}

/// Writes a token down, with its grant if it is the first of it.
fn write(door: &mut Door<'_>, access: AccessToken, begins: bool) -> Result<(), LedgerError> {
    let grant = grant_of(&access);
    let token = RefreshToken {
        hash: Hash::of(&grant.id),
        grant: grant.id.clone(),
        parent: None,
        issued_at: grant.issued_at,
        expires_at: grant.expires_at,
    };
    let minted = Minted { grant, access, refresh: None, status: None };
    if begins {
        return door.mint(&minted);
    }
    let presented = Presented { token, successor: None, grace: Duration::ZERO };
    refresh(door, &presented, &minted).map(drop)
}

fn grant_of(access: &AccessToken) -> Grant {
    Grant {
        id: access.grant.clone(),
        client: access.client.clone(),
        user: access.user.clone(),
        session: access.session.clone(),
        session_bound: access.session_validation.check_session_revocation_status,
        device: access.device.clone(),
        scope: access.scope.clone(),
        audiences: access.audiences.clone(),
        position: access.position,
        auth_time: None,
        nonce: None,
        issued_at: access.issued_at,
        expires_at: access.expires_at,
    }
}

/// A server in which the sessions of two worlds and the devices are known.
async fn prepared(worlds: &[u32]) -> House {
    let house = House::open().await;
    for device in ["laptop", "phone"] {
        let device = Device {
            id: device.to_owned(),
            name: device.to_owned(),
            external_ids: Vec::new(),
            enabled: true,
            created_at: house.app.now(),
        };
        house.door(move |door| door.put_device(&device, &somebody())).await.unwrap();
    }
    for number in worlds {
        for (session, user) in [("s1", "alice"), ("s2", "alice"), ("s3", "bob")] {
            let begun = session_of(&house, &format!("{session}-{number}"), user);
            house.door(move |door| door.sign_in(&begun)).await.unwrap();
        }
    }
    house
}

fn session_of(house: &House, id: &str, user: &str) -> SignIn {
    let (position, now) = (house.app.live.stamp(), house.app.now());
    let session = Session {
        id: id.to_owned(),
        cookie: Hash::of(id),
        user: format!("u_{user}"),
        source: "password".to_owned(),
        device: None,
        ip: None,
        user_agent: None,
        position,
        started_at: now,
        touched_at: now,
        idle_secs: 3600,
        expires_at: now.plus(Duration::from_secs(3600)),
    };
    let authentication = Authentication { session: id.to_owned(), position, at: now, methods: vec!["pwd".to_owned()] };
    SignIn { session, authentication }
}

async fn last_entry(house: &House) -> Entry {
    house.app.records.store.entries_before(None, 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn every_target_ends_what_it_names_and_nothing_else_by_either_way() {
    for (kind, ends) in ENDS {
        // A server for each kind: a cut-off of the one must not hide what the other leaves alive.
        let house = prepared(&[1, 2]).await;
        let by_api = World::set(&house, 1).await;
        assert_eq!(by_api.dead(&house).await, [""; 0], "{kind}");
        let (written, target) = by_api.order(kind);
        let (status, answer) =
            house.admin("POST", "/revocations", &json!({ "target": written, "reason": "policy" })).await;
        assert_eq!(status, StatusCode::CREATED, "{kind}: {answer}");
        assert_eq!(by_api.dead(&house).await, ends, "{kind} by the admin API");
        let entry = last_entry(&house).await;
        assert_eq!((&entry.target, entry.reason), (&target, Reason::Policy));
        assert_eq!(answer["position"], entry.position.to_string());

        let by_door = World::set(&house, 2).await;
        assert_eq!(by_door.dead(&house).await, [""; 0], "ending {kind} is not banning it");
        let target = by_door.order(kind).1;
        let ended = house.end(target.clone()).await;
        assert!(ended.fresh);
        assert_eq!(by_door.dead(&house).await, ends, "{kind} by the door");
        let again = last_entry(&house).await;
        assert_eq!((again.position, &again.target, again.reason), (ended.position, &target, entry.reason));
        let outbox = house.app.records.store.outbox(10).await.unwrap();
        assert_eq!(outbox, [entry.position, again.position], "{kind}: each with a row for the dispatcher");
    }
}
