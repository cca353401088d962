//! Pending orders and bulk jobs: each a body in JSON beside the columns by which it is looked for.

use rescind_ledger::{BulkFailure, BulkJob, Page, PendingOrder, StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, Params, Result, params};
use serde::de::DeserializeOwned;

use super::{
    cells::Cells,
    fault::Within,
    listing::{cut, wanted},
};

pub(super) const FIND: &str = "SELECT body FROM pending_orders WHERE id = ?1";
pub(super) const FIND_BY_KEY: &str = "SELECT body FROM pending_orders WHERE initiator = ?1 AND key = ?2";
pub(super) const DUE: &str = "SELECT body FROM pending_orders WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2";
pub(super) const FIND_BULK: &str = "SELECT body FROM bulk_jobs WHERE id = ?1";
pub(super) const OPEN_BULK: &str = "SELECT body FROM bulk_jobs WHERE closed_at IS NULL ORDER BY ordered_at, id";

pub(super) fn find<T: DeserializeOwned>(connection: &Connection, sql: &str, id: &str) -> Result<Option<T>> {
    connection.prepare_cached(sql)?.query_row([id], |row| Cells::of(row).json()).optional()
}

pub(super) fn bodies<T: DeserializeOwned>(connection: &Connection, sql: &str, params: impl Params) -> Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, |row| Cells::of(row).json())?.collect()
}

/// `initiator` and `body` are JSON.
pub(super) fn put(connection: &Connection, pending: &PendingOrder, initiator: &str, body: &str) -> Result<()> {
    let sql = "INSERT INTO pending_orders (id, state, initiator, key, ordered_at, due_at, closed_at, body) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET state = excluded.state, \
               due_at = excluded.due_at, closed_at = excluded.closed_at, body = excluded.body";
    let row = params![
        pending.id,
        pending.state.word(),
        initiator,
        pending.order.idempotency_key,
        pending.ordered_at.0,
        pending.due_at().map(|at| at.0),
        pending.state.closed_at().map(|at| at.0),
        body
    ];
    connection.prepare_cached(sql)?.execute(row).map(drop)
}

pub(super) fn put_bulk(connection: &Connection, job: &BulkJob, body: &str) -> Result<()> {
    let sql = "INSERT INTO bulk_jobs (id, ordered_at, closed_at, body) VALUES (?1, ?2, ?3, ?4) \
               ON CONFLICT (id) DO UPDATE SET closed_at = excluded.closed_at, body = excluded.body";
    let closed_at = job.state.closed_at().map(|at| at.0);
    connection.prepare_cached(sql)?.execute(params![job.id, job.ordered_at.0, closed_at, body]).map(drop)
}

pub(super) fn page(
    connection: &Connection,
    state: Option<&str>,
    cursor: Option<&str>,
    limit: u32,
) -> std::result::Result<Page<PendingOrder>, StoreError> {
    let (at, id) = before(cursor)?;
    let sql = "SELECT body FROM pending_orders WHERE (?1 IS NULL OR state = ?1) AND (ordered_at, id) < (?2, ?3) \
               ORDER BY ordered_at DESC, id DESC LIMIT ?4";
    let items = bodies(connection, sql, params![state, at, id, wanted(limit)]).within("pending_orders")?;
    Ok(cut(items, limit, |last: &PendingOrder| format!("{}.{}", last.ordered_at.0, last.id)))
}

pub(super) fn page_of_bulk(
    connection: &Connection,
    cursor: Option<&str>,
    limit: u32,
) -> std::result::Result<Page<BulkJob>, StoreError> {
    let (at, id) = before(cursor)?;
    let sql = "SELECT body FROM bulk_jobs WHERE (ordered_at, id) < (?1, ?2) ORDER BY ordered_at DESC, id DESC LIMIT ?3";
    let items = bodies(connection, sql, params![at, id, wanted(limit)]).within("bulk_jobs")?;
    Ok(cut(items, limit, |last: &BulkJob| format!("{}.{}", last.ordered_at.0, last.id)))
}

/// What a page goes on before.
fn before(cursor: Option<&str>) -> std::result::Result<(i64, &str), StoreError> {
    let Some(cursor) = cursor else { return Ok((i64::MAX, "")) };
    let parts = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    parts.ok_or(StoreError::Cursor)
}

pub(super) fn piece(connection: &Connection, job: &str, place: u32) -> Result<Vec<String>> {
    let sql = "SELECT users FROM bulk_pieces WHERE job = ?1 AND place = ?2";
    let found = connection.prepare_cached(sql)?.query_row(params![job, place], |row| Cells::of(row).json()).optional();
    found.map(Option::unwrap_or_default)
}

pub(super) fn failures(
    connection: &Connection,
    job: &str,
    cursor: Option<&str>,
    limit: u32,
) -> std::result::Result<Page<BulkFailure>, StoreError> {
    let after = cursor.map_or(Ok(-1), |text| text.parse::<i64>().map_err(|_| StoreError::Cursor))?;
    let read = || -> Result<Vec<(i64, BulkFailure)>> {
        let sql =
            "SELECT number, user_id, why FROM bulk_failures WHERE job = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![job, after, wanted(limit)], |row| {
            Ok((row.get(0)?, BulkFailure { user: row.get(1)?, why: row.get(2)? }))
        })?;
        rows.collect()
    };
    let page = cut(read().within("bulk_failures")?, limit, |last| last.0.to_string());
    Ok(Page { items: page.items.into_iter().map(|(_, failure)| failure).collect(), next: page.next })
}

/// What hangs on a job goes with it.
pub(super) fn forget(connection: &Connection, before: Timestamp, limit: u32) -> Result<u64> {
    const JOBS: &str = "SELECT id FROM bulk_jobs WHERE closed_at < ?1 ORDER BY closed_at, id LIMIT ?2";
    let mut rows = 0;
    for sql in [
        format!("DELETE FROM bulk_pieces WHERE job IN ({JOBS})"),
        format!("DELETE FROM bulk_failures WHERE job IN ({JOBS})"),
    ] {
        connection.prepare_cached(&sql)?.execute(params![before.0, limit])?;
    }
    let orders = "SELECT id FROM pending_orders WHERE closed_at < ?1 ORDER BY closed_at, id LIMIT ?2";
    for sql in [
        format!("DELETE FROM bulk_jobs WHERE id IN ({JOBS})"),
        format!("DELETE FROM pending_orders WHERE id IN ({orders})"),
    ] {
        rows += connection.prepare_cached(&sql)?.execute(params![before.0, limit])? as u64;
    }
    Ok(rows)
}
