//! The power goes, at every write of a mixed run: what was acknowledged by then is in force, and the file is whole.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use crashtest::{Marks, Replay, Shim, Summary};
use reqwest::Method;
use rescind::{app::Opened, clock::Clock, pace::Pace};
use rescind_check::FingerprintKey;
use rescind_ledger::{Hash, Live, Reads, Startup, Store, StoreError, Timestamp};
use rescind_store::{DataDir, MarkerState, Sqlite, SqliteReads, inspect_marker};
use serde_json::{Value, json};

use crate::{
    client::{Application, Person, Tokens},
    report,
    server::{ISSUER, Place, Server, configured},
    unsynced,
};

/// Codes and the tokens of one API expire at once, so that the sweep at the second start has something to remove; sessions
/// idle soon, so that activity is written down.
const LINES: &str =
    "[lifetimes]\naccess_token_secs = 3600\ncode_secs = 1\nsession_idle_secs = 4\npushed_request_secs = 1";
const BRIEF_API: &str = "https://brief.example";

/// Writes into the shim's log, among the records of what the server did, what the clients know.
///
/// `issued`: it was acknowledged, and works. `ending`: somebody may have asked to end it. `ended`: that was acknowledged.
pub(crate) struct Journal(Marks);

impl Journal {
    pub(crate) fn open(log: &Path) -> Self {
        Self(Marks::open(log).unwrap())
    }

    fn note(&self, what: &str, application: &Application, token: &str) {
        self.0.acknowledged(&format!("{what} {} {token}", application.id)).unwrap();
    }

    pub(crate) fn issued(&self, application: &Application, token: &str) {
        self.note("issued", application, token);
    }

    pub(crate) fn ending(&self, application: &Application, token: &str) {
        self.note("ending", application, token);
    }

    pub(crate) fn ended(&self, application: &Application, token: &str) {
        self.note("ended", application, token);
    }
}

/// The applications and people of a run, over both lives of the server.
struct Cast {
    robot: Application,
    notebook: Application,
    /// Each with the newest tokens of each of their grants.
    people: Vec<(Person, Vec<Tokens>)>,
}

/// The log of a mixed run in two lives of the server; `second` makes the command of the second.
fn run(place: &Place, second: impl Fn(&Place) -> Command) -> PathBuf {
    let log = place.beside("shim.log");
    let shim = Shim::build().unwrap().sync_delay(Duration::from_millis(1));
    let start = |mut command: Command| {
        command.envs(shim.env(&place.data(), &log));
        place.start(command)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (server, journal) = (start(serve(place)), Journal::open(&log));
        let cast = first_life(&server, &journal).await;
        server.stop();
        let server = start(second(place));
        second_life(&server, &journal, cast).await;
        server.kill();
    });
    log
}

fn serve(place: &Place) -> Command {
    place.command(&["serve"])
}

#[test]
fn every_acknowledged_revocation_survives_a_power_cut_at_every_write() {
    let place = Place::new(LINES);
    let log = run(&place, serve);
    let summary = cut_everywhere(&Replay::new(&log).seeds([1]));
    report(&format!("power cuts: {summary}"));
    assert!(summary.failures.is_empty(), "{summary}");
    assert!(summary.cuts > 500 && summary.acked_total > 100, "{summary}");
}

#[test]
fn without_syncing_the_same_cuts_show_the_loss() {
    let place = Place::new(LINES);
    let log = run(&place, unsynced::command);
    let summary = cut_everywhere(&Replay::new(&log));
    let lost = summary.failures.iter().filter(|failure| failure.why.starts_with("a revocation is lost")).count();
    report(&format!(
        "power cuts without syncing: {} cuts, {lost} of them lose a revocation, as they must",
        summary.cuts
    ));
    assert!(lost > 0, "{summary}");
}

/// Issues, exchanges codes, refreshes with rotation, revokes, disables: several of them at once.
async fn first_life(server: &Server, journal: &Journal) -> Cast {
    let api = json!({ "audience": BRIEF_API, "name": "Brief", "scopes": ["read"], "access_token_secs": 1 });
    server.administer(Method::POST, "/apis", &api).await.unwrap().succeeds();
    let (robot, notebook) = (Application::robot(server).await, Application::notebook(server).await);
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let mut person = Person::add(server, name).await;
        let tokens = sign_in(server, journal, &notebook, &mut person).await;
        people.push((person, tokens));
    }
    let [(mut ada, for_ada), (bob, for_bob), (eve, for_eve)] = people.try_into().ok().unwrap();
    let (for_ada, for_bob, ()) = tokio::join!(
        refresh(server, journal, &notebook, for_ada, 4),
        refresh(server, journal, &notebook, for_bob, 4),
        issue_and_revoke(server, journal, &robot, 10),
    );
    let disabled = json!({ "enabled": false });
    let path = format!("/users/{}", bob.id);
    let disable = async { server.administer(Method::PATCH, &path, &disabled).await.unwrap().succeeds() };
    end_all(journal, &notebook, &[for_bob], disable).await;
    let brief = [("grant_type", "client_credentials"), ("resource", BRIEF_API)];
    for _ in 0..3 {
        robot.post(server, "/token", &brief).await.unwrap().succeeds();
    }
    // A quarter of the idle window later, a silent authorization is activity to be written down.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let more_for_ada = sign_in(server, journal, &notebook, &mut ada).await;
    Cast { robot, notebook, people: vec![(ada, vec![for_ada, more_for_ada]), (eve, vec![for_eve])] }
}

/// After a start that swept: an administrator ends what the first life issued.
async fn second_life(server: &Server, journal: &Journal, cast: Cast) {
    let Cast { robot, notebook, people } = cast;
    for (person, mut held) in people {
        let first = held.remove(0);
        held.push(refresh(server, journal, &notebook, first, 1).await);
        let order = json!({ "target": { "kind": "user", "user": person.id }, "reason": "left_company" });
        let revoke = async {
            let order = server.administer(Method::POST, "/revocations", &order);
            let (answer, ()) = tokio::join!(order, issue_and_revoke(server, journal, &robot, 4));
            answer.unwrap().succeeds()
        };
        end_all(journal, &notebook, &held, revoke).await;
    }
}

/// Notes that `ends` ends these tokens.
async fn end_all(journal: &Journal, notebook: &Application, held: &[Tokens], ends: impl Future<Output = Value>) {
    let all = || held.iter().flat_map(|tokens| [&tokens.access, &tokens.refresh]);
    all().for_each(|token| journal.ending(notebook, token));
    ends.await;
    all().for_each(|token| journal.ended(notebook, token));
}

async fn sign_in(server: &Server, journal: &Journal, notebook: &Application, person: &mut Person) -> Tokens {
    let tokens = notebook.sign_in(server, person).await;
    journal.issued(notebook, &tokens.access);
    journal.issued(notebook, &tokens.refresh);
    tokens
}

/// Each time the refresh token is used up and a new one comes.
async fn refresh(server: &Server, journal: &Journal, notebook: &Application, tokens: Tokens, times: u32) -> Tokens {
    let mut held = tokens;
    for _ in 0..times {
        journal.ending(notebook, &held.refresh);
        let next = notebook.refresh(server, &held.refresh).await;
        journal.ended(notebook, &held.refresh);
        journal.issued(notebook, &next.access);
        journal.issued(notebook, &next.refresh);
        // The access token before goes on, as far as this run is concerned; the checks follow the newest.
        journal.ending(notebook, &held.access);
        held = next;
    }
    held
}

async fn issue_and_revoke(server: &Server, journal: &Journal, robot: &Application, times: u32) {
    for number in 0..times {
        let token = robot.issue(server).await;
        journal.issued(robot, &token);
        if number % 3 != 2 {
            journal.ending(robot, &token);
            robot.revoke(server, &token).await;
            journal.ended(robot, &token);
        }
    }
}

/// How many cuts are looked at for each one on which the whole server is opened, which takes ten times as long.
const CUTS_PER_SERVER: usize = 20;

/// Replays the log; each cut is looked at as the server would, at the hour at which the run ended.
pub(crate) fn cut_everywhere(replay: &Replay) -> Summary {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (now, mut looked_at) = (Clock::System.now(), 0);
    let summary = replay.run(|cut, marks| {
        let Some((mut store, live)) = whole_store(cut, marks.is_empty())? else { return Ok(()) };
        let reads = store.reads(1).map_err(|why| why.to_string())?;
        runtime.block_on(is_kept(&live, &reads, now, marks))?;
        marker_fits(cut, &mut store)?;
        drop((store, reads));
        looked_at += 1;
        if looked_at % CUTS_PER_SERVER == 0 && !marks.is_empty() {
            let clock = Clock::Manual(Arc::new(AtomicI64::new(now.0)));
            let opened = Opened::open(configured(cut, LINES), clock, Pace::Free).map_err(|why| format!("{why:#}"))?;
            runtime.block_on(is_kept(&opened.app.live, &opened.app.records.store, now, marks))?;
        }
        Ok(())
    });
    summary.unwrap()
}

/// The database, if it is sound. Before anything was acknowledged it may not be there.
fn whole_store(cut: &Path, nothing_acknowledged: bool) -> Result<Option<(Sqlite, Live)>, String> {
    let dir = DataDir::at(cut);
    if nothing_acknowledged && !dir.database().exists() {
        return Ok(None);
    }
    let mut store = Sqlite::open(&dir.database()).map_err(|why| why.to_string())?;
    store.integrity_check().map_err(|why| why.to_string())?;
    if !store.secrets().map_err(|why| why.to_string())?.is_empty() && !dir.master_key().exists() {
        return Err("the database holds secrets whose master key is lost".to_owned());
    }
    let live = Startup { issuer: ISSUER, key: FingerprintKey::new([1; 16]) }
        .load(&mut store)
        .map_err(|why| why.to_string())?;
    Ok(Some((store, live)))
}

/// The server would start on what is left.
fn marker_fits(cut: &Path, store: &mut Sqlite) -> Result<(), String> {
    match inspect_marker(&DataDir::at(cut), store).map_err(|why| why.to_string())? {
        MarkerState::Agrees | MarkerState::Behind | MarkerState::Fresh => Ok(()),
        other => Err(format!("the server would refuse to serve: the marker is {other:?}")),
    }
}

/// What ended is dead, and what was issued and that nobody meant to end is alive.
async fn is_kept(live: &Live, reads: &SqliteReads, now: Timestamp, marks: &[String]) -> Result<(), String> {
    for (place, mark) in marks.iter().enumerate() {
        let [what, _, token] = mark.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{mark}") };
        let is_to_end = |one: &String| one.starts_with("ending") && one.ends_with(token);
        if what == "ending" || what == "issued" && marks.iter().skip(place).any(is_to_end) {
            continue;
        }
        let counts = counts(live, reads, now, token).await.map_err(|why| why.to_string())?;
        match (what, counts) {
            ("issued", false) => return Err(format!("a token is lost: mark {place}")),
            ("ended", true) => return Err(format!("a revocation is lost: mark {place}")),
            _ => {}
        }
    }
    Ok(())
}

/// What introspection goes by; nothing of this run is bound to a session.
async fn counts(live: &Live, reads: &SqliteReads, now: Timestamp, token: &str) -> Result<bool, StoreError> {
    let hash = Hash::of(token);
    if let Some(record) = reads.find_access_token(&hash).await? {
        let trace = record.trace(live.issuer(), live.key());
        return Ok(live.access_token_counts(&record, &trace, None, now).is_ok());
    }
    let Some((_, grant)) = reads.find_refresh_token(&hash).await? else { return Ok(false) };
    Ok(!reads.refresh_token_used(&hash).await? && live.grant_counts(&grant, None, now).is_ok())
}
