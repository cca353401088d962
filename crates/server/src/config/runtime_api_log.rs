//! What of each call of the session endpoints is written down, and where.

use std::path::PathBuf;

use axum::http::{HeaderName, header::USER_AGENT};

use super::written::Written;

/// The runtime API log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeApiLog {
    pub enabled: bool,
    /// Where `runtime-api.log` and the files of the days before lie; without one, `log` in the data directory.
    pub directory: Option<PathBuf>,
    pub level: LogLevel,
    /// The columns of a line, in order; never empty.
    pub fields: Vec<LogField>,
}

/// Which calls are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    All,
    /// Those that may change something: neither `GET` nor `HEAD`.
    Changes,
    /// Those without success. A 404 to a `GET` is no refusal but an answer: not revoked.
    Refused,
}

/// A column of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogField {
    Time,
    User,
    AuthMethod,
    ClientIp,
    HttpMethod,
    Endpoint,
    Status,
    DurationMs,
    ResponseBytes,
    TlsVersion,
    RequestHeader(HeaderName),
}

/// The fields that have a name of their own; the first seven are the default.
const NAMED: [(&str, LogField); 10] = [
    ("time", LogField::Time),
    ("user", LogField::User),
    ("auth_method", LogField::AuthMethod),
    ("client_ip", LogField::ClientIp),
    ("http_method", LogField::HttpMethod),
    ("endpoint", LogField::Endpoint),
    ("status", LogField::Status),
    ("duration_ms", LogField::DurationMs),
    ("response_bytes", LogField::ResponseBytes),
    ("tls_version", LogField::TlsVersion),
];
const DEFAULT: usize = 7;

/// What the name of a header that carries credentials has in it.
const SECRET: [&str; 12] = [
    "auth",
    "cookie",
    "session",
    "token",
    "secret",
    "password",
    "credential",
    "assertion",
    "key",
    "signature",
    "dpop",
    "jwt",
];

const KEY: &str = "runtime_api_log.fields";

pub(super) fn read(w: &mut Written) -> RuntimeApiLog {
    let level = w.parsed("runtime_api_log.level", "\"all\", \"changes\" or \"refused\"", |text| match text {
        "all" => Some(LogLevel::All),
        "changes" => Some(LogLevel::Changes),
        "refused" => Some(LogLevel::Refused),
        _ => None,
    });
    RuntimeApiLog {
        enabled: w.flag("runtime_api_log.enabled", true),
        directory: w.text("runtime_api_log.directory").map(Into::into),
        level: level.unwrap_or(LogLevel::All),
        fields: fields(w),
    }
}

fn fields(w: &mut Written) -> Vec<LogField> {
    let mut fields = Vec::new();
    for name in w.list(KEY) {
        match field(&name) {
            Ok(field) if fields.contains(&field) => w.mistake(KEY, format!("found {name:?} twice")),
            Ok(field) => fields.push(field),
            Err(why) => w.mistake(KEY, format!("found {name:?}, {why}")),
        }
    }
    if fields.is_empty() {
        fields.extend(NAMED.into_iter().take(DEFAULT).map(|(_, field)| field));
    }
    fields
}

fn field(name: &str) -> Result<LogField, String> {
    if let Some((_, field)) = NAMED.into_iter().find(|(known, _)| *known == name) {
        return Ok(field);
    }
    if name == "user_agent" {
        return Ok(LogField::RequestHeader(USER_AGENT));
    }
    let header = name.strip_prefix("request_header:").map(str::parse::<HeaderName>);
    let Some(Ok(header)) = header else {
        let known = NAMED.map(|(known, _)| known).join(", ");
        return Err(format!("expected one of {known}, user_agent, request_header:<Name>"));
    };
    match SECRET.iter().find(|part| header.as_str().contains(*part)) {
        Some(part) => Err(format!("which may carry a credential (it has {part:?} in its name): it is never logged")),
        None => Ok(LogField::RequestHeader(header)),
    }
}
