//! The process under the shim: this test binary starts itself again in a role, and answers for the marks.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crashtest::{DiskFault, Marks, Shim};

const ROLE: &str = "RESCIND_CRASH_ROLE";
const FOLDER: &str = "RESCIND_CRASH_FOLDER";

/// A folder to watch and the log beside it.
pub(crate) struct Place {
    _home: tempfile::TempDir,
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) flag: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("data");
        std::fs::create_dir(&folder).unwrap();
        Self { folder, log: home.path().join("log"), flag: home.path().join("flag"), _home: home }
    }

    /// Runs `role` to its end: marks each `ack`, obeys each `disk`, and lets it go on only then.
    pub(crate) fn run(&self, shim: Shim, role: &str) {
        let fault = DiskFault::new(&self.flag);
        let marks = Marks::open(&self.log).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "the_process_under_the_shim", "--nocapture"])
            .envs(shim.with_fault(&fault).env(&self.folder, &self.log))
            .env(ROLE, role)
            .env(FOLDER, &self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = process.stdin.take().unwrap();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            match line.split_once(' ') {
                Some(("ack", what)) => marks.acknowledged(what).unwrap(),
                Some(("disk", "full")) => fault.full().unwrap(),
                Some(("disk", "no-growth")) => fault.no_growth().unwrap(),
                Some(("disk", "failing-syncs")) => fault.failing_syncs().unwrap(),
                Some(("disk", "mend")) => fault.mend().unwrap(),
                _ => continue,
            }
            // A process that does not wait for answers may be gone already.
            let _ = answers.write_all(b"\n");
        }
        assert!(process.wait().unwrap().success(), "role {role} failed");
    }
}

/// In the started process: its role and folder. `None` when the test was started by hand.
pub(crate) fn role() -> Option<(String, PathBuf)> {
    println!(); // the test harness leaves its line open
    Some((std::env::var(ROLE).ok()?, PathBuf::from(std::env::var_os(FOLDER)?)))
}

/// Says it and waits until the test has acted on it.
pub(crate) fn say(line: &str) {
    println!("{line}");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

/// Makes everything in the folder durable, names too.
pub(crate) fn sync_all(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        std::fs::File::open(entry.unwrap().path()).unwrap().sync_all().unwrap();
    }
    std::fs::File::open(folder).unwrap().sync_all().unwrap();
}
