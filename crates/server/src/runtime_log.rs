//! The runtime API log: one line for each call of the session endpoints, in `runtime-api.log` and a file for each day before.
//!
//! A request renders its line and leaves it in a queue of fixed size; a thread writes what is there. No request ever waits
//! for a disk: a line that finds the queue full, or that the disk refuses, is lost, is counted, and the count is itself a line.

use std::{fs::DirBuilder, io, os::unix::fs::DirBuilderExt, time::Duration};

use anyhow::Context;
use metrics::Counter;
use rescind_ledger::Timestamp;

use crate::config::{Config, LogField, LogLevel};
use writer::{Line, Writer};

pub use call::{logged, refused};

mod call;
mod daily_file;
mod line;
mod writer;

/// Who made a call, as the log names them. Handlers put it among a response's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedCaller {
    /// The client's id.
    pub name: String,
    /// The registered name of the method by which it authenticated; `-` if it did not.
    pub method: &'static str,
}

/// The log of one server.
pub struct RuntimeLog {
    level: LogLevel,
    fields: Vec<LogField>,
    /// None when it is off.
    writer: Option<Writer>,
}

impl RuntimeLog {
    /// Opens the file and starts the thread, unless the log is switched off.
    ///
    /// # Errors
    /// The directory or the file cannot be made: a server that cannot keep its log says so before it serves.
    pub fn start(config: &Config, lost: Counter) -> anyhow::Result<Self> {
        let log = &config.runtime_api_log;
        let mut started = Self { level: log.level, fields: log.fields.clone(), writer: None };
        if log.enabled {
            let directory = log.directory.clone().unwrap_or_else(|| config.data_dir.join("log"));
            let opened = made(&directory).and_then(|()| Writer::start(&directory, log.fields.clone(), lost));
            let writer = opened
                .with_context(|| format!("runtime_api_log.directory: cannot write to {}", directory.display()))?;
            started.writer = Some(writer);
        }
        Ok(started)
    }

    /// Opens the file anew, as it must be after somebody has moved it away.
    pub fn reopen(&self) {
        if let Some(writer) = &self.writer {
            writer.reopen();
        }
    }

    /// Writes what is still in the queue, and waits for it at most so long. What is recorded later is lost.
    pub fn close(&self, within: Duration) {
        if let Some(writer) = &self.writer
            && !writer.close(within)
        {
            tracing::error!("the last lines of runtime-api.log were not written in time");
        }
    }

    fn record(&self, facts: &line::Facts<'_>) {
        if let Some(writer) = &self.writer
            && call::is_wanted(self.level, facts)
        {
            writer.submit(Line { at: facts.at, text: line::render(&self.fields, facts) });
        }
    }
}

/// Makes the directory, for its owner alone. One that is there keeps its mode: it may be another program's too.
fn made(directory: &std::path::Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// The day of a moment, counted from 1970.
fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(86_400_000)
}

#[cfg(test)]
mod tests;
