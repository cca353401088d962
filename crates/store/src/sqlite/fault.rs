//! What an SQLite error means to the ledger.

use rescind_ledger::StoreError;
use rusqlite::{
    Error,
    ffi::{self, ErrorCode},
};

/// Names the table in which something went wrong.
pub(super) trait Within<T> {
    fn within(self, table: &'static str) -> Result<T, StoreError>;
}

impl<T> Within<T> for rusqlite::Result<T> {
    fn within(self, table: &'static str) -> Result<T, StoreError> {
        self.map_err(|why| meaning(&why, table))
    }
}

fn meaning(why: &Error, table: &'static str) -> StoreError {
    match why {
        Error::SqliteFailure(failure, _) if is_taken(failure) => StoreError::Conflict(taken(table)),
        Error::SqliteFailure(failure, _) if failure.code == ErrorCode::ConstraintViolation => {
            StoreError::Corrupt { table, why: format!("constraint violated ({})", failure.extended_code) }
        }
        // SQLite's own text for the code, never the message, which may quote what was to be written.
        Error::SqliteFailure(failure, _) => {
            StoreError::Unavailable(format!("{table}: {}", ffi::code_to_str(failure.extended_code)))
        }
        Error::FromSqlConversionFailure(column, _, why) => {
            StoreError::Corrupt { table, why: format!("column {column}: {why}") }
        }
        Error::InvalidColumnType(column, name, kind) => {
            StoreError::Corrupt { table, why: format!("column {column} ({name}) holds {kind}") }
        }
        Error::IntegralValueOutOfRange(column, _) => {
            StoreError::Corrupt { table, why: format!("column {column} is out of range") }
        }
        Error::QueryReturnedNoRows => StoreError::Corrupt { table, why: "a row is missing".to_owned() },
        other => StoreError::Unavailable(format!("{table}: {other}")),
    }
}

fn is_taken(failure: &ffi::Error) -> bool {
    matches!(failure.extended_code, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY)
}

/// What is there already when a unique key of the table is violated.
fn taken(table: &'static str) -> &'static str {
    match table {
        "access_tokens" => "an access token with that hash or id",
        "codes" => "a code with that hash",
        "device_external_ids" => "a device with that external id",
        "entries" => "an entry at that position",
        "epochs" => "an epoch with that number",
        "grants" => "a grant with that id",
        "idempotency" => "an order with that idempotency key",
        "logout_status_jwts" => "a logout status JWT with that hash or id",
        "pushed_requests" => "a pushed request with that handle",
        "refresh_tokens" => "a refresh token with that hash",
        "status_references" => "a token at that index of the status list",
        "sessions" => "a session with that id or cookie",
        "users" => "a user with that name",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), Some("secret in the message".to_owned()))
    }

    #[test]
    fn what_may_pass_is_unavailable_and_says_nothing_of_the_data() {
        for code in [
            ffi::SQLITE_FULL,
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_BUSY,
            ffi::SQLITE_BUSY_SNAPSHOT,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_CANTOPEN,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_CORRUPT,
            ffi::SQLITE_NOTADB,
        ] {
            let meant = meaning(&failure(code), "entries");
            assert!(matches!(meant, StoreError::Unavailable(_)), "{code}: {meant}");
            assert!(!meant.to_string().contains("secret"), "{meant}");
        }
    }

    #[test]
    fn a_taken_key_is_a_conflict() {
        for code in [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY] {
            assert_eq!(meaning(&failure(code), "users").to_string(), "a user with that name already exists");
        }
    }
}
