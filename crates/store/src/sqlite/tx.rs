//! The one write transaction: the ledger's verbs in SQL.

use rescind_ledger::{
    AccessToken, Api, Attempt, AuditHead, AuditRecord, Authentication, BulkFailure, BulkJob, Client, Code, Consent,
    Delivery, Device, Effect, Entry, ForgottenAudit, Grant, Hash, HorizonFact, Identity, Initiator, KeyedOrder,
    LogoutStatusJwt, PendingOrder, Position, PushedRequest, RefreshToken, Script, Sealed, Session, SessionClock,
    SettingChange, SignedHead, StatusReference, StoreError, Swept, Tally, Timestamp, Tx, Use, User,
};
use rusqlite::params;

use super::{
    audit,
    cells::{Cells, Stored, bound},
    deliveries, directory, forget, issued, pending,
    reads::LIVE_SESSIONS,
    refresh_grants, scripts, status,
    transaction::{SqliteTx, json},
};

impl Tx for SqliteTx<'_> {
    fn begin_job(&mut self) -> Result<(), StoreError> {
        self.heads_before.push(self.head);
        self.audit.begin_job();
        self.execute("transaction", "SAVEPOINT job", []).map(drop)
    }

    fn keep_job(&mut self) -> Result<(), StoreError> {
        self.heads_before.pop();
        self.audit.keep_job();
        self.execute("transaction", "RELEASE job", []).map(drop)
    }

    fn undo_job(&mut self) -> Result<(), StoreError> {
        self.head = self.heads_before.pop().unwrap_or(self.head);
        self.audit.undo_job();
        self.execute("transaction", "ROLLBACK TO job", [])?;
        self.execute("transaction", "RELEASE job", []).map(drop)
    }

    fn append(&mut self, entry: &Entry) -> Result<(), StoreError> {
        // Not left to the primary key: what stood there may be forgotten.
        if entry.position <= self.head {
            return Err(StoreError::Conflict("an entry at that position"));
        }
        if entry.position != self.head.next() {
            let why = format!("{} was to follow {}", entry.position, self.head);
            return Err(StoreError::Corrupt { table: "entries", why });
        }
        let (epoch, seq) = bound(entry.position);
        let (target, initiator) = (json("entries", &entry.target)?, json("entries", &entry.initiator)?);
        let before = entry.before.map(|before| before.0);
        self.insert::<Entry>(
            "INSERT INTO entries (epoch, seq, time, target, reason, initiator, note, issued_before) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![epoch, seq, entry.time.0, target, entry.reason.code(), initiator, entry.note, before],
        )?;
        self.execute("outbox", "INSERT INTO outbox (epoch, seq) VALUES (?1, ?2)", params![epoch, seq])?;
        self.head = entry.position;
        Ok(())
    }

    fn find_idempotent(&mut self, initiator: &Initiator, key: &str) -> Result<Option<KeyedOrder>, StoreError> {
        let sql = "SELECT epoch, seq, target, issued_before FROM idempotency WHERE initiator = ?1 AND key = ?2";
        let initiator = json("idempotency", initiator)?;
        self.find("idempotency", sql, params![initiator, key], |row| {
            let mut cells = Cells::of(row);
            Ok(KeyedOrder { position: cells.position()?, target: cells.json()?, before: cells.time_or_none()? })
        })
    }

    fn remember_idempotent(&mut self, entry: &Entry, key: &str) -> Result<(), StoreError> {
        let (epoch, seq) = bound(entry.position);
        let (initiator, target) = (json("idempotency", &entry.initiator)?, json("idempotency", &entry.target)?);
        self.execute(
            "idempotency",
            "INSERT INTO idempotency (initiator, key, epoch, seq, target, issued_before, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![initiator, key, epoch, seq, target, entry.before.map(|before| before.0), entry.time.0],
        )
        .map(drop)
    }

    fn audit_head(&mut self) -> Result<AuditHead, StoreError> {
        let waiting = self.audit.head();
        waiting.map_or_else(|| self.attempt("audit", audit::head), Ok)
    }

    fn append_audit(&mut self, record: &AuditRecord) -> Result<(), StoreError> {
        self.audit.push(record.clone());
        Ok(())
    }

    fn put_signed_head(&mut self, signed: &SignedHead) -> Result<(), StoreError> {
        self.insert::<SignedHead>(
            "INSERT INTO audit_heads (seq, hash, at, token) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET at = excluded.at, token = excluded.token",
            params![signed.head.seq.cast_signed(), signed.head.hash.0, signed.at.0, signed.token],
        )
    }

    fn forget_audit(&mut self, before: Timestamp, limit: u32) -> Result<ForgottenAudit, StoreError> {
        self.attempt("audit", |connection| audit::forget(connection, before, limit))
    }

    fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let (epoch, seq) = bound(session.position);
        self.insert::<Session>(
            "INSERT INTO sessions (id, cookie, user_id, source, device_id, ip, user_agent, epoch, seq, started_at, touched_at, \
             idle_secs, expires_at, due_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            params![
                session.id,
                session.cookie.0,
                session.user,
                session.source,
                session.device,
                session.ip,
                session.user_agent,
                epoch,
                seq,
                session.started_at.0,
                session.touched_at.0,
                session.idle_secs,
                session.expires_at.0,
                SessionClock::of(session).due_at().0
            ],
        )
    }

    fn insert_authentication(&mut self, authentication: &Authentication) -> Result<(), StoreError> {
        let (epoch, seq) = bound(authentication.position);
        let methods = json("authentications", &authentication.methods)?;
        self.insert::<Authentication>(
            "INSERT INTO authentications (session_id, epoch, seq, at, methods) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![authentication.session, epoch, seq, authentication.at.0, methods],
        )
    }

    fn touch_session(&mut self, session: &str, at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET touched_at = ?2, \
                   due_at = iif(due_at IS NULL, NULL, min(?2 + idle_secs * 1000, expires_at)) \
                   WHERE id = ?1 AND touched_at < ?2";
        self.execute("sessions", sql, params![session, at.0]).map(drop)
    }

    fn settle_session(&mut self, session: &str) -> Result<(), StoreError> {
        self.execute("sessions", "UPDATE sessions SET due_at = NULL WHERE id = ?1", [session]).map(drop)
    }

    fn live_sessions_of(&mut self, user: &str) -> Result<Vec<Session>, StoreError> {
        let sql = format!("SELECT {} FROM sessions {LIVE_SESSIONS}", Session::COLUMNS);
        self.attempt("sessions", |connection| {
            connection.prepare_cached(&sql)?.query_map([user], Session::of)?.collect()
        })
    }

    fn insert_consent(&mut self, consent: &Consent) -> Result<(), StoreError> {
        let (epoch, seq) = bound(consent.position);
        let (scopes, audiences) = (json("consents", &consent.scopes)?, json("consents", &consent.audiences)?);
        self.insert::<Consent>(
            "INSERT INTO consents (user_id, client_id, scopes, audiences, epoch, seq, auth_time, at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                consent.user,
                consent.client,
                scopes,
                audiences,
                epoch,
                seq,
                consent.auth_time.0,
                consent.at.0,
                consent.expires_at.0
            ],
        )
    }

    fn insert_pushed_request(&mut self, request: &PushedRequest) -> Result<(), StoreError> {
        let (epoch, seq) = bound(request.position);
        self.insert::<PushedRequest>(
            "INSERT INTO pushed_requests (hash, client_id, parameters, epoch, seq, issued_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                request.handle.0,
                request.client,
                request.parameters,
                epoch,
                seq,
                request.issued_at.0,
                request.expires_at.0
            ],
        )
    }

    fn use_pushed_request(&mut self, handle: &Hash, at: Timestamp) -> Result<Use, StoreError> {
        const SQL: [&str; 2] = [
            "INSERT INTO pushed_request_uses SELECT hash, ?2 FROM pushed_requests WHERE hash = ?1 ON CONFLICT DO NOTHING",
            "SELECT at FROM pushed_request_uses WHERE hash = ?1",
        ];
        self.use_once("pushed_requests", SQL, handle, at)
    }

    fn insert_code(&mut self, code: &Code) -> Result<(), StoreError> {
        let audiences = json(Code::TABLE, &code.grant.audiences)?;
        self.attempt(Code::TABLE, |connection| issued::insert_code(connection, code, &audiences))
    }

    fn use_code(&mut self, code: &Hash, at: Timestamp) -> Result<Use, StoreError> {
        const SQL: [&str; 2] = [
            "INSERT INTO code_uses SELECT hash, ?2 FROM codes WHERE hash = ?1 ON CONFLICT DO NOTHING",
            "SELECT at FROM code_uses WHERE hash = ?1",
        ];
        self.use_once("codes", SQL, code, at)
    }

    fn insert_grant(&mut self, grant: &Grant) -> Result<(), StoreError> {
        let (epoch, seq) = bound(grant.position);
        let audiences = json("grants", &grant.audiences)?;
        self.insert::<Grant>(
            "INSERT INTO grants (id, client_id, user_id, session_id, session_bound, device_id, scope, audiences, epoch, \
             seq, auth_time, nonce, issued_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
             ?13, ?14)",
            params![
                grant.id,
                grant.client,
                grant.user,
                grant.session,
                grant.session_bound,
                grant.device,
                grant.scope,
                audiences,
                epoch,
                seq,
                grant.auth_time.map(|at| at.0),
                grant.nonce,
                grant.issued_at.0,
                grant.expires_at.0
            ],
        )
    }

    fn insert_access_token(&mut self, token: &AccessToken) -> Result<(), StoreError> {
        let audiences = json(AccessToken::TABLE, &token.audiences)?;
        self.attempt(AccessToken::TABLE, |connection| issued::insert_access_token(connection, token, &audiences))
    }

    fn insert_status_reference(&mut self, reference: &StatusReference, at: Timestamp) -> Result<(), StoreError> {
        self.attempt("status_references", |connection| status::insert_reference(connection, reference, at))
    }

    fn insert_logout_status_jwt(&mut self, jwt: &LogoutStatusJwt) -> Result<(), StoreError> {
        self.attempt("logout_status_jwts", |connection| status::insert_logout_jwt(connection, jwt))
    }

    fn insert_refresh_token(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        self.insert::<RefreshToken>(
            "INSERT INTO refresh_tokens (hash, grant_id, parent, issued_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                token.hash.0,
                token.grant,
                token.parent.map(|parent| parent.0),
                token.issued_at.0,
                token.expires_at.0
            ],
        )
    }

    fn note_refresh_grant(&mut self, grant: &Grant, at: Timestamp) -> Result<(), StoreError> {
        self.attempt(refresh_grants::TABLE, |connection| refresh_grants::note(connection, grant, at))
    }

    fn refresh_grants_of(&mut self, user: &str, client: &str) -> Result<Vec<Grant>, StoreError> {
        self.attempt(refresh_grants::TABLE, |connection| refresh_grants::of(connection, user, client))
    }

    fn forget_refresh_grant(&mut self, grant: &str) -> Result<(), StoreError> {
        self.attempt(refresh_grants::TABLE, |connection| refresh_grants::forget(connection, grant))
    }

    fn use_refresh_token(&mut self, token: &Hash, at: Timestamp) -> Result<Use, StoreError> {
        const SQL: [&str; 2] = [
            "INSERT INTO refresh_uses SELECT hash, ?2 FROM refresh_tokens WHERE hash = ?1 ON CONFLICT DO NOTHING",
            "SELECT at FROM refresh_uses WHERE hash = ?1",
        ];
        self.use_once("refresh_tokens", SQL, token, at)
    }

    fn refresh_token_used(&mut self, token: &Hash) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM refresh_uses WHERE hash = ?1";
        self.find("refresh_uses", sql, [token.0], |_| Ok(())).map(|found| found.is_some())
    }

    fn use_assertion(&mut self, client: &str, jti: &str, expires_at: Timestamp) -> Result<Use, StoreError> {
        let note = "INSERT INTO assertions (client_id, jti, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        if self.execute("assertions", note, params![client, jti, expires_at.0])? == 1 {
            return Ok(Use::First);
        }
        // When it was first used is not kept: its expiry stands in.
        let look = "SELECT expires_at FROM assertions WHERE client_id = ?1 AND jti = ?2";
        let known = self.find("assertions", look, params![client, jti], |row| row.get(0))?;
        Ok(Use::Before { at: known.map_or(expires_at, Timestamp) })
    }

    fn find_user(&mut self, id: &str) -> Result<Option<User>, StoreError> {
        self.find("users", &format!("SELECT {} FROM users WHERE id = ?1", User::COLUMNS), [id], User::of)
    }

    fn put_user(&mut self, user: &User) -> Result<(), StoreError> {
        self.attempt("users", |connection| directory::put_user(connection, user))
    }

    fn delete_user(&mut self, id: &str) -> Result<(), StoreError> {
        self.execute("users", "DELETE FROM users WHERE id = ?1", [id]).map(drop)
    }

    fn find_client(&mut self, id: &str) -> Result<Option<Client>, StoreError> {
        self.find("clients", "SELECT body FROM clients WHERE id = ?1", [id], |row| Cells::of(row).json())
    }

    fn put_client(&mut self, client: &Client) -> Result<(), StoreError> {
        let sql = "INSERT INTO clients (id, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body";
        let body = json("clients", client)?;
        self.execute("clients", sql, params![client.id, body]).map(drop)
    }

    fn delete_client(&mut self, id: &str) -> Result<(), StoreError> {
        self.execute("clients", "DELETE FROM clients WHERE id = ?1", [id]).map(drop)
    }

    fn find_api(&mut self, audience: &str) -> Result<Option<Api>, StoreError> {
        self.find("apis", "SELECT body FROM apis WHERE audience = ?1", [audience], |row| Cells::of(row).json())
    }

    fn put_api(&mut self, api: &Api) -> Result<(), StoreError> {
        let sql = "INSERT INTO apis (audience, body) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET body = excluded.body";
        let body = json("apis", api)?;
        self.execute("apis", sql, params![api.audience, body]).map(drop)
    }

    fn delete_api(&mut self, audience: &str) -> Result<(), StoreError> {
        self.execute("apis", "DELETE FROM apis WHERE audience = ?1", [audience]).map(drop)
    }

    fn find_device(&mut self, id: &str) -> Result<Option<Device>, StoreError> {
        self.find("devices", "SELECT body FROM devices WHERE id = ?1", [id], |row| Cells::of(row).json())
    }

    fn put_device(&mut self, device: &Device) -> Result<(), StoreError> {
        let body = json("devices", device)?;
        self.attempt("device_external_ids", |connection| directory::put_device(connection, device, &body))
    }

    fn find_script(&mut self, name: &str) -> Result<Option<Script>, StoreError> {
        self.attempt(scripts::TABLE, |connection| scripts::find(connection, name))
    }

    fn script_counts(&mut self, name: &str) -> Result<(u32, Option<u32>), StoreError> {
        self.attempt(scripts::TABLE, |connection| scripts::counts(connection, name))
    }

    fn put_script(&mut self, script: &Script) -> Result<(), StoreError> {
        let stored_by = json(scripts::TABLE, &script.stored_by)?;
        self.attempt(scripts::TABLE, |connection| scripts::put(connection, script, &stored_by))
    }

    fn delete_script(&mut self, name: &str) -> Result<(), StoreError> {
        self.execute(scripts::TABLE, "DELETE FROM scripts WHERE name = ?1", [name]).map(drop)
    }

    fn put_setting(&mut self, change: &SettingChange) -> Result<(), StoreError> {
        let value = change.value.as_ref().map(|value| json("setting_changes", value)).transpose()?;
        let initiator = json("setting_changes", &change.initiator)?;
        self.insert::<SettingChange>(
            "INSERT INTO setting_changes (version, at, name, value, initiator, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![change.version.cast_signed(), change.at.0, change.name, value, initiator, change.note],
        )
    }

    fn put_secret(&mut self, name: &str, sealed: &Sealed, at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO secrets (name, sealed, at) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET sealed = excluded.sealed, at = excluded.at";
        self.execute("secrets", sql, params![name, sealed.0, at.0]).map(drop)
    }

    fn delete_secret(&mut self, name: &str) -> Result<(), StoreError> {
        self.execute("secrets", "DELETE FROM secrets WHERE name = ?1", [name]).map(drop)
    }

    fn put_issuer(&mut self, issuer: Option<&str>) -> Result<(), StoreError> {
        self.execute("meta", "UPDATE meta SET issuer = ?1", [issuer]).map(drop)
    }

    fn put_horizon(&mut self, fact: &HorizonFact) -> Result<(), StoreError> {
        let secs = i64::try_from(fact.secs).unwrap_or(i64::MAX);
        let sql = "INSERT INTO horizons (since, secs) VALUES (?1, ?2)";
        self.execute("horizons", sql, params![fact.since.0, secs]).map(drop)
    }

    fn find_pending(&mut self, id: &str) -> Result<Option<PendingOrder>, StoreError> {
        self.find("pending_orders", pending::FIND, [id], |row| Cells::of(row).json())
    }

    fn find_pending_by_key(&mut self, initiator: &Initiator, key: &str) -> Result<Option<PendingOrder>, StoreError> {
        let initiator = json("pending_orders", initiator)?;
        self.find("pending_orders", pending::FIND_BY_KEY, params![initiator, key], |row| Cells::of(row).json())
    }

    fn put_pending(&mut self, pending: &PendingOrder) -> Result<(), StoreError> {
        let (initiator, body) = (json("pending_orders", &pending.order.initiator)?, json("pending_orders", pending)?);
        self.attempt("pending_orders", |connection| pending::put(connection, pending, &initiator, &body))
    }

    fn find_bulk(&mut self, id: &str) -> Result<Option<BulkJob>, StoreError> {
        self.find("bulk_jobs", pending::FIND_BULK, [id], |row| Cells::of(row).json())
    }

    fn put_bulk(&mut self, job: &BulkJob) -> Result<(), StoreError> {
        let body = json("bulk_jobs", job)?;
        self.attempt("bulk_jobs", |connection| pending::put_bulk(connection, job, &body))
    }

    fn put_bulk_piece(&mut self, job: &str, place: u32, users: &[String]) -> Result<(), StoreError> {
        let sql = "INSERT INTO bulk_pieces (job, place, users) VALUES (?1, ?2, ?3)";
        self.execute("bulk_pieces", sql, params![job, place, json("bulk_pieces", users)?]).map(drop)
    }

    fn put_bulk_failure(&mut self, job: &str, number: u32, failure: &BulkFailure) -> Result<(), StoreError> {
        let sql = "INSERT INTO bulk_failures (job, number, user_id, why) VALUES (?1, ?2, ?3, ?4)";
        self.execute("bulk_failures", sql, params![job, number, failure.user, failure.why]).map(drop)
    }

    fn forget_closed(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.attempt("pending_orders", |connection| pending::forget(connection, before, limit))
    }

    fn open_epoch(&mut self, epoch: u32, at: Timestamp) -> Result<(), StoreError> {
        if epoch <= self.head.epoch {
            return Err(StoreError::Conflict("that epoch or a later one"));
        }
        self.write_head()?;
        let sql = "INSERT INTO epochs (epoch, opened_at, last_seq) VALUES (?1, ?2, 0)";
        self.execute("epochs", sql, params![epoch, at.0])?;
        self.head = Position { epoch, seq: 0 };
        Ok(())
    }

    fn newest_entry_before(&mut self, time: Timestamp) -> Result<Option<Position>, StoreError> {
        let sql = "SELECT epoch, seq FROM entries WHERE time < ?1 ORDER BY time DESC, epoch DESC, seq DESC LIMIT 1";
        self.find("entries", sql, [time.0], |row| Cells::of(row).position())
    }

    fn forget(
        &mut self,
        floor: Position,
        now: Timestamp,
        counted_from: Timestamp,
        limit: u32,
    ) -> Result<Swept, StoreError> {
        // Forgetting does not append, but the head must not be forgotten with the entries: it is in `epochs`.
        self.attempt("entries", |connection| forget::forget(connection, floor, [now, counted_from], limit))
    }

    fn oldest_in_outbox(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let sql =
            "SELECT time FROM entries WHERE (epoch, seq) = (SELECT epoch, seq FROM outbox ORDER BY epoch, seq LIMIT 1)";
        self.find("outbox", sql, [], |row| Cells::of(row).time())
    }

    fn complete_outbox(&mut self, through: Position) -> Result<(), StoreError> {
        self.execute("outbox", "DELETE FROM outbox WHERE (epoch, seq) <= (?1, ?2)", bound(through)).map(drop)
    }

    fn expanded_through(&mut self, through: Position) -> Result<(), StoreError> {
        let sql = "UPDATE meta SET expanded_epoch = ?1, expanded_seq = ?2";
        self.execute("meta", sql, bound(through)).map(drop)
    }

    fn put_effect(&mut self, effect: &Effect) -> Result<(), StoreError> {
        self.attempt(deliveries::EFFECTS, |connection| deliveries::put_effect(connection, effect))
    }

    fn insert_delivery(&mut self, delivery: &Delivery) -> Result<(), StoreError> {
        self.attempt(Delivery::TABLE, |connection| deliveries::insert(connection, delivery))
    }

    fn find_delivery(&mut self, position: Position, receiver: &str) -> Result<Option<Delivery>, StoreError> {
        self.attempt(Delivery::TABLE, |connection| deliveries::find(connection, position, receiver))
    }

    fn put_attempt(&mut self, delivery: &Delivery, attempt: &Attempt) -> Result<(), StoreError> {
        self.attempt(Delivery::TABLE, |connection| deliveries::put_attempt(connection, delivery, attempt))
    }

    fn put_tally(&mut self, position: Position, tally: &Tally) -> Result<(), StoreError> {
        let (epoch, seq) = bound(position);
        let sql = "INSERT INTO tallies (epoch, seq, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        self.execute("tallies", sql, params![epoch, seq, json("tallies", tally)?]).map(drop)
    }

    fn keep_identity(&mut self, user: &str, through: Position, identity: &Identity) -> Result<(), StoreError> {
        self.attempt(deliveries::IDENTITIES, |connection| {
            deliveries::keep_identity(connection, user, through, identity)
        })
    }
}
