//! Rows in a plain file, read from end to end: what it takes at least to look at every token of a list.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of a row, of which the first name its user: about what a row of a status list takes in the database.
pub const ROW: usize = 224;
const NAME: usize = 26;

/// A file with one list's rows. It is removed with this value.
pub struct Rows {
    file: PathBuf,
}

impl Rows {
    /// Writes a file with a row for each of these users.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write<'a>(folder: &Path, users: impl Iterator<Item = &'a str>) -> io::Result<Self> {
        let rows = Self { file: folder.join(format!("rows-{}.reference", std::process::id())) };
        let mut file = BufWriter::new(File::create(&rows.file)?);
        for user in users {
            let mut row = [b' '; ROW];
            row[..NAME].copy_from_slice(&padded(user));
            file.write_all(&row)?;
        }
        file.flush()?;
        Ok(rows)
    }

    /// Reads every row and hands over the numbers of those whose user is among the revoked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn each_of(&self, revoked: &[&str], mut found: impl FnMut(u32)) -> io::Result<()> {
        let revoked: HashSet<[u8; NAME]> = revoked.iter().map(|user| padded(user)).collect();
        let mut file = BufReader::with_capacity(1 << 16, File::open(&self.file)?);
        let mut row = [0; ROW];
        let mut number = 0;
        while file.read_exact(&mut row).is_ok() {
            if row.first_chunk::<NAME>().is_some_and(|name| revoked.contains(name)) {
                found(number);
            }
            number += 1;
        }
        Ok(())
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        // Whoever made the folder removes it with what is in it: nothing is lost when this fails.
        drop(fs::remove_file(&self.file));
    }
}

fn padded(user: &str) -> [u8; NAME] {
    let mut name = [b' '; NAME];
    for (place, byte) in name.iter_mut().zip(user.bytes()) {
        *place = byte;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_the_revoked_are_found_and_the_file_goes() {
        let folder = tempfile::tempdir().unwrap();
        let rows = Rows::write(folder.path(), ["a", "b", "a", "c"].into_iter()).unwrap();
        let mut found = Vec::new();
        rows.each_of(&["a", "c"], |number| found.push(number)).unwrap();
        assert_eq!(found, [0, 2, 3]);
        drop(rows);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
