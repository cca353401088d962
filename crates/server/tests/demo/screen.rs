//! A running demo and what it has printed.

use std::{
    fmt,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rescind");

/// A demo in a process of its own. It ends with this value.
pub(crate) struct Demo {
    child: Child,
    output: BufReader<ChildStdout>,
    screen: String,
    /// Where it makes its data directory.
    temporary: TempDir,
    home: TempDir,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut child = without_ours(Command::new("rescind").arg("demo").args(arguments))
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, screen: String::new(), temporary, home }
    }

    /// A folder to run commands in.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Reads on until a line with this text.
    pub(crate) fn read_until(&mut self, text: &str) -> Screen {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended before {text:?}:\n{}", self.screen);
            self.screen += &line;
            if line.contains(text) {
                return Screen(self.screen.clone());
            }
        }
    }

    /// Reads on until it ends by itself, well.
    pub(crate) fn finish(&mut self) -> Screen {
        while self.output.read_line(&mut self.screen).unwrap() > 0 {}
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}:\n{}", self.screen);
        Screen(self.screen.clone())
    }

    /// Ctrl-C. Answers whether it ended well.
    pub(crate) fn interrupt(&mut self) -> bool {
        shell(&format!("kill -INT {}", self.child.id()), self.home());
        while self.output.read_line(&mut self.screen).unwrap() > 0 {}
        self.child.wait().unwrap().success()
    }

    /// How many things lie where it puts its data.
    pub(crate) fn left_behind(&self) -> usize {
        self.temporary.path().read_dir().unwrap().count()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Nothing can be done about a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands on the screen.
pub(crate) struct Screen(String);

impl Screen {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// What stands under a heading that begins so.
    pub(crate) fn section(&self, heading: &str) -> String {
        let mut lines = self.0.lines().skip_while(|line| !line.starts_with(heading));
        assert!(lines.next().is_some(), "no heading {heading:?} in:\n{self}");
        lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect::<Vec<_>>().join("\n")
    }

    /// The commands it says to try: what stands further in than the prose, but for the portal's address.
    pub(crate) fn commands(&self) -> Vec<String> {
        let next = self.section("Try next");
        let pasted = next.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with("http"));
        pasted.map(str::to_owned).collect()
    }
}

impl fmt::Display for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rows of the table of before and after in a section: whose, asked at, before, after.
pub(crate) fn rows(section: &str) -> Vec<(&str, &str, &str, &str)> {
    let mut lines = section.lines().skip_while(|line| !line.contains("asked at"));
    lines.next();
    let rows = lines.skip(1).take_while(|line| !line.is_empty());
    rows.map(|line| {
        let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let mut next = || cells.next().unwrap();
        (next(), next(), next(), next())
    })
    .collect()
}

/// Runs a line in a shell that finds the program by name. It must succeed; answers with what it printed.
pub(crate) fn shell(line: &str, folder: &Path) -> String {
    let output = without_ours(Command::new("sh").arg("-c").arg(line)).current_dir(folder).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Runs the demo on a terminal, which `script` of util-linux makes. Answers with all that the terminal was sent.
pub(crate) fn on_a_terminal(arguments: &str) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let line = format!("rescind demo {arguments}");
    let mut command = Command::new("script");
    // A terminal of unknown kind has no bar, and one of unknown width none that can be counted on.
    let command = without_ours(&mut command).env("TERM", "xterm").env("TMPDIR", temporary.path());
    let line = format!("stty cols 120 rows 40; {line}");
    let output = command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|why| panic!("`script` (Debian: bsdutils) is needed for a terminal: {why}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}:\n{text}", output.status);
    text
}

/// With the program's folder on the path, and without variables that would change what it does.
fn without_ours(command: &mut Command) -> &mut Command {
    let mut path = Path::new(PROGRAM).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RESCIND")) {
        command.env_remove(name);
    }
    command.env("PATH", path)
}
