//! What was written in file and environment, by dotted key, and the mistakes met while reading it.

use std::{collections::BTreeMap, ops::RangeInclusive};

use toml::Value;
use zeroize::Zeroizing;

use super::ConfigError;

/// Every key there is. An environment variable's name is made from its key: `RESCIND_LIMITS__BODY_BYTES`.
pub(super) const KEYS: [&str; 48] = [
    "issuer",
    "listen",
    "data_dir",
    "development",
    "registration",
    "cache_bytes",
    "master_key_file",
    "metrics_allow",
    "tls.certificate",
    "tls.key",
    "tls.client_ca",
    "proxy.trusted",
    "proxy.client_certificate_header",
    "proxy.client_certificate_verified",
    "proxy.device_header",
    "proxy.device_id_kind",
    "lifetimes.access_token_secs",
    "lifetimes.refresh_token_secs",
    "lifetimes.id_token_secs",
    "lifetimes.code_secs",
    "lifetimes.pushed_request_secs",
    "lifetimes.session_idle_secs",
    "lifetimes.session_max_secs",
    "lifetimes.session_revocation_secs",
    "lifetimes.consent_secs",
    "lifetimes.rotation_grace_secs",
    "authentication_sources.password.session_idle_secs",
    "authentication_sources.password.session_max_secs",
    "sessions.user_key",
    "sessions.hash_user_key",
    "sessions.max_per_user",
    "limits.header_bytes",
    "limits.body_bytes",
    "limits.request_secs",
    "limits.connections",
    "limits.sign_in_attempts_per_minute",
    "limits.sign_ins_begun_per_minute",
    "limits.unknown_session_ids_per_day",
    "limits.pending_requests",
    "limits.shutdown_secs",
    "runtime_api_log.enabled",
    "runtime_api_log.directory",
    "runtime_api_log.level",
    "runtime_api_log.fields",
    "egress.allow",
    "egress.ca",
    "geoip.database",
    "janssen.prefix",
];

/// Variables with our prefix that are not configuration of the server: logging, the command line's, the tests'.
const OTHER_VARIABLES: [&str; 7] = [
    "RESCIND_LOG",
    "RESCIND_REQUIRE_PARTS",
    "RESCIND_PARTS",
    "RESCIND_SERVER",
    "RESCIND_CLIENT_ID",
    "RESCIND_CLIENT_SECRET_FILE",
    "RESCIND_CONFIG",
];
const OTHER_PREFIX: &str = "RESCIND_SHIM_";
const MASTER_KEY: &str = "RESCIND_MASTER_KEY";

/// Where a value comes from decides its type: the environment has only text.
enum Found {
    File(Value),
    Environment(String),
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(value) => write!(f, "{value}"),
            Self::Environment(text) => write!(f, "{text:?} (from the environment)"),
        }
    }
}

/// The values not yet read, and the mistakes so far.
pub(super) struct Written {
    found: BTreeMap<&'static str, Found>,
    master_key: Option<Zeroizing<String>>,
    mistakes: Vec<ConfigError>,
}

impl Written {
    /// Takes the file's text apart, then lays the environment over it.
    pub(super) fn new(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut written = Self { found: BTreeMap::new(), master_key: None, mistakes: Vec::new() };
        match text.parse::<toml::Table>() {
            Ok(table) => written.flatten("", table),
            // The error's own display shows the line, in which somebody may have written a secret.
            Err(error) => {
                let line =
                    error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
                written.mistake("configuration", format!("is not TOML, line {line}: {}", error.message()));
            }
        }
        for (name, value) in env {
            written.overlay(&name, value);
        }
        written
    }

    fn flatten(&mut self, section: &str, table: toml::Table) {
        for (name, value) in table {
            let key = if section.is_empty() { name } else { format!("{section}.{name}") };
            let known = KEYS.iter().find(|k| **k == key);
            match (known, value) {
                (Some(known), value) => drop(self.found.insert(known, Found::File(value))),
                (None, Value::Table(inner)) if is_section(&key) => self.flatten(&key, inner),
                (None, value) if is_section(&key) => {
                    self.mistake(&key, format!("found {value}, expected a table [{key}]"));
                }
                (None, _) => {
                    let why = format!("is unknown; expected one of {}", siblings(section));
                    self.mistake(&key, why);
                }
            }
        }
    }

    fn overlay(&mut self, name: &str, value: String) {
        let Some(rest) = name.strip_prefix("RESCIND_") else { return };
        if name == MASTER_KEY {
            self.master_key = Some(Zeroizing::new(value));
            return;
        }
        if OTHER_VARIABLES.contains(&name) || name.starts_with(OTHER_PREFIX) {
            return;
        }
        let key = rest.to_ascii_lowercase().replace("__", ".");
        match KEYS.iter().find(|k| **k == key) {
            Some(known) => drop(self.found.insert(known, Found::Environment(value))),
            None => self.mistake(name, "is unknown; expected RESCIND_<KEY> or RESCIND_<SECTION>__<KEY>".to_owned()),
        }
    }

    pub(super) fn mistake(&mut self, key: &str, why: String) {
        self.mistakes.push(ConfigError { key: key.to_owned(), why });
    }

    /// A mistake in place of a value.
    pub(super) fn missing<T>(&mut self, key: &'static str, why: &str) -> Option<T> {
        if self.is_sound(&[key]) {
            self.mistake(key, why.to_owned());
        }
        None
    }

    /// Whether none of these keys has a mistake yet.
    pub(super) fn is_sound(&self, keys: &[&str]) -> bool {
        !self.mistakes.iter().any(|m| keys.contains(&m.key.as_str()))
    }

    pub(super) fn into_mistakes(self) -> Vec<ConfigError> {
        self.mistakes
    }

    pub(super) fn take_master_key(&mut self) -> Option<Zeroizing<String>> {
        self.master_key.take()
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.parsed(key, "a text that is not empty", |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// A text that `parse` accepts; `expected` says in words which ones that are.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let found = self.found.remove(key)?;
        let value = match &found {
            Found::File(Value::String(text)) | Found::Environment(text) => parse(text),
            Found::File(_) => None,
        };
        self.or_mistake(key, value, &found, expected)
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let Some(found) = self.found.remove(key) else { return default };
        let value = match &found {
            Found::File(value) => value.as_bool(),
            Found::Environment(text) => text.parse().ok(),
        };
        self.or_mistake(key, value, &found, "true or false").unwrap_or(default)
    }

    pub(super) fn number(&mut self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        let Some(found) = self.found.remove(key) else { return default };
        let value = match &found {
            Found::File(value) => value.as_integer().and_then(|n| u64::try_from(n).ok()),
            Found::Environment(text) => text.parse().ok(),
        };
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let value = value.filter(|n| range.contains(n));
        self.or_mistake(key, value, &found, &expected).unwrap_or(default)
    }

    /// Texts; from the environment separated by commas.
    pub(super) fn list(&mut self, key: &'static str) -> Vec<String> {
        let Some(found) = self.found.remove(key) else { return Vec::new() };
        let value = match &found {
            Found::File(Value::Array(items)) => items.iter().map(|i| i.as_str().map(ToOwned::to_owned)).collect(),
            Found::File(_) => None,
            Found::Environment(text) => {
                Some(text.split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect())
            }
        };
        self.or_mistake(key, value, &found, "a list of texts").unwrap_or_default()
    }

    fn or_mistake<T>(&mut self, key: &str, value: Option<T>, found: &Found, expected: &str) -> Option<T> {
        if value.is_none() {
            self.mistake(key, format!("found {found}, expected {expected}"));
        }
        value
    }
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|k| k.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

/// The names that may stand beside one another in a section.
fn siblings(section: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for key in KEYS {
        let within =
            if section.is_empty() { Some(key) } else { key.strip_prefix(section).and_then(|k| k.strip_prefix('.')) };
        let Some(name) = within.and_then(|rest| rest.split('.').next()) else { continue };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}
