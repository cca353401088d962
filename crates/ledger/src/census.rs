//! Counting what an order would end, over very many records at once, as of one position of the ledger.
//!
//! Whether a record counts depends on little that is its own: its id, its grant and its expiry. The rest it shares with many
//! others, and for each such class the verdict is worked out once.

mod class;
mod tally;

use std::{
    collections::HashSet,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rescind_check::{Cut, Fingerprint, Position, TargetRef};

use crate::{Configuration, Live, Session, SessionClock, SessionValidation, StoreError, Target, Timestamp};

use class::{Class, Classes};
pub use tally::Counted;

/// What of an access token or a grant decides whether it counts, and whether an order would end it: borrowed from its row.
#[derive(Clone, Copy, Debug)]
pub struct CensusRow<'a> {
    /// The `jti`; none for a grant.
    pub token: Option<&'a str>,
    pub grant: &'a str,
    pub client: &'a str,
    pub user: Option<&'a str>,
    pub session: Option<&'a str>,
    /// What it depends on of that session: of a grant, all or nothing.
    pub session_validation: SessionValidation,
    pub device: Option<&'a str>,
    /// As a JSON array. A grant is matched without them.
    pub audiences: &'a str,
    pub key: Option<&'a str>,
    pub position: Position,
    pub auth_time: Option<Timestamp>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

impl CensusRow<'_> {
    /// As [`crate::TokenView::root_time`] and [`crate::Grant::root_time`] have it.
    fn root_time(&self) -> i64 {
        self.auth_time.unwrap_or(self.issued_at).0
    }
}

/// Looks sessions up in the view in which the records are read.
pub trait SessionClocks {
    /// What is written down of a session's clock.
    fn find_clock(&self, session: &str) -> Result<Option<SessionClock>, StoreError>;
}

/// Is shown one record after the other.
pub trait CensusScan {
    /// A token or a grant. Breaks off if no more are wanted.
    fn take(&mut self, row: &CensusRow<'_>, sessions: &dyn SessionClocks) -> Result<ControlFlow<()>, StoreError>;
    /// A session.
    fn take_session(&mut self, session: &Session) -> ControlFlow<()>;
}

/// Who is switched off.
#[derive(Debug, Default)]
pub struct SwitchedOff {
    clients: HashSet<String>,
    /// Those there are: one that is gone counts as switched off.
    known_clients: HashSet<String>,
    users: HashSet<String>,
    devices: HashSet<String>,
}

impl SwitchedOff {
    #[must_use]
    pub fn of(configuration: &Configuration) -> Self {
        let off = configuration.clients.values().filter(|client| !client.enabled);
        Self {
            clients: off.map(|client| client.id.clone()).collect(),
            known_clients: configuration.clients.keys().cloned().collect(),
            users: configuration.disabled_users.clone(),
            devices: configuration.disabled_devices.clone(),
        }
    }
}

/// Gives the last activity in a session, which may not be written down, over what is.
pub type ClockOver = dyn Fn(&str, SessionClock) -> SessionClock + Send + Sync;

/// What all who count for one answer have in common.
pub struct CensusView {
    live: Arc<Live>,
    /// The last entry that has a say. Later ones may come while records are counted.
    head: Position,
    now: Timestamp,
    off: SwitchedOff,
    clock_over: Box<ClockOver>,
    matched: AtomicU64,
    most: u64,
    stopped: AtomicBool,
}

impl CensusView {
    /// The view at `head`, which the index has reached, at most `most` access tokens of it.
    #[must_use]
    pub fn new(
        live: Arc<Live>,
        (head, off): (Position, SwitchedOff),
        now: Timestamp,
        clock_over: Box<ClockOver>,
        most: u64,
    ) -> Self {
        let (matched, stopped) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { live, head, now, off, clock_over, matched, most, stopped }
    }

    /// The entry that an order would write at this position.
    #[must_use]
    pub fn position(&self) -> Position {
        self.head.next()
    }

    /// The ledger in memory.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// Ends the count: nobody waits for it, or it has taken long enough. What was counted is a lower bound.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was ended before all was seen.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn note_matched(&self, more: u64) {
        if self.matched.fetch_add(more, Ordering::Relaxed) + more > self.most {
            self.stop();
        }
    }

    fn go_on(&self) -> ControlFlow<()> {
        if self.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What would be ordered.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    target: Fingerprint,
    cut: Cut,
}

impl Aim {
    /// An order for a target, conditioned on "issued before T" or not.
    #[must_use]
    pub fn at(target: &Target, before: Option<Timestamp>, live: &Live) -> Self {
        Self { target: target.fingerprint(live.key()), cut: target.cut(before) }
    }

    /// Whether the order would end a record: the one place where that is decided. `shares` says whether it names what the
    /// record shares with its class.
    fn would_end(self, shares: bool, _row: &CensusRow<'_>, own: [Option<Fingerprint>; 2]) -> bool {
        shares || own.contains(&Some(self.target))
    }
}

/// A record whose own entries are still to be looked for.
struct Waiting {
    token: Option<Fingerprint>,
    grant: Fingerprint,
    class: usize,
    expires_at: Timestamp,
}

/// How many records are looked for in the index under one lock: writers wait meanwhile.
const TOGETHER: usize = 256;

/// Counts records of one view that one order would end.
pub struct Census<'v> {
    view: &'v CensusView,
    aim: Aim,
    classes: Classes,
    waiting: Vec<Waiting>,
    last_grant: (String, Fingerprint),
    message: Vec<u8>,
    counted: Counted,
}

impl<'v> Census<'v> {
    #[must_use]
    pub fn new(view: &'v CensusView, aim: Aim) -> Self {
        Self {
            view,
            aim,
            // Only where a condition has a say do times tell classes apart: there may be as many as records.
            classes: Classes::new(
                matches!(aim.cut, Cut::Rooted(_)) || view.live.look(|index, _| index.conditioned() > 0),
            ),
            waiting: Vec::with_capacity(TOGETHER),
            last_grant: (String::new(), Fingerprint(0)),
            message: Vec::new(),
            counted: Counted::default(),
        }
    }

    /// What was counted.
    #[must_use]
    pub fn finish(mut self) -> Counted {
        self.settle();
        self.classes.drain_into(&mut self.counted);
        self.counted
    }

    fn grant_print(&mut self, grant: &str) -> Fingerprint {
        if self.last_grant.0 != grant {
            self.last_grant.1 = TargetRef::Grant(grant).fingerprint_within(self.view.live.key(), &mut self.message);
            grant.clone_into(&mut self.last_grant.0);
        }
        self.last_grant.1
    }

    /// Looks for the own entries of those that wait, and counts those that have none.
    fn settle(&mut self) {
        let Self { view, classes, waiting, .. } = self;
        let mut tokens = 0;
        view.live.look(|index, _| {
            let ended = |print| index.position_of(print).is_some_and(|at| at <= view.head);
            for one in &*waiting {
                if !ended(one.grant) && !one.token.is_some_and(ended) {
                    classes.count(one.class, one.expires_at);
                    tokens += u64::from(one.token.is_some());
                }
            }
        });
        waiting.clear();
        view.note_matched(tokens);
    }
}

impl CensusScan for Census<'_> {
    fn take(&mut self, row: &CensusRow<'_>, sessions: &dyn SessionClocks) -> Result<ControlFlow<()>, StoreError> {
        if row.expires_at <= self.view.now {
            return Ok(ControlFlow::Continue(()));
        }
        let class = match self.classes.find(row) {
            Some(known) => known,
            None => {
                if self.classes.are_many() {
                    self.settle();
                    self.classes.drain_into(&mut self.counted);
                }
                let clock = self.view.clock_for(row, sessions)?;
                let class = Class::judge(self.view, self.aim, row, clock)?;
                self.counted.unsure |= class.unsure;
                self.classes.insert(row, class)
            }
        };
        let (counts, shares) = self.classes.judged(class);
        if counts {
            let grant = self.grant_print(row.grant);
            let key = self.view.live.key();
            let token = row.token.map(|id| TargetRef::Token(id).fingerprint_within(key, &mut self.message));
            if self.aim.would_end(shares, row, [token, Some(grant)]) {
                self.waiting.push(Waiting { token, grant, class, expires_at: row.expires_at });
            }
        }
        if self.waiting.len() >= TOGETHER {
            self.settle();
        }
        Ok(self.view.go_on())
    }

    fn take_session(&mut self, session: &Session) -> ControlFlow<()> {
        if class::session_would_end(self.view, self.aim, session, &mut self.counted) {
            self.counted.sessions += 1;
            self.counted.user(&session.user);
        }
        self.view.go_on()
    }
}

impl CensusView {
    /// The clock of the session that a record needs; one of a session that is gone has run out.
    fn clock_for(&self, row: &CensusRow<'_>, sessions: &dyn SessionClocks) -> Result<Option<SessionClock>, StoreError> {
        let needed = row.session.filter(|_| row.session_validation.check_valid_authn_session);
        let Some(session) = needed else { return Ok(None) };
        let read = sessions.find_clock(session)?;
        Ok(Some(read.map_or(SessionClock::UNKNOWN, |read| (self.clock_over)(session, read))))
    }
}
