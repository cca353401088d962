//! Ten million access tokens, one million of them of one user and one million of each of ten applications, all mixed: written
//! straight to the store, in the order of their ids and hashes.

use std::path::Path;

use anyhow::anyhow;
use rescind::app::Opened;
use rescind::clock::Clock;
use rescind::pace::Pace;
use rescind_ledger::{AccessToken, Grant, Hash, Minted, Position, Store as _, Timestamp, User};
use rescind_store::{DataDir, Sqlite};

use super::{BATCH, Plan, client, fill, grant_id, minted, single_user, token_id, token_order, write};
use crate::credentials::CROWDED;
use crate::served::config;

const TOKENS: u64 = 10_000_000;
/// Every so manieth token is the crowded user's.
const EVERY: u64 = 10;
/// How many applications there are.
const APPLICATIONS: u64 = 10;
/// Tokens that were ended one by one, of other users.
const ENDED: u64 = 100_000;

/// The user who has ten tokens.
#[must_use]
pub fn ordinary_user() -> String {
    single_user(TOKENS / 2 / 10)
}

/// One of the applications.
#[must_use]
pub fn application(number: u64) -> String {
    format!("application_{number}")
}

/// Fills a directory that does not exist yet.
///
/// # Errors
/// When it cannot be written.
pub fn fill_crowd(folder: &Path) -> anyhow::Result<()> {
    fill(folder, Plan::EMPTY)?;
    let (app, writer) = Opened::open(config(folder)?, Clock::System, Pace::Free)?.start()?;
    write(&app, |door| {
        let now = door.now();
        for user in [CROWDED.to_owned(), ordinary_user()] {
            door.add_user(&person(&user, now))?;
        }
        (0..APPLICATIONS).try_for_each(|number| door.add_client(&client(&application(number), None, now)))
    })?;
    let ended: Vec<u64> = (0..TOKENS).filter(|number| !is_crowded(*number)).take(usize::try_from(ENDED)?).collect();
    for numbers in ended.chunks(BATCH) {
        let orders: Vec<_> = numbers.iter().map(|number| token_order(token_id(*number))).collect();
        write(&app, move |door| orders.iter().try_for_each(|order| door.end(order).map(drop)))?;
    }
    let (stamp, now) = (app.live.stamp(), app.now());
    write(&app, move |door| door.complete_outbox(stamp))?;
    app.queue.close();
    drop(app);
    writer.join().map_err(|_| anyhow!("the writer panicked"))?;
    let mut store = Sqlite::open(&DataDir::at(folder).database())?;
    let numbers: Vec<u64> = (0..TOKENS).collect();
    for batch in numbers.chunks(BATCH) {
        store.transact(&mut |tx| {
            batch.iter().try_for_each(|number| {
                let (grant, token) = issued(*number, stamp, now);
                // The first of a grant's tokens brings the grant.
                if let Some(grant) = grant {
                    tx.insert_grant(&grant)?;
                }
                tx.insert_access_token(&token)
            })
        })?;
    }
    Ok(())
}

fn is_crowded(number: u64) -> bool {
    number % EVERY == EVERY - 1
}

fn person(id: &str, now: Timestamp) -> User {
    User::new(id, format!("name of {id}"), now)
}

/// Ten tokens of a grant of the crowded user, nine of one of another.
fn issued(number: u64, position: Position, now: Timestamp) -> (Option<Grant>, AccessToken) {
    let (user, grant, first) = if is_crowded(number) {
        let hundred = number / 100;
        (CROWDED.to_owned(), grant_id(TOKENS + hundred), number % 100 == EVERY - 1)
    } else {
        (single_user(number / EVERY), grant_id(number / EVERY), number.is_multiple_of(EVERY))
    };
    let mut hash = Hash([0; 32]);
    hash.0[..8].copy_from_slice(&number.to_be_bytes());
    let made = minted(number, hash, user, position, Timestamp(now.0 + i64::try_from(number / 100).unwrap_or(0)));
    let client = application((number / 100) % APPLICATIONS);
    let Minted { grant: own, access, .. } = made;
    let token = AccessToken { grant: grant.clone(), client: client.clone(), ..access };
    (first.then_some(Grant { id: grant, client, ..own }), token)
}
