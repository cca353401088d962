//! What a user may be called, whoever says so: an administrator, or a directory that drives the accounts.

/// The longest user name, in bytes.
pub const LONGEST: usize = 256;

/// Whether somebody may bear the name.
///
/// # Errors
/// Says why not.
pub fn check(name: &str) -> Result<(), &'static str> {
    let odd = name.is_empty() || name.len() > LONGEST || name.trim() != name || name.chars().any(char::is_control);
    if odd {
        return Err("a user name has 1 to 256 bytes, no control characters and no spaces around it");
    }
    // A user is named by id or by name: nobody may bear what could be another's id.
    if name.starts_with("u_") {
        return Err("a user name does not begin with `u_`, as user ids do");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_never_what_an_id_could_be() {
        assert!(check("alice@example.org").is_ok());
        for wrong in ["", " alice", "alice ", "a\nb", "u_AAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
