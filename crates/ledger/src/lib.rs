//! Decides and records what no longer holds.
