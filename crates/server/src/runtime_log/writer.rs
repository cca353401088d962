//! The thread that writes, and the queue in front of it.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use metrics::Counter;
use parking_lot::Mutex;
use rescind_ledger::Timestamp;

use super::{daily_file::DailyFile, day, line::render_loss};
use crate::config::LogField;

/// How many lines may wait. At some 150 bytes each that is little memory, and at 1000 calls a second eight seconds of a
/// disk that stands still.
const WAITING: usize = 8192;
/// How many lines are written at once.
const BATCH: usize = 1024;
/// How long lines are gathered, so that a busy server wakes the thread seldom.
const GATHER: Duration = Duration::from_millis(5);

/// A rendered line.
pub(super) struct Line {
    /// Decides its day.
    pub(super) at: Timestamp,
    pub(super) text: String,
}

/// Where lines are left. Once it is gone, the thread writes what waits and ends.
pub(super) struct Writer {
    /// `None` only wakes the thread.
    lines: SyncSender<Option<Line>>,
    told: Arc<Told>,
    /// Disconnected once the thread has ended.
    ended: Mutex<Receiver<()>>,
}

/// What the thread is told beside the queue, which may be full.
struct Told {
    reopen: AtomicBool,
    close: AtomicBool,
    /// Lines lost of which no line tells yet.
    untold: AtomicU64,
    lost: Counter,
}

impl Told {
    fn lose(&self, lines: u64) {
        let first = lines > 0 && self.untold.fetch_add(lines, SeqCst) == 0;
        self.lost.increment(lines);
        if first {
            tracing::error!("lines of runtime-api.log are being lost; the calls go on");
        }
    }
}

impl Writer {
    pub(super) fn start(directory: &Path, fields: Vec<LogField>, lost: Counter) -> io::Result<Self> {
        let file = DailyFile::at(directory)?;
        let (sender, lines) = sync_channel(WAITING);
        let (ending, ended) = sync_channel(0);
        let told =
            Told { reopen: AtomicBool::new(false), close: AtomicBool::new(false), untold: AtomicU64::new(0), lost };
        let told = Arc::new(told);
        let thread = Thread { file, fields, lines, told: told.clone(), _ending: ending };
        thread::Builder::new().name("runtime-api-log".to_owned()).spawn(move || thread.run())?;
        Ok(Self { lines: sender, told, ended: Mutex::new(ended) })
    }

    /// Leaves a line; it is lost if there is no room for it.
    pub(super) fn submit(&self, line: Line) {
        if self.lines.try_send(Some(line)).is_err() {
            self.told.lose(1);
        }
    }

    pub(super) fn reopen(&self) {
        self.told.reopen.store(true, SeqCst);
        self.wake();
    }

    /// Whether everything was written within the time.
    pub(super) fn close(&self, within: Duration) -> bool {
        self.told.close.store(true, SeqCst);
        self.wake();
        !matches!(self.ended.lock().recv_timeout(within), Err(RecvTimeoutError::Timeout))
    }

    fn wake(&self) {
        // Where there is no room, the thread has reason enough to wake.
        drop(self.lines.try_send(None));
    }
}

struct Thread {
    file: DailyFile,
    fields: Vec<LogField>,
    lines: Receiver<Option<Line>>,
    told: Arc<Told>,
    _ending: SyncSender<()>,
}

impl Thread {
    fn run(mut self) {
        while let Ok(first) = self.lines.recv() {
            thread::sleep(GATHER);
            let mut batch: Vec<Line> = first.into_iter().collect();
            loop {
                // Asked before looking into the queue: what was left there before the close is then seen.
                let closing = self.told.close.load(SeqCst);
                // What waited before the file was moved may be in either.
                if self.told.reopen.swap(false, SeqCst)
                    && let Err(error) = self.file.reopen()
                {
                    tracing::error!(%error, "runtime-api.log could not be reopened; it is tried again");
                }
                batch.extend(self.lines.try_iter().take(BATCH).flatten());
                match (batch.is_empty(), closing) {
                    (true, true) => return,
                    (true, false) => break,
                    (false, _) => self.write(&batch),
                }
                batch.clear();
            }
        }
    }

    fn write(&mut self, batch: &[Line]) {
        for lines in batch.chunk_by(|one, next| day(one.at) == day(next.at)) {
            let Some(Line { at, .. }) = lines.first() else { continue };
            let untold = self.told.untold.load(SeqCst);
            let loss = if untold > 0 { render_loss(&self.fields, *at, untold) } else { String::new() };
            let text = lines.iter().fold(loss, |text, line| text + line.text.as_str());
            match self.file.append(day(*at), &text) {
                Ok(()) if untold > 0 => {
                    self.told.untold.fetch_sub(untold, SeqCst);
                    tracing::warn!(lost = untold, "runtime-api.log is written again");
                }
                Ok(()) => {}
                Err(error) => {
                    tracing::debug!(%error, "runtime-api.log");
                    self.told.lose(u64::try_from(lines.len()).unwrap_or(u64::MAX));
                }
            }
        }
    }
}
