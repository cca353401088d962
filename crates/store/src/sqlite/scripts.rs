//! Interception scripts: one row for what is in use, one for each version that ever was.

use rescind_ledger::{Initiator, Script, ScriptVersion};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::cells::{Cells, Stored};

pub(super) const TABLE: &str = "scripts";

const IN_USE: &str = "SELECT s.name, s.version, v.source, s.asked_order, s.enabled, v.stored_at, v.stored_by \
                      FROM scripts AS s JOIN script_versions AS v ON v.name = s.name AND v.version = s.version";

fn read(row: &Row<'_>) -> Result<Script> {
    let mut cells = Cells::of(row);
    Ok(Script {
        name: cells.take()?,
        version: cells.take()?,
        source: cells.take::<String>()?.into(),
        order: cells.take()?,
        enabled: cells.take()?,
        stored_at: cells.time()?,
        stored_by: cells.json::<Initiator>()?,
    })
}

pub(super) fn find(connection: &Connection, name: &str) -> Result<Option<Script>> {
    connection.prepare_cached(&format!("{IN_USE} WHERE s.name = ?1"))?.query_row([name], read).optional()
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Script>> {
    connection.prepare_cached(IN_USE)?.query_map([], read)?.collect()
}

pub(super) fn counts(connection: &Connection, name: &str) -> Result<(u32, Option<u32>)> {
    let sql = "SELECT (SELECT count(*) FROM scripts), (SELECT max(version) FROM script_versions WHERE name = ?1)";
    connection.prepare_cached(sql)?.query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// `stored_by` is the initiator as JSON.
pub(super) fn put(connection: &Connection, script: &Script, stored_by: &str) -> Result<()> {
    let version = "INSERT INTO script_versions (name, version, source, stored_at, stored_by) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT DO NOTHING";
    let (source, at) = (script.source.as_ref(), script.stored_at.0);
    connection.prepare_cached(version)?.execute(params![script.name, script.version, source, at, stored_by])?;
    let in_use = "INSERT INTO scripts (name, version, asked_order, enabled) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
                  SET version = excluded.version, asked_order = excluded.asked_order, enabled = excluded.enabled";
    let row = params![script.name, script.version, script.order, script.enabled];
    connection.prepare_cached(in_use)?.execute(row).map(drop)
}

impl Stored for ScriptVersion {
    const TABLE: &'static str = "script_versions";
    const COLUMNS: &'static str = "name, version, source, stored_at, stored_by";

    fn read(cells: &mut Cells<'_, '_>) -> Result<Self> {
        Ok(Self {
            name: cells.take()?,
            version: cells.take()?,
            source: cells.take()?,
            stored_at: cells.time()?,
            stored_by: cells.json::<Initiator>()?,
        })
    }
}
