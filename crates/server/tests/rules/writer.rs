//! Rule 7 at the writer, step by step: commit, apply, acknowledge; what is unknown is found out; one bad order sinks nobody.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use axum::http::StatusCode;
use rescind::app::{App, Opened};
use rescind_ledger::{
    Configuration, Ended, Entry, Hash, HorizonFact, Lane, LedgerError, Mark, Order, Position, PushedRequest, Reads,
    Reason, Sealed, Store, StoreError, Target, Ticket, Timestamp, Tx, Writer,
};
use rescind_store::{DataDir, FileMarker, Sqlite};

use crate::house::{self, House, Went, client, somebody, subject, text};

fn order(target: Target) -> Order {
    Order::new(target, Reason::Policy, somebody())
}

fn grant(id: &str) -> Target {
    Target::Grant { grant: id.to_owned() }
}

fn submit(app: &App, order: Order) -> Ticket<Ended> {
    app.queue.submit(Lane::Ending, move |door| door.end(&order))
}

/// Looks at the index in the very moment it is told.
struct Witness {
    app: Arc<App>,
    target: Target,
    in_force: AtomicBool,
    told: AtomicBool,
}

impl Wake for Witness {
    fn wake(self: Arc<Self>) {
        self.told.store(true, Ordering::SeqCst);
        self.in_force.store(self.app.live.position_of(&self.target).is_some(), Ordering::SeqCst);
    }
}

#[test]
fn rule_7_the_caller_is_told_after_the_index_was_applied() {
    let dir = house::place();
    let (Opened { app, mut writer }, _) = house::opened(&dir);
    let target = subject("alice");
    let mut ticket = submit(&app, order(target.clone()));
    let witness =
        Arc::new(Witness { app: app.clone(), target, in_force: AtomicBool::default(), told: AtomicBool::default() });
    let waker = Waker::from(witness.clone());
    assert!(std::pin::Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending());
    writer.turn(&|| app.now());
    assert!(witness.told.load(Ordering::SeqCst));
    assert!(witness.in_force.load(Ordering::SeqCst), "told before it was in force");
    let Poll::Ready(Ok(ended)) = std::pin::Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)) else {
        panic!("the ticket has no answer");
    };
    assert_eq!(app.live.head(), ended.position);
}

#[test]
fn rule_7_one_bad_order_does_not_sink_its_batch() {
    let dir = house::place();
    let (Opened { app, mut writer }, _) = house::opened(&dir);
    let first = submit(&app, order(grant("g1")));
    let bad = submit(&app, order(grant("g2")).with_note("x".repeat(Order::NOTE_LIMIT + 1)));
    let last = submit(&app, order(grant("g3")));
    writer.turn(&|| app.now());
    let (first, last) = (first.wait().unwrap().position, last.wait().unwrap().position);
    assert!(matches!(bad.wait(), Err(LedgerError::Refused(_))));
    assert_eq!(last, first.next(), "the bad one left no gap");
    assert_eq!(app.live.position_of(&grant("g2")), None);
}

#[test]
fn rule_7_endings_go_ahead_of_what_waited_before_them() {
    let dir = house::place();
    let (Opened { app, mut writer }, _) = house::opened(&dir);
    let waited = app.queue.submit(Lane::Issuing, |door| door.end(&order(grant("late"))));
    let ending = submit(&app, order(grant("early")));
    writer.turn(&|| app.now());
    assert_eq!(waited.wait().unwrap().position, ending.wait().unwrap().position.next());
}

#[test]
fn rule_7_duplicates_get_the_first_position_or_a_new_cut_off() {
    let dir = house::place();
    let (Opened { app, mut writer }, _) = house::opened(&dir);
    // The second waits in the same batch as its original, the third comes later.
    let (first, second) = (submit(&app, order(grant("g"))), submit(&app, order(grant("g"))));
    writer.turn(&|| app.now());
    let third = submit(&app, order(grant("g")));
    writer.turn(&|| app.now());
    let first = first.wait().unwrap();
    assert!(first.fresh);
    for again in [second, third] {
        assert_eq!(again.wait().unwrap(), Ended { fresh: false, ..first });
    }
    let (once, twice) = (submit(&app, order(subject("alice"))), submit(&app, order(subject("alice"))));
    writer.turn(&|| app.now());
    let (once, twice) = (once.wait().unwrap(), twice.wait().unwrap());
    assert!(once.fresh && twice.fresh && once.position < twice.position, "a living target is cut off anew");
}

#[test]
fn rule_7_an_idempotency_key_makes_two_orders_one() {
    let dir = house::place();
    let (Opened { app, mut writer }, _) = house::opened(&dir);
    let keyed = |target| Order { idempotency_key: Some("k".to_owned()), ..order(target) };
    let first = submit(&app, keyed(subject("alice")));
    let again = submit(&app, keyed(subject("alice")));
    let other = submit(&app, keyed(subject("bob")));
    let stranger = rescind_ledger::Initiator::Client("c".to_owned());
    let theirs = submit(&app, Order { initiator: stranger, ..keyed(subject("alice")) });
    let conditioned = submit(&app, keyed(subject("alice")).issued_before(Timestamp(0)));
    writer.turn(&|| app.now());
    let first = first.wait().unwrap();
    assert_eq!(again.wait().unwrap(), Ended { fresh: false, ..first });
    assert!(matches!(other.wait(), Err(LedgerError::Refused(_))));
    assert!(matches!(conditioned.wait(), Err(LedgerError::Refused(_))), "another `before` is another order");
    assert!(theirs.wait().unwrap().fresh, "a key belongs to its initiator");
}

#[test]
fn rule_4_a_restricting_change_and_its_entry_are_one_transaction() {
    let dir = house::place();
    let (Opened { app, mut writer }, _) = house::opened(&dir);
    let put = |client| rescind_ledger::ClientChange::Put(Box::new(client));
    let full = put(client("web"));
    let made = app.queue.submit(Lane::Issuing, move |door| door.change_client(&full, &somebody()));
    writer.turn(&|| app.now());
    assert_eq!(made.wait().unwrap(), None, "a new client takes nothing away");
    let less = put(rescind_ledger::Client { scopes: vec!["read".to_owned()], ..client("web") });
    let (kept, undone) = (less.clone(), less);
    let head = app.live.head();
    let broken = app.queue.submit(Lane::Ending, move |door| {
        door.change_client(&undone, &somebody())?;
        Err::<(), _>(LedgerError::Refused("after both"))
    });
    writer.turn(&|| app.now());
    assert!(broken.wait().is_err());
    assert_eq!((app.live.head(), app.live.client("web").unwrap().scopes.len()), (head, client("web").scopes.len()));
    let mut store = Sqlite::open(&app.data_dir.database()).unwrap();
    assert_eq!(store.configuration().unwrap().clients["web"].scopes, client("web").scopes);
    let before = store.mark().unwrap().commits;
    let changed = app.queue.submit(Lane::Ending, move |door| door.change_client(&kept, &somebody()));
    writer.turn(&|| app.now());
    let ended = changed.wait().unwrap().unwrap();
    let mark = store.mark().unwrap();
    assert_eq!((mark.head, mark.commits), (ended.position, before + 1), "one transaction for both");
    assert_eq!(store.configuration().unwrap().clients["web"].scopes, ["read"]);
    assert_eq!(app.live.position_of(&Target::Client { client: "web".to_owned() }), Some(ended.position));
}

fn request(name: &str, now: rescind_ledger::Timestamp) -> PushedRequest {
    let expires_at = now.plus(std::time::Duration::from_secs(60));
    let (handle, client) = (Hash::of(name), "web".to_owned());
    let position = Position::START;
    PushedRequest { handle, client, parameters: "{}".to_owned(), position, issued_at: now, expires_at }
}

#[test]
fn rule_7_a_request_counts_as_waiting_once_it_is_kept_and_not_if_its_job_was_undone() {
    let dir = house::place();
    let (Opened { app, mut writer }, clock) = house::opened(&dir);
    let now = app.now();
    let push = |name: &str| {
        let request = request(name, now);
        app.queue.submit(Lane::Issuing, move |door| door.push_request(&request, 2))
    };
    let lost = request("lost", now);
    let undone = app.queue.submit(Lane::Issuing, move |door| {
        door.push_request(&lost, 2)?;
        Err::<(), _>(LedgerError::Refused("after it"))
    });
    let (first, second, third) = (push("1"), push("2"), push("3"));
    writer.turn(&|| now);
    assert!(matches!(undone.wait(), Err(LedgerError::Refused("after it"))));
    first.wait().unwrap();
    second.wait().unwrap();
    assert!(matches!(third.wait(), Err(LedgerError::Full)));
    assert_eq!(app.live.pending_requests(), 2);
    drop((app, writer));
    let Opened { app, mut writer } = house::open_in(dir.path(), rescind::clock::Clock::Manual(clock)).unwrap();
    assert_eq!(app.live.pending_requests(), 2, "a restart counts what is kept");
    let later = now.plus(std::time::Duration::from_secs(60));
    let sweep = rescind_ledger::Sweep { horizon: std::time::Duration::from_secs(3600), limit: 10 };
    let swept = app.queue.submit(Lane::Issuing, move |door| door.sweep(sweep));
    writer.turn(&|| later);
    assert_eq!((swept.wait().unwrap().pending, app.live.pending_requests()), (0, 0));
}

/// Holds the writer up until both jobs wait, so that one batch takes them.
#[tokio::test]
async fn rule_7_an_ending_earlier_in_the_batch_keeps_a_session_from_bringing_forth_what_would_outlive_it() {
    let house = House::open().await;
    for (ends, went) in [(false, None), (true, Some(Went::Page(StatusCode::OK)))] {
        let cookie = house.sign_in("alice").await;
        let session = house.session_of(&cookie).await;
        let (release, held) = std::sync::mpsc::channel::<()>();
        let holding = house.app.queue.submit(Lane::Issuing, move |_| held.recv().map_err(|_| LedgerError::Stopped));
        while house.app.queue.waiting() > 0 {
            tokio::task::yield_now().await;
        }
        let ended = Target::Session { session: if ends { session } else { "another".to_owned() } };
        let ending = submit(&house.app, order(ended));
        let both_wait = async {
            while house.app.queue.waiting() < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            release.send(()).unwrap();
        };
        let offline = [("scope", "read offline_access")];
        let (answer, ()) = tokio::join!(house.authorize(&cookie, "web", &offline), both_wait);
        holding.await.unwrap();
        assert!(ending.await.unwrap().fresh);
        match went {
            Some(went) => assert_eq!(answer, went, "no code out of a session that has ended"),
            None => assert!(matches!(answer, Went::Code(_)), "{answer:?}"),
        }
    }
}

/// A store that says it failed after it has committed: so does a disk whose answer is lost.
struct Doubtful {
    inner: Sqlite,
    fails: Arc<AtomicBool>,
}

impl Store for Doubtful {
    fn transact(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<Mark, StoreError> {
        let mark = self.inner.transact(work)?;
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the answer was lost".to_owned()));
        }
        Ok(mark)
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        self.inner.reopen()
    }

    fn mark(&mut self) -> Result<Mark, StoreError> {
        self.inner.mark()
    }

    fn entries_after(&mut self, after: Position, each: &mut dyn FnMut(Entry)) -> Result<(), StoreError> {
        self.inner.entries_after(after, each)
    }

    fn epochs(&mut self) -> Result<(Vec<(u32, u64)>, Position), StoreError> {
        self.inner.epochs()
    }

    fn configuration(&mut self) -> Result<Configuration, StoreError> {
        self.inner.configuration()
    }

    fn pending_requests(&mut self) -> Result<u64, StoreError> {
        self.inner.pending_requests()
    }

    fn horizons(&mut self) -> Result<Vec<HorizonFact>, StoreError> {
        self.inner.horizons()
    }

    fn issuer(&mut self) -> Result<Option<String>, StoreError> {
        self.inner.issuer()
    }

    fn secrets(&mut self) -> Result<Vec<(String, Sealed)>, StoreError> {
        self.inner.secrets()
    }
}

#[tokio::test]
async fn rule_7_a_commit_of_unknown_fate_is_told_as_503_and_taken_over() {
    let dir = house::place();
    let (Opened { app, writer }, clock) = house::opened(&dir);
    drop(writer);
    let data_dir = DataDir::at(app.data_dir.path());
    let inner = Sqlite::open(&data_dir.database()).unwrap();
    let marker = FileMarker::open(&data_dir, &inner).unwrap();
    let fails = Arc::new(AtomicBool::default());
    let store = Doubtful { inner, fails: fails.clone() };
    let writer = Writer::new(Box::new(store), Box::new(marker), app.live.clone(), app.queue.clone());
    let house = House::of(Opened { app, writer }, clock, dir);
    house.put_client(client("web")).await;
    let (_, body) = house.post("web", "/token", &[("grant_type", "client_credentials"), ("scope", "read")]).await;
    let token = text(&body, "access_token");
    assert!(house.is_active("web", &token).await);

    fails.store(true, Ordering::SeqCst);
    let (status, body) = house.post("web", "/revoke", &[("token", &token)]).await;
    assert_eq!((status, text(&body, "error").as_str()), (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"));
    // Whoever was told 503 may send it again; but what was committed is in force already.
    assert!(!house.is_active("web", &token).await);
    let entries = house.app.records.store.entries_before(None, 10).await.unwrap();
    assert_eq!(entries.first().map(|entry| entry.position), Some(house.app.live.head()));
    let (status, _) = house.post("web", "/revoke", &[("token", &token)]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(house.app.records.store.entries_before(None, 10).await.unwrap().len(), entries.len(), "once is enough");

    // A configuration change of unknown fate is taken over with its entry.
    fails.store(true, Ordering::SeqCst);
    let less = rescind_ledger::Client { scopes: vec!["read".to_owned()], ..client("web") };
    let change = rescind_ledger::ClientChange::Put(Box::new(less));
    let told = house.door(move |door| door.change_client(&change, &somebody())).await;
    assert!(told.is_err_and(|why| why.is_unavailable()));
    assert_eq!(house.app.live.client("web").unwrap().scopes, ["read"]);
    assert!(house.app.live.position_of(&Target::Client { client: "web".to_owned() }).is_some());
}
