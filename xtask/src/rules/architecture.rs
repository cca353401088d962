//! ARCHITECTURE.md names nothing that is gone: every path in back-ticks and every crate of ours in it exists.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use toml::Table;

use crate::repo::Repo;

const PAGE: &str = "ARCHITECTURE.md";

/// Where a path on the page may start: at the root, or in the crate that the page mostly speaks of.
const STARTS: [&str; 2] = ["", "crates/server/src"];

pub(super) fn faults(repo: &Repo, tracked: &[PathBuf]) -> Result<Vec<String>> {
    let page = repo.path(PAGE);
    if !page.is_file() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(page).context("cannot read ARCHITECTURE.md")?;
    let crates = crate_names(repo, tracked)?;
    let exists = |path: &str| STARTS.iter().any(|start| repo.path(start).join(path).exists());
    let mut faults: Vec<String> =
        paths(&text).filter(|path| !exists(path)).map(|path| format!("{PAGE}: `{path}` does not exist")).collect();
    let missing = named_crates(&text).filter(|name| !crates.iter().any(|one| one == name));
    faults.extend(missing.map(|name| format!("{PAGE}: there is no crate {name}")));
    Ok(faults)
}

fn crate_names(repo: &Repo, tracked: &[PathBuf]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in tracked.iter().filter(|file| file.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(repo.path(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let manifest: Table = text.parse().with_context(|| format!("{} is no TOML", file.display()))?;
        let name = manifest.get("package").and_then(|package| package.get("name"));
        names.extend(name.and_then(toml::Value::as_str).map(str::to_owned));
    }
    Ok(names)
}

/// What stands in back-ticks outside fenced blocks and is written like a path of the tree: with a
/// slash, not at its start (that is a route of the server), and no media type.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    let prose = text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    prose.flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|span| {
        span.contains('/')
            && !span.starts_with('/')
            && !span.starts_with("application/")
            && !span.starts_with("text/")
            && span.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
    })
}

/// Words of the form `rescind-…`, wherever they stand on the page; not inside a path or a longer word.
fn named_crates(text: &str) -> impl Iterator<Item = &str> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    text.split(move |c| !in_word(c)).map(|word| word.trim_end_matches(['.', '-'])).filter(|word| {
        word.strip_prefix("rescind-")
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_routes_media_types_and_drawings() {
        let text = "In `crates/check/src` and `docs/adr/`, not `/revoke`, `application/json` or `a / b`.\n\
                    ```\n`drawn/path`\n```\nThen `xtask/src/main.rs` and plain/words.\n";
        assert_eq!(paths(text).collect::<Vec<_>>(), ["crates/check/src", "docs/adr/", "xtask/src/main.rs"]);
    }

    #[test]
    fn crates_are_found_in_prose_and_drawings() {
        let text = "`rescind-check` and rescind-jose.\n```\nrescind-store\n```\nrescind, x/rescind-no, rescind-";
        assert_eq!(named_crates(text).collect::<Vec<_>>(), ["rescind-check", "rescind-jose", "rescind-store"]);
    }

    #[test]
    fn what_is_gone_is_a_fault_and_no_page_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path());
        assert_eq!(faults(&repo, &[]).unwrap(), [""; 0]);
        fs::create_dir_all(repo.path("crates/server/src/protocol")).unwrap();
        let text = "`crates/server/`, `protocol/`, `protocol/gone.rs` and rescind-gone\n";
        fs::write(repo.path(PAGE), text).unwrap();
        assert_eq!(
            faults(&repo, &[]).unwrap(),
            ["ARCHITECTURE.md: `protocol/gone.rs` does not exist", "ARCHITECTURE.md: there is no crate rescind-gone",]
        );
    }
}
