//! Listings: a filter as SQL, and pages by key, so that no row is shown twice or skipped while others come and go.

use rescind_ledger::{AccessToken, Device, Filter, Grant, Page, Session, StoreError, User};
use rusqlite::{Connection, Row, params, params_from_iter, types::Value};

use super::{
    cells::{Cells, Stored},
    fault::Within,
};

/// A table that can be listed under a [`Filter`], newest first.
pub(super) trait Listed: Stored {
    /// The column that says when a record was made.
    const MADE_AT: &'static str;
    /// The primary key, which breaks ties.
    const KEY: &'static str;
    /// One condition with one `?` for each member of the filter: user, client, audience, session, grant, device, token.
    const NARROW: [&'static str; 7];
    fn made_at(&self) -> i64;
    fn key(&self) -> Vec<u8>;
    /// The key as SQLite compares it.
    fn key_value(key: Vec<u8>) -> Option<Value>;
}

fn text(key: Vec<u8>) -> Option<Value> {
    String::from_utf8(key).ok().map(Value::Text)
}

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

    fn key(&self) -> Vec<u8> {
        self.id.clone().into_bytes()
    }

    fn key_value(key: Vec<u8>) -> Option<Value> {
        text(key)
    }
}

impl Listed for Grant {
    const MADE_AT: &'static str = "issued_at";
    const KEY: &'static str = "id";
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

    fn key(&self) -> Vec<u8> {
        self.id.clone().into_bytes()
    }

    fn key_value(key: Vec<u8>) -> Option<Value> {
        text(key)
    }
}

impl Listed for AccessToken {
    const MADE_AT: &'static str = "issued_at";
    const KEY: &'static str = "hash";
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

    fn key(&self) -> Vec<u8> {
        self.hash.0.to_vec()
    }

    fn key_value(key: Vec<u8>) -> Option<Value> {
        Some(Value::Blob(key))
    }
}

/// One page of the records that pass the filter.
pub(super) fn page<T: Listed>(
    connection: &Connection,
    filter: &Filter,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<T>, StoreError> {
    let members =
        [&filter.user, &filter.client, &filter.audience, &filter.session, &filter.grant, &filter.device, &filter.token];
    let mut conditions = vec!["1".to_owned()];
    let mut values = Vec::new();
    for (member, condition) in members.into_iter().zip(T::NARROW) {
        if let Some(value) = member {
            conditions.push(condition.to_owned());
            values.push(Value::Text(value.clone()));
        }
    }
    if let Some(moment) = filter.live_at {
        conditions.push("expires_at > ?".to_owned());
        values.push(Value::Integer(moment.0));
    }
    if let Some(cursor) = cursor {
        let (made_at, key) = read_cursor::<T>(cursor)?;
        conditions.push(format!("({}, {}) < (?, ?)", T::MADE_AT, T::KEY));
        values.extend([Value::Integer(made_at), key]);
    }
    values.push(Value::Integer(wanted(limit)));
    let sql = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {} DESC, {} DESC LIMIT ?",
        T::COLUMNS,
        T::TABLE,
        conditions.join(" AND "),
        T::MADE_AT,
        T::KEY
    );
    let mut statement = connection.prepare_cached(&sql).within(T::TABLE)?;
    let rows = statement.query_map(params_from_iter(values), T::of).within(T::TABLE)?;
    let items = rows.collect::<rusqlite::Result<Vec<T>>>().within(T::TABLE)?;
    Ok(cut(items, limit, |last| format!("{}.{}", last.made_at(), hex(&last.key()))))
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

fn read_cursor<T: Listed>(cursor: &str) -> Result<(i64, Value), StoreError> {
    let read = || {
        let (made_at, key) = cursor.split_once('.')?;
        Some((made_at.parse().ok()?, T::key_value(unhex(key)?)?))
    };
    read().ok_or(StoreError::Cursor)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// One page of all users, by id.
pub(super) fn users(connection: &Connection, cursor: Option<&str>, limit: u32) -> Result<Page<User>, StoreError> {
    let sql = format!("SELECT {} FROM users WHERE id > ?1 ORDER BY id LIMIT ?2", User::COLUMNS);
    let users = by_id(connection, &sql, cursor, limit, User::of).within("users")?;
    Ok(cut(users, limit, |user| user.id.clone()))
}

/// One page of all devices, by id.
pub(super) fn devices(connection: &Connection, cursor: Option<&str>, limit: u32) -> Result<Page<Device>, StoreError> {
    let sql = "SELECT body FROM devices WHERE id > ?1 ORDER BY id LIMIT ?2";
    let devices = by_id(connection, sql, cursor, limit, |row| Cells::of(row).json::<Device>()).within("devices")?;
    Ok(cut(devices, limit, |device| device.id.clone()))
}

fn by_id<T>(
    connection: &Connection,
    sql: &str,
    cursor: Option<&str>,
    limit: u32,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    // Nothing is below the empty text, and no id is empty.
    let after = cursor.unwrap_or("");
    connection.prepare_cached(sql)?.query_map(params![after, wanted(limit)], read)?.collect()
}
