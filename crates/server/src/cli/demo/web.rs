//! The two ways to the demo's server: its public endpoints, as applications and APIs use them, and the admin API.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, RequestBuilder, Response, Url, redirect::Policy};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::{arguments::Output, connection::Connection, failure::Failure};
use crate::clock::random;

const PATIENCE: Duration = Duration::from_secs(30);

/// An application, with what it needs to get tokens.
#[derive(Clone)]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) secret: Option<String>,
    pub(super) redirect_uri: String,
    pub(super) scope: &'static str,
}

/// An API, with the client by which it asks about tokens.
pub(super) struct Api {
    pub(super) audience: &'static str,
    pub(super) name: &'static str,
    pub(super) client: String,
    pub(super) secret: String,
}

/// What a token endpoint hands out.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
}

/// A request that the server refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) error: String,
}

/// RFC 7636: what is kept, and what is shown of it.
pub(super) struct Pkce {
    pub(super) verifier: String,
    pub(super) challenge: String,
}

impl Pkce {
    pub(super) fn fresh() -> Self {
        let verifier = URL_SAFE_NO_PAD.encode(random::<32>());
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        Self { verifier, challenge }
    }
}

/// The public endpoints.
pub(super) struct Web {
    http: Client,
    pub(super) issuer: String,
}

impl Web {
    pub(super) fn new(issuer: &str) -> anyhow::Result<Self> {
        // No proxy: the server is on this host, and its tokens are nobody else's business.
        let http = Client::builder().no_proxy().redirect(Policy::none()).timeout(PATIENCE).build()?;
        Ok(Self { http, issuer: issuer.to_owned() })
    }

    /// One request of a browser: a form if there are fields, else a page.
    pub(super) async fn browse(
        &self,
        url: &str,
        fields: Option<&[(&str, &str)]>,
        headers: &[(&'static str, &str)],
    ) -> anyhow::Result<Response> {
        let request = match fields {
            Some(fields) => self.http.post(url).form(fields),
            None => self.http.get(url),
        };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Ok(request.send().await?)
    }

    /// Where a browser is sent to sign in.
    pub(super) fn authorization_url(
        &self,
        application: &Application,
        challenge: &str,
        more: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let mut url = Url::parse(&format!("{}/authorize", self.issuer))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &application.id)
            .append_pair("redirect_uri", &application.redirect_uri)
            .append_pair("scope", application.scope)
            .append_pair("resource", super::company::ORDERS)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        Ok(url.into())
    }

    /// Redeems a code.
    pub(super) async fn redeem(&self, application: &Application, code: &str, pkce: &Pkce) -> anyhow::Result<Tokens> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &application.redirect_uri),
            ("code_verifier", &pkce.verifier),
        ];
        granted(self.token(application, &fields).await?)
    }

    /// Uses a refresh token.
    pub(super) async fn refresh(
        &self,
        application: &Application,
        token: &str,
    ) -> anyhow::Result<Result<Tokens, Refused>> {
        self.token(application, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Gets a token for an API by the application's own credentials.
    pub(super) async fn own_token(
        &self,
        application: &Application,
        api: &str,
    ) -> anyhow::Result<Result<Tokens, Refused>> {
        self.token(application, &[("grant_type", "client_credentials"), ("resource", api)]).await
    }

    async fn token(
        &self,
        application: &Application,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<Result<Tokens, Refused>> {
        let mut fields = fields.to_vec();
        let request = self.http.post(format!("{}/token", self.issuer));
        let request = match &application.secret {
            Some(secret) => request.basic_auth(&application.id, Some(secret)),
            None => {
                fields.push(("client_id", &application.id));
                request
            }
        };
        let (status, answer) = answered(request.form(&fields)).await?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
        if status == 200 {
            let access = text("access_token").context("the token endpoint gave no access token")?;
            return Ok(Ok(Tokens { access, refresh: text("refresh_token") }));
        }
        Ok(Err(Refused { status, error: text("error").unwrap_or_default() }))
    }

    /// What userinfo answers: a status, and the claims.
    pub(super) async fn userinfo(&self, token: &str) -> anyhow::Result<(u16, Value)> {
        answered(self.http.get(format!("{}/userinfo", self.issuer)).bearer_auth(token)).await
    }

    /// What an API hears of a token.
    pub(super) async fn introspect(&self, api: &Api, token: &str) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}/introspect", self.issuer));
        let (status, answer) =
            answered(request.basic_auth(&api.client, Some(&api.secret)).form(&[("token", token)])).await?;
        if status != 200 {
            bail!("introspection answered {status}: {answer}");
        }
        Ok(answer)
    }
}

async fn answered(request: RequestBuilder) -> anyhow::Result<(u16, Value)> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let answer = response.json().await.with_context(|| format!("an answer {status} that is not JSON"))?;
    Ok((status, answer))
}

/// Tokens, where a refusal is a failure of the demo itself.
pub(super) fn granted(answer: Result<Tokens, Refused>) -> anyhow::Result<Tokens> {
    answer.map_err(|why| anyhow!("the token endpoint refused: {} {}", why.status, why.error))
}

/// The admin API, through the socket in the data directory.
pub(super) struct Admin(Connection);

impl Admin {
    pub(super) fn new(connection: Connection) -> Self {
        Self(connection)
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.0.get(path, query).await.map_err(|why| failure(path, &why))
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.0.post(path, body).await.map_err(|why| failure(path, &why))
    }
}

fn failure(path: &str, why: &Failure) -> anyhow::Error {
    anyhow!("{path}: {}", why.show(Output::Table).trim_start_matches("rescind: "))
}

/// A text that an answer must have.
pub(super) fn text(answer: &Value, name: &str) -> anyhow::Result<String> {
    answer.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("the answer has no `{name}`"))
}

/// A number that an answer must have.
pub(super) fn number(answer: &Value, name: &str) -> anyhow::Result<u64> {
    answer.get(name).and_then(Value::as_u64).with_context(|| format!("the answer has no `{name}`"))
}
