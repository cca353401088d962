//! Endpoints that can be switched off while the server runs.

use rescind_ledger::Feature;

use crate::{app::App, protocol::error::ProtocolError};

/// Fails unless a feature is switched on.
///
/// # Errors
/// 403 `access_denied`, as Janssen has it.
pub fn require(app: &App, feature: Feature) -> Result<(), ProtocolError> {
    if is_on(app, feature) {
        return Ok(());
    }
    Err(ProtocolError::access_denied(format!("{} is switched off here", feature.name())))
}

/// Whether a feature is switched on.
#[must_use]
pub fn is_on(app: &App, feature: Feature) -> bool {
    app.live.look(|_, configuration| configuration.settings.is_on(feature))
}
