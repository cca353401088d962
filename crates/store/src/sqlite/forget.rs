//! Forgetting: removes what can never be honoured again, a bounded number of rows at a time.

use rescind_ledger::{Position, Swept, Timestamp};
use rusqlite::{Connection, Params, params};

use super::cells::bound;

/// Raises the floor, then forgets what lies at or below it and what has expired.
pub(super) fn forget(connection: &Connection, floor: Position, now: Timestamp, limit: u32) -> rusqlite::Result<Swept> {
    let (epoch, seq) = bound(floor);
    let raise = "UPDATE meta SET floor_epoch = ?1, floor_seq = ?2 WHERE (floor_epoch, floor_seq) < (?1, ?2)";
    connection.prepare_cached(raise)?.execute(params![epoch, seq])?;
    let mut sweep = Sweep { connection, limit, swept: Swept::default() };
    // An entry that waits in the outbox is still to be told to somebody.
    sweep.remove(
        "DELETE FROM entries WHERE (epoch, seq) IN (SELECT epoch, seq FROM entries AS e WHERE (epoch, seq) <= (?1, ?2) \
         AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.epoch = e.epoch AND o.seq = e.seq) \
         ORDER BY epoch, seq LIMIT ?3)",
        params![epoch, seq, limit],
    )?;
    sweep.remove(
        "DELETE FROM idempotency WHERE (initiator, key) IN (SELECT initiator, key FROM idempotency AS i \
         WHERE (epoch, seq) <= (?1, ?2) AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.epoch = i.epoch \
         AND e.seq = i.seq) ORDER BY epoch, seq LIMIT ?3)",
        params![epoch, seq, limit],
    )?;
    for [parts, whole] in EXPIRING {
        if !parts.is_empty() {
            connection.prepare_cached(parts)?.execute(params![now.0, limit])?;
        }
        sweep.remove(whole, params![now.0, limit])?;
    }
    sweep.remove(
        "DELETE FROM status_references WHERE (list, idx) IN (SELECT r.list, r.idx FROM status_lists AS l \
         JOIN status_references AS r ON r.list = l.number WHERE l.expires_at <= ?1 LIMIT ?2)",
        params![now.0, limit],
    )?;
    connection.prepare_cached(RETIRE)?.execute([now.0])?;
    let pending = pending_requests(connection)?;
    Ok(Swept { pending, ..sweep.swept })
}

/// How many authorization requests have had no answer. A use never outlives its request, so the difference is right.
pub(super) fn pending_requests(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT (SELECT count(*) FROM pushed_requests) - (SELECT count(*) FROM pushed_request_uses)";
    connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

/// A list goes after its references. Nobody asks for it any more: reads leave out what has expired.
const RETIRE: &str = "DELETE FROM status_lists WHERE expires_at <= ?1 \
                      AND NOT EXISTS (SELECT 1 FROM status_references WHERE list = number)";

struct Sweep<'c> {
    connection: &'c Connection,
    limit: u32,
    swept: Swept,
}

impl Sweep<'_> {
    fn remove(&mut self, sql: &str, params: impl Params) -> rusqlite::Result<()> {
        let rows = self.connection.prepare_cached(sql)?.execute(params)?;
        self.swept.rows += rows as u64;
        self.swept.more |= rows as u64 >= u64::from(self.limit);
        Ok(())
    }
}

/// For each kind of record: what hangs on it, and then itself. Both choose the same rows, the earliest to expire, so that
/// a use never goes before what was used, which would be usable again, nor stays behind.
const EXPIRING: [[&str; 2]; 9] = [
    [
        "DELETE FROM refresh_uses WHERE hash IN (SELECT hash FROM refresh_tokens WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
        "DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
    ],
    [
        "DELETE FROM code_uses WHERE hash IN (SELECT hash FROM codes WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
        "DELETE FROM codes WHERE hash IN (SELECT hash FROM codes WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
    ],
    [
        "DELETE FROM pushed_request_uses WHERE hash IN (SELECT hash FROM pushed_requests WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
        "DELETE FROM pushed_requests WHERE hash IN (SELECT hash FROM pushed_requests WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
    ],
    [
        // A session that is due has yet to be told to others.
        "DELETE FROM authentications WHERE session_id IN (SELECT id FROM sessions WHERE expires_at <= ?1 \
         AND due_at IS NULL ORDER BY expires_at, id LIMIT ?2)",
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= ?1 \
         AND due_at IS NULL ORDER BY expires_at, id LIMIT ?2)",
    ],
    [
        "",
        "DELETE FROM access_tokens WHERE number IN (SELECT number FROM access_tokens WHERE expires_at <= ?1 \
         ORDER BY expires_at, number LIMIT ?2)",
    ],
    [
        "",
        "DELETE FROM logout_status_jwts WHERE hash IN (SELECT hash FROM logout_status_jwts WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
    ],
    [
        "",
        "DELETE FROM grants WHERE number IN (SELECT number FROM grants WHERE expires_at <= ?1 \
         ORDER BY expires_at, number LIMIT ?2)",
    ],
    [
        "",
        "DELETE FROM consents WHERE id IN (SELECT id FROM consents WHERE expires_at <= ?1 \
         ORDER BY expires_at, id LIMIT ?2)",
    ],
    [
        "",
        "DELETE FROM assertions WHERE (client_id, jti) IN (SELECT client_id, jti FROM assertions WHERE expires_at <= ?1 \
         ORDER BY expires_at LIMIT ?2)",
    ],
];
