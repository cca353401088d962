//! Using a refresh token (RFC 6749 section 6), with or without rotation (OAuth 2.1 section 4.3).

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Door, Hash, Initiator, Kind, LedgerError, Minted, Order, Reason, RefreshToken, Secret, Target, Use};

/// The one successor a refresh token can have.
///
/// It is derived, not drawn: a repeated request gets the *same* successor, so that a lost response logs nobody out and
/// no second branch of the family can come to be, while only hashes are kept.
#[must_use]
pub fn successor(key: &[u8; 32], parent: &str) -> Secret {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length");
    mac.update(b"rescind refresh successor\0");
    mac.update(parent.as_bytes());
    Secret::form(Kind::RefreshToken, &mac.finalize().into_bytes().into())
}

/// A refresh token as a client presents it.
#[derive(Clone, Debug)]
pub struct Presented {
    pub token: RefreshToken,
    /// The hash of its successor, if the client's policy is to rotate.
    pub successor: Option<Hash>,
    /// How long after its use the same successor is still given.
    pub grace: Duration,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It stays as it is.
    Kept,
    /// It was used, and its successor written down.
    Rotated,
    /// It had been used a moment ago and its successor has not: the same one again.
    Repeated,
    /// It had been used: its grant has now ended.
    Replayed,
}

/// Uses the refresh token and writes down the new access token; `minted.refresh` is the successor's record.
///
/// Call it only for the right client: nobody else may end the grant by presenting an old token.
///
/// # Errors
/// [`LedgerError::Revoked`] if something in the lineage was revoked.
pub fn refresh(door: &mut Door<'_>, presented: &Presented, minted: &Minted) -> Result<Refreshed, LedgerError> {
    let Some(successor) = presented.successor else {
        return keep(door, presented, minted);
    };
    match door.tx.use_refresh_token(&presented.token.hash, door.now)? {
        Use::First => {
            door.insert_tokens(minted)?;
            door.note_issued(&minted.grant)?;
            Ok(Refreshed::Rotated)
        }
        Use::Before { at } => {
            let in_time = !presented.grace.is_zero() && door.now.since(at) <= presented.grace;
            if in_time && !door.tx.refresh_token_used(&successor)? {
                door.insert_tokens(&Minted { refresh: None, ..minted.clone() })?;
                door.note_issued(&minted.grant)?;
                return Ok(Refreshed::Repeated);
            }
            end_family(door, presented)
        }
    }
}

/// Without rotation: but a token that was rotated once, under an earlier policy, stays used.
fn keep(door: &mut Door<'_>, presented: &Presented, minted: &Minted) -> Result<Refreshed, LedgerError> {
    if door.tx.refresh_token_used(&presented.token.hash)? {
        return end_family(door, presented);
    }
    door.insert_tokens(&Minted { refresh: None, ..minted.clone() })?;
    door.note_issued(&minted.grant)?;
    Ok(Refreshed::Kept)
}

fn end_family(door: &mut Door<'_>, presented: &Presented) -> Result<Refreshed, LedgerError> {
    door.end(&Order::new(
        Target::Grant { grant: presented.token.grant.clone() },
        Reason::ReuseDetected,
        Initiator::System("refresh token replay".to_owned()),
    ))?;
    Ok(Refreshed::Replayed)
}
