//! A reference in one piece. Tens of thousands are read for one list, and to take a piece apart costs a fifth of what as
//! many columns do.

use rescind_ledger::{Position, StatusNames, StatusReference, Timestamp};

/// Bytes before the texts: epoch, number, root time, moment of issue, each with its low byte first.
const FIXED: usize = 4 + 8 + 8 + 8;

/// Packs everything but the slot and the expiry; `audiences` as JSON. `None` if a name is too long to be one.
pub(super) fn pack(reference: &StatusReference, audiences: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(&reference.position.epoch.to_le_bytes());
    bytes.extend_from_slice(&reference.position.seq.to_le_bytes());
    bytes.extend_from_slice(&reference.root_time.0.to_le_bytes());
    bytes.extend_from_slice(&reference.issued_at.0.to_le_bytes());
    for text in [
        Some(reference.token.as_str()),
        Some(&reference.grant),
        reference.session.as_deref(),
        reference.user.as_deref(),
        reference.device.as_deref(),
        Some(&reference.client),
        Some(audiences),
        reference.key.as_deref(),
    ] {
        // Zero is for none.
        let length = text.map_or(0, |text| text.len() + 1);
        bytes.extend_from_slice(&u16::try_from(length).ok()?.to_le_bytes());
        bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
    }
    Some(bytes)
}

/// A packed reference of which the names were read.
pub(super) struct Unpacked<'a> {
    pub(super) names: StatusNames<'a>,
    fixed: &'a [u8; FIXED],
    rest: Texts<'a>,
}

/// What stands behind the names.
pub(super) struct Rest<'a> {
    pub(super) client: &'a str,
    pub(super) audiences: &'a str,
    pub(super) key: Option<&'a str>,
    pub(super) position: Position,
    pub(super) root_time: Timestamp,
    pub(super) issued_at: Timestamp,
}

impl<'a> Unpacked<'a> {
    /// Reads the names; `None` if the bytes are not what [`pack`] made.
    pub(super) fn read(index: u32, bytes: &'a [u8]) -> Option<Self> {
        let (fixed, texts) = bytes.split_first_chunk()?;
        let mut rest = Texts(texts);
        let names = StatusNames {
            index,
            token: rest.next()??,
            grant: rest.next()??,
            session: rest.next()?,
            user: rest.next()?,
            device: rest.next()?,
        };
        Some(Self { names, fixed, rest })
    }

    pub(super) fn rest(mut self) -> Option<Rest<'a>> {
        let (epoch, fixed) = self.fixed.split_first_chunk()?;
        let (seq, fixed) = fixed.split_first_chunk()?;
        let (root_time, fixed) = fixed.split_first_chunk()?;
        Some(Rest {
            client: self.rest.next()??,
            audiences: self.rest.next()??,
            key: self.rest.next()?,
            position: Position { epoch: u32::from_le_bytes(*epoch), seq: u64::from_le_bytes(*seq) },
            root_time: Timestamp(i64::from_le_bytes(*root_time)),
            issued_at: Timestamp(i64::from_le_bytes(*fixed.first_chunk()?)),
        })
    }
}

/// Texts one after the other, each behind its length.
struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    fn next(&mut self) -> Option<Option<&'a str>> {
        let (length, rest) = self.0.split_first_chunk()?;
        let Some(length) = usize::from(u16::from_le_bytes(*length)).checked_sub(1) else {
            self.0 = rest;
            return Some(None);
        };
        let (text, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_ledger::StatusSlot;

    fn reference(name: &str) -> StatusReference {
        StatusReference {
            slot: StatusSlot { list: "l".to_owned(), index: 3 },
            token: name.to_owned(),
            grant: String::new(),
            session: Some(String::new()),
            user: None,
            device: Some("ü".to_owned()),
            client: "c".to_owned(),
            audiences: Vec::new(),
            key: None,
            position: Position { epoch: u32::MAX, seq: 7 },
            root_time: Timestamp(i64::MIN),
            issued_at: Timestamp(-1),
            expires_at: Timestamp(0),
        }
    }

    #[test]
    fn nothing_and_an_empty_text_are_kept_apart() {
        let bytes = pack(&reference("t"), "[]").unwrap();
        let unpacked = Unpacked::read(3, &bytes).unwrap();
        assert_eq!(unpacked.names, reference("t").view().names);
        let rest = unpacked.rest().unwrap();
        assert_eq!((rest.client, rest.audiences, rest.key), ("c", "[]", None));
        assert_eq!((rest.position, rest.issued_at), (reference("t").position, Timestamp(-1)));
        assert_eq!(rest.root_time, Timestamp(i64::MIN));
    }

    #[test]
    fn what_was_cut_off_or_is_too_long_is_not_read_as_something_else() {
        let bytes = pack(&reference("t"), "[]").unwrap();
        for length in 0..bytes.len() {
            assert!(Unpacked::read(3, &bytes[..length]).and_then(Unpacked::rest).is_none(), "{length}");
        }
        assert!(pack(&reference(&"t".repeat(65_534)), "[]").is_some());
        assert!(pack(&reference(&"t".repeat(65_535)), "[]").is_none());
    }
}
