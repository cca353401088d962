use std::path::Path;

use rescind_ledger::{Action, AuditEvent, Hash, Initiator, Order, Reason, Target};

use super::*;
use crate::{app::Opened, clock::Clock, config, pace::Pace};

fn open(folder: &Path) -> Arc<App> {
    let text = format!("issuer = \"http://127.0.0.1:8080\"\ndata_dir = {folder:?}\n");
    let config = config::from_toml(&text, []).unwrap();
    // Opening waits for the writer, which must not be done where futures run.
    let opening = std::thread::spawn(|| Opened::open(config, Clock::System, Pace::Free).unwrap().start().unwrap().0);
    opening.join().unwrap()
}

async fn note(app: &App) {
    app.audit(AuditEvent::new(Action::Read, Some(App::system("test")), "asked")).await.unwrap();
}

async fn heads(app: &App) -> Vec<SignedHead> {
    app.records.store.signed_heads(0, 100).await.unwrap()
}

#[tokio::test]
async fn the_head_is_signed_once_for_each_new_end_and_kept_twice() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    assert_eq!(sign(&app).await.unwrap(), None, "there is nothing to sign");
    note(&app).await;
    let first = sign(&app).await.unwrap().unwrap();
    assert_eq!(sign(&app).await.unwrap(), Some(first.clone()));
    assert_eq!(heads(&app).await, std::slice::from_ref(&first));
    note(&app).await;
    let second = sign(&app).await.unwrap().unwrap();
    assert_eq!((second.head.seq, heads(&app).await), (2, vec![first, second.clone()]));
    assert_eq!(kept_head(&app).unwrap(), Some(second.clone()));
    let ring = app.keys.ring();
    assert_eq!(check_signature(&ring.published, &second, Some("http://127.0.0.1:8080")), Signature::Good);
    assert_eq!(check_signature(&ring.published, &second, Some("http://elsewhere")), Signature::Bad);
    assert_eq!(check_signature(&KeySet::new(), &second, None), Signature::KeyUnknown);
    let other = SignedHead { head: AuditHead { seq: 2, hash: Hash::of("x") }, ..second.clone() };
    assert_eq!(check_signature(&ring.published, &other, None), Signature::Bad);
    std::fs::remove_file(app.data_dir.audit_head()).unwrap();
    sign(&app).await.unwrap();
    assert_eq!(kept_head(&app).unwrap(), Some(second), "a file that got lost is written again");
}

#[tokio::test]
async fn a_trail_that_a_witness_contradicts_is_not_signed_and_the_witness_stays() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    note(&app).await;
    let signed = sign(&app).await.unwrap().unwrap();
    for head in [AuditHead { seq: 9, ..signed.head }, AuditHead { hash: Hash::of("x"), ..signed.head }] {
        let witness = SignedHead { head, ..signed.clone() };
        keep_in_file(&app, &witness).unwrap();
        note(&app).await;
        let why = sign(&app).await.unwrap_err();
        assert!(matches!(why, Unsigned::Contradicted { seq, .. } if seq == head.seq), "{why}");
        assert_eq!(kept_head(&app).unwrap(), Some(witness));
        assert_eq!(heads(&app).await.len(), 1);
    }
    keep_audit_head(&app.data_dir, "nonsense").unwrap();
    assert!(matches!(sign(&app).await, Err(Unsigned::Unreadable(_))));
}

#[tokio::test]
async fn a_head_whose_key_was_revoked_is_signed_again() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path());
    note(&app).await;
    let before = sign(&app).await.unwrap().unwrap();
    let kid = unverified_kid(&before.token).unwrap();
    let order = Order::new(Target::Key { key: kid }, Reason::KeyCompromise, Initiator::System("test".to_owned()));
    app.submit(Lane::Ending, move |door| door.end(&order)).await.unwrap();
    let between = sign(&app).await.unwrap().unwrap();
    app.reload_signing_keys().await.unwrap();
    assert_eq!(check_signature(&app.keys.ring().published, &between, None), Signature::KeyUnknown);
    let after = sign(&app).await.unwrap().unwrap();
    assert_eq!(after.head, between.head, "nothing was recorded meanwhile");
    assert_eq!(check_signature(&app.keys.ring().published, &after, None), Signature::Good);
}
