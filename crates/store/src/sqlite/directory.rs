//! Users and devices by their names: what is searched is kept in lower case, since SQLite itself knows the case of ASCII only.

use rescind_ledger::{Device, Hash, NameFilter, NameSort, Page, Role, StoreError, User};
use rusqlite::{Connection, Row, params, params_from_iter, types::Value};

use super::{
    cells::{Cells, Stored},
    fault::Within,
    listing::{cut, hex, mark, unhex, wanted},
};

/// A table whose rows people find by name.
pub(super) trait Named: Sized {
    const TABLE: &'static str;
    const COLUMNS: &'static str;
    /// The name by which they are sorted, in lower case.
    const NAME: &'static str;
    /// An index of those that are switched off, by name and by when they were made.
    const DISABLED: [&'static str; 2];
    /// The ids of those with a name in a range (`?1` to `?2`), each branch by an index of its own.
    const FOUND: &'static str;
    /// The same as a condition on one row.
    const MATCHES: &'static str;
    fn of(row: &Row<'_>) -> rusqlite::Result<Self>;
    fn id(&self) -> &str;
    fn name(&self) -> &str;
    fn made_at(&self) -> i64;
}

impl Named for User {
    const TABLE: &'static str = <Self as Stored>::TABLE;
    const COLUMNS: &'static str = <Self as Stored>::COLUMNS;
    const NAME: &'static str = "folded_name";
    const DISABLED: [&'static str; 2] = ["users_disabled", "users_disabled_by_creation"];
    const FOUND: &'static str = "SELECT id FROM users WHERE folded_name >= ?1 AND folded_name < ?2 UNION ALL \
                                 SELECT id FROM users WHERE folded_email >= ?1 AND folded_email < ?2 UNION ALL \
                                 SELECT id FROM users WHERE folded_display_name >= ?1 AND folded_display_name < ?2";
    const MATCHES: &'static str = "(+folded_name >= ?1 AND +folded_name < ?2 OR +folded_email >= ?1 AND +folded_email < ?2 \
                                   OR +folded_display_name >= ?1 AND +folded_display_name < ?2)";

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Stored::of(row)
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.user_name
    }

    fn made_at(&self) -> i64 {
        self.created_at.0
    }
}

impl Named for Device {
    const TABLE: &'static str = "devices";
    const COLUMNS: &'static str = "body";
    const NAME: &'static str = "folded_name";
    const DISABLED: [&'static str; 2] = ["devices_disabled", "devices_disabled_by_creation"];
    const FOUND: &'static str = "SELECT id FROM devices WHERE folded_name >= ?1 AND folded_name < ?2 UNION ALL \
                                 SELECT device_id FROM device_external_ids WHERE folded_value >= ?1 AND folded_value < ?2";
    const MATCHES: &'static str = "(+folded_name >= ?1 AND +folded_name < ?2 OR EXISTS (SELECT 1 FROM device_external_ids AS e \
                                   WHERE e.device_id = devices.id AND +e.folded_value >= ?1 AND +e.folded_value < ?2))";

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Cells::of(row).json()
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn made_at(&self) -> i64 {
        self.created_at.0
    }
}

/// How many matches are sorted. Of more, the listing is walked in its order and each row looked at: where so many match,
/// a page is soon full.
const SORTED: i64 = 2000;

/// One page of those that pass the filter.
pub(super) fn page<T: Named>(
    connection: &Connection,
    filter: &NameFilter,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<T>, StoreError> {
    let after = cursor.map(|cursor| read_cursor::<T>(filter, cursor)).transpose()?;
    let range = filter.search.as_ref().map(|search| {
        let from = search.to_lowercase();
        // No name has this character, which Unicode gives to nobody.
        let to = format!("{from}\u{10ffff}");
        [Value::Text(from), Value::Text(to)]
    });
    let few = range.as_ref().map_or(Ok(false), |range| has_few::<T>(connection, range))?;
    let sql = statement::<T>(filter, range.is_some(), few, after.is_some());
    let mut values: Vec<Value> = range.into_iter().flatten().collect();
    values.extend(after.into_iter().flatten());
    values.push(Value::Integer(wanted(limit)));
    let mut statement = connection.prepare_cached(&sql).within(T::TABLE)?;
    let rows = statement.query_map(params_from_iter(values), T::of).within(T::TABLE)?;
    let items = rows.collect::<rusqlite::Result<Vec<T>>>().within(T::TABLE)?;
    Ok(cut(items, limit, |last| {
        let sorted_by = match filter.sort {
            NameSort::Name => hex(last.name().to_lowercase().as_bytes()),
            NameSort::CreatedAt => last.made_at().to_string(),
        };
        format!("{}.{sorted_by}.{}", filter_mark::<T>(filter), hex(last.id().as_bytes()))
    }))
}

fn has_few<T: Named>(connection: &Connection, range: &[Value; 2]) -> Result<bool, StoreError> {
    let sql = format!("SELECT count(*) <= {SORTED} FROM (SELECT 1 FROM ({}) LIMIT {SORTED} + 1)", T::FOUND);
    let mut statement = connection.prepare_cached(&sql).within(T::TABLE)?;
    statement.query_row(params_from_iter(range), |row| row.get(0)).within(T::TABLE)
}

/// The range stands in `?1` and `?2`, then come the place after which to go on, in two values, and the limit.
fn statement<T: Named>(filter: &NameFilter, search: bool, few: bool, after: bool) -> String {
    let (place, by) = match filter.sort {
        NameSort::Name => (0, T::NAME),
        NameSort::CreatedAt => (1, "created_at"),
    };
    // A plus keeps an index from being used: that of the order, if it is the few matches that are to be sorted.
    let plus = if few { "+" } else { "" };
    let (beyond, order) = if filter.descending { ("<", "DESC") } else { (">", "ASC") };
    let mut conditions = vec!["1".to_owned()];
    if search {
        conditions.push(if few { format!("id IN ({})", T::FOUND) } else { T::MATCHES.to_owned() });
    }
    conditions.extend(filter.enabled.map(|enabled| format!("enabled = {}", i32::from(enabled))));
    if after {
        conditions.push(format!("({plus}{by}, {plus}id) {beyond} (?, ?)"));
    }
    let index = match T::DISABLED.get(place) {
        Some(index) if filter.enabled == Some(false) && !few => format!(" INDEXED BY {index}"),
        _ => String::new(),
    };
    format!(
        "SELECT {} FROM {}{index} WHERE {} ORDER BY {plus}{by} {order}, {plus}id {order} LIMIT ?",
        T::COLUMNS,
        T::TABLE,
        conditions.join(" AND ")
    )
}

fn filter_mark<T: Named>(filter: &NameFilter) -> String {
    let flag = |on: bool| Some(if on { "1" } else { "0" });
    let sort = flag(filter.sort == NameSort::Name);
    mark(&[Some(T::TABLE), filter.search.as_deref(), filter.enabled.and_then(flag), sort, flag(filter.descending)])
}

fn read_cursor<T: Named>(filter: &NameFilter, cursor: &str) -> Result<[Value; 2], StoreError> {
    let text = |part: &str| String::from_utf8(unhex(part)?).ok().map(Value::Text);
    let read = || {
        let mut parts = cursor.splitn(3, '.');
        let (mark, sorted_by, id) = (parts.next()?, parts.next()?, parts.next()?);
        let sorted_by = match filter.sort {
            NameSort::Name => text(sorted_by)?,
            NameSort::CreatedAt => Value::Integer(sorted_by.parse().ok()?),
        };
        Some([sorted_by, text(id)?]).filter(|_| mark == filter_mark::<T>(filter))
    };
    read().ok_or(StoreError::Cursor)
}

pub(super) fn put_user(connection: &Connection, user: &User) -> rusqlite::Result<()> {
    let sql = "INSERT INTO users (id, user_name, folded_name, name_hash, email, folded_email, display_name, \
               folded_display_name, password_hash, enabled, role, external_id, created_at) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
               ON CONFLICT (id) DO UPDATE SET user_name = excluded.user_name, folded_name = excluded.folded_name, \
               name_hash = excluded.name_hash, email = excluded.email, folded_email = excluded.folded_email, \
               display_name = excluded.display_name, folded_display_name = excluded.folded_display_name, \
               password_hash = excluded.password_hash, enabled = excluded.enabled, \
               role = excluded.role, external_id = excluded.external_id, created_at = excluded.created_at";
    let folded = user.user_name.to_lowercase();
    let values = params![
        user.id,
        user.user_name,
        folded,
        Hash::of(&folded).0,
        user.email,
        user.email.as_deref().map(str::to_lowercase),
        user.display_name,
        user.display_name.as_deref().map(str::to_lowercase),
        user.password_hash,
        user.enabled,
        user.role.map(Role::name),
        user.external_id,
        user.created_at.0
    ];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn put_device(connection: &Connection, device: &Device, body: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO devices (id, body, folded_name, enabled, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT DO UPDATE SET body = excluded.body, folded_name = excluded.folded_name, \
               enabled = excluded.enabled, created_at = excluded.created_at";
    let values = params![device.id, body, device.name.to_lowercase(), device.enabled, device.created_at.0];
    connection.prepare_cached(sql)?.execute(values)?;
    connection.prepare_cached("DELETE FROM device_external_ids WHERE device_id = ?1")?.execute([&device.id])?;
    let note = "INSERT INTO device_external_ids (kind, value, folded_value, device_id) VALUES (?1, ?2, ?3, ?4)";
    let mut note = connection.prepare_cached(note)?;
    device
        .external_ids
        .iter()
        .try_for_each(|(kind, value)| note.execute(params![kind, value, value.to_lowercase(), device.id]).map(drop))
}
