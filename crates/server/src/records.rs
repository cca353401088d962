//! Records as requests see them: read from the store, remembered in memory. What is remembered never changes, so it can
//! never be stale; only the last activity of a session moves, and only forward.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use rescind_ledger::{
    AccessToken, Hash, Inactive, Live, Reads, Session, SessionClock, SessionView, StoreError, Timestamp, TokenView,
};

mod packed;
mod sessions;
mod touches;

pub use packed::KnownToken;
use packed::Shape;
use sessions::Sessions;
pub use sessions::{Activity, KnownSession};

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
    sessions: Sessions,
}

/// What one remembered access token takes, about: to size the cache.
const TOKEN_BYTES: u64 = 220;
/// How many shapes of tokens are kept to be shared.
const SHAPES: usize = 10_000;

impl<R: Reads> Records<R> {
    /// Remembers at most about `cache_bytes` of access tokens, and as much of sessions.
    pub fn new(store: R, live: Arc<Live>, cache_bytes: u64) -> Self {
        let estimate = usize::try_from(cache_bytes / TOKEN_BYTES).unwrap_or(usize::MAX);
        let tokens = Cache::with_weighter(estimate, cache_bytes, TokenWeight);
        Self { store, live, tokens, shapes: Cache::new(SHAPES), sessions: Sessions::new(cache_bytes) }
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

    /// Forgets the activity of sessions that have ended.
    pub fn tidy(&self, now: Timestamp) {
        self.sessions.tidy(now, |session| self.live.look(|index, _| index.position_of(session).is_some()));
    }

    /// Whether an access token counts now. Its lineage is worked out each time: to remember it would make the token
    /// half as large again.
    pub async fn counts(&self, token: &TokenView<'_>, now: Timestamp) -> Result<Result<(), Inactive>, StoreError> {
        let needed = token.session_validation.check_valid_authn_session;
        let clock = self.clock_of(token.session, needed).await?;
        let trace = token.trace(self.live.issuer(), self.live.key());
        Ok(self.live.access_token_counts(*token, &trace, clock, now))
    }

    /// Where a session stands in time, given what was read of it: its last activity may not be written down yet.
    pub fn clock_over(&self, read: &Session) -> SessionClock {
        self.sessions.clock(&read.id, SessionClock::of(read), self.live.key())
    }

    /// The same, to be taken along to another thread.
    pub fn clock_over_any(&self) -> impl Fn(&str, SessionClock) -> SessionClock + Send + Sync + 'static {
        let clocks = self.sessions.clocks();
        let live = self.live.clone();
        move |session, read| clocks.clock(session, read, live.key())
    }

    /// The session of that id.
    pub async fn find_session(&self, id: &str) -> Result<Option<Arc<KnownSession>>, StoreError> {
        if let Some(known) = self.sessions.find(id, self.live.key()) {
            return Ok(Some(Arc::new(known)));
        }
        let Some(record) = self.store.find_session(id).await? else { return Ok(None) };
        Ok(Some(self.remember_session(record)))
    }

    /// The session behind a browser's cookie.
    pub async fn find_session_by_cookie(&self, cookie: &Hash) -> Result<Option<Arc<KnownSession>>, StoreError> {
        let Some(record) = self.store.find_session_by_cookie(cookie).await? else { return Ok(None) };
        Ok(Some(self.remember_session(record)))
    }

    /// A session that was read from the store, as it is remembered: its last activity may be later than what was read.
    pub fn remember_session(&self, record: Session) -> Arc<KnownSession> {
        self.sessions.remember(&record, self.live.key());
        Arc::new(self.know_session(record))
    }

    /// The same for one that nobody will ask for soon.
    pub fn know_session(&self, record: Session) -> KnownSession {
        self.sessions.know(record, self.live.key())
    }

    /// Hands the session of that id to `look`, if it is remembered: without a copy, for whoever asks often.
    pub fn look_at_session<T>(&self, id: &str, look: impl FnOnce(SessionView<'_>, &Activity) -> T) -> Option<T> {
        self.sessions.look(id, self.live.key(), look)
    }

    /// The activity in the session of that id.
    pub async fn find_activity(&self, id: &str) -> Result<Option<Activity>, StoreError> {
        if let Some(activity) = self.sessions.find_activity(id, self.live.key()) {
            return Ok(Some(activity));
        }
        Ok(self.find_session(id).await?.map(|known| known.activity.clone()))
    }

    /// The clock of the session that a credential needs. One that is gone has run out.
    pub async fn clock_of(&self, session: Option<&str>, needed: bool) -> Result<Option<SessionClock>, StoreError> {
        let Some(id) = session.filter(|_| needed) else { return Ok(None) };
        let activity = self.find_activity(id).await?;
        Ok(Some(activity.map_or(SessionClock::UNKNOWN, |activity| activity.clock())))
    }
}
