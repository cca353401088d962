//! One line: its columns in order, and nothing in any of them that could begin another column or another line.

use std::{borrow::Cow, fmt::Write as _, net::IpAddr, time::Duration};

use axum::http::HeaderName;
use rescind_ledger::Timestamp;

use crate::config::LogField;

/// Between two columns, as PingFederate has it.
pub(super) const BETWEEN: &str = "| ";
/// Stands for what is not known.
const UNKNOWN: &str = "-";
/// The most characters of a column; what is longer ends in `...`.
pub(super) const LONGEST: usize = 1024;
/// In place of an HTTP method: so many lines are missing. No call looks like it, for its endpoint begins with a slash.
pub(super) const LOST: &str = "LOST";

/// What there is to say of one call.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    /// When it was answered.
    pub(super) at: Timestamp,
    pub(super) user: Option<&'a str>,
    pub(super) auth_method: Option<&'a str>,
    pub(super) client_ip: Option<IpAddr>,
    pub(super) http_method: &'a str,
    /// Path and query as they were received.
    pub(super) endpoint: &'a str,
    /// None if no answer was sent.
    pub(super) status: Option<u16>,
    pub(super) duration: Duration,
    pub(super) response_bytes: Option<u64>,
    pub(super) tls_version: Option<&'a str>,
    pub(super) headers: &'a [(HeaderName, Vec<u8>)],
}

/// The line, with its end.
pub(super) fn render(fields: &[LogField], facts: &Facts<'_>) -> String {
    let mut line = String::with_capacity(192);
    for (n, field) in fields.iter().enumerate() {
        if n > 0 {
            line.push_str(BETWEEN);
        }
        column(&mut line, field, facts);
    }
    line.push('\n');
    line
}

/// The line that stands for `count` others.
pub(super) fn render_loss(fields: &[LogField], at: Timestamp, count: u64) -> String {
    let facts = Facts {
        at,
        user: None,
        auth_method: None,
        client_ip: None,
        http_method: LOST,
        endpoint: &count.to_string(),
        status: None,
        duration: Duration::ZERO,
        response_bytes: None,
        tls_version: None,
        headers: &[],
    };
    render(fields, &facts)
}

fn column(line: &mut String, field: &LogField, facts: &Facts<'_>) {
    match field {
        LogField::Time => number(line, moment(facts.at)),
        LogField::User => text(line, facts.user.map(str::as_bytes)),
        // Handlers say it thus where only the name is claimed.
        LogField::AuthMethod => text(line, facts.auth_method.filter(|method| *method != UNKNOWN).map(str::as_bytes)),
        LogField::ClientIp => number(line, facts.client_ip),
        LogField::HttpMethod => text(line, Some(facts.http_method.as_bytes())),
        // A URL is percent-encoded already: to do it again would tell of another one.
        LogField::Endpoint => escaped(line, &masked(facts.endpoint.as_bytes()), |byte| byte == b'%'),
        LogField::Status => number(line, facts.status),
        LogField::DurationMs => number(line, Some(facts.duration.as_millis())),
        LogField::ResponseBytes => number(line, facts.response_bytes),
        LogField::TlsVersion => text(line, facts.tls_version.map(str::as_bytes)),
        LogField::RequestHeader(name) => {
            let value = facts.headers.iter().find(|(known, _)| known == name);
            text(line, value.map(|(_, value)| masked(value)).as_deref());
        }
    }
}

/// RFC 3339, in UTC, to the millisecond.
fn moment(at: Timestamp) -> Option<impl std::fmt::Display> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|moment| format!("{moment:.3}"))
}

fn number(line: &mut String, value: Option<impl std::fmt::Display>) {
    // Writing to a text does not fail.
    let _ = match value {
        Some(value) => write!(line, "{value}"),
        None => line.write_str(UNKNOWN),
    };
}

fn text(line: &mut String, value: Option<&[u8]>) {
    match value {
        None | Some(b"") => line.push_str(UNKNOWN),
        // What somebody calls himself must not read as unknown.
        Some(b"-") => line.push_str("%2D"),
        Some(value) => escaped(line, value, |_| false),
    }
}

/// Everything but printable ASCII is percent-encoded, and so are the bar and the percent sign, unless it `may` stand.
fn escaped(line: &mut String, value: &[u8], may: impl Fn(u8) -> bool) {
    let most = line.len() + LONGEST;
    for &byte in value {
        let plain = matches!(byte, b' '..=b'~') && (!matches!(byte, b'|' | b'%') || may(byte));
        // Room is kept for the three dots.
        if line.len() + if plain { 1 } else { 3 } + 3 > most {
            line.push_str("...");
            return;
        }
        if plain {
            line.push(char::from(byte));
        } else {
            let _ = write!(line, "%{byte:02X}");
        }
    }
}

/// Parameters whose values are credentials or lead to one.
const SECRETS: [&str; 11] = [
    "access_token",
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "password",
    "refresh_token",
    "secret",
    "token",
];

/// Puts `***` in place of each secret parameter's value, wherever in path or query it stands and however it is encoded.
pub(super) fn masked(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'=' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut shown = Vec::with_capacity(text.len());
    for (n, part) in text.split(|byte| *byte == b'&').enumerate() {
        if n > 0 {
            shown.push(b'&');
        }
        let secret = secret_after(part);
        shown.extend_from_slice(part.get(..secret.unwrap_or(part.len())).unwrap_or(part));
        if secret.is_some() {
            shown.extend_from_slice(b"***");
        }
    }
    Cow::Owned(shown)
}

/// Where in a part, up to an ampersand, the value of a secret begins.
fn secret_after(part: &[u8]) -> Option<usize> {
    let mut name = Vec::new();
    let mut at = 0;
    while let Some((byte, len)) = decoded(part.get(at..).unwrap_or_default()) {
        at += len;
        match byte {
            b'=' if SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret.as_bytes())) => return Some(at),
            byte if byte.is_ascii_alphanumeric() || byte == b'_' => name.push(byte),
            _ => name.clear(),
        }
    }
    None
}

/// The first byte of a text once percent-decoded, and how many bytes stand for it.
fn decoded(text: &[u8]) -> Option<(u8, usize)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if let [b'%', high, low, ..] = text
        && let (Some(high), Some(low)) = (digit(high), digit(low))
    {
        return Some((high << 4 | low, 3));
    }
    text.first().map(|byte| (*byte, 1))
}
