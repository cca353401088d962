//! What a listing may be narrowed to, and in which order it goes.

use crate::Timestamp;

/// Which records a listing is about. Every `Some` narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub user: Option<String>,
    pub client: Option<String>,
    pub audience: Option<String>,
    pub session: Option<String>,
    pub grant: Option<String>,
    pub device: Option<String>,
    pub token: Option<String>,
    /// Only what has not expired at this moment.
    pub live_at: Option<Timestamp>,
    /// The order: the newest come first unless this is set.
    pub oldest_first: bool,
}

/// By what people and devices are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameSort {
    /// User name, or name of a device, in lower case.
    #[default]
    Name,
    CreatedAt,
}

/// Which users or devices a listing is about. Every `Some` narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameFilter {
    /// How one of the names begins, in letters of either case.
    pub search: Option<String>,
    pub enabled: Option<bool>,
    pub sort: NameSort,
    pub descending: bool,
}

/// A stretch of a listing.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Ask again with this to go on; absent at the end.
    pub next: Option<String>,
}

/// How much there is, by what is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub users: u64,
    /// That are not noted as ended and whose time has not run out.
    pub sessions: u64,
    /// That have not expired.
    pub access_tokens: u64,
}

/// What was issued under a grant, as far as it is still remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuance {
    pub first: Timestamp,
    /// The last token of either kind.
    pub last: Timestamp,
    /// Whether it has a refresh token.
    pub refresh: bool,
}
