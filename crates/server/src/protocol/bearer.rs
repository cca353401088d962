//! Access tokens of ours as credentials at our own endpoints (RFC 6750).

use axum::http::{HeaderMap, header, request::Parts};
use rescind_ledger::{Hash, StoreError};

use crate::{
    app::App,
    peer::{self, Peer},
    records::KnownToken,
};

/// The token in the header; `None` if there is none, or something else.
#[must_use]
pub fn find(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The access token, if it is good at the issuer's own endpoints now and in the hands of whoever sent this request.
///
/// # Errors
/// If the store cannot say.
pub async fn find_active(app: &App, parts: &Parts, token: &str) -> Result<Option<KnownToken>, StoreError> {
    let Some(known) = app.records.find_access_token(&Hash::of(token)).await? else { return Ok(None) };
    let record = known.view()?;
    if let Err(why) = app.records.counts(&record, app.now()).await? {
        tracing::info!(token.id = record.id, why = ?why, "access token refused");
        return Ok(None);
    }
    // A token for some other API must not work here, or that API could use what it is sent.
    if !record.audiences.contains(&app.config.issuer) {
        return Ok(None);
    }
    let shown = parts
        .extensions
        .get::<Peer>()
        .and_then(|peer| peer::client_certificate(peer, &parts.headers, &app.config.proxy))
        .map(|shown| rescind_jose::certificate_thumbprint(&shown.der));
    // A token bound to a certificate is worth nothing without it (RFC 8705 section 3).
    if record.certificate.is_some() && record.certificate != shown.as_deref() {
        return Ok(None);
    }
    Ok(Some(known))
}
