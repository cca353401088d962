//! Walks a log and hands every cut to a check.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::disk::Disk;
use crate::log::{Event, LogError, events};
use crate::survival::Survival;

/// One cut that the check refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Number of the record before which the power went, from 0; as long as the log when it went at the end.
    pub cut: usize,
    /// What of the unsynced was spared.
    pub survival: Survival,
    /// Marks that preceded the cut.
    pub acked: usize,
    /// The check's words.
    pub why: String,
}

/// What a replay saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Records in the log.
    pub records: usize,
    /// Writes among them.
    pub writes: usize,
    /// Syncs that ended well.
    pub syncs: usize,
    /// Marks in the log.
    pub acked_total: usize,
    /// Places where the power was cut: after every change, before the end of every sync, and at the end.
    pub cuts: usize,
    /// Folders handed to the check; under [`Survival::Synced`] neighbouring cuts with the same folder and the same marks share one.
    pub checks: usize,
    /// What the check refused.
    pub failures: Vec<Failure>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, writes, syncs, acked_total, cuts, checks, failures } = self;
        write!(f, "{records} records, {writes} writes, {syncs} syncs, {acked_total} acknowledged: ")?;
        write!(f, "{cuts} cuts, {checks} folders checked, {} failed", failures.len())?;
        failures.iter().take(3).try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut at record {} ({:?}, {} acknowledged): {}", self.cut, self.survival, self.acked, self.why)
    }
}

/// Why a log could not be replayed at all.
#[derive(Debug)]
pub enum ReplayError {
    /// The log says nothing that makes sense.
    Log(LogError),
    /// The log could not be read, or a folder not be written.
    Io(io::Error),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(error) => error.fmt(f),
            Self::Io(error) => write!(f, "replaying: {error}"),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<io::Error> for ReplayError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<LogError> for ReplayError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Cuts the power at every write of a run that began in an empty folder, with every unsynced change lost.
///
/// The check gets the folder, which it may change, and the marks made before the cut. See [`Replay`] for more.
///
/// # Errors
/// When the log cannot be read or makes no sense, or a folder cannot be written. What the check refuses is in the summary.
pub fn replay(log: &Path, check: impl FnMut(&Path, &[String]) -> Result<(), String>) -> Result<Summary, ReplayError> {
    Replay::new(log).run(check)
}

/// A replay with choices.
#[derive(Debug, Clone)]
pub struct Replay {
    log: PathBuf,
    base: Option<PathBuf>,
    scratch: PathBuf,
    survivals: Vec<Survival>,
    stride: usize,
}

impl Replay {
    /// Of a run that began in an empty folder, every unsynced change lost, a cut at every write.
    #[must_use]
    pub fn new(log: &Path) -> Self {
        let memory = Path::new("/dev/shm"); // checks that sync are many times faster there
        let scratch = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        Self { log: log.to_owned(), base: None, scratch, survivals: vec![Survival::Synced], stride: 1 }
    }

    /// The run began in a folder of which `copy` is a copy made while no process used it.
    #[must_use]
    pub fn starting_from(mut self, copy: &Path) -> Self {
        self.base = Some(copy.to_owned());
        self
    }

    /// Also checks, at every cut, one folder per seed in which a part of the unsynced changes survived.
    #[must_use]
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = u64>) -> Self {
        self.survivals.extend(seeds.into_iter().map(|seed| Survival::Some { seed }));
        self
    }

    /// Cuts only at every `stride`-th place (and at the end): for a look, not for proof.
    #[must_use]
    pub fn every(mut self, stride: usize) -> Self {
        self.stride = stride.max(1);
        self
    }

    /// Builds the folders below `dir` instead of in memory (`/dev/shm`, or the temporary folder where there is none).
    #[must_use]
    pub fn scratch(mut self, dir: &Path) -> Self {
        self.scratch = dir.to_owned();
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// As [`replay`].
    pub fn run(&self, mut check: impl FnMut(&Path, &[String]) -> Result<(), String>) -> Result<Summary, ReplayError> {
        let bytes = fs::read(&self.log)?;
        let events = events(&bytes)?;
        let mut walk = Walk { disk: Disk::default(), acked: Vec::new(), summary: Summary::default(), checked: None };
        if let Some(base) = &self.base {
            walk.disk.load(base, "")?;
        }
        let scratch = Scratch::new(&self.scratch)?;
        for (cut, event) in events.iter().enumerate() {
            if matches!(event, Event::SyncEnd { failed: false, .. }) {
                self.cut(&mut walk, cut, &scratch, &mut check)?;
            }
            walk.disk.apply(event)?;
            walk.count(event);
            if is_change(event) {
                self.cut(&mut walk, cut + 1, &scratch, &mut check)?;
            }
        }
        if walk.summary.writes == 0 {
            return Err(LogError::Empty.into());
        }
        walk.summary.cuts += 1;
        self.check_cut(&mut walk, events.len(), &scratch, &mut check)?;
        Ok(walk.summary)
    }

    fn cut(&self, walk: &mut Walk<'_>, cut: usize, scratch: &Scratch, check: Check<'_>) -> io::Result<()> {
        walk.summary.cuts += 1;
        if walk.summary.cuts.is_multiple_of(self.stride) { self.check_cut(walk, cut, scratch, check) } else { Ok(()) }
    }

    fn check_cut(&self, walk: &mut Walk<'_>, cut: usize, scratch: &Scratch, check: Check<'_>) -> io::Result<()> {
        for survival in &self.survivals {
            let state = (walk.disk.generation(), walk.acked.len());
            if *survival == Survival::Synced && walk.checked.replace(state) == Some(state) {
                continue;
            }
            let dir = scratch.empty()?;
            walk.disk.write_out(&dir, *survival, cut)?;
            walk.summary.checks += 1;
            if let Err(why) = check(&dir, &walk.acked) {
                walk.summary.failures.push(Failure { cut, survival: *survival, acked: walk.acked.len(), why });
            }
        }
        Ok(())
    }
}

type Check<'c> = &'c mut dyn FnMut(&Path, &[String]) -> Result<(), String>;

struct Walk<'a> {
    disk: Disk<'a>,
    acked: Vec<String>,
    summary: Summary,
    /// What the last strict check saw.
    checked: Option<(usize, usize)>,
}

impl Walk<'_> {
    fn count(&mut self, event: &Event<'_>) {
        self.summary.records += 1;
        match event {
            Event::Write { .. } => self.summary.writes += 1,
            Event::SyncEnd { failed: false, .. } => self.summary.syncs += 1,
            Event::Mark { text } => {
                self.acked.push((*text).to_owned());
                self.summary.acked_total += 1;
            }
            _ => {}
        }
    }
}

fn is_change(event: &Event<'_>) -> bool {
    match event {
        Event::Open { created, .. } => *created,
        Event::SyncBegin { .. } | Event::SyncEnd { .. } | Event::Mark { .. } => false,
        _ => true,
    }
}

/// A folder of our own that goes when we do.
struct Scratch(PathBuf);

impl Scratch {
    fn new(below: &Path) -> io::Result<Self> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = below.join(format!("rescind-powercut-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir)?;
        Ok(Self(dir))
    }

    fn empty(&self) -> io::Result<PathBuf> {
        let dir = self.0.join("cut");
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir(&dir)?,
        }
        Ok(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it: what is left lies in a temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}
