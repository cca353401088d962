//! What people name when they order an ending, resolved to what the ledger names. Nothing unknown can be named: a
//! misspelt order must not seem to have worked.

use std::sync::Arc;

use rescind_ledger::{Client, Device, Filter, Hash, Kind, Reads, Target, User};
use serde::{Deserialize, Deserializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{call::Query, keys, problem::Problem};
use crate::{
    app::App,
    external_id::ExternalId,
    openapi::shape::{Shape, any_of, name, object, one_of, text},
};

/// A target as people write it. `kind` says which of the other members must be there, and no other may: so a member that
/// got lost on the way cannot turn one user's access to one application into everybody's.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) kind: String,
    /// A token's `jti`, or its text.
    #[serde(default, deserialize_with = "given")]
    pub(super) token: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) grant: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) session: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) key: Option<String>,
    /// An id, or an external id as `kind:value`.
    #[serde(default, deserialize_with = "given")]
    pub(super) device: Option<String>,
    /// An id or a user name.
    #[serde(default, deserialize_with = "given")]
    pub(super) user: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) client: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub(super) api: Option<String>,
}

/// A member that came out as `null` is a mistake: it must not pass for one that was never meant to be there.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

impl ToSchema for Named {
    fn name() -> std::borrow::Cow<'static, str> {
        "NamedTarget".into()
    }
}

impl PartialSchema for Named {
    fn schema() -> RefOr<Schema> {
        let kinds = KINDS.map(|(kind, takes)| {
            let members = object().with("kind", one_of(&[kind]));
            takes.iter().fold(members, |members, member| members.with(member, name())).closed()
        });
        any_of(kinds).into()
    }
}

/// A target as the ledger names it.
pub(super) fn shown() -> Shape {
    let members = ["token", "grant", "session", "key", "device", "issuer", "subject", "client", "audience"];
    let target = object().with("kind", text());
    members.into_iter().fold(target, |target, member| target.may(member, text())).named("Target")
}

/// Every kind with the members it takes.
pub(super) const KINDS: [(&str, &[&str]); 13] = [
    ("token", &["token"]),
    ("grant", &["grant"]),
    ("session", &["session"]),
    ("key", &["key"]),
    ("device", &["device"]),
    ("user", &["user"]),
    ("client", &["client"]),
    ("api", &["api"]),
    ("everything", &[]),
    ("user_client", &["user", "client"]),
    ("user_api", &["user", "api"]),
    ("client_api", &["client", "api"]),
    ("device_client", &["device", "client"]),
];

/// The parameters by which a target is named in a query.
pub(super) const PARAMETERS: [&str; 9] =
    ["kind", "token", "grant", "session", "key", "device", "user", "client", "api"];

impl Named {
    /// Reads the query's form. The text of a token does not belong in a URL, which ends up in logs.
    pub(super) fn of(query: Query<'_>) -> Result<Self, Problem> {
        let own = |name: &str| query.find(name).map(str::to_owned);
        let named = Self {
            kind: query.load("kind")?.to_owned(),
            token: own("token"),
            grant: own("grant"),
            session: own("session"),
            key: own("key"),
            device: own("device"),
            user: own("user"),
            client: own("client"),
            api: own("api"),
        };
        if named.token.as_deref().is_some_and(is_token_text) {
            return Err(Problem::invalid("name the token by its id (`jti`) here; POST /explain finds it"));
        }
        Ok(named)
    }

    fn members(&self) -> [(&'static str, Option<&String>); 8] {
        [
            ("token", self.token.as_ref()),
            ("grant", self.grant.as_ref()),
            ("session", self.session.as_ref()),
            ("key", self.key.as_ref()),
            ("device", self.device.as_ref()),
            ("user", self.user.as_ref()),
            ("client", self.client.as_ref()),
            ("api", self.api.as_ref()),
        ]
    }

    /// Whether exactly the members are there that the kind takes.
    fn check(&self) -> Result<(), Problem> {
        let Some((_, takes)) = KINDS.iter().find(|(kind, _)| *kind == self.kind) else {
            let known = KINDS.map(|(kind, _)| kind).join(", ");
            return Err(Problem::invalid(format!("unknown kind of target; one of: {known}")));
        };
        for (name, value) in self.members() {
            match (takes.contains(&name), value) {
                (true, None) => {
                    return Err(Problem::invalid(format!("a target of kind `{}` needs `{name}`", self.kind)));
                }
                (false, Some(_)) => {
                    return Err(Problem::invalid(format!("a target of kind `{}` takes no `{name}`", self.kind)));
                }
                (true, Some(value)) if value.is_empty() => {
                    return Err(Problem::invalid(format!("`{name}` is empty")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Finds what is named.
    pub(super) async fn resolve(&self, app: &App) -> Result<Target, Problem> {
        self.check()?;
        let device = match &self.device {
            Some(device) => Some(load_device(app, device).await?.id),
            None => None,
        };
        let user = match &self.user {
            Some(user) => Some(load_user(app, user).await?.id),
            None => None,
        };
        let client = self.client.as_deref().map(|id| load_client(app, id).map(|client| client.id.clone()));
        let audience = self.api.as_deref().map(|audience| load_audience(app, audience));
        let issuer = app.config.issuer.clone();
        Ok(match (device, user, client.transpose()?, audience.transpose()?) {
            (Some(device), _, Some(client), _) => Target::DeviceClient { device, client },
            (Some(device), _, None, _) => Target::Device { device },
            (None, Some(subject), Some(client), _) => Target::SubjectClient { issuer, subject, client },
            (None, Some(subject), None, Some(audience)) => Target::SubjectAudience { issuer, subject, audience },
            (None, Some(subject), None, None) => Target::Subject { issuer, subject },
            (None, None, Some(client), Some(audience)) => Target::ClientAudience { client, audience },
            (None, None, Some(client), None) => Target::Client { client },
            (None, None, None, Some(audience)) => Target::Audience { audience },
            (None, None, None, None) => self.resolve_issued(app).await?,
        })
    }

    /// What was issued once and is never reused, or everything.
    async fn resolve_issued(&self, app: &App) -> Result<Target, Problem> {
        let store = &app.records.store;
        if let Some(token) = &self.token {
            return find_token(app, token).await?.ok_or_else(|| unknown_token(token));
        }
        if let Some(grant) = &self.grant {
            store.find_grant(grant).await?.ok_or_else(|| Problem::unknown("grant", grant))?;
            return Ok(Target::Grant { grant: grant.clone() });
        }
        if let Some(session) = &self.session {
            store.find_session(session).await?.ok_or_else(|| Problem::unknown("session", session))?;
            return Ok(Target::Session { session: session.clone() });
        }
        if let Some(key) = &self.key {
            let known = app.live.position_of(&Target::Key { key: key.clone() }).is_some();
            if !known && keys::find_stored(app, key).await?.is_none() {
                return Err(Problem::unknown("key", key));
            }
            return Ok(Target::Key { key: key.clone() });
        }
        Ok(Target::Everything)
    }
}

/// Whether a text is a credential rather than an id: one of our opaque ones, or a JWT.
fn is_token_text(text: &str) -> bool {
    Kind::recognise(text).is_ok() || text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The text of a token is never repeated in an answer.
fn unknown_token(token: &str) -> Problem {
    if is_token_text(token) { Problem::unknown("token", "with this text") } else { Problem::unknown("token", token) }
}

/// An access token is one token; a refresh token or a code stands for its grant.
async fn find_token(app: &App, token: &str) -> Result<Option<Target>, Problem> {
    let store = &app.records.store;
    if !is_token_text(token) {
        let found = store.find_access_token_by_id(token).await?;
        return Ok(found.map(|found| Target::Token { token: found.id }));
    }
    let hash = Hash::of(token);
    if let Some(known) = app.records.find_access_token(&hash).await? {
        return Ok(Some(Target::Token { token: known.view()?.id.to_owned() }));
    }
    if let Some((_, grant)) = store.find_refresh_token(&hash).await? {
        return Ok(Some(Target::Grant { grant: grant.id }));
    }
    Ok(store.find_code(&hash).await?.map(|code| Target::Grant { grant: code.grant.id }))
}

/// A user by id, or else by user name.
pub(super) async fn load_user(app: &App, name: &str) -> Result<User, Problem> {
    if let Some(user) = app.records.store.find_user(name).await? {
        return Ok(user);
    }
    app.records.store.find_user_by_name(name).await?.ok_or_else(|| Problem::unknown("user", name))
}

pub(super) fn load_client(app: &App, id: &str) -> Result<Arc<Client>, Problem> {
    app.live.client(id).ok_or_else(|| Problem::unknown("client", id))
}

/// A device by id, or by an external id, written `kind:value`. No id has a colon.
pub(super) async fn load_device(app: &App, name: &str) -> Result<Device, Problem> {
    let store = &app.records.store;
    let found = match name.split_once(':') {
        Some((kind, value)) => {
            let id = ExternalId::named(kind, value).map_err(|why| Problem::invalid(why.to_string()))?;
            store.find_device_by_external_id(id.kind(), id.value()).await?
        }
        None => store.find_device(name).await?,
    };
    found.ok_or_else(|| Problem::unknown("device", name))
}

/// A registered API, or the issuer itself: it is the audience of tokens that are for its own endpoints.
fn load_audience(app: &App, audience: &str) -> Result<String, Problem> {
    if audience == app.config.issuer || app.live.api(audience).is_some() {
        return Ok(audience.to_owned());
    }
    Err(Problem::unknown("api", audience))
}

/// The records that a target could reach.
pub(super) fn reach(target: &Target) -> Filter {
    Filter::reached_by(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> bool {
        serde_json::from_str::<Named>(text).is_ok_and(|named| named.check().is_ok())
    }

    #[test]
    fn every_kind_takes_exactly_its_members() {
        for (kind, takes) in KINDS {
            let members: Vec<String> = takes.iter().map(|name| format!(r#","{name}":"x""#)).collect();
            assert!(check(&format!(r#"{{"kind":"{kind}"{}}}"#, members.concat())), "{kind}");
            for (place, _) in takes.iter().enumerate() {
                let mut fewer = members.clone();
                fewer.remove(place);
                assert!(!check(&format!(r#"{{"kind":"{kind}"{}}}"#, fewer.concat())), "{kind} without one");
            }
            for extra in PARAMETERS.iter().skip(1).filter(|name| !takes.contains(name)) {
                let more = format!(r#"{{"kind":"{kind}"{},"{extra}":"x"}}"#, members.concat());
                assert!(!check(&more), "{kind} with {extra}");
            }
        }
    }

    #[test]
    fn a_member_that_got_lost_never_widens_an_order() {
        assert!(!check(r#"{"kind":"user_client","user":null,"client":"c"}"#));
        assert!(
            !check(r#"{"kind":"user","user":"u","client":null}"#) && !check(r#"{"kind":"everything","user":null}"#)
        );
        assert!(!check(r#"{"kind":"user","user":""}"#));
        assert!(!check(r#"{"kind":"user","user":"u","application":"c"}"#));
        assert!(!check(r#"{"client":"c"}"#));
        assert!(!check(r#"{"kind":"planet"}"#));
    }

    #[test]
    fn token_text_is_told_from_a_token_id() {
        assert!(is_token_text(rescind_ledger::Secret::form(Kind::AccessToken, &[1; 32]).reveal()));
        assert!(is_token_text("eyJh.eyJi.c2ln"));
        assert!(!is_token_text("AAAAAAAAAAAAAAAAAAAAAA"));
    }
}
