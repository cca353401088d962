//! Every command in README and in the guides is run, in order, and says what the page says it says.
//!
//! A block that is to be run follows a marker, `<!-- test: readme -->`. In it, a line `# → text` is what the commands
//! before it have printed; `…` stands for anything. All blocks of a page are one bash script, run in an empty folder.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its supporting functions too")]

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

const MARKER: &str = "<!-- test: readme -->";
/// The address on the pages; the test puts a free port in its place.
const SHOWN: &str = "127.0.0.1:8080";
/// How long one page may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// What a guide presupposes: the server that README starts.
const SERVER: &str = "export RESCIND=http://127.0.0.1:8080\nrescind serve > server.log 2>&1 &\n\
                      until curl -sf $RESCIND/readyz > ready.log; do sleep 0.1; done\n";

/// A fenced block of a page.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    language: String,
    run: bool,
    lines: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    let mut marked = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(language) => {
                found.push(Block { language: language.trim().to_owned(), run: marked, lines: Vec::new() });
                (open, marked) = (true, false);
            }
            None if open => found.last_mut().unwrap().lines.push(line.to_owned()),
            None if line.trim() == MARKER => marked = true,
            None if line.trim().is_empty() => {}
            None => marked = false,
        }
    }
    found
}

/// The commands of the blocks that are run, and what they say must be printed, in order.
fn script(blocks: &[Block]) -> (String, Vec<String>) {
    let mut commands = String::new();
    let mut expected = Vec::new();
    for line in blocks.iter().filter(|block| block.run).flat_map(|block| &block.lines) {
        match line.trim_start().strip_prefix("# →") {
            Some(shown) => {
                expected.extend(shown.split('…').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned));
            }
            None => {
                commands.push_str(line);
                commands.push('\n');
            }
        }
    }
    (commands, expected)
}

/// The first expected text that is not there, each looked for behind the one before.
fn missing<'a>(printed: &str, expected: &'a [String]) -> Option<&'a str> {
    let mut rest = printed;
    for text in expected {
        match rest.split_once(text.as_str()) {
            Some((_, behind)) => rest = behind,
            None => return Some(text),
        }
    }
    None
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Runs a script with bash in a folder of its own; the server it starts ends with it.
fn run(commands: &str) -> Result<String> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let text =
        format!("set -euo pipefail\ntrap 'kill $(jobs -p) && wait || true' EXIT\n{commands}").replace(SHOWN, &address);
    fs::write(folder.path().join("page.sh"), text)?;
    let program = Path::new(env!("CARGO_BIN_EXE_rescind")).parent().context("the program lies in a folder")?;
    let path = std::env::var("PATH").context("PATH")?;
    let mut command = Command::new("bash");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RESCIND")) {
        command.env_remove(name);
    }
    let mut child = command
        .arg("page.sh")
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", program.display()))
        .env("RESCIND_LISTEN", &address)
        .env("RESCIND_ISSUER", format!("http://{address}"))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.path().join("out.log"))?)
        .stderr(fs::File::create(folder.path().join("err.log"))?)
        .spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > PATIENCE {
            // The whole group, or the server would be left behind.
            Command::new("kill").args(["-TERM", "--", &format!("-{}", child.id())]).status()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let printed = read("out.log");
    if !status.is_some_and(|status| status.success()) {
        let ended = status.map_or_else(|| "it took too long".to_owned(), |status| status.to_string());
        bail!("{ended}\nprinted:\n{printed}\nerrors:\n{}\nserver:\n{}", read("err.log"), read("server.log"));
    }
    Ok(printed)
}

fn check(page: &Path, before: &str) -> Result<()> {
    let text = fs::read_to_string(page)?;
    let (commands, expected) = script(&blocks(&text));
    let printed = run(&format!("{before}{commands}"))?;
    if let Some(text) = missing(&printed, &expected) {
        bail!("the page says `{text}`, but this was printed:\n{printed}");
    }
    Ok(())
}

#[test]
fn every_command_of_the_readme_does_what_the_page_says() -> Result<()> {
    check(&root().join("README.md"), "").context("README.md")
}

#[test]
fn every_command_of_the_guides_does_what_the_page_says() -> Result<()> {
    let mut run = 0;
    for entry in fs::read_dir(root().join("docs/how-to"))? {
        let page = entry?.path();
        if !blocks(&fs::read_to_string(&page)?).iter().any(|block| block.run) {
            continue;
        }
        check(&page, SERVER).with_context(|| page.display().to_string())?;
        run += 1;
    }
    ensure!(run >= 3, "only {run} guides have commands to run");
    Ok(())
}

#[test]
fn no_command_of_the_readme_is_left_out() {
    // The demo, and with it the release build, is run by `cargo xtask test --only demo`; the whole check by `.ci/run`.
    let elsewhere = [
        "cargo build --release",
        "cargo run --release -- demo",
        "cargo xtask test",
        "export PATH=",
        "cd \"$(mktemp -d)\"",
    ];
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    for block in blocks(&text).iter().filter(|block| !block.run) {
        assert!(["", "sh", "console"].contains(&block.language.as_str()), "a block of {}", block.language);
        for line in block.lines.iter().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(elsewhere.iter().any(|known| line.starts_with(known)), "not run by any test: {line}");
        }
    }
}

#[test]
fn every_key_of_the_example_stands_in_the_configuration_reference() {
    let reference = fs::read_to_string(root().join("docs/reference/configuration.md")).unwrap();
    let example = include_str!("../../rescind.example.toml");
    let mut section = String::new();
    let mut keys = 0;
    for line in example.lines().map(|line| line.trim_start_matches("# ").trim()) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
            continue;
        }
        let Some((name, _)) = line.split_once(" = ") else { continue };
        if !name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_') {
            continue;
        }
        let key = format!("{section}{name}");
        assert!(reference.contains(&format!("| `{key}` |")), "{key} is not in the reference");
        keys += 1;
    }
    assert!(keys >= 25, "only {keys} keys were found in the example");
}

#[test]
fn every_setting_stands_in_its_reference_with_what_it_does() {
    let page = fs::read_to_string(root().join("docs/reference/settings.md")).unwrap();
    for definition in rescind_ledger::Settings::definitions() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", definition.name)));
        assert!(row.is_some_and(|row| row.contains(definition.summary)), "{} is missing or old", definition.name);
    }
}

#[test]
fn every_route_stands_in_the_http_reference() {
    let reference = fs::read_to_string(root().join("docs/reference/http.md")).unwrap();
    for route in rescind::admin::ROUTES {
        let shown = format!("`{} {}`", route.method.name(), route.path);
        assert!(reference.contains(&shown), "{shown} is not in the reference");
    }
}

/// What `rescind … --help` prints.
fn help(words: &[String]) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_rescind")).args(words).arg("--help").stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "help of {words:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("    "));
    named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn every_command_and_option_stands_in_the_command_line_reference_and_every_command_in_a_test() -> Result<()> {
    let reference = fs::read_to_string(root().join("docs/reference/cli.md"))?;
    let tests = sources(&root().join("crates/server/tests"), &["it", "demo"]);
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut leaves = 0;
    while let Some(words) = open.pop() {
        let text = help(&words)?;
        let options = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("--").or(line.trim_start().strip_prefix("-h, --")));
        for option in options.map(|line| line.split([' ', '=']).next().unwrap_or_default()) {
            let known = ["help", "version"].contains(&option) || reference.contains(&format!("--{option}"));
            ensure!(known, "--{option} of {words:?} is not in the reference");
        }
        let deeper = subcommands(&text);
        if deeper.is_empty() {
            let name = words.join(" ");
            let shown = [format!("`{name}`"), format!("`{name} "), format!("rescind {name} ")]
                .iter()
                .any(|form| reference.contains(form));
            ensure!(shown, "`{name}` is not in the reference");
            let written = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
            ensure!(tests.contains(&written), "no test runs `{name}`");
            leaves += 1;
        }
        open.extend(deeper.into_iter().map(|name| [words.clone(), vec![name]].concat()));
    }
    ensure!(leaves >= 35, "only {leaves} commands were found");
    Ok(())
}

#[test]
fn every_test_that_the_threats_name_exists() {
    let page = fs::read_to_string(root().join("docs/threats.md")).unwrap();
    let sources = sources(&root(), &["crates", "crashtest", "xtask"]);
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() >= 3 && !word.contains([' ', '/', '.']))
        .collect();
    assert!(named.len() >= 20, "only {} tests are named", named.len());
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

/// All Rust below these folders in one text.
fn sources(root: &Path, folders: &[&str]) -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|name| root.join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                text += &fs::read_to_string(&path).unwrap();
            }
        }
    }
    text
}

#[test]
fn blocks_are_run_only_behind_their_marker() {
    let page = "a\n```sh\none\n```\n<!-- test: readme -->\n```sh\ntwo\n# → 2 … 3\n```\n<!-- test: readme -->\nwords\n```\nthree\n```\n";
    let found = blocks(page);
    assert_eq!(found.iter().map(|block| block.run).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(script(&found), ("two\n".to_owned(), vec!["2".to_owned(), "3".to_owned()]));
}

#[test]
fn what_is_shown_must_be_printed_in_order() {
    let expected = ["active".to_owned(), "false".to_owned()];
    assert_eq!(missing("active false", &expected), None);
    assert_eq!(missing("false active", &expected), Some("false"));
}

#[test]
fn a_script_that_fails_is_told_with_what_it_printed() {
    let error = run("echo before\nfalse\necho after\n").unwrap_err().to_string();
    assert!(error.contains("before") && !error.contains("after"), "{error}");
}
