//! Holds the dependency tree against `deny.toml`: bans, wrappers, licences and sources; and asks for advisories.

mod advisories;
mod spdx;
mod tree;

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use self::tree::{Package, Tree};
use crate::repo::Repo;

/// What we read of cargo-deny's format; keys of it that say something else are left to that tool.
#[derive(Deserialize)]
struct Policy {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// The only crates that may depend on it directly; nobody, if there are none.
    #[serde(default)]
    wrappers: Vec<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
    #[serde(default)]
    allow_git: Vec<String>,
}

/// Checks the whole tree and tells all that is wrong at once.
///
/// # Errors
/// When something is not allowed, or cargo cannot tell the tree.
pub(crate) fn check(repo: &Repo) -> Result<()> {
    let text = fs::read_to_string(repo.path("deny.toml")).context("cannot read deny.toml")?;
    let policy: Policy = toml::from_str(&text).context("deny.toml is not as expected")?;
    let tree = Tree::load(repo)?;
    let faults = faults(&policy, &tree);
    if !faults.is_empty() {
        bail!("deny.toml does not allow this:\n  {}", faults.join("\n  "));
    }
    println!("{} packages, {} of them built: allowed", tree.packages.len(), tree.built().count());
    println!("{}", advisories::check(|| repo.cargo())?.says());
    Ok(())
}

fn faults(policy: &Policy, tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for ban in &policy.bans.deny {
        faults.extend(banned(ban, tree));
    }
    for package in tree.built() {
        faults.extend(wrong_licence(&policy.licenses, package));
    }
    for package in &tree.packages {
        faults.extend(wrong_source(&policy.sources, package));
    }
    faults
}

fn banned(ban: &Ban, tree: &Tree) -> Vec<String> {
    let Ban { name, wrappers, reason } = ban;
    if name.contains(['@', ':', '=']) {
        return vec![format!("{name}: a ban names a crate without its version")];
    }
    if wrappers.is_empty() {
        let built = tree.built().filter(|package| package.name == *name);
        return built.map(|package| format!("{package} is banned: {reason}")).collect();
    }
    let dependents: BTreeSet<&str> = tree.dependents(name).collect();
    dependents
        .into_iter()
        .filter(|dependent| !wrappers.iter().any(|wrapper| wrapper == dependent))
        .map(|dependent| format!("{dependent} may not depend on {name}: {reason}"))
        .collect()
}

fn wrong_licence(licenses: &Licenses, package: &Package) -> Option<String> {
    let Some(expression) = &package.license else {
        return Some(format!("{package} names no licence"));
    };
    let exception = licenses.exceptions.iter().find(|exception| exception.name == package.name);
    let more = exception.map_or(&[][..], |exception| &exception.allow[..]);
    let allowed = |licence: &str| licenses.allow.iter().chain(more).any(|one| one == licence);
    match spdx::is_met(expression, &allowed) {
        Ok(true) => None,
        Ok(false) => Some(format!("{package} is under {expression}, which is not allowed")),
        Err(why) => Some(format!("{package}: the licence `{expression}` cannot be read: {why}")),
    }
}

fn wrong_source(sources: &Sources, package: &Package) -> Option<String> {
    let source = package.source.as_deref()?; // none: a crate of this workspace
    let allowed = match source.split_once('+') {
        Some(("registry" | "sparse", address)) => sources.allow_registry.iter().any(|one| one == address),
        Some(("git", address)) => {
            let repository = address.split(['?', '#']).next().unwrap_or(address);
            sources.allow_git.iter().any(|one| one == repository)
        }
        _ => false,
    };
    (!allowed).then(|| format!("{package} comes from {source}, which is not allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT", "Apache-2.0"]
        exceptions = [{ crate = "roots", allow = ["CDLA-Permissive-2.0"] }]
        [bans]
        deny = [
          { crate = "ring", reason = "one library" },
          { crate = "axum", wrappers = ["rescind"], reason = "server only" },
        ]
        [sources]
        unknown-git = "deny"
        allow-registry = ["https://registry.test/index"]
    "#;

    fn package(name: &str, license: Option<&str>, source: Option<&str>) -> Package {
        Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        }
    }

    /// `edges` are (dependent, dependency) and make both of them built.
    fn found(packages: Vec<Package>, edges: &[(&str, &str)]) -> Vec<String> {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        faults(&policy, &Tree::of(packages, edges))
    }

    #[test]
    fn a_banned_crate_is_refused_when_built_and_passed_over_when_only_locked() {
        let packages = || vec![package("rescind", Some("MIT"), None), package("ring", Some("MIT"), None)];
        assert_eq!(found(packages(), &[("rescind", "ring")]), ["ring 1.0.0 is banned: one library"]);
        assert_eq!(found(packages(), &[]), [""; 0]);
    }

    #[test]
    fn only_a_wrapper_may_depend_on_a_wrapped_crate() {
        let packages = || ["rescind", "rescind-store", "axum"].map(|name| package(name, Some("MIT"), None)).to_vec();
        assert_eq!(found(packages(), &[("rescind", "axum")]), [""; 0]);
        assert_eq!(
            found(packages(), &[("rescind", "axum"), ("rescind-store", "axum")]),
            ["rescind-store may not depend on axum: server only"]
        );
    }

    #[test]
    fn a_licence_must_be_allowed_for_all_or_for_that_crate() {
        let packages = vec![
            package("roots", Some("CDLA-Permissive-2.0"), None),
            package("other", Some("CDLA-Permissive-2.0"), None),
            package("silent", None, None),
            package("odd", Some("MIT OR"), None),
        ];
        let edges = [("roots", "other"), ("silent", "odd")];
        let found = found(packages, &edges);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("other 1.0.0 is under CDLA-Permissive-2.0"), "{found:?}");
        assert!(found[1].starts_with("silent 1.0.0 names no licence"), "{found:?}");
        assert!(found[2].starts_with("odd 1.0.0: the licence `MIT OR` cannot be read"), "{found:?}");
    }

    #[test]
    fn another_registry_and_any_repository_are_refused_even_when_only_locked() {
        let found = found(
            vec![
                package("good", Some("MIT"), Some("registry+https://registry.test/index")),
                package("other", Some("MIT"), Some("registry+https://other.test/index")),
                package("fork", Some("MIT"), Some("git+https://code.test/fork?branch=main#0123")),
            ],
            &[],
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("other 1.0.0 comes from"), "{found:?}");
        assert!(found[1].starts_with("fork 1.0.0 comes from"), "{found:?}");
    }

    #[test]
    fn the_bans_the_design_asks_for_stand_in_the_policy() {
        let text = fs::read_to_string(Repo::find().path("deny.toml")).unwrap();
        let policy: Policy = toml::from_str(&text).unwrap();
        let wrappers = |name: &str| {
            let ban = policy.bans.deny.iter().find(|ban| ban.name == name);
            ban.map(|ban| ban.wrappers.iter().map(String::as_str).collect::<Vec<_>>())
        };
        for never in ["ring", "openssl", "openssl-sys", "native-tls", "rumqttc"] {
            assert_eq!(wrappers(never), Some(vec![]), "{never}");
        }
        assert_eq!(wrappers("axum"), Some(vec!["rescind", "rescind-bench"]));
        assert_eq!(wrappers("rusqlite"), Some(vec!["rescind-store", "crashtest"]));
        assert_eq!(wrappers("jsonwebtoken"), Some(vec!["rescind-jose"]));
    }
}
