//! The audit trail in its table: where it ends, and how its beginning is forgotten.

use rescind_ledger::{AuditHead, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::cells::Cells;

/// The last record there is; where the chain begins if there is none.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let last = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let mut statement = connection.prepare_cached(last)?;
    let found = statement.query_row([], |row| Cells::of(row).audit_head()).optional()?;
    found.map_or_else(|| floor(connection), Ok)
}

/// The last record that was forgotten.
pub(super) fn floor(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let sql = "SELECT audit_floor_seq, audit_floor_hash FROM meta";
    connection.prepare_cached(sql)?.query_row([], |row| Cells::of(row).audit_head())
}

/// Removes the oldest records, as far as a signed head vouches for them: it must stay to be compared with what follows.
pub(super) fn forget(connection: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<u64> {
    let sql = "SELECT seq, hash FROM audit WHERE seq = (SELECT max(seq) FROM (SELECT seq FROM audit WHERE at < ?1 \
               AND seq <= (SELECT ifnull(max(seq), 0) FROM audit_heads) ORDER BY seq LIMIT ?2))";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| Cells::of(row).audit_head();
    let Some(last) = statement.query_row(params![before.0, limit], read).optional()? else { return Ok(0) };
    let seq = last.seq.cast_signed();
    let raise = "UPDATE meta SET audit_floor_seq = ?1, audit_floor_hash = ?2";
    connection.prepare_cached(raise)?.execute(params![seq, last.hash.0])?;
    connection.prepare_cached("DELETE FROM audit_heads WHERE seq < ?1")?.execute([seq])?;
    Ok(connection.prepare_cached("DELETE FROM audit WHERE seq <= ?1")?.execute([seq])? as u64)
}
