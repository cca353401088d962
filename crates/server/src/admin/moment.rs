//! Moments as callers write them, to the second.

use jiff::Timestamp as Moment;
use rescind_ledger::Timestamp;

use super::problem::Problem;
use crate::openapi::shape::{Shape, pattern};

/// RFC 3339, where a fraction of a second is none.
const FORM: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.0+)?(Z|[+-][0-9]{2}:[0-9]{2})$";

/// Reads the member or parameter of that name.
///
/// # Errors
/// [`Problem::invalid`] unless it is a whole second since 1970 in RFC 3339.
pub(super) fn read(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let moment: Option<Moment> = if is_plain(text) { text.parse().ok() } else { None };
    let moment = moment.map(Moment::as_second).filter(|secs| *secs >= 0);
    moment.map(Timestamp::from_secs).ok_or_else(|| {
        Problem::invalid(format!("`{name}` is a time since 1970 to the second, such as 2026-01-31T12:00:00Z"))
    })
}

/// Whether a text is of [`FORM`]: the parser takes many more.
fn is_plain(text: &str) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else { return false };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches('0');
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    fits(date_time, "0000-00-00T00:00:00") && (zone == "Z" || fits(zone, "+00:00") || fits(zone, "-00:00"))
}

/// Whether a text is like this one but for its digits.
fn fits(text: &str, like: &str) -> bool {
    let same = |(found, like): (u8, u8)| if like == b'0' { found.is_ascii_digit() } else { found == like };
    text.len() == like.len() && text.bytes().zip(like.bytes()).all(same)
}

/// What [`read`] takes.
pub(super) fn written() -> Shape {
    pattern(FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_whole_second_in_the_one_form() {
        let noon = Timestamp::from_secs(1_769_860_800);
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00.000Z",
            "2026-01-31T13:30:00+01:30",
            "2026-01-31T10:00:00.0-02:00",
        ] {
            assert_eq!(read("before", text).ok(), Some(noon), "{text}");
        }
        for wrong in [
            "",
            "now",
            "2026-01-31",
            "2026-01-31T12:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00Z",
            "2026-01-31t12:00:00z",
            "2026-01-31T12:00:00.5Z",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+01",
            "2026-01-31T12:00:00+01:00[Europe/Berlin]",
            "2026-02-30T12:00:00Z",
            "2026-01-31T25:00:00Z",
            "1969-12-31T23:59:59Z",
            " 2026-01-31T12:00:00Z",
            "1769860800",
            "２026-01-31T12:00:00Z",
        ] {
            assert!(read("before", wrong).is_err(), "{wrong}");
        }
    }
}
