//! Proves the tool on plain files and plain SQLite, before anything is built on it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's own steps, outside its functions marked as tests"
)]

mod files;
mod process;
mod sqlite;

use crashtest::{Shim, Summary};

fn shim() -> Shim {
    Shim::build().expect("a C compiler")
}

fn assert_all_hold(summary: &Summary) {
    println!("{summary}");
    assert!(summary.failures.is_empty(), "{summary}");
    assert!(summary.acked_total > 0, "nothing was acknowledged: {summary}");
}

#[test]
#[ignore = "the other tests start it under the shim"]
fn the_process_under_the_shim() {
    let Some((role, folder)) = process::role() else { return };
    match role.as_str() {
        "wal-full" => sqlite::mixed_run(&folder, "FULL"),
        "wal-off" => sqlite::mixed_run(&folder, "OFF"),
        "early" => sqlite::acknowledge_before_the_commit(&folder),
        "full-disk" => sqlite::run_over_a_broken_disk(&folder),
        "every-call" => files::use_every_call(&folder),
        "marker" => files::move_a_marker(&folder, files::FolderSync::Done),
        "marker-without-folder-sync" => files::move_a_marker(&folder, files::FolderSync::Forgotten),
        other => panic!("no such role: {other}"),
    }
}
