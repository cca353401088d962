//! Whatever happens to a session, in whatever order: it never lives beyond its idle window after the last activity, nor
//! beyond its maximum; and while the server runs it never ends before.

use std::{
    cell::RefCell,
    sync::{Arc, atomic::AtomicI64},
    thread,
};

use axum::http::StatusCode;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config as Cases, TestCaseError, TestRunner},
};
use rescind::{app::Opened, background::time_out_sessions, clock::Clock, pace::Pace, touch::touch};
use rescind_ledger::{Client, RefreshBinding, Target};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::house::{House, client, configuration_with, place, text};

const IDLE: i64 = 100;
const MAX: i64 = 400;
const CLIENT: &str = "phone";
/// So little that a few other sessions push one out of memory.
const CACHE_BYTES: u64 = 600;
const OTHERS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// An introspection, which is activity.
    Use,
    /// The activity of a request that looked earlier whether the session counts.
    Touch,
    /// An introspection of the refresh token, which is no activity.
    Look,
    Wait(i64),
    /// Others are looked at, so that this one is forgotten.
    Crowd,
    Sweep,
    /// What is not written down is lost.
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Use),
        3 => Just(Step::Touch),
        4 => Just(Step::Look),
        // To the limit and around it, and some way there.
        6 => prop_oneof![Just(1), Just(24), Just(25), Just(26), Just(75), Just(99), Just(100), 1..60_i64]
            .prop_map(Step::Wait),
        3 => Just(Step::Crowd),
        3 => Just(Step::Sweep),
        1 => Just(Step::Restart),
    ];
    // Activity, and a restart while it may not be written down yet: left to chance, that would be too rare.
    let loss = (1..60_i64, 70..100_i64).prop_map(|(before, after)| {
        vec![Step::Use, Step::Wait(before), Step::Use, Step::Restart, Step::Wait(after), Step::Look]
    });
    let phrase = prop_oneof![12 => step.prop_map(|step| vec![step]), 1 => loss];
    vec(phrase, 1..40).prop_map(|phrases| phrases.concat())
}

/// The server, which can be stopped and started.
struct World {
    runtime: Runtime,
    clock: Arc<AtomicI64>,
    house: Option<House>,
    others: Vec<String>,
}

impl World {
    fn begin() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let house = open(place(), &clock);
        let others = runtime.block_on(async {
            house.add_user("alice").await;
            house.put_client(Client { refresh_binding: RefreshBinding::Always, ..client(CLIENT) }).await;
            let mut others = Vec::new();
            for _ in 0..OTHERS {
                let cookie = house.sign_in("alice").await;
                others.push(house.session_of(&cookie).await);
            }
            others
        });
        Self { runtime, clock, house: Some(house), others }
    }

    fn house(&self) -> &House {
        self.house.as_ref().unwrap()
    }

    fn now(&self) -> i64 {
        self.house().app.now().secs()
    }

    fn restart(&mut self) {
        let dir = self.runtime.block_on(self.house.take().unwrap().close());
        self.house = Some(open(dir, &self.clock));
    }

    fn is_active(&self, token: &str) -> bool {
        self.runtime.block_on(self.house().is_active(CLIENT, token))
    }

    /// A session with its tokens: session, access token, refresh token.
    fn sign_in(&self) -> [String; 3] {
        let house = self.house();
        self.runtime.block_on(async {
            let cookie = house.sign_in("alice").await;
            let code = house.code(&cookie, CLIENT, &[]).await;
            let (status, answer) = house.exchange(CLIENT, &code).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            let session = house.session_of(&cookie).await;
            [session, text(&answer, "access_token"), text(&answer, "refresh_token")]
        })
    }

    /// Whether it counted.
    fn touch(&self, session: &str) -> bool {
        let app = &self.house().app;
        self.runtime.block_on(async {
            let Some(known) = app.records.find_session(session).await.unwrap() else { return false };
            touch(app, &known, app.now()).await;
            known.clock().touched_at == app.now()
        })
    }

    fn crowd(&self) {
        for other in &self.others {
            self.runtime.block_on(self.house().app.records.find_session(other)).unwrap();
        }
    }

    fn sweep(&self) {
        self.runtime.block_on(time_out_sessions(&self.house().app)).unwrap();
    }

    fn has_entry(&self, session: &str) -> bool {
        self.house().app.live.position_of(&Target::Session { session: session.to_owned() }).is_some()
    }
}

fn open(dir: TempDir, clock: &Arc<AtomicI64>) -> House {
    let lifetimes =
        format!("[lifetimes]\nsession_idle_secs = {IDLE}\nsession_max_secs = {MAX}\naccess_token_secs = {}\n", 2 * MAX);
    let mut config = configuration_with(dir.path(), &lifetimes);
    config.cache_bytes = CACHE_BYTES;
    let manual = Clock::Manual(clock.clone());
    let opened = thread::spawn(move || Opened::open(config, manual, Pace::Free)).join().unwrap().unwrap();
    House::of(opened, clock.clone(), dir)
}

/// What must be so of a session, in seconds.
struct Model {
    last: i64,
    expires: i64,
    /// Whether the server was restarted since the last activity.
    restarted: bool,
    /// Whether it was seen to be over.
    over: bool,
}

impl Model {
    fn must_be_over(&self, now: i64) -> bool {
        self.over || now >= (self.last + IDLE).min(self.expires)
    }

    fn must_run(&self, now: i64) -> bool {
        let idle = if self.restarted { IDLE * 3 / 4 } else { IDLE };
        !self.over && now < (self.last + idle).min(self.expires)
    }

    fn saw(&mut self, running: bool, now: i64) -> Result<(), TestCaseError> {
        let since = now - self.last;
        prop_assert!(!running || !self.must_be_over(now), "it lives {since} s after its last activity");
        prop_assert!(running || !self.must_run(now), "it ended {since} s after its last activity");
        self.over = !running;
        Ok(())
    }
}

fn check(world: &mut World, steps: &[Step]) -> Result<(), TestCaseError> {
    let [session, access, refresh] = world.sign_in();
    let begun = world.now();
    let mut model = Model { last: begun, expires: begun + MAX, restarted: false, over: false };
    for step in steps {
        match step {
            Step::Use | Step::Touch => {
                let now = world.now();
                let running = if let Step::Use = step { world.is_active(&access) } else { world.touch(&session) };
                model.saw(running, now)?;
                if running {
                    (model.last, model.restarted) = (now, false);
                }
            }
            Step::Look => model.saw(world.is_active(&refresh), world.now())?,
            Step::Wait(secs) => world.house().later(*secs),
            Step::Crowd => world.crowd(),
            Step::Sweep => {
                world.sweep();
                let (ended, now) = (world.has_entry(&session), world.now());
                prop_assert!(ended || !model.must_be_over(now), "its end is not written down");
                model.saw(!ended, now)?;
            }
            Step::Restart => {
                world.restart();
                model.restarted = true;
            }
        }
    }
    Ok(())
}

#[test]
fn no_order_of_events_lets_a_session_live_too_long_or_while_the_server_runs_end_too_soon() {
    let world = RefCell::new(World::begin());
    let cases = Cases { cases: 100, failure_persistence: None, ..Cases::default() };
    TestRunner::new(cases).run(&steps(), |steps| check(&mut world.borrow_mut(), &steps)).unwrap();
    let World { runtime, house, .. } = world.into_inner();
    runtime.block_on(house.unwrap().close());
}
