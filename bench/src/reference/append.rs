//! One record appended and synced at a time: what a disk gives to whoever does not group.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Appends `records` records of `bytes` bytes to a new file in `folder`, each with a `write` and an
/// `fdatasync` of its own, and returns records per second. The file is removed again.
///
/// # Errors
/// When the file cannot be made, written or synced; or with `InvalidInput` when there is nothing to write.
pub fn records_per_second(folder: &Path, records: u32, bytes: usize) -> io::Result<f64> {
    if records == 0 || bytes == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing to append"));
    }
    let scratch = Scratch(folder.join(format!("append-{}.reference", std::process::id())));
    let mut file = File::options().append(true).create_new(true).open(&scratch.0)?;
    // The first sync also makes the file known to its folder, which no later one does.
    file.sync_all()?;
    let record = vec![b'r'; bytes];
    let started = Instant::now();
    for _ in 0..records {
        file.write_all(&record)?;
        file.sync_data()?;
    }
    Ok(f64::from(records) / started.elapsed().as_secs_f64())
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whoever made the folder removes it with what is in it: nothing is lost when this fails.
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_measures_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(records_per_second(folder.path(), 20, 100).unwrap() > 0.0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_to_append_and_no_folder_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        assert!(records_per_second(folder.path(), 0, 100).is_err());
        assert!(records_per_second(folder.path(), 1, 0).is_err());
        assert!(records_per_second(&folder.path().join("gone"), 1, 1).is_err());
    }
}
