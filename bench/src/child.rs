//! A server under measurement: this program once more, in a process of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// A running server; dropping it ends it and waits for its end.
pub struct Child {
    process: std::process::Child,
    address: SocketAddr,
}

impl Child {
    /// Starts rescind on a data directory and waits until it listens.
    ///
    /// # Errors
    /// When it does not come so far.
    pub fn rescind(folder: &Path) -> anyhow::Result<Self> {
        Self::start(&[OsStr::new("serve-rescind"), folder.as_os_str()])
    }

    /// Starts the reference with so many known tokens and waits until it listens.
    ///
    /// # Errors
    /// When it does not come so far.
    pub fn reference(tokens: u64) -> anyhow::Result<Self> {
        Self::start(&[OsStr::new("serve-reference"), OsStr::new(&tokens.to_string())])
    }

    /// The same with so many sessions, and as many more that were revoked.
    ///
    /// # Errors
    /// When it does not come so far.
    pub fn reference_of_sessions(live: u64, revoked: u64) -> anyhow::Result<Self> {
        let (live, revoked) = (live.to_string(), revoked.to_string());
        Self::start(&[OsStr::new("serve-reference-of-sessions"), OsStr::new(&live), OsStr::new(&revoked)])
    }

    fn start(arguments: &[&OsStr]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = process.stdout.take().context("the server has no output")?;
        let mut said = String::new();
        BufReader::new(out).read_line(&mut said)?;
        match said.trim().parse() {
            Ok(address) => Ok(Self { process, address }),
            Err(_) => {
                let status = process.wait()?;
                bail!("the server did not start: {status}");
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks `/readyz` once.
    ///
    /// # Errors
    /// When the answer is not that it is ready.
    pub fn ask_ready(&self) -> anyhow::Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        if said.starts_with("HTTP/1.1 200 ") { Ok(()) } else { bail!("not ready: {said}") }
    }

    /// Resident memory in MiB, pages of files included (`VmRSS`).
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let kib: f64 = kib.context("no VmRSS")?.trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // Also when it had failed already: what it left behind is of no use to the measurement.
        drop(self.process.wait());
    }
}
