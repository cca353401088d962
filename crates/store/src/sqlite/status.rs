//! The references of status lists, and logout status JWTs.

use rescind_ledger::{
    LogoutStatusJwt, Position, StatusList, StatusNames, StatusReference, StatusScan, StatusSlot, StatusView, Timestamp,
};
use rusqlite::{
    Connection, Row, params,
    types::{FromSqlError, ValueRef},
};

use super::cells::{Cells, Stored, bound, unreadable};

/// A list is found by its id and kept by a number: its id would stand in each of its references.
const OPEN: &str = "INSERT INTO status_lists (id, opened_at, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) \
                    DO UPDATE SET expires_at = excluded.expires_at WHERE excluded.expires_at > expires_at";
const INSERT: &str = "INSERT INTO status_references (list, idx, token, grant_id, session_id, user_id, device_id, client_id, \
                      audiences, key_id, epoch, seq, issued_at) SELECT number, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
                      ?11, ?12, ?13 FROM status_lists WHERE id = ?1";

pub(super) fn insert_reference(
    connection: &Connection,
    reference: &StatusReference,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let StatusSlot { list, index } = &reference.slot;
    connection.prepare_cached(OPEN)?.execute(params![list, at.0, reference.expires_at.0])?;
    let audiences = serde_json::to_string(&reference.audiences)
        .map_err(|why| rusqlite::Error::ToSqlConversionFailure(Box::new(why)))?;
    let (epoch, seq) = bound(reference.position);
    connection.prepare_cached(INSERT)?.execute(params![
        list,
        index,
        reference.token,
        reference.grant,
        reference.session,
        reference.user,
        reference.device,
        reference.client,
        audiences,
        reference.key,
        epoch,
        seq,
        reference.issued_at.0
    ])?;
    Ok(())
}

pub(super) fn insert_logout_jwt(connection: &Connection, jwt: &LogoutStatusJwt) -> rusqlite::Result<()> {
    let sql = "INSERT INTO logout_status_jwts (hash, id, grant_id, client_id, user_id, session_id, device_id, key_id, epoch, \
               seq, issued_at, expires_at, list, idx) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let (epoch, seq) = bound(jwt.position);
    connection.prepare_cached(sql)?.execute(params![
        jwt.hash.0,
        jwt.id,
        jwt.grant,
        jwt.client,
        jwt.user,
        jwt.session,
        jwt.device,
        jwt.key,
        epoch,
        seq,
        jwt.issued_at.0,
        jwt.expires_at.0,
        jwt.slot.list,
        jwt.slot.index
    ])?;
    Ok(())
}

const SCAN: &str = "SELECT r.idx, r.token, r.grant_id, r.session_id, r.user_id, r.device_id, r.client_id, r.audiences, \
                    r.key_id, r.epoch, r.seq, r.issued_at FROM status_lists AS l JOIN status_references AS r \
                    ON r.list = l.number WHERE l.id = ?1 ORDER BY r.idx";

/// Shows the references of a list, without a copy of any text: there are tens of thousands.
pub(super) fn scan(connection: &Connection, id: &str, scan: &mut dyn StatusScan) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(SCAN)?;
    let mut rows = statement.query([id])?;
    let mut audiences = Audiences::default();
    while let Some(row) = rows.next()? {
        let names = StatusNames {
            index: row.get(0)?,
            token: text(row, 1)?,
            grant: text(row, 2)?,
            session: text_or_none(row, 3)?,
            user: text_or_none(row, 4)?,
            device: text_or_none(row, 5)?,
        };
        if scan.wants(&names) {
            audiences.read(row, 7)?;
            let view = StatusView {
                names,
                client: text(row, 6)?,
                audiences: &audiences.read,
                key: text_or_none(row, 8)?,
                position: Position { epoch: row.get(9)?, seq: row.get::<_, i64>(10)?.cast_unsigned() },
                issued_at: Timestamp(row.get(11)?),
            };
            scan.take(&view);
        }
    }
    Ok(())
}

/// The audiences of the row before, which are mostly those of the next one too.
#[derive(Default)]
struct Audiences {
    text: String,
    read: Vec<String>,
}

impl Audiences {
    fn read(&mut self, row: &Row<'_>, column: usize) -> rusqlite::Result<()> {
        let found = text(row, column)?;
        if found != self.text {
            self.read = serde_json::from_str(found)
                .map_err(|_| unreadable(column, FromSqlError::Other("JSON not as expected".into())))?;
            found.clone_into(&mut self.text);
        }
        Ok(())
    }
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(|why| unreadable(column, why))
}

fn text_or_none<'r>(row: &'r Row<'_>, column: usize) -> rusqlite::Result<Option<&'r str>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        value => value.as_str().map(Some).map_err(|why| unreadable(column, why)),
    }
}

impl Stored for StatusList {
    const TABLE: &'static str = "status_lists";
    const COLUMNS: &'static str = "id, opened_at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self { id: cells.text()?, opened_at: cells.time()?, expires_at: cells.time()? })
    }
}
