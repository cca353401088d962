//! The read side: a small pool of read-only connections beside the writer.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Condvar, Mutex};
use rescind_ledger::{
    AccessToken, Attempt, AuditHead, AuditRecord, Authentication, BulkFailure, BulkJob, Code, Consent, CredentialOwner,
    Delivery, Device, Effect, Entry, EntryFilter, Filter, Grant, Hash, HorizonFact, Identity, Issuance, NameFilter,
    Page, PendingOrder, Position, PushedRequest, Reads, RefreshToken, ScriptVersion, Sealed, Session, SettingChange,
    SignedHead, Standing, StatusList, StatusScan, StoreError, Tally, Timestamp, Totals, User, UserOrder,
};
use rusqlite::{Connection, OptionalExtension, Params};

use super::{
    audit,
    cells::{Cells, Stored, bound},
    deliveries, directory, entries,
    fault::Within,
    listing, open, pending,
    snapshot::SqliteSnapshot,
    status,
};

/// The sessions of a user that are not noted as ended, the oldest first.
pub(super) const LIVE_SESSIONS: &str = "WHERE user_id = ?1 AND due_at IS NOT NULL ORDER BY started_at, id";

/// Reads of the one-file store. Clones share the connections.
///
/// Each read is done inside its `async fn`, on the caller's thread: it is some microseconds in the page cache, less
/// than handing it to another thread would cost. With a write-ahead log it waits for no writer.
#[derive(Clone)]
pub struct SqliteReads {
    pool: Arc<Pool>,
}

pub(super) struct Pool {
    /// How many reads there were.
    reads: AtomicU64,
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
}

/// A connection on loan.
struct Loan<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl Pool {
    fn lend(&self) -> Loan<'_> {
        Loan { pool: self, connection: Some(self.take()) }
    }

    /// Whoever takes a connection puts it back.
    pub(super) fn take(&self) -> Connection {
        let mut idle = self.idle.lock();
        loop {
            if let Some(connection) = idle.pop() {
                return connection;
            }
            self.returned.wait(&mut idle);
        }
    }

    pub(super) fn put_back(&self, connection: Connection) {
        self.idle.lock().push(connection);
        self.returned.notify_one();
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.put_back(connection);
        }
    }
}

impl SqliteReads {
    pub(super) fn open(path: &Path, connections: usize) -> Result<Self, StoreError> {
        let idle = (0..connections.max(1)).map(|_| open::reader(path)).collect::<Result<_, _>>()?;
        Ok(Self { pool: Arc::new(Pool { reads: AtomicU64::new(0), idle: Mutex::new(idle), returned: Condvar::new() }) })
    }

    /// How many reads there were so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.pool.reads.load(Ordering::Relaxed)
    }

    fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.pool.reads.fetch_add(1, Ordering::Relaxed);
        let loan = self.pool.lend();
        match &loan.connection {
            Some(connection) => look(connection),
            None => Err(StoreError::Unavailable("no connection".to_owned())),
        }
    }

    fn find<T: Stored>(&self, condition: &str, params: impl Params) -> Result<Option<T>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {} FROM {} WHERE {condition}", T::COLUMNS, T::TABLE);
            let mut statement = connection.prepare_cached(&sql).within(T::TABLE)?;
            statement.query_row(params, T::of).optional().within(T::TABLE)
        })
    }

    fn each<T: Stored>(&self, rest: &str, params: impl Params) -> Result<Vec<T>, StoreError> {
        self.read(|connection| {
            let sql = format!("SELECT {} FROM {} {rest}", T::COLUMNS, T::TABLE);
            let mut statement = connection.prepare_cached(&sql).within(T::TABLE)?;
            let rows = statement.query_map(params, T::of).within(T::TABLE)?;
            rows.collect::<rusqlite::Result<_>>().within(T::TABLE)
        })
    }
}

impl SqliteReads {
    fn positions(&self, sql: &str, limit: u32) -> Result<Vec<Position>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql).within("outbox")?;
            let rows = statement.query_map([limit], |row| Cells::of(row).position()).within("outbox")?;
            rows.collect::<rusqlite::Result<_>>().within("outbox")
        })
    }
}

impl Reads for SqliteReads {
    type Snapshot = SqliteSnapshot;

    fn snapshots(&self, readers: usize) -> Result<Vec<SqliteSnapshot>, StoreError> {
        self.pool.reads.fetch_add(1, Ordering::Relaxed);
        SqliteSnapshot::open(&self.pool, readers)
    }

    async fn find_access_token(&self, hash: &Hash) -> Result<Option<AccessToken>, StoreError> {
        self.find("hash = ?1", [hash.0])
    }

    async fn find_access_token_by_id(&self, id: &str) -> Result<Option<AccessToken>, StoreError> {
        self.find("id = ?1", [id])
    }

    async fn find_refresh_token(&self, hash: &Hash) -> Result<Option<(RefreshToken, Grant)>, StoreError> {
        let sql = "SELECT t.hash, t.grant_id, t.parent, t.issued_at, t.expires_at, g.id, g.client_id, g.user_id, \
                   g.session_id, g.session_bound, g.device_id, g.scope, g.audiences, g.epoch, g.seq, g.auth_time, \
                   g.nonce, g.issued_at, g.expires_at FROM refresh_tokens AS t JOIN grants AS g ON g.id = t.grant_id \
                   WHERE t.hash = ?1";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql).within("refresh_tokens")?;
            let read = |row: &rusqlite::Row<'_>| {
                let mut cells = Cells::of(row);
                Ok((RefreshToken::read(&mut cells)?, Grant::read(&mut cells)?))
            };
            statement.query_row([hash.0], read).optional().within("refresh_tokens")
        })
    }

    async fn refresh_token_used(&self, hash: &Hash) -> Result<bool, StoreError> {
        self.read(|connection| {
            let sql = "SELECT 1 FROM refresh_uses WHERE hash = ?1";
            connection.prepare_cached(sql).and_then(|mut look| look.exists([hash.0])).within("refresh_uses")
        })
    }

    async fn find_owner(&self, hash: &Hash, id: Option<&str>) -> Result<Option<CredentialOwner>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT grant_id, client_id, user_id, scope, epoch, seq, coalesce(auth_time, issued_at), expires_at \
                       FROM access_tokens WHERE hash = ?1 \
                       UNION ALL SELECT g.id, g.client_id, g.user_id, g.scope, g.epoch, g.seq, \
                       coalesce(g.auth_time, g.issued_at), t.expires_at \
                       FROM refresh_tokens AS t JOIN grants AS g ON g.id = t.grant_id WHERE t.hash = ?1 \
                       UNION ALL SELECT grant_id, client_id, user_id, '', epoch, seq, auth_time, expires_at \
                       FROM logout_status_jwts WHERE hash = ?1 \
                       UNION ALL SELECT grant_id, client_id, user_id, scope, epoch, seq, coalesce(auth_time, issued_at), expires_at \
                       FROM access_tokens WHERE id = ?2 \
                       UNION ALL SELECT grant_id, client_id, user_id, '', epoch, seq, auth_time, expires_at \
                       FROM logout_status_jwts WHERE id = ?2";
            let mut statement = connection.prepare_cached(sql).within("access_tokens")?;
            let read = |row: &rusqlite::Row<'_>| {
                let mut cells = Cells::of(row);
                Ok(CredentialOwner {
                    grant: cells.take()?,
                    client: cells.take()?,
                    user: cells.take()?,
                    scope: cells.take()?,
                    position: cells.position()?,
                    root_time: cells.time()?,
                    expires_at: cells.time()?,
                })
            };
            statement.query_row(rusqlite::params![hash.0, id], read).optional().within("access_tokens")
        })
    }

    async fn find_grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        self.find("id = ?1", [id])
    }

    async fn find_code(&self, hash: &Hash) -> Result<Option<Code>, StoreError> {
        self.find("hash = ?1", [hash.0])
    }

    async fn find_pushed_request(&self, handle: &Hash) -> Result<Option<PushedRequest>, StoreError> {
        self.find("hash = ?1", [handle.0])
    }

    async fn find_session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        self.find("id = ?1", [id])
    }

    async fn find_session_by_cookie(&self, cookie: &Hash) -> Result<Option<Session>, StoreError> {
        self.find("cookie = ?1", [cookie.0])
    }

    async fn authentications(&self, session: &str) -> Result<Vec<Authentication>, StoreError> {
        self.each("WHERE session_id = ?1 ORDER BY at, id", [session])
    }

    async fn consents(&self, user: &str, client: &str) -> Result<Vec<Consent>, StoreError> {
        self.each("WHERE user_id = ?1 AND client_id = ?2 ORDER BY at, id", [user, client])
    }

    async fn consents_of(&self, user: &str) -> Result<Vec<Consent>, StoreError> {
        self.each("WHERE user_id = ?1 ORDER BY at, id", [user])
    }

    async fn find_user(&self, id: &str) -> Result<Option<User>, StoreError> {
        self.find("id = ?1", [id])
    }

    async fn find_user_by_name(&self, user_name: &str) -> Result<Option<User>, StoreError> {
        self.find("folded_name = ?1", [user_name.to_lowercase()])
    }

    async fn find_user_by_name_hash(&self, hash: &Hash) -> Result<Option<User>, StoreError> {
        self.find("name_hash = ?1", [hash.0])
    }

    async fn find_users_by_email(&self, email: &str, limit: u32) -> Result<Vec<User>, StoreError> {
        self.each("WHERE folded_email = ?1 ORDER BY id LIMIT ?2", rusqlite::params![email.to_lowercase(), limit])
    }

    async fn find_users_by_external_id(&self, external_id: &str, limit: u32) -> Result<Vec<User>, StoreError> {
        self.each("WHERE external_id = ?1 ORDER BY id LIMIT ?2", rusqlite::params![external_id, limit])
    }

    async fn users_in_order(&self, order: UserOrder, skip: u32, limit: u32) -> Result<Vec<User>, StoreError> {
        let rest = match order {
            UserOrder::Id => "ORDER BY id LIMIT ?2 OFFSET ?1",
            UserOrder::UserName => "ORDER BY folded_name LIMIT ?2 OFFSET ?1",
            UserOrder::UserNameDescending => "ORDER BY folded_name DESC LIMIT ?2 OFFSET ?1",
        };
        self.each(rest, [skip, limit])
    }

    async fn count_users(&self, most: u32) -> Result<u32, StoreError> {
        self.read(|connection| {
            let sql = "SELECT count(*) FROM (SELECT 1 FROM users LIMIT ?1)";
            let mut statement = connection.prepare_cached(sql).within("users")?;
            statement.query_row([most], |row| row.get(0)).within("users")
        })
    }

    async fn due_sessions(&self, now: Timestamp, limit: u32) -> Result<Vec<Session>, StoreError> {
        self.each("WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2", rusqlite::params![now.0, limit])
    }

    async fn live_sessions_of(&self, user: &str) -> Result<Vec<Session>, StoreError> {
        self.each(LIVE_SESSIONS, [user])
    }

    async fn find_device_by_external_id(&self, kind: &str, value: &str) -> Result<Option<Device>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT body FROM devices WHERE id = \
                       (SELECT device_id FROM device_external_ids WHERE kind = ?1 AND value = ?2)";
            let mut statement = connection.prepare_cached(sql).within("devices")?;
            statement.query_row([kind, value], |row| Cells::of(row).json()).optional().within("devices")
        })
    }

    async fn find_device(&self, id: &str) -> Result<Option<Device>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT body FROM devices WHERE id = ?1").within("devices")?;
            statement.query_row([id], |row| Cells::of(row).json()).optional().within("devices")
        })
    }

    async fn find_entry(&self, position: Position) -> Result<Option<Entry>, StoreError> {
        self.find("epoch = ?1 AND seq = ?2", bound(position))
    }

    async fn users(&self, filter: &NameFilter, cursor: Option<&str>, limit: u32) -> Result<Page<User>, StoreError> {
        self.read(|connection| directory::page(connection, filter, cursor, limit))
    }

    async fn devices(&self, filter: &NameFilter, cursor: Option<&str>, limit: u32) -> Result<Page<Device>, StoreError> {
        self.read(|connection| directory::page(connection, filter, cursor, limit))
    }

    async fn sessions(&self, filter: &Filter, cursor: Option<&str>, limit: u32) -> Result<Page<Session>, StoreError> {
        self.read(|connection| listing::page(connection, filter, cursor, limit))
    }

    async fn grants(&self, filter: &Filter, cursor: Option<&str>, limit: u32) -> Result<Page<Grant>, StoreError> {
        self.read(|connection| listing::page(connection, filter, cursor, limit))
    }

    async fn access_tokens(
        &self,
        filter: &Filter,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<AccessToken>, StoreError> {
        self.read(|connection| listing::page(connection, filter, cursor, limit))
    }

    async fn issuances(&self, grants: &[&str]) -> Result<Vec<Option<Issuance>>, StoreError> {
        self.read(|connection| listing::issuances(connection, grants).within("grants"))
    }

    async fn totals(&self, now: Timestamp) -> Result<Totals, StoreError> {
        self.read(|connection| listing::totals(connection, now).within("access_tokens"))
    }

    async fn entries_by_time(&self, since: Timestamp, width: i64) -> Result<Vec<(Timestamp, u64)>, StoreError> {
        self.read(|connection| listing::entries_by_time(connection, since, width).within("entries"))
    }

    async fn entries_before(&self, before: Option<Position>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let (epoch, seq) = bound(before.unwrap_or(Position { epoch: u32::MAX, seq: u64::MAX }));
        self.each(
            "WHERE (epoch, seq) < (?1, ?2) ORDER BY epoch DESC, seq DESC LIMIT ?3",
            rusqlite::params![epoch, seq, limit],
        )
    }

    async fn entries_after(&self, after: Position, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.read(|connection| entries::after(connection, after, limit).within("entries"))
    }

    async fn entries_listed(
        &self,
        filter: &EntryFilter,
        before: Option<Position>,
        limit: u32,
    ) -> Result<Page<Entry>, StoreError> {
        self.read(|connection| entries::listed(connection, filter, before, limit))
    }

    async fn audit_after(&self, seq: u64, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        self.each("WHERE seq > ?1 ORDER BY seq LIMIT ?2", rusqlite::params![seq.cast_signed(), limit])
    }

    async fn audit_before(&self, seq: Option<u64>, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        let before = seq.map_or(i64::MAX, u64::cast_signed);
        self.each("WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", rusqlite::params![before, limit])
    }

    async fn audit_span(&self) -> Result<(AuditHead, AuditHead), StoreError> {
        self.read(|connection| audit::span(connection).within("audit"))
    }

    async fn signed_heads(&self, seq: u64, limit: u32) -> Result<Vec<SignedHead>, StoreError> {
        self.each("WHERE seq > ?1 ORDER BY seq LIMIT ?2", rusqlite::params![seq.cast_signed(), limit])
    }

    async fn newest_signed_head(&self) -> Result<Option<SignedHead>, StoreError> {
        Ok(self.each("ORDER BY seq DESC LIMIT 1", [])?.pop())
    }

    async fn setting_changes(
        &self,
        name: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<SettingChange>, StoreError> {
        let before = before.map_or(i64::MAX, u64::cast_signed);
        self.each(
            "WHERE (?1 IS NULL OR name = ?1) AND version < ?2 ORDER BY version DESC LIMIT ?3",
            rusqlite::params![name, before, limit],
        )
    }

    async fn outbox(&self, limit: u32) -> Result<Vec<Position>, StoreError> {
        self.positions("SELECT epoch, seq FROM outbox ORDER BY epoch, seq LIMIT ?1", limit)
    }

    async fn unexpanded(&self, limit: u32) -> Result<Vec<Position>, StoreError> {
        let sql = "SELECT o.epoch, o.seq FROM meta AS m JOIN outbox AS o \
                   ON (o.epoch, o.seq) > (m.expanded_epoch, m.expanded_seq) ORDER BY o.epoch, o.seq LIMIT ?1";
        self.positions(sql, limit)
    }

    async fn find_effect(&self, position: Position) -> Result<Option<Effect>, StoreError> {
        self.read(|connection| deliveries::find_effect(connection, position).within(deliveries::EFFECTS))
    }

    async fn find_tally(&self, position: Position) -> Result<Option<Tally>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT body FROM tallies WHERE epoch = ?1 AND seq = ?2";
            let mut statement = connection.prepare_cached(sql).within("tallies")?;
            statement.query_row(bound(position), |row| Cells::of(row).json()).optional().within("tallies")
        })
    }

    async fn find_pending_order(&self, id: &str) -> Result<Option<PendingOrder>, StoreError> {
        self.read(|connection| pending::find(connection, pending::FIND, id).within("pending_orders"))
    }

    async fn pending_orders(
        &self,
        state: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<PendingOrder>, StoreError> {
        self.read(|connection| pending::page(connection, state, cursor, limit))
    }

    async fn due_pending_orders(&self, now: Timestamp, limit: u32) -> Result<Vec<PendingOrder>, StoreError> {
        let params = rusqlite::params![now.0, limit];
        self.read(|connection| pending::bodies(connection, pending::DUE, params).within("pending_orders"))
    }

    async fn find_bulk_job(&self, id: &str) -> Result<Option<BulkJob>, StoreError> {
        self.read(|connection| pending::find(connection, pending::FIND_BULK, id).within("bulk_jobs"))
    }

    async fn bulk_jobs(&self, cursor: Option<&str>, limit: u32) -> Result<Page<BulkJob>, StoreError> {
        self.read(|connection| pending::page_of_bulk(connection, cursor, limit))
    }

    async fn open_bulk_jobs(&self) -> Result<Vec<BulkJob>, StoreError> {
        self.read(|connection| pending::bodies(connection, pending::OPEN_BULK, []).within("bulk_jobs"))
    }

    async fn bulk_piece(&self, job: &str, place: u32) -> Result<Vec<String>, StoreError> {
        self.read(|connection| pending::piece(connection, job, place).within("bulk_pieces"))
    }

    async fn bulk_failures(
        &self,
        job: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page<BulkFailure>, StoreError> {
        self.read(|connection| pending::failures(connection, job, cursor, limit))
    }

    async fn live_sessions(&self, most: u32) -> Result<u32, StoreError> {
        self.read(|connection| {
            let sql = "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE due_at IS NOT NULL LIMIT ?1)";
            let mut count = connection.prepare_cached(sql).within("sessions")?;
            count.query_row([most], |row| row.get(0)).within("sessions")
        })
    }

    async fn deliveries_of(&self, position: Position) -> Result<Vec<Delivery>, StoreError> {
        self.each("WHERE epoch = ?1 AND seq = ?2 ORDER BY receiver", bound(position))
    }

    async fn attempts_at(&self, position: Position, receiver: &str) -> Result<Vec<Attempt>, StoreError> {
        let (epoch, seq) = bound(position);
        let of = "WHERE epoch = ?1 AND seq = ?2 AND receiver = ?3 ORDER BY number";
        self.each(of, rusqlite::params![epoch, seq, receiver])
    }

    async fn due_deliveries(&self, receiver: &str, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.each(
            "WHERE receiver = ?1 AND state = 'pending' AND next_at <= ?2 ORDER BY next_at LIMIT ?3",
            rusqlite::params![receiver, now.0, limit],
        )
    }

    async fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        self.read(|connection| deliveries::standings(connection).within(Delivery::TABLE))
    }

    async fn find_identity(&self, user: &str, position: Position) -> Result<Option<Identity>, StoreError> {
        self.read(|connection| deliveries::find_identity(connection, user, position).within(deliveries::IDENTITIES))
    }

    async fn script_versions(&self, name: &str) -> Result<Vec<ScriptVersion>, StoreError> {
        self.each("WHERE name = ?1 ORDER BY version DESC", [name])
    }

    async fn find_status_list(&self, id: &str) -> Result<Option<StatusList>, StoreError> {
        self.find("id = ?1", [id])
    }

    async fn status_lists(&self, now: Timestamp) -> Result<Vec<StatusList>, StoreError> {
        self.each("WHERE expires_at > ?1 ORDER BY number", [now.0])
    }

    async fn scan_status_list(&self, id: &str, scan: &mut dyn StatusScan) -> Result<(), StoreError> {
        self.read(|connection| status::scan(connection, id, scan).within("status_references"))
    }

    async fn secrets(&self) -> Result<Vec<(String, Sealed)>, StoreError> {
        self.read(super::secrets)
    }

    async fn horizons(&self) -> Result<Vec<HorizonFact>, StoreError> {
        self.read(super::horizons)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| {
            connection.prepare_cached("SELECT 1 FROM meta").and_then(|mut look| look.exists([])).within("meta")?;
            Ok(())
        })
    }
}
