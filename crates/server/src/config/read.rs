//! Reads the configuration twice: first what was written, key by key, then as a whole what the program may believe.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    path::Path,
    time::Duration,
};

use url::{Host, Url};
use zeroize::Zeroizing;

use super::{
    Config, Egress, Lifetimes, Limits, MasterKeySource, Network, Proxy, Registration, SessionLimits, Sessions, Tls,
    UserKey, janssen, runtime_api_log, written::Written,
};
use crate::external_id::ExternalIdKind;

/// One mistake: where it stands and why it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The dotted key, the environment variable, or the file.
    pub key: String,
    /// What was found and what is expected.
    pub why: String,
}

/// Every mistake of a configuration, shown one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<ConfigError>);

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, ConfigError { key, why }) in self.0.iter().enumerate() {
            let end = if n + 1 == self.0.len() { "" } else { "\n" };
            write!(f, "{key}: {why}{end}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Reads `file` (without one: the defaults) under the environment's `RESCIND_<SECTION>__<KEY>`.
///
/// # Errors
/// All mistakes at once.
pub fn load(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, Mistakes> {
    let text = match file.map(|path| (path, std::fs::read_to_string(path))) {
        None => String::new(),
        Some((_, Ok(text))) => text,
        Some((path, Err(error))) => {
            let why = format!("cannot be read: {error}");
            return Err(Mistakes(vec![ConfigError { key: path.display().to_string(), why }]));
        }
    };
    from_toml(&text, env)
}

/// Reads TOML text under the environment's overrides.
///
/// # Errors
/// All mistakes at once.
pub fn from_toml(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Config, Mistakes> {
    let mut written = Written::new(text, env);
    let config = read(&mut written);
    check(&config, &mut written);
    let mistakes = written.into_mistakes();
    if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 366 * DAY;

fn read(w: &mut Written) -> Config {
    let listen = w.parsed("listen", "an address and port such as 127.0.0.1:8080", |t| t.parse::<SocketAddr>().ok());
    let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
    let development = w.flag("development", false);
    let tls = tls(w);
    Config {
        issuer: issuer(w, listen, tls.is_some()),
        listen,
        data_dir: w.text("data_dir").unwrap_or_else(|| "rescind-data".to_owned()).into(),
        runtime_api_log: runtime_api_log::read(w),
        development,
        proxy: proxy(w),
        lifetimes: lifetimes(w),
        sessions: sessions(w),
        limits: limits(w),
        registration: registration(w, development),
        metrics_allow: metrics_allow(w),
        egress: Egress { allow: networks(w, "egress.allow"), ca: w.text("egress.ca").map(Into::into) },
        geoip_database: w.text("geoip.database").map(Into::into),
        cache_bytes: w.number("cache_bytes", 224 << 20, (1 << 20)..=(64 << 30)),
        master_key: master_key(w),
        janssen_prefix: janssen::read(w),
        tls,
    }
}

fn issuer(w: &mut Written, listen: SocketAddr, tls: bool) -> String {
    if let Some(issuer) = w.text("issuer") {
        if let Err(why) = issuer_is_sound(&issuer) {
            w.mistake("issuer", format!("found {issuer:?}: {why}"));
        }
        return issuer;
    }
    if !listen.ip().is_loopback() && w.is_sound(&["issuer", "listen"]) {
        w.mistake("issuer", "found nothing; it must be given when `listen` is not a loopback address".to_owned());
    }
    format!("{}://{listen}", if tls { "https" } else { "http" })
}

/// OpenID Connect Discovery 1.0 section 3 and RFC 8414 section 2, and our exception for loopback.
fn issuer_is_sound(issuer: &str) -> Result<(), String> {
    let url = Url::parse(issuer).map_err(|_| "expected an absolute https URL".to_owned())?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("expected an https URL".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("expected no query and no fragment".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected no user name or password".to_owned());
    }
    if issuer.ends_with('/') {
        return Err("expected no slash at the end".to_owned());
    }
    // Clients compare the issuer letter by letter, so only one way of writing it is right.
    let canonical = url.as_str().trim_end_matches('/');
    if canonical != issuer {
        return Err(format!("expected it written as {canonical:?}"));
    }
    if url.scheme() == "http" && !url.host().is_some_and(|h| is_loopback(&h)) {
        return Err("expected https; plain http is for loopback hosts only".to_owned());
    }
    Ok(())
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(v4) => v4.is_loopback(),
        Host::Ipv6(v6) => v6.is_loopback(),
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
    }
}

fn tls(w: &mut Written) -> Option<Tls> {
    let certificate = w.text("tls.certificate");
    let key = w.text("tls.key");
    let client_ca = w.text("tls.client_ca");
    let together = "found nothing; `tls.certificate` and `tls.key` are given together";
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(Tls { certificate: certificate.into(), key: key.into(), client_ca: client_ca.map(Into::into) })
        }
        (Some(_), None) => w.missing("tls.key", together),
        (None, Some(_)) => w.missing("tls.certificate", together),
        (None, None) if client_ca.is_some() => {
            w.missing("tls.certificate", "found nothing; `tls.client_ca` needs our own TLS")
        }
        (None, None) => None,
    }
}

fn proxy(w: &mut Written) -> Proxy {
    let proxy = Proxy {
        trusted: networks(w, "proxy.trusted"),
        client_certificate_header: w
            .parsed("proxy.client_certificate_header", "a header name", |t| t.parse::<axum::http::HeaderName>().ok())
            .map(|name| name.as_str().to_owned()),
        client_certificate_verified: w.flag("proxy.client_certificate_verified", false),
        device_header: w
            .parsed("proxy.device_header", "a header name", |t| t.parse::<axum::http::HeaderName>().ok())
            .map(|name| name.as_str().to_owned()),
        device_id_kind: w
            .parsed("proxy.device_id_kind", &format!("one of {}", ExternalIdKind::names()), ExternalIdKind::find)
            .unwrap_or_default(),
    };
    let believed = [
        ("proxy.client_certificate_header", proxy.client_certificate_header.is_some()),
        ("proxy.device_header", proxy.device_header.is_some()),
    ];
    for (key, _) in believed.into_iter().filter(|(_, given)| *given) {
        if proxy.trusted.is_empty() && w.is_sound(&["proxy.trusted"]) {
            w.mistake("proxy.trusted", format!("found nothing; `{key}` needs a trusted peer"));
        }
    }
    if proxy.client_certificate_verified && proxy.client_certificate_header.is_none() {
        let why = "found nothing; `proxy.client_certificate_verified` needs it";
        w.missing::<()>("proxy.client_certificate_header", why);
    }
    proxy
}

fn lifetimes(w: &mut Written) -> Lifetimes {
    let session = SessionLimits {
        idle: seconds(w, "lifetimes.session_idle_secs", 8 * HOUR, 1..=YEAR),
        max: seconds(w, "lifetimes.session_max_secs", 7 * DAY, 1..=YEAR),
    };
    let (idle, max) = (session.idle.as_secs(), session.max.as_secs());
    let password_session = SessionLimits {
        idle: seconds(w, "authentication_sources.password.session_idle_secs", idle, 1..=YEAR),
        max: seconds(w, "authentication_sources.password.session_max_secs", max, 1..=YEAR),
    };
    let longest = session.max.max(password_session.max);
    Lifetimes {
        access_token: seconds(w, "lifetimes.access_token_secs", 10 * MINUTE, 1..=DAY),
        refresh_token: seconds(w, "lifetimes.refresh_token_secs", 30 * DAY, 1..=5 * YEAR),
        id_token: seconds(w, "lifetimes.id_token_secs", 10 * MINUTE, 1..=DAY),
        code: seconds(w, "lifetimes.code_secs", MINUTE, 1..=10 * MINUTE),
        pushed_request: seconds(w, "lifetimes.pushed_request_secs", 90, 1..=10 * MINUTE),
        session,
        password_session,
        session_revocation: seconds(w, "lifetimes.session_revocation_secs", longest.as_secs(), 1..=5 * YEAR),
        consent: seconds(w, "lifetimes.consent_secs", 90 * DAY, 1..=5 * YEAR),
        rotation_grace: seconds(w, "lifetimes.rotation_grace_secs", 30, 0..=5 * MINUTE),
    }
}

fn sessions(w: &mut Written) -> Sessions {
    let user_key = w.parsed("sessions.user_key", "\"user_name\" or \"id\"", |text| match text {
        "user_name" => Some(UserKey::UserName),
        "id" => Some(UserKey::Id),
        _ => None,
    });
    let sessions = Sessions {
        user_key: user_key.unwrap_or(UserKey::UserName),
        hash_user_key: w.flag("sessions.hash_user_key", false),
        max_per_user: Some(w.number("sessions.max_per_user", 0, 0..=10_000))
            .filter(|most| *most > 0)
            .and_then(|most| u32::try_from(most).ok()),
    };
    if sessions.hash_user_key && sessions.user_key == UserKey::Id && w.is_sound(&["sessions.user_key"]) {
        let why =
            "found true with sessions.user_key = \"id\"; expected that only for user names, since ids tell nothing";
        w.mistake("sessions.hash_user_key", why.to_owned());
    }
    sessions
}

fn limits(w: &mut Written) -> Limits {
    Limits {
        // hyper's read buffer is never smaller than 8 KiB.
        header_bytes: size(w, "limits.header_bytes", 16 << 10, (8 << 10)..=(1 << 20)),
        body_bytes: size(w, "limits.body_bytes", 64 << 10, (1 << 10)..=(16 << 20)),
        request: seconds(w, "limits.request_secs", 15, 1..=5 * MINUTE),
        connections: size(w, "limits.connections", 10_000, 1..=1_000_000),
        sign_in_attempts_per_minute: u32::try_from(w.number("limits.sign_in_attempts_per_minute", 10, 1..=10_000))
            .unwrap_or(u32::MAX),
        sign_ins_begun_per_minute: u32::try_from(w.number("limits.sign_ins_begun_per_minute", 600, 1..=1_000_000))
            .unwrap_or(u32::MAX),
        unknown_session_ids_per_day: u32::try_from(w.number(
            "limits.unknown_session_ids_per_day",
            10_000,
            1..=100_000_000,
        ))
        .unwrap_or(u32::MAX),
        pending_requests: w.number("limits.pending_requests", 100_000, 1..=100_000_000),
        shutdown: seconds(w, "limits.shutdown_secs", 10, 0..=5 * MINUTE),
    }
}

fn registration(w: &mut Written, development: bool) -> Registration {
    let default = if development { Registration::Open } else { Registration::InitialAccessToken };
    let expected = "\"open\", \"initial_access_token\" or \"off\"";
    let written = w.parsed("registration", expected, |text| match text {
        "open" => Some(Registration::Open),
        "initial_access_token" => Some(Registration::InitialAccessToken),
        "off" => Some(Registration::Off),
        _ => None,
    });
    written.unwrap_or(default)
}

fn master_key(w: &mut Written) -> Option<MasterKeySource> {
    let file = w.text("master_key_file").map(|path| MasterKeySource::File(path.into()));
    let Some(digits) = w.take_master_key() else { return file };
    let mut key = Zeroizing::new([0; 32]);
    if !read_hexadecimal(&digits, &mut key) {
        // A secret: what was found is not shown.
        w.mistake("RESCIND_MASTER_KEY", "expected 64 hexadecimal digits".to_owned());
    }
    if file.is_some() {
        w.mistake("master_key_file", "found together with RESCIND_MASTER_KEY; expected one of them".to_owned());
    }
    Some(MasterKeySource::Value(key))
}

fn read_hexadecimal(digits: &str, into: &mut [u8; 32]) -> bool {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return false;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|v| u8::try_from(v).ok());
    for (pair, byte) in digits.chunks_exact(2).zip(into.iter_mut()) {
        let [high, low] = pair else { return false };
        let (Some(high), Some(low)) = (value(*high), value(*low)) else { return false };
        *byte = high << 4 | low;
    }
    true
}

/// This machine alone, unless more is written.
fn metrics_allow(w: &mut Written) -> Vec<Network> {
    let written = networks(w, "metrics_allow");
    if !written.is_empty() {
        return written;
    }
    let loopback = [(IpAddr::from([127, 0, 0, 0]), 8), (IpAddr::from(Ipv6Addr::LOCALHOST), 128)];
    loopback.map(|(address, prefix)| Network { address, prefix }).into()
}

fn networks(w: &mut Written, key: &'static str) -> Vec<Network> {
    let expected = "an address range such as 10.0.0.0/8";
    let mut networks = Vec::new();
    for text in w.list(key) {
        match text.parse() {
            Ok(network) => networks.push(network),
            Err(_) => w.mistake(key, format!("found {text:?}, expected {expected}")),
        }
    }
    networks
}

fn seconds(w: &mut Written, key: &'static str, default: u64, range: RangeInclusive<u64>) -> Duration {
    Duration::from_secs(w.number(key, default, range))
}

fn size(w: &mut Written, key: &'static str, default: u64, range: RangeInclusive<u64>) -> usize {
    usize::try_from(w.number(key, default, range)).unwrap_or(usize::MAX)
}

/// The rules between keys. A key that is wrong by itself is left out: it has its mistake already.
fn check(config: &Config, w: &mut Written) {
    if config.development && !config.listen.ip().is_loopback() && w.is_sound(&["development", "listen"]) {
        let why = format!("found true with listen = {}; expected a loopback address for development", config.listen);
        w.mistake("development", why);
    }
    let open = config.registration == Registration::Open && !config.development;
    if open && w.is_sound(&["registration", "development"]) {
        w.mistake("registration", "found \"open\"; expected that only with development = true".to_owned());
    }
    janssen::check(config, w);
    let lives = &config.lifetimes;
    let pairs = [
        ("lifetimes.session_idle_secs", lives.session.idle, "lifetimes.session_max_secs", lives.session.max),
        (
            "authentication_sources.password.session_idle_secs",
            lives.password_session.idle,
            "authentication_sources.password.session_max_secs",
            lives.password_session.max,
        ),
        ("lifetimes.access_token_secs", lives.access_token, "lifetimes.refresh_token_secs", lives.refresh_token),
    ];
    // An entry that ran out before its session would let it come back.
    let (listed, longest) = (lives.session_revocation, lives.longest_session());
    if listed < longest && w.is_sound(&["lifetimes.session_revocation_secs"]) {
        let why = format!(
            "found {}, expected at least the longest session, which lasts {}: it could outlive its own revocation",
            listed.as_secs(),
            longest.as_secs()
        );
        w.mistake("lifetimes.session_revocation_secs", why);
    }
    for (short_key, short, long_key, long) in pairs {
        // A source that says nothing of its own has its mistake under the common key.
        let repeated = short_key.starts_with("authentication_sources.") && lives.password_session == lives.session;
        if !repeated && short > long && w.is_sound(&[short_key, long_key]) {
            let (short, long) = (short.as_secs(), long.as_secs());
            w.mistake(short_key, format!("found {short}, expected at most {long_key}, which is {long}"));
        }
    }
}

#[cfg(test)]
mod tests;
