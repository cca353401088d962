//! What an entry has ended, counted once as of its position.

use std::collections::BTreeMap;

use rescind_check::{Effect, Fingerprint, Index, Side, Trace, Verdict};
use serde::{Deserialize, Serialize};

use crate::{Entry, Filter, Live, Reason, Target, Timestamp};

/// How much an entry has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    pub users: u64,
    pub sessions: u64,
    pub grants: u64,
    pub access_tokens: u64,
    /// Access tokens, by client.
    pub by_client: BTreeMap<String, u64>,
    /// Access tokens, by API.
    pub by_api: BTreeMap<String, u64>,
    /// Some records were gone or unreadable before they were counted: there was no less.
    pub at_least: bool,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            users: 0,
            sessions: 0,
            grants: 0,
            access_tokens: 0,
            by_client: BTreeMap::new(),
            by_api: BTreeMap::new(),
            at_least: false,
        }
    }
}

/// The question whether it was this entry that ended a record.
///
/// It was, if the entry reaches the record, the record had not expired by then, and the entries *before* it had left it alive.
/// A session that rested too long counts until its own entry says so, as does everything that hangs on it.
pub struct EndedBy<'a> {
    entry: &'a Entry,
    aim: Fingerprint,
    effect: Effect,
    /// The index of the entries before this one.
    before: &'a Index,
}

impl<'a> EndedBy<'a> {
    /// `before` holds exactly the entries before this one.
    #[must_use]
    pub fn new(entry: &'a Entry, live: &Live, before: &'a Index) -> Self {
        let effect = Effect::of(entry.target.cut(entry.before), entry.position);
        Self { entry, aim: entry.target.fingerprint(live.key()), effect, before }
    }

    /// Whether the entry ended what has this lineage and expires then.
    #[must_use]
    pub fn is_it(&self, trace: &Trace, expires_at: Timestamp) -> bool {
        let reached = trace.is_ended_among(|target| (target == self.aim).then_some(&self.effect));
        reached && expires_at > self.entry.time && self.before.verdict(trace, Side::Node) == Verdict::NotRevoked
    }

    /// The same for a session. One whose time ran out is over by the entry that says so, and not before.
    #[must_use]
    pub fn is_session(&self, trace: &Trace, expires_at: Timestamp) -> bool {
        let timed_out = matches!(self.entry.reason, Reason::IdleTimeout | Reason::MaxTimeout)
            && matches!(self.entry.target, Target::Session { .. });
        self.is_it(trace, if timed_out { Timestamp::MAX } else { expires_at })
    }
}

impl Filter {
    /// The records that a target could reach: it may be wider than the truth, never narrower.
    #[must_use]
    pub fn reached_by(target: &Target) -> Self {
        let own = |text: &String| Some(text.clone());
        let all = Self::default();
        match target {
            Target::Token { token } => Self { token: own(token), ..all },
            Target::Grant { grant } => Self { grant: own(grant), ..all },
            Target::Session { session } => Self { session: own(session), ..all },
            Target::Key { .. } | Target::Everything => all,
            Target::Device { device } => Self { device: own(device), ..all },
            Target::Subject { subject, .. } => Self { user: own(subject), ..all },
            Target::Client { client } => Self { client: own(client), ..all },
            Target::Audience { audience } => Self { audience: own(audience), ..all },
            Target::SubjectClient { subject, client, .. } => Self { user: own(subject), client: own(client), ..all },
            Target::SubjectAudience { subject, audience, .. } => {
                Self { user: own(subject), audience: own(audience), ..all }
            }
            Target::ClientAudience { client, audience } => Self { client: own(client), audience: own(audience), ..all },
            Target::DeviceClient { device, client } => Self { device: own(device), client: own(client), ..all },
        }
    }
}
