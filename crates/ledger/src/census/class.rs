//! What many records share, judged once.

use std::{cell::Cell, collections::HashMap};

use rescind_check::{Effect, Fingerprint, Index, Lineage, Side, TargetRef, Trace, Verdict as Stands};

use super::{Aim, CensusRow, CensusView, Counted};
use crate::{Session, SessionClock, StoreError, Timestamp};

/// How many classes are remembered, before what was counted of them is added up and they are forgotten.
const REMEMBERED: usize = 20_000;

/// Records that differ in their ids, grants and times alone, and how many of them would be ended.
pub(super) struct Class {
    /// Whether they count, unless an entry names one of them or its grant.
    counts: bool,
    /// Whether the order names something that they share.
    hit: bool,
    /// Whether what ended them may have come only after the view.
    pub(super) unsure: bool,
    token: bool,
    client: String,
    user: Option<String>,
    audiences: Vec<String>,
    /// Whether they are JWTs, which may be checked without asking.
    self_contained: bool,
    found: u64,
    until: Timestamp,
}

impl Class {
    /// Works out the verdict on what the row's class has in common.
    pub(super) fn judge(
        view: &CensusView,
        aim: Aim,
        row: &CensusRow<'_>,
        clock: Option<SessionClock>,
    ) -> Result<Self, StoreError> {
        let audiences: Vec<String> = serde_json::from_str(row.audiences).map_err(|_| unreadable())?;
        let token = row.token.is_some();
        let lineage = Lineage {
            token: None,
            grant: None,
            session: row.session.filter(|_| row.session_validation.depends_on_session()),
            device: row.device,
            subject: row.user.map(|user| (view.live.issuer(), user)),
            client: Some(row.client),
            audiences: if token { &audiences } else { &[] },
            key: row.key,
            position: row.position,
            root_time: row.root_time(),
        };
        let verdict = judge(view, aim, &lineage);
        let enabled = !view.off.clients.contains(row.client)
            && view.off.known_clients.contains(row.client)
            && view.off.allow(row.user, row.device);
        let runs = clock.is_none_or(|clock| clock.runs(view.now).is_ok());
        Ok(Self {
            counts: !verdict.ended && enabled && runs,
            hit: verdict.hit,
            unsure: verdict.unsure && verdict.hit,
            token,
            client: row.client.to_owned(),
            user: row.user.map(str::to_owned),
            audiences,
            self_contained: row.key.is_some(),
            found: 0,
            until: Timestamp(0),
        })
    }

    fn add_to(&self, counted: &mut Counted) {
        if self.found == 0 {
            return;
        }
        self.user.iter().for_each(|user| counted.user(user));
        if !self.token {
            counted.grants += self.found;
            return;
        }
        counted.access_tokens += self.found;
        counted.client(&self.client, self.found);
        for audience in &self.audiences {
            counted.api(audience, self.found);
            if self.self_contained {
                counted.self_contained(audience, self.found, self.until);
            }
        }
    }
}

fn unreadable() -> StoreError {
    StoreError::Corrupt { table: "access_tokens", why: "the audiences are no list".to_owned() }
}

/// What the index says of a lineage as of a view.
struct Verdict {
    ended: bool,
    hit: bool,
    unsure: bool,
}

/// The rule of [`Index::verdict`], without the entries that came after the view. Of a living target the index knows only the
/// last entry: if that came later, nobody knows here whether one before it ended the lineage, too. Nor does anybody know when a
/// conditioned entry came, once others came after the view.
fn judge(view: &CensusView, aim: Aim, lineage: &Lineage<'_>) -> Verdict {
    let key = view.live.key();
    let never_reused = [lineage.session.map(TargetRef::Session), lineage.key.map(TargetRef::Key)];
    let never_reused: Vec<Fingerprint> = never_reused.into_iter().flatten().map(|it| it.fingerprint(key)).collect();
    let living = Lineage { session: None, key: None, ..*lineage }.trace(key);
    let ended = |index: &Index| {
        let later = Cell::new(false);
        let is_past = |target| {
            let at = index.position_of(target);
            later.set(later.get() || at.is_some_and(|at| at > view.head));
            at.is_some_and(|at| lineage.position < at)
        };
        let ended = index.fault(lineage.position).is_some()
            || never_reused.iter().any(|print| index.position_of(*print).is_some_and(|at| at <= view.head))
            || living.targets().any(is_past);
        let conditioned = !ended && index.conditioned() > 0 && index.verdict(&living, Side::Node) == Stands::Revoked;
        later.set(later.get() || (conditioned && index.head() > view.head));
        (ended || conditioned, later.get())
    };
    let (ended, unsure) = view.live.look(|index, _| ended(index));
    Verdict { ended, hit: is_named(&lineage.trace(key), aim, view), unsure }
}

fn is_named(trace: &Trace, aim: Aim, view: &CensusView) -> bool {
    let effect = Effect::of(aim.cut, view.position());
    trace.is_ended_among(|target| (target == aim.target).then_some(&effect))
}

/// Whether a session counts and the order would end it.
pub(super) fn session_would_end(view: &CensusView, aim: Aim, session: &Session, counted: &mut Counted) -> bool {
    let verdict = session.with_lineage(view.live.issuer(), |lineage| judge(view, aim, lineage));
    counted.unsure |= verdict.unsure && verdict.hit;
    let clock = (view.clock_over)(&session.id, SessionClock::of(session));
    let allowed = view.off.allow(Some(&session.user), session.device.as_deref());
    verdict.hit && !verdict.ended && allowed && clock.runs(view.now).is_ok()
}

impl super::SwitchedOff {
    fn allow(&self, user: Option<&str>, device: Option<&str>) -> bool {
        !user.is_some_and(|user| self.users.contains(user))
            && !device.is_some_and(|device| self.devices.contains(device))
    }
}

/// The classes that were met.
#[derive(Default)]
pub(super) struct Classes {
    /// Whether records of different root times are of different classes.
    by_root_time: bool,
    by_key: HashMap<Box<[u8]>, usize>,
    all: Vec<Class>,
    /// The key of the row that is looked at, and of the one before with its class: mostly they are the same.
    key: Vec<u8>,
    last: (Vec<u8>, usize),
}

impl Classes {
    pub(super) fn new(by_root_time: bool) -> Self {
        Self { by_root_time, ..Self::default() }
    }

    pub(super) fn are_many(&self) -> bool {
        self.all.len() >= REMEMBERED
    }

    /// The class of a row, if it was met before.
    pub(super) fn find(&mut self, row: &CensusRow<'_>) -> Option<usize> {
        write_key(&mut self.key, row, self.by_root_time);
        if self.key == self.last.0 && !self.all.is_empty() {
            return Some(self.last.1);
        }
        let found = self.by_key.get(self.key.as_slice()).copied()?;
        self.last.0.clone_from(&self.key);
        self.last.1 = found;
        Some(found)
    }

    pub(super) fn insert(&mut self, row: &CensusRow<'_>, class: Class) -> usize {
        write_key(&mut self.key, row, self.by_root_time);
        let place = self.all.len();
        self.all.push(class);
        self.by_key.insert(self.key.as_slice().into(), place);
        self.last.0.clone_from(&self.key);
        self.last.1 = place;
        place
    }

    /// Whether records of a class count, and whether the order names what they share.
    pub(super) fn judged(&self, class: usize) -> (bool, bool) {
        self.all.get(class).map_or((false, false), |class| (class.counts, class.hit))
    }

    pub(super) fn count(&mut self, class: usize, expires_at: Timestamp) {
        if let Some(class) = self.all.get_mut(class) {
            class.found += 1;
            class.until = class.until.max(expires_at);
        }
    }

    pub(super) fn drain_into(&mut self, counted: &mut Counted) {
        self.all.drain(..).for_each(|class| class.add_to(counted));
        self.by_key.clear();
    }
}

/// Everything but ids and times, so written that no two classes share a key.
fn write_key(key: &mut Vec<u8>, row: &CensusRow<'_>, by_root_time: bool) {
    key.clear();
    if by_root_time {
        key.extend_from_slice(&row.root_time().to_le_bytes());
    }
    key.extend_from_slice(&[u8::from(row.token.is_some()), row.session_validation.bits()]);
    key.extend_from_slice(&row.position.epoch.to_le_bytes());
    key.extend_from_slice(&row.position.seq.to_le_bytes());
    // What no record depends on would only make more classes.
    let session = row.session.filter(|_| row.session_validation.depends_on_session());
    for part in [Some(row.client), row.user, session, row.device, Some(row.audiences), row.key] {
        let length = part.map_or(u32::MAX, |part| u32::try_from(part.len()).unwrap_or(u32::MAX - 1));
        key.extend_from_slice(&length.to_le_bytes());
        key.extend_from_slice(part.unwrap_or_default().as_bytes());
    }
}
