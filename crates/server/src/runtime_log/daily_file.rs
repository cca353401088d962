//! The file: whole lines at its end, put aside under its day's name when another day begins.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use rescind_ledger::Timestamp;

pub(super) const CURRENT: &str = "runtime-api.log";
/// How many files of one day are looked through for a free name.
const NAMES: u32 = 1000;

/// `runtime-api.log` in a directory.
pub(super) struct DailyFile {
    directory: PathBuf,
    open: Option<Open>,
}

struct Open {
    file: File,
    /// The day of the last line in it.
    day: Option<i64>,
}

impl DailyFile {
    /// Opens the file that is there, or makes one that its owner writes and its group reads.
    pub(super) fn at(directory: &Path) -> io::Result<Self> {
        let mut file = Self { directory: directory.to_owned(), open: None };
        file.opened()?;
        Ok(file)
    }

    /// Lets go of the file and opens the one that now has its name.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.open = None;
        self.opened().map(|_| ())
    }

    /// Writes lines of one day, all of them or none.
    pub(super) fn append(&mut self, day: i64, lines: &str) -> io::Result<()> {
        // A line that was overtaken at midnight by one of the next day stays with it.
        if self.opened()?.day.is_some_and(|last| last < day) {
            self.turn(day);
        }
        let open = self.opened()?;
        let before = open.file.metadata()?.len();
        if let Err(why) = open.file.write_all(lines.as_bytes()) {
            // Half a line would lead into the next one. If this fails too, whoever opens the file ends it.
            let _ = open.file.set_len(before);
            self.open = None;
            return Err(why);
        }
        open.day = Some(open.day.map_or(day, |last| last.max(day)));
        Ok(())
    }

    fn opened(&mut self) -> io::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.current())?,
        };
        Ok(self.open.insert(open))
    }

    fn current(&self) -> PathBuf {
        self.directory.join(CURRENT)
    }

    /// Begins a new file for `day`. If the old one cannot be put aside, the lines go on in it.
    fn turn(&mut self, day: i64) {
        let turned = self.put_aside().and_then(|()| self.reopen());
        if let Err(error) = turned {
            tracing::error!(%error, "runtime-api.log could not be put aside; today's lines follow yesterday's");
            if let Some(open) = &mut self.open {
                open.day = Some(day);
            }
        }
    }

    /// Gives the file its day's name; if somebody has moved it away, it has one.
    fn put_aside(&mut self) -> io::Result<()> {
        let Some(Open { file, day: Some(day) }) = &self.open else { return Ok(()) };
        let there = match fs::metadata(self.current()) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
            there => there?,
        };
        let ours = file.metadata()?;
        if (there.dev(), there.ino()) != (ours.dev(), ours.ino()) {
            return Ok(());
        }
        let date =
            jiff::Timestamp::from_second(day * 86_400).map_err(io::Error::other)?.strftime("%Y-%m-%d").to_string();
        for n in 0..NAMES {
            let suffix = if n == 0 { String::new() } else { format!(".{n}") };
            let name = self.directory.join(format!("runtime-api.{date}{suffix}.log"));
            // Renaming would replace whatever is there; a name that could be made anew is ours to replace.
            match OpenOptions::new().write(true).create_new(true).open(&name) {
                Ok(_) => return fs::rename(self.current(), name),
                Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
                Err(why) => return Err(why),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("all names of {date} are taken")))
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)?;
        let found = file.metadata()?;
        if found.len() == 0 {
            return Ok(Self { file, day: None });
        }
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            // A line that a crash cut short must not lead into the next one.
            file.write_all(b"\n")?;
        }
        let written = found.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let written = Timestamp(i64::try_from(written.as_millis()).unwrap_or(i64::MAX));
        Ok(Self { file, day: Some(super::day(written)) })
    }
}
