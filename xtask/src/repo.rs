//! The working tree: where it is, which files belong to it, and commands run in it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A checked-out tree of the project.
pub(crate) struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The tree this program was built from, or, when `cargo run` says so, the one it was started in.
    pub(crate) fn find() -> Self {
        let package =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().map_or_else(|| package.clone(), Path::to_path_buf);
        Self { root }
    }

    #[cfg(test)]
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A command with the tree as its folder and nothing on standard input.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// The cargo that started us. In CI nothing is built twice, so incremental data would only cost.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = self.command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        if env::var_os("CI").is_some() {
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
    }

    /// Files of the tree that git tracks or would track, relative to the root, that exist.
    ///
    /// # Errors
    /// When git cannot list them.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut list = self.command("git");
        list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let names = output(&mut list)?;
        let mut files: Vec<PathBuf> = names
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .filter(|file| self.path(file).is_file())
            .collect();
        files.sort();
        files.dedup();
        Ok(files)
    }
}

/// Runs a command whose output goes to the terminal.
///
/// # Errors
/// When it cannot start or does not exit with zero.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let said = describe(command);
    let status = command.status().with_context(|| format!("cannot start `{said}`"))?;
    if !status.success() {
        bail!("`{said}` failed ({status})");
    }
    Ok(())
}

/// Runs a command and takes what it prints.
///
/// # Errors
/// When it cannot start, does not exit with zero, or prints something that is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let said = describe(command);
    let done = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{said}`"))?;
    if !done.status.success() {
        bail!("`{said}` failed ({})", done.status);
    }
    String::from_utf8(done.stdout).with_context(|| format!("`{said}` printed something else than text"))
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_an_error_that_names_it() {
        let error = run(&mut Command::new("false")).unwrap_err();
        assert!(error.to_string().contains("`false` failed"), "{error}");
        run(&mut Command::new("true")).unwrap();
    }

    #[test]
    fn the_listing_has_new_files_and_leaves_out_ignored_and_deleted_ones() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path());
        for (name, text) in [(".gitignore", "/ignored\n"), ("ignored", ""), ("new", ""), ("gone", "")] {
            std::fs::write(repo.path(name), text).unwrap();
        }
        run(repo.command("git").args(["init", "-q"])).unwrap();
        run(repo.command("git").args(["add", "gone"])).unwrap();
        std::fs::remove_file(repo.path("gone")).unwrap();
        let names = repo.files().unwrap();
        assert_eq!(names, [".gitignore", "new"].map(PathBuf::from));
    }
}
