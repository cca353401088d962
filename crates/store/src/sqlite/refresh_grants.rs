//! Which grants of a user have a refresh token, and when tokens were last issued for them.

use rescind_ledger::{Grant, Timestamp};
use rusqlite::{Connection, params};

use super::cells::Stored;

pub(super) const TABLE: &str = "refresh_grants";

pub(super) fn note(connection: &Connection, grant: &Grant, at: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT INTO refresh_grants (grant_id, user_id, client_id, last_issued_at, expires_at) \
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (grant_id) DO UPDATE SET \
               last_issued_at = max(last_issued_at, excluded.last_issued_at)";
    let values = params![grant.id, grant.user, grant.client, at.0, grant.expires_at.0];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

/// Of two that were issued from at the same moment, the one that is older by its id.
pub(super) fn of(connection: &Connection, user: &str, client: &str) -> rusqlite::Result<Vec<Grant>> {
    let columns: Vec<_> = Grant::COLUMNS.split(", ").map(|column| format!("g.{}", column.trim())).collect();
    let sql = format!(
        "SELECT {} FROM refresh_grants AS r JOIN grants AS g ON g.id = r.grant_id \
         WHERE r.user_id = ?1 AND r.client_id = ?2 ORDER BY r.last_issued_at, g.issued_at, g.id",
        columns.join(", ")
    );
    connection.prepare_cached(&sql)?.query_map([user, client], Grant::of)?.collect()
}

pub(super) fn forget(connection: &Connection, grant: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM refresh_grants WHERE grant_id = ?1")?.execute([grant]).map(drop)
}
