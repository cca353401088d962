//! The times in a claims set (RFC 7519 sections 4.1.4 and 4.1.5), held against a clock reading that is an argument.

use crate::{Claims, JoseError};
use serde_json::Value;

/// Checks `exp` (which must be there) and `nbf` against `now_secs` (Unix seconds), each with `skew_secs` of leniency.
pub fn check_times(claims: &Claims, now_secs: i64, skew_secs: u32) -> Result<(), JoseError> {
    let skew = i64::from(skew_secs);
    let expires_at = claims.get("exp").and_then(Value::as_f64).map(whole_secs_up).ok_or(JoseError::Claims)?;
    if now_secs >= expires_at.saturating_add(skew) {
        return Err(JoseError::Expired);
    }
    if let Some(not_before) = claims.get("nbf") {
        let not_before = not_before.as_f64().map(whole_secs_down).ok_or(JoseError::Claims)?;
        if now_secs < not_before.saturating_sub(skew) {
            return Err(JoseError::NotYetValid);
        }
    }
    Ok(())
}

/// A NumericDate may have a fraction (RFC 7519 section 2). Casting saturates, which is what is wanted at the ends.
pub(crate) fn whole_secs_up(date: f64) -> i64 {
    date.ceil() as i64
}

pub(crate) fn whole_secs_down(date: f64) -> i64 {
    date.floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_000;

    fn check(claims: &Value, skew_secs: u32) -> Result<(), JoseError> {
        check_times(claims.as_object().unwrap(), NOW, skew_secs)
    }

    #[test]
    fn a_token_dies_in_the_second_named_by_exp() {
        assert_eq!(check(&json!({"exp": NOW + 1}), 0), Ok(()));
        assert_eq!(check(&json!({"exp": NOW}), 0), Err(JoseError::Expired));
        assert_eq!(check(&json!({"exp": NOW - 4}), 5), Ok(()));
        assert_eq!(check(&json!({"exp": NOW - 5}), 5), Err(JoseError::Expired));
    }

    #[test]
    fn a_token_lives_from_the_second_named_by_nbf() {
        assert_eq!(check(&json!({"exp": NOW + 9, "nbf": NOW}), 0), Ok(()));
        assert_eq!(check(&json!({"exp": NOW + 9, "nbf": NOW + 1}), 0), Err(JoseError::NotYetValid));
        assert_eq!(check(&json!({"exp": NOW + 9, "nbf": NOW + 5}), 5), Ok(()));
    }

    #[test]
    fn a_token_without_a_readable_exp_is_refused() {
        for claims in [json!({}), json!({"exp": "2000"}), json!({"exp": null}), json!({"exp": 2000, "nbf": "x"})] {
            assert_eq!(check(&claims, 0), Err(JoseError::Claims));
        }
    }

    #[test]
    fn times_at_the_ends_of_the_number_line_do_not_overflow() {
        assert_eq!(check(&json!({"exp": 1e300}), u32::MAX), Ok(()));
        assert_eq!(check(&json!({"exp": -1e300}), 0), Err(JoseError::Expired));
        assert_eq!(check(&json!({"exp": 1e300, "nbf": -1e300}), u32::MAX), Ok(()));
    }
}
