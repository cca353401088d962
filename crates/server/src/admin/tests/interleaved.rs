//! Two changes of one record that were both made from the same reading of it: one holds, the other is told to look
//! again. The writer is turned by hand, so that both wait for the same transaction.

use std::{sync::Arc, time::Duration};

use axum::{Router, http::StatusCode};
use rescind_ledger::{Api, Device, Hash, Initiator, Lane, TokenFormat, Writer};
use serde_json::{Value, json};

use super::{super::local_router, local};
use crate::{
    app::{App, Opened},
    clock::Clock,
    config,
    pace::Pace,
};

struct Held {
    app: Arc<App>,
    writer: Writer,
    router: Router,
    _folder: tempfile::TempDir,
}

type Request<'a> = (&'a str, &'a str, Option<Value>);

impl Held {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config::from_toml("issuer = \"https://id.example\"", []).unwrap();
        config.data_dir = folder.path().join("data");
        let opening = std::thread::spawn(|| Opened::open(config, Clock::System, Pace::Free).unwrap());
        let Opened { app, writer } = opening.join().unwrap();
        Self { router: local_router(&app), app, writer, _folder: folder }
    }

    /// Makes the calls, and turns the writer when that many jobs wait: once for their audit records, and once for what they do.
    /// Whatever is left after that, such as the record of a refusal, waits for nobody.
    async fn turned<T>(&mut self, jobs: usize, calls: impl Future<Output = T>) -> T {
        let turning = async {
            for jobs in [jobs, jobs].into_iter().chain(std::iter::repeat(1)) {
                while self.app.queue.waiting() < jobs {
                    tokio::task::yield_now().await;
                }
                self.writer.turn(&|| self.app.now());
            }
        };
        let both = async {
            tokio::select! {
                answers = calls => answers,
                () = turning => unreachable!("it turns for ever"),
            }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("a call left no job, or two were needed")
    }

    async fn add(&mut self, path: &str, body: Value) -> Value {
        let router = self.router.clone();
        let (status, shown) = self.turned(1, local(&router, "POST", path, Some(body))).await;
        assert_eq!(status, StatusCode::CREATED, "{shown}");
        shown
    }

    /// Makes two calls that both wait before the writer takes either, and gives the answers by status.
    async fn at_once(&mut self, one: Request<'_>, other: Request<'_>) -> [(StatusCode, Value); 2] {
        let router = self.router.clone();
        let calls =
            async { tokio::join!(local(&router, one.0, one.1, one.2), local(&router, other.0, other.1, other.2)) };
        let (one, other) = self.turned(2, calls).await;
        if one.0 <= other.0 { [one, other] } else { [other, one] }
    }

    /// One of two changes holds, whichever it is, and nothing of the other is left.
    async fn one_holds(&mut self, path: &str) {
        let named = |name: &str| json!({ "name": name });
        let [(first, shown), (second, refused)] =
            self.at_once(("PATCH", path, Some(named("One"))), ("PATCH", path, Some(json!({"enabled": false})))).await;
        assert_eq!((first, second), (StatusCode::OK, StatusCode::CONFLICT), "{shown} {refused}");
        assert_eq!(refused["code"], "conflict");
        let (_, stands) = local(&self.router, "GET", path, None).await;
        assert_eq!((&stands["name"], &stands["enabled"]), (&shown["name"], &shown["enabled"]));
        let router = self.router.clone();
        let (again, _) = self.turned(1, local(&router, "PATCH", path, Some(named("Again")))).await;
        assert_eq!(again, StatusCode::OK, "whoever reads it again may change it");
    }
}

#[tokio::test]
async fn two_changes_of_one_client_do_not_undo_each_other() {
    let mut held = Held::open();
    held.add("/clients", json!({"id": "robot", "name": "Robot"})).await;
    held.one_holds("/clients/robot").await;
}

#[tokio::test]
async fn two_changes_of_one_device_do_not_undo_each_other() {
    let mut held = Held::open();
    let device = held.add("/devices", json!({"name": "Laptop"})).await;
    let path = format!("/devices/{}", device["id"].as_str().unwrap());
    held.one_holds(&path).await;
}

#[tokio::test]
async fn of_two_new_secrets_only_the_one_that_works_is_told() {
    let mut held = Held::open();
    held.add("/clients", json!({"id": "robot", "name": "Robot"})).await;
    let renewal = || ("POST", "/clients/robot/secret", None);
    let [(first, shown), (second, refused)] = held.at_once(renewal(), renewal()).await;
    assert_eq!((first, second), (StatusCode::OK, StatusCode::CONFLICT), "{refused}");
    let hash = held.app.live.client("robot").unwrap().secret_hash;
    assert_eq!(hash, Some(Hash::of(shown["client_secret"].as_str().unwrap())));
    assert!(refused.get("client_secret").is_none());
}

#[tokio::test]
async fn a_change_does_not_bring_back_what_was_removed_meanwhile() {
    let mut held = Held::open();
    let mut conflicts = 0;
    // Which of the two the writer takes first is not in our hands.
    for n in 0..20 {
        held.add("/clients", json!({"id": format!("robot-{n}"), "name": "Robot"})).await;
        let path = format!("/clients/robot-{n}");
        let change = ("PATCH", path.as_str(), Some(json!({"name": "Again"})));
        let [(first, _), (second, refused)] = held.at_once(("DELETE", &path, None), change).await;
        assert_eq!(first, StatusCode::OK);
        assert!(matches!(second, StatusCode::OK | StatusCode::CONFLICT), "{refused}");
        conflicts += u32::from(second == StatusCode::CONFLICT);
        assert!(held.app.live.client(&format!("robot-{n}")).is_none());
    }
    assert!(conflicts > 0, "the change never came after the removal");
}

#[tokio::test]
async fn an_api_is_added_once_and_changed_from_what_it_is() {
    let mut held = Held::open();
    let api = json!({"audience": "https://api.example", "name": "Orders", "scopes": ["read", "write"]});
    let adding = || ("POST", "/apis", Some(api.clone()));
    let [(first, _), (second, refused)] = held.at_once(adding(), adding()).await;
    assert_eq!((first, second), (StatusCode::CREATED, StatusCode::CONFLICT), "{refused}");
    let path = "/apis?audience=https%3A%2F%2Fapi.example";
    let patch = |scopes: &[&str]| ("PATCH", path, Some(json!({ "scopes": scopes })));
    let [(first, shown), (second, refused)] = held.at_once(patch(&["read"]), patch(&["write"])).await;
    assert_eq!((first, second), (StatusCode::OK, StatusCode::CONFLICT), "{refused}");
    assert_eq!(json!(held.app.live.api("https://api.example").unwrap().scopes), shown["scopes"]);
}

#[tokio::test]
async fn what_an_earlier_job_of_the_batch_gave_can_be_taken_away_by_a_later_one() {
    let mut held = Held::open();
    let now = held.app.now();
    let api = move |scopes: &[&str]| Api {
        audience: "https://api.example".to_owned(),
        name: "Orders".to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        token_format: TokenFormat::Opaque,
        access_token_secs: None,
        session_validation: rescind_ledger::SessionValidation::default(),
        created_at: now,
    };
    let device = |enabled| Device {
        id: "d".to_owned(),
        name: "d".to_owned(),
        external_ids: Vec::new(),
        enabled,
        created_at: now,
    };
    let by = || Initiator::System("test".to_owned());
    let put_api = |api: Api| held.app.submit(Lane::Ending, move |door| door.put_api(&api, &by()));
    let put_device = |device: Device| held.app.submit(Lane::Ending, move |door| door.put_device(&device, &by()));
    let made = (put_api(api(&["read", "write"])), put_device(device(true)));
    let narrowed = (put_api(api(&["read"])), put_device(device(false)));
    held.writer.turn(&|| held.app.now());
    assert_eq!((made.0.await.unwrap(), made.1.await.unwrap()), (None, None));
    assert!(narrowed.0.await.unwrap().is_some() && narrowed.1.await.unwrap().is_some());
}
