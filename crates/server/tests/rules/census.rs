//! What a preview counts is what would be found if every record were asked about by itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::http::StatusCode;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Cases, TestCaseError, TestRunner},
};
use rescind_ledger::{
    AccessToken, Authentication, Client, Device, Filter, Grant, Hash, Minted, Order, Position, Reads, Reason, Session,
    SessionClock, SessionValidation, SignIn, Target, Timestamp, UserChange,
};
use serde_json::{Value, json};

use crate::house::{API_A, API_B, API_J, House, ISSUER, client, somebody};

const USERS: [&str; 2] = ["u_alice", "u_bob"];
const CLIENTS: [&str; 2] = ["web", "app"];
const DEVICES: [&str; 2] = ["d_1", "d_2"];
const APIS: [&str; 3] = [API_A, API_B, API_J];
const KEY: &str = "k1";

/// Numbers choose who and what; most are taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    SignIn {
        user: usize,
        device: usize,
        idle: u32,
        life: i64,
    },
    Mint {
        session: usize,
        client: usize,
        apis: usize,
        bound: bool,
        validation: u8,
        key: bool,
        life: i64,
        twice: bool,
    },
    MintForItself {
        client: usize,
        apis: usize,
        life: i64,
    },
    /// With `ago`, only what was issued so many seconds ago or longer, if the target takes that.
    End {
        kind: usize,
        one: usize,
        other: usize,
        ago: Option<i64>,
    },
    Switch {
        kind: usize,
        one: usize,
        on: bool,
    },
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let life = || prop_oneof![10..60_i64, Just(1000)];
    let step = prop_oneof![
        4 => (0..4_usize, 0..3_usize, prop_oneof![20..50_u32, Just(900)], life())
            .prop_map(|(user, device, idle, life)| Step::SignIn { user, device, idle, life }),
        10 => (0..9_usize, 0..2_usize, 1..8_usize, any::<bool>(), 0..16_u8, any::<bool>(), life(), any::<bool>())
            .prop_map(|(session, client, apis, bound, validation, key, life, twice)| Step::Mint {
                session, client, apis, bound, validation, key, life, twice
            }),
        2 => (0..2_usize, 1..8_usize, life())
            .prop_map(|(client, apis, life)| Step::MintForItself { client, apis, life }),
        5 => (0..14_usize, 0..30_usize, 0..30_usize, proptest::option::of(0..30_i64))
            .prop_map(|(kind, one, other, ago)| Step::End { kind, one, other, ago }),
        1 => (0..3_usize, 0..2_usize, any::<bool>()).prop_map(|(kind, one, on)| Step::Switch { kind, one, on }),
        3 => (1..20_i64).prop_map(Step::Wait),
    ];
    vec(step, 4..40)
}

struct World {
    house: House,
    sessions: Vec<Session>,
    tokens: Vec<AccessToken>,
}

fn one<'a>(all: &[&'a str], number: usize) -> &'a str {
    all[number % all.len()]
}

fn some(apis: usize) -> Vec<String> {
    let chosen = APIS.iter().enumerate().filter(|(place, _)| apis & (1 << place) != 0);
    chosen.map(|(_, api)| (*api).to_owned()).collect()
}

impl World {
    async fn open() -> Self {
        let house = House::open().await;
        for id in DEVICES {
            house.door(move |door| door.put_device(&device(id, true), &somebody())).await.unwrap();
        }
        Self { house, sessions: Vec::new(), tokens: Vec::new() }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::SignIn { user, device, idle, life } => self.sign_in(user, device, idle, life).await,
            Step::Mint { session, client, apis, bound, validation, key, life, twice } => {
                let Some(session) = self.sessions.get(session % self.sessions.len().max(1)).cloned() else { return };
                let number = self.tokens.len();
                let grant = Grant {
                    user: Some(session.user.clone()),
                    session: Some(session.id.clone()),
                    session_bound: bound,
                    device: session.device.clone(),
                    position: session.position,
                    ..self.grant(number, one(&CLIENTS, client), apis, life + 20)
                };
                let access = AccessToken {
                    session_validation: SessionValidation::from_bits(validation),
                    key: key.then(|| KEY.to_owned()),
                    ..self.token(number, &grant, life)
                };
                self.mint(grant, access, twice).await;
            }
            Step::MintForItself { client, apis, life } => {
                let number = self.tokens.len();
                let grant = self.grant(number, one(&CLIENTS, client), apis, life);
                let access = self.token(number, &grant, life);
                self.mint(grant, access, false).await;
            }
            Step::End { kind, one, other, ago } => {
                if let Some(target) = self.target(kind, one, other) {
                    let before = self.before(&target, ago);
                    let order = Order { before, ..Order::new(target, Reason::Policy, somebody()) };
                    self.house.door(move |door| door.end(&order)).await.unwrap();
                }
            }
            Step::Switch { kind, one, on } => self.switch(kind, one, on).await,
            Step::Wait(secs) => self.house.later(secs),
        }
    }

    async fn sign_in(&mut self, user: usize, device: usize, idle: u32, life: i64) {
        let now = self.house.app.now();
        let id = format!("s{}", self.sessions.len());
        let session = Session {
            id: id.clone(),
            cookie: Hash::of(&id),
            user: one(&USERS, user).to_owned(),
            source: "password".to_owned(),
            device: DEVICES.get(device).map(|device| (*device).to_owned()),
            ip: None,
            user_agent: None,
            position: self.house.app.live.stamp(),
            started_at: now,
            touched_at: now,
            idle_secs: idle,
            expires_at: now.plus(std::time::Duration::from_secs(life.unsigned_abs())),
        };
        let authentication =
            Authentication { session: id, position: session.position, at: now, methods: vec!["pwd".to_owned()] };
        let sign_in = SignIn { session: session.clone(), authentication };
        if self.house.door(move |door| door.sign_in(&sign_in)).await.is_ok() {
            self.sessions.push(session);
        }
    }

    fn grant(&self, number: usize, client: &str, apis: usize, life: i64) -> Grant {
        let now = self.house.app.now();
        Grant {
            id: format!("g{number}"),
            client: client.to_owned(),
            user: None,
            session: None,
            session_bound: false,
            device: None,
            scope: "read".to_owned(),
            audiences: some(apis),
            position: self.house.app.live.stamp(),
            auth_time: None,
            nonce: None,
            issued_at: now,
            expires_at: now.plus(std::time::Duration::from_secs(life.unsigned_abs())),
        }
    }

    fn token(&self, number: usize, grant: &Grant, life: i64) -> AccessToken {
        AccessToken {
            hash: Hash::of(&format!("t{number}")),
            id: format!("t{number}"),
            grant: grant.id.clone(),
            client: grant.client.clone(),
            user: grant.user.clone(),
            session: grant.session.clone(),
            session_validation: SessionValidation::NONE,
            device: grant.device.clone(),
            scope: "read".to_owned(),
            audiences: grant.audiences.clone(),
            key: None,
            certificate: None,
            position: grant.position,
            auth_time: None,
            issued_at: self.house.app.now(),
            expires_at: self.house.app.now().plus(std::time::Duration::from_secs(life.unsigned_abs())),
        }
    }

    async fn mint(&mut self, grant: Grant, access: AccessToken, twice: bool) {
        let minted = Minted { grant, access: access.clone(), refresh: None, status: None };
        if self.house.door(move |door| door.mint(&minted)).await.is_err() {
            return;
        }
        self.tokens.push(access.clone());
        if twice {
            // The grant's second token, for the first of its audiences.
            let (id, audiences) = (format!("t{}", self.tokens.len()), access.audiences[..1].to_vec());
            let again = AccessToken { hash: Hash::of(&id), id, audiences, ..access };
            let grant = Grant { id: format!("h{}", self.tokens.len()), ..self.grant(0, &again.client, 1, 1000) };
            let minted = Minted { grant, access: again.clone(), refresh: None, status: None };
            if self.house.door(move |door| door.mint(&minted)).await.is_ok() {
                self.tokens.push(again);
            }
        }
    }

    fn before(&self, target: &Target, ago: Option<i64>) -> Option<Timestamp> {
        ago.filter(|_| target.is_living()).map(|ago| Timestamp(self.house.app.now().0 - ago * 1000))
    }

    /// Any target of any kind.
    fn target(&self, kind: usize, first: usize, other: usize) -> Option<Target> {
        let token = || self.tokens.get(first % self.tokens.len().max(1));
        let (issuer, subject) = (ISSUER.to_owned(), one(&USERS, first).to_owned());
        let (client, audience) = (one(&CLIENTS, other).to_owned(), one(&APIS, other).to_owned());
        let device = one(&DEVICES, first).to_owned();
        Some(match kind {
            0 | 13 => Target::Token { token: token()?.id.clone() },
            1 => Target::Grant { grant: token()?.grant.clone() },
            2 => Target::Session { session: self.sessions.get(first % self.sessions.len().max(1))?.id.clone() },
            3 => Target::Key { key: KEY.to_owned() },
            4 => Target::Device { device },
            5 => Target::Subject { issuer, subject },
            6 => Target::Client { client },
            7 => Target::Audience { audience },
            8 => Target::Everything,
            9 => Target::SubjectClient { issuer, subject, client },
            10 => Target::SubjectAudience { issuer, subject, audience },
            11 => Target::ClientAudience { client: one(&CLIENTS, first).to_owned(), audience },
            _ => Target::DeviceClient { device, client },
        })
    }

    async fn switch(&self, kind: usize, which: usize, on: bool) {
        match kind {
            0 => {
                let (user, change) = (one(&USERS, which), UserChange { enabled: Some(on), ..UserChange::default() });
                self.house.door(move |door| door.change_user(user, &change, &somebody())).await.unwrap();
            }
            1 => self.house.put_client(Client { enabled: on, ..client(one(&CLIENTS, which)) }).await,
            _ => {
                let id = one(&DEVICES, which);
                self.house.door(move |door| door.put_device(&device(id, on), &somebody())).await.unwrap();
            }
        }
    }

    /// Every record asked about by itself.
    async fn count(&self, target: &Target, before: Option<Timestamp>) -> Value {
        let (app, now) = (&self.house.app, self.house.app.now());
        let (live, records) = (&app.live, &app.records);
        let at = live.head().next();
        let aim = target.fingerprint(live.key());
        let effect = rescind_check::Effect::of(target.cut(before), at);
        let hit = |trace: &rescind_check::Trace| trace.is_ended_among(|target| (target == aim).then_some(&effect));
        let all = Filter::default();
        let (mut users, mut sessions, mut grants) = (BTreeSet::new(), 0, 0);
        for session in records.store.sessions(&all, None, 1000).await.unwrap().items {
            let current = records.find_session(&session.id).await.unwrap().unwrap().current();
            if hit(&session.trace(ISSUER, live.key())) && live.session_counts(&current, now).is_ok() {
                sessions += 1;
                users.insert(session.user);
            }
        }
        for grant in records.store.grants(&all, None, 1000).await.unwrap().items {
            let clock = records.clock_of(grant.session.as_deref(), grant.session_bound).await.unwrap();
            if hit(&grant.trace(ISSUER, live.key())) && live.grant_counts(&grant, clock, now).is_ok() {
                grants += 1;
                users.extend(grant.user);
            }
        }
        let (mut tokens, mut by_client, mut by_api) = (0, BTreeMap::new(), BTreeMap::new());
        let mut held: BTreeMap<String, (u64, Value)> = BTreeMap::new();
        for token in records.store.access_tokens(&all, None, 1000).await.unwrap().items {
            let needed = token.session_validation.check_valid_authn_session;
            let clock: Option<SessionClock> = records.clock_of(token.session.as_deref(), needed).await.unwrap();
            let trace = token.trace(ISSUER, live.key());
            if !hit(&trace) || live.access_token_counts(&token, &trace, clock, now).is_err() {
                continue;
            }
            tokens += 1;
            users.extend(token.user);
            *by_client.entry(token.client).or_insert(0) += 1;
            for api in token.audiences {
                if token.key.is_some() {
                    let (count, until) = held.entry(api.clone()).or_insert((0, json!(token.expires_at)));
                    *count += 1;
                    if until.as_i64() < json!(token.expires_at).as_i64() {
                        *until = json!(token.expires_at);
                    }
                }
                *by_api.entry(api).or_insert(0) += 1;
            }
        }
        let list = |counts: BTreeMap<String, i32>, name: &str| {
            counts.into_iter().map(|(one, count)| json!({ name: one, "access_tokens": count })).collect::<Value>()
        };
        let held =
            held.into_iter().map(|(api, (count, until))| json!({ "api": api, "access_tokens": count, "until": until }));
        json!({
            "position": at.to_string(), "exact": true, "users": users.len(), "sessions": sessions, "grants": grants,
            "access_tokens": tokens, "by_client": list(by_client, "client"), "by_api": list(by_api, "api"),
            "self_contained": held.collect::<Value>(),
        })
    }
}

fn device(id: &str, enabled: bool) -> Device {
    Device {
        id: id.to_owned(),
        name: id.to_owned(),
        external_ids: Vec::new(),
        enabled,
        created_at: rescind_ledger::Timestamp(0),
    }
}

/// The query that names a target.
fn query(target: &Target) -> String {
    let told = json!(target);
    let names: HashMap<&str, &str> = [("subject", "user"), ("audience", "api")].into_iter().collect();
    let kind = told["kind"].as_str().unwrap().replace("subject", "user").replace("audience", "api");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("kind", &kind);
    for (member, value) in told.as_object().unwrap() {
        if member != "kind" && member != "issuer" {
            query.append_pair(names.get(member.as_str()).unwrap_or(&member.as_str()), value.as_str().unwrap());
        }
    }
    query.finish()
}

async fn compare(steps: &[Step]) -> Result<u64, TestCaseError> {
    let mut world = World::open().await;
    for step in steps {
        world.take(step).await;
    }
    let mut found = 0;
    for kind in 0..13 {
        for (first, other) in [(0, 0), (1, 1), (2, 2), (0, 1)] {
            let Some(target) = world.target(kind, first, other) else { continue };
            let before = world.before(&target, ((first + other) % 2 == 0).then_some(15));
            let expected = world.count(&target, before).await;
            let mut path = format!("/revocations/preview?{}", query(&target));
            if let Some(before) = before {
                let before = jiff::Timestamp::from_second(before.secs()).unwrap();
                path = format!("{path}&before={before}");
            }
            let (status, mut counted) = world.house.admin("GET", &path, &Value::Null).await;
            // The key is none of the server's own, so it is known once it was ended, and then nothing is left to end.
            if matches!(target, Target::Key { .. }) && status == StatusCode::NOT_FOUND {
                continue;
            }
            prop_assert_eq!(status, StatusCode::OK, "{}: {}", path, counted);
            let members = counted.as_object_mut().unwrap();
            members.remove("target");
            for other in ["receivers", "before", "guard"] {
                members.remove(other);
            }
            found += counted["access_tokens"].as_u64().unwrap();
            prop_assert_eq!(counted, expected, "{}", path);
        }
    }
    Ok(found)
}

#[test]
fn a_count_is_the_sum_of_all_verdicts() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Cases { cases: 24, failure_persistence: None, ..Cases::default() });
    let found = std::cell::Cell::new(0);
    let outcome = runner.run(&steps(), |steps| {
        found.set(found.get() + runtime.block_on(compare(&steps))?);
        Ok(())
    });
    outcome.unwrap();
    assert!(found.get() > 300, "the worlds are nearly empty: {}", found.get());
}

#[tokio::test]
async fn a_count_beyond_its_bound_says_that_it_is_a_lower_bound() {
    let mut world = World::open().await;
    for step in [Step::SignIn { user: 0, device: 0, idle: 900, life: 1000 }] {
        world.take(&step).await;
    }
    for _ in 0..40 {
        let step = Step::Mint {
            session: 0,
            client: 0,
            apis: 1,
            bound: true,
            validation: 0,
            key: true,
            life: 1000,
            twice: false,
        };
        world.take(&step).await;
    }
    let (app, now) = (&world.house.app, world.house.app.now());
    let wanted =
        || vec![rescind::census::Wanted { target: Target::Everything, before: None, reach: Filter::default() }];
    let all = app.censuses.count_up_to(40, 2, &app.records, wanted(), now).await.unwrap();
    assert_eq!((all.exact, all.counted.access_tokens, all.position), (true, 40, Position { epoch: 1, seq: 1 }));
    let part = app.censuses.count_up_to(10, 2, &app.records, wanted(), now).await.unwrap();
    assert!(!part.exact && part.counted.access_tokens <= 40, "{part:?}");
}
