//! The store as of one commit, read by several connections at once, and only the columns that a count needs.

use std::{ops::ControlFlow, sync::Arc};

use rescind_ledger::{
    AccessToken, CensusRow, CensusScan, Countable, Filter, Grant, Piece, Position, Session, SessionClock,
    SessionClocks, SessionValidation, Snapshot, StoreError, Timestamp,
};
use rusqlite::{
    Connection, OptionalExtension, Row, params_from_iter,
    types::{FromSqlError, Value},
};

use super::{
    cells::{Stored, unreadable},
    fault::Within,
    listing::{Listed, narrow},
    mark_of,
    reads::Pool,
};

/// How often views are opened anew until all are of one commit.
const TRIES: usize = 20;

/// A connection in a read transaction.
pub struct SqliteSnapshot {
    pool: Arc<Pool>,
    connection: Option<Connection>,
}

impl SqliteSnapshot {
    /// Opens so many views. Each sees a commit as of its own beginning: they belong together if no commit came between, which
    /// the count of commits in the database tells.
    pub(super) fn open(pool: &Arc<Pool>, readers: usize) -> Result<Vec<Self>, StoreError> {
        for _ in 0..TRIES {
            let views = (0..readers.max(1)).map(|_| Self::begin(pool)).collect::<Result<Vec<_>, _>>()?;
            let commits = views.iter().map(Self::commits).collect::<Result<Vec<_>, _>>()?;
            if commits.windows(2).all(|pair| pair.first() == pair.last()) {
                return Ok(views);
            }
        }
        Ok(vec![Self::begin(pool)?])
    }

    fn begin(pool: &Arc<Pool>) -> Result<Self, StoreError> {
        let view = Self { pool: pool.clone(), connection: Some(pool.take()) };
        view.connection()?.execute_batch("BEGIN").within("transaction")?;
        // The transaction begins with the first read.
        view.commits()?;
        Ok(view)
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("no connection".to_owned()))
    }

    fn commits(&self) -> Result<u64, StoreError> {
        Ok(mark_of(self.connection()?)?.commits)
    }
}

impl Drop for SqliteSnapshot {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Nothing was written. Should this fail, so does the next BEGIN.
            let _ = connection.execute_batch("ROLLBACK");
            self.pool.put_back(connection);
        }
    }
}

/// In which measure the records of a filter are cut into pieces.
enum Measure {
    /// In the order of their rows: all are looked at.
    Number,
    /// By when they were made, in the index of the column that the filter narrows.
    MadeAt(&'static str),
    /// Few, or not evenly: in one piece.
    Whole,
}

fn measure(filter: &Filter) -> Measure {
    let narrow = [&filter.token, &filter.grant, &filter.session, &filter.device];
    match (&filter.user, &filter.client) {
        _ if narrow.iter().any(|member| member.is_some()) => Measure::Whole,
        (Some(_), _) => Measure::MadeAt("user_id = ?1"),
        (None, Some(_)) => Measure::MadeAt("client_id = ?1"),
        (None, None) => Measure::Number,
    }
}

impl Snapshot for SqliteSnapshot {
    fn head(&self) -> Result<Position, StoreError> {
        Ok(mark_of(self.connection()?)?.head)
    }

    fn pieces(&self, of: Countable, filter: &Filter, most: u32) -> Result<Vec<Piece>, StoreError> {
        let table = match of {
            Countable::Sessions => return Ok(vec![Piece { of, span: None }]),
            Countable::Grants => Grant::TABLE,
            Countable::AccessTokens => AccessToken::TABLE,
        };
        let named = filter.user.as_ref().or(filter.client.as_ref());
        let ends = |column: &str, condition: &str| {
            let sql = format!(
                "SELECT (SELECT min({column}) FROM {table} WHERE {condition}), (SELECT max({column}) FROM {table} WHERE {condition})"
            );
            let mut statement = self.connection()?.prepare_cached(&sql).within(table)?;
            let read = |row: &Row<'_>| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?));
            let values = named.filter(|_| condition.contains('?'));
            statement.query_row(params_from_iter(values), read).within(table)
        };
        let ends = match measure(filter) {
            Measure::Number => ends("number", "1")?,
            Measure::MadeAt(condition) => ends("issued_at", condition)?,
            Measure::Whole => return Ok(vec![Piece { of, span: None }]),
        };
        Ok(ends.map_or_else(Vec::new, |ends| cut(ends, most).map(|span| Piece { of, span: Some(span) }).collect()))
    }

    fn scan(&self, piece: Piece, filter: &Filter, scan: &mut dyn CensusScan) -> Result<(), StoreError> {
        let connection = self.connection()?;
        match piece.of {
            Countable::Sessions => scan_sessions(connection, filter, scan),
            Countable::Grants => scan_rows::<Grant>(self, piece, filter, GRANT, scan),
            Countable::AccessTokens => scan_rows::<AccessToken>(self, piece, filter, TOKEN, scan),
        }
    }
}

/// Cuts a closed range into at most so many half-open ones.
fn cut((first, last): (i64, i64), most: u32) -> impl Iterator<Item = (i64, i64)> {
    let width = (last.saturating_sub(first) / i64::from(most.max(1))).saturating_add(1);
    let starts = std::iter::successors(Some(first), move |start| start.checked_add(width));
    starts.take_while(move |start| *start <= last).map(move |start| (start, start.saturating_add(width)))
}

const TOKEN: &str = "id, grant_id, client_id, user_id, session_id, session_validation, device_id, audiences, key_id, epoch, seq, \
                     auth_time, issued_at, expires_at";
const GRANT: &str = "NULL, id, client_id, user_id, session_id, session_bound, device_id, audiences, NULL, epoch, seq, auth_time, \
                     issued_at, expires_at";

fn scan_rows<T: Listed>(
    view: &SqliteSnapshot,
    piece: Piece,
    filter: &Filter,
    columns: &str,
    scan: &mut dyn CensusScan,
) -> Result<(), StoreError> {
    let (mut conditions, mut values) = narrow::<T>(&Filter { audience: None, ..filter.clone() });
    if let Some(audience) = &filter.audience {
        // As it stands between its quotation marks: to read a million JSON arrays takes too long.
        let written = serde_json::to_string(audience).map_err(|why| StoreError::Unavailable(why.to_string()))?;
        conditions.push("instr(audiences, ?) > 0".to_owned());
        values.push(Value::Text(written));
    }
    if let Some((from, to)) = piece.span {
        let by = if matches!(measure(filter), Measure::Number) { "number" } else { T::MADE_AT };
        conditions.push(format!("{by} >= ? AND {by} < ?"));
        values.extend([Value::Integer(from), Value::Integer(to)]);
    }
    let sql = format!("SELECT {columns} FROM {} WHERE {}", T::TABLE, conditions.join(" AND "));
    let mut statement = view.connection()?.prepare_cached(&sql).within(T::TABLE)?;
    let mut rows = statement.query(params_from_iter(values)).within(T::TABLE)?;
    while let Some(row) = rows.next().within(T::TABLE)? {
        let row = read(row, piece.of).within(T::TABLE)?;
        if scan.take(&row, view)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// A row without a copy of any text: there may be a million.
fn read<'r>(row: &'r Row<'_>, of: Countable) -> rusqlite::Result<CensusRow<'r>> {
    let may = |column: usize| -> rusqlite::Result<Option<&'r str>> {
        row.get_ref(column)?.as_str_or_null().map_err(|why| unreadable(column, why))
    };
    let text = |column: usize| may(column)?.ok_or_else(|| unreadable(column, FromSqlError::InvalidType));
    let bits: u8 = row.get(5)?;
    let session_validation = match of {
        Countable::AccessTokens => SessionValidation::from_bits(bits),
        _ if bits != 0 => SessionValidation::ALL,
        _ => SessionValidation::NONE,
    };
    Ok(CensusRow {
        token: may(0)?,
        grant: text(1)?,
        client: text(2)?,
        user: may(3)?,
        session: may(4)?,
        session_validation,
        device: may(6)?,
        audiences: text(7)?,
        key: may(8)?,
        position: Position { epoch: row.get(9)?, seq: row.get::<_, i64>(10)?.cast_unsigned() },
        auth_time: row.get::<_, Option<i64>>(11)?.map(Timestamp),
        issued_at: Timestamp(row.get(12)?),
        expires_at: Timestamp(row.get(13)?),
    })
}

fn scan_sessions(connection: &Connection, filter: &Filter, scan: &mut dyn CensusScan) -> Result<(), StoreError> {
    let (conditions, values) = narrow::<Session>(filter);
    let sql = format!("SELECT {} FROM sessions WHERE {}", Session::COLUMNS, conditions.join(" AND "));
    let mut statement = connection.prepare_cached(&sql).within("sessions")?;
    let mut rows = statement.query(params_from_iter(values)).within("sessions")?;
    while let Some(row) = rows.next().within("sessions")? {
        let session = <Session as Stored>::of(row).within("sessions")?;
        if let ControlFlow::Break(()) = scan.take_session(&session) {
            break;
        }
    }
    Ok(())
}

impl SessionClocks for SqliteSnapshot {
    fn find_clock(&self, session: &str) -> Result<Option<SessionClock>, StoreError> {
        let sql = "SELECT touched_at, idle_secs, expires_at FROM sessions WHERE id = ?1";
        let mut statement = self.connection()?.prepare_cached(sql).within("sessions")?;
        let read = |row: &Row<'_>| {
            Ok(SessionClock {
                touched_at: Timestamp(row.get(0)?),
                idle_secs: row.get(1)?,
                expires_at: Timestamp(row.get(2)?),
            })
        };
        statement.query_row([session], read).optional().within("sessions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_range_once() {
        for (first, last, most) in [(0, 0, 4), (1, 100, 7), (-5, 5, 3), (3, 4, 100), (0, 99, 1)] {
            let pieces: Vec<_> = cut((first, last), most).collect();
            assert!(pieces.len() <= usize::try_from(most).unwrap(), "{pieces:?}");
            let covered: Vec<i64> = pieces.iter().flat_map(|(from, to)| *from..*to).filter(|n| *n <= last).collect();
            assert_eq!(covered, (first..=last).collect::<Vec<_>>());
        }
        assert_eq!(cut((i64::MAX - 1, i64::MAX), 1).next(), Some((i64::MAX - 1, i64::MAX)));
    }
}
