//! Cuts the power at every write: records what a process does to its data folder, and checks the folder as each cut would leave it.
//!
//! 1. [`Shim`] compiles `shim.c`, a preloaded library that writes every change to the watched folder into a log, in order.
//! 2. The test drives the process and, each time it *has received* an acknowledgement, appends a mark to the same log ([`Marks`]).
//! 3. [`replay`] rebuilds the folder for each cut and hands it to a check, with the marks that precede the cut.
//!
//! ```no_run
//! # use std::{path::Path, process::Command, time::Duration};
//! # use crashtest::{DiskFault, Marks, Replay, Shim};
//! # fn revoke_by_http(_: &str) {}
//! # fn open_and_look(_: &Path, _: &[String]) -> Result<(), String> { Ok(()) }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (folder, log, flag) = (Path::new("data"), Path::new("log"), Path::new("flag"));
//! let fault = DiskFault::new(flag);
//! let shim = Shim::build()?.sync_delay(Duration::from_millis(2)).with_fault(&fault);
//! let marks = Marks::open(log)?;
//! let mut server = Command::new("rescind").arg("serve").envs(shim.env(folder, log)).spawn()?;
//! revoke_by_http("token-1"); // returns when the server has acknowledged
//! marks.acknowledged("token-1")?;
//! fault.full()?; // from here on: 503 with Retry-After, and nothing is marked
//! fault.mend()?;
//! server.kill()?;
//! server.wait()?;
//! let summary = Replay::new(log).seeds([1, 2]).run(|cut, acked| open_and_look(cut, acked))?;
//! assert!(summary.failures.is_empty(), "{summary}");
//! # Ok(())
//! # }
//! ```
//!
//! # Why the marks are sound
//! A mark is appended after the acknowledgement arrived, and the records of a sync before the call returns to the process. So whatever the
//! process did before it acknowledged stands before the mark, and a cut that follows the mark follows the true acknowledgement: a check that finds a
//! marked thing missing has found a broken promise, never a race of the test. The other way there is a gap: an acknowledgement sent too early may be
//! marked only after the late sync has ended. [`Shim::sync_delay`] holds every sync open long enough for such a mark to fall before its end.
//!
//! # What survives a cut
//! [`Survival::Synced`], the strict reading: of a file, the changes logged before the start of an `fsync` or `fdatasync` of that file which ended well
//! before the cut; of a folder, the names created, moved and removed before the start of such a sync *of that folder*. Syncing a new file does not
//! keep its name (on ext4 it would; POSIX promises nothing, and neither SQLite nor rescind may rely on it). What a failed sync was
//! to keep is gone for good unless it is written again, as on Linux, which drops the pages after reporting the error.
//! [`Survival::Some`] adds a part of the rest, chosen by a seed: any subset of a file's unsynced changes, writes torn at a page's half or at
//! any sector, and the unsynced changes of names up to some point in their order (a journalling file system keeps that order).
//!
//! Sub-folders are taken to be durable from the start; sockets, symbolic links and folders themselves are not recorded. SQLite's `-shm` file is memory shared
//! between processes: its contents are not recorded, it is found empty after a cut, and SQLite rebuilds it.
//!
//! A process killed while it appends a record may leave half of one; the log is read up to there only if nothing follows. So a test that kills
//! takes a new log for the next life, and replays that from a copy of the folder ([`Replay::starting_from`]).

mod disk;
mod log;
mod replay;
mod shim;
mod survival;

pub use log::LogError;
pub use replay::{Failure, Replay, ReplayError, Summary, replay};
pub use shim::{DiskFault, Marks, Shim, ShimError};
pub use survival::Survival;
