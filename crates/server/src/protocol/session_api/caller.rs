//! A call as it was received, and who may make it: the header against forged calls, then client authentication by the
//! client's own method, then its permission.

use std::{borrow::Cow, sync::Arc};

use axum::{
    extract::{FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, Method, header, request::Parts},
};
use rescind_ledger::Client;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;

use super::{Place, answer::Refusal};
use crate::{
    app::App,
    protocol::{
        client_auth::{self, authenticate},
        form::{Form, read_body},
    },
    runtime_log::LoggedCaller,
};

/// What the methods of client authentication send beside headers and certificates.
const CREDENTIALS: [&str; 4] = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// A call, read as far as can be without knowing whose it is. What is wrong with a part of it is kept in its place: it
/// matters only if the checks before it are passed.
pub(super) struct Received {
    parts: Parts,
    names: Option<RawPathParams>,
    query: Query,
    content: Content,
    credentials: Result<Form, Refusal>,
}

/// The parameters of the query that these APIs know.
#[derive(Default)]
struct Query {
    credentials: Vec<(&'static str, String)>,
    update_activity_time: Vec<String>,
}

/// The body.
enum Content {
    Absent,
    Json(Result<Members, String>),
    Form(Form),
    Other,
}

/// The members of a JSON object, each with its name, in order.
struct Members(Vec<(String, Value)>);

impl Received {
    pub(super) async fn read(request: Request, limit: usize) -> Self {
        let (mut parts, body) = request.into_parts();
        let names = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
        let query = Query::read(parts.uri.query());
        let (content, credentials) = match read_body(body, limit).await {
            Ok(body) => {
                let content = Content::read(&parts.headers, &body);
                let credentials = credentials(&parts.method, &query, &content);
                (content, credentials)
            }
            Err(why) => (Content::Other, Err(why.into())),
        };
        Self { parts, names, query, content, credentials }
    }

    /// Whose call it is, if it is one that may be made at all; [`permit`] comes next.
    ///
    /// # Errors
    /// In this order: the method (405), the header against forged calls (400), authentication (401).
    pub(super) async fn authenticate(&self, app: &App, place: &Place) -> Result<Arc<Client>, Refusal> {
        if !place.answers(&self.parts.method) {
            return Err(Refusal::not_allowed(place.allow));
        }
        if !self.parts.headers.contains_key("x-xsrf-header") {
            return Err(Refusal::no_xsrf_header());
        }
        let form = self.credentials.as_ref().map_err(Clone::clone)?;
        let caller = match authenticate(app, &self.parts, form).await {
            Ok(caller) => caller,
            Err(_) if self.is_silent(form) => {
                let message = "No client credentials: send them by HTTP Basic or in the body, or the client_id with a \
                               client certificate.";
                return Err(Refusal::unauthenticated(message));
            }
            Err(why) => return Err(why.into()),
        };
        Ok(caller.client)
    }

    /// Whether the call does not even try to say whose it is.
    fn is_silent(&self, form: &Form) -> bool {
        !self.parts.headers.contains_key(header::AUTHORIZATION) && form.pairs().next().is_none()
    }

    /// Whose call this claims to be.
    pub(super) fn claimed(&self, app: &App) -> Option<LoggedCaller> {
        let nothing = Form::default();
        let form = self.credentials.as_ref().unwrap_or(&nothing);
        client_auth::claimed(app, &self.parts, form).map(|(name, method)| LoggedCaller { name, method })
    }

    /// What stands in a place of the path, percent-decoded once.
    pub(super) fn name(&self, place: usize) -> Result<&str, Refusal> {
        let mut names = self.names.iter().flat_map(RawPathParams::iter);
        let name = names.nth(place).map(|(_, name)| name).filter(|name| !name.is_empty());
        name.ok_or_else(|| Refusal::invalid("the path is not percent-encoded UTF-8"))
    }

    /// The text member `id` of a JSON body.
    pub(super) fn id(&self) -> Result<&str, Refusal> {
        let members = match &self.content {
            Content::Json(Ok(members)) => members,
            Content::Json(Err(why)) => return Err(Refusal::invalid(why.clone())),
            _ => return Err(Refusal::not_json()),
        };
        match members.0.iter().find(|(name, _)| name == "id") {
            Some((_, Value::String(id))) => Ok(id),
            Some(_) => Err(Refusal::invalid("the member `id` must be a string")),
            None => Err(Refusal::invalid("the member `id` is missing")),
        }
    }

    /// Whether the call counts as activity in the session: `updateActivityTime`, from the query or as it stood in the path.
    pub(super) fn counts_as_activity(&self, in_path: Option<&str>) -> Result<bool, Refusal> {
        let mut values = in_path.into_iter().chain(self.query.update_activity_time.iter().map(String::as_str));
        match (values.next(), values.next()) {
            (None, _) => Ok(true),
            (Some(value), None) if value.eq_ignore_ascii_case("true") => Ok(true),
            (Some(value), None) if value.eq_ignore_ascii_case("false") => Ok(false),
            (Some(_), None) => Err(Refusal::invalid("updateActivityTime is true or false")),
            (Some(_), Some(_)) => Err(Refusal::invalid("updateActivityTime is given twice")),
        }
    }
}

/// Lets the call of a client pass if it has the permission.
///
/// # Errors
/// 403.
pub(super) fn permit(place: &Place, client: &Client) -> Result<(), Refusal> {
    let permission = place.permission();
    if permission.is_given_to(client) { Ok(()) } else { Err(Refusal::denied(permission.name())) }
}

/// A client that has proved who it is, for the log.
pub(super) fn proven(client: &Client) -> LoggedCaller {
    LoggedCaller { name: client.id.clone(), method: client.auth_method.name() }
}

impl Query {
    fn read(query: Option<&str>) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if name == "updateActivityTime" {
                read.update_activity_time.push(value.into_owned());
            } else if let Some(known) = CREDENTIALS.into_iter().find(|known| *known == name) {
                read.credentials.push((known, value.into_owned()));
            }
        }
        read
    }

    fn has(&self, name: &str) -> bool {
        self.credentials.iter().any(|(known, _)| *known == name)
    }
}

impl Content {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let declared = headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let media_type = declared.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if media_type.eq_ignore_ascii_case(b"application/json") {
            return Self::Json(Members::read(body));
        }
        if body.is_empty() && media_type.is_empty() {
            return Self::Absent;
        }
        if media_type.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            return Form::parse(body).map_or(Self::Other, Self::Form);
        }
        Self::Other
    }
}

impl Members {
    fn read(body: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(body).map_err(|why| {
            // The message may quote what stands there; the place says enough.
            format!("the body is not a JSON object, line {} column {}", why.line(), why.column())
        })?;
        let mut names: Vec<&str> = read.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        // Two readers could disagree on which one counts.
        match names.windows(2).find(|pair| matches!(pair, [one, next] if one == next)) {
            Some(["id", _]) => Err("the member `id` is given twice".to_owned()),
            Some(_) => Err("a member of the body is given twice".to_owned()),
            None => Ok(read),
        }
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// What the call sends to authenticate its client, from the query and the body.
fn credentials(method: &Method, query: &Query, content: &Content) -> Result<Form, Refusal> {
    if query.has("client_secret") {
        let message =
            "A client secret in the query ends up in logs: send it by HTTP Basic or in the body, and change it.";
        return Err(Refusal::unauthenticated(message));
    }
    // An assertion counts once and soon expires. Where there is a body, it belongs there nevertheless.
    if *method == Method::POST && query.has("client_assertion") {
        return Err(Refusal::unauthenticated("A client_assertion belongs in the body of a POST."));
    }
    let from_query = query.credentials.iter().map(|(name, value)| (Cow::from(*name), Cow::from(value)));
    let read = match content {
        Content::Json(Ok(members)) => {
            let texts = members.0.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
            Form::of(from_query.chain(only_credentials(texts)))
        }
        Content::Form(form) => Form::of(from_query.chain(only_credentials(form.pairs()))),
        Content::Absent | Content::Json(Err(_)) | Content::Other => Form::of(from_query),
    };
    Ok(read?)
}

fn only_credentials<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
    let credentials = pairs.filter(|(name, _)| CREDENTIALS.contains(name));
    credentials.map(|(name, value)| (Cow::from(name), Cow::from(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<usize, String> {
        Members::read(body.as_bytes()).map(|members| members.0.len())
    }

    #[test]
    fn a_body_is_one_object_whose_members_have_different_names() {
        assert_eq!(read(r#"{"id":"a","more":{"id":1,"id":2}}"#), Ok(2));
        assert_eq!(read(r#"{"id":"a","\u0069d":"b"}"#), Err("the member `id` is given twice".to_owned()));
        assert_eq!(read(r#"{"x":1,"id":"a","x":1}"#), Err("a member of the body is given twice".to_owned()));
        for wrong in ["", "[]", "\"a\"", "null", "{", r#"{"id":"a"} {}"#, r#"{"id":"a",}"#] {
            assert!(read(wrong).unwrap_err().contains("not a JSON object"), "{wrong}");
        }
    }

    #[test]
    fn a_broken_body_is_not_quoted() {
        let why = read(r#"{"client_secret": hunter2}"#).unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }
}
