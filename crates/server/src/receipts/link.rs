//! One-purpose links: whoever holds one sees one receipt, for some days, and can do nothing else. Whoever ended everything, their
//! own sign-in with it, so still sees what came of it.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rescind_ledger::{Position, Timestamp};
use sha2::Sha256;

use crate::app::App;

/// Where receipts are, below the issuer.
pub const PATH: &str = "/receipts";
/// How long a link opens its receipt.
const LIFE: Duration = Duration::from_hours(7 * 24);
/// The epoch, the number, and the second at which the link ends.
const CLAIMED: usize = 4 + 8 + 8;
/// As much of the code's HMAC as it carries: 128 bits.
const TAG: usize = 16;

/// The address of the receipt at a position, for the next days.
#[must_use]
pub fn address(app: &App, position: Position) -> String {
    let code = code(&app.keys.receipt[..], position, app.now().plus(LIFE));
    format!("{}{PATH}/{code}", app.config.issuer)
}

/// What a link opens now.
#[must_use]
pub fn find(app: &App, code: &str) -> Option<Position> {
    read(&app.keys.receipt[..], code, app.now())
}

fn code(key: &[u8], position: Position, expires_at: Timestamp) -> String {
    let mut bytes = Vec::with_capacity(CLAIMED + TAG);
    bytes.extend(position.epoch.to_be_bytes());
    bytes.extend(position.seq.to_be_bytes());
    bytes.extend(expires_at.secs().to_be_bytes());
    let tag = mac(key, &bytes).finalize().into_bytes();
    bytes.extend(tag.iter().take(TAG));
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read(key: &[u8], code: &str, now: Timestamp) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(code).ok()?;
    let (claimed, tag) = bytes.split_at_checked(CLAIMED).filter(|(_, tag)| tag.len() == TAG)?;
    mac(key, claimed).verify_truncated_left(tag).ok()?;
    let (epoch, rest) = claimed.split_first_chunk::<4>()?;
    let (seq, expires_at) = rest.split_first_chunk::<8>()?;
    let expires_at = i64::from_be_bytes(expires_at.try_into().ok()?);
    let position = Position { epoch: u32::from_be_bytes(*epoch), seq: u64::from_be_bytes(*seq) };
    (now.secs() < expires_at).then_some(position)
}

fn mac(key: &[u8], bytes: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "an HMAC takes a key of any length")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length");
    mac.update(bytes);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const AT: Position = Position { epoch: 3, seq: 42 };

    #[test]
    fn a_link_opens_its_receipt_until_its_time_is_over() {
        let until = Timestamp::from_secs(1000);
        let code = code(&KEY, AT, until);
        assert_eq!(read(&KEY, &code, Timestamp::from_secs(999)), Some(AT));
        assert_eq!(read(&KEY, &code, until), None);
        assert_eq!(read(&[8; 32], &code, Timestamp(0)), None, "of another server");
    }

    #[test]
    fn no_single_altered_character_opens_anything() {
        let code = code(&KEY, AT, Timestamp::MAX);
        for place in 0..code.len() {
            for other in "AZaz09-_.=/ ".chars() {
                let mut altered = code.clone();
                altered.replace_range(place..=place, other.encode_utf8(&mut [0; 4]));
                assert!(altered == code || read(&KEY, &altered, Timestamp(0)).is_none(), "{altered}");
            }
            assert_eq!(read(&KEY, &code[..place], Timestamp(0)), None);
        }
        assert_eq!(read(&KEY, &format!("{code}A"), Timestamp(0)), None);
    }
}
