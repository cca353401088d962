//! The stores, held to their contract.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod backup;
mod conformance;
mod data_dir;
mod marker;
mod restore;
mod sqlite;
