//! Listings: a filter as SQL, and pages by key, so that no row is shown twice or skipped while others come and go.

use rescind_ledger::{AccessToken, Filter, Grant, Hash, Issuance, Page, Session, StoreError, Timestamp, Totals};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter, types::Value};

use super::{cells::Stored, fault::Within};

/// A table that can be listed under a [`Filter`], newest first.
pub(super) trait Listed: Stored {
    /// The column that says when a record was made.
    const MADE_AT: &'static str;
    /// The primary key, which breaks ties.
    const KEY: &'static str;
    /// One condition with one `?` for each member of the filter: user, client, audience, session, grant, device, token.
    const NARROW: [&'static str; 7];
    fn made_at(&self) -> i64;
}

/// The members of a filter in the order of [`Listed::NARROW`], from the one that leaves least to the one that leaves most.
const NARROWEST: [usize; 7] = [6, 4, 3, 5, 0, 1, 2];

impl Listed for Session {
    const MADE_AT: &'static str = "started_at";
    const KEY: &'static str = "id";
    const NARROW: [&'static str; 7] = [
        "user_id = ?",
        "EXISTS (SELECT 1 FROM grants AS g WHERE g.session_id = sessions.id AND g.client_id = ?)",
        "EXISTS (SELECT 1 FROM grants AS g, json_each(g.audiences) AS a WHERE g.session_id = sessions.id AND a.value = ?)",
        "id = ?",
        "id = (SELECT session_id FROM grants WHERE id = ?)",
        "device_id = ?",
        "id = (SELECT session_id FROM access_tokens WHERE id = ?)",
    ];

    fn made_at(&self) -> i64 {
        self.started_at.0
    }
}

impl Listed for Grant {
    const MADE_AT: &'static str = "issued_at";
    const KEY: &'static str = "number";
    const NARROW: [&'static str; 7] = [
        "user_id = ?",
        "client_id = ?",
        "EXISTS (SELECT 1 FROM json_each(audiences) AS a WHERE a.value = ?)",
        "session_id = ?",
        "id = ?",
        "device_id = ?",
        "id = (SELECT grant_id FROM access_tokens WHERE id = ?)",
    ];

    fn made_at(&self) -> i64 {
        self.issued_at.0
    }
}

impl Listed for AccessToken {
    const MADE_AT: &'static str = "issued_at";
    const KEY: &'static str = "number";
    // A token's session and device are those of its grant, and the grants have the indexes.
    const NARROW: [&'static str; 7] = [
        "user_id = ?",
        "client_id = ?",
        "EXISTS (SELECT 1 FROM json_each(audiences) AS a WHERE a.value = ?)",
        "grant_id IN (SELECT id FROM grants WHERE session_id = ?)",
        "grant_id = ?",
        "grant_id IN (SELECT id FROM grants WHERE device_id = ?)",
        "id = ?",
    ];

    fn made_at(&self) -> i64 {
        self.issued_at.0
    }
}

/// One page of the records that pass the filter.
pub(super) fn page<T: Listed>(
    connection: &Connection,
    filter: &Filter,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<T>, StoreError> {
    let (mut conditions, mut values) = narrow::<T>(filter);
    let (beyond, order) = if filter.oldest_first { (">", "ASC") } else { ("<", "DESC") };
    if let Some(cursor) = cursor {
        conditions.push(format!("({}, {}) {beyond} (?, ?)", T::MADE_AT, T::KEY));
        values.extend(read_cursor::<T>(filter, cursor)?);
    }
    values.push(Value::Integer(wanted(limit)));
    let sql = format!(
        "SELECT {}, {} AS key FROM {} WHERE {} ORDER BY {} {order}, {} {order} LIMIT ?",
        T::COLUMNS,
        T::KEY,
        T::TABLE,
        conditions.join(" AND "),
        T::MADE_AT,
        T::KEY
    );
    let mut statement = connection.prepare_cached(&sql).within(T::TABLE)?;
    let read = |row: &Row<'_>| Ok((T::of(row)?, row.get::<_, Value>("key")?));
    let rows = statement.query_map(params_from_iter(values), read).within(T::TABLE)?;
    let rows = rows.collect::<rusqlite::Result<Vec<(T, Value)>>>().within(T::TABLE)?;
    let page = cut(rows, limit, |(last, key)| {
        let key = match key {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => hex(text.as_bytes()),
            _ => String::new(),
        };
        format!("{}.{}.{key}", filter_mark::<T>(filter), last.made_at())
    });
    Ok(Page { items: page.items.into_iter().map(|(item, _)| item).collect(), next: page.next })
}

/// The filter as conditions, with their values. Only the narrowest of them may choose the index: a plus before a column
/// keeps the others from it, since without statistics SQLite takes a user for as good as an application.
pub(super) fn narrow<T: Listed>(filter: &Filter) -> (Vec<String>, Vec<Value>) {
    let members =
        [&filter.user, &filter.client, &filter.audience, &filter.session, &filter.grant, &filter.device, &filter.token];
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    for place in NARROWEST {
        let (Some(Some(value)), Some(condition)) = (members.get(place), T::NARROW.get(place)) else { continue };
        let plus = if conditions.is_empty() { "" } else { "+" };
        conditions.push(format!("{plus}{condition}"));
        values.push(Value::Text(value.clone()));
    }
    if let Some(moment) = filter.live_at {
        conditions.push("+expires_at > ?".to_owned());
        values.push(Value::Integer(moment.0));
    }
    if conditions.is_empty() {
        conditions.push("1".to_owned());
    }
    (conditions, values)
}

/// What a cursor belongs to: to go on with it under another filter would skip or repeat.
fn filter_mark<T: Listed>(filter: &Filter) -> String {
    let Filter { user, client, audience, session, grant, device, token, live_at, oldest_first } = filter;
    let names = [user, client, audience, session, grant, device, token].map(|name| name.as_deref());
    let flag = |on: bool| on.then_some("1");
    let flags = [Some(T::TABLE), flag(live_at.is_some()), flag(*oldest_first)];
    mark(&[&flags[..], &names[..]].concat())
}

/// Some characters that tell one filter from another.
pub(super) fn mark(parts: &[Option<&str>]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Some(part) => text.push_str(&format!("{}:{part}", part.len())),
            None => text.push('-'),
        }
    }
    hex(&Hash::of(&text).0[..6])
}

/// One more than asked for, to see whether there is more.
pub(super) fn wanted(limit: u32) -> i64 {
    i64::from(limit.max(1)) + 1
}

pub(super) fn cut<T>(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(cursor);
    Page { items, next }
}

fn read_cursor<T: Listed>(filter: &Filter, cursor: &str) -> Result<[Value; 2], StoreError> {
    let read = || {
        let mut parts = cursor.splitn(3, '.');
        let (mark, made_at, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = match T::KEY {
            "number" => Value::Integer(key.parse().ok()?),
            _ => Value::Text(String::from_utf8(unhex(key)?).ok()?),
        };
        Some([Value::Integer(made_at.parse().ok()?), key]).filter(|_| mark == filter_mark::<T>(filter))
    };
    read().ok_or(StoreError::Cursor)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// What was issued under each of these grants.
pub(super) fn issuances(connection: &Connection, grants: &[&str]) -> rusqlite::Result<Vec<Option<Issuance>>> {
    let sql = "SELECT issued_at, (SELECT max(issued_at) FROM access_tokens WHERE grant_id = ?1), \
               (SELECT max(issued_at) FROM refresh_tokens WHERE grant_id = ?1) FROM grants WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let (first, access, refresh): (i64, Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let last = [access, refresh].into_iter().flatten().fold(first, i64::max);
        Ok(Issuance { first: Timestamp(first), last: Timestamp(last), refresh: refresh.is_some() })
    };
    grants.iter().map(|grant| statement.query_row([grant], read).optional()).collect()
}

pub(super) fn totals(connection: &Connection, now: Timestamp) -> rusqlite::Result<Totals> {
    let count = |sql: &str, values: &[i64]| {
        connection.prepare_cached(sql)?.query_row(params_from_iter(values), |row| row.get::<_, i64>(0))
    };
    Ok(Totals {
        users: count("SELECT count(*) FROM users", &[])?.unsigned_abs(),
        sessions: count("SELECT count(*) FROM sessions WHERE due_at > ?1", &[now.0])?.unsigned_abs(),
        access_tokens: count("SELECT count(*) FROM access_tokens WHERE expires_at > ?1", &[now.0])?.unsigned_abs(),
    })
}

pub(super) fn entries_by_time(
    connection: &Connection,
    since: Timestamp,
    width: i64,
) -> rusqlite::Result<Vec<(Timestamp, u64)>> {
    let sql = "SELECT time / ?2 * ?2, count(*) FROM entries WHERE time >= ?1 GROUP BY 1 ORDER BY 1";
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| Ok((Timestamp(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs()));
    statement.query_map([since.0, width.max(1)], read)?.collect()
}
