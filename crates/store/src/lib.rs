//! Keeps the ledger and the records: one SQLite file.
