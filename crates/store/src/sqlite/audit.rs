//! The audit trail in its table: where it ends, and how its beginning is forgotten.

use rescind_ledger::{AuditHead, AuditRecord, ForgottenAudit, Timestamp};
use rusqlite::{Connection, OptionalExtension, Statement, params};

use super::cells::Cells;

/// The records of one transaction. They are written together when it commits: a statement for each would cost an order as much as
/// its entry does.
#[derive(Default)]
pub(super) struct Waiting {
    records: Vec<AuditRecord>,
    /// How many there were when each job that is not over began, the innermost last.
    before_jobs: Vec<usize>,
}

/// How many records one statement writes.
const TOGETHER: usize = 16;

impl Waiting {
    pub(super) fn begin_job(&mut self) {
        self.before_jobs.push(self.records.len());
    }

    pub(super) fn keep_job(&mut self) {
        self.before_jobs.pop();
    }

    pub(super) fn undo_job(&mut self) {
        let kept = self.before_jobs.pop().unwrap_or(self.records.len());
        self.records.truncate(kept);
    }

    pub(super) fn push(&mut self, record: AuditRecord) {
        self.records.push(record);
    }

    /// The last of them.
    pub(super) fn head(&self) -> Option<AuditHead> {
        self.records.last().map(|record| AuditHead { seq: record.seq, hash: record.hash })
    }

    pub(super) fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        let several =
            format!("INSERT INTO audit (seq, at, body, hash) VALUES {}", ["(?, ?, ?, ?)"; TOGETHER].join(", "));
        for records in self.records.chunks(TOGETHER) {
            if records.len() == TOGETHER {
                insert(&mut *connection.prepare_cached(&several)?, records)?;
                continue;
            }
            let mut one = connection.prepare_cached("INSERT INTO audit (seq, at, body, hash) VALUES (?, ?, ?, ?)")?;
            records.iter().try_for_each(|record| insert(&mut one, std::slice::from_ref(record)))?;
        }
        Ok(())
    }
}

fn insert(statement: &mut Statement<'_>, records: &[AuditRecord]) -> rusqlite::Result<()> {
    for (place, record) in records.iter().enumerate() {
        let first = place * 4;
        statement.raw_bind_parameter(first + 1, record.seq.cast_signed())?;
        statement.raw_bind_parameter(first + 2, record.at.0)?;
        statement.raw_bind_parameter(first + 3, &record.body)?;
        statement.raw_bind_parameter(first + 4, record.hash.0)?;
    }
    statement.raw_execute().map(drop)
}

/// The last record there is; where the chain begins if there is none.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let last = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let mut statement = connection.prepare_cached(last)?;
    let found = statement.query_row([], |row| Cells::of(row).audit_head()).optional()?;
    found.map_or_else(|| floor(connection), Ok)
}

/// The last record that was forgotten.
fn floor(connection: &Connection) -> rusqlite::Result<AuditHead> {
    let sql = "SELECT audit_floor_seq, audit_floor_hash FROM meta";
    connection.prepare_cached(sql)?.query_row([], |row| Cells::of(row).audit_head())
}

/// The last record that was forgotten and the last there is, by one statement: as of one moment.
pub(super) fn span(connection: &Connection) -> rusqlite::Result<(AuditHead, AuditHead)> {
    let sql = "SELECT audit_floor_seq, audit_floor_hash, ifnull(seq, audit_floor_seq), ifnull(hash, audit_floor_hash) \
               FROM meta LEFT JOIN (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1)";
    connection.prepare_cached(sql)?.query_row([], |row| {
        let mut cells = Cells::of(row);
        Ok((cells.audit_head()?, cells.audit_head()?))
    })
}

/// Removes the oldest records, as far as a signed head vouches for them: it must stay to be compared with what follows.
///
/// Only the first `limit` records are looked at: a search for old ones among all would read the whole trail whenever none is.
pub(super) fn forget(connection: &Connection, before: Timestamp, limit: u32) -> rusqlite::Result<ForgottenAudit> {
    let sql = "SELECT seq, hash, at < ?1 AND seq <= (SELECT ifnull(max(seq), 0) FROM audit_heads) FROM audit \
               ORDER BY seq LIMIT ?2";
    let mut last = None;
    {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![before.0, limit])?;
        while let Some(row) = rows.next()? {
            let mut cells = Cells::of(row);
            let head = cells.audit_head()?;
            if !cells.take::<bool>()? {
                break;
            }
            last = Some(head);
        }
    }
    let Some(last) = last else { return Ok(ForgottenAudit::default()) };
    let seq = last.seq.cast_signed();
    let raise = "UPDATE meta SET audit_floor_seq = ?1, audit_floor_hash = ?2";
    connection.prepare_cached(raise)?.execute(params![seq, last.hash.0])?;
    connection.prepare_cached("DELETE FROM audit_heads WHERE seq < ?1")?.execute([seq])?;
    let rows = connection.prepare_cached("DELETE FROM audit WHERE seq <= ?1")?.execute([seq])?;
    Ok(ForgottenAudit { rows: rows as u64, last: Some(last.seq) })
}
