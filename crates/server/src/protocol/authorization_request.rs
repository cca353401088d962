//! An authorization request (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2.1), read and checked as a whole.

use std::borrow::Cow;

use rescind_jose::Kind;
use rescind_ledger::Client;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    protocol::{
        error::ProtocolError,
        form::Form,
        mint::{has_scope, narrow_scope, resolve_audiences},
    },
};

/// A checked request. In this form it is kept while its user signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    pub client_id: String,
    pub redirect_uri: String,
    pub state: Option<String>,
    pub nonce: Option<String>,
    /// What the client gets if the user agrees, narrowed to what it may have.
    pub scope: String,
    pub audiences: Vec<String>,
    /// SHA-256 of the verifier (RFC 7636 section 4.2).
    pub code_challenge: String,
    pub prompt: Prompt,
    /// How long ago the user may have signed in, in seconds.
    pub max_age: Option<u32>,
    pub login_hint: Option<String>,
    /// The user it must be, by an ID token the client was given before.
    pub subject: Option<String>,
    /// Whether a logout status JWT is wanted beside the code (Janssen).
    pub logout_status_jwt: bool,
}

/// What the client asks to be shown, or not to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub consent: bool,
    pub select_account: bool,
}

/// An error that goes to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    pub description: Cow<'static, str>,
}

impl Refusal {
    /// An error with its registered code (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6).
    pub fn new(code: &'static str, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into() }
    }

    fn invalid(description: &'static str) -> Self {
        Self::new("invalid_request", description)
    }
}

impl From<ProtocolError> for Refusal {
    fn from(why: ProtocolError) -> Self {
        Self::new(why.code(), why.description().to_owned())
    }
}

/// Names a pushed request (RFC 9126 section 2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

/// The longest user name a client may suggest, in bytes.
const HINT_LIMIT: usize = 256;

impl AuthorizationRequest {
    /// Reads everything but `client_id` and `redirect_uri`, which the caller has found to be right.
    ///
    /// # Errors
    /// The first mistake, for the client.
    pub fn read(app: &App, client: &Client, redirect_uri: &str, form: &Form) -> Result<Self, Refusal> {
        refuse_foreign_ways(form)?;
        if !client.grant_types.iter().any(|grant| grant == "authorization_code") {
            return Err(Refusal::new("unauthorized_client", "the client is not registered for authorization codes"));
        }
        let code_challenge = code_challenge(form)?;
        let scope = without_idle_offline(client, narrow_scope(client, form.find("scope"))?);
        let resources: Vec<&str> = form.all("resource").collect();
        let audiences = resolve_audiences(app, client, &resources, &scope)?;
        Ok(Self {
            client_id: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: form.find("state").map(str::to_owned),
            nonce: form.find("nonce").map(str::to_owned),
            scope,
            audiences,
            code_challenge,
            prompt: Prompt::read(form.find("prompt"))?,
            max_age: form.find("max_age").map(max_age).transpose()?,
            login_hint: form.find("login_hint").filter(|hint| hint.len() <= HINT_LIMIT).map(str::to_owned),
            subject: form.find("id_token_hint").map(|hint| hinted_subject(app, hint)).transpose()?,
            logout_status_jwt: form.find("logout_status_jwt") == Some("true"),
        })
    }

    /// Whether access is asked for that goes on after the sign-out (OpenID Connect Core section 11).
    #[must_use]
    pub fn is_offline(&self) -> bool {
        has_scope(&self.scope, "offline_access")
    }
}

/// What the server does not do is refused by the name that it has (OpenID Connect Core section 3.1.2.6).
fn refuse_foreign_ways(form: &Form) -> Result<(), Refusal> {
    if form.find("request").is_some() {
        return Err(Refusal::new("request_not_supported", "request objects are not supported; push the request"));
    }
    if form.find("request_uri").is_some() {
        return Err(Refusal::new("request_uri_not_supported", "only the request_uri of a pushed request is accepted"));
    }
    if form.find("registration").is_some() {
        return Err(Refusal::new("registration_not_supported", "use the registration endpoint"));
    }
    match form.find("response_type") {
        None => return Err(Refusal::invalid("the parameter `response_type` is missing")),
        Some("code") => {}
        Some(_) => return Err(Refusal::new("unsupported_response_type", "response_type must be `code`")),
    }
    match form.find("response_mode") {
        None | Some("query") => Ok(()),
        Some(_) => Err(Refusal::invalid("response_mode must be `query`")),
    }
}

/// A challenge is demanded of every client, and `plain` is none (RFC 9700 section 2.1.1).
fn code_challenge(form: &Form) -> Result<String, Refusal> {
    let challenge =
        form.find("code_challenge").ok_or(Refusal::invalid("PKCE is required: `code_challenge` is missing"))?;
    if form.find("code_challenge_method") != Some("S256") {
        return Err(Refusal::invalid("code_challenge_method must be `S256`"));
    }
    let is_hash =
        challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if is_hash {
        Ok(challenge.to_owned())
    } else {
        Err(Refusal::invalid("code_challenge is not a SHA-256 in base64url"))
    }
}

/// Without refresh tokens there is nothing to keep: the scope is ignored, as section 11 of OpenID Connect Core has it.
fn without_idle_offline(client: &Client, scope: String) -> String {
    if client.grant_types.iter().any(|grant| grant == "refresh_token") || !has_scope(&scope, "offline_access") {
        return scope;
    }
    scope.split(' ').filter(|one| *one != "offline_access").collect::<Vec<_>>().join(" ")
}

fn max_age(text: &str) -> Result<u32, Refusal> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    // An age beyond u32 is one of over a hundred years: no limit at all.
    if digits {
        Ok(text.parse().unwrap_or(u32::MAX))
    } else {
        Err(Refusal::invalid("max_age is not a number of seconds"))
    }
}

/// Whom an ID token is about. It may have expired: it says who is expected, not that anything may be done.
fn hinted_subject(app: &App, hint: &str) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Hint {
        iss: String,
        sub: String,
    }
    let verified = app.keys.ring().published.verify::<Hint>(hint, Kind::IdToken);
    verified
        .ok()
        .filter(|hint| hint.claims.iss == app.config.issuer)
        .map(|hint| hint.claims.sub)
        .ok_or(Refusal::invalid("id_token_hint is no ID token of this issuer"))
}

impl Prompt {
    fn read(text: Option<&str>) -> Result<Self, Refusal> {
        let mut prompt = Self::default();
        for word in text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => return Err(Refusal::invalid("prompt has an unknown value")),
            }
        }
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err(Refusal::invalid("prompt=none cannot be joined with another value"));
        }
        Ok(prompt)
    }
}

/// The registered form of a redirect URI: the same text (RFC 9700 section 2.1), but for the port of a loopback address,
/// which a native application gets from its system (RFC 8252 section 7.3).
#[must_use]
pub fn find_registered<'a>(client: &'a Client, redirect_uri: &str) -> Option<&'a str> {
    if redirect_uri.contains('#') {
        return None;
    }
    let exact = client.redirect_uris.iter().find(|registered| *registered == redirect_uri);
    let but_for_the_port = || {
        let wanted = without_loopback_port(redirect_uri)?;
        client.redirect_uris.iter().find(|registered| without_loopback_port(registered) == Some(wanted))
    };
    exact.or_else(but_for_the_port).map(String::as_str)
}

/// A loopback address and what comes after its port. Read as text: a parser would forgive what an exact match must not.
fn without_loopback_port(uri: &str) -> Option<(&'static str, &str)> {
    ["http://127.0.0.1", "http://[::1]"].into_iter().find_map(|origin| {
        let rest = uri.strip_prefix(origin)?;
        let rest = match rest.strip_prefix(':') {
            Some(port) => {
                let (port, rest) = port.split_at(port.bytes().take_while(u8::is_ascii_digit).count());
                port.parse::<u16>().ok()?;
                rest
            }
            None => rest,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((origin, rest))
    })
}

/// The address that takes an answer back to the client: its redirect URI with these parameters, those without a value left
/// out. The query it was registered with stays.
#[must_use]
pub fn location(redirect_uri: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    match redirect_uri.split_once('?') {
        _ if query.is_empty() => redirect_uri.to_owned(),
        None => format!("{redirect_uri}?{query}"),
        Some((_, "")) => format!("{redirect_uri}{query}"),
        Some(_) => format!("{redirect_uri}&{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_port(uri: &str) -> Option<(&str, &str)> {
        without_loopback_port(uri)
    }

    #[test]
    fn only_the_port_of_a_loopback_address_is_left_out() {
        for same in
            ["http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1:/cb"]
        {
            let expected = (same != "http://127.0.0.1:/cb").then_some(("http://127.0.0.1", "/cb"));
            assert_eq!(without_port(same), expected, "{same}");
        }
        assert_eq!(without_port("http://[::1]:9?x=1"), Some(("http://[::1]", "?x=1")));
        for other in [
            "https://127.0.0.1:1/cb",
            "http://localhost:1/cb",
            "http://127.0.0.1:65536/cb",
            "http://127.0.0.1:80@evil.test/cb",
            "http://127.0.0.1:80.evil.test/cb",
            "http://127.0.0.1.evil.test/cb",
            "http://127.0.0.1@evil.test/cb",
            "http://127.0.0.10/cb",
            "http://127.0.0.1:+80/cb",
            "HTTP://127.0.0.1/cb",
        ] {
            assert_eq!(without_port(other), None, "{other}");
        }
    }

    #[test]
    fn an_answer_goes_to_the_redirect_uri_with_its_own_query() {
        let answer = [("code", Some("a b&c")), ("state", None), ("iss", Some("https://i"))];
        assert_eq!(location("https://a/cb", &answer), "https://a/cb?code=a+b%26c&iss=https%3A%2F%2Fi");
        assert_eq!(location("https://a/cb?x=1", &answer), "https://a/cb?x=1&code=a+b%26c&iss=https%3A%2F%2Fi");
        assert_eq!(location("app:/cb?", &[("e", Some("1"))]), "app:/cb?e=1");
        assert_eq!(location("https://a/cb", &[("state", None)]), "https://a/cb");
    }

    #[test]
    fn prompt_none_stands_alone_and_unknown_words_are_refused() {
        for (text, right) in [
            (None, true),
            (Some("none"), true),
            (Some("login consent"), true),
            (Some("select_account"), true),
            (Some("none login"), false),
            (Some("consent none"), false),
            (Some("none select_account"), false),
            (Some("create"), false),
            (Some("LOGIN"), false),
        ] {
            assert_eq!(Prompt::read(text).is_ok(), right, "{text:?}");
        }
    }

    #[test]
    fn max_age_is_a_number_of_seconds() {
        assert_eq!(max_age("0"), Ok(0));
        assert_eq!(max_age("3600"), Ok(3600));
        assert_eq!(max_age("99999999999"), Ok(u32::MAX));
        assert!(max_age("-1").is_err() && max_age("1.5").is_err() && max_age("1h").is_err());
    }
}
