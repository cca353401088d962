//! The throw-away data directory.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::clock::fresh_id;

/// A fresh folder for this user alone. It is removed with this value.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(fresh_id("rescind-demo-"));
        // Made, never found: whoever else writes there cannot have put one in place.
        DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        match std::fs::remove_dir_all(&self.0) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                eprintln!("rescind: {} is left behind: {why}", self.0.display());
            }
            _ => {}
        }
    }
}
