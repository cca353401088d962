//! One request of a provisioning system: who sends it, what it says, and what the audit trail says of it.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use rescind_ledger::{Action, AuditEvent, Door, Initiator, Kind, LedgerError, Target};
use serde_json::{Map, Value};

use super::{
    error::{SCIM_JSON, ScimError},
    resource::BASE,
    tokens,
};
use crate::{app::App, body::gather};

/// The most that the audit trail keeps of a path and query, in bytes.
const MOST_WORDS: usize = 1024;

/// An authorized request.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) initiator: Initiator,
    query: Vec<(String, String)>,
    body: Bytes,
    is_json: bool,
    asked: String,
}

/// Answers a request of whoever has a good token.
pub(super) async fn answered<F, R>(app: Arc<App>, request: Request, work: F) -> Response
where
    F: FnOnce(Call) -> R,
    R: Future<Output = Result<Response, ScimError>>,
{
    let (parts, body) = request.into_parts();
    let asked = words(&parts);
    let mut caller = None;
    let outcome = async {
        let initiator = authorize(&app, &parts).await?;
        caller = Some(initiator.clone());
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes()));
        let body = gather(body, app.config.limits.body_bytes).await?;
        work(Call { app: app.clone(), initiator, query, body, is_json, asked: asked.clone() }).await
    };
    match outcome.await {
        Ok(response) => response,
        Err(why) => {
            if let Err(why) = refused(&app, &asked, caller, &why).await {
                return ScimError::from(why).into_response();
            }
            app.telemetry.count("rescind_requests_refused_total", &[("endpoint", "scim"), ("error", why.code())]);
            why.into_response()
        }
    }
}

/// Whatever a source asked for and did not get is a refusal; of strangers, what they were not allowed.
async fn refused(app: &App, asked: &str, caller: Option<Initiator>, why: &ScimError) -> Result<(), LedgerError> {
    let is_refusal = match &caller {
        Some(_) => why.status().is_client_error(),
        None => why.status() == StatusCode::UNAUTHORIZED,
    };
    if is_refusal { app.audit_refusal(caller, asked, why.code()).await } else { Ok(()) }
}

async fn authorize(app: &App, parts: &Parts) -> Result<Initiator, ScimError> {
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Err(ScimError::no_token()) };
    let text = value.to_str().map_err(|_| ScimError::bad_token())?;
    let (scheme, token) = text.split_once(' ').ok_or_else(ScimError::bad_token)?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ScimError::bad_token());
    }
    let token = tokens::find(app, token.trim()).await?.ok_or_else(ScimError::bad_token)?;
    Ok(Initiator::Source(format!("scim:{}", token.name)))
}

fn is_json(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    media_type.eq_ignore_ascii_case(SCIM_JSON.as_bytes()) || media_type.eq_ignore_ascii_case(b"application/json")
}

/// What is asked, for the audit trail.
fn words(parts: &Parts) -> String {
    let path = parts.uri.path();
    let path = path.find(BASE).and_then(|place| path.get(place..)).unwrap_or(path);
    let mut words = format!("{} {}", parts.method, unless_credential(path));
    for (place, (name, value)) in form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).enumerate() {
        words.push(if place == 0 { '?' } else { '&' });
        words.push_str(unless_credential(&name));
        words.push('=');
        let secret = name.eq_ignore_ascii_case("filter") && value.to_ascii_lowercase().contains("password");
        words.push_str(if secret { "(a password)" } else { unless_credential(&value) });
    }
    words.truncate(words.floor_char_boundary(MOST_WORDS));
    words
}

/// Somebody may have put a token where a name belongs.
fn unless_credential(text: &str) -> &str {
    let ours = Kind::ALL.into_iter().any(|kind| text.contains(kind.prefix()));
    if ours || text.contains("eyJ") { "(a credential)" } else { text }
}

impl Call {
    /// A parameter of the query; what is empty is not said.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The body, which is an object.
    pub(super) fn body(&self) -> Result<Map<String, Value>, ScimError> {
        if !self.is_json {
            return Err(ScimError::media_type());
        }
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => alone(object),
            Ok(_) => Err(ScimError::invalid_syntax("the request body is a JSON object")),
            // Its words may repeat the body, and with it a password.
            Err(why) => {
                let place = format!("line {}, column {}", why.line(), why.column());
                Err(ScimError::invalid_syntax(format!("the request body is not JSON: {place}")))
            }
        }
    }

    /// Records that the source saw people, before it does.
    pub(super) async fn record_read(&self) -> Result<(), ScimError> {
        let event = AuditEvent::new(Action::Read, Some(self.initiator.clone()), "asked").about(self.asked.as_str());
        Ok(self.app.audit(event).await?)
    }

    /// The record of a change, to be written in the transaction of the change itself.
    pub(super) fn record(&self) -> Record {
        let event = AuditEvent::new(Action::Change, Some(self.initiator.clone()), "done").about(self.asked.as_str());
        Record { event, issuer: self.app.config.issuer.clone() }
    }
}

/// What the audit trail is told of a change.
pub(super) struct Record {
    event: AuditEvent,
    issuer: String,
}

impl Record {
    pub(super) fn write(self, door: &mut Door<'_>, user: &str) -> Result<(), LedgerError> {
        door.record(&self.event.on(Target::Subject { issuer: self.issuer, subject: user.to_owned() }))
    }
}

/// Names differ by more than case: otherwise it would be a matter of luck which member counts.
fn alone(object: Map<String, Value>) -> Result<Map<String, Value>, ScimError> {
    let mut names: Vec<String> = object.keys().map(|name| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
        return Err(ScimError::invalid_syntax("a member stands twice in the request body"));
    }
    Ok(object)
}
