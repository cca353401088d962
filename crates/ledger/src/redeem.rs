//! Redeeming an authorization code (RFC 6749 section 4.1.3): once.

use crate::{Code, Door, Initiator, LedgerError, Minted, Order, Reason, Target, Use};

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    Issued,
    /// It was used before, so its grant has now ended (section 4.1.2).
    Replayed,
}

/// Uses the code and writes down what it brings forth.
///
/// Call it only after everything else about the request was found right: client, redirect URI, PKCE. A stranger with a
/// leaked code must not be able to end somebody else's grant.
///
/// # Errors
/// [`LedgerError::Revoked`] if something in the code's lineage was revoked.
pub fn redeem(door: &mut Door<'_>, code: &Code, minted: &Minted) -> Result<Redeemed, LedgerError> {
    if door.tx.use_code(&code.hash, door.now)? != Use::First {
        door.end(&Order::new(
            Target::Grant { grant: code.grant.id.clone() },
            Reason::ReuseDetected,
            Initiator::System("code replay".to_owned()),
        ))?;
        return Ok(Redeemed::Replayed);
    }
    door.tx.insert_grant(&minted.grant)?;
    door.insert_tokens(minted)?;
    if minted.refresh.is_some() {
        door.note_issued(&minted.grant)?;
        door.make_room_for_grant(&minted.grant)?;
    }
    Ok(Redeemed::Issued)
}
