//! Records as requests see them: read from the store, remembered in memory. What is remembered never changes, so it can
//! never be stale; only the last touch of a session moves, and only forward.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use quick_cache::{Weighter, sync::Cache};
use rescind_ledger::{
    AccessToken, Hash, Inactive, Live, Reads, Session, SessionClock, StoreError, Timestamp, TokenView,
};

mod packed;

pub use packed::KnownToken;
use packed::Shape;

/// A session with its last activity.
pub struct KnownSession {
    pub record: Session,
    touched: AtomicI64,
    /// The last activity that was written down.
    kept: AtomicI64,
}

impl KnownSession {
    /// Where it stands in time.
    #[must_use]
    pub fn clock(&self) -> SessionClock {
        SessionClock { touched_at: Timestamp(self.touched.load(Ordering::Relaxed)), ..SessionClock::of(&self.record) }
    }

    /// Notes activity; says whether it is time to write it down, which is when less than 75 % of the idle window would
    /// remain by what is stored.
    #[must_use]
    pub fn touch(&self, now: Timestamp) -> bool {
        self.touched.fetch_max(now.0, Ordering::Relaxed);
        let kept = Timestamp(self.kept.load(Ordering::Relaxed));
        let due = now.since(kept).as_millis() * 4 >= u128::from(self.record.idle_secs) * 1000;
        due && self.kept.fetch_max(now.0, Ordering::Relaxed) < now.0
    }

    /// The session's record as of its last activity.
    #[must_use]
    pub fn current(&self) -> Session {
        Session { touched_at: self.clock().touched_at, ..self.record.clone() }
    }
}

#[derive(Clone)]
struct TokenWeight;

impl Weighter<Hash, KnownToken> for TokenWeight {
    fn weight(&self, _: &Hash, known: &KnownToken) -> u64 {
        u64::try_from(known.weight()).unwrap_or(u64::MAX)
    }
}

/// The store's read side with its memory.
pub struct Records<R> {
    pub store: R,
    live: Arc<Live>,
    tokens: Cache<Hash, KnownToken, TokenWeight>,
    shapes: Cache<Shape, Arc<Shape>>,
    sessions: Cache<String, Arc<KnownSession>>,
}

/// What one remembered access token takes, about: to size the cache.
const TOKEN_BYTES: u64 = 220;
/// How many shapes of tokens are kept to be shared.
const SHAPES: usize = 10_000;
/// How many sessions are remembered.
const SESSIONS: usize = 50_000;

impl<R: Reads> Records<R> {
    /// Remembers at most about `cache_bytes` of access tokens.
    pub fn new(store: R, live: Arc<Live>, cache_bytes: u64) -> Self {
        let estimate = usize::try_from(cache_bytes / TOKEN_BYTES).unwrap_or(usize::MAX);
        let tokens = Cache::with_weighter(estimate, cache_bytes, TokenWeight);
        Self { store, live, tokens, shapes: Cache::new(SHAPES), sessions: Cache::new(SESSIONS) }
    }

    /// The access token with that hash.
    pub async fn find_access_token(&self, hash: &Hash) -> Result<Option<KnownToken>, StoreError> {
        if let Some(known) = self.tokens.get(hash) {
            return Ok(Some(known));
        }
        let Some(record) = self.store.find_access_token(hash).await? else { return Ok(None) };
        let known = self.pack(&record);
        self.tokens.insert(*hash, known.clone());
        Ok(Some(known))
    }

    fn pack(&self, token: &AccessToken) -> KnownToken {
        let shape = Shape::of(token);
        if let Some(shared) = self.shapes.get(&shape) {
            return KnownToken::pack(token, shared, false);
        }
        let shared = Arc::new(shape.clone());
        self.shapes.insert(shape, shared.clone());
        KnownToken::pack(token, shared, true)
    }

    /// Whether an access token counts now. Its lineage is worked out each time: to remember it would make the token
    /// half as large again.
    pub async fn counts(&self, token: &TokenView<'_>, now: Timestamp) -> Result<Result<(), Inactive>, StoreError> {
        let needed = token.session_validation.check_valid_authn_session;
        let clock = self.clock_of(token.session, needed).await?;
        let trace = token.trace(self.live.issuer(), self.live.key());
        Ok(self.live.access_token_counts(*token, &trace, clock, now))
    }

    /// The session of that id.
    pub async fn find_session(&self, id: &str) -> Result<Option<Arc<KnownSession>>, StoreError> {
        if let Some(known) = self.sessions.get(id) {
            return Ok(Some(known));
        }
        let Some(record) = self.store.find_session(id).await? else { return Ok(None) };
        Ok(Some(self.remember_session(record)))
    }

    /// The session behind a browser's cookie.
    pub async fn find_session_by_cookie(&self, cookie: &Hash) -> Result<Option<Arc<KnownSession>>, StoreError> {
        let Some(record) = self.store.find_session_by_cookie(cookie).await? else { return Ok(None) };
        if let Some(known) = self.sessions.get(&record.id) {
            return Ok(Some(known));
        }
        Ok(Some(self.remember_session(record)))
    }

    /// A session that was read from the store, as it is remembered: its last activity may be later than what was read.
    pub fn remember_session(&self, record: Session) -> Arc<KnownSession> {
        let touched = record.touched_at.0;
        let known = Arc::new(KnownSession { record, touched: AtomicI64::new(touched), kept: AtomicI64::new(touched) });
        // Whoever came first wins: two objects for one session would each know only half of its activity.
        let id = known.record.id.clone();
        match self.sessions.get_or_insert_with(&id, || Ok::<_, std::convert::Infallible>(known.clone())) {
            Ok(first) => first,
            Err(never) => match never {},
        }
    }

    /// The clock of the session that a credential needs. One that is gone has run out.
    pub async fn clock_of(&self, session: Option<&str>, needed: bool) -> Result<Option<SessionClock>, StoreError> {
        let Some(id) = session.filter(|_| needed) else { return Ok(None) };
        let known = self.find_session(id).await?;
        Ok(Some(known.map_or(SessionClock::UNKNOWN, |known| known.clock())))
    }
}
