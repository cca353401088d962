//! When an initial access token is good, and how long it is kept.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    body::Body,
    extract::State,
    http::{Request, StatusCode, header},
};
use rescind_ledger::{Order, Reason, Target};

use super::*;
use crate::{app::Opened, background::sweep, clock::Clock, config, pace::Pace, protocol::register::register};

/// A server whose clock stands still.
async fn open(folder: &Path) -> (Arc<App>, Arc<AtomicI64>) {
    let config = config::from_toml(&format!("data_dir = {:?}", folder.join("data")), []).unwrap();
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Clock::Manual(now.clone());
    // Opening waits for the writer, which must not be done where futures run.
    let opening =
        tokio::task::spawn_blocking(move || Opened::open(config, clock, Pace::Free).unwrap().start().unwrap());
    (opening.await.unwrap().0, now)
}

async fn keep(app: &App, leave: &Leave) {
    let (name, sealed) = leave.seal(app).unwrap();
    app.submit(Lane::Issuing, move |door| door.put_secret(&name, &sealed)).await.unwrap();
}

#[tokio::test]
async fn an_initial_access_token_is_good_for_a_day_and_kept_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let (app, now) = open(folder.path()).await;
    let FreshLeave { secret, leave } = FreshLeave::make(&app);
    let used = FreshLeave::make(&app);
    keep(&app, &leave).await;
    keep(&app, &used.leave.used_by("c_1")).await;
    let begun = now.load(Ordering::SeqCst);
    let day = 24 * 3600 * 1000;
    for (at, good) in [(begun, true), (begun + day - 1, true), (begun + day, false), (begun + 2 * day, false)] {
        now.store(at, Ordering::SeqCst);
        assert_eq!(find(&app, secret.reveal()).await.unwrap().is_some(), good, "after {} ms", at - begun);
        assert_eq!(find(&app, used.secret.reveal()).await.unwrap(), None);
    }
    now.store(begun + day - 1, Ordering::SeqCst);
    sweep(&app).await.unwrap();
    assert_eq!(list(&app).await.unwrap().len(), 2);
    now.store(begun + day, Ordering::SeqCst);
    let later = FreshLeave::make(&app).leave;
    keep(&app, &later).await;
    assert_eq!(sweep(&app).await.unwrap(), 2);
    assert_eq!(list(&app).await.unwrap(), [later]);
    assert!(app.records.store.secrets().await.unwrap().len() > 1, "other secrets stay");
}

#[tokio::test]
async fn an_initial_access_token_is_nothing_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = open(folder.path()).await;
    let (one, other) = (FreshLeave::make(&app).leave, FreshLeave::make(&app));
    let ((_, sealed), name) = (one.seal(&app).unwrap(), name(&other.leave.id));
    assert_eq!(Leave::open(&app, &name, &sealed), None);
    app.submit(Lane::Issuing, move |door| door.put_secret(&name, &sealed)).await.unwrap();
    assert_eq!(find(&app, other.secret.reveal()).await.unwrap(), None);
}

#[tokio::test]
async fn a_cut_off_that_comes_while_a_client_registers_is_not_outrun() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = open(folder.path()).await;
    let FreshLeave { secret, leave } = FreshLeave::make(&app);
    keep(&app, &leave).await;
    // Holds the writer up until both jobs wait, so that one batch takes them, the ending first.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let holding = app.submit(Lane::Issuing, move |_| held.recv().map_err(|_| LedgerError::Stopped));
    while app.queue.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let order = Order::new(Target::Everything, Reason::Policy, App::system("test"));
    let ending = app.submit(Lane::Ending, move |door| door.end(&order));
    let request = Request::post("/register")
        .header(header::AUTHORIZATION, format!("Bearer {}", secret.reveal()))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(r#"{"redirect_uris":["https://app.example/callback"]}"#))
        .unwrap();
    let both_wait = async {
        while app.queue.waiting() < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        release.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(register(State(app.clone()), request), both_wait);
    holding.await.unwrap();
    assert!(ending.await.unwrap().fresh);
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let registered = |client: &&std::sync::Arc<rescind_ledger::Client>| client.registration_hash.is_some();
    assert_eq!(app.live.look(|_, configuration| configuration.clients.values().filter(registered).count()), 0);
    assert_eq!(list(&app).await.unwrap(), [leave], "it was not used");
}
