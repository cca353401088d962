//! Forgetting: removes what can never be honoured again, a bounded number of rows at a time.

use rescind_ledger::{Position, Swept, Timestamp};
use rusqlite::{Connection, Params, params};

use super::cells::bound;

/// Raises the floor, then forgets what lies at or below it and what has expired.
///
/// Of the two moments, the second counts for records that entries are still counted from.
pub(super) fn forget(
    connection: &Connection,
    floor: Position,
    moments: [Timestamp; 2],
    limit: u32,
) -> rusqlite::Result<Swept> {
    let [now, counted_from] = moments;
    let (epoch, seq) = bound(floor);
    let raise = "UPDATE meta SET floor_epoch = ?1, floor_seq = ?2 WHERE (floor_epoch, floor_seq) < (?1, ?2)";
    connection.prepare_cached(raise)?.execute(params![epoch, seq])?;
    let mut sweep = Sweep { connection, limit, swept: Swept::default() };
    // An entry that waits in the outbox, or has a delivery pending, is still to be told to somebody.
    sweep.remove(
        "DELETE FROM entries WHERE (epoch, seq) IN (SELECT epoch, seq FROM entries AS e WHERE (epoch, seq) <= (?1, ?2) \
         AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.epoch = e.epoch AND o.seq = e.seq) \
         AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.epoch = e.epoch AND d.seq = e.seq AND d.state = 'pending') \
         ORDER BY epoch, seq LIMIT ?3)",
        params![epoch, seq, limit],
    )?;
    for sql in WITH_ENTRIES {
        sweep.remove(sql, params![epoch, seq, limit])?;
    }
    sweep.remove(
        "DELETE FROM idempotency WHERE (initiator, key) IN (SELECT initiator, key FROM idempotency AS i \
         WHERE (epoch, seq) <= (?1, ?2) AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.epoch = i.epoch \
         AND e.seq = i.seq) ORDER BY epoch, seq LIMIT ?3)",
        params![epoch, seq, limit],
    )?;
    let counted = COUNTED.into_iter().map(|table| (table, counted_from));
    for ([parts, whole], moment) in EXPIRING.into_iter().map(|table| (table, now)).chain(counted) {
        if !parts.is_empty() {
            connection.prepare_cached(parts)?.execute(params![moment.0, limit])?;
        }
        sweep.remove(whole, params![moment.0, limit])?;
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

/// What goes with its entry: what has become of it.
const WITH_ENTRIES: [&str; 5] = [
    "DELETE FROM tallies WHERE (epoch, seq) IN (SELECT epoch, seq FROM tallies AS t WHERE (epoch, seq) <= (?1, ?2) \
     AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.epoch = t.epoch AND e.seq = t.seq) ORDER BY epoch, seq LIMIT ?3)",
    "DELETE FROM deliveries WHERE (epoch, seq, receiver) IN (SELECT epoch, seq, receiver FROM deliveries AS d \
     WHERE (epoch, seq) <= (?1, ?2) AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.epoch = d.epoch AND e.seq = d.seq) \
     ORDER BY epoch, seq LIMIT ?3)",
    "DELETE FROM attempts WHERE (epoch, seq, receiver, number) IN (SELECT epoch, seq, receiver, number FROM attempts AS a \
     WHERE (epoch, seq) <= (?1, ?2) AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.epoch = a.epoch AND e.seq = a.seq) \
     ORDER BY epoch, seq LIMIT ?3)",
    "DELETE FROM effects WHERE (epoch, last_seq) IN (SELECT epoch, last_seq FROM effects AS f WHERE (epoch, last_seq) <= (?1, ?2) \
     AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE e.epoch = f.epoch AND e.seq BETWEEN f.first_seq AND f.last_seq) \
     ORDER BY epoch, last_seq LIMIT ?3)",
    // Names go when no entry is left that was made under them.
    "DELETE FROM past_identities WHERE (user_id, epoch, seq) IN (SELECT user_id, epoch, seq FROM past_identities AS p \
     WHERE (epoch, seq) <= (?1, ?2) AND NOT EXISTS (SELECT 1 FROM entries AS e WHERE (e.epoch, e.seq) <= (p.epoch, p.seq)) \
     ORDER BY epoch, seq LIMIT ?3)",
];

/// For each kind of record: what hangs on it, and then itself. Both choose the same rows, the earliest to expire, so that
/// a use never goes before what was used, which would be usable again, nor stays behind.
const EXPIRING: [[&str; 2]; 7] = [
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
        "",
        "DELETE FROM logout_status_jwts WHERE hash IN (SELECT hash FROM logout_status_jwts WHERE expires_at <= ?1 \
         ORDER BY expires_at, hash LIMIT ?2)",
    ],
    [
        "",
        "DELETE FROM refresh_grants WHERE grant_id IN (SELECT grant_id FROM refresh_grants WHERE expires_at <= ?1 \
         ORDER BY expires_at LIMIT ?2)",
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

/// The same for the records that entries are counted from: they stay until that is done.
const COUNTED: [[&str; 2]; 3] = [
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
        "DELETE FROM grants WHERE number IN (SELECT number FROM grants WHERE expires_at <= ?1 \
         ORDER BY expires_at, number LIMIT ?2)",
    ],
];
