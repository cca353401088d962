//! The page of a receipt.

use std::collections::BTreeMap;

use askama::Template;
use rescind_ledger::Tally;

use super::Site;

/// A moment, written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenMoment {
    /// RFC 3339, for `datetime`.
    pub machine: String,
    /// Such as "14 Nov 2023, 22:13:20", in UTC.
    pub date: String,
}

/// A receiver, and how far it was told.
#[derive(Clone, Debug)]
pub struct ToldReceiver<'a> {
    pub receiver: &'a str,
    pub kind: &'a str,
    pub state: &'static str,
    /// Whether it will never hear of it.
    pub wrong: bool,
    pub attempts: u32,
    pub last: Option<WrittenMoment>,
    pub next: Option<WrittenMoment>,
    pub error: Option<&'a str>,
}

/// A receipt. It comes back by itself while something is under way.
#[derive(Template)]
#[template(path = "receipt.html")]
pub struct ReceiptPage<'a> {
    /// Whose page it is.
    pub site: Site<'a>,
    pub position: String,
    /// What was ended, in the ledger's words.
    pub target: String,
    /// What the user was called then.
    pub name: Option<&'a str>,
    pub ordered: WrittenMoment,
    pub initiator: String,
    pub reason: &'static str,
    pub note: Option<&'a str>,
    /// Only what was issued before then has ended.
    pub before: Option<WrittenMoment>,
    pub durable: Option<WrittenMoment>,
    pub in_force: Option<WrittenMoment>,
    /// Whether these two are upper bounds.
    pub at_latest: bool,
    pub ended: Option<&'a Tally>,
    pub deliveries: Vec<ToldReceiver<'a>>,
    pub undispatched: bool,
    pub finished: bool,
}

/// "1 session", "2 sessions".
fn counts(tally: &Tally) -> [(u64, String); 4] {
    let of = |count: u64, what: &str| (count, format!("{what}{}", if count == 1 { "" } else { "s" }));
    [
        of(tally.users, "user"),
        of(tally.sessions, "session"),
        of(tally.grants, "grant"),
        of(tally.access_tokens, "access token"),
    ]
}

fn lists(tally: &Tally) -> [(&'static str, &BTreeMap<String, u64>); 2] {
    [("Access tokens by application", &tally.by_client), ("Access tokens by API", &tally.by_api)]
}

/// How many names of a list the page shows; the JSON form has them all.
fn most() -> usize {
    100
}
