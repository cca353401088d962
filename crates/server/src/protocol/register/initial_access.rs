//! Initial access tokens: the leave to register one client (RFC 7591 section 3).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_check::{Lineage, Position, Trace, Verdict};
use rescind_jose::seal::SealError;
use rescind_ledger::{Hash, Kind, Lane, LedgerError, Reads, Sealed, Secret, StoreError, Timestamp};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

use crate::{app::App, clock::random};

/// How long one is good.
const LIFE: Duration = Duration::from_secs(86_400);

/// One is good for one client, so nobody may look it up or withdraw it while another is using it up.
static USING: Mutex<()> = Mutex::const_new(());

/// Waits until nobody else uses one up.
pub async fn alone() -> MutexGuard<'static, ()> {
    USING.lock().await
}

/// A token that is not anybody's yet.
pub struct FreshLeave {
    pub secret: Secret,
    pub leave: Leave,
}

/// What is kept of a token: under its hash, the rest encrypted. It stays when it was used, until it expires, so that people
/// see what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Its SHA-256, in base64url.
    pub id: String,
    stamp: Position,
    issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// The client that was registered with it.
    pub client: Option<String>,
}

/// A secret under the name it is stored by.
pub type Stored = (String, Sealed);

impl FreshLeave {
    /// Makes one.
    #[must_use]
    pub fn make(app: &App) -> Self {
        let stamp = app.live.stamp();
        let secret = Secret::form(Kind::InitialAccessToken, &random());
        let now = app.now();
        let leave = Leave { id: id(&secret.hash()), stamp, issued_at: now, expires_at: now.plus(LIFE), client: None };
        Self { secret, leave }
    }
}

impl Leave {
    /// The form in which it is stored.
    ///
    /// # Errors
    /// If it cannot be encrypted.
    pub fn seal(&self, app: &App) -> Result<Stored, SealError> {
        let mut text = format!("{} {} {}", self.stamp, self.issued_at.0, self.expires_at.0);
        if let Some(client) = &self.client {
            text = format!("{text} {client}");
        }
        let name = name(&self.id);
        let sealed = app.keys.seal(&name, text.as_bytes())?;
        Ok((name, sealed))
    }

    /// Reads one out of a stored secret: `None` if it is something else, or cannot be read.
    fn open(app: &App, name: &str, sealed: &Sealed) -> Option<Self> {
        let id = name.strip_prefix(PREFIX)?.to_owned();
        let plain = app.keys.unseal(name, sealed).ok()?;
        let mut words = std::str::from_utf8(&plain).ok()?.splitn(4, ' ');
        let stamp = words.next()?.parse().ok()?;
        let mut time = || Some(Timestamp(words.next()?.parse().ok()?));
        let (issued_at, expires_at) = (time()?, time()?);
        Some(Self { id, stamp, issued_at, expires_at, client: words.next().map(str::to_owned) })
    }

    /// The same, used up for a client.
    #[must_use]
    pub fn used_by(self, client: &str) -> Self {
        Self { client: Some(client.to_owned()), ..self }
    }

    /// Its lineage. Like every credential it has a position, so that what ends everything, a restore among it, ends it too.
    #[must_use]
    pub fn trace(&self, app: &App) -> Trace {
        Lineage::at(self.stamp, self.issued_at.0).trace(app.live.key())
    }

    /// Whether it has been ended.
    #[must_use]
    pub fn is_revoked(&self, app: &App) -> bool {
        app.live.verdict(&self.trace(app)) != Verdict::NotRevoked
    }
}

/// What is kept of a presented token, if it is good.
pub async fn find(app: &App, presented: &str) -> Result<Option<Leave>, StoreError> {
    let name = name(&id(&Hash::of(presented)));
    let stored = app.records.store.secrets().await?;
    let Some((_, sealed)) = stored.iter().find(|(stored, _)| *stored == name) else { return Ok(None) };
    let leave = Leave::open(app, &name, sealed);
    Ok(leave.filter(|leave| leave.client.is_none() && leave.expires_at > app.now() && !leave.is_revoked(app)))
}

/// All that are kept, by id.
pub async fn list(app: &App) -> Result<Vec<Leave>, StoreError> {
    let stored = app.records.store.secrets().await?;
    let mut leaves: Vec<_> = stored.iter().filter_map(|(name, sealed)| Leave::open(app, name, sealed)).collect();
    leaves.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(leaves)
}

/// Takes one back; says whether there was one. From then on nobody registers with it.
pub async fn withdraw(app: &App, id: &str) -> Result<bool, LedgerError> {
    let _alone = alone().await;
    let name = name(id);
    if app.records.store.secrets().await?.iter().all(|(stored, _)| *stored != name) {
        return Ok(false);
    }
    app.submit(Lane::Ending, move |door| door.delete_secret(&name)).await?;
    Ok(true)
}

/// Whether a stored secret is one of these and has had its time.
#[must_use]
pub fn has_expired(app: &App, name: &str, sealed: &Sealed) -> bool {
    let over = |leave: Leave| leave.expires_at <= app.now();
    name.starts_with(PREFIX) && Leave::open(app, name, sealed).is_none_or(over)
}

const PREFIX: &str = "initial_access_token:";

fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

fn id(hash: &Hash) -> String {
    URL_SAFE_NO_PAD.encode(hash.0)
}

#[cfg(test)]
mod tests;
