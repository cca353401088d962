//! What the program may believe about its configuration: checked as a whole, every mistake reported at once by its key.

mod janssen;
mod network;
mod read;
mod runtime_api_log;
mod written;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use rescind_ledger::Settings;

use crate::external_id::ExternalIdKind;

pub use janssen::JanssenPrefix;
pub use network::NotANetwork;
pub use read::{ConfigError, Mistakes, from_toml, load};
pub use runtime_api_log::{LogField, LogLevel, RuntimeApiLog};

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our issuer identifier, without a trailing slash. Never taken from a request.
    pub issuer: String,
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Development on loopback: open registration and plain HTTP.
    pub development: bool,
    pub tls: Option<Tls>,
    pub proxy: Proxy,
    pub lifetimes: Lifetimes,
    pub sessions: Sessions,
    pub limits: Limits,
    pub registration: Registration,
    pub egress: Egress,
    pub runtime_api_log: RuntimeApiLog,
    /// A GeoIP database in MaxMind's format: where the account page says sessions are.
    pub geoip_database: Option<PathBuf>,
    /// Who may read `/metrics`.
    pub metrics_allow: Vec<Network>,
    /// Memory for cached records, in bytes.
    pub cache_bytes: u64,
    /// Where the master key comes from, if not from the data directory.
    pub master_key: Option<MasterKeySource>,
    /// Under which prefix clients written for Janssen find the endpoints, if they do.
    pub janssen_prefix: Option<JanssenPrefix>,
}

impl Config {
    /// The path of the issuer, empty for none.
    #[must_use]
    pub fn issuer_path(&self) -> &str {
        self.issuer.strip_prefix(self.issuer_origin()).unwrap_or_default()
    }

    /// Scheme, host and port of the issuer.
    #[must_use]
    pub fn issuer_origin(&self) -> &str {
        let host = self.issuer.find("://").map_or(0, |scheme| scheme + 3);
        let end =
            self.issuer.get(host..).and_then(|rest| rest.find('/')).map_or(self.issuer.len(), |slash| host + slash);
        self.issuer.get(..end).unwrap_or(&self.issuer)
    }
}

/// TLS by the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// PEM, the whole chain.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// PEM: who may sign client certificates for `tls_client_auth`. Self-signed ones are matched by the client's keys.
    pub client_ca: Option<PathBuf>,
}

/// A reverse proxy in front of us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxy {
    /// Peers whose headers are believed, as `address/prefix`.
    pub trusted: Vec<Network>,
    /// The header in which such a peer passes the client's certificate, URL-encoded PEM or base64 DER.
    pub client_certificate_header: Option<String>,
    /// Whether such a peer passes on only certificates whose chain it has verified; without that, the header serves
    /// `self_signed_tls_client_auth` alone.
    pub client_certificate_verified: bool,
    /// The header in which such a peer names the managed device that a request comes from.
    pub device_header: Option<String>,
    /// Which kind of external id stands in that header.
    pub device_id_kind: ExternalIdKind,
}

/// An address range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub address: std::net::IpAddr,
    pub prefix: u8,
}

/// How long things live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    pub access_token: Duration,
    /// Of a grant with all its refresh tokens, absolute.
    pub refresh_token: Duration,
    pub id_token: Duration,
    /// At most ten minutes (RFC 6749 section 4.1.2).
    pub code: Duration,
    pub pushed_request: Duration,
    /// Of sessions, by the authentication source they begin at.
    pub session: SessionLimits,
    /// The same where the user signed in with a password of ours.
    pub password_session: SessionLimits,
    /// The least time for which an ended session stays on the revocation list.
    pub session_revocation: Duration,
    pub consent: Duration,
    /// How long a rotated refresh token still brings back the same successor, for new clients; zero is strict.
    pub rotation_grace: Duration,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without activity.
    pub idle: Duration,
    /// At all.
    pub max: Duration,
}

/// How sessions are counted and whose they are said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// By which attribute the session-management API names users.
    pub user_key: UserKey,
    /// Whether that API names users by the SHA-256 of the attribute instead.
    pub hash_user_key: bool,
    /// How many sessions a user may have at once; one more ends the oldest.
    pub max_per_user: Option<u32>,
}

/// An attribute that names one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKey {
    /// The `sub`.
    Id,
    /// Without regard to case.
    UserName,
}

impl Lifetimes {
    /// The most that a session may last, whatever its authentication source.
    #[must_use]
    pub fn longest_session(&self) -> Duration {
        self.session.max.max(self.password_session.max)
    }

    /// The same under what was set since. An ended session stays listed for as long as any may last.
    #[must_use]
    pub fn overlaid(&self, settings: &Settings) -> Self {
        let or = |set: Option<u32>, own: Duration| set.map_or(own, |secs| Duration::from_secs(secs.into()));
        let limits = |own: SessionLimits| SessionLimits {
            idle: or(settings.session_id_unused_lifetime, own.idle),
            max: or(settings.session_id_lifetime, own.max),
        };
        let mut overlaid = Self {
            access_token: or(settings.access_token_lifetime, self.access_token),
            refresh_token: or(settings.refresh_token_lifetime, self.refresh_token),
            id_token: or(settings.id_token_lifetime, self.id_token),
            code: or(settings.authorization_code_lifetime, self.code),
            session: limits(self.session),
            password_session: limits(self.password_session),
            ..self.clone()
        };
        overlaid.session_revocation = overlaid.session_revocation.max(overlaid.longest_session());
        overlaid
    }

    /// What of the whole cannot be, in words.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn check(&self) -> Result<(), &'static str> {
        let sound = |limits: SessionLimits| limits.idle <= limits.max;
        if !sound(self.session) || !sound(self.password_session) {
            return Err("sessions would be allowed to rest for longer than they last");
        }
        if self.access_token > self.refresh_token {
            return Err("access tokens would outlive refresh tokens");
        }
        Ok(())
    }

    /// The horizon: no credential outlives its stamp by more than this.
    #[must_use]
    pub fn horizon(&self) -> Duration {
        let longest = self.longest_session() + self.refresh_token + self.access_token.max(self.id_token);
        longest.max(self.consent).max(self.session_revocation) + Duration::from_secs(3600)
    }
}

/// Limits on what a stranger may ask of us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub header_bytes: usize,
    pub body_bytes: usize,
    pub request: Duration,
    pub connections: usize,
    /// Wrong passwords per user name and minute, and per address and minute, before sign-in is throttled.
    pub sign_in_attempts_per_minute: u32,
    /// Authorization requests that one address may begin a minute without being signed in: each is kept for half an hour.
    pub sign_ins_begun_per_minute: u32,
    /// Ids of no known session that one client may put on the revocation list in a day: each is kept for the whole horizon.
    pub unknown_session_ids_per_day: u32,
    /// Authorization requests that may wait for their answer at once, whoever began them.
    pub pending_requests: u64,
    /// How long open requests get to finish at shutdown.
    pub shutdown: Duration,
}

/// Dynamic registration (RFC 7591).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone may register: only in development on loopback.
    Open,
    /// With an initial access token.
    InitialAccessToken,
    Off,
}

/// Outgoing calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// Special-use addresses (loopback, private, link-local, ...) that may be called after all.
    pub allow: Vec<Network>,
    /// PEM with further roots to trust.
    pub ca: Option<PathBuf>,
}

/// A master key that does not lie in the data directory.
#[derive(Clone)]
pub enum MasterKeySource {
    File(PathBuf),
    Value(zeroize::Zeroizing<[u8; 32]>),
}

impl std::fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Value(_) => f.write_str("Value(…)"),
        }
    }
}
