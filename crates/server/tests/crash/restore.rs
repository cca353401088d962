//! Restoring a backup, by the command line: nothing issued before it or after it is honoured anywhere again.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use rescind_check::{FingerprintKey, Index, Side, Trace, Verdict};
use rescind_ledger::{Hash, Reads, Startup, Store, Target};
use rescind_store::{DataDir, Sqlite};
use serde_json::{Value, json};

use crate::{
    client::{Application, Person, Tokens, userinfo_answers},
    server::{ISSUER, Place, Server},
};

/// The applications, one person, and everything they were ever given.
struct Cast {
    robot: Application,
    notebook: Application,
    ada: Person,
    /// Tokens of the robot, and of the person at the notebook.
    given: Vec<String>,
    signed_in: Vec<Tokens>,
}

impl Cast {
    async fn begin(server: &Server) -> Self {
        let (robot, notebook) = (Application::robot(server).await, Application::notebook(server).await);
        let ada = Person::add(server, "ada").await;
        Self { robot, notebook, ada, given: Vec::new(), signed_in: Vec::new() }
    }

    /// So many tokens by the robot's own credentials.
    async fn issue(&mut self, server: &Server, count: usize) {
        for _ in 0..count {
            self.given.push(self.robot.issue(server).await);
        }
    }

    async fn sign_in(&mut self, server: &Server) {
        let tokens = self.notebook.sign_in(server, &mut self.ada).await;
        assert!(userinfo_answers(server, &tokens.access).await);
        self.signed_in.push(tokens);
    }

    /// Nothing that was given so far is honoured, by introspection, userinfo, refresh or the session.
    async fn holds_nothing(&mut self, server: &Server) {
        for token in &self.given {
            assert!(!self.robot.is_active(server, token).await);
        }
        for Tokens { access, refresh } in &self.signed_in {
            assert!(!self.notebook.is_active(server, access).await && !self.notebook.is_active(server, refresh).await);
            assert!(!userinfo_answers(server, access).await);
            let refused = self.notebook.try_refresh(server, refresh).await;
            assert_eq!((refused.status, &refused.body["error"]), (400, &"invalid_grant".into()));
        }
        assert!(!self.notebook.sees_signed_in(server, &mut self.ada).await);
    }

    /// What is given now works.
    async fn gets_new_tokens(&mut self, server: &Server) {
        self.issue(server, 1).await;
        assert!(self.robot.is_active(server, self.given.last().unwrap()).await);
        self.sign_in(server).await;
        assert!(self.notebook.sees_signed_in(server, &mut self.ada).await);
    }
}

/// An index as another node would have it: of its own key, and with the lineages of what it has seen.
struct Follower {
    key: FingerprintKey,
    index: Index,
    traces: Vec<Trace>,
}

impl Follower {
    /// Reads everything while the server does not run.
    async fn of(place: &Place, cast: &Cast) -> Self {
        let (mut store, key) = (store(place), FingerprintKey::new([7; 16]));
        let live = Startup { issuer: ISSUER, key: FingerprintKey::new([7; 16]) }.load(&mut store).unwrap();
        let index = live.look(|index, _| index.clone());
        let reads = store.reads(1).unwrap();
        let mut traces = Vec::new();
        let signed_in = cast.signed_in.iter().map(|tokens| &tokens.access);
        for token in cast.given.iter().chain(signed_in) {
            // What another life of the database issued, this one has never seen.
            if let Some(record) = reads.find_access_token(&Hash::of(token)).await.unwrap() {
                traces.push(record.trace(ISSUER, &key));
            }
        }
        Self { key, index, traces }
    }

    fn alive(&self, side: Side) -> usize {
        self.traces.iter().filter(|trace| self.index.verdict(trace, side) == Verdict::NotRevoked).count()
    }

    /// Goes on into the epoch that the restored database is in.
    fn follow(&mut self, place: &Place) {
        let mut store = store(place);
        let (mut epochs, _) = store.epochs().unwrap();
        let (present, last) = epochs.pop().unwrap();
        self.index.follow_epoch(present, &epochs).unwrap();
        let head = self.index.head();
        let mut entries = Vec::new();
        store.entries_after(head, &mut |entry| entries.push(entry)).unwrap();
        assert_eq!((entries.len() as u64, &entries[0].target), (last, &Target::Everything));
        for entry in entries {
            let target = entry.target.fingerprint(&self.key);
            self.index.apply(target, entry.cut(), entry.position).unwrap();
        }
        for (trace, side) in self.traces.iter().flat_map(|trace| [(trace, Side::Node), (trace, Side::Edge)]) {
            assert_eq!(self.index.verdict(trace, side), Verdict::Revoked);
        }
    }
}

fn store(place: &Place) -> Sqlite {
    Sqlite::open(&DataDir::at(&place.data()).database()).unwrap()
}

#[tokio::test]
async fn after_a_restore_no_token_from_before_or_after_the_backup_is_active_anywhere() {
    let place = Place::new("[lifetimes]\naccess_token_secs = 3600");
    let backup = place.beside("backup.db");
    let backup = backup.to_str().unwrap();
    let server = place.serve();
    let mut cast = Cast::begin(&server).await;
    cast.issue(&server, 20).await;
    cast.sign_in(&server).await;
    let said = place.run(&["backup", backup]).unwrap();
    assert!(said.contains("master key"), "{said}");
    cast.issue(&server, 98).await;
    cast.sign_in(&server).await;
    cast.sign_in(&server).await;
    for token in &cast.given[20..50] {
        cast.robot.revoke(&server, token).await;
    }
    assert!(place.run(&["restore", backup]).unwrap_err().contains("in use"), "under a running server");
    server.stop();
    let mut first = Follower::of(&place, &cast).await;
    assert_eq!((first.traces.len(), first.alive(Side::Node)), (121, 91));
    let mut second = Follower { key: FingerprintKey::new([7; 16]), index: first.index.clone(), traces: Vec::new() };

    let said = place.run(&["restore", backup]).unwrap();
    assert!(said.contains("Everything issued so far is revoked"), "{said}");
    first.follow(&place);
    let server = place.serve();
    cast.holds_nothing(&server).await;
    cast.gets_new_tokens(&server).await;
    cast.issue(&server, 10).await;
    server.stop();

    // The same backup once more: what was issued between the two is gone with the rest, for whoever followed the first
    // restore and for whoever slept through it.
    let mut between = Follower::of(&place, &cast).await;
    assert!(between.alive(Side::Node) >= 11, "{}", between.alive(Side::Node));
    place.run(&["restore", backup]).unwrap();
    between.follow(&place);
    second.traces = first.traces;
    second.traces.extend(between.traces);
    second.follow(&place);
    let server = place.serve();
    cast.holds_nothing(&server).await;
    cast.gets_new_tokens(&server).await;
    server.stop();
}

const API: &str = "https://orders.example";

/// What an API with JWT access tokens was given: by a client's own credentials, and by a person for userinfo, too.
#[derive(Default)]
struct Jwts {
    robots: Vec<String>,
    persons: Vec<String>,
}

impl Jwts {
    async fn give(&mut self, server: &Server, cast: &mut Cast) {
        let robots = cast.robot.issue_for(server, API).await;
        let persons = cast.notebook.sign_in_with(server, &mut cast.ada, &[("resource", API)]).await.access;
        assert!(cast.robot.is_active(server, &robots).await && cast.notebook.is_active(server, &persons).await);
        assert!(userinfo_answers(server, &persons).await);
        self.robots.push(robots);
        self.persons.push(persons);
    }

    /// None is honoured, though the keys that signed them are published as ever.
    async fn are_worth_nothing(&self, server: &Server, cast: &Cast) {
        let keys = server.request(Method::GET, "/jwks").send().await.unwrap().text().await.unwrap();
        for jwt in self.robots.iter().chain(&self.persons) {
            let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
            let header: Value = serde_json::from_slice(&header).unwrap();
            assert_eq!(header["typ"], "at+jwt");
            assert!(keys.contains(header["kid"].as_str().unwrap()), "{keys}");
        }
        for jwt in &self.robots {
            assert!(!cast.robot.is_active(server, jwt).await);
        }
        for jwt in &self.persons {
            assert!(!cast.notebook.is_active(server, jwt).await);
            assert!(!userinfo_answers(server, jwt).await);
        }
    }
}

#[tokio::test]
async fn after_a_restore_no_jwt_from_before_or_after_the_backup_is_honoured_however_well_signed() {
    let place = Place::new("[lifetimes]\naccess_token_secs = 3600");
    let backup = place.beside("backup.db");
    let backup = backup.to_str().unwrap();
    let server = place.serve();
    let mut cast = Cast::begin(&server).await;
    let api = json!({ "audience": API, "name": "Orders", "scopes": ["read"], "token_format": "jwt" });
    server.administer(Method::POST, "/apis", &api).await.unwrap().succeeds();
    let mut jwts = Jwts::default();
    jwts.give(&server, &mut cast).await;
    place.run(&["backup", backup]).unwrap();
    jwts.give(&server, &mut cast).await;
    jwts.give(&server, &mut cast).await;
    cast.robot.revoke(&server, &jwts.robots[1]).await;
    server.stop();
    for _ in 0..2 {
        place.run(&["restore", backup]).unwrap();
        let server = place.serve();
        jwts.are_worth_nothing(&server, &cast).await;
        jwts.give(&server, &mut cast).await;
        server.stop();
    }
}
