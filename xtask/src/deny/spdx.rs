//! Reads SPDX licence expressions (SPDX 2.3, annex D) and says whether allowed licences meet one.

/// Whether a reader who may use the `allowed` licences may use what is under `expression`.
///
/// `X WITH Y` is asked for as one licence of that very name. `/` is read as OR, as old manifests mean it.
///
/// # Errors
/// What is wrong with an expression that cannot be read.
pub(super) fn is_met(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { rest: spaced.split_whitespace().peekable(), allowed };
    let met = words.either()?;
    match words.rest.next() {
        None => Ok(met),
        Some(word) => Err(format!("`{word}` was not expected")),
    }
}

struct Words<'a, I: Iterator<Item = &'a str>> {
    rest: std::iter::Peekable<I>,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a, I: Iterator<Item = &'a str>> Words<'a, I> {
    fn either(&mut self) -> Result<bool, String> {
        let mut met = self.both()?;
        while self.rest.next_if_eq(&"OR").is_some() {
            met |= self.both()?;
        }
        Ok(met)
    }

    /// AND binds tighter than OR.
    fn both(&mut self) -> Result<bool, String> {
        let mut met = self.one()?;
        while self.rest.next_if_eq(&"AND").is_some() {
            met &= self.one()?;
        }
        Ok(met)
    }

    fn one(&mut self) -> Result<bool, String> {
        match self.rest.next() {
            Some("(") => {
                let met = self.either()?;
                self.rest.next_if_eq(&")").map(|_| met).ok_or_else(|| "a bracket is not closed".to_owned())
            }
            Some(licence) if is_name(licence) => {
                if self.rest.next_if_eq(&"WITH").is_none() {
                    return Ok((self.allowed)(licence));
                }
                match self.rest.next() {
                    Some(exception) if is_name(exception) => Ok((self.allowed)(&format!("{licence} WITH {exception}"))),
                    _ => Err("WITH names no exception".to_owned()),
                }
            }
            Some(word) => Err(format!("`{word}` stands where a licence was expected")),
            None => Err("it ends where a licence was expected".to_owned()),
        }
    }
}

fn is_name(word: &str) -> bool {
    !matches!(word, "AND" | "OR" | "WITH")
        && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(expression: &str) -> Result<bool, String> {
        is_met(expression, &|name| ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].contains(&name))
    }

    #[test]
    fn one_allowed_side_of_or_is_enough_and_both_sides_of_and_are_needed() {
        assert_eq!(met("MIT"), Ok(true));
        assert_eq!(met("GPL-3.0-only"), Ok(false));
        assert_eq!(met("GPL-3.0-only OR MIT"), Ok(true));
        assert_eq!(met("MIT AND GPL-3.0-only"), Ok(false));
        assert_eq!(met("MIT AND Apache-2.0"), Ok(true));
    }

    #[test]
    fn and_binds_tighter_than_or_and_brackets_bind_tightest() {
        assert_eq!(met("MIT OR ISC AND ISC"), Ok(true));
        assert_eq!(met("ISC AND ISC OR MIT"), Ok(true));
        assert_eq!(met("(MIT OR ISC) AND ISC"), Ok(false));
        assert_eq!(met("(ISC OR MIT) AND (MIT)"), Ok(true));
    }

    #[test]
    fn an_exception_is_part_of_the_licences_name() {
        assert_eq!(met("Apache-2.0 WITH LLVM-exception"), Ok(true));
        assert_eq!(met("MIT WITH LLVM-exception"), Ok(false));
        assert_eq!(met("ISC OR Apache-2.0 WITH LLVM-exception AND MIT"), Ok(true));
    }

    #[test]
    fn a_slash_reads_as_or() {
        assert_eq!(met("Unlicense/MIT"), Ok(true));
        assert_eq!(met("Apache-2.0 / ISC"), Ok(true));
    }

    #[test]
    fn what_is_no_expression_is_an_error_and_never_allowed() {
        for wrong in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH", "MIT, ISC", "MIT WITH OR"] {
            assert!(met(wrong).is_err(), "{wrong}");
        }
    }
}
