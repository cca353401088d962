//! An application: a client of the server under test, with one method for each thing it asks over the wire.

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{person::Person, server::Server};

pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:9/callback";
pub(crate) const SCOPE: &str = "openid profile email offline_access";
pub(crate) const API: &str = "https://orders.example";
pub(crate) const API_SCOPE: &str = "orders:read";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Result<Self> {
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { status, headers, text, body })
    }

    /// A success, with its body.
    #[track_caller]
    pub(crate) fn succeeds(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.text);
        &self.body
    }

    /// A refusal that says why in the members OAuth has for that.
    #[track_caller]
    pub(crate) fn is_refused(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.body["error"].as_str()), (status, Some(error)), "{}", self.text);
        assert!(self.body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.text);
    }

    /// A text member that must be there.
    pub(crate) fn text(&self, member: &str) -> Result<String> {
        let text = self.body[member].as_str().with_context(|| format!("no {member} in {}", self.text))?;
        Ok(text.to_owned())
    }
}

/// The tokens of one grant.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    fn of(answer: &Answer) -> Result<Self> {
        ensure!(answer.status == 200, "the token endpoint answered {}: {}", answer.status, answer.text);
        Ok(Self { access: answer.text("access_token")?, refresh: answer.text("refresh_token")? })
    }
}

pub(crate) struct Application<'a> {
    pub(crate) server: &'a Server,
    pub(crate) id: String,
    /// A client without one is public.
    pub(crate) secret: Option<String>,
}

impl<'a> Application<'a> {
    /// One that the administrator added, with members of its own.
    pub(crate) async fn add(server: &'a Server, members: Value) -> Result<Self> {
        let mut client = json!({
            "name": "Notebook",
            "redirect_uris": [REDIRECT_URI],
            "scopes": SCOPE.split(' ').collect::<Vec<_>>(),
        });
        if let (Some(client), Value::Object(members)) = (client.as_object_mut(), members) {
            client.extend(members);
        }
        let added = server.administer(Method::POST, "/clients", &client).await?;
        let id = added["id"].as_str().context("no id")?.to_owned();
        Ok(Self { server, id, secret: added["client_secret"].as_str().map(str::to_owned) })
    }

    /// A confidential one, as it comes.
    pub(crate) async fn confidential(server: &'a Server) -> Result<Self> {
        Self::add(server, json!({})).await
    }

    /// A confidential one whose refresh tokens rotate.
    pub(crate) async fn rotating(server: &'a Server) -> Result<Self> {
        Self::add(server, json!({ "rotation": "each_use" })).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.server.issuer)
    }

    /// A request of its own, authenticated.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let mut fields = fields.to_vec();
        fields.push(("client_id", &self.id));
        let request = self.server.http.post(self.at(path)).form(&fields);
        Answer::of(match &self.secret {
            Some(secret) => request.basic_auth(&self.id, Some(secret)),
            None => request,
        })
        .await
    }

    /// Where it sends a person.
    fn authorization_url(&self, more: &[(&str, &str)]) -> Result<Url> {
        let mut url = Url::parse(&self.at("/authorize"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", REDIRECT_URI)
            .append_pair("scope", SCOPE)
            .append_pair("prompt", "consent")
            .append_pair("state", "a-state")
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        Ok(url)
    }

    /// A person signs in and consents; the code that comes of it.
    pub(crate) async fn code(&self, more: &[(&str, &str)]) -> Result<String> {
        let mut person = Person::new(self.server.http.clone());
        let back = person.visit(self.authorization_url(more)?, REDIRECT_URI).await?;
        let find =
            |name: &str| back.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
        ensure!(find("state").as_deref() == Some("a-state"), "the state did not come back: {back}");
        ensure!(find("iss").as_ref() == Some(&self.server.issuer), "iss is not the issuer (RFC 9207): {back}");
        find("code").with_context(|| format!("no code came back: {back}"))
    }

    pub(crate) async fn redeem(&self, code: &str) -> Result<Answer> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        self.post("/token", &fields).await
    }

    /// From the person to the tokens.
    pub(crate) async fn sign_in(&self) -> Result<Tokens> {
        self.sign_in_with(&[]).await
    }

    /// The same, with more parameters of the authorization request.
    pub(crate) async fn sign_in_with(&self, more: &[(&str, &str)]) -> Result<Tokens> {
        Tokens::of(&self.redeem(&self.code(more).await?).await?)
    }

    pub(crate) async fn try_refresh(&self, refresh_token: &str) -> Result<Answer> {
        self.post("/token", &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Result<Tokens> {
        Tokens::of(&self.try_refresh(refresh_token).await?)
    }

    pub(crate) async fn userinfo(&self, access_token: &str) -> Result<Answer> {
        Answer::of(self.server.http.get(self.at("/userinfo")).bearer_auth(access_token)).await
    }

    pub(crate) async fn introspect(&self, token: &str) -> Result<Answer> {
        self.post("/introspect", &[("token", token)]).await
    }

    pub(crate) async fn revoke(&self, token: &str, hint: Option<&str>) -> Result<Answer> {
        let mut fields = vec![("token", token)];
        fields.extend(hint.map(|hint| ("token_type_hint", hint)));
        self.post("/revoke", &fields).await
    }

    /// An access token that userinfo answers to, with the person's name.
    pub(crate) async fn sees_alive(&self, access_token: &str) -> Result<()> {
        let answer = self.userinfo(access_token).await?;
        assert_eq!(answer.succeeds()["name"], crate::server::DISPLAY_NAME);
        Ok(())
    }

    /// An access token that is refused at userinfo and inactive at introspection.
    pub(crate) async fn sees_dead(&self, access_token: &str) -> Result<()> {
        self.userinfo(access_token).await?.is_refused(401, "invalid_token");
        if self.secret.is_some() {
            self.sees_inactive(access_token).await?;
        }
        Ok(())
    }

    /// Any token of which introspection says nothing but that it is inactive (RFC 7662 section 2.2).
    pub(crate) async fn sees_inactive(&self, token: &str) -> Result<()> {
        let answer = self.introspect(token).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, r#"{"active":false}"#));
        Ok(())
    }

    /// A refresh token that the token endpoint refuses.
    pub(crate) async fn sees_refresh_refused(&self, refresh_token: &str) -> Result<()> {
        self.try_refresh(refresh_token).await?.is_refused(400, "invalid_grant");
        Ok(())
    }
}
