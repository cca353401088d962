//! What a script sees of a revocation: names and facts, never a token or a secret.

use std::{fmt, net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use rescind_ledger::Target;
use rhai::{Dynamic, Engine, EvalAltResult};

use crate::origin;

/// The endpoint that was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    GlobalTokenRevocation,
    Revoke,
    RevokeSession,
}

impl Endpoint {
    /// Its name for scripts and in the audit trail.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GlobalTokenRevocation => "global_token_revocation",
            Self::Revoke => "revoke",
            Self::RevokeSession => "revoke_session",
        }
    }
}

/// One revocation that is about to be written, or a request that found nothing to revoke.
#[derive(Clone, Debug)]
pub struct Event {
    pub endpoint: Endpoint,
    /// The client that asks, already authenticated if it can be.
    pub client: String,
    pub client_is_public: bool,
    /// What would end. Nothing for a token or user that is unknown, or that the client may not hear about.
    pub target: Option<Target>,
    /// Of the target, which is a user then, only the sessions end.
    pub only_sessions: bool,
    /// The request's `token_type_hint`, if it is one that means something somewhere, else `other`.
    pub hint: Option<&'static str>,
    /// The grant of the token.
    pub grant: Option<String>,
    /// The user whom it is about.
    pub user: Option<String>,
    /// What the token is good for: scopes with spaces between them (RFC 6749 section 3.3).
    pub scope: String,
    /// Where the request comes from, as far as the proxies that are trusted say.
    pub address: Option<IpAddr>,
    pub headers: Headers,
}

impl Event {
    /// A request of a client that found nothing to revoke yet: the rest is filled in by whoever knows it.
    #[must_use]
    pub fn new(endpoint: Endpoint, client: &rescind_ledger::Client) -> Self {
        Self {
            endpoint,
            client: client.id.clone(),
            client_is_public: client.is_public(),
            target: None,
            only_sessions: false,
            hint: None,
            grant: None,
            user: None,
            scope: String::new(),
            address: None,
            headers: Headers::default(),
        }
    }

    /// The same as read from a request: its headers, and where it comes from.
    #[must_use]
    pub fn of(endpoint: Endpoint, client: &rescind_ledger::Client, headers: &HeaderMap) -> Self {
        let address = origin::here().ip;
        Self { address, headers: Headers::of(headers), ..Self::new(endpoint, client) }
    }

    /// The same with the request's `token_type_hint`.
    #[must_use]
    pub fn with_hint(self, hint: Option<&str>) -> Self {
        let shown = |hint: &str| HINTS.into_iter().find(|known| hint.eq_ignore_ascii_case(known)).unwrap_or("other");
        Self { hint: hint.map(shown), ..self }
    }

    /// The kind of the target, in the words of the command line.
    #[must_use]
    pub fn target_kind(&self) -> &'static str {
        match &self.target {
            None => "none",
            Some(_) if self.only_sessions => "session",
            Some(Target::Token { .. }) => "token",
            Some(Target::Grant { .. }) => "grant",
            Some(Target::Session { .. }) => "session",
            Some(Target::Key { .. }) => "key",
            Some(Target::Device { .. } | Target::DeviceClient { .. }) => "device",
            Some(Target::Subject { .. } | Target::SubjectClient { .. } | Target::SubjectAudience { .. }) => "user",
            Some(Target::Client { .. } | Target::ClientAudience { .. }) => "client",
            Some(Target::Audience { .. }) => "api",
            Some(Target::Everything) => "everything",
        }
    }
}

/// Hints that mean something somewhere. A script sees no other: somebody may have put the token into the wrong parameter.
pub(super) const HINTS: [&str; 6] = ["access_token", "all", "jti", "logout_status_jwt", "refresh_token", "tx_token"];

/// The longest value of a header that a script sees, in bytes; the rest is cut off.
const HEADER_LIMIT: usize = 512;

/// Those headers of a request that a script may see.
///
/// Each describes a request and none authorizes it. `Authorization`, `Cookie`, `Proxy-Authorization` and the certificate of a
/// proxy are credentials, and so may be whatever stands in a `Referer`. `X-Forwarded-For` can be written by anybody: what is
/// true in it is [`Event::address`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers([Option<String>; Self::NAMES.len()]);

impl Headers {
    /// Their names, in lower case.
    pub const NAMES: [&'static str; 5] =
        ["accept-language", "origin", "user-agent", "x-correlation-id", "x-revocation-reason"];

    /// Takes over what may be seen. A header that is given twice, or is not plain text, counts as absent.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        Self(Self::NAMES.map(|name| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().ok()?;
            values.next().is_none().then(|| value[..value.len().min(HEADER_LIMIT)].to_owned())
        }))
    }

    /// The value of one of them; an error if scripts may not see a header of that name.
    fn find(&self, name: &str) -> Result<Option<&str>, String> {
        let place = Self::NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)).ok_or_else(|| {
            format!("scripts may not see the header `{name}`; those they may: {}", Self::NAMES.join(", "))
        })?;
        Ok(self.0[place].as_deref())
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = Self::NAMES.iter().zip(&self.0).filter_map(|(name, value)| Some((name, value.as_ref()?)));
        f.debug_map().entries(given).finish()
    }
}

/// An event in the hands of a script. It has getters and nothing else, so it cannot be changed.
#[derive(Clone)]
pub(super) struct Seen(pub(super) Arc<Event>);

/// Lets scripts read events.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Seen>("Event")
        .register_get("endpoint", |seen: &mut Seen| seen.0.endpoint.name())
        .register_get("client", |seen: &mut Seen| seen.0.client.clone())
        .register_get("client_is_public", |seen: &mut Seen| seen.0.client_is_public)
        .register_get("target", |seen: &mut Seen| seen.0.target_kind())
        .register_get("hint", |seen: &mut Seen| text_or_unit(seen.0.hint))
        .register_get("known", |seen: &mut Seen| seen.0.target.is_some())
        .register_get("grant", |seen: &mut Seen| text_or_unit(seen.0.grant.as_deref()))
        .register_get("user", |seen: &mut Seen| text_or_unit(seen.0.user.as_deref()))
        .register_get("scope", |seen: &mut Seen| seen.0.scope.clone())
        .register_fn("has_scope", |seen: &mut Seen, scope: &str| seen.0.scope.split(' ').any(|one| one == scope))
        .register_get("address", |seen: &mut Seen| text_or_unit(seen.0.address.map(|ip| ip.to_string()).as_deref()))
        .register_fn("header", |seen: &mut Seen, name: &str| -> Result<Dynamic, Box<EvalAltResult>> {
            Ok(text_or_unit(seen.0.headers.find(name)?))
        });
}

fn text_or_unit(text: Option<&str>) -> Dynamic {
    text.map_or(Dynamic::UNIT, |text| text.to_owned().into())
}
