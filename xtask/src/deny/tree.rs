//! The packages that are locked, and which of them are built for whom.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::repo::{self, Repo};

/// A locked package as its manifest describes it.
#[derive(Clone, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: Option<String>,
    /// Kind and address, as `registry+https://…`; none for a crate of this workspace.
    pub(super) source: Option<String>,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// A name and a version.
type Id = (String, String);

pub(super) struct Tree {
    pub(super) packages: Vec<Package>,
    built: BTreeSet<Id>,
    /// (dependent, dependency), direct ones, tests and build scripts included.
    edges: BTreeSet<(Id, Id)>,
}

impl Tree {
    /// Asks cargo. `metadata` also lists what is locked only because a feature that is off mentions
    /// it weakly (`ring?/std`); `tree` says what is built, for any platform.
    ///
    /// # Errors
    /// When cargo fails or prints something unexpected.
    pub(super) fn load(repo: &Repo) -> Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
        }
        let words = ["metadata", "--quiet", "--format-version", "1", "--locked"];
        let metadata = repo::output(repo.cargo().args(words))?;
        let Metadata { packages } = serde_json::from_str(&metadata).context("cargo metadata is not as expected")?;
        let mut command = repo.cargo();
        command.args(["tree", "--quiet", "--workspace", "--locked", "--target", "all"]);
        command.args(["--edges", "normal,build,dev", "--prefix", "depth", "--format", "{p}"]);
        let (built, edges) = read(&repo::output(&mut command)?)?;
        Ok(Self { packages, built, edges })
    }

    #[cfg(test)]
    pub(super) fn of(packages: Vec<Package>, edges: &[(&str, &str)]) -> Self {
        let id = |name: &str| (name.to_owned(), "1.0.0".to_owned());
        let edges: BTreeSet<_> = edges.iter().map(|(from, to)| (id(from), id(to))).collect();
        let built = edges.iter().flat_map(|(from, to)| [from.clone(), to.clone()]).collect();
        Self { packages, built, edges }
    }

    /// The packages that are built, on some platform.
    pub(super) fn built(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|p| self.built.contains(&(p.name.clone(), p.version.clone())))
    }

    /// Names of the crates that directly depend on any version of the crate of that name.
    pub(super) fn dependents<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.edges.iter().filter(move |(_, to)| to.0 == name).map(|(from, _)| from.0.as_str())
    }
}

type Built = (BTreeSet<Id>, BTreeSet<(Id, Id)>);

/// Reads lines such as `2serde v1.0.0 (proc-macro)`: a depth, a name, a version and remarks.
fn read(text: &str) -> Result<Built> {
    let (mut built, mut edges) = (BTreeSet::new(), BTreeSet::new());
    let mut above: Vec<Id> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (depth, id) = node(line).with_context(|| format!("cargo tree printed `{line}`"))?;
        above.truncate(depth);
        if let Some(parent) = above.last() {
            edges.insert((parent.clone(), id.clone()));
        }
        built.insert(id.clone());
        above.push(id);
    }
    Ok((built, edges))
}

fn node(line: &str) -> Option<(usize, Id)> {
    let name_at = line.find(|c: char| !c.is_ascii_digit())?;
    let (depth, rest) = line.split_at(name_at);
    let mut words = rest.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some((depth.parse().ok()?, (name.to_owned(), version.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_become_edges() {
        let text = "0rescind v0.1.0 (/somewhere)\n1axum v0.8.9\n2serde v1.0.0\n1serde v1.0.0 (*)\n\n\
                    0xtask v0.1.0 (/x)\n1derive v2.0.0 (proc-macro)\n";
        let (built, edges) = read(text).unwrap();
        assert_eq!(built.len(), 5);
        let names: Vec<_> = edges.iter().map(|(from, to)| (from.0.as_str(), to.0.as_str())).collect();
        assert_eq!(names, [("axum", "serde"), ("rescind", "axum"), ("rescind", "serde"), ("xtask", "derive")]);
    }

    #[test]
    fn a_line_of_another_shape_is_an_error() {
        assert!(read("error: no such thing\n").is_err());
        assert!(read("1 v1.0\n0name\n").is_err());
    }

    #[test]
    fn the_tree_of_this_workspace_has_its_own_crates_with_their_dependents() {
        let tree = Tree::load(&Repo::find()).unwrap();
        assert!(tree.built().any(|package| package.name == "rescind" && package.source.is_none()));
        assert!(tree.dependents("rescind-store").any(|name| name == "rescind"));
        assert!(tree.dependents("rusqlite").all(|name| ["rescind-store", "crashtest"].contains(&name)));
    }
}
