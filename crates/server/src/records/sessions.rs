//! Sessions in memory: their records packed, which may be dropped since they can be read again; and beside them their last
//! activity, which may not.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use rescind_check::{Fingerprint, FingerprintKey, TargetRef};
use rescind_ledger::{Hash, Position, Session, SessionClock, SessionView, Timestamp};

use super::{
    packed::{ALLOCATED, Packer, Reader},
    touches::Touches,
};

/// A session as it was read, and its activity.
#[derive(Clone)]
pub struct KnownSession {
    /// As it was read: the activity since is in [`KnownSession::clock`].
    pub record: Session,
    pub activity: Activity,
}

/// The activity of one session. Every copy is about the same.
#[derive(Clone)]
pub struct Activity {
    touches: Arc<Touches>,
    session: Fingerprint,
    read: SessionClock,
}

impl Activity {
    /// Where the session stands in time.
    #[must_use]
    pub fn clock(&self) -> SessionClock {
        self.touches.clock(self.session, self.read)
    }

    /// Notes activity in a session that still runs; says whether it is time to write it down, which is when less than
    /// 75 % of the idle window would remain by what is stored. [`crate::touch`] does both.
    #[must_use]
    pub fn touch(&self, now: Timestamp) -> bool {
        self.touches.touch(self.session, self.read, now)
    }

    /// What was to be written down was not: the next activity tries again.
    pub fn take_back(&self, at: Timestamp) {
        self.touches.take_back(self.session, self.read, at);
    }

    /// Activity has been written down.
    pub fn keep(&self, at: Timestamp) {
        self.touches.keep(self.session, at);
    }

    /// Where the session stands in time, and its last word if its time has run out: no activity is noted any more.
    #[must_use]
    pub fn settle(&self, now: Timestamp) -> SessionClock {
        self.touches.settle(self.session, self.read, now)
    }
}

impl KnownSession {
    /// Where it stands in time.
    #[must_use]
    pub fn clock(&self) -> SessionClock {
        self.activity.clock()
    }

    /// As [`Activity::touch`].
    #[must_use]
    pub fn touch(&self, now: Timestamp) -> bool {
        self.activity.touch(now)
    }

    /// The session's record as of its last activity.
    #[must_use]
    pub fn current(&self) -> Session {
        Session { touched_at: self.clock().touched_at, ..self.record.clone() }
    }
}

/// All that is remembered of sessions.
pub(super) struct Sessions {
    records: Cache<Fingerprint, PackedSession, SessionWeight>,
    shapes: Cache<Shape, Arc<Shape>>,
    touches: Arc<Touches>,
}

/// The activity of all sessions.
pub(super) struct Clocks(Arc<Touches>);

impl Clocks {
    pub(super) fn clock(&self, id: &str, read: SessionClock, key: &FingerprintKey) -> SessionClock {
        self.0.clock(fingerprint(id, key), read)
    }
}

/// What one remembered session takes, about: to size the cache.
const SESSION_BYTES: u64 = 240;
/// How many shapes of sessions are kept to be shared.
const SHAPES: usize = 10_000;

impl Sessions {
    /// Remembers at most about `cache_bytes` of records.
    pub(super) fn new(cache_bytes: u64) -> Self {
        let estimate = usize::try_from(cache_bytes / SESSION_BYTES).unwrap_or(usize::MAX);
        let records = Cache::with_weighter(estimate, cache_bytes, SessionWeight);
        Self { records, shapes: Cache::new(SHAPES), touches: Arc::new(Touches::new()) }
    }

    /// The clock of a session, given what was read of it.
    pub(super) fn clock(&self, id: &str, read: SessionClock, key: &FingerprintKey) -> SessionClock {
        self.clocks().clock(id, read, key)
    }

    /// The clocks of all sessions.
    pub(super) fn clocks(&self) -> Clocks {
        Clocks(self.touches.clone())
    }

    /// The session of that id, if it is remembered.
    pub(super) fn find(&self, id: &str, key: &FingerprintKey) -> Option<KnownSession> {
        let session = fingerprint(id, key);
        let packed = self.records.get(&session)?;
        let record = packed.unpack().filter(|record| record.id == id)?;
        Some(KnownSession { record, activity: self.activity(session, packed.clock) })
    }

    /// Hands the session of that id to `look`, if it is remembered: what decides whether it counts, without a copy.
    pub(super) fn look<R>(
        &self,
        id: &str,
        key: &FingerprintKey,
        look: impl FnOnce(SessionView<'_>, &Activity) -> R,
    ) -> Option<R> {
        let session = fingerprint(id, key);
        let packed = self.records.get(&session)?;
        let view = packed.view().filter(|view| view.id == id)?;
        Some(look(view, &self.activity(session, packed.clock)))
    }

    /// Its activity alone: what most requests need, and cheaper.
    pub(super) fn find_activity(&self, id: &str, key: &FingerprintKey) -> Option<Activity> {
        let session = fingerprint(id, key);
        let packed = self.records.get(&session).filter(|packed| packed.id() == Some(id))?;
        Some(self.activity(session, packed.clock))
    }

    /// A session that was just read, with the activity that is known of it.
    pub(super) fn know(&self, record: Session, key: &FingerprintKey) -> KnownSession {
        let activity = self.activity(fingerprint(&record.id, key), SessionClock::of(&record));
        KnownSession { record, activity }
    }

    /// Remembers a session that was just read.
    pub(super) fn remember(&self, record: &Session, key: &FingerprintKey) {
        self.records.insert(fingerprint(&record.id, key), self.pack(record));
    }

    /// Forgets the activity of sessions that have ended.
    pub(super) fn tidy(&self, now: Timestamp, has_ended: impl Fn(Fingerprint) -> bool) {
        self.touches.tidy(now, has_ended);
    }

    fn activity(&self, session: Fingerprint, read: SessionClock) -> Activity {
        Activity { touches: self.touches.clone(), session, read }
    }

    fn pack(&self, record: &Session) -> PackedSession {
        let shape = Shape { source: record.source.clone(), user_agent: record.user_agent.clone() };
        if let Some(shared) = self.shapes.get(&shape) {
            return PackedSession::pack(record, shared, false);
        }
        let shared = Arc::new(shape.clone());
        self.shapes.insert(shape, shared.clone());
        PackedSession::pack(record, shared, true)
    }
}

fn fingerprint(id: &str, key: &FingerprintKey) -> Fingerprint {
    TargetRef::Session(id).fingerprint(key)
}

/// What many sessions have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shape {
    source: String,
    user_agent: Option<String>,
}

/// A session as it is remembered. Clones share their bytes.
#[derive(Clone)]
struct PackedSession {
    clock: SessionClock,
    shape: Arc<Shape>,
    /// The id and the rest, as [`Packer`] writes them.
    bytes: Arc<[u8]>,
    /// Whether it was the first of its shape, whose weight it bears.
    bears_shape: bool,
}

impl PackedSession {
    fn pack(session: &Session, shape: Arc<Shape>, bears_shape: bool) -> Self {
        let mut packer = Packer(Vec::with_capacity(160));
        packer.text(Some(&session.id));
        packer.text(Some(&session.user));
        packer.text(session.device.as_deref());
        packer.text(session.ip.as_deref());
        packer.number(session.position.epoch.into());
        packer.number(session.position.seq);
        packer.number(session.started_at.0.cast_unsigned());
        packer.0.extend_from_slice(&session.cookie.0);
        Self { clock: SessionClock::of(session), shape, bytes: packer.0.into(), bears_shape }
    }

    fn id(&self) -> Option<&str> {
        Reader(&self.bytes).text()?
    }

    /// `None` for bytes that were not packed here.
    fn view(&self) -> Option<SessionView<'_>> {
        let mut reader = Reader(&self.bytes);
        let (id, user, device) = (reader.text()??, reader.text()??, reader.text()?);
        reader.text()?;
        let position = Position { epoch: u32::try_from(reader.number()?).ok()?, seq: reader.number()? };
        let started_at = Timestamp(reader.number()?.cast_signed());
        Some(SessionView { id, user, device, position, started_at })
    }

    /// `None` for bytes that were not packed here.
    fn unpack(&self) -> Option<Session> {
        let mut reader = Reader(&self.bytes);
        Some(Session {
            id: reader.text()??.to_owned(),
            user: reader.text()??.to_owned(),
            device: reader.text()?.map(str::to_owned),
            ip: reader.text()?.map(str::to_owned),
            position: Position { epoch: u32::try_from(reader.number()?).ok()?, seq: reader.number()? },
            started_at: Timestamp(reader.number()?.cast_signed()),
            cookie: Hash(reader.0.try_into().ok()?),
            source: self.shape.source.clone(),
            user_agent: self.shape.user_agent.clone(),
            touched_at: self.clock.touched_at,
            idle_secs: self.clock.idle_secs,
            expires_at: self.clock.expires_at,
        })
    }

    /// Bytes it holds with its place in the cache, about.
    fn weight(&self) -> usize {
        const PLACE: usize = size_of::<Fingerprint>() + size_of::<PackedSession>() + 32;
        let shape = || {
            let agent = self.shape.user_agent.as_ref().map_or(0, String::len);
            2 * size_of::<Shape>() + 2 * (self.shape.source.len() + agent) + 4 * ALLOCATED
        };
        PLACE + ALLOCATED + self.bytes.len() + if self.bears_shape { shape() } else { 0 }
    }
}

#[derive(Clone)]
struct SessionWeight;

impl Weighter<Fingerprint, PackedSession> for SessionWeight {
    fn weight(&self, _: &Fingerprint, packed: &PackedSession) -> u64 {
        u64::try_from(packed.weight()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            id: format!("s_{}", "i".repeat(22)),
            cookie: Hash([0xfe; 32]),
            user: format!("u_{}", "j".repeat(22)),
            source: "password".to_owned(),
            device: None,
            ip: Some("203.0.113.200".to_owned()),
            user_agent: Some("Browser/1.0 ".repeat(10)),
            position: Position { epoch: 1, seq: 1_000_000 },
            started_at: Timestamp(1_900_000_000_000),
            touched_at: Timestamp(1_900_000_000_123),
            idle_secs: 28_800,
            expires_at: Timestamp(1_900_600_000_000),
        }
    }

    fn packed(session: &Session, bears: bool) -> PackedSession {
        let shape = Shape { source: session.source.clone(), user_agent: session.user_agent.clone() };
        PackedSession::pack(session, Arc::new(shape), bears)
    }

    #[test]
    fn a_packed_session_says_all_that_its_record_says() {
        let bare = Session { device: Some(String::new()), ip: None, user_agent: None, ..session() };
        let odd = Session {
            device: Some("dev_\u{e9}".to_owned()),
            position: Position { epoch: u32::MAX, seq: u64::MAX },
            started_at: Timestamp(i64::MIN),
            touched_at: Timestamp(-1),
            idle_secs: u32::MAX,
            expires_at: Timestamp::MAX,
            ..session()
        };
        for session in [session(), bare, odd] {
            assert_eq!(packed(&session, false).unpack(), Some(session.clone()));
            assert_eq!(packed(&session, true).id(), Some(session.id.as_str()));
            assert_eq!(packed(&session, false).view(), Some(SessionView::from(&session)));
        }
    }

    #[test]
    fn bytes_that_were_cut_off_are_no_session_and_no_panic() {
        let whole = packed(&session(), false);
        for length in 0..whole.bytes.len() {
            let cut = PackedSession { bytes: whole.bytes[..length].into(), ..whole.clone() };
            assert_eq!(cut.unpack(), None, "{length}");
        }
    }

    #[test]
    fn an_ordinary_session_is_light_and_the_first_of_a_shape_bears_it() {
        let light = packed(&session(), false).weight();
        assert!(light <= 260, "{light}");
        assert!(packed(&session(), true).weight() > light + 200);
    }

    #[test]
    fn activity_outlives_the_memory_of_the_record() {
        let (key, at) =
            (FingerprintKey::new([9; 16]), |secs: u64| session().touched_at.plus(std::time::Duration::from_secs(secs)));
        let sessions = Sessions::new(1000);
        let known = sessions.know(session(), &key);
        sessions.remember(&known.record, &key);
        assert!(!known.touch(at(60)));
        for number in 0..100 {
            sessions.remember(&Session { id: format!("s_{number}"), ..session() }, &key);
        }
        assert!(sessions.find_activity(&session().id, &key).is_none(), "there was no room");
        assert_eq!(sessions.know(session(), &key).clock().touched_at, at(60));
        assert_eq!(known.clock().touched_at, at(60));
    }
}
