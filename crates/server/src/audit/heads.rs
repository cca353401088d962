//! Signed heads of the audit trail: at intervals the last record is signed, and the signature is kept in the store and in a file
//! outside of it. Whoever then shortens or rewrites the trail contradicts both, and what was signed elsewhere.

use std::{sync::Arc, time::Duration};

use rescind_jose::{JoseError, KeySet, Kind, unverified_kid};
use rescind_ledger::{AuditHead, Lane, LedgerError, Reads, SignedHead, SigningAlgorithm, StoreError, Timestamp};
use rescind_store::{find_audit_head, keep_audit_head};
use serde::{Deserialize, Serialize};

use super::lines::HeadLine;
use crate::app::App;

/// How long a record may be without a signature: as much of the trail's end could be cut off unnoticed by nobody but the ledger.
const SIGN_EVERY: Duration = Duration::from_secs(60);

/// What a head says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
    seq: u64,
    /// In base64url.
    hash: String,
}

/// Why the head was not signed.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// To sign it all the same would give the trail as it is now a witness, and take the place of the one against it.
    #[error(
        "the audit trail contradicts {witness} of record {seq}: run `rescind audit verify`, and keep the data directory as it is"
    )]
    Contradicted { witness: &'static str, seq: u64 },
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Signature(#[from] JoseError),
}

impl From<StoreError> for Unsigned {
    fn from(why: StoreError) -> Self {
        Self::Ledger(why.into())
    }
}

/// One at a time signs: an older head must not take the place of a newer one.
pub type Turn = tokio::sync::Mutex<()>;

/// Signs the head every minute in which there were records.
pub fn spawn(app: &Arc<App>) {
    let app = app.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SIGN_EVERY);
        loop {
            tick.tick().await;
            if let Err(why) = sign(&app).await {
                app.telemetry.audit_heads_unsigned.increment(1);
                tracing::error!(error = %why, "the head of the audit trail was not signed");
            }
        }
    });
}

/// Signs the last record, unless that is done already. Returns the newest signed head; none if there is no record yet.
///
/// # Errors
/// [`Unsigned`].
pub async fn sign(app: &App) -> Result<Option<SignedHead>, Unsigned> {
    let _turn = app.audit_heads.lock().await;
    let store = &app.records.store;
    let (floor, last) = store.audit_span().await?;
    let newest = store.newest_signed_head().await?;
    let kept = kept_head(app)?;
    if let Some(signed) = &newest {
        confirm(app, floor, last, signed.head, "the signed head").await?;
    }
    if let Some(signed) = &kept {
        confirm(app, floor, last, signed.head, "the head in the file `audit-head`").await?;
    }
    if last.seq == 0 {
        return Ok(None);
    }
    if let Some(signed) = newest.filter(|signed| signed.head == last && can_be_verified(app, signed)) {
        if kept.as_ref() != Some(&signed) {
            keep_in_file(app, &signed)?;
        }
        return Ok(Some(signed));
    }
    // In whole seconds, as the claim has it.
    let at = Timestamp::from_secs(app.now().secs());
    let claims = Claims { iss: app.config.issuer.clone(), iat: at.secs(), seq: last.seq, hash: last.hash.base64url() };
    let token = app.keys.ring().signing(SigningAlgorithm::ES256).sign(Kind::AuditHead, &claims)?;
    let signed = SignedHead { head: last, at, token };
    let row = signed.clone();
    app.submit(Lane::Issuing, move |door| door.keep_signed_head(&row)).await?;
    keep_in_file(app, &signed)?;
    Ok(Some(signed))
}

/// Fails unless a record that was vouched for is still there as it was. What was forgotten by rule can no longer be asked.
async fn confirm(
    app: &App,
    floor: AuditHead,
    last: AuditHead,
    vouched: AuditHead,
    witness: &'static str,
) -> Result<(), Unsigned> {
    let found = match vouched.seq {
        seq if seq < floor.seq => return Ok(()),
        seq if seq == floor.seq => Some(floor.hash),
        seq if seq == last.seq => Some(last.hash),
        seq => {
            let records = app.records.store.audit_after(seq - 1, 1).await?;
            records.first().filter(|record| record.seq == seq).map(|record| record.hash)
        }
    };
    match found {
        Some(hash) if hash == vouched.hash => Ok(()),
        _ => Err(Unsigned::Contradicted { witness, seq: vouched.seq }),
    }
}

/// A head whose key is no longer published is signed again: the newest has to be one that can be verified.
fn can_be_verified(app: &App, signed: &SignedHead) -> bool {
    let ring = app.keys.ring();
    unverified_kid(&signed.token).is_some_and(|kid| ring.published.kids().any(|known| known == kid))
}

/// Reads the head beside the database.
fn kept_head(app: &App) -> Result<Option<SignedHead>, Unsigned> {
    let Some(text) = find_audit_head(&app.data_dir)? else { return Ok(None) };
    let line: HeadLine = serde_json::from_str(&text).map_err(|_| Unsigned::Unreadable("the file `audit-head`"))?;
    line.read().map(Some).map_err(|_| Unsigned::Unreadable("the file `audit-head`"))
}

/// Syncs a small file; once a minute at most, so it may hold up the thread.
fn keep_in_file(app: &App, signed: &SignedHead) -> Result<(), Unsigned> {
    let line = serde_json::to_string(&HeadLine::of(signed)).map_err(|_| Unsigned::Unreadable("the signed head"))?;
    Ok(keep_audit_head(&app.data_dir, &(line + "\n"))?)
}

/// What a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    Good,
    /// Its key is none of these: it may be retired.
    KeyUnknown,
    /// It is forged, or says something else than what stands beside it.
    Bad,
}

/// Checks the signature of a head with these keys, and that it says what stands beside it. With an issuer, also that it is its.
#[must_use]
pub fn check_signature(keys: &KeySet, signed: &SignedHead, issuer: Option<&str>) -> Signature {
    match keys.verify::<Claims>(&signed.token, Kind::AuditHead) {
        Err(JoseError::UnknownKey) => Signature::KeyUnknown,
        Err(_) => Signature::Bad,
        Ok(verified) => {
            let claims = verified.claims;
            let agrees = claims.seq == signed.head.seq
                && claims.hash == signed.head.hash.base64url()
                && Timestamp::from_secs(claims.iat) == signed.at
                && issuer.is_none_or(|issuer| claims.iss == issuer);
            if agrees { Signature::Good } else { Signature::Bad }
        }
    }
}

#[cfg(test)]
mod tests;
