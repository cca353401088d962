//! Opening the database: creation, schema, and the settings every connection needs.

use std::{io, path::Path, time::Duration};

use rescind_ledger::StoreError;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::fault::Within;
use crate::durable_file::{create_private, sync_parent, unavailable};

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Until the disk says that it has it: what is acknowledged survives a power cut.
    Full,
    /// Nothing. It exists only so that the power-cut test can show that it is able to fail.
    Off,
}

/// Each brings the schema up by one version; a published one is never edited.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/0001_first.sql")];

/// "rscd": tells our files from other SQLite databases (SQLite, `PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x7273_6364;

/// How long a statement waits for a lock. Only a backup or a checkpoint in another process can hold one.
const BUSY: Duration = Duration::from_secs(5);

/// More statements than there are in this crate, so that none is ever prepared twice.
const STATEMENTS: usize = 160;

/// Opens for writing; creates and migrates as needed.
pub(super) fn writer(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    match create_private(path) {
        Ok(_) => sync_parent(path).map_err(unavailable("sync the directory of", path))?,
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
        Err(why) => return Err(unavailable("create", path)(why)),
    }
    let mut connection = connect(path)?;
    let synchronous = match durability {
        Durability::Full => "FULL",
        Durability::Off => "OFF",
    };
    check_application(&connection)?;
    // The log is checkpointed every 16 MB and cut back to 64 MB if a long read once made it grow.
    let settings = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA temp_store = MEMORY;
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -65536;"
    );
    connection.execute_batch(&settings).within("schema")?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens for reading only.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    connection.execute_batch("PRAGMA query_only = 1; PRAGMA cache_size = -2048;").within("schema")?;
    Ok(connection)
}

/// Opens an existing file with what every connection needs.
pub(crate) fn connect(path: &Path) -> Result<Connection, StoreError> {
    // Read-write even for readers: the shared index of the log must be written to be read. Our own locks serve as the
    // mutex, since a connection is only ever used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).within("schema")?;
    connection.busy_timeout(BUSY).within("schema")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Else SQLite prepares some statements anew whenever a bound value changes, looking for a better plan: the plan never
    // depends on the values here, and that cost a seventh of a busy writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).within("schema")?;
    Ok(connection)
}

/// Fails unless the file is ours, of a version we know, or still empty.
pub(super) fn check_application(connection: &Connection) -> Result<(), StoreError> {
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0)).within("schema");
    let version = number("user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).within("schema")?;
    let corrupt = |why: &str| Err(StoreError::Corrupt { table: "schema", why: why.to_owned() });
    if number("application_id")? != APPLICATION_ID && (version != 0 || tables != 0) {
        return corrupt("not a rescind database");
    }
    if usize::try_from(version).is_ok_and(|version| version <= MIGRATIONS.len()) {
        return Ok(());
    }
    corrupt("written by a later version of rescind")
}

/// Fails unless the file is ours and has been in use: an empty file is no backup.
pub(crate) fn check_not_empty(connection: &Connection) -> Result<(), StoreError> {
    check_application(connection)?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).within("schema")?;
    if version == 0 {
        return Err(StoreError::Corrupt { table: "schema", why: "the file is empty".to_owned() });
    }
    Ok(())
}

pub(crate) fn check_integrity(connection: &Connection) -> Result<(), StoreError> {
    let sql = "PRAGMA integrity_check(1)";
    let found: String = connection.query_row(sql, [], |row| row.get(0)).within("schema")?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt { table: "database", why: found }) }
}

/// Writes a sound copy, as of one moment, into an empty file.
pub(crate) fn copy_into(connection: &Connection, to: &Path) -> Result<(), StoreError> {
    let Some(name) = to.to_str() else {
        return Err(StoreError::Unavailable("the name of the copy is not UTF-8".to_owned()));
    };
    connection.execute("VACUUM INTO ?1", [name]).map(drop).within("backup")
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let at: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).within("schema")?;
    let from = usize::try_from(at).unwrap_or(0);
    for (done, migration) in MIGRATIONS.iter().enumerate().skip(from) {
        let tx = connection.transaction().within("schema")?;
        tx.execute_batch(migration).within("schema")?;
        let version = i32::try_from(done + 1).unwrap_or(i32::MAX);
        tx.pragma_update(None, "user_version", version).within("schema")?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).within("schema")?;
        tx.commit().within("schema")?;
    }
    Ok(())
}
