//! What is measured, by name.

mod footprint;
mod in_turn;
mod introspection;
mod preview;
pub mod reach;
mod revocation;
mod session_status;
mod status_lists;
mod verdict;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::child::Child;
use crate::report::Line;
use crate::seed::{self, Plan};

/// Every measurement, in an order in which one can go on with what the one before has set up.
pub const NAMES: [&str; 27] = [
    "introspect_cold_c64",
    "introspect_active_c1",
    "introspect_active_c16",
    "introspect_active_c64",
    "introspect_revoked_c64",
    "rss_1m_tokens",
    "startup_1m",
    "revoke_user_reach",
    "first_check_after_reach",
    "session_status_c64",
    "session_status_revoked_c64",
    "rss_1m_sessions",
    "rss_idle",
    "revoke_inprocess_c64",
    "orders_per_fsync",
    "revoke_http_c64",
    "revoke_http_script_c64",
    "revoke_ack_p99_under_issuance",
    "status_list_reach_10m",
    "status_lists_reach_all_10m",
    "preview_user_1m_p50",
    "preview_user_1m_p95",
    "preview_client_1m_p50",
    "preview_client_1m_p95",
    "user_page_1m",
    "verdict_10m",
    "index_bytes_per_entry",
];

/// A million live tokens and a million entries, each of which ended a token; and a thousand users with one token.
const MILLION: Plan = Plan { live: 1_000_000, ended: 1_000_000, single: 1000, ..Plan::EMPTY };
/// A million live sessions, and as many revoked ones.
const SESSIONS: Plan = Plan { sessions: 1_000_000, revoked_sessions: 1_000_000, ..Plan::EMPTY };

/// What the measurements share.
pub struct Bench {
    /// Beside this program: on a disk, which a folder for temporary files need not be.
    scratch: TempDir,
    million: Option<PathBuf>,
    sessions: Option<PathBuf>,
    /// Both servers, with the million.
    servers: Option<Servers>,
    /// How soon lists show a revocation, once it was measured.
    status_reach: Option<status_lists::Reach>,
    /// How long previews take, once they were measured.
    preview: Option<preview::Took>,
}

/// Two servers that know the same tokens or sessions.
struct Servers {
    rescind: Child,
    reference: Child,
}

impl Bench {
    /// Takes a folder for the data of this run; it is removed at the end.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let beside = program.parent().context("the program lies in no folder")?;
        let scratch = tempfile::Builder::new().prefix("bench-").tempdir_in(beside)?;
        Ok(Self { scratch, million: None, sessions: None, servers: None, status_reach: None, preview: None })
    }

    /// Does one measurement.
    ///
    /// # Errors
    /// When there is none of that name, or it could not be done.
    pub fn measure(&mut self, name: &str) -> anyhow::Result<Line> {
        match name {
            "introspect_cold_c64" => introspection::cold(self),
            "introspect_active_c1" => introspection::active(self, "introspect_active_c1", 1),
            "introspect_active_c16" => introspection::active(self, "introspect_active_c16", 16),
            "introspect_active_c64" => introspection::active(self, "introspect_active_c64", 64),
            "introspect_revoked_c64" => introspection::revoked(self),
            "rss_1m_tokens" => footprint::with_a_million(self),
            "startup_1m" => footprint::startup(self),
            "revoke_user_reach" => reach::revoke(self),
            "first_check_after_reach" => reach::first_check(self),
            "session_status_c64" => session_status::live(self),
            "session_status_revoked_c64" => session_status::revoked(self),
            "rss_1m_sessions" => footprint::with_a_million_sessions(self),
            "rss_idle" => footprint::idle(self),
            "revoke_inprocess_c64" => revocation::in_process(self),
            "orders_per_fsync" => revocation::per_fsync(self),
            "revoke_http_c64" => revocation::http(self),
            "revoke_http_script_c64" => revocation::http_with_script(self),
            "revoke_ack_p99_under_issuance" => revocation::under_issuance(self),
            "status_list_reach_10m" => status_lists::one(self),
            "status_lists_reach_all_10m" => status_lists::all(self),
            "preview_user_1m_p50" => preview::user_p50(self),
            "preview_user_1m_p95" => preview::user_p95(self),
            "preview_client_1m_p50" => preview::client_p50(self),
            "preview_client_1m_p95" => preview::client_p95(self),
            "user_page_1m" => preview::page(self),
            "verdict_10m" => verdict::time(),
            "index_bytes_per_entry" => verdict::bytes(),
            other => bail!("there is no measurement `{other}`"),
        }
    }

    /// A new data directory, filled.
    fn folder(&self, name: &str, plan: Plan) -> anyhow::Result<PathBuf> {
        let folder = self.scratch.path().join(name);
        seed::fill(&folder, plan)?;
        Ok(folder)
    }

    /// The data directory with the million, and no server on it.
    fn million(&mut self) -> anyhow::Result<PathBuf> {
        self.servers = None;
        if let Some(folder) = &self.million {
            return Ok(folder.clone());
        }
        let folder = self.folder("million", MILLION)?;
        self.million = Some(folder.clone());
        Ok(folder)
    }

    /// Both servers anew, with the sessions; none of the others runs any more.
    fn session_servers(&mut self) -> anyhow::Result<Servers> {
        self.servers = None;
        let folder = match &self.sessions {
            Some(folder) => folder.clone(),
            None => self.sessions.insert(self.folder("sessions", SESSIONS)?).clone(),
        };
        let reference = Child::reference_of_sessions(SESSIONS.sessions, SESSIONS.revoked_sessions)?;
        Ok(Servers { rescind: Child::rescind(&folder)?, reference })
    }

    /// Both servers with the million.
    fn servers(&mut self) -> anyhow::Result<&Servers> {
        if self.servers.is_none() {
            let folder = self.million()?;
            let servers = Servers { rescind: Child::rescind(&folder)?, reference: Child::reference(MILLION.live)? };
            self.servers = Some(servers);
        }
        self.servers.as_ref().context("the servers do not run")
    }
}
