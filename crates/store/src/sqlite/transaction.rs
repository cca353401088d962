//! The inside of the one write transaction: where it stands, and what every verb does with the connection.

use rescind_ledger::{Hash, Mark, Position, StoreError, Timestamp, Use};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::Serialize;

use super::{
    audit,
    cells::{Stored, bound},
    fault::Within,
    mark_of,
};

/// A transaction that is rolled back when dropped, unless it was committed.
///
/// The head is kept here and written once at the end, so that an append costs two inserts.
pub(super) struct SqliteTx<'c> {
    connection: &'c Connection,
    began: Mark,
    pub(super) head: Position,
    /// Where it stood when each job that is not over began, the innermost last.
    pub(super) heads_before: Vec<Position>,
    /// Audit records that are written with the commit.
    pub(super) audit: audit::Waiting,
    /// Why nothing more can be done. SQLite may have rolled back by itself, and what came after would stand alone.
    poison: Option<String>,
}

impl<'c> SqliteTx<'c> {
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([])).within("transaction")?;
        let started = Mark { head: Position::START, commits: 0 };
        let (head, audit) = (started.head, audit::Waiting::default());
        let mut tx = Self { connection, began: started, head, heads_before: Vec::new(), audit, poison: None };
        tx.began = mark_of(connection)?;
        tx.head = tx.began.head;
        Ok(tx)
    }

    pub(super) fn commit(mut self) -> Result<Mark, StoreError> {
        let waiting = std::mem::take(&mut self.audit);
        self.attempt("audit", |connection| waiting.write(connection))?;
        if self.head != self.began.head {
            self.write_head()?;
        }
        self.execute("meta", "UPDATE meta SET commits = commits + 1", [])?;
        self.execute("transaction", "COMMIT", [])?;
        Ok(Mark { head: self.head, commits: self.began.commits + 1 })
    }

    pub(super) fn write_head(&mut self) -> Result<(), StoreError> {
        let (epoch, seq) = bound(self.head);
        self.execute("epochs", "UPDATE epochs SET last_seq = ?2 WHERE epoch = ?1", params![epoch, seq]).map(drop)
    }

    /// Does something with the connection, unless the transaction is beyond help; notes it if it now is.
    pub(super) fn attempt<T>(
        &mut self,
        table: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if let Some(why) = &self.poison {
            return Err(StoreError::Unavailable(why.clone()));
        }
        let done = work(self.connection).within(table);
        if let Err(StoreError::Unavailable(why)) = &done {
            self.poison = Some(why.clone());
        }
        done
    }

    pub(super) fn execute(&mut self, table: &'static str, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.attempt(table, |connection| connection.prepare_cached(sql)?.execute(params))
    }

    pub(super) fn find<T>(
        &mut self,
        table: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.attempt(table, |connection| connection.prepare_cached(sql)?.query_row(params, read).optional())
    }

    /// Inserts a record under its columns.
    pub(super) fn insert<T: Stored>(&mut self, sql: &str, params: impl Params) -> Result<(), StoreError> {
        self.execute(T::TABLE, sql, params).map(drop)
    }

    /// Writes down a first use, or finds the one before.
    ///
    /// What is not there cannot be used for the first time: a record that was forgotten between its reading and this
    /// moment counts as used long ago, since its uses were forgotten with it.
    pub(super) fn use_once(
        &mut self,
        table: &'static str,
        sql: [&str; 2],
        hash: &Hash,
        at: Timestamp,
    ) -> Result<Use, StoreError> {
        let [note, look] = sql;
        if self.execute(table, note, params![hash.0, at.0])? == 1 {
            return Ok(Use::First);
        }
        let before = self.find(table, look, [hash.0], |row| row.get(0))?;
        Ok(Use::Before { at: Timestamp(before.unwrap_or(0)) })
    }
}

impl Drop for SqliteTx<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // Should even this fail, the next BEGIN does too, and the writer opens the store again.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

pub(super) fn json<T: Serialize + ?Sized>(table: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::Corrupt { table, why: why.to_string() })
}
