//! A full disk and a failing one, under a running server: never a false success, and never a silence.

use crashtest::{DiskFault, Replay, Shim};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::{Application, Person},
    power::{Journal, cut_everywhere},
    report,
    server::{Answer, Place, Server},
};

/// A server whose disk the test breaks, and what it is asked.
struct Broken {
    place: Place,
    fault: DiskFault,
    journal: Journal,
    server: Server,
    robot: Application,
    notebook: Application,
    people: Vec<Person>,
}

impl Broken {
    async fn begin() -> Self {
        let place = Place::new("[lifetimes]\naccess_token_secs = 3600");
        let (log, fault) = (place.beside("shim.log"), DiskFault::new(&place.beside("fault")));
        let mut command = place.command(&["serve"]);
        command.envs(Shim::build().unwrap().with_fault(&fault).env(&place.data(), &log));
        let server = place.start(command);
        let (robot, notebook) = (Application::robot(&server).await, Application::notebook(&server).await);
        let mut people = Vec::new();
        for name in ["ada", "bob", "eve"] {
            people.push(Person::add(&server, name).await);
        }
        Self { journal: Journal::open(&log), place, fault, server, robot, notebook, people }
    }

    async fn issue(&self) -> String {
        let token = self.robot.issue(&self.server).await;
        self.journal.issued(&self.robot, &token);
        token
    }

    /// The answer, once it is in the journal.
    async fn revoke(&self, token: &str) -> Answer {
        self.journal.ending(&self.robot, token);
        let answer = self.robot.try_revoke(&self.server, token).await.unwrap();
        if answer.status == 200 {
            self.journal.ended(&self.robot, token);
        }
        answer
    }

    async fn is_active(&self, token: &str) -> bool {
        self.robot.is_active(&self.server, token).await
    }

    /// Everything that must be written down is put off.
    async fn is_put_off(&self, token: &str) {
        self.revoke(token).await.is_put_off();
        self.robot.try_issue(&self.server).await.unwrap().is_put_off();
        for (method, path, body) in self.orders() {
            self.server.administer(method, &path, &body).await.unwrap().is_put_off();
        }
    }

    /// What administrators ask for: to revoke a user, an API's clients, and to disable a user.
    fn orders(&self) -> [(Method, String, Value); 3] {
        let [ada, bob, _] = &self.people[..] else { panic!("three people") };
        let order = |target: Value| json!({ "target": target, "reason": "policy" });
        [
            (Method::POST, "/revocations".into(), order(json!({ "kind": "user", "user": ada.id }))),
            (Method::POST, "/revocations".into(), order(json!({ "kind": "client", "client": self.notebook.id }))),
            (Method::PATCH, format!("/users/{}", bob.id), json!({ "enabled": false })),
        ]
    }

    /// Kills the server, cuts the power at every write so far, and starts again on what is there.
    async fn after_the_end(self, dead: &[String], alive: &[String]) {
        let Self { place, robot, server, .. } = self;
        server.kill();
        let replay = Replay::new(&place.beside("shim.log")).every(3);
        let summary = tokio::task::block_in_place(|| cut_everywhere(&replay));
        report(&format!("power cuts around a broken disk: {summary}"));
        assert!(summary.failures.is_empty(), "{summary}");
        let server = place.serve();
        for (tokens, active) in [(dead, false), (alive, true)] {
            for token in tokens {
                assert_eq!(robot.is_active(&server, token).await, active);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_puts_everything_off_that_must_be_written_and_answers_the_rest() {
    let mut broken = Broken::begin().await;
    let mut person = broken.people.pop().unwrap();
    let tokens = broken.notebook.sign_in(&broken.server, &mut person).await;
    broken.people.push(person);
    let (dead, late, alive) = (broken.issue().await, broken.issue().await, broken.issue().await);
    broken.revoke(&dead).await.succeeds();
    broken.fault.full().unwrap();
    for _ in 0..3 {
        broken.is_put_off(&late).await;
        let refreshed = broken.notebook.try_refresh(&broken.server, &tokens.refresh).await;
        refreshed.is_put_off();
        assert!(broken.is_active(&alive).await && broken.is_active(&late).await);
        assert!(!broken.is_active(&dead).await);
        assert!(broken.notebook.is_active(&broken.server, &tokens.access).await, "nobody's access ends by accident");
    }
    broken.fault.mend().unwrap();
    broken.notebook.refresh(&broken.server, &tokens.refresh).await;
    broken.revoke(&late).await.succeeds();
    for (method, path, body) in broken.orders() {
        broken.server.administer(method, &path, &body).await.unwrap().succeeds();
    }
    assert!(!broken.notebook.is_active(&broken.server, &tokens.access).await, "its client was revoked");
    let fresh = broken.issue().await;
    assert!(!broken.is_active(&late).await && broken.is_active(&fresh).await && broken.is_active(&alive).await);
    broken.after_the_end(&[dead, late], &[alive, fresh]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_no_more_growth_gives_no_false_success() {
    let broken = Broken::begin().await;
    let mut tokens = Vec::new();
    for _ in 0..60 {
        tokens.push(broken.issue().await);
    }
    broken.fault.no_growth().unwrap();
    // What fits into the room there is may go on; what does not is put off.
    let (mut dead, mut put_off) = (Vec::new(), Vec::new());
    for token in tokens {
        let answer = broken.revoke(&token).await;
        if answer.status == 200 {
            dead.push(token);
        } else {
            answer.is_put_off();
            put_off.push(token);
        }
    }
    report(&format!("no growth: {} revoked in the room there was, {} put off", dead.len(), put_off.len()));
    assert!(!put_off.is_empty());
    broken.fault.mend().unwrap();
    for token in put_off {
        broken.revoke(&token).await.succeeds();
        dead.push(token);
    }
    for token in &dead {
        assert!(!broken.is_active(token).await);
    }
    broken.after_the_end(&dead, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_cannot_sync_gives_no_false_success() {
    let broken = Broken::begin().await;
    let (dead, late, alive) = (broken.issue().await, broken.issue().await, broken.issue().await);
    broken.revoke(&dead).await.succeeds();
    broken.fault.failing_syncs().unwrap();
    for _ in 0..3 {
        broken.is_put_off(&late).await;
        assert!(broken.is_active(&alive).await && !broken.is_active(&dead).await);
    }
    broken.fault.mend().unwrap();
    broken.revoke(&late).await.succeeds();
    for (method, path, body) in broken.orders() {
        broken.server.administer(method, &path, &body).await.unwrap().succeeds();
    }
    let fresh = broken.issue().await;
    broken.revoke(&fresh).await.succeeds();
    assert!(!broken.is_active(&late).await && !broken.is_active(&fresh).await && broken.is_active(&alive).await);
    broken.after_the_end(&[dead, late, fresh], &[alive]).await;
}
