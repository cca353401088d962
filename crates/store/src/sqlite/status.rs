//! The references of status lists, and logout status JWTs.

mod packed;

use rescind_ledger::{LogoutStatusJwt, StatusList, StatusReference, StatusScan, StatusSlot, StatusView, Timestamp};
use rusqlite::{Connection, params, types::FromSqlError};

use super::cells::{Cells, Stored, bound, unreadable};
use packed::{Unpacked, pack};

/// A list is found by its id and kept by a number: its id would stand in each of its references.
const OPEN: &str = "INSERT INTO status_lists (id, opened_at, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) \
                    DO UPDATE SET expires_at = excluded.expires_at WHERE excluded.expires_at > expires_at";
const INSERT: &str =
    "INSERT INTO status_references (list, idx, lineage) SELECT number, ?2, ?3 FROM status_lists WHERE id = ?1";

pub(super) fn insert_reference(
    connection: &Connection,
    reference: &StatusReference,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let StatusSlot { list, index } = &reference.slot;
    connection.prepare_cached(OPEN)?.execute(params![list, at.0, reference.expires_at.0])?;
    let audiences = serde_json::to_string(&reference.audiences)
        .map_err(|why| rusqlite::Error::ToSqlConversionFailure(Box::new(why)))?;
    let lineage = pack(reference, &audiences)
        .ok_or_else(|| rusqlite::Error::ToSqlConversionFailure("a name is too long to be one".into()))?;
    connection.prepare_cached(INSERT)?.execute(params![list, index, lineage])?;
    Ok(())
}

pub(super) fn insert_logout_jwt(connection: &Connection, jwt: &LogoutStatusJwt) -> rusqlite::Result<()> {
    let sql = "INSERT INTO logout_status_jwts (hash, id, grant_id, client_id, user_id, session_id, device_id, key_id, epoch, \
               seq, auth_time, issued_at, expires_at, list, idx) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
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
        jwt.auth_time.0,
        jwt.issued_at.0,
        jwt.expires_at.0,
        jwt.slot.list,
        jwt.slot.index
    ])?;
    Ok(())
}

const SCAN: &str = "SELECT r.idx, r.lineage FROM status_lists AS l JOIN status_references AS r ON r.list = l.number \
                    WHERE l.id = ?1 ORDER BY r.idx";

/// Shows the references of a list, without a copy of any text: there are tens of thousands.
pub(super) fn scan(connection: &Connection, id: &str, scan: &mut dyn StatusScan) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(SCAN)?;
    let mut rows = statement.query([id])?;
    let mut audiences = Audiences::default();
    while let Some(row) = rows.next()? {
        let lineage = row.get_ref(1)?.as_blob().map_err(|why| unreadable(1, why))?;
        let unpacked = Unpacked::read(row.get(0)?, lineage).ok_or_else(unexpected)?;
        if scan.wants(&unpacked.names) {
            let names = unpacked.names;
            let rest = unpacked.rest().ok_or_else(unexpected)?;
            audiences.read(rest.audiences)?;
            scan.take(&StatusView {
                names,
                client: rest.client,
                audiences: &audiences.read,
                key: rest.key,
                position: rest.position,
                root_time: rest.root_time,
                issued_at: rest.issued_at,
            });
        }
    }
    Ok(())
}

fn unexpected() -> rusqlite::Error {
    unreadable(1, FromSqlError::Other("not as expected".into()))
}

/// The audiences of the row before, which are mostly those of the next one too.
#[derive(Default)]
struct Audiences {
    text: String,
    read: Vec<String>,
}

impl Audiences {
    fn read(&mut self, found: &str) -> rusqlite::Result<()> {
        if found != self.text {
            self.read = serde_json::from_str(found).map_err(|_| unexpected())?;
            found.clone_into(&mut self.text);
        }
        Ok(())
    }
}

impl Stored for StatusList {
    const TABLE: &'static str = "status_lists";
    const COLUMNS: &'static str = "id, opened_at, expires_at";

    fn read(cells: &mut Cells<'_, '_>) -> rusqlite::Result<Self> {
        Ok(Self { id: cells.text()?, opened_at: cells.time()?, expires_at: cells.time()? })
    }
}
