//! Listing entries: in the order of time, which an index has, a bounded stretch at a time.

use rescind_ledger::{Entry, EntryFilter, Page, Position, StoreError};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};

use super::{
    cells::{Cells, Stored, bound},
    fault::Within,
};

/// The most entries that one call looks at. What is rare takes several calls, and none of them long.
const LOOKED_AT: usize = 20_000;

const TABLE: &str = Entry::TABLE;

pub(super) fn after(connection: &Connection, after: Position, limit: u32) -> rusqlite::Result<Vec<Entry>> {
    let (epoch, seq) = bound(after);
    let sql =
        format!("SELECT {} FROM entries WHERE (epoch, seq) > (?1, ?2) ORDER BY epoch, seq LIMIT ?3", Entry::COLUMNS);
    connection.prepare_cached(&sql)?.query_map(params![epoch, seq, limit], Entry::of)?.collect()
}

/// The newest first. Time says what is newest: only a clock that was set back makes that another order than the positions'.
pub(super) fn listed(
    connection: &Connection,
    filter: &EntryFilter,
    before: Option<Position>,
    limit: u32,
) -> Result<Page<Entry>, StoreError> {
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    if let Some(since) = filter.since {
        conditions.push("time >= ?".to_owned());
        values.push(Value::Integer(since.0));
    }
    if let Some(until) = filter.until {
        conditions.push("time < ?".to_owned());
        values.push(Value::Integer(until.0));
    }
    if let Some(before) = before {
        let Some(time) = time_of(connection, before).within(TABLE)? else {
            // What the cursor named is forgotten, and everything older with it.
            return Ok(Page { items: Vec::new(), next: None });
        };
        let (epoch, seq) = bound(before);
        conditions.push("(time, epoch, seq) < (?, ?, ?)".to_owned());
        values.extend([Value::Integer(time), Value::Integer(epoch.into()), Value::Integer(seq)]);
    }
    let sql = format!(
        "SELECT {} FROM entries WHERE {} ORDER BY time DESC, epoch DESC, seq DESC LIMIT {LOOKED_AT}",
        Entry::COLUMNS,
        conditions.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&sql).within(TABLE)?;
    let mut rows = statement.query(params_from_iter(values)).within(TABLE)?;
    let most = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
    let (mut items, mut looked, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next().within(TABLE)? {
        if items.len() == most {
            return Ok(Page { next: last, items });
        }
        looked += 1;
        last = Some(Cells::of(row).position().within(TABLE)?.to_string());
        let entry = Entry::of(row).within(TABLE)?;
        if passes(filter, &entry) {
            items.push(entry);
        }
    }
    Ok(Page { items, next: last.filter(|_| looked == LOOKED_AT) })
}

fn passes(filter: &EntryFilter, entry: &Entry) -> bool {
    filter.kind.is_none_or(|kind| kind == entry.target.kind())
        && filter.reason.is_none_or(|reason| reason == entry.reason)
        && filter.initiator.as_deref().is_none_or(|id| id == entry.initiator.id())
}

fn time_of(connection: &Connection, position: Position) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT time FROM entries WHERE epoch = ?1 AND seq = ?2";
    connection.prepare_cached(sql)?.query_row(bound(position), |row| row.get(0)).optional()
}
