//! What must not stand on the command line, where every process of the host can read it: passwords, secrets and tokens.

use std::{
    io::{BufRead, IsTerminal, Read, Write},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::arguments::PasswordArguments;
use crate::clock::random;

/// The most that is read: no token or password is longer.
const LIMIT: u64 = 64 << 10;

/// A file's only line.
pub(super) fn secret_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    one_line(file).with_context(|| format!("cannot read {}", path.display()))
}

/// A token from a file, or from standard input.
pub(super) fn token(file: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    let token = match file {
        Some(path) => secret_file(path)?,
        None => {
            if std::io::stdin().is_terminal() {
                eprint!("token: ");
                std::io::stderr().flush()?;
                typed()?
            } else {
                one_line(std::io::stdin())?
            }
        }
    };
    if token.is_empty() {
        bail!("no token was given");
    }
    Ok(token)
}

/// A password, and whether it was made up here and so must be shown.
pub(super) struct Password {
    pub(super) text: Zeroizing<String>,
    pub(super) made_up: bool,
}

impl Password {
    /// An answer with the password in it, if nobody knows it yet.
    pub(super) fn told(&self, mut answer: serde_json::Value) -> serde_json::Value {
        if let Some(object) = answer.as_object_mut().filter(|_| self.made_up) {
            object.insert("password".to_owned(), self.text.as_str().into());
        }
        answer
    }
}

/// The password that the options name, if they name one.
pub(super) fn password(options: &PasswordArguments) -> anyhow::Result<Option<Zeroizing<String>>> {
    match (&options.password_file, options.password_stdin) {
        (Some(path), _) => secret_file(path).map(Some),
        (None, true) => one_line(std::io::stdin()).map(Some),
        (None, false) => Ok(None),
    }
}

/// A password for a new user: as the options say, else typed twice on a terminal, else made up.
pub(super) fn new_password(options: &PasswordArguments) -> anyhow::Result<Password> {
    if let Some(text) = password(options)? {
        return Ok(Password { text, made_up: false });
    }
    if !std::io::stdin().is_terminal() {
        return Ok(Password { text: Zeroizing::new(URL_SAFE_NO_PAD.encode(random::<18>())), made_up: true });
    }
    let text = hidden("password: ")?;
    if text != hidden("once more: ")? {
        bail!("the two passwords differ");
    }
    Ok(Password { text, made_up: false })
}

fn one_line(source: impl Read) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    source.take(LIMIT).read_to_string(&mut text)?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn typed() -> anyhow::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads a line that the terminal does not show.
fn hidden(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    let _shown_again = Hidden::begin()?;
    let line = typed();
    eprintln!();
    line
}

/// While it lives, the terminal shows nothing that is typed.
struct Hidden;

impl Hidden {
    fn begin() -> anyhow::Result<Self> {
        let status = Command::new("stty").arg("-echo").stdin(Stdio::inherit()).status();
        match status {
            Ok(status) if status.success() => Ok(Self),
            _ => bail!("the terminal cannot hide what is typed; use --password-stdin or --password-file"),
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // If the terminal is gone, so is what it would show.
        let _ = Command::new("stty").arg("echo").stdin(Stdio::inherit()).status();
    }
}
