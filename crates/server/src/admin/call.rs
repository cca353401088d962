//! One call of the admin API, read strictly: a misspelt member or parameter is an error, never a wider request.

use std::{pin::Pin, sync::Arc};

use axum::{
    body::Body,
    http::{StatusCode, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rescind_ledger::{Initiator, Kind, LedgerError};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::Problem;
use crate::{app::App, protocol::error::json_response};

/// What a route's handler gives.
pub(super) type Pending = Pin<Box<dyn Future<Output = Result<Response, Problem>> + Send>>;
/// A route's handler.
pub(super) type Handler = fn(Call) -> Pending;

/// An authorized request.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) initiator: Initiator,
    pub(super) idempotency_key: Option<String>,
    id: Option<String>,
    query: Vec<(String, String)>,
    body: Bytes,
    way: super::Way,
    parts: Parts,
}

/// The most that a page of a listing holds, and what it holds if nobody says.
const PAGE_LIMIT: u32 = 500;
const PAGE_DEFAULT: u32 = 100;

/// The most that the audit trail keeps of a path and query, in bytes.
const MOST_WORDS: usize = 1024;

impl Call {
    pub(super) async fn read(
        app: Arc<App>,
        initiator: Initiator,
        id: Option<String>,
        (way, parts): (super::Way, Parts),
        body: Body,
    ) -> Result<Self, Problem> {
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let idempotency_key = match parts.headers.get("idempotency-key") {
            Some(value) => {
                let text = value.to_str().map_err(|_| Problem::invalid("the Idempotency-Key is not plain text"))?;
                Some(text.trim().trim_matches('"').to_owned())
            }
            None => None,
        };
        let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes()));
        // Only those who may write come so far with something long.
        let most = app.config.limits.body_bytes.max(super::LOCAL_BODY_BYTES);
        let body = match Limited::new(body, most).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(why) if why.is::<LengthLimitError>() => return Err(Problem::too_large()),
            Err(_) => return Err(Problem::invalid("the request body broke off")),
        };
        if !body.is_empty() && !is_json {
            return Err(Problem::invalid("the request body must be application/json"));
        }
        Ok(Self { app, initiator, idempotency_key, id, query, body, way, parts })
    }

    /// Fails unless the caller may do more than the route asks of everybody.
    pub(super) async fn must_have(&self, access: super::Access) -> Result<(), Problem> {
        super::identify(&self.app, self.way, &self.parts).await?.may(access)
    }

    /// What stands in the path.
    pub(super) fn id(&self) -> Result<&str, Problem> {
        self.id.as_deref().ok_or_else(Problem::no_route)
    }

    /// The body.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|why| broken(&why))
    }

    /// The body of a call that may come without one.
    pub(super) fn body_if_any<T: DeserializeOwned + Default>(&self) -> Result<T, Problem> {
        if self.body.is_empty() { Ok(T::default()) } else { self.body() }
    }

    /// The query, in which only these parameters may stand.
    pub(super) fn query(&self, known: &[&str]) -> Result<Query<'_>, Problem> {
        for (place, (name, value)) in self.query.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(Problem::invalid(format!("unknown query parameter `{name}`; expected one of: {known}")));
            }
            // A filter that came out empty by mistake must not select everything.
            if value.is_empty() {
                return Err(Problem::invalid(format!("the query parameter `{name}` is empty")));
            }
            if self.query.iter().take(place).any(|(earlier, _)| earlier == name) {
                return Err(Problem::invalid(format!("the query parameter `{name}` is given twice")));
            }
        }
        Ok(Query { pairs: &self.query })
    }
}

/// What is asked, for the audit trail: the route with what stands in its path and query, which are names and never secrets.
pub(super) fn words(route: &super::Route, id: Option<&str>, query: &str) -> String {
    let path = route.path.replace("{id}", id.map_or("{id}", unless_credential));
    let mut words = format!("{} {}{path}", route.method.name(), super::BASE);
    for (place, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
        words.push(if place == 0 { '?' } else { '&' });
        words.push_str(unless_credential(&name));
        words.push('=');
        words.push_str(unless_credential(&value));
    }
    words.truncate(words.floor_char_boundary(MOST_WORDS));
    words
}

/// Somebody may have put a token where a name belongs.
fn unless_credential(text: &str) -> &str {
    let ours = Kind::ALL.into_iter().any(|kind| text.contains(kind.prefix()));
    if ours || text.contains("eyJ") { "(a credential)" } else { text }
}

fn is_json(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    media_type.eq_ignore_ascii_case(b"application/json")
        || media_type.eq_ignore_ascii_case(b"application/merge-patch+json")
}

/// The query of a call.
#[derive(Clone, Copy)]
pub(super) struct Query<'a> {
    pairs: &'a [(String, String)],
}

impl<'a> Query<'a> {
    pub(super) fn find(self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn load(self, name: &'static str) -> Result<&'a str, Problem> {
        self.find(name).ok_or_else(|| Problem::invalid(format!("the query parameter `{name}` is missing")))
    }

    /// How many items are asked for.
    pub(super) fn limit(self) -> Result<u32, Problem> {
        let Some(text) = self.find("limit") else { return Ok(PAGE_DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=PAGE_LIMIT).contains(limit));
        limit.ok_or_else(|| Problem::invalid(format!("`limit` is a number from 1 to {PAGE_LIMIT}")))
    }

    /// A parameter that is `true` or `false`.
    pub(super) fn flag(self, name: &'static str, default: bool) -> Result<bool, Problem> {
        match self.find(name) {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(Problem::invalid(format!("`{name}` is true or false"))),
        }
    }
}

/// An answer that succeeds.
pub(super) fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, body.to_string())
}

/// An answer that says something new is there.
pub(super) fn created(body: &Value) -> Response {
    json_response(StatusCode::CREATED, body.to_string())
}

/// An answer that says something is under way.
pub(super) fn accepted(body: &Value) -> Response {
    json_response(StatusCode::ACCEPTED, body.to_string())
}

/// A page of a listing that is held in memory, sorted by key: what follows the cursor.
pub(super) fn page_of<T>(
    sorted: impl Iterator<Item = T>,
    query: Query<'_>,
    key: impl Fn(&T) -> &str,
    show: impl Fn(&T) -> Value,
) -> Result<Value, Problem> {
    let limit = usize::try_from(query.limit()?).unwrap_or(usize::MAX);
    let after = query.find("cursor");
    let mut rest = sorted.filter(|item| after.is_none_or(|after| key(item) > after));
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let next = rest.next().and_then(|_| page.last().map(|last| key(last).to_owned()));
    Ok(serde_json::json!({ "items": page.iter().map(show).collect::<Vec<_>>(), "next": next }))
}

/// Fails unless what stands in the transaction is still what a change was made from: two changes that were made at the
/// same time would otherwise undo one another.
pub(super) fn unchanged<T: PartialEq>(present: Option<&T>, before: &T) -> Result<(), LedgerError> {
    if present == Some(before) { Ok(()) } else { Err(LedgerError::Refused(Problem::CHANGED_MEANWHILE)) }
}

/// What is wrong with a body, without the values in it: one of them may be a token or a password in the wrong place.
fn broken(why: &serde_json::Error) -> Problem {
    let text = why.to_string();
    let names_a_value = text.starts_with("invalid ") || text.starts_with("unknown variant");
    match text.rsplit_once(", expected ").filter(|_| names_a_value) {
        Some((_, expected)) => Problem::invalid(format!("the request body: expected {expected}")),
        None if names_a_value => Problem::invalid("the request body has a value that does not fit"),
        None => Problem::invalid(format!("the request body: {text}")),
    }
}

/// Lays a merge patch (RFC 7396) over what is there, and reads the outcome as strictly as a new body.
pub(super) fn patched<T: serde::Serialize + DeserializeOwned>(present: &T, patch: &Value) -> Result<T, Problem> {
    let mut value = serde_json::to_value(present).map_err(|why| broken(&why))?;
    if !patch.is_object() {
        return Err(Problem::invalid("the request body must be a JSON object"));
    }
    merge(&mut value, patch);
    serde_json::from_value(value).map_err(|why| broken(&why))
}

/// RFC 7396 section 2: objects are merged member by member, `null` removes one, and anything else replaces.
fn merge(value: &mut Value, patch: &Value) {
    let Some(changes) = patch.as_object() else {
        value.clone_from(patch);
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    let Some(members) = value.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.as_str()).or_insert(Value::Null), change);
        }
    }
}
