//! Records as requests see them: read from the store, remembered in memory. What is remembered never changes, so it can
//! never be stale; only the last touch of a session moves, and only forward.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use quick_cache::{Weighter, sync::Cache};
use rescind_check::Trace;
use rescind_ledger::{AccessToken, Hash, Idle, Live, Reads, Session, StoreError, Timestamp};

/// An access token with its lineage worked out.
pub struct KnownToken {
    pub record: AccessToken,
    pub trace: Trace,
}

/// A session with its last activity.
pub struct KnownSession {
    pub record: Session,
    touched: AtomicI64,
    /// The last activity that was written down.
    kept: AtomicI64,
}

impl KnownSession {
    /// Where its idle time stands.
    #[must_use]
    pub fn idle(&self) -> Idle {
        Idle { touched_at: Timestamp(self.touched.load(Ordering::Relaxed)), idle_secs: self.record.idle_secs }
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
        Session { touched_at: self.idle().touched_at, ..self.record.clone() }
    }
}

#[derive(Clone)]
struct TokenWeight;

impl Weighter<Hash, Arc<KnownToken>> for TokenWeight {
    /// Bytes it holds, roughly: the structures, each text with the allocator's share, and the trace.
    fn weight(&self, _: &Hash, known: &Arc<KnownToken>) -> u64 {
        let record = &known.record;
        let texts = [Some(&record.id), Some(&record.grant), Some(&record.client), Some(&record.scope)]
            .into_iter()
            .chain([record.user.as_ref(), record.session.as_ref(), record.device.as_ref(), record.key.as_ref()])
            .flatten()
            .chain(&record.audiences);
        let heap: usize = texts.map(|text| text.len() + 24).sum();
        let fixed = size_of::<KnownToken>() + known.trace.heap_bytes() + 96;
        u64::try_from(heap + fixed).unwrap_or(u64::MAX)
    }
}

/// The store's read side with its memory.
pub struct Records<R> {
    pub store: R,
    live: Arc<Live>,
    tokens: Cache<Hash, Arc<KnownToken>, TokenWeight>,
    sessions: Cache<String, Arc<KnownSession>>,
}

/// What one remembered access token takes, about: to size the cache.
const TOKEN_BYTES: u64 = 700;
/// How many sessions are remembered.
const SESSIONS: usize = 50_000;

impl<R: Reads> Records<R> {
    /// Remembers at most about `cache_bytes` of access tokens.
    pub fn new(store: R, live: Arc<Live>, cache_bytes: u64) -> Self {
        let estimate = usize::try_from(cache_bytes / TOKEN_BYTES).unwrap_or(usize::MAX);
        let tokens = Cache::with_weighter(estimate, cache_bytes, TokenWeight);
        Self { store, live, tokens, sessions: Cache::new(SESSIONS) }
    }

    /// The access token with that hash.
    pub async fn find_access_token(&self, hash: &Hash) -> Result<Option<Arc<KnownToken>>, StoreError> {
        if let Some(known) = self.tokens.get(hash) {
            return Ok(Some(known));
        }
        let Some(record) = self.store.find_access_token(hash).await? else { return Ok(None) };
        let trace = record.trace(self.live.issuer(), self.live.key());
        let known = Arc::new(KnownToken { record, trace });
        self.tokens.insert(*hash, known.clone());
        Ok(Some(known))
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

    fn remember_session(&self, record: Session) -> Arc<KnownSession> {
        let touched = record.touched_at.0;
        let known = Arc::new(KnownSession { record, touched: AtomicI64::new(touched), kept: AtomicI64::new(touched) });
        // Whoever came first wins: two objects for one session would each know only half of its activity.
        let id = known.record.id.clone();
        match self.sessions.get_or_insert_with(&id, || Ok::<_, std::convert::Infallible>(known.clone())) {
            Ok(first) => first,
            Err(never) => match never {},
        }
    }

    /// The idle state of the session a credential is bound to. A bound session that is gone counts as idle for ever.
    pub async fn idle_of(&self, session: Option<&str>, bound: bool) -> Result<Option<Idle>, StoreError> {
        let Some(id) = session.filter(|_| bound) else { return Ok(None) };
        let known = self.find_session(id).await?;
        Ok(Some(known.map_or(Idle { touched_at: Timestamp(0), idle_secs: 0 }, |known| known.idle())))
    }
}
