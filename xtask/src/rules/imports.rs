//! Inside the server the four areas never import each other; only the wiring knows them all.

mod code;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use self::code::Token;
use crate::repo::Repo;

const AREAS: [&str; 4] = ["sources", "protocol", "deliveries", "console"];
const SERVER: &str = "crates/server/src";

pub(super) fn faults(repo: &Repo, tracked: &[PathBuf]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for file in tracked {
        let Some(modules) = file.strip_prefix(SERVER).ok().and_then(module_path) else {
            continue;
        };
        let Some(own) = AREAS.iter().find(|area| modules.first() == Some(&(**area).to_owned())) else {
            continue;
        };
        let text = fs::read_to_string(repo.path(file)).with_context(|| format!("cannot read {}", file.display()))?;
        for area in reached(&text, modules.len()) {
            if area != *own {
                faults.push(format!("{}: {own} must not know {area}", file.display()));
            }
        }
    }
    Ok(faults)
}

/// The module a file holds, as names below the crate's root; none for what is no Rust file.
fn module_path(file: &Path) -> Option<Vec<String>> {
    let stem = file.extension().is_some_and(|kind| kind == "rs").then(|| file.with_extension(""))?;
    let mut names: Vec<String> = stem.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    names.pop_if(|last| last == "mod");
    Some(names)
}

/// The areas that a file `depth` modules below the root reaches by `crate::` or `super::`, in a `use` or in a path.
fn reached(text: &str, depth: usize) -> Vec<&'static str> {
    let tokens = code::tokens(text);
    let mut found = Vec::new();
    let mut inline = Inline::default();
    for (at, token) in tokens.iter().enumerate() {
        inline.step(&tokens, at);
        let continues = at.checked_sub(1).is_some_and(|before| tokens[before] == Token::Colons);
        let rest = match token {
            Token::Word("crate") => &tokens[at + 1..],
            Token::Word("super") if !continues => match above(&tokens[at..], depth + inline.depth()) {
                Some(rest) => rest,
                None => continue,
            },
            _ => continue,
        };
        found.extend(firsts(rest).into_iter().filter_map(|name| AREAS.into_iter().find(|area| *area == name)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// What follows `super::super…`, if that climbs to the crate's root.
fn above<'a, 't>(mut tokens: &'t [Token<'a>], depth: usize) -> Option<&'t [Token<'a>]> {
    let mut climbed = 0;
    loop {
        match tokens {
            [Token::Word("super"), rest @ ..] => {
                climbed += 1;
                match rest {
                    [Token::Colons, after @ ..] if after.first() == Some(&Token::Word("super")) => {
                        tokens = after;
                    }
                    _ => return (climbed >= depth).then_some(rest),
                }
            }
            _ => return None,
        }
    }
}

/// The first names behind `::`: one, or those at the top level of a `{…}` group.
fn firsts<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    match tokens {
        [Token::Colons, Token::Word(name), ..] => vec![name],
        [Token::Colons, Token::Open, group @ ..] => {
            let (mut names, mut level, mut first) = (Vec::new(), 1_usize, true);
            for token in group {
                match token {
                    Token::Open => level += 1,
                    Token::Close => level -= 1,
                    Token::Word(name) if first => names.push(*name),
                    _ => {}
                }
                if level == 0 {
                    break;
                }
                first = level == 1 && *token == Token::Comma;
            }
            names
        }
        _ => Vec::new(),
    }
}

/// How many `mod name { … }` are open: each is one more module between here and the root.
#[derive(Default)]
struct Inline {
    braces: usize,
    opened_at: Vec<usize>,
}

impl Inline {
    fn step(&mut self, tokens: &[Token<'_>], at: usize) {
        match tokens[at] {
            Token::Open => {
                self.braces += 1;
                let before = at.checked_sub(2).and_then(|from| tokens.get(from..at));
                if matches!(before, Some([Token::Word("mod"), Token::Word(_)])) {
                    self.opened_at.push(self.braces);
                }
            }
            Token::Close => {
                self.opened_at.pop_if(|opened| *opened == self.braces);
                self.braces = self.braces.saturating_sub(1);
            }
            _ => {}
        }
    }

    fn depth(&self) -> usize {
        self.opened_at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_groups_and_plain_paths_are_seen() {
        assert_eq!(reached("use crate::console::pages::Page;", 1), ["console"]);
        assert_eq!(reached("use crate::{app, console::{self, Page}, sources};", 1), ["console", "sources"]);
        assert_eq!(reached("fn f() { crate::deliveries::send() }", 1), ["deliveries"]);
        assert_eq!(reached("pub(crate) use crate :: protocol as p;", 1), ["protocol"]);
    }

    #[test]
    fn a_name_below_another_module_is_none_of_the_areas() {
        assert_eq!(reached("use crate::config::protocol::X; use crate::app::{console, a};", 1), [""; 0]);
        assert_eq!(reached("use other::console; let console = 1; self::console::x();", 1), [""; 0]);
    }

    #[test]
    fn super_counts_when_it_climbs_to_the_root() {
        assert_eq!(reached("use super::console::Page;", 1), ["console"]);
        assert_eq!(reached("use super::console::Page;", 2), [""; 0]);
        assert_eq!(reached("use super::super::{console, sources::X};", 2), ["console", "sources"]);
        assert_eq!(reached("mod tests { use super::super::console; }", 1), ["console"]);
        assert_eq!(reached("mod tests { use super::console; } use super::sources;", 1), ["sources"]);
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "// crate::console\n/* crate::console /* */ */ let a = \"crate::console\"; r#\"crate::sources\"#";
        assert_eq!(reached(text, 1), [""; 0]);
    }

    #[test]
    fn a_file_of_one_area_that_imports_another_is_a_fault_and_the_wiring_may() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path());
        let text = "use crate::protocol::X;\nuse crate::console::Y;\n";
        let files = ["app.rs", "console.rs", "protocol/mod.rs", "protocol/page.txt"];
        let tracked = files.map(|name| Path::new(SERVER).join(name));
        fs::create_dir_all(repo.path(SERVER).join("protocol")).unwrap();
        for file in &tracked {
            fs::write(repo.path(file), text).unwrap();
        }
        assert_eq!(
            faults(&repo, &tracked).unwrap(),
            [
                "crates/server/src/console.rs: console must not know protocol",
                "crates/server/src/protocol/mod.rs: protocol must not know console",
            ]
        );
    }
}
