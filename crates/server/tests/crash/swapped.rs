//! A database that is not the one it was: the server notices, refuses to serve, and says what to do.

use std::{fs, path::Path};

use crate::{
    client::Application,
    server::{Place, Server},
};

/// A server's data directory with a copy of an earlier state of it.
struct Swap {
    place: Place,
    robot: Application,
    given: Vec<String>,
}

/// The files of a data directory, the lock left out.
const FILES: [&str; 3] = ["rescind.db", "head", "master.key"];

impl Swap {
    /// One token, then a copy, made while nothing runs.
    async fn begin() -> Self {
        let place = Place::new("[lifetimes]\naccess_token_secs = 3600");
        let server = place.serve();
        let robot = Application::robot(&server).await;
        let given = vec![robot.issue(&server).await];
        server.stop();
        fs::create_dir(place.beside("copy")).unwrap();
        for name in FILES {
            fs::copy(place.data().join(name), place.beside("copy").join(name)).unwrap();
        }
        Self { place, robot, given }
    }

    /// Puts files of the copy in the place of the present ones.
    fn put_back(&self, name: &str) {
        self.put(&self.place.beside("copy"), name);
    }

    fn put(&self, from: &Path, name: &str) {
        // Closed in good order: nothing of the present database stands in a log beside it.
        assert!(!self.place.data().join("rescind.db-wal").exists());
        fs::copy(from.join(name), self.place.data().join(name)).unwrap();
    }

    async fn serve(&mut self, and: impl AsyncFnOnce(&mut Self, &Server)) {
        let server = self.place.serve();
        and(self, &server).await;
        server.stop();
    }

    /// Neither serves nor passes the doctor; a new epoch mends it, with everything revoked.
    async fn is_refused_until_an_epoch_is_opened(&mut self, why: &str) {
        let refusal = self.place.run(&["serve"]).unwrap_err();
        assert!(refusal.contains("refusing to serve") && refusal.contains(why), "{refusal}");
        assert!(refusal.contains("rescind epoch open") && refusal.contains("rescind restore"), "{refusal}");
        let findings = self.place.run(&["doctor"]).unwrap_err();
        let marker = findings.lines().find(|line| line.contains("head marker")).unwrap();
        assert!(marker.starts_with("FAIL") && marker.contains("rescind epoch open"), "{marker}");
        let said = self.place.run(&["epoch", "open"]).unwrap();
        assert!(said.contains("Everything issued so far is revoked"), "{said}");
        let server = self.place.serve();
        for token in &self.given {
            assert!(!self.robot.is_active(&server, token).await);
        }
        let fresh = self.robot.issue(&server).await;
        assert!(self.robot.is_active(&server, &fresh).await);
        server.stop();
    }
}

async fn issue(swap: &mut Swap, server: &Server) {
    let token = swap.robot.issue(server).await;
    swap.given.push(token);
}

#[tokio::test]
async fn an_older_database_is_refused_when_revocations_came_after_it() {
    let mut swap = Swap::begin().await;
    swap.serve(async |swap, server| {
        issue(swap, server).await;
        swap.robot.revoke(server, &swap.given[0]).await;
    })
    .await;
    swap.put_back("rescind.db");
    swap.is_refused_until_an_epoch_is_opened("older").await;
}

#[tokio::test]
async fn an_older_database_is_refused_when_only_tokens_were_issued_after_it() {
    let mut swap = Swap::begin().await;
    swap.serve(issue).await;
    swap.put_back("rescind.db");
    swap.is_refused_until_an_epoch_is_opened("older").await;
}

#[tokio::test]
async fn a_database_without_its_marker_is_refused() {
    let mut swap = Swap::begin().await;
    swap.serve(issue).await;
    fs::remove_file(swap.place.data().join("head")).unwrap();
    swap.is_refused_until_an_epoch_is_opened("missing").await;
}

#[tokio::test]
async fn a_database_beside_the_marker_of_another_is_refused() {
    let (mut swap, other) = (Swap::begin().await, Swap::begin().await);
    swap.put(&other.place.data(), "head");
    swap.is_refused_until_an_epoch_is_opened("another database").await;
}

#[tokio::test]
async fn a_missing_master_key_is_named_at_start_by_the_doctor_and_at_a_restore() {
    let mut swap = Swap::begin().await;
    let backup = swap.place.beside("backup.db");
    let backup = backup.to_str().unwrap();
    swap.place.run(&["backup", backup]).unwrap();
    fs::remove_file(swap.place.data().join("master.key")).unwrap();
    let refusal = swap.place.run(&["serve"]).unwrap_err();
    assert!(refusal.contains("master key is missing") && refusal.contains("not part of a backup"), "{refusal}");
    assert!(!swap.place.data().join("master.key").exists(), "another key would not open what this one has closed");
    let findings = swap.place.run(&["doctor"]).unwrap_err();
    let key = findings.lines().find(|line| line.contains("master key")).unwrap();
    assert!(key.starts_with("FAIL") && key.contains("put back"), "{key}");
    let said = swap.place.run(&["restore", backup]).unwrap();
    assert!(said.contains("master key is missing"), "{said}");
    swap.put_back("master.key");
    swap.serve(async |swap, server| {
        assert!(!swap.robot.is_active(server, &swap.given[0]).await, "a restore revokes everything");
        issue(swap, server).await;
    })
    .await;
}

#[tokio::test]
async fn a_master_key_of_another_database_is_refused() {
    let (swap, other) = (Swap::begin().await, Swap::begin().await);
    swap.put(&other.place.data(), "master.key");
    let refusal = swap.place.run(&["serve"]).unwrap_err();
    assert!(refusal.contains("master key") && refusal.contains("put back"), "{refusal}");
}
