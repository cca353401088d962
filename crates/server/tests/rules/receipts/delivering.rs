//! A test receiver at the dispatcher's port: pending, delivered, gave up; across a restart; and no receiver delays another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rescind::{
    clock::Clock,
    deliveries::{self, Connector, Notice, Receiver, deliver_due},
};
use rescind_ledger::{DeliveryState, Outcome, Position, Reads, Target};
use serde_json::{Value, json};

use super::receipt;
use crate::house::{House, client, open_in, subject};

/// Says what it was told to say, and remembers whom it heard of.
struct Heard {
    name: &'static str,
    /// What it answers, the last one for ever.
    answers: Mutex<Vec<Outcome>>,
    heard: Mutex<Vec<(Position, Option<String>)>>,
    calls: AtomicUsize,
    slow: Duration,
}

impl Heard {
    fn new(name: &'static str, answers: &[Outcome]) -> Arc<Self> {
        Self::slow(name, answers, Duration::ZERO)
    }

    fn slow(name: &'static str, answers: &[Outcome], slow: Duration) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().rev().cloned().collect());
        Arc::new(Self { name, answers, heard: Mutex::default(), calls: AtomicUsize::new(0), slow })
    }
}

impl Connector for Heard {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> &'static str {
        "test"
    }

    fn wants(&self, notice: &Notice) -> bool {
        matches!(notice.entry.target, Target::Subject { .. } | Target::Everything)
    }

    fn deliver<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            tokio::time::sleep(self.slow).await;
            self.calls.fetch_add(1, Ordering::SeqCst);
            let user = notice.user.as_ref().map(|user| user.user_name.clone());
            self.heard.lock().push((notice.entry.position, user));
            let mut answers = self.answers.lock();
            if answers.len() > 1 { answers.pop() } else { answers.last().cloned() }.unwrap_or(Outcome::Delivered)
        })
    }
}

fn busy() -> Outcome {
    Outcome::Retry { after: None, why: "busy".to_owned() }
}

fn register(house: &House, connector: &Arc<Heard>) -> Arc<Receiver> {
    house.app.deliveries.register(connector.clone()).unwrap()
}

async fn deliver(house: &House, receiver: &Receiver) -> usize {
    deliver_due(&house.app, receiver).await.unwrap()
}

async fn states(house: &House, position: Position) -> Vec<(String, DeliveryState, u32)> {
    let receipt = receipt(house, position).await;
    receipt.deliveries.into_iter().map(|it| (it.receiver, it.state, it.attempts)).collect()
}

async fn reopened(house: House) -> House {
    let clock = house.clock();
    let dir = house.close().await;
    House::of(open_in(dir.path(), Clock::Manual(clock.clone())).unwrap(), clock, dir)
}

#[tokio::test]
async fn a_receiver_shows_pending_delivered_and_gave_up_across_a_restart() {
    let house = House::open().await;
    let (good, bad) = (
        Heard::new("good", &[busy(), Outcome::Delivered]),
        Heard::new("bad", &[Outcome::GiveUp { why: "no".to_owned() }]),
    );
    let (to_good, to_bad) = (register(&house, &good), register(&house, &bad));
    assert!(house.app.deliveries.register(good.clone()).is_err(), "a name is taken once");
    let position = house.end(subject("alice")).await.position;
    let unwanted = house.end(Target::Client { client: "web".to_owned() }).await.position;
    deliveries::dispatch(&house.app).await.unwrap();
    let pending = |name: &str, attempts| (name.to_owned(), DeliveryState::Pending, attempts);
    assert_eq!(states(&house, position).await, [pending("bad", 0), pending("good", 0)]);
    assert_eq!(states(&house, unwanted).await, [], "nobody wanted to hear of it");
    assert!(!receipt(&house, position).await.is_finished());
    assert_eq!((deliver(&house, &to_good).await, deliver(&house, &to_bad).await), (1, 1));
    let gave_up = ("bad".to_owned(), DeliveryState::GaveUp, 1);
    assert_eq!(states(&house, position).await, [gave_up.clone(), pending("good", 1)]);
    assert_eq!(deliver(&house, &to_good).await, 0, "not before the next attempt is due");

    let house = reopened(house).await;
    deliveries::dispatch(&house.app).await.unwrap();
    assert_eq!(states(&house, position).await, [gave_up.clone(), pending("good", 1)]);
    let to_good = register(&house, &good);
    house.later(2);
    assert_eq!(deliver(&house, &to_good).await, 1);
    assert_eq!(states(&house, position).await, [gave_up, ("good".to_owned(), DeliveryState::Delivered, 2)]);
    assert_eq!(
        good.heard.lock().as_slice(),
        [(position, Some("alice".to_owned())), (position, Some("alice".to_owned()))]
    );
    let shown = receipt(&house, position).await.show();
    assert_eq!((&shown["finished"], &shown["deliveries"][0]["last_error"]), (&json!(true), &json!("no")));
    assert_eq!(
        (&shown["deliveries"][1]["last_error"], &shown["deliveries"][1]["kind"]),
        (&Value::Null, &json!("test"))
    );
    let attempts = house.app.records.store.attempts_at(position, "good").await.unwrap();
    assert_eq!(attempts.iter().map(|it| it.error.as_deref()).collect::<Vec<_>>(), [Some("busy"), None]);
}

#[tokio::test]
async fn each_entry_is_told_to_each_receiver_once_however_often_it_is_dispatched() {
    let house = House::open().await;
    let one = Heard::new("one", &[Outcome::Delivered]);
    register(&house, &one);
    let first = house.end(subject("alice")).await.position;
    deliveries::dispatch(&house.app).await.unwrap();
    let house = reopened(house).await;
    let receiver = register(&house, &one);
    let second = house.end(Target::Everything).await.position;
    for _ in 0..3 {
        deliveries::dispatch(&house.app).await.unwrap();
        deliver(&house, &receiver).await;
    }
    let heard = one.heard.lock().iter().map(|(position, _)| *position).collect::<Vec<_>>();
    assert_eq!(heard, [first, second]);
}

#[tokio::test]
async fn receivers_say_how_they_do() {
    let house = House::open().await;
    let listed = async |house: &House| {
        let (_, body) = house.admin("GET", "/receivers", &json!(null)).await;
        let items = body["items"].as_array().unwrap().clone();
        let shown = |it: &Value| json!([it["name"], it["health"], it["pending"], it["gave_up"], it["last_error"]]);
        items.iter().map(shown).collect::<Vec<_>>()
    };
    assert!(listed(&house).await.is_empty(), "none is invented");
    let one = Heard::new("one", &[busy(), Outcome::Delivered]);
    let receiver = register(&house, &one);
    assert_eq!(listed(&house).await, [json!(["one", "unused", 0, 0, null])]);
    house.end(subject("alice")).await;
    deliveries::dispatch(&house.app).await.unwrap();
    assert_eq!(listed(&house).await, [json!(["one", "unused", 1, 0, null])]);
    deliver(&house, &receiver).await;
    assert_eq!(listed(&house).await, [json!(["one", "failing", 1, 0, "busy"])]);
    house.later(5);
    deliver(&house, &receiver).await;
    assert_eq!(listed(&house).await, [json!(["one", "healthy", 0, 0, null])]);
    house.end(subject("bob")).await;
    deliveries::dispatch(&house.app).await.unwrap();
    let house = reopened(house).await;
    assert_eq!(listed(&house).await, [json!(["one", "gone", 1, 0, null])], "it is not configured any more");
    deliveries::give_up_orphans(&house.app).await.unwrap();
    assert_eq!(listed(&house).await[0][2], json!(1), "it may come back");
    house.later(49 * 3600);
    deliveries::give_up_orphans(&house.app).await.unwrap();
    assert_eq!(listed(&house).await[0][3], json!(1), "but not for ever");
}

#[tokio::test]
async fn a_receiver_hears_the_name_that_held_though_the_user_was_deleted_before_it_heard() {
    let house = House::open().await;
    let one = Heard::new("one", &[Outcome::Delivered]);
    let receiver = register(&house, &one);
    let gone = house.door(|door| door.delete_user("u_alice", &crate::house::somebody())).await.unwrap();
    deliveries::dispatch(&house.app).await.unwrap();
    deliver(&house, &receiver).await;
    assert_eq!(one.heard.lock().as_slice(), [(gone.position, Some("alice".to_owned()))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_delays_no_other_and_one_that_breaks_is_a_failed_attempt() {
    struct Broken;
    impl Connector for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn kind(&self) -> &'static str {
            "test"
        }
        fn wants(&self, _: &Notice) -> bool {
            true
        }
        fn deliver<'a>(&'a self, _: &'a Notice) -> BoxFuture<'a, Outcome> {
            panic!("a connector of somebody's making");
        }
    }
    let house = House::open().await;
    let hangs = Heard::slow("hangs", &[Outcome::Delivered], Duration::from_secs(3600));
    let prompt = Heard::new("prompt", &[Outcome::Delivered]);
    register(&house, &hangs);
    register(&house, &prompt);
    house.app.deliveries.register(Arc::new(Broken)).unwrap();
    deliveries::spawn(&house.app);
    for _ in 0..20 {
        house.end(subject("alice")).await;
    }
    let last = house.app.live.head();
    let mut turns = 0;
    while prompt.calls.load(Ordering::SeqCst) < 20 || states(&house, last).await[0].2 == 0 {
        turns += 1;
        assert!(turns < 3000, "{:?}", states(&house, last).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(hangs.calls.load(Ordering::SeqCst), 0);
    let broken = receipt(&house, last).await.deliveries.remove(0);
    assert_eq!((broken.state, broken.last_error.as_deref()), (DeliveryState::Pending, Some("the connector broke")));
}

#[tokio::test]
async fn the_time_to_effect_of_every_entry_is_counted_once() {
    let house = House::open().await;
    house.put_client(client("other")).await;
    for _ in 0..5 {
        house.end(subject("alice")).await;
    }
    for _ in 0..2 {
        deliveries::dispatch(&house.app).await.unwrap();
    }
    let buckets = house.app.telemetry.time_to_effect.cumulative();
    assert_eq!((buckets[0], buckets.last().unwrap().1), ((Some(1), 5), 5), "the clock stood still");
}

#[tokio::test]
async fn a_preview_says_who_would_be_told() {
    let house = House::open().await;
    register(&house, &Heard::new("good", &[Outcome::Delivered]));
    let told = async |query: &str| {
        let (status, preview) = house.admin("GET", &format!("/revocations/preview?{query}"), &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{preview}");
        preview["receivers"].clone()
    };
    assert_eq!(told("kind=user&user=alice").await, json!([{ "name": "good", "kind": "test" }]));
    assert_eq!(told("kind=client&client=web").await, json!([]), "which that one does not want to hear of");
}
