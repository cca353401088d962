//! The present state of records: what the endpoints would make of them now.

use rescind_ledger::{AccessToken, Grant, Inactive, StoreError};

use crate::app::App;

/// Alive, or why not.
pub(super) type State = Result<(), Inactive>;

/// The word for a state.
pub(super) fn word(state: State) -> &'static str {
    match state {
        Ok(()) => "active",
        Err(Inactive::ClientDisabled) => "client_disabled",
        Err(Inactive::DeviceDisabled) => "device_disabled",
        Err(Inactive::Expired) => "expired",
        Err(Inactive::Revoked) => "revoked",
        Err(Inactive::SessionExpired) => "session_expired",
        Err(Inactive::SessionIdle) => "session_idle",
        Err(Inactive::UserDisabled) => "user_disabled",
    }
}

pub(super) async fn of_grant(app: &App, grant: &Grant) -> Result<State, StoreError> {
    let clock = app.records.clock_of(grant.session.as_deref(), grant.session_bound).await?;
    Ok(app.live.grant_counts(grant, clock, app.now()))
}

pub(super) async fn of_token(app: &App, token: &AccessToken) -> Result<State, StoreError> {
    let needed = token.session_validation.check_valid_authn_session;
    let clock = app.records.clock_of(token.session.as_deref(), needed).await?;
    let trace = token.trace(app.live.issuer(), app.live.key());
    Ok(app.live.access_token_counts(token, &trace, clock, app.now()))
}
