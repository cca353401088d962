//! The SQLite backend, write side: one connection, one transaction at a time.

mod audit;
mod cells;
mod deliveries;
mod directory;
mod entries;
mod fault;
mod forget;
mod issued;
mod listing;
mod open;
mod pending;
mod reads;
mod refresh_grants;
mod scripts;
mod snapshot;
mod status;
mod transaction;
mod tx;

use std::path::{Path, PathBuf};

use rescind_ledger::{
    Api, Client, Configuration, Entry, HorizonFact, Mark, Position, Sealed, SettingChange, Settings, Store, StoreError,
    Timestamp, Tx,
};

pub use open::Durability;
pub(crate) use open::{check_integrity, check_not_empty, connect, copy_into};
pub use reads::SqliteReads;
pub(crate) use rusqlite::Connection;
use rusqlite::Row;
pub use snapshot::SqliteSnapshot;

use cells::{Cells, Stored, bound};
use fault::Within;
use transaction::SqliteTx;

/// The write side of the one-file store. There is one in a process, and the data directory's lock sees to it that there
/// is no second process.
pub struct Sqlite {
    path: PathBuf,
    durability: Durability,
    /// Absent after a failed [`Store::reopen`].
    connection: Option<Connection>,
}

impl Sqlite {
    /// Opens the database, creates it (for its owner alone) if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it cannot be read or written; [`StoreError::Corrupt`] if it is not one of ours, or
    /// was written by a later version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Durability::Full)
    }

    /// As [`Sqlite::open`], with a choice that only a test of durability should make.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open_with(path: &Path, durability: Durability) -> Result<Self, StoreError> {
        let connection = open::writer(path, durability)?;
        Ok(Self { path: path.to_owned(), durability, connection: Some(connection) })
    }

    /// Opens the read side with so many connections: as many reads can run at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub fn reads(&self, connections: usize) -> Result<SqliteReads, StoreError> {
        SqliteReads::open(&self.path, connections)
    }

    /// Reads the whole database and says whether it is sound.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] with SQLite's first complaint.
    pub fn integrity_check(&self) -> Result<(), StoreError> {
        check_integrity(self.connection()?)
    }

    /// The 16 bytes drawn when the database was created; copies share them.
    pub(crate) fn database_id(&self) -> Result<[u8; 16], StoreError> {
        let sql = "SELECT database_id FROM meta";
        self.connection()?.query_row(sql, [], |row| row.get(0)).within("meta")
    }

    /// Moves everything into the one file, so that it can be renamed.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreError> {
        let busy: i64 =
            self.connection()?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).within("wal")?;
        if busy == 0 { Ok(()) } else { Err(StoreError::Unavailable("the database is being read".to_owned())) }
    }

    fn connection(&self) -> Result<&Connection, StoreError> {
        self.connection.as_ref().ok_or_else(|| StoreError::Unavailable("the database could not be reopened".to_owned()))
    }
}

/// The page cache while many entries are read once, in order, in SQLite's own unit (negative: KiB). None of their pages is
/// read again, but those that the cache took in would stay: at a start, as much memory as the writer may ever use.
const PASSING: i64 = -2048;

fn read_entries(connection: &Connection, after: Position, each: &mut dyn FnMut(Entry)) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM entries WHERE (epoch, seq) > (?1, ?2) ORDER BY epoch, seq", Entry::COLUMNS);
    let mut statement = connection.prepare_cached(&sql).within("entries")?;
    let mut rows = statement.query(bound(after)).within("entries")?;
    while let Some(row) = rows.next().within("entries")? {
        each(Entry::of(row).within("entries")?);
    }
    Ok(())
}

/// Reads every row of a statement without parameters.
fn each<T>(
    connection: &Connection,
    table: &'static str,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).within(table)?;
    let rows = statement.query_map([], read).within(table)?;
    rows.collect::<rusqlite::Result<_>>().within(table)
}

/// Where a connection's database stands.
fn mark_of(connection: &Connection) -> Result<Mark, StoreError> {
    let sql = "SELECT epoch, last_seq, (SELECT commits FROM meta) FROM epochs ORDER BY epoch DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).within("epochs")?;
    let read = |row: &Row<'_>| {
        let mut cells = Cells::of(row);
        Ok(Mark { head: cells.position()?, commits: cells.take::<i64>()?.cast_unsigned() })
    };
    statement.query_row([], read).within("epochs")
}

impl Store for Sqlite {
    fn transact(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<(), StoreError>) -> Result<Mark, StoreError> {
        let mut tx = SqliteTx::begin(self.connection()?)?;
        work(&mut tx)?;
        tx.commit()
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        // Closed first: two connections of one writer would wait for each other.
        self.connection = None;
        self.connection = Some(open::writer(&self.path, self.durability)?);
        Ok(())
    }

    fn mark(&mut self) -> Result<Mark, StoreError> {
        mark_of(self.connection()?)
    }

    fn entries_after(&mut self, after: Position, each: &mut dyn FnMut(Entry)) -> Result<(), StoreError> {
        let connection = self.connection()?;
        let usual: i64 = connection.pragma_query_value(None, "cache_size", |row| row.get(0)).within("entries")?;
        connection.pragma_update(None, "cache_size", PASSING).within("entries")?;
        let read = read_entries(connection, after, each);
        connection.pragma_update(None, "cache_size", usual).within("entries")?;
        read
    }

    fn epochs(&mut self) -> Result<(Vec<(u32, u64)>, Position), StoreError> {
        let connection = self.connection()?;
        let epochs = each(connection, "epochs", "SELECT epoch, last_seq FROM epochs ORDER BY epoch", |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        let sql = "SELECT floor_epoch, floor_seq FROM meta";
        let floor = connection.query_row(sql, [], |row| Cells::of(row).position()).within("meta")?;
        Ok((epochs, floor))
    }

    fn configuration(&mut self) -> Result<Configuration, StoreError> {
        let connection = self.connection()?;
        let clients = each(connection, "clients", "SELECT body FROM clients", |row| Cells::of(row).json::<Client>())?;
        let apis = each(connection, "apis", "SELECT body FROM apis", |row| Cells::of(row).json::<Api>())?;
        let users = each(connection, "users", "SELECT id FROM users WHERE enabled = 0", |row| row.get(0))?;
        let roles = each(connection, "users", "SELECT role, id FROM users WHERE role IS NOT NULL", |row| {
            let mut cells = Cells::of(row);
            Ok((cells.word()?, cells.text()?))
        })?;
        let devices = each(connection, "devices", "SELECT id FROM devices WHERE enabled = 0", |row| row.get(0))?;
        Ok(Configuration {
            clients: clients.into_iter().map(|client| (client.id.clone(), client.into())).collect(),
            apis: apis.into_iter().map(|api| (api.audience.clone(), api.into())).collect(),
            disabled_users: users.into_iter().collect(),
            disabled_devices: devices.into_iter().collect(),
            roles: roles.into_iter().map(|(role, user)| (user, role)).collect(),
            scripts: scripts::all(connection).within(scripts::TABLE)?.into_iter().collect(),
            settings: settings(connection)?.into(),
            position: self.mark()?.head,
        })
    }

    fn pending_requests(&mut self) -> Result<u64, StoreError> {
        forget::pending_requests(self.connection()?).within("pushed_requests")
    }

    fn horizons(&mut self) -> Result<Vec<HorizonFact>, StoreError> {
        horizons(self.connection()?)
    }

    fn issuer(&mut self) -> Result<Option<String>, StoreError> {
        self.connection()?.query_row("SELECT issuer FROM meta", [], |row| row.get(0)).within("meta")
    }

    fn secrets(&mut self) -> Result<Vec<(String, Sealed)>, StoreError> {
        secrets(self.connection()?)
    }
}

/// The settings in force. One that a later version of the program has made, or made differently, is corrupt rather than
/// forgotten: it may have closed something.
fn settings(connection: &Connection) -> Result<Settings, StoreError> {
    let sql = format!("SELECT {} FROM setting_changes ORDER BY version", SettingChange::COLUMNS);
    let mut settings = Settings::default();
    for change in each(connection, "setting_changes", &sql, SettingChange::of)? {
        settings
            .put(&change.name, change.value.as_ref())
            .map_err(|why| StoreError::Corrupt { table: "setting_changes", why: why.to_string() })?;
        settings.version = change.version;
    }
    Ok(settings)
}

fn horizons(connection: &Connection) -> Result<Vec<HorizonFact>, StoreError> {
    each(connection, "horizons", "SELECT since, secs FROM horizons ORDER BY since, id", |row| {
        Ok(HorizonFact { since: Timestamp(row.get(0)?), secs: row.get::<_, i64>(1)?.cast_unsigned() })
    })
}

fn secrets(connection: &Connection) -> Result<Vec<(String, Sealed)>, StoreError> {
    let sql = "SELECT name, sealed FROM secrets ORDER BY name";
    each(connection, "secrets", sql, |row| Ok((row.get(0)?, Sealed(row.get(1)?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_ledger::{Initiator, Reason, Target};

    fn entry(seq: u64, note: String) -> Entry {
        Entry {
            position: Position { epoch: 1, seq },
            time: Timestamp(0),
            target: Target::Everything,
            reason: Reason::Other,
            initiator: Initiator::System("test".to_owned()),
            note: Some(note),
            before: None,
        }
    }

    #[test]
    fn a_full_disk_takes_the_whole_transaction_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(&dir.path().join("rescind.db")).unwrap();
        store.transact(&mut |tx| tx.append(&entry(1, String::new()))).unwrap();
        let pages: i64 = store.connection().unwrap().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |store: &Sqlite, pages: i64| {
            store.connection().unwrap().execute_batch(&format!("PRAGMA max_page_count = {pages}")).unwrap();
        };
        limit(&store, pages + 2);
        let full = store.transact(&mut |tx| {
            for seq in 2..100 {
                tx.begin_job()?;
                // A job that goes on after the store gave up must get nowhere, not into a transaction of its own.
                if tx.append(&entry(seq, "x".repeat(2000))).is_err() {
                    assert!(matches!(tx.append(&entry(seq, String::new())), Err(StoreError::Unavailable(_))));
                    return Ok(());
                }
                tx.keep_job()?;
            }
            Ok(())
        });
        assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
        assert!(store.connection().unwrap().is_autocommit(), "no transaction is left open");
        assert_eq!(store.mark().unwrap(), Mark { head: Position { epoch: 1, seq: 1 }, commits: 1 });
        limit(&store, 1_000_000);
        let mark = store.transact(&mut |tx| tx.append(&entry(2, String::new()))).unwrap();
        assert_eq!(mark, Mark { head: Position { epoch: 1, seq: 2 }, commits: 2 });
    }

    #[test]
    fn a_row_that_cannot_be_read_is_corrupt_and_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Sqlite::open(&dir.path().join("rescind.db")).unwrap();
        let sql = r#"INSERT INTO clients VALUES ('c', '{"id":"c","name":"swordfish","auth_method":"swordfish"}')"#;
        store.connection().unwrap().execute_batch(sql).unwrap();
        let why = store.configuration().unwrap_err();
        assert!(matches!(why, StoreError::Corrupt { table: "clients", .. }), "{why}");
        assert!(!why.to_string().contains("swordfish"), "{why}");
    }

    #[test]
    fn what_is_acknowledged_was_synced() {
        let dir = tempfile::tempdir().unwrap();
        for (durability, level) in [(Durability::Full, 2), (Durability::Off, 0)] {
            let path = dir.path().join(format!("{durability:?}.db"));
            let mut store = Sqlite::open_with(&path, durability).unwrap();
            let asked = |store: &Sqlite, name: &str| {
                let connection = store.connection().unwrap();
                connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
            };
            for _ in 0..2 {
                assert_eq!(asked(&store, "synchronous"), rusqlite::types::Value::Integer(level));
                assert_eq!(asked(&store, "journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
                store.reopen().unwrap();
            }
        }
    }
}
