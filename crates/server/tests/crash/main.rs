//! What a crash, a power cut, a full disk or a restore must not change: a revocation that was acknowledged is in force.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod client;
mod disk;
mod idle;
mod kill;
mod master_key;
mod power;
mod restore;
mod seed;
mod server;
mod swapped;
mod unsynced;
mod waiting;

use std::io::Write;

// The other clients' reader of sign-in pages: there should be one in the project.
#[path = "../../../../blackbox/openidconnect/src/page.rs"]
#[expect(dead_code, reason = "these tests read less of a page than that client does")]
mod page;

/// Says what was counted. Not by `println!`, which the harness keeps to itself when all is well.
pub(crate) fn report(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
