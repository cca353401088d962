//! Moments, states and numbers, as people read them. What is written here is HTML of our own making.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::tz::TimeZone;
use rescind_ledger::Timestamp;

/// A moment for people and for machines: an element `time`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    machine: String,
    date: String,
    ago: String,
}

impl Moment {
    /// A moment as seen from `now`.
    pub(super) fn seen(at: Timestamp, now: Timestamp) -> Self {
        let moment = jiff::Timestamp::from_second(at.secs()).unwrap_or_default();
        let date = moment.to_zoned(TimeZone::UTC).strftime("%-d %b %Y, %H:%M:%S").to_string();
        Self { machine: moment.to_string(), date, ago: from_now(at, now) }
    }

    /// The date alone, such as in a sentence.
    pub(super) fn date(&self) -> &str {
        &self.date
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<time datetime="{}" title="{} UTC">{}</time>"#, self.machine, self.date, self.ago)
    }
}

// Every character comes from the formatting above.
impl HtmlSafe for Moment {}

fn from_now(at: Timestamp, now: Timestamp) -> String {
    let (secs, future) = if at > now { (at.since(now).as_secs(), true) } else { (now.since(at).as_secs(), false) };
    let words = span(secs);
    match (future, secs) {
        (false, 0..10) => "just now".to_owned(),
        (false, _) => format!("{words} ago"),
        (true, _) => format!("in {words}"),
    }
}

/// A span of time, such as "5 minutes".
pub(super) fn span(secs: u64) -> String {
    let (count, unit) = match secs {
        0..60 => (secs, "second"),
        60..3_600 => (secs / 60, "minute"),
        3_600..86_400 => (secs / 3_600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// "1 session", "2,000 sessions".
pub(super) fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A number with commas.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A state as a badge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Badge {
    words: &'static str,
    look: &'static str,
}

impl Badge {
    /// Of a record, a job, a delivery or an order that waits.
    pub(super) fn of(state: &str) -> Self {
        let (words, look) = match state {
            "active" => ("Active", "good"),
            "enabled" => ("Enabled", "good"),
            "delivered" => ("Delivered", "good"),
            "done" => ("Done", "good"),
            "healthy" | "ok" => ("Healthy", "good"),
            "carried_out" => ("Carried out", "good"),
            "on" => ("On", "good"),
            "revoked" => ("Revoked", "bad"),
            "disabled" => ("Disabled", "bad"),
            "client_disabled" => ("Application disabled", "bad"),
            "device_disabled" => ("Device disabled", "bad"),
            "user_disabled" => ("User disabled", "bad"),
            "gave_up" => ("Gave up", "bad"),
            "unhealthy" | "failing" => ("Failing", "bad"),
            "gone" => ("Gone", "bad"),
            "failed" => ("Failed", "bad"),
            "expired" => ("Expired", "quiet"),
            "session_expired" => ("Session over", "quiet"),
            "session_idle" => ("Session idle", "quiet"),
            "withdrawn" => ("Withdrawn", "quiet"),
            "stopped" => ("Stopped", "quiet"),
            "unused" => ("Not used yet", "quiet"),
            "off" => ("Off", "quiet"),
            "pending" => ("Pending", "wait"),
            "waiting" => ("Waits for approval", "wait"),
            "scheduled" => ("Scheduled", "wait"),
            "running" => ("Running", "wait"),
            "counting" => ("Counting", "wait"),
            "" => ("Unknown", "quiet"),
            _ => ("Other", "quiet"),
        };
        Self { words, look }
    }

    pub(super) fn enabled(enabled: bool) -> Self {
        Self::of(if enabled { "enabled" } else { "disabled" })
    }
}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"<span class="state state-{}">{}</span>"#, self.look, self.words)
    }
}

// From the fixed list above.
impl HtmlSafe for Badge {}

/// Why an administrator may end something, with the words of the dialog.
pub(super) const REASONS: [(&str, &str); 8] = [
    ("left_company", "Left the organisation"),
    ("token_leaked", "A token leaked, or a device was lost"),
    ("credential_change", "Credentials changed or compromised"),
    ("account_disabled", "The account is disabled"),
    ("device_non_compliant", "A device does not comply"),
    ("user_request", "The user asked for it"),
    ("policy", "Policy"),
    ("other", "Other"),
];

/// A reason's code in words; the code itself where there are none.
pub(super) fn reason(code: &str) -> String {
    match REASONS.iter().find(|(known, _)| *known == code) {
        Some((_, words)) => (*words).to_owned(),
        None => sentence(code),
    }
}

/// `some_code` as "Some code".
pub(super) fn sentence(code: &str) -> String {
    let mut words = code.replace('_', " ");
    if let Some(first) = words.get(..1) {
        let first = first.to_ascii_uppercase();
        words.replace_range(..1, &first);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_spans_read_well() {
        assert_eq!(
            (thousands(0), thousands(999), thousands(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        assert_eq!((count(1, "user"), count(2_000, "user")), ("1 user".into(), "2,000 users".into()));
        let now = Timestamp::from_secs(1_700_000_000);
        assert_eq!(from_now(Timestamp::from_secs(1_700_000_300), now), "in 5 minutes");
        assert_eq!(from_now(Timestamp::from_secs(1_699_996_400), now), "1 hour ago");
    }

    #[test]
    fn nothing_of_anybody_elses_gets_into_a_badge() {
        assert_eq!(Badge::of("<script>").to_string(), r#"<span class="state state-quiet">Other</span>"#);
    }

    #[test]
    fn a_code_without_words_is_made_readable() {
        assert_eq!(
            (reason("idle_timeout").as_str(), reason("é").as_str(), reason("").as_str()),
            ("Idle timeout", "é", "")
        );
    }
}
