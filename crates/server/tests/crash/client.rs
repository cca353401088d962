//! An application of the server, and a person who signs in for it: one method for each thing they ask over the wire.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Method, RequestBuilder, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    page::{Form, main_form},
    server::{Answer, Server},
};

pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";
pub(crate) const PASSWORD: &str = "a long enough password";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A confidential client; it outlives the lives of the server.
#[derive(Clone)]
pub(crate) struct Application {
    pub(crate) id: String,
    secret: String,
}

/// The tokens of one grant.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Application {
    /// One that acts for itself.
    pub(crate) async fn robot(server: &Server) -> Self {
        let client = json!({ "name": "Robot", "grant_types": ["client_credentials"], "scopes": ["read"] });
        Self::add(server, &client).await
    }

    /// One that people sign in to, and that goes on when they have left; its refresh tokens rotate.
    pub(crate) async fn notebook(server: &Server) -> Self {
        let client = json!({
            "name": "Notebook",
            "redirect_uris": [REDIRECT_URI],
            "scopes": ["openid", "offline_access", "read"],
            "first_party": true,
            "rotation": "each_use",
        });
        Self::add(server, &client).await
    }

    /// One whose tokens end with the session, whatever was granted.
    pub(crate) async fn diary(server: &Server) -> Self {
        let client = json!({
            "name": "Diary",
            "redirect_uris": [REDIRECT_URI],
            "scopes": ["openid", "offline_access", "read"],
            "first_party": true,
            "refresh_binding": "always",
        });
        Self::add(server, &client).await
    }

    async fn add(server: &Server, client: &Value) -> Self {
        let added = server.administer(Method::POST, "/clients", client).await.unwrap().succeeds();
        let text = |member: &str| added[member].as_str().unwrap().to_owned();
        Self { id: text("id"), secret: text("client_secret") }
    }

    fn asks(&self, server: &Server, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        server.request(Method::POST, path).basic_auth(&self.id, Some(&self.secret)).form(fields)
    }

    pub(crate) async fn post(&self, server: &Server, path: &str, fields: &[(&str, &str)]) -> reqwest::Result<Answer> {
        Answer::of(self.asks(server, path, fields)).await
    }

    /// A token by the client's own credentials.
    pub(crate) async fn try_issue(&self, server: &Server) -> reqwest::Result<Answer> {
        self.post(server, "/token", &[("grant_type", "client_credentials")]).await
    }

    pub(crate) async fn issue(&self, server: &Server) -> String {
        let issued = self.try_issue(server).await.unwrap().succeeds();
        issued["access_token"].as_str().unwrap().to_owned()
    }

    /// The same for one API.
    pub(crate) async fn issue_for(&self, server: &Server, api: &str) -> String {
        let fields = [("grant_type", "client_credentials"), ("resource", api)];
        let issued = self.post(server, "/token", &fields).await.unwrap().succeeds();
        issued["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn try_revoke(&self, server: &Server, token: &str) -> reqwest::Result<Answer> {
        self.post(server, "/revoke", &[("token", token)]).await
    }

    pub(crate) async fn revoke(&self, server: &Server, token: &str) {
        self.try_revoke(server, token).await.unwrap().succeeds();
    }

    pub(crate) async fn try_refresh(&self, server: &Server, refresh_token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.post(server, "/token", &fields).await.unwrap()
    }

    pub(crate) async fn refresh(&self, server: &Server, refresh_token: &str) -> Tokens {
        Tokens::of(&self.try_refresh(server, refresh_token).await.succeeds())
    }

    pub(crate) async fn is_active(&self, server: &Server, token: &str) -> bool {
        let told = self.post(server, "/introspect", &[("token", token)]).await.unwrap().succeeds();
        told["active"].as_bool().unwrap()
    }

    /// Whether the person's browser still has a session: without one, a silent request is refused.
    pub(crate) async fn sees_signed_in(&self, server: &Server, person: &mut Person) -> bool {
        let back = person.visit(server, &self.authorization(&[("prompt", "none")])).await;
        back.query_pairs().any(|(name, _)| name == "code")
    }

    /// A person authorizes, signing in if need be; the code is exchanged for tokens.
    pub(crate) async fn sign_in(&self, server: &Server, person: &mut Person) -> Tokens {
        self.sign_in_with(server, person, &[]).await
    }

    /// The same, with more parameters of the authorization request.
    pub(crate) async fn sign_in_with(&self, server: &Server, person: &mut Person, more: &[(&str, &str)]) -> Tokens {
        let back = person.visit(server, &self.authorization(more)).await;
        let (_, code) = back.query_pairs().find(|(name, _)| name == "code").unwrap();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        Tokens::of(&self.post(server, "/token", &fields).await.unwrap().succeeds())
    }

    fn authorization(&self, more: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", REDIRECT_URI)
            .append_pair("scope", "openid offline_access read")
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more)
            .finish();
        format!("/authorize?{query}")
    }
}

impl Tokens {
    fn of(body: &Value) -> Self {
        let text = |member: &str| body[member].as_str().unwrap().to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}

/// Whether userinfo answers to an access token.
pub(crate) async fn userinfo_answers(server: &Server, access_token: &str) -> bool {
    let answer = Answer::of(server.request(Method::GET, "/userinfo").bearer_auth(access_token)).await.unwrap();
    assert!([200, 401].contains(&answer.status), "{answer:?}");
    answer.status == 200
}

/// A person with a browser that keeps cookies.
pub(crate) struct Person {
    user_name: String,
    /// What administrators call them.
    pub(crate) id: String,
    cookies: BTreeMap<String, String>,
}

impl Person {
    /// Somebody new.
    pub(crate) async fn add(server: &Server, user_name: &str) -> Self {
        let user = json!({ "user_name": user_name, "password": PASSWORD });
        let added = server.administer(Method::POST, "/users", &user).await.unwrap().succeeds();
        let id = added["id"].as_str().unwrap().to_owned();
        Self { user_name: user_name.to_owned(), id, cookies: BTreeMap::new() }
    }

    /// Goes on, filling in forms, until the application is reached; the URL at which it is.
    async fn visit(&mut self, server: &Server, path: &str) -> Url {
        let (mut url, mut fields) = (path.to_owned(), None);
        for _ in 0..10 {
            let request = match fields.take() {
                Some(fields) => server.at_issuer(Method::POST, &url).form::<Vec<(String, String)>>(&fields),
                None => server.at_issuer(Method::GET, &url),
            };
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = request.header(header::COOKIE, cookies.join("; ")).send().await.unwrap();
            self.keep_cookies(answer.headers());
            if answer.status().is_redirection() {
                answer.headers()[header::LOCATION].to_str().unwrap().clone_into(&mut url);
                if url.starts_with(REDIRECT_URI) {
                    return Url::parse(&url).unwrap();
                }
                continue;
            }
            let html = answer.text().await.unwrap();
            let form = main_form(&html).unwrap_or_else(|| panic!("no form: {html}"));
            form.attributes.find("action").unwrap().clone_into(&mut url);
            fields = Some(self.filled(&form));
        }
        panic!("no end at {url}")
    }

    fn keep_cookies(&mut self, headers: &header::HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    fn filled(&self, form: &Form) -> Vec<(String, String)> {
        let field = |control: &crate::page::Control| {
            let name = control.find("name")?;
            let value = match name {
                "username" => &self.user_name,
                "password" => PASSWORD,
                _ => control.find("value").unwrap_or_default(),
            };
            Some((name.to_owned(), value.to_owned()))
        };
        form.inputs.iter().chain(form.buttons.first()).filter_map(field).collect()
    }
}
