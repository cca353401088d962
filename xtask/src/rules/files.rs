//! Rules about any file: its name, its length, and the addresses it must not name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::repo::Repo;

/// Longest Rust file, in lines.
const LONGEST: usize = 600;

/// Names under which things are put that nobody wanted to name.
const DRAWERS: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "manager", "managers"];

pub(super) fn faults(repo: &Repo, tracked: &[PathBuf]) -> Result<Vec<String>> {
    let hosts = registry_hosts();
    let mut faults = Vec::new();
    for file in tracked {
        faults.extend(drawer(file));
        let bytes = fs::read(repo.path(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let Ok(text) = str::from_utf8(&bytes) else {
            continue;
        }; // a picture or the like
        faults.extend(too_long(file, text));
        faults.extend(named_hosts(file, text, &hosts));
    }
    Ok(faults)
}

fn drawer(file: &Path) -> Option<String> {
    let named = |part: &Path| {
        let stem = part.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        DRAWERS.contains(&stem.as_str())
    };
    let found = file.iter().any(|part| named(Path::new(part)));
    found.then(|| format!("{}: a drawer; name it after what is in it", file.display()))
}

fn too_long(file: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    let found = file.extension().is_some_and(|kind| kind == "rs") && lines > LONGEST;
    found.then(|| format!("{}: {lines} lines, {LONGEST} are the most", file.display()))
}

/// Hosts of package registries: which mirror serves a build is the builder's affair. Written in pieces,
/// or this file would break the rule itself.
fn registry_hosts() -> Vec<String> {
    let pieces: [(&str, &str); 7] = [
        ("crates", "io"),
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("debian", "org"),
    ];
    pieces.map(|(name, top)| format!("{name}.{top}")).to_vec()
}

fn named_hosts(file: &Path, text: &str, hosts: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.to_ascii_lowercase();
        if let Some(host) = hosts.iter().find(|host| names(&line, host)) {
            faults.push(format!("{}:{number}: names the package registry {host}", file.display()));
        }
    }
    faults
}

/// Whether `host` or a host below it stands in `line`, and not merely a longer word that has it inside.
fn names(line: &str, host: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    line.match_indices(host).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + host.len()..].chars().next());
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawer_is_found_as_file_or_folder_in_any_language() {
        for wrong in ["crates/x/src/util.rs", "src/Helpers/a.rs", "blackbox/common.py", "manager"] {
            assert!(drawer(Path::new(wrong)).is_some(), "{wrong}");
        }
        for right in ["crates/x/src/utility_bill.rs", "src/commonplace.rs", "docs/a.md"] {
            assert_eq!(drawer(Path::new(right)), None);
        }
    }

    #[test]
    fn six_hundred_lines_are_the_most_for_rust_and_for_nothing_else() {
        let (most, more) = ("x\n".repeat(600), "x\n".repeat(601));
        assert_eq!(too_long(Path::new("a.rs"), &most), None);
        assert!(too_long(Path::new("a.rs"), &more).is_some());
        assert_eq!(too_long(Path::new("Cargo.lock"), &more), None);
    }

    #[test]
    fn a_registry_host_is_found_with_its_line_and_a_longer_word_is_not() {
        let hosts = ["registry.test".to_owned()];
        let text = "fine\nhttps://files.Registry.test/x\nregistry.test-index\nmyregistry.test\n";
        let found = named_hosts(Path::new("notes.md"), text, &hosts);
        assert_eq!(found, ["notes.md:2: names the package registry registry.test"]);
    }

    #[test]
    fn the_list_of_hosts_is_whole() {
        let hosts = registry_hosts();
        assert!(hosts.iter().all(|host| host.split('.').count() == 2 && !host.contains(' ')));
        let index = format!("https://index.{}/config.json", hosts[0]);
        assert_eq!(named_hosts(Path::new("a"), &index, &hosts).len(), 1);
    }
}
