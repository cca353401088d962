//! Crates depend one way: check ◄ ledger ◄ store ◄ server ► jose.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use crate::repo::Repo;

/// Each crate with those of ours it may depend on.
const ARROWS: [(&str, &[&str]); 7] = [
    ("rescind-check", &[]),
    ("rescind-jose", &[]),
    ("rescind-ledger", &["rescind-check"]),
    ("rescind-store", &["rescind-check", "rescind-ledger"]),
    ("rescind", &["rescind-check", "rescind-jose", "rescind-ledger", "rescind-store"]),
    ("rescind-bench", &["rescind", "rescind-check", "rescind-jose", "rescind-ledger", "rescind-store"]),
    ("xtask", &[]),
];

pub(super) fn faults(repo: &Repo, tracked: &[PathBuf]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in tracked.iter().filter(|file| is_of_workspace(file)) {
        let text = fs::read_to_string(repo.path(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let manifest: Table = text.parse().with_context(|| format!("{} is no TOML", file.display()))?;
        faults.extend(of_manifest(file, &manifest));
    }
    Ok(faults)
}

fn is_of_workspace(file: &Path) -> bool {
    let parts: Vec<_> = file.iter().filter_map(|part| part.to_str()).collect();
    matches!(parts[..], ["crates", _, "Cargo.toml"] | ["xtask" | "bench", "Cargo.toml"])
}

fn of_manifest(file: &Path, manifest: &Table) -> Vec<String> {
    let file = file.display();
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let Some(name) = name else {
        return vec![format!("{file}: the package has no name")];
    };
    let Some((_, may)) = ARROWS.iter().find(|(one, _)| *one == name) else {
        return vec![format!("{file}: {name} has no place among the arrows yet: give it one in xtask")];
    };
    let ours = |dependency: &String| ARROWS.iter().any(|(one, _)| one == dependency);
    dependencies(manifest)
        .into_iter()
        .filter(|dependency| ours(dependency) && !may.contains(&dependency.as_str()))
        .map(|dependency| format!("{file}: {name} may not depend on {dependency}"))
        .collect()
}

/// Names of all dependencies: of tests and build scripts and of single platforms too, and by their real names.
fn dependencies(manifest: &Table) -> Vec<String> {
    let per_platform = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(per_platform.filter_map(Value::as_table));
    tables
        .flat_map(|table| ["dependencies", "dev-dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(Value::as_table)
        .flatten()
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(manifest: &str) -> Vec<String> {
        of_manifest(Path::new("Cargo.toml"), &manifest.parse().unwrap())
    }

    #[test]
    fn an_arrow_along_the_line_is_fine_and_one_against_it_is_a_fault() {
        let package = "[package]\nname = 'rescind-ledger'\n";
        assert_eq!(found(&format!("{package}[dependencies]\nrescind-check.workspace = true")), [""; 0]);
        assert_eq!(
            found(&format!("{package}[dependencies]\nserde = '1'\nrescind-store.workspace = true")),
            ["Cargo.toml: rescind-ledger may not depend on rescind-store"]
        );
    }

    #[test]
    fn no_kind_of_dependency_and_no_other_name_hides_an_arrow() {
        for dependencies in [
            "[dev-dependencies]\nrescind = { path = '../server' }",
            "[build-dependencies]\nrescind = { path = '../server' }",
            "[target.'cfg(unix)'.dependencies]\nrescind = { path = '../server' }",
            "[dependencies]\nserver = { package = 'rescind', path = '../server' }",
        ] {
            let found = found(&format!("[package]\nname = 'rescind-check'\n{dependencies}"));
            assert_eq!(found, ["Cargo.toml: rescind-check may not depend on rescind"], "{dependencies}");
        }
    }

    #[test]
    fn a_new_crate_must_be_given_its_place() {
        assert!(found("[package]\nname = 'rescind-new'")[0].contains("no place among the arrows"));
    }

    #[test]
    fn every_crate_of_this_workspace_is_looked_at() {
        let repo = Repo::find();
        let looked_at = repo.files().unwrap().into_iter().filter(|file| is_of_workspace(file)).count();
        assert_eq!(looked_at, ARROWS.len());
    }
}
