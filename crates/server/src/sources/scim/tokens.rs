//! SCIM tokens: the credential of one provisioning system, made and taken back by an administrator.

use std::time::Duration;

use rescind_check::{Lineage, Position, Verdict};
use rescind_jose::seal::SealError;
use rescind_ledger::{Hash, Kind, Lane, LedgerError, Reads, Sealed, Secret, StoreError, Timestamp};

use crate::{app::App, clock::random};

/// For how many days a token may be made, and for how many it is if nobody says.
pub const MOST_DAYS: u32 = 730;
pub const DEFAULT_DAYS: u32 = 365;
/// The longest name of a provisioning system, in bytes.
pub const LONGEST_NAME: usize = 64;

const PREFIX: &str = "scim_token:";

/// What is kept of a token: under its hash, the rest encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its SHA-256, in base64url.
    pub id: String,
    /// The provisioning system that has it.
    pub name: String,
    stamp: Position,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

/// One that was just made, with the text that is shown once.
pub struct Fresh {
    pub secret: Secret,
    pub token: Token,
}

/// Whether a provisioning system may be called so: its name goes into entries and audit records.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(fits)
}

impl Fresh {
    /// Makes one. It is good once [`Token::seal`]'s form of it is stored.
    #[must_use]
    pub fn make(app: &App, name: String, days: u32) -> Self {
        let stamp = app.live.stamp();
        let secret = Secret::form(Kind::ScimToken, &random());
        let created_at = app.now();
        let expires_at = created_at.plus(Duration::from_secs(u64::from(days) * 86_400));
        let token = Token { id: secret.hash().base64url(), name, stamp, created_at, expires_at };
        Self { secret, token }
    }
}

impl Token {
    /// The form in which it is stored, and the name under which.
    ///
    /// # Errors
    /// If it cannot be encrypted.
    pub fn seal(&self, app: &App) -> Result<(String, Sealed), SealError> {
        let text = format!("{} {} {} {}", self.stamp, self.created_at.0, self.expires_at.0, self.name);
        let place = place(&self.id);
        let sealed = app.keys.seal(&place, text.as_bytes())?;
        Ok((place, sealed))
    }

    /// Reads one out of a stored secret: `None` if it is something else, or cannot be read.
    fn open(app: &App, place: &str, sealed: &Sealed) -> Option<Self> {
        let id = place.strip_prefix(PREFIX)?.to_owned();
        let plain = app.keys.unseal(place, sealed).ok()?;
        let mut words = std::str::from_utf8(&plain).ok()?.splitn(4, ' ');
        let stamp = words.next()?.parse().ok()?;
        let created_at = Timestamp(words.next()?.parse().ok()?);
        let expires_at = Timestamp(words.next()?.parse().ok()?);
        Some(Self { id, name: words.next()?.to_owned(), stamp, created_at, expires_at })
    }

    /// Whether it has been ended. Like every credential it has a position, so that what ends everything, a restore among it,
    /// ends it too. Unlike others it outlives the horizon, so that the floor says nothing of it: whoever ended it is found in the
    /// index, and before that entry is forgotten the sweep has taken the token away ([`is_over`]).
    #[must_use]
    pub fn is_revoked(&self, app: &App) -> bool {
        let floor = app.live.look(|index, _| index.floor());
        let trace = Lineage::at(self.stamp.max(floor), self.created_at.0).trace(app.live.key());
        app.live.verdict(&trace) != Verdict::NotRevoked
    }
}

/// What is kept of a presented token, if it is good now.
///
/// # Errors
/// If the store cannot say.
pub async fn find(app: &App, presented: &str) -> Result<Option<Token>, StoreError> {
    if Kind::recognise(presented) != Ok(Kind::ScimToken) {
        return Ok(None);
    }
    let place = place(&Hash::of(presented).base64url());
    let stored = app.records.store.secrets().await?;
    let sealed = stored.iter().find(|(stored, _)| *stored == place).map(|(_, sealed)| sealed);
    let token = sealed.and_then(|sealed| Token::open(app, &place, sealed));
    Ok(token.filter(|token| token.expires_at > app.now() && !token.is_revoked(app)))
}

/// All that are kept, by id.
///
/// # Errors
/// If the store cannot say.
pub async fn list(app: &App) -> Result<Vec<Token>, StoreError> {
    let stored = app.records.store.secrets().await?;
    let mut tokens: Vec<_> = stored.iter().filter_map(|(place, sealed)| Token::open(app, place, sealed)).collect();
    tokens.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(tokens)
}

/// Takes one back; says whether there was one.
///
/// # Errors
/// If it cannot be done now.
pub async fn withdraw(app: &App, id: &str) -> Result<bool, LedgerError> {
    let place = place(id);
    if app.records.store.secrets().await?.iter().all(|(stored, _)| *stored != place) {
        return Ok(false);
    }
    app.submit(Lane::Ending, move |door| door.delete_secret(&place)).await?;
    Ok(true)
}

/// Whether a stored secret is one of these and will never be good again.
#[must_use]
pub fn is_over(app: &App, place: &str, sealed: &Sealed) -> bool {
    let over = |token: Token| token.expires_at <= app.now() || token.is_revoked(app);
    place.starts_with(PREFIX) && Token::open(app, place, sealed).is_none_or(over)
}

fn place(id: &str) -> String {
    format!("{PREFIX}{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provisioning_system_has_a_short_plain_name() {
        for name in ["entra", "okta-2.prod", "A_b"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "ä", "a\n", "x".repeat(LONGEST_NAME + 1).as_str()] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
