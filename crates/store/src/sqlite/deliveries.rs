//! What becomes of entries: when they took effect, what they ended, to whom they are on their way, and the names of their moment.

use rescind_ledger::{Attempt, Delivery, Effect, Identity, Position, Standing};
use rusqlite::{Connection, OptionalExtension, params, types::FromSqlError};

use super::cells::{Cells, Stored, bound, unreadable};

pub(super) const EFFECTS: &str = "effects";
pub(super) const IDENTITIES: &str = "past_identities";

impl Stored for Delivery {
    const TABLE: &'static str = "deliveries";
    const COLUMNS: &'static str =
        "epoch, seq, receiver, kind, state, attempts, made_at, first_at, last_at, next_at, last_error";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self {
            position: cells.position()?,
            receiver: cells.text()?,
            kind: cells.text()?,
            state: cells.text()?.parse().map_err(|()| unreadable(4, FromSqlError::Other("unknown state".into())))?,
            attempts: cells.take()?,
            made_at: cells.time()?,
            first_at: cells.time_or_none()?,
            last_at: cells.time_or_none()?,
            next_at: cells.time_or_none()?,
            last_error: cells.text_or_none()?,
        })
    }
}

impl Stored for Attempt {
    const TABLE: &'static str = "attempts";
    const COLUMNS: &'static str = "number, at, error";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self { number: cells.take()?, at: cells.time()?, error: cells.text_or_none()? })
    }
}

pub(super) fn put_effect(connection: &Connection, effect: &Effect) -> rusqlite::Result<()> {
    let sql = "INSERT INTO effects (epoch, last_seq, first_seq, durable_at, applied_at, at_latest) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let (epoch, last) = bound(effect.last);
    let (_, first) = bound(effect.first);
    let moments = (effect.durable_at.0, effect.applied_at.0);
    connection.prepare_cached(sql)?.execute(params![epoch, last, first, moments.0, moments.1, effect.at_latest])?;
    Ok(())
}

pub(super) fn find_effect(connection: &Connection, position: Position) -> rusqlite::Result<Option<Effect>> {
    let sql = "SELECT first_seq, last_seq, durable_at, applied_at, at_latest FROM effects \
               WHERE epoch = ?1 AND last_seq >= ?2 ORDER BY last_seq LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        let mut cells = Cells::of(row);
        let mut at = || Ok::<_, rusqlite::Error>(cells.take::<i64>()?.cast_unsigned());
        let (first, last) = (at()?, at()?);
        Ok(Effect {
            first: Position { seq: first, ..position },
            last: Position { seq: last, ..position },
            durable_at: cells.time()?,
            applied_at: cells.time()?,
            at_latest: cells.take()?,
        })
    };
    let found = connection.prepare_cached(sql)?.query_row(bound(position), read).optional()?;
    Ok(found.filter(|effect| effect.first <= position))
}

pub(super) fn insert(connection: &Connection, delivery: &Delivery) -> rusqlite::Result<()> {
    let sql = "INSERT INTO deliveries (epoch, seq, receiver, kind, state, attempts, made_at, first_at, last_at, next_at, \
               last_error) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
    let (epoch, seq) = bound(delivery.position);
    connection.prepare_cached(sql)?.execute(params![
        epoch,
        seq,
        delivery.receiver,
        delivery.kind,
        delivery.state.name(),
        delivery.attempts,
        delivery.made_at.0,
        delivery.first_at.map(|at| at.0),
        delivery.last_at.map(|at| at.0),
        delivery.next_at.map(|at| at.0),
        delivery.last_error
    ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, position: Position, receiver: &str) -> rusqlite::Result<Option<Delivery>> {
    let sql = format!("SELECT {} FROM deliveries WHERE epoch = ?1 AND seq = ?2 AND receiver = ?3", Delivery::COLUMNS);
    let (epoch, seq) = bound(position);
    connection.prepare_cached(&sql)?.query_row(params![epoch, seq, receiver], Delivery::of).optional()
}

pub(super) fn put_attempt(connection: &Connection, delivery: &Delivery, attempt: &Attempt) -> rusqlite::Result<()> {
    let sql = "UPDATE deliveries SET state = ?4, attempts = ?5, first_at = ?6, last_at = ?7, next_at = ?8, last_error = ?9 \
               WHERE epoch = ?1 AND seq = ?2 AND receiver = ?3";
    let (epoch, seq) = bound(delivery.position);
    connection.prepare_cached(sql)?.execute(params![
        epoch,
        seq,
        delivery.receiver,
        delivery.state.name(),
        delivery.attempts,
        delivery.first_at.map(|at| at.0),
        delivery.last_at.map(|at| at.0),
        delivery.next_at.map(|at| at.0),
        delivery.last_error
    ])?;
    let sql = "INSERT INTO attempts (epoch, seq, receiver, number, at, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![epoch, seq, delivery.receiver, attempt.number, attempt.at.0, attempt.error];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(super) fn keep_identity(
    connection: &Connection,
    user: &str,
    through: Position,
    identity: &Identity,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO past_identities (user_id, epoch, seq, user_name, email, display_name) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let (epoch, seq) = bound(through);
    let values = params![user, epoch, seq, identity.user_name, identity.email, identity.display_name];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The first change after the entry knows what held before it; without one, what holds now.
pub(super) fn find_identity(
    connection: &Connection,
    user: &str,
    position: Position,
) -> rusqlite::Result<Option<Identity>> {
    let past = "SELECT user_name, email, display_name FROM past_identities \
                WHERE user_id = ?1 AND (epoch, seq) >= (?2, ?3) ORDER BY epoch, seq LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Identity { user_name: row.get(0)?, email: row.get(1)?, display_name: row.get(2)? })
    };
    let (epoch, seq) = bound(position);
    let found = connection.prepare_cached(past)?.query_row(params![user, epoch, seq], read).optional()?;
    if found.is_some() {
        return Ok(found);
    }
    let present = "SELECT user_name, email, display_name FROM users WHERE id = ?1";
    connection.prepare_cached(present)?.query_row([user], read).optional()
}

/// Each receiver's counts come from indexes that hold little else, and its last attempt from the end of one.
pub(super) fn standings(connection: &Connection) -> rusqlite::Result<Vec<Standing>> {
    // A skip from name to name: the table may have a row for every entry.
    let names = "WITH RECURSIVE r (name) AS (SELECT min(receiver) FROM deliveries WHERE last_at IS NOT NULL UNION ALL \
                 SELECT (SELECT min(receiver) FROM deliveries WHERE last_at IS NOT NULL AND receiver > name) FROM r \
                 WHERE name IS NOT NULL) SELECT name FROM r WHERE name IS NOT NULL \
                 UNION SELECT receiver FROM deliveries WHERE state = 'pending' ORDER BY 1";
    let names: Vec<String> =
        connection.prepare_cached(names)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    names.into_iter().map(|receiver| standing(connection, receiver)).collect()
}

fn standing(connection: &Connection, receiver: String) -> rusqlite::Result<Standing> {
    let count = |condition: &str| {
        let sql = format!("SELECT count(*) FROM deliveries WHERE receiver = ?1 AND state = '{condition}'");
        connection.prepare_cached(&sql)?.query_row([&receiver], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
    };
    let (pending, gave_up) = (count("pending")?, count("gave_up")?);
    let newest = "SELECT attempts, last_at, last_error, kind FROM deliveries \
                  WHERE receiver = ?1 AND last_at IS NOT NULL ORDER BY last_at DESC LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| Ok((Attempt::of(row)?, row.get::<_, String>(3)?));
    let last = connection.prepare_cached(newest)?.query_row([&receiver], read).optional()?;
    let (last, kind) = match last {
        Some((attempt, kind)) => (Some(attempt), kind),
        None => {
            let kind = "SELECT kind FROM deliveries WHERE receiver = ?1 AND state = 'pending' LIMIT 1";
            let kind: Option<String> =
                connection.prepare_cached(kind)?.query_row([&receiver], |row| row.get(0)).optional()?;
            (None, kind.unwrap_or_default())
        }
    };
    Ok(Standing { receiver, kind, pending, gave_up, last })
}
