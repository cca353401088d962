//! Compiles the preloaded library and speaks its protocol: the environment, the marks, the broken disk.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::log::{HEAD_LEN, MAGIC, OP_MARK};

const SOURCE: &str = include_str!("../shim.c");

/// Why there is no shim.
#[derive(Debug)]
pub enum ShimError {
    /// `cc` refused; its words.
    Compiler(String),
    /// `cc` is missing, or the library cannot be written.
    Io(io::Error),
}

impl fmt::Display for ShimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler(words) => write!(f, "cc refused shim.c: {words}"),
            Self::Io(error) => write!(f, "building the shim (is a C compiler installed?): {error}"),
        }
    }
}

impl std::error::Error for ShimError {}

impl From<io::Error> for ShimError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The compiled library and how the next process shall use it.
#[derive(Debug, Clone)]
pub struct Shim {
    library: PathBuf,
    sync_delay: Duration,
    full_flag: Option<PathBuf>,
}

impl Shim {
    /// Compiles `shim.c` beside the running test binary, in the target folder.
    ///
    /// # Errors
    /// When there is no C compiler, or it refuses, or the folder cannot be written.
    pub fn build() -> Result<Self, ShimError> {
        let test = std::env::current_exe()?;
        let dir = test.parent().ok_or_else(|| io::Error::other("the test binary has no folder"))?;
        // Tests build it at the same time: each under its own name, then moved into place in one step.
        let own = tempfile_name(dir);
        fs::write(own.with_extension("c"), SOURCE)?;
        let answer = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-pthread", "-o"])
            .arg(own.with_extension("so"))
            .arg(own.with_extension("c"))
            .output();
        fs::remove_file(own.with_extension("c"))?;
        let answer = answer?;
        if !answer.status.success() {
            return Err(ShimError::Compiler(String::from_utf8_lossy(&answer.stderr).into_owned()));
        }
        let library = dir.join("librescind_crash_shim.so");
        fs::rename(own.with_extension("so"), &library)?;
        Ok(Self { library, sync_delay: Duration::ZERO, full_flag: None })
    }

    /// Holds every sync open for so long, so that an acknowledgement sent before its sync ended is marked before it.
    #[must_use]
    pub fn sync_delay(mut self, delay: Duration) -> Self {
        self.sync_delay = delay;
        self
    }

    /// Lets `fault` break the disk of the process.
    #[must_use]
    pub fn with_fault(mut self, fault: &DiskFault) -> Self {
        self.full_flag = Some(fault.flag.clone());
        self
    }

    /// The environment for the process under test: `dir` (which exists) is watched, `log` (outside `dir`) is appended to.
    ///
    /// Processes it starts inherit it and append to the same log.
    #[must_use]
    pub fn env(&self, dir: &Path, log: &Path) -> Vec<(&'static str, OsString)> {
        let mut env: Vec<(&'static str, OsString)> = vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("RESCIND_SHIM_DIR", dir.into()),
            ("RESCIND_SHIM_LOG", log.into()),
            ("RESCIND_SHIM_SYNC_DELAY_US", self.sync_delay.as_micros().to_string().into()),
        ];
        env.extend(self.full_flag.iter().map(|flag| ("RESCIND_SHIM_FULL", flag.clone().into())));
        env
    }
}

fn tempfile_name(dir: &Path) -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let digits: String = thread.chars().filter(char::is_ascii_digit).collect();
    dir.join(format!("rescind-crash-shim-{}-{digits}", std::process::id()))
}

/// Appends what the test has seen to the log, in the order of the process's own records.
#[derive(Debug)]
pub struct Marks {
    log: fs::File,
}

impl Marks {
    /// Opens the log, made when it is not there yet.
    ///
    /// # Errors
    /// When it cannot be opened for appending.
    pub fn open(log: &Path) -> io::Result<Self> {
        Ok(Self { log: fs::File::options().create(true).append(true).open(log)? })
    }

    /// Marks that `what` has been acknowledged: call it after the acknowledgement arrived, never before. May be called from many threads.
    ///
    /// # Errors
    /// When the log cannot be appended to in one piece.
    pub fn acknowledged(&self, what: &str) -> io::Result<()> {
        let len = u32::try_from(what.len()).map_err(io::Error::other)?;
        let mut record = Vec::with_capacity(HEAD_LEN + what.len());
        record.extend_from_slice(MAGIC);
        record.extend_from_slice(&OP_MARK.to_le_bytes());
        record.resize(HEAD_LEN - 4, 0);
        record.extend_from_slice(&len.to_le_bytes());
        record.extend_from_slice(what.as_bytes());
        // One write in append mode: records of the process under test cannot fall inside it.
        let written = (&self.log).write(&record)?;
        if written == record.len() { Ok(()) } else { Err(io::Error::other("a mark was cut short")) }
    }
}

/// A disk that breaks when the test says so, under a running process.
#[derive(Debug, Clone)]
pub struct DiskFault {
    flag: PathBuf,
}

impl DiskFault {
    /// A whole disk; `flag` is a file the test does not use otherwise, outside the watched folder.
    #[must_use]
    pub fn new(flag: &Path) -> Self {
        Self { flag: flag.to_owned() }
    }

    /// From now on every write and allocation fails with `ENOSPC`.
    ///
    /// # Errors
    /// When the flag file cannot be written.
    pub fn full(&self) -> io::Result<()> {
        self.set("all")
    }

    /// From now on whatever grows a file fails with `ENOSPC`; overwriting still works.
    ///
    /// # Errors
    /// When the flag file cannot be written.
    pub fn no_growth(&self) -> io::Result<()> {
        self.set("extend")
    }

    /// From now on every sync fails with `EIO`.
    ///
    /// # Errors
    /// When the flag file cannot be written.
    pub fn failing_syncs(&self) -> io::Result<()> {
        self.set("eio")
    }

    /// The disk works again.
    ///
    /// # Errors
    /// When the flag file cannot be removed.
    pub fn mend(&self) -> io::Result<()> {
        match fs::remove_file(&self.flag) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn set(&self, words: &str) -> io::Result<()> {
        let fresh = self.flag.with_extension("fresh"); // moved into place: the flag is never seen half written
        fs::write(&fresh, words)?;
        fs::rename(&fresh, &self.flag)
    }
}
