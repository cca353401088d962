//! Fills a data directory through the ledger's own door, in large batches.

mod crowd;
mod status_lists;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::anyhow;
use rescind::app::{App, Opened};
use rescind::clock::Clock;
use rescind::pace::Pace;
use rescind_ledger::{
    AccessToken, Api, Authentication, Client, ClientAuthMethod, Door, Grant, Hash, Initiator, Lane, LedgerError,
    Minted, Order, Position, Reason, Session, SessionValidation, SignIn, Target, Timestamp, TokenFormat,
};

use crate::credentials::{APPLICATION, AUDIENCE, CROWDED, RESOURCE_SERVER, SCOPE, client_secret, session_id, token};
use crate::served::config;

pub use crowd::{application, fill_crowd, ordinary_user};
pub use status_lists::{LISTED, MILLION_EACH, fill_status_lists};

/// What is to be in the directory. Tokens are numbered through: first the live ones, then the ended, then the single.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Live tokens of the one user [`CROWDED`].
    pub live: u64,
    /// Tokens of the same user, each ended by an entry of its own.
    pub ended: u64,
    /// Live tokens of users who have just that one.
    pub single: u64,
    /// Live sessions, each of a user of its own.
    pub sessions: u64,
    /// Revoked sessions, numbered on from the live ones.
    pub revoked_sessions: u64,
}

impl Plan {
    /// A directory with the clients and the API alone.
    pub const EMPTY: Self = Self { live: 0, ended: 0, single: 0, sessions: 0, revoked_sessions: 0 };

    fn total(self) -> u64 {
        self.live + self.ended + self.single
    }

    /// The number of the first single token.
    #[must_use]
    pub fn first_single(self) -> u64 {
        self.live + self.ended
    }
}

/// Orders or tokens in one transaction.
const BATCH: usize = 20_000;
/// Tokens live for a day, and sessions rest for as long: no measurement comes near the quarter of it after which
/// activity would be written down.
pub const LIFE: Duration = Duration::from_secs(86_400);

/// The user who has the single token `number`.
#[must_use]
pub fn single_user(number: u64) -> String {
    format!("usr_{number:022}")
}

/// Fills a directory that does not exist yet.
///
/// # Errors
/// When it cannot be written.
pub fn fill(folder: &Path, plan: Plan) -> anyhow::Result<()> {
    let (app, writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    write(&app, configure)?;
    let mut tokens: Vec<(Hash, u64)> = (0..plan.total()).map(|number| (token(number).hash(), number)).collect();
    // In the order of the key every insertion goes to the end of its tree, which is some ten times as fast.
    tokens.sort_unstable();
    let mut ended = Vec::new();
    let stamp = app.live.stamp();
    for (batch, tokens) in tokens.chunks(BATCH).enumerate() {
        let ranked: Vec<_> = ((batch * BATCH) as u64..).zip(tokens.iter().copied()).collect();
        let is_ended = |number| (plan.live..plan.first_single()).contains(&number);
        ended.extend(ranked.iter().filter(|(_, (_, number))| is_ended(*number)).map(|(rank, _)| *rank));
        write(&app, move |door| {
            let now = door.now();
            ranked.iter().try_for_each(|(rank, (hash, number))| {
                let user = if *number < plan.first_single() { CROWDED.to_owned() } else { single_user(*number) };
                door.mint(&minted(*rank, *hash, user, stamp, now))
            })
        })?;
    }
    begin_sessions(&app, plan.sessions)?;
    for numbers in batches(plan.sessions..plan.sessions + plan.revoked_sessions) {
        write(&app, move |door| numbers.map(session_order).try_for_each(|order| door.end(&order).map(drop)))?;
    }
    for ranks in ended.chunks(BATCH) {
        let orders: Vec<_> = ranks.iter().map(|rank| token_order(token_id(*rank))).collect();
        write(&app, move |door| orders.iter().try_for_each(|order| door.end(order).map(drop)))?;
    }
    let head = app.live.head();
    write(&app, move |door| door.complete_outbox(head))?;
    app.queue.close();
    writer.join().map_err(|_| anyhow!("the writer panicked"))
}

/// In the order of their ids, for the reason that tokens are.
fn begin_sessions(app: &App, count: u64) -> anyhow::Result<()> {
    let stamp = app.live.stamp();
    for numbers in batches(0..count) {
        write(app, move |door| {
            let now = door.now();
            numbers.map(|number| signed_in(number, stamp, now)).try_for_each(|sign_in| door.sign_in(&sign_in))
        })?;
    }
    Ok(())
}

fn batches(numbers: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let end = numbers.end;
    numbers.step_by(BATCH).map(move |first| first..end.min(first + BATCH as u64))
}

fn write(
    app: &App,
    work: impl FnOnce(&mut Door<'_>) -> Result<(), LedgerError> + Send + 'static,
) -> anyhow::Result<()> {
    Ok(app.queue.submit(Lane::Issuing, work).wait()?)
}

fn configure(door: &mut Door<'_>) -> Result<(), LedgerError> {
    let now = door.now();
    let api = Api {
        audience: AUDIENCE.to_owned(),
        name: "Orders".to_owned(),
        scopes: SCOPE.split(' ').map(str::to_owned).collect(),
        token_format: TokenFormat::Opaque,
        access_token_secs: None,
        session_validation: SessionValidation::NONE,
        created_at: now,
    };
    door.put_api(&api, &Initiator::System("bench".to_owned()))?;
    door.add_client(&client(APPLICATION, None, now))?;
    door.add_client(&client(RESOURCE_SERVER, Some(AUDIENCE), now))
}

fn client(id: &str, serves: Option<&str>, now: Timestamp) -> Client {
    Client {
        secret_hash: Some(client_secret().hash()),
        grant_types: vec!["client_credentials".to_owned()],
        scopes: SCOPE.split(' ').map(str::to_owned).collect(),
        serves: serves.map(str::to_owned),
        session_revocation_api: serves.is_some(),
        first_party: true,
        ..Client::new(id.to_owned(), id.to_owned(), ClientAuthMethod::ClientSecretBasic, now)
    }
}

fn minted(rank: u64, hash: Hash, user: String, position: Position, now: Timestamp) -> Minted {
    let grant = Grant {
        id: grant_id(rank),
        client: APPLICATION.to_owned(),
        user: Some(user.clone()),
        session: None,
        session_bound: false,
        device: None,
        scope: SCOPE.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        position,
        auth_time: Some(now),
        nonce: None,
        issued_at: now,
        expires_at: now.plus(LIFE),
    };
    let access = AccessToken {
        hash,
        id: token_id(rank),
        grant: grant.id.clone(),
        client: APPLICATION.to_owned(),
        user: Some(user),
        session: None,
        session_validation: SessionValidation::NONE,
        device: None,
        scope: SCOPE.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        key: None,
        certificate: None,
        position,
        auth_time: Some(now),
        issued_at: now,
        expires_at: now.plus(LIFE),
    };
    Minted { grant, access, refresh: None, status: None }
}

/// A session as a browser begins it.
fn signed_in(number: u64, position: Position, now: Timestamp) -> SignIn {
    let id = session_id(number);
    let mut cookie = Hash([0; 32]);
    cookie.0[..8].copy_from_slice(&number.to_be_bytes());
    let session = Session {
        id: id.clone(),
        cookie,
        user: single_user(number),
        source: "password".to_owned(),
        device: None,
        ip: Some("203.0.113.200".to_owned()),
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        position,
        started_at: now,
        touched_at: now,
        idle_secs: u32::try_from(LIFE.as_secs()).unwrap_or(u32::MAX),
        expires_at: now.plus(LIFE),
    };
    let authentication = Authentication { session: id, position, at: now, methods: vec!["pwd".to_owned()] };
    SignIn { session, authentication }
}

/// An order to end one session, as the API gives it.
fn session_order(number: u64) -> Order {
    let target = Target::Session { session: session_id(number) };
    Order::new(target, Reason::UserRequest, Initiator::Client(RESOURCE_SERVER.to_owned()))
}

/// The `jti` of the token with that rank.
#[must_use]
pub fn token_id(rank: u64) -> String {
    format!("at_{rank:022}")
}

/// Its grant.
#[must_use]
pub fn grant_id(rank: u64) -> String {
    format!("gr_{rank:022}")
}

/// An order to end one token, as its client gives it.
#[must_use]
pub fn token_order(token: String) -> Order {
    Order::new(Target::Token { token }, Reason::UserRequest, Initiator::Client(APPLICATION.to_owned()))
}
