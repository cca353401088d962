//! The nine rules of the design and the policy of refresh tokens, on a whole server with a real SQLite file.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod census;
mod house;
mod listings;
mod others_access;
mod overview;
mod refresh;
mod replay;
mod revoking;
mod rules;
mod scripts;
mod session_api;
mod session_limit;
mod sessions;
mod settings;
mod status_lists;
mod targets;
mod time;
mod time_property;
mod writer;
