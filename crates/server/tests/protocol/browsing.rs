//! An authorization request step by step, with every parameter open to change.

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Response;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    application::{Answer, Application, REDIRECT_URI, SCOPE},
    page::{Form, main_form},
    person::Person,
};

pub(crate) const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";

pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// The usual parameters, with others in their place; an empty one is left out, `resource` may be repeated.
pub(crate) fn parameters(app: &Application<'_>, otherwise: &[(&str, &str)]) -> Vec<(String, String)> {
    let challenge = challenge(VERIFIER);
    let usual = [
        ("response_type", "code"),
        ("client_id", app.id.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("scope", SCOPE),
        ("state", "a state & more"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    merged(&usual, otherwise)
}

/// The first list with what the second changes.
pub(crate) fn merged(usual: &[(&str, &str)], otherwise: &[(&str, &str)]) -> Vec<(String, String)> {
    let kept = usual.iter().filter(|(name, _)| otherwise.iter().all(|(other, _)| other != name));
    let pairs = kept.chain(otherwise).filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn address(app: &Application<'_>, path: &str, pairs: &[(String, String)]) -> Result<Url> {
    let mut url = Url::parse(&format!("{}{path}", app.server.issuer))?;
    url.query_pairs_mut().extend_pairs(pairs);
    Ok(url)
}

/// Where the client hears the answer.
pub(crate) struct Back(pub(crate) Url);

impl Back {
    pub(crate) fn find(&self, name: &str) -> Option<String> {
        self.0.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn code(&self) -> Result<String> {
        self.find("code").with_context(|| format!("no code: {}", self.0))
    }

    /// An error that keeps the state and names the issuer.
    #[track_caller]
    pub(crate) fn is_refused(&self, app: &Application<'_>, error: &str) {
        assert_eq!(self.find("error").as_deref(), Some(error), "{}", self.0);
        self.is_ours(app);
        assert!(self.find("code").is_none() && self.find("error_description").is_some(), "{}", self.0);
    }

    /// Every answer keeps the state and names the issuer (RFC 9207).
    #[track_caller]
    pub(crate) fn is_ours(&self, app: &Application<'_>) {
        assert_eq!(self.find("state").as_deref(), Some("a state & more"), "{}", self.0);
        assert_eq!(self.find("iss").as_ref(), Some(&app.server.issuer), "{}", self.0);
    }
}

pub(crate) fn someone(app: &Application<'_>) -> Person {
    Person::new(app.server.http.clone())
}

/// A person goes where the client sends them, saying yes to everything, until the client has its answer.
pub(crate) async fn go(app: &Application<'_>, person: &mut Person, otherwise: &[(&str, &str)]) -> Result<Back> {
    let back = person.visit(address(app, "/authorize", &parameters(app, otherwise))?, REDIRECT_URI).await?;
    Ok(Back(back))
}

pub(crate) async fn code(app: &Application<'_>, otherwise: &[(&str, &str)]) -> Result<String> {
    go(app, &mut someone(app), otherwise).await?.code()
}

/// Redeems a code, with other parameters in place of the usual ones.
pub(crate) async fn redeem(app: &Application<'_>, code: &str, otherwise: &[(&str, &str)]) -> Result<Answer> {
    let usual = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let pairs = merged(&usual, otherwise);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    app.post("/token", &pairs).await
}

pub(crate) async fn refresh(app: &Application<'_>, token: &str, more: &[(&str, &str)]) -> Result<Answer> {
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    fields.extend_from_slice(more);
    app.post("/token", &fields).await
}

/// A page, and where it stands.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) html: String,
    pub(crate) url: Url,
}

impl Page {
    pub(crate) async fn of(response: Response) -> Result<Self> {
        let (status, headers, url) = (response.status().as_u16(), response.headers().clone(), response.url().clone());
        Ok(Self { status, headers, html: response.text().await?, url })
    }

    pub(crate) fn form(&self) -> Result<Form> {
        main_form(&self.html).with_context(|| format!("no form in {}", self.html))
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get("location")?.to_str().ok()
    }

    /// The hidden fields of its form, and its action.
    pub(crate) fn hidden(&self) -> Result<(Url, Vec<(String, String)>)> {
        let form = self.form()?;
        let action = self.url.join(form.attributes.find("action").unwrap_or_default())?;
        let hidden = form.inputs.iter().filter(|input| input.find("type") == Some("hidden"));
        let pair = |input: &crate::page::Control| {
            Some((input.find("name")?.to_owned(), input.find("value").unwrap_or_default().to_owned()))
        };
        Ok((action, hidden.filter_map(pair).collect()))
    }
}

/// Fetches a page.
pub(crate) async fn open(person: &mut Person, url: &Url) -> Result<Page> {
    Page::of(person.send(url, None).await?).await
}

/// Sends the form of a page with these fields beside the hidden ones.
pub(crate) async fn fill(person: &mut Person, page: &Page, fields: &[(&str, &str)]) -> Result<Page> {
    let (action, mut all) = page.hidden()?;
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Page::of(person.send(&action, Some(all)).await?).await
}

/// One part of a JWT, unverified: 0 the header, 1 the claims.
pub(crate) fn part(jwt: &str, place: usize) -> Result<Value> {
    ensure!(jwt.matches('.').count() == 2, "not a JWT: {jwt}");
    let part = jwt.split('.').nth(place).context("no such part")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
}
