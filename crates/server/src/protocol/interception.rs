//! Asking the interception scripts, in the words of the protocol.

use crate::{
    app::App,
    protocol::error::ProtocolError,
    scripts::{self, Event, Permission, Refusal},
};

/// Asks about one revocation. Nothing is to be written, and the client is to hear of success, if there is no permission.
///
/// # Errors
/// What a script chose, or 503 if one failed.
pub async fn permit(app: &App, event: Event) -> Result<Option<Permission>, ProtocolError> {
    told(scripts::decide(app, event).await)
}

/// Asks about several revocations of one request, of which either all are written or none.
///
/// # Errors
/// As [`permit`].
pub async fn permit_all(app: &App, events: Vec<Event>) -> Result<Option<Vec<Permission>>, ProtocolError> {
    told(scripts::decide_all(app, events).await)
}

fn told<T>(decided: Result<T, Refusal>) -> Result<Option<T>, ProtocolError> {
    match decided {
        Ok(permission) => Ok(Some(permission)),
        Err(Refusal::Silent) => Ok(None),
        Err(Refusal::Told { code, description }) => Err(ProtocolError::chosen(code, description)),
        Err(Refusal::Unavailable) => Err(ProtocolError::unavailable()),
    }
}
