//! What to try next: commands that work when pasted, as long as the demo is up.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use anyhow::ensure;

use super::{
    folder::Folder,
    show::{bold, heading, note},
    tour::{ADA, ALAN, Tour},
};

/// Prints it. `dead` is a token that was revoked on the tour.
pub(super) async fn print(tour: &Tour<'_>, folder: &Folder, portal: &str, dead: &str) -> anyhow::Result<()> {
    let held = &tour.issued.of(ALAN)?.portal;
    // Of an earlier token, the API's revocation made an end.
    let status = held.refresh(tour.web).await?;
    ensure!(status == 200, "refresh answered {status}");
    let (who, user, live) = (held.person.first_name(), &held.person.user_name, held.access());
    let (lost, phone) = {
        let owner = &tour.issued.of(ADA)?.portal.person;
        (owner.first_name(), owner.phone())
    };
    let rescind = format!("{} --data-dir {}", program(), quoted(&folder.path().to_string_lossy()));
    let userinfo = format!("{}/userinfo", tour.web.issuer);
    heading("Try next");
    let steps = [
        (
            format!("Use a token of {who}'s"),
            format!("curl -s -w '  %{{http_code}}\\n' -H 'Authorization: Bearer {live}' {userinfo}"),
        ),
        ("Ask why it is alive, and why another is dead".to_owned(), format!("printf %s {live} | {rescind} explain")),
        (String::new(), format!("printf %s {dead} | {rescind} explain")),
        (format!("See what {who} has, and what would end"), format!("{rescind} sessions list --user {user}")),
        (String::new(), format!("{rescind} revoke user {user} --preview")),
        (
            "End it, and run the first command again".to_owned(),
            format!("{rescind} revoke user {user} --reason left_company"),
        ),
        (
            format!("See what was issued on {lost}'s phone, and take it back"),
            format!("{rescind} revoke device mdm:{phone} --preview"),
        ),
        (String::new(), format!("{rescind} revoke device mdm:{phone} --reason device_retired")),
        ("See who ended what".to_owned(), format!("{rescind} revocations list")),
    ];
    for (what, command) in steps {
        if !what.is_empty() {
            println!();
            note(&what);
        }
        println!("    {}", bold(&command));
    }
    println!();
    note("Or in a browser: sign in to the Staff portal, revoke, and load the page again,");
    println!("    {}", bold(portal));
    note(&format!("with the user name {user} and the password {}", tour.company.password));
    println!();
    note("Ctrl-C stops the server and removes its data.");
    Ok(())
}

/// How this program is called here.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "rescind".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if found_on(&path).is_some_and(|found| is_same(&found, &own)) {
        return "rescind".to_owned();
    }
    quoted(&own.to_string_lossy())
}

fn found_on(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join("rescind")).find(|program| program.is_file())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_stay_one_word_in_a_shell() {
        assert_eq!(quoted("/tmp/rescind-demo-1"), "/tmp/rescind-demo-1");
        assert_eq!(quoted("/tmp/a b"), "'/tmp/a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
