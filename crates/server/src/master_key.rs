//! The master key file: 32 bytes as 64 hexadecimal digits, readable by its owner alone, and never in a backup.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use rescind_store::DataDir;
use zeroize::Zeroizing;

use crate::{clock::random, config::MasterKeySource};

/// The key of a database that there is, from the configured source or else the data directory. None is ever made here:
/// another key would not open what this one has closed.
pub fn load(source: Option<&MasterKeySource>, data_dir: &DataDir) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let (path, named) = match source {
        Some(MasterKeySource::Value(key)) => return Ok(key.clone()),
        Some(MasterKeySource::File(path)) => (path.clone(), ", which `master_key_file` names"),
        None => (data_dir.master_key(), ""),
    };
    if !path.exists() {
        bail!(
            "the master key is missing: there is no {}{named}. It is not part of a backup; put back the one that belongs to \
             this database",
            path.display()
        );
    }
    read(&path)
}

/// Where the key comes from, for people.
#[must_use]
pub fn place(source: Option<&MasterKeySource>, data_dir: &DataDir) -> String {
    match source {
        Some(MasterKeySource::Value(_)) => "the value of RESCIND_MASTER_KEY".to_owned(),
        Some(MasterKeySource::File(path)) => path.display().to_string(),
        None => data_dir.master_key().display().to_string(),
    }
}

/// Reads a key; refuses a file that others may read.
pub fn read(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let mut file = File::open(path).with_context(|| format!("cannot open the master key {}", path.display()))?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("the master key {} can be read by others: run `chmod 600` on it", path.display());
    }
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)?;
    parse(text.trim()).with_context(|| format!("the master key {} is not 64 hexadecimal digits", path.display()))
}

/// Reads a key, making one at the very first start.
pub fn read_or_make(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(mut file) => {
            let key = Zeroizing::new(random::<32>());
            let text = Zeroizing::new(hex(key.as_slice()));
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            sync_folder(path)?;
            Ok(key)
        }
        Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => read(path),
        Err(why) => Err(why).with_context(|| format!("cannot make the master key {}", path.display())),
    }
}

fn sync_folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().context("the master key lies in a folder")?;
    Ok(File::open(folder)?.sync_all()?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key from 64 hexadecimal digits.
#[must_use]
pub fn parse(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_readable_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = read_or_make(&path).unwrap();
        assert_eq!(*read_or_make(&path).unwrap(), *made);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        read_or_make(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("chmod 600"));
    }
}
