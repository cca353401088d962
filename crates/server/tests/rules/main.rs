//! The nine rules of the design and the policy of refresh tokens, on a whole server with a real SQLite file.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod before;
mod bulk;
mod census;
mod guards;
mod house;
mod lifecycle;
mod listings;
mod others_access;
mod overview;
mod receipts;
mod refresh;
mod replay;
mod revoking;
mod rules;
mod scim;
mod scim_property;
mod scripts;
mod session_api;
mod session_limit;
mod sessions;
mod settings;
mod status_lists;
mod targets;
mod time;
mod time_property;
mod token_limit;
mod writer;
