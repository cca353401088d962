//! Holds the tree against rules of the project that no other tool knows.

mod architecture;
mod arrows;
mod files;
mod imports;

use anyhow::{Result, bail};

use crate::repo::Repo;

/// Checks every rule and tells all that is wrong at once.
///
/// # Errors
/// When a rule is broken, or a file that must be read cannot be.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    let tracked = repo.files()?;
    let mut faults = files::faults(repo, &tracked)?;
    faults.extend(imports::faults(repo, &tracked)?);
    faults.extend(arrows::faults(repo, &tracked)?);
    faults.extend(architecture::faults(repo, &tracked)?);
    if !faults.is_empty() {
        bail!("{} of the project's rules broken:\n  {}", faults.len(), faults.join("\n  "));
    }
    println!("{} files keep the rules", tracked.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_asked_and_all_faults_are_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path());
        crate::repo::run(repo.command("git").args(["init", "-q"])).unwrap();
        for (file, text) in [
            ("crates/server/src/protocol/util.rs", "use crate::console::Page;"),
            (
                "crates/check/Cargo.toml",
                "[package]\nname = \"rescind-check\"\n[dependencies]\nrescind-jose.workspace = true",
            ),
            ("ARCHITECTURE.md", "see `crates/gone`"),
        ] {
            let file = repo.path(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let said = check(&repo).unwrap_err().to_string();
        for part in ["4 of the", "a drawer", "console", "rescind-jose", "crates/gone"] {
            assert!(said.contains(part), "{part} in {said}");
        }
    }
}
