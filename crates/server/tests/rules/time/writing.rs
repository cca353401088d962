//! How often activity is written down, and what becomes of it when it cannot be.

use rescind::touch::touch;
use rescind_ledger::{Lane, Store};
use rescind_store::Sqlite;

use super::{IDLE, PHONE, open, sign_in, stored_at, touched_at};
use crate::house::House;

/// How many transactions were ever committed.
fn commits(house: &House) -> u64 {
    Sqlite::open(&house.app.data_dir.database()).unwrap().mark().unwrap().commits
}

/// Waits until the writer has done what was left to it before now.
async fn settled(house: &House) -> u64 {
    house.door(|_| Ok(())).await.unwrap();
    commits(house) - 1
}

#[tokio::test]
async fn p16_activity_is_written_once_when_less_than_three_quarters_of_the_window_remain() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    let before = commits(&house);
    for _ in 0..25 {
        house.later(10);
        assert!(house.is_active(PHONE, &one.access).await);
        assert_eq!(touched_at(&house, &one.session).await, house.app.now());
    }
    assert_eq!(settled(&house).await, before, "three quarters remain: nothing is written");
    let before = commits(&house);
    house.later(1);
    for _ in 0..3 {
        assert!(house.is_active(PHONE, &one.access).await);
    }
    let written = house.app.now();
    for _ in 0..25 {
        house.later(10);
        assert!(house.is_active(PHONE, &one.access).await);
    }
    assert_eq!(settled(&house).await, before + 1, "exactly one write");
    assert_eq!(stored_at(&house, &one.session).await, written);
    house.later(IDLE - 1);
    assert!(house.is_active(PHONE, &one.refresh).await, "right as of the last activity, which is not written");
    house.later(1);
    assert!(!house.is_active(PHONE, &one.refresh).await);
}

#[tokio::test]
async fn what_is_written_is_the_moment_of_the_activity_and_not_of_the_writing() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    let (release, busy) = std::sync::mpsc::channel();
    let before = house.app.queue.submit(Lane::Issuing, move |_| {
        busy.recv().unwrap();
        Ok(())
    });
    while house.app.queue.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    house.later(400);
    let active = house.app.now();
    // The answer waits for the write, and the write for the job before it.
    let (is_active, ()) = tokio::join!(house.is_active(PHONE, &one.access), async {
        while house.app.queue.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        house.later(300);
        release.send(()).unwrap();
        before.await.unwrap();
    });
    assert!(is_active);
    house.door(|_| Ok(())).await.unwrap();
    assert_eq!(stored_at(&house, &one.session).await, active);
}

#[tokio::test]
async fn activity_that_cannot_be_written_down_still_counts_and_is_tried_again() {
    let house = open().await;
    let one = sign_in(&house, &[]).await;
    let known = house.app.records.find_session(&one.session).await.unwrap().unwrap();
    house.app.queue.close();
    house.later(300);
    touch(&house.app, &known, house.app.now()).await;
    assert_eq!(known.clock().touched_at, house.app.now());
    house.later(1);
    assert!(known.touch(house.app.now()), "it is due again");
}
