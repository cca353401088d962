//! The project's own commands: `cargo xtask test`, `install` and `bench`.

mod deny;
mod parts;
mod repo;
mod rules;
mod steps;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repo::Repo;
use crate::steps::Step;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--only STEP]            install the parts, then every check; STEP is one of
                                parts, fmt, clippy, deny, rules, unit, demo, doc
  install                       install the parts that tests need (as root: Debian packages too)
  bench [--json] [--only NAME]  measure a release build against its references
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<()> {
    let repo = Repo::find();
    match words {
        ["test"] => steps::run(&repo, &Step::ALL),
        ["test", "--only", name] => match Step::find(name) {
            Some(step) => steps::run(&repo, &[step]),
            None => bail!("there is no step `{name}`\n\n{USAGE}"),
        },
        ["install"] => steps::run(&repo, &[Step::Parts]),
        ["bench", rest @ ..] => steps::bench(&repo, rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such command: `{}`\n\n{USAGE}", words.join(" ")),
    }
}
