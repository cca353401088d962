//! The steps of `cargo xtask test`, in their order, and the benchmark run.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::repo::{self, Repo};
use crate::{deny, parts, rules};

/// README's command, which ends by itself here; how many tokens there are is left to the demo.
const DEMO: [&str; 6] = ["run", "--release", "--locked", "--", "demo", "--exit"];

/// One step of the whole check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Parts,
    Fmt,
    Clippy,
    Deny,
    Rules,
    Unit,
    Demo,
    Doc,
}

impl Step {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 8] =
        [Self::Parts, Self::Fmt, Self::Clippy, Self::Deny, Self::Rules, Self::Unit, Self::Demo, Self::Doc];

    /// The step of that name, as `--only` takes it.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Parts => "parts",
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Rules => "rules",
            Self::Unit => "unit",
            Self::Demo => "demo",
            Self::Doc => "doc",
        }
    }

    fn says(self) -> &'static str {
        match self {
            Self::Parts => "install what the tests need",
            Self::Fmt => "formatting",
            Self::Clippy => "lints, warnings refused",
            Self::Deny => "licences, bans, sources and advisories of dependencies",
            Self::Rules => "the project's own rules",
            Self::Unit => "tests of the whole workspace",
            Self::Demo => "the demo of README: a release build, ten thousand tokens",
            Self::Doc => "documentation, warnings refused",
        }
    }

    fn run(self, repo: &Repo) -> Result<()> {
        match self {
            Self::Parts => parts::install(repo),
            Self::Fmt => repo::run(repo.cargo().args(["fmt", "--all", "--check"])),
            Self::Clippy => {
                let words = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
                repo::run(repo.cargo().args(words))
            }
            Self::Deny => deny::check(repo),
            Self::Rules => rules::check(repo),
            // The black-box suites are integration tests: a missing part fails them here instead of skipping them.
            Self::Unit => repo::run(
                repo.cargo()
                    .args(["test", "--workspace", "--locked"])
                    .env("RESCIND_PARTS", parts::folder(repo))
                    .env("RESCIND_REQUIRE_PARTS", "1"),
            ),
            Self::Demo => repo::run(repo.cargo().args(DEMO)),
            Self::Doc => repo::run(
                repo.cargo().args(["doc", "--no-deps", "--workspace", "--locked"]).env("RUSTDOCFLAGS", "-D warnings"),
            ),
        }
    }
}

/// Runs the steps one after another and stops at the first that fails.
///
/// # Errors
/// The failure, with the name of its step.
pub(crate) fn run(repo: &Repo, steps: &[Step]) -> Result<()> {
    let all = Instant::now();
    for step in steps {
        println!("\n==> {}: {}", step.name(), step.says());
        let started = Instant::now();
        let outcome = step.run(repo);
        let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
        println!("<== {}: {verdict} in {:.1} s", step.name(), started.elapsed().as_secs_f64());
        outcome.with_context(|| format!("step `{}` failed", step.name()))?;
    }
    println!("\nall {} steps ok in {:.1} s", steps.len(), all.elapsed().as_secs_f64());
    Ok(())
}

/// Builds the benchmarks for release and runs them: `--json`, `--only NAME`.
///
/// # Errors
/// When an argument is unknown, or the run fails.
pub(crate) fn bench(repo: &Repo, arguments: &[&str]) -> Result<()> {
    let mut rest = arguments;
    while let [first, tail @ ..] = rest {
        rest = match (*first, tail) {
            ("--json", tail) => tail,
            ("--only", [_name, tail @ ..]) => tail,
            (other, _) => bail!("bench takes --json and --only NAME, not `{other}`"),
        };
    }
    let mut command = repo.cargo();
    command.args(["run", "--quiet", "--release", "--locked", "--package", "rescind-bench", "--"]);
    repo::run(command.args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_found_by_its_name_and_nothing_else_is() {
        for step in Step::ALL {
            assert_eq!(Step::find(step.name()), Some(step));
        }
        assert_eq!(Step::find("everything"), None);
    }

    #[test]
    fn the_demo_is_run_as_readme_says_after_the_tests() {
        let readme = std::fs::read_to_string(Repo::find().path("README.md")).unwrap();
        let shown: Vec<&str> = DEMO.into_iter().filter(|word| !["--locked", "--exit"].contains(word)).collect();
        assert!(readme.contains(&format!("\ncargo {}\n", shown.join(" "))), "{shown:?} is not in README");
        let place = |step| Step::ALL.iter().position(|one| *one == step);
        assert!(place(Step::Unit) < place(Step::Demo));
    }

    #[test]
    fn a_failing_step_is_named_and_stops_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(&Repo::at(folder.path()), &[Step::Deny, Step::Rules]).unwrap_err();
        assert!(error.to_string().contains("step `deny` failed"), "{error}");
    }

    #[test]
    fn the_benchmarks_refuse_what_they_do_not_know() {
        let repo = Repo::find();
        for wrong in [&["--fast"][..], &["--json", "--only"], &["verdict_10m"]] {
            assert!(bench(&repo, wrong).unwrap_err().to_string().contains("bench takes"));
        }
    }
}
