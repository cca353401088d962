//! The rescind server: everything that touches the world. [`app`] is the only wiring.

pub mod admin;
pub mod app;
pub mod assets;
pub mod audit;
pub mod background;
mod body;
pub mod census;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod deliveries;
pub mod egress;
pub mod endpoint;
pub mod external_id;
pub mod keys;
pub mod master_key;
pub mod openapi;
pub mod origin;
pub mod overview;
pub mod pace;
pub mod password;
pub mod peer;
pub mod places;
pub mod protocol;
pub mod receipts;
pub mod records;
pub mod runtime_log;
pub mod scripts;
pub mod serve;
pub mod sources;
pub mod status_lists;
pub mod telemetry;
pub mod tls;
pub mod touch;
pub mod user_name;

use std::sync::Arc;

/// Every route that is served to the world.
pub fn router(app: &Arc<app::App>) -> axum::Router {
    let described = endpoint::router(openapi::ENDPOINTS, app.config.issuer_path());
    let (protocol, admin) = (protocol::router(app), admin::router(app));
    let console = console::router(app, &protocol, &admin);
    protocol.merge(admin).merge(console).merge(sources::router(app)).merge(described.with_state(app.clone()))
}
