//! The logout status JWT (Janssen): asked for with an authorization, given beside the code, it lets a client learn from a
//! status list that the sign-in behind it has ended. It opens nothing: no endpoint takes it for an access token.

use std::time::Duration;

use rescind_jose::Kind as JwtKind;
use rescind_ledger::{Feature, Grant, Hash, LogoutStatusJwt};
use serde_json::{Value, json};

use crate::{
    app::App,
    clock::fresh_id,
    protocol::{flow::Flow, mint},
};

/// Its record, to be written with the code, and the text that goes out once it is.
pub struct Made {
    pub record: LogoutStatusJwt,
    pub jwt: String,
}

/// Forms the JWT, if the client asks for one and both features that it needs are on: a parameter of what is switched off
/// is one that nobody knows (RFC 6749 section 3.1).
pub fn make(app: &App, flow: &Flow, grant: &Grant) -> Option<Made> {
    let lifetime = lifetime(app).filter(|_| flow.request.logout_status_jwt)?;
    let (user, session) = grant.user.clone().zip(grant.session.clone())?;
    let now = app.now();
    let authenticated_at = grant.auth_time.unwrap_or(now);
    let ring = app.keys.ring();
    let key = ring.signing(flow.client.id_token_signed_response_alg);
    // It may outlive the grant, which says how long tokens are given; not the time for which entries are kept.
    let expires_at = now.plus(lifetime).min(authenticated_at.plus(app.lifetimes().horizon()));
    let mut record = LogoutStatusJwt {
        hash: Hash([0; 32]),
        id: fresh_id(""),
        grant: grant.id.clone(),
        client: grant.client.clone(),
        user,
        session,
        device: grant.device.clone(),
        key: key.kid().to_owned(),
        position: grant.position,
        auth_time: authenticated_at,
        issued_at: now,
        expires_at,
        slot: app.status_lists.allocate(now, expires_at),
    };
    // Without it the sign-in is as good: it goes on.
    let signed = key.sign(JwtKind::LogoutStatus, &claims(app, &record));
    let jwt = signed.inspect_err(|why| tracing::error!(error = %why, "cannot sign a logout status JWT")).ok()?;
    record.hash = Hash::of(&jwt);
    Some(Made { record, jwt })
}

/// How long it lives; `None` while it is switched off, or the lists that it refers to.
fn lifetime(app: &App) -> Option<Duration> {
    let settings = app.settings();
    let is_on = settings.is_on(Feature::LogoutStatusJwt) && settings.is_on(Feature::StatusList);
    is_on.then(|| Duration::from_secs(settings.logout_status_jwt_lifetime.into()))
}

fn claims(app: &App, record: &LogoutStatusJwt) -> Value {
    json!({
        "iss": app.config.issuer,
        "aud": record.client,
        "sub": record.user,
        "sid": record.session,
        "jti": record.id,
        "iat": record.issued_at.secs(),
        "nbf": record.issued_at.secs(),
        "exp": record.expires_at.secs(),
        "status": mint::status_claim(app, &record.slot),
    })
}
