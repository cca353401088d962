//! How long fetched keys are believed.

use std::sync::atomic::{AtomicI64, Ordering};

use rescind_ledger::ClientAuthMethod;

use super::*;
use crate::{
    app::Opened,
    clock::Clock,
    config,
    egress::tests::{ok, server},
    pace::Pace,
};

#[tokio::test]
async fn a_client_that_changes_its_keys_is_understood_after_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("data_dir = {:?}\n[egress]\nallow = [\"127.0.0.1\"]\n", folder.path().join("data"));
    let config = config::from_toml(&text, []).unwrap();
    let now = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Clock::Manual(now.clone());
    // Opening waits for the writer, which must not be done where futures run.
    let opening =
        tokio::task::spawn_blocking(move || Opened::open(config, clock, Pace::Free).unwrap().start().unwrap());
    let app = opening.await.unwrap().0;
    let (port, asked) = server(ok(r#"{"keys":[]}"#)).await;
    let method = ClientAuthMethod::PrivateKeyJwt;
    let client = Client {
        jwks_uri: Some(format!("http://127.0.0.1:{port}/jwks")),
        ..Client::new("c".to_owned(), "c".to_owned(), method, app.now())
    };
    for (later, times) in [(0, 1), (60_000, 1), (1, 2), (0, 2)] {
        now.fetch_add(later, Ordering::SeqCst);
        assert!(app.client_keys.find(&app, &client).await.is_some());
        assert_eq!(asked.load(Ordering::SeqCst), times, "{later} ms later");
    }
}
