//! Installs what the tests need and no crate brings: a browser, and clients in Python and JavaScript.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::repo::{self, Repo};

/// A Debian package, and the file by which one sees that it is there.
struct DebianPart {
    package: &'static str,
    shown_by: &'static str,
}

const DEBIAN: [DebianPart; 1] = [DebianPart { package: "chromium", shown_by: "/usr/bin/chromium" }];

/// Where the parts stand; tests are told by `RESCIND_PARTS`.
pub(crate) fn folder(repo: &Repo) -> PathBuf {
    repo.path("target/parts")
}

/// Installs whatever is missing or not of the locked version; a second run does nothing.
///
/// # Errors
/// When a part cannot be installed; the message says what to do by hand.
pub(crate) fn install(repo: &Repo) -> Result<()> {
    let parts = folder(repo);
    fs::create_dir_all(&parts).context("cannot make target/parts")?;
    // Two runs at once would each empty the other's folder.
    let lock = File::create(parts.join("lock")).context("cannot make target/parts/lock")?;
    lock.lock().context("cannot lock target/parts")?;
    debian(repo)?;
    python(repo, &parts)?;
    node(repo, &parts)
}

fn debian(repo: &Repo) -> Result<()> {
    let missing = missing_packages(&DEBIAN);
    if missing.is_empty() {
        println!("Debian packages: there");
        return Ok(());
    }
    let by_hand = format!("install by hand: apt-get install {}", missing.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this is not a Debian system, so {} cannot be installed from here; {by_hand}", missing.join(", "));
    }
    if repo::output(repo.command("id").arg("-u"))?.trim() != "0" {
        bail!("only root can install Debian packages; {by_hand}");
    }
    println!("Debian packages: installing {}", missing.join(" "));
    apt(repo, &["update", "-qq"])?;
    let words = ["install", "-qq", "--yes", "--no-install-recommends"];
    apt(repo, &[&words[..], &missing[..]].concat())?;
    let still = missing_packages(&DEBIAN);
    if !still.is_empty() {
        bail!("apt-get ended well, yet the files of {} are not there", still.join(", "));
    }
    Ok(())
}

fn missing_packages(parts: &[DebianPart]) -> Vec<&'static str> {
    parts.iter().filter(|part| !Path::new(part.shown_by).exists()).map(|part| part.package).collect()
}

fn apt(repo: &Repo, words: &[&str]) -> Result<()> {
    let mut command = repo.command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // Another program may be installing right now: wait for it instead of failing.
    repo::run(command.args(["-o", "DPkg::Lock::Timeout=300"]).args(words))
}

fn python(repo: &Repo, parts: &Path) -> Result<()> {
    let locked = repo.path("blackbox/requirements.txt");
    let version = repo::output(repo.command("python3").arg("--version"))?;
    let wanted = format!("{version}{}", read(&locked)?);
    let target = parts.join("python");
    if is_stamped(&target, &wanted) {
        println!("Python clients: there");
        return Ok(());
    }
    println!("Python clients: installing");
    empty(&target)?;
    repo::run(repo.command("python3").args(["-m", "venv"]).arg(&target))
        .context("cannot make a virtual environment (on Debian the package python3-venv has what is needed)")?;
    // The file pins everything, so nothing may be added to it by resolution.
    let mut pip = repo.command(target.join("bin/pip"));
    pip.args(["install", "--quiet", "--no-deps", "--disable-pip-version-check", "--no-input", "--requirement"]);
    repo::run(pip.arg(&locked))?;
    repo::run(repo.command(target.join("bin/pip")).args(["check"]))?;
    stamp(&target, &wanted)
}

fn node(repo: &Repo, parts: &Path) -> Result<()> {
    let from = repo.path("blackbox");
    let version = repo::output(repo.command("node").arg("--version"))?;
    let (manifest, lock) = (read(&from.join("package.json"))?, read(&from.join("package-lock.json"))?);
    let wanted = format!("{version}{manifest}{lock}");
    let target = parts.join("node");
    if is_stamped(&target, &wanted) {
        println!("JavaScript clients: there");
    } else {
        println!("JavaScript clients: installing");
        empty(&target)?;
        fs::create_dir_all(&target).context("cannot make target/parts/node")?;
        for (name, text) in [("package.json", &manifest), ("package-lock.json", &lock)] {
            fs::write(target.join(name), text).with_context(|| format!("cannot write {name}"))?;
        }
        let mut npm = repo.command("npm");
        npm.current_dir(&target).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        repo::run(&mut npm)?;
        stamp(&target, &wanted)?;
    }
    link_modules(&from, &target)
}

/// A script's imports are looked for beside the script: a link there leads to where they stand.
fn link_modules(beside: &Path, installed: &Path) -> Result<()> {
    let link = beside.join("node_modules");
    let modules = installed.join("node_modules");
    match fs::symlink_metadata(&link) {
        Ok(found) if !found.is_symlink() => return Ok(()), // somebody ran npm there: theirs to keep
        Ok(_) if fs::read_link(&link).is_ok_and(|to| to == modules) => return Ok(()),
        Ok(_) => fs::remove_file(&link).context("cannot replace blackbox/node_modules")?,
        Err(_) => {}
    }
    std::os::unix::fs::symlink(&modules, &link).context("cannot link blackbox/node_modules")
}

/// The stamp is the text of the lock files and of the tool's version: exact, and readable when it surprises.
fn is_stamped(target: &Path, wanted: &str) -> bool {
    fs::read_to_string(target.join("installed.txt")).is_ok_and(|found| found == wanted)
}

/// Written last, so that an installation cut short is done again.
fn stamp(target: &Path, wanted: &str) -> Result<()> {
    fs::write(target.join("installed.txt"), wanted).context("cannot write the stamp")
}

fn empty(target: &Path) -> Result<()> {
    match fs::remove_dir_all(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot empty {}", target.display()))
        }
        _ => Ok(()),
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_holds_for_the_same_locks_only() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_stamped(folder.path(), "one"));
        stamp(folder.path(), "one").unwrap();
        assert!(is_stamped(folder.path(), "one"));
        assert!(!is_stamped(folder.path(), "two"));
    }

    #[test]
    fn only_packages_whose_file_is_absent_are_missing() {
        let parts = [
            DebianPart { package: "shell", shown_by: "/bin/sh" },
            DebianPart { package: "absent", shown_by: "/nowhere/absent" },
        ];
        assert_eq!(missing_packages(&parts), ["absent"]);
    }

    #[test]
    fn the_link_is_made_and_mended_but_never_replaces_a_real_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (beside, installed) = (folder.path().join("scripts"), folder.path().join("node"));
        fs::create_dir_all(&beside).unwrap();
        let link = beside.join("node_modules");
        std::os::unix::fs::symlink("/elsewhere", &link).unwrap();
        link_modules(&beside, &installed).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), installed.join("node_modules"));
        fs::remove_file(&link).unwrap();
        fs::create_dir(&link).unwrap();
        link_modules(&beside, &installed).unwrap();
        assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn the_locks_pin_everything_exactly() {
        let repo = Repo::find();
        let python = read(&repo.path("blackbox/requirements.txt")).unwrap();
        for line in python.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("=="), "{line}");
        }
        let lock = read(&repo.path("blackbox/package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""), "npm writes registry addresses unless told not to");
        let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
        for (name, entry) in lock["packages"].as_object().unwrap().iter().filter(|(name, _)| !name.is_empty()) {
            assert!(entry["integrity"].as_str().is_some_and(|hash| hash.starts_with("sha512-")), "{name}");
        }
    }
}
