//! The console, for administrators: pages at `/console`. It is an OpenID Connect client of this very server, and a client of the
//! admin API with the administrator's own token. Both are called in process, by the routers that the wiring hands over: roles,
//! audit, guards and errors have one home, and it is not here.

mod account;
mod administrators;
mod apis;
mod applications;
mod audit;
mod bulk;
mod chart;
mod cookies;
mod frame;
mod inside;
mod json;
mod overview;
mod pending;
mod preview;
mod receipt;
mod revocations;
mod revoke;
mod routes;
mod scripts;
mod seal;
mod sessions;
mod settings;
mod sign_in;
mod target;
mod trouble;
mod user;
mod users;
mod visit;
mod words;

use std::sync::Arc;

use axum::Router;
use rescind_ledger::{Client, ClientAuthMethod, Timestamp};

use crate::app::App;

pub use routes::{Line, PAGES};

/// The id of the client that the console is.
pub const CLIENT_ID: &str = "rescind-console";
/// Where the console begins, below the issuer.
pub const BASE: &str = "/console";
/// Where the admin API begins, below the issuer.
const ADMIN: &str = "/admin/v1";
const CALLBACK: &str = "/console/callback";
const SCOPES: [&str; 4] = ["openid", "rescind:read", "rescind:revoke", "rescind:write"];

/// What every page needs.
struct Console {
    app: Arc<App>,
    /// Whatever clients and browsers use.
    protocol: Router,
    /// The admin API, as for the network: it asks for a token.
    admin: Router,
}

impl Console {
    fn issuer(&self) -> &str {
        &self.app.config.issuer
    }

    /// The path of the issuer: empty, or such as `/id`.
    fn base(&self) -> &str {
        self.app.config.issuer_path()
    }

    fn now(&self) -> Timestamp {
        self.app.now()
    }

    /// A path of the console, from the root of the host.
    fn path(&self, path: &str) -> String {
        format!("{}{BASE}{path}", self.base())
    }
}

/// The console, which asks the other two routers.
pub fn router(app: &Arc<App>, protocol: &Router, admin: &Router) -> Router {
    let console = Console { app: app.clone(), protocol: protocol.clone(), admin: admin.clone() };
    routes::router(Arc::new(console))
}

/// The client that the console is, for a server of this issuer.
#[must_use]
pub fn client(issuer: &str, now: Timestamp) -> Client {
    let new = Client::new(CLIENT_ID.to_owned(), "Console".to_owned(), ClientAuthMethod::None, now);
    Client {
        redirect_uris: vec![format!("{issuer}{CALLBACK}")],
        grant_types: vec!["authorization_code".to_owned()],
        scopes: SCOPES.map(str::to_owned).to_vec(),
        first_party: true,
        ..new
    }
}
