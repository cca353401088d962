//! Ten million references of status lists, without the tokens themselves: written straight to the store, in the order in
//! which they lie there.

use std::ops::Range;
use std::path::Path;

use rescind::clock::{Clock, fresh_id};
use rescind_ledger::{Position, StatusReference, StatusSlot, Store as _, Timestamp};
use rescind_store::{DataDir, Sqlite};

use super::{BATCH, LIFE, Plan, fill, grant_id, single_user, token_id};
use crate::credentials::{APPLICATION, AUDIENCE, session_id};

/// Two users with a million tokens each.
pub const MILLION_EACH: [&str; 2] = ["usr_crowded_a_000000000000", "usr_crowded_b_000000000000"];
const MILLION: u64 = 1_000_000;
const LIST: u64 = 65_536;

/// All there are: the first user's, the second one's, and then those of users with ten each.
pub const LISTED: Listed = Listed { total: 10_000_000 };

/// The tokens that stand in lists.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    total: u64,
}

impl Listed {
    fn user(self, number: u64) -> String {
        match number / MILLION {
            0 => MILLION_EACH[0].to_owned(),
            1 => MILLION_EACH[1].to_owned(),
            _ => single_user(number / 10),
        }
    }

    /// The users of some of them.
    #[must_use]
    pub fn users(self, numbers: Range<u64>) -> Vec<String> {
        numbers.map(|number| self.user(number)).collect()
    }
}

/// Fills a directory that does not exist yet.
///
/// # Errors
/// When it cannot be written.
pub fn fill_status_lists(folder: &Path) -> anyhow::Result<()> {
    fill(folder, Plan::EMPTY)?;
    let mut store = Sqlite::open(&DataDir::at(folder).database())?;
    let now = Clock::System.now();
    let lists: Vec<String> = (0..LISTED.total.div_ceil(LIST)).map(|_| fresh_id("")).collect();
    for (list, id) in (0..).zip(&lists) {
        let numbers: Vec<u64> = (list * LIST..LISTED.total.min((list + 1) * LIST)).collect();
        for batch in numbers.chunks(BATCH) {
            store.transact(&mut |tx| {
                batch.iter().try_for_each(|number| tx.insert_status_reference(&reference(id, *number, now), now))
            })?;
        }
    }
    Ok(())
}

fn reference(list: &str, number: u64, now: Timestamp) -> StatusReference {
    StatusReference {
        slot: StatusSlot { list: list.to_owned(), index: u32::try_from(number % LIST).unwrap_or(0) },
        token: token_id(number),
        grant: grant_id(number),
        session: Some(session_id(number)),
        user: Some(LISTED.user(number)),
        device: None,
        client: APPLICATION.to_owned(),
        audiences: vec![AUDIENCE.to_owned()],
        key: Some("k".repeat(43)),
        position: Position { epoch: 1, seq: 0 },
        root_time: now,
        issued_at: now,
        expires_at: now.plus(LIFE),
    }
}
