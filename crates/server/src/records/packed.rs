//! An access token packed for memory, where a million of them should fit: what many tokens say alike is kept once, and the
//! rest of each is one run of bytes.

use std::sync::Arc;

use rescind_ledger::{AccessToken, Position, SessionValidation, StoreError, Timestamp, TokenView};

/// What the tokens of one client have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    client: String,
    scope: String,
    audiences: Vec<String>,
}

/// An access token as it is remembered. Clones share their bytes.
#[derive(Clone)]
pub struct KnownToken {
    shape: Arc<Shape>,
    /// Flags; the position, the times and the texts, as [`Packer`] writes them.
    bytes: Arc<[u8]>,
}

const HAS_AUTH_TIME: u64 = 1;
const BEARS_SHAPE: u64 = 2;
/// Above the flags stand the four bits of the session validation.
const FLAGS: u32 = 2;

/// What the counts and the allocator's own words add to an allocation.
pub(super) const ALLOCATED: usize = 32;
/// A place in the cache: the key, the value and its share of the tables.
const PLACE: usize = size_of::<[u8; 32]>() + size_of::<KnownToken>() + 32;

impl Shape {
    /// What of a token is not its own.
    pub(super) fn of(token: &AccessToken) -> Self {
        Self { client: token.client.clone(), scope: token.scope.clone(), audiences: token.audiences.clone() }
    }

    fn weight(&self) -> usize {
        let texts = self.audiences.iter().chain([&self.client, &self.scope]);
        size_of::<Self>() + texts.map(|text| size_of::<String>() + text.len() + ALLOCATED).sum::<usize>()
    }
}

impl KnownToken {
    /// Packs a token. The first one of a shape `bears` the weight of it.
    pub(super) fn pack(token: &AccessToken, shape: Arc<Shape>, bears: bool) -> Self {
        let mut packer = Packer(Vec::with_capacity(256));
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        packer.number(
            u64::from(token.session_validation.bits()) << FLAGS
                | flag(token.auth_time.is_some(), HAS_AUTH_TIME)
                | flag(bears, BEARS_SHAPE),
        );
        packer.number(token.position.epoch.into());
        packer.number(token.position.seq);
        let issued = token.issued_at.0;
        packer.number(issued.cast_unsigned());
        // As distances they are shorter. Wrapping loses nothing, whatever the times are.
        packer.number(token.expires_at.0.wrapping_sub(issued).cast_unsigned());
        packer.number(token.auth_time.map_or(0, |at| issued.wrapping_sub(at.0)).cast_unsigned());
        let own = [&token.user, &token.session, &token.device, &token.key, &token.certificate];
        for text in [Some(&token.id), Some(&token.grant)].into_iter().chain(own.map(Option::as_ref)) {
            packer.text(text.map(String::as_str));
        }
        Self { shape, bytes: packer.0.into() }
    }

    /// What the token says.
    ///
    /// # Errors
    /// None for what was packed here; other bytes would be [`StoreError::Corrupt`].
    pub fn view(&self) -> Result<TokenView<'_>, StoreError> {
        self.read().ok_or_else(|| StoreError::Corrupt {
            table: "access_tokens",
            why: "a remembered token cannot be read".to_owned(),
        })
    }

    fn read(&self) -> Option<TokenView<'_>> {
        let mut reader = Reader(&self.bytes);
        let flags = reader.number()?;
        let position = Position { epoch: u32::try_from(reader.number()?).ok()?, seq: reader.number()? };
        let issued = reader.number()?.cast_signed();
        let expires = issued.wrapping_add(reader.number()?.cast_signed());
        let authenticated = issued.wrapping_sub(reader.number()?.cast_signed());
        Some(TokenView {
            id: reader.text()??,
            grant: reader.text()??,
            user: reader.text()?,
            session: reader.text()?,
            device: reader.text()?,
            key: reader.text()?,
            certificate: reader.text()?,
            client: &self.shape.client,
            scope: &self.shape.scope,
            audiences: &self.shape.audiences,
            session_validation: SessionValidation::from_bits(u8::try_from(flags >> FLAGS).ok()?),
            position,
            auth_time: (flags & HAS_AUTH_TIME != 0).then_some(Timestamp(authenticated)),
            issued_at: Timestamp(issued),
            expires_at: Timestamp(expires),
        })
    }

    /// Bytes it holds with its place in the cache, about.
    pub(super) fn weight(&self) -> usize {
        let bears = self.bytes.first().is_some_and(|flags| u64::from(*flags) & BEARS_SHAPE != 0);
        PLACE + ALLOCATED + self.bytes.len() + if bears { self.shape.weight() } else { 0 }
    }
}

/// Writes numbers in groups of seven bits, the least first, and texts after their length and one; none is a zero.
pub(super) struct Packer(pub(super) Vec<u8>);

impl Packer {
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    pub(super) fn text(&mut self, text: Option<&str>) {
        let Some(text) = text else { return self.number(0) };
        self.number(text.len() as u64 + 1);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Reads what a [`Packer`] wrote.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The outer `None` is bytes that nobody packed.
    pub(super) fn text(&mut self) -> Option<Option<&'a str>> {
        let Some(length) = self.number()?.checked_sub(1) else { return Some(None) };
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(std::str::from_utf8(text).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use rescind_ledger::Hash;

    use super::*;

    fn token() -> AccessToken {
        AccessToken {
            hash: Hash([7; 32]),
            id: "at_1".to_owned(),
            grant: "gr_1".to_owned(),
            client: "shop".to_owned(),
            user: Some("usr_1".to_owned()),
            session: Some("ses_1".to_owned()),
            session_validation: SessionValidation::ALL,
            device: Some("dev_\u{e9}".to_owned()),
            scope: "read write".to_owned(),
            audiences: vec!["https://a.example".to_owned(), "https://b.example".to_owned()],
            key: Some("k".repeat(200)),
            certificate: Some("c".repeat(43)),
            position: Position { epoch: 3, seq: 1 << 40 },
            auth_time: Some(Timestamp(1_900_000_000_123)),
            issued_at: Timestamp(1_900_000_100_456),
            expires_at: Timestamp(1_900_000_400_789),
        }
    }

    fn packed(token: &AccessToken, bears: bool) -> KnownToken {
        KnownToken::pack(token, Arc::new(Shape::of(token)), bears)
    }

    #[test]
    fn a_packed_token_says_all_that_its_record_says() {
        let full = token();
        let bare = AccessToken {
            user: None,
            session: None,
            session_validation: SessionValidation::NONE,
            device: Some(String::new()),
            audiences: Vec::new(),
            key: None,
            certificate: None,
            auth_time: None,
            ..token()
        };
        let odd = AccessToken {
            auth_time: Some(Timestamp(i64::MAX)),
            issued_at: Timestamp(i64::MIN),
            expires_at: Timestamp(-1),
            position: Position { epoch: u32::MAX, seq: u64::MAX },
            ..token()
        };
        for token in [full, bare, odd] {
            for bears in [false, true] {
                assert_eq!(packed(&token, bears).view().unwrap(), TokenView::from(&token));
            }
        }
    }

    #[test]
    fn bytes_that_were_cut_off_or_never_packed_are_an_error_and_no_panic() {
        let whole = packed(&token(), false);
        for length in 0..whole.bytes.len() {
            let cut = KnownToken { bytes: whole.bytes[..length].into(), ..whole.clone() };
            assert!(cut.view().is_err(), "{length}");
        }
        assert!(KnownToken { bytes: [0xff; 300].into(), ..whole }.view().is_err());
    }

    #[test]
    fn an_ordinary_token_is_light_and_the_first_of_a_shape_bears_it() {
        let ordinary = AccessToken { session: None, device: None, key: None, certificate: None, ..token() };
        let light = packed(&ordinary, false).weight();
        assert!(light < 240, "{light}");
        assert!(packed(&ordinary, true).weight() > light + 100);
    }
}
