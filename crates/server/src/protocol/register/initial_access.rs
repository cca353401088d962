//! Initial access tokens: the leave to register one client (RFC 7591 section 3).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_check::{Lineage, Position, Verdict};
use rescind_jose::seal::SealError;
use rescind_ledger::{Hash, Kind, Reads, Sealed, Secret, StoreError, Timestamp};
use std::time::Duration;

use crate::{app::App, clock::random};

/// How long one is good.
const LIFE: Duration = Duration::from_secs(86_400);

/// A token that is not anybody's yet, and how it is kept: under its hash, with its stamp and its end encrypted.
pub struct FreshLeave {
    pub secret: Secret,
    pub name: String,
    pub sealed: Sealed,
    pub expires_at: Timestamp,
}

impl FreshLeave {
    /// Makes one.
    ///
    /// # Errors
    /// If it cannot be encrypted.
    pub fn make(app: &App) -> Result<Self, SealError> {
        let stamp = app.live.stamp();
        let secret = Secret::form(Kind::InitialAccessToken, &random());
        let name = name(&secret.hash());
        let expires_at = app.now().plus(LIFE);
        let sealed = app.keys.seal(&name, format!("{stamp} {}", expires_at.0).as_bytes())?;
        Ok(Self { secret, name, sealed, expires_at })
    }
}

/// The name under which a presented token is kept, if it is good. Like every credential it has a position, so that what ends
/// everything, a restore among it, ends it too.
pub async fn find(app: &App, presented: &str) -> Result<Option<String>, StoreError> {
    let name = name(&Hash::of(presented));
    let stored = app.records.store.secrets().await?;
    let Some((_, sealed)) = stored.iter().find(|(stored, _)| *stored == name) else { return Ok(None) };
    let Some((stamp, expires_at)) = opened(app, &name, sealed) else { return Ok(None) };
    let trace = Lineage::at(stamp).trace(app.live.key());
    let counts = expires_at > app.now() && app.live.verdict(&trace) == Verdict::NotRevoked;
    Ok(counts.then_some(name))
}

/// Whether a stored secret is one of these and has had its time.
#[must_use]
pub fn has_expired(app: &App, name: &str, sealed: &Sealed) -> bool {
    name.starts_with(PREFIX) && opened(app, name, sealed).is_none_or(|(_, expires_at)| expires_at <= app.now())
}

const PREFIX: &str = "initial_access_token:";

fn name(hash: &Hash) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(hash.0))
}

fn opened(app: &App, name: &str, sealed: &Sealed) -> Option<(Position, Timestamp)> {
    let plain = app.keys.unseal(name, sealed).ok()?;
    let (stamp, expires_at) = std::str::from_utf8(&plain).ok()?.split_once(' ')?;
    Some((stamp.parse().ok()?, Timestamp(expires_at.parse().ok()?)))
}
