//! A moment in words that a person reads: how long ago, and the date. The pages run no script, so the time is UTC and the pages say so.

use jiff::tz::TimeZone;
use rescind_ledger::Timestamp;

use crate::protocol::pages::Moment;

/// A moment as seen from `now`.
pub(super) fn seen(at: Timestamp, now: Timestamp) -> Moment {
    let moment = jiff::Timestamp::from_second(at.secs()).unwrap_or_default();
    let date = moment.to_zoned(TimeZone::UTC).strftime("%-d %b %Y, %H:%M").to_string();
    Moment { machine: moment.to_string(), date, ago: ago(now.since(at).as_secs()) }
}

fn ago(secs: u64) -> String {
    let (count, unit) = match secs {
        0..60 => return "just now".to_owned(),
        60..3_600 => (secs / 60, "minute"),
        3_600..86_400 => (secs / 3_600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_for_people_and_for_machines() {
        let at = Timestamp::from_secs(1_700_000_000);
        let moment = seen(at, Timestamp::from_secs(1_700_000_059));
        assert_eq!(moment.machine, "2023-11-14T22:13:20Z");
        assert_eq!((moment.date.as_str(), moment.ago.as_str()), ("14 Nov 2023, 22:13", "just now"));
        for (secs, words) in [
            (60, "1 minute ago"),
            (3_599, "59 minutes ago"),
            (3_600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (864_000, "10 days ago"),
        ] {
            assert_eq!(ago(secs), words);
        }
        assert_eq!(seen(at, Timestamp(0)).ago, "just now", "a clock that went back");
    }
}
