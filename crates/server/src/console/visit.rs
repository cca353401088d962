//! One request to the console by somebody who is signed in: read strictly, and for a form shown to be one of ours.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    ADMIN, Console, cookies,
    inside::{Answer, Asked, Content, ask},
    json::Json,
    seal,
    trouble::Trouble,
};
use crate::body::gather;

/// Who is signed in, as far as the pages have to know: what somebody may do is for the admin API to say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) id: String,
    pub(super) user_name: String,
    pub(super) display_name: Option<String>,
    pub(super) role: Option<String>,
    /// Random, and kept when the token is renewed: forms are bound to it.
    pub(super) binding: String,
}

impl Who {
    pub(super) fn name(&self) -> &str {
        self.display_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.user_name)
    }

    /// Not to offer what will be refused.
    pub(super) fn may_revoke(&self) -> bool {
        self.role.as_deref() != Some("viewer")
    }

    pub(super) fn may_write(&self) -> bool {
        !matches!(self.role.as_deref(), Some("viewer" | "revoker"))
    }

    /// As it stands in the cookie.
    pub(super) fn pack(&self, key: &[u8; 32]) -> String {
        let text = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let sealed = seal::seal(key, "who", &[&text]);
        format!("{text}.{sealed}")
    }

    fn unpack(key: &[u8; 32], cookie: &str) -> Option<Self> {
        let (text, sealed) = cookie.split_once('.')?;
        if !seal::holds(key, "who", &[text], sealed) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

/// What opens the admin API.
pub(super) struct Pass {
    token: Zeroizing<String>,
    pub(super) who: Who,
}

impl Pass {
    /// What the cookies hold; an empty token opens nothing.
    pub(super) fn read(console: &Console, headers: &HeaderMap) -> Self {
        let token = cookies::find(console, headers, cookies::TOKEN).unwrap_or_default();
        let who = cookies::find(console, headers, cookies::WHO);
        let who = who.and_then(|cookie| Who::unpack(&console.app.keys.csrf, cookie)).unwrap_or_default();
        Self { token: Zeroizing::new(token.to_owned()), who }
    }

    fn nobody() -> Self {
        Self { token: Zeroizing::default(), who: Who::default() }
    }
}

/// The fields of a query or a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A field that is not empty; of several the first.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        found.filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.find(name).unwrap_or_default().to_owned()
    }

    /// A field as it was typed, spaces and all.
    pub(super) fn exact(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a field.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for (known, value) in &self.0 {
            if known == name && !value.is_empty() && !found.contains(value) {
                found.push(value.clone());
            }
        }
        found
    }

    /// The fields of these names that are there, as parameters of a query.
    pub(super) fn picked<'a>(&'a self, names: &[&'a str]) -> Vec<(&'a str, &'a str)> {
        names.iter().filter_map(|name| Some((*name, self.find(name)?))).collect()
    }
}

/// A request by somebody who may be signed in.
pub(super) struct Visit {
    pub(super) console: Arc<Console>,
    pub(super) parts: Parts,
    pub(super) pass: Pass,
    /// What stands in the path, decoded.
    id: Option<String>,
    pub(super) query: Fields,
    pub(super) form: Fields,
}

/// The name of the field that shows a form to be one of ours.
const CSRF: &str = "csrf";

impl Visit {
    /// Reads a request. One that changes something is refused unless a page of ours in this browser sent it.
    pub(super) async fn read(console: Arc<Console>, id: Option<String>, request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let Ok(body) = gather(body, console.app.config.limits.body_bytes).await else {
            return Err(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        };
        let pass = Pass::read(&console, &parts.headers);
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let visit = Self { console, parts, pass, id, query, form: Fields::parse(&body) };
        if visit.pass.token.is_empty() {
            return Err(Trouble::SignIn.answer(&visit));
        }
        if visit.parts.method == Method::POST && !visit.is_from_here() {
            return Err(Trouble::NotFromHere.answer(&visit));
        }
        Ok(visit)
    }

    /// A request by somebody who is not signed in yet.
    pub(super) fn stranger(console: Arc<Console>, parts: Parts, query: Fields) -> Self {
        Self { console, parts, pass: Pass::nobody(), id: None, query, form: Fields::default() }
    }

    /// What stands in the path.
    pub(super) fn id(&self) -> Result<&str, Trouble> {
        self.id.as_deref().filter(|id| !id.is_empty()).ok_or(Trouble::NotFound)
    }

    pub(super) fn now(&self) -> rescind_ledger::Timestamp {
        self.console.now()
    }

    /// Whether htmx asks, for a part of a page.
    pub(super) fn is_partial(&self) -> bool {
        self.parts.headers.contains_key("hx-request")
    }

    fn binding(&self) -> &str {
        let binding = self.pass.who.binding.as_str();
        if binding.is_empty() { &self.pass.token } else { binding }
    }

    /// The field by which a form is known to be ours.
    pub(super) fn csrf(&self) -> String {
        seal::seal(&self.console.app.keys.csrf, "form", &[self.binding()])
    }

    /// Sealed by us for this browser; and where the browser says which site sent it, by this one.
    fn is_from_here(&self) -> bool {
        let headers = &self.parts.headers;
        let said = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let origin = self.console.app.config.issuer_origin();
        let is_foreign = said("sec-fetch-site").is_some_and(|site| site != "same-origin")
            || said(header::ORIGIN.as_str()).is_some_and(|from| from != origin);
        let given = self.form.find(CSRF).unwrap_or_default();
        !is_foreign && seal::holds(&self.console.app.keys.csrf, "form", &[self.binding()], given)
    }

    /// Asks the admin API. What this user may not see, and what cannot be answered, is trouble; any other refusal is an answer.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, Trouble> {
        self.ask_once(method, path, body, None).await
    }

    /// The same for an order that must not be carried out twice.
    pub(super) async fn ask_once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Answer, Trouble> {
        let is_read = method == Method::GET;
        let more = key.map(|key| (header::HeaderName::from_static("idempotency-key"), key.to_owned()));
        let asked = Asked {
            method,
            uri: format!("{}{ADMIN}{path}", self.console.base()),
            token: Some(&self.pass.token),
            more: more.into_iter().collect(),
            body: body.cloned().map_or(Content::Nothing, Content::Json),
        };
        let answer = ask(&self.console.admin, &self.parts, asked).await.ok_or(Trouble::Unavailable)?;
        match answer.status {
            StatusCode::UNAUTHORIZED => Err(Trouble::SignIn),
            StatusCode::FORBIDDEN if is_read => Err(Trouble::NoRole),
            StatusCode::FORBIDDEN => Err(Trouble::Forbidden),
            status if status.is_server_error() => Err(Trouble::Unavailable),
            _ => Ok(answer),
        }
    }

    /// Reads something that must be there.
    pub(super) async fn load(&self, path: &str) -> Result<Json, Trouble> {
        let answer = self.ask(Method::GET, path, None).await?;
        match answer.status {
            status if status.is_success() => Ok(answer.body),
            StatusCode::NOT_FOUND => Err(Trouble::NotFound),
            status => Err(Trouble::Refused(status, answer.body.text("detail"))),
        }
    }

    /// Reads something that may not be there.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Json>, Trouble> {
        match self.load(path).await {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::NotFound | Trouble::Refused(..)) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Asks for a change that must be made.
    pub(super) async fn change(&self, method: Method, path: &str, body: &Value) -> Result<Json, Trouble> {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = self.ask(method, path, body).await?;
        match answer.status {
            status if status.is_success() => Ok(answer.body),
            StatusCode::NOT_FOUND => Err(Trouble::NotFound),
            status => Err(Trouble::Refused(status, answer.body.text("detail"))),
        }
    }

    /// What the applications are called, by id. Nobody's secret, and so no record is made of the look.
    pub(super) async fn application_names(&self) -> HashMap<String, String> {
        self.names("/clients?limit=500", "id").await
    }

    /// What the APIs are called, by identifier.
    pub(super) async fn api_names(&self) -> HashMap<String, String> {
        self.names("/apis?limit=500", "audience").await
    }

    async fn names(&self, path: &str, id: &str) -> HashMap<String, String> {
        let found = self.find(path).await.ok().flatten().unwrap_or_default();
        found.list("items").iter().map(|item| (item.text(id), item.text("name"))).collect()
    }

    /// What users are called, by id: these few only, since each look is recorded.
    pub(super) async fn user_names(&self, ids: impl IntoIterator<Item = String>) -> HashMap<String, String> {
        let who = &self.pass.who;
        let mut names = HashMap::from([(who.id.clone(), who.name().to_owned())]);
        // What fills in by itself asks again and again: nobody is looked up for that.
        let is_repeated = self.is_partial() && self.parts.method == Method::GET;
        let wanted = ids.into_iter().filter(|id| !is_repeated && !names.contains_key(id));
        let mut distinct: Vec<String> = wanted.filter(|id| !id.is_empty()).collect();
        distinct.sort();
        distinct.dedup();
        distinct.truncate(MOST_NAMES);
        let asked = distinct.into_iter().map(|id| async move {
            let found = self.find(&format!("/users/{}", segment(&id))).await.ok().flatten();
            found.map(|user| (id, user_name(&user)))
        });
        names.extend(join_all(asked).await.into_iter().flatten());
        names
    }

    /// To another page, after a form.
    pub(super) fn go(&self, path: &str) -> Response {
        redirect(&self.console.path(path))
    }
}

/// How many users of one page are looked up.
const MOST_NAMES: usize = 50;

/// What a user is called: the display name, or the user name where there is none.
pub(super) fn user_name(user: &Json) -> String {
    user.find("display_name").filter(|name| !name.trim().is_empty()).unwrap_or_else(|| user.text("user_name"))
}

/// 303, so that a form is not sent on.
pub(super) fn redirect(location: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, location.to_owned())]).into_response()
}

/// One segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A path with a query, without the parameters that are empty.
pub(super) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_link_cannot_leave_its_place() {
        assert_eq!(segment("../a b/\"<é"), "..%2Fa%20b%2F%22%3C%C3%A9");
        assert_eq!(link("/x", &[("a", "1&b=2"), ("c", ""), ("d", "\"'<>")]), "/x?a=1%26b%3D2&d=%22%27%3C%3E");
    }

    #[test]
    fn who_somebody_is_holds_only_with_our_seal() {
        let who = Who { id: "u_1".into(), role: Some("viewer".into()), ..Who::default() };
        let packed = who.pack(&[1; 32]);
        assert_eq!(Who::unpack(&[1; 32], &packed), Some(who.clone()));
        assert_eq!(Who::unpack(&[2; 32], &packed), None);
        let forged = Who { role: Some("administrator".into()), ..who }.pack(&[2; 32]);
        let (text, _) = forged.split_once('.').unwrap();
        assert_eq!(Who::unpack(&[1; 32], &format!("{text}.{}", packed.split_once('.').unwrap().1)), None);
    }

    #[test]
    fn an_empty_field_is_none_and_a_repeated_one_counts_once() {
        let fields = Fields::parse(b"user=a&user=b&user=a&x=+&pass=+y+");
        assert_eq!((fields.all("user"), fields.find("x")), (vec!["a".to_owned(), "b".to_owned()], None));
        assert_eq!((fields.find("pass"), fields.exact("pass")), (Some("y"), Some(" y ")));
    }
}
