//! A running server with people, a device, applications and APIs, and what the applications hold.

use std::{collections::BTreeMap, fs};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Response, Url, header, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::Host;

pub(super) const ORDERS: &str = "https://orders.example";
/// Its access tokens are JWTs.
pub(super) const PAYROLL: &str = "https://payroll.example";
/// How device management calls Alice's tablet.
pub(super) const TABLET: &str = "mdm:0a1b2c3d-0000-4000-8000-00000000000a";

const DEVICE_HEADER: &str = "x-device";
const PROXIED: &[(&str, &str)] =
    &[("RESCIND_PROXY__TRUSTED", "127.0.0.1"), ("RESCIND_PROXY__DEVICE_HEADER", DEVICE_HEADER)];
const PASSWORD: &str = "correct horse battery staple";
const BACK: &str = "https://app.example/back";
const VERIFIER: &str = "a-verifier-of-more-than-forty-three-characters";

/// Two people, of whom Alice is at a managed device; two applications for them, and one that acts for itself.
pub(super) struct World {
    pub(super) host: Host,
    runtime: Runtime,
    http: Client,
    alice: Person,
    bob: Person,
    robot_secret: String,
}

/// Somebody at a browser.
struct Person {
    name: &'static str,
    device: Option<&'static str>,
    cookies: BTreeMap<String, String>,
}

/// A token, and in words whose it is, who holds it and what it is for.
pub(super) struct Held {
    pub(super) name: &'static str,
    pub(super) token: String,
}

impl World {
    pub(super) fn new() -> Self {
        let host = Host::started_with(PROXIED);
        fs::write(host.path("password"), PASSWORD).unwrap();
        for name in ["alice", "bob"] {
            host.json(&["user", "add", name, "--password-file", host.path("password").to_str().unwrap()]);
        }
        host.json(&["device", "add", "Tablet", "--external-id", &TABLET.replacen(':', "=", 1)]);
        host.json(&["api", "add", ORDERS, "--scope", "read"]);
        host.json(&["api", "add", PAYROLL, "--scope", "read", "--token-format", "jwt"]);
        for id in ["desk", "portal"] {
            let options = ["--redirect-uri", BACK, "--auth-method", "none", "--first-party", "true", "--scope", "read"];
            host.json(&[&["client", "add", id, "--id", id], &options[..]].concat());
        }
        let robot_secret = host.client("robot", &["--scope", "read"]);
        let person = |name, device| Person { name, device, cookies: BTreeMap::new() };
        Self {
            host,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            http: Client::builder().no_proxy().redirect(Policy::none()).build().unwrap(),
            alice: person("alice", TABLET.split_once(':').map(|(_, value)| value)),
            bob: person("bob", None),
            robot_secret,
        }
    }

    /// Fresh tokens, all of them alive. Nobody gives a password who is still signed in.
    pub(super) fn issue(&mut self) -> Vec<Held> {
        let Self { host, runtime, http, alice, bob, robot_secret } = self;
        let web = Web { http, issuer: host.issuer() };
        runtime.block_on(async {
            vec![
                Held { name: "alice desk orders", token: alice.token(&web, "desk", ORDERS).await },
                Held { name: "alice desk payroll", token: alice.token(&web, "desk", PAYROLL).await },
                Held { name: "alice portal orders", token: alice.token(&web, "portal", ORDERS).await },
                Held { name: "bob desk orders", token: bob.token(&web, "desk", ORDERS).await },
                Held { name: "robot orders", token: web.own_token(robot_secret, ORDERS).await },
                Held { name: "robot payroll", token: web.own_token(robot_secret, PAYROLL).await },
            ]
        })
    }

    /// What the server has noted of a token.
    pub(super) fn record(&self, held: &Held) -> Value {
        self.host.run_with(&["explain", "--output", "json"], &held.token).json()["record"].clone()
    }

    /// How many access tokens are alive, by the server's own list.
    pub(super) fn alive(&self) -> usize {
        let listed = self.host.json(&["tokens", "list", "--limit", "500"]);
        assert_eq!(listed["next"], Value::Null, "one page holds them all");
        listed["items"].as_array().unwrap().iter().filter(|token| token["state"] == "active").count()
    }
}

/// The public endpoints.
struct Web<'a> {
    http: &'a Client,
    issuer: String,
}

impl Web<'_> {
    async fn own_token(&self, secret: &str, api: &str) -> String {
        let request = self.http.post(format!("{}/token", self.issuer)).basic_auth("robot", Some(secret));
        let form = [("grant_type", "client_credentials"), ("resource", api), ("scope", "read")];
        access_token(request.form(&form).send().await.unwrap()).await
    }
}

async fn access_token(answer: Response) -> String {
    let answer: Value = answer.json().await.unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

impl Person {
    /// Goes to an application, signs in if asked to; what the application then gets.
    async fn token(&mut self, web: &Web<'_>, client: &str, api: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let asked = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", BACK),
            ("scope", "read"),
            ("resource", api),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let url = Url::parse_with_params(&format!("{}/authorize", web.issuer), asked).unwrap();
        let mut page = self.open(web, &url, None).await;
        if page.headers().get(header::LOCATION).is_none() {
            let html = page.text().await.unwrap();
            let action = url.join(attribute(&html, "<form", "action")).unwrap();
            let hidden = |name: &str| attribute(&html, &format!("name=\"{name}\""), "value").to_owned();
            let (csrf, flow) = (hidden("csrf"), hidden("flow"));
            let fields = [("csrf", csrf.as_str()), ("flow", &flow), ("username", self.name), ("password", PASSWORD)];
            page = self.open(web, &action, Some(&fields)).await;
        }
        let back = Url::parse(page.headers()[header::LOCATION].to_str().unwrap()).unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap_or_else(|| panic!("no code: {back}")).1;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("redirect_uri", BACK),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ];
        access_token(web.http.post(format!("{}/token", web.issuer)).form(&form).send().await.unwrap()).await
    }

    async fn open(&mut self, web: &Web<'_>, url: &Url, fields: Option<&[(&str, &str)]>) -> Response {
        let request = match fields {
            Some(fields) => web.http.post(url.clone()).form(fields),
            None => web.http.get(url.clone()),
        };
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; "));
        let request = self.device.iter().fold(request, |request, device| request.header(DEVICE_HEADER, *device));
        let response = request.send().await.unwrap();
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }
}

/// An attribute of the element in which a text stands. The server's pages write attributes in one way only.
fn attribute<'a>(html: &'a str, element: &str, name: &str) -> &'a str {
    let (_, after) = html.split_once(element).unwrap_or_else(|| panic!("no {element} in {html}"));
    let (_, value) = after.split_once('>').unwrap().0.split_once(&format!(" {name}=\"")).unwrap();
    value.split_once('"').unwrap().0
}

/// The ids in the items of a list.
pub(super) fn ids(listed: &Value) -> Vec<&Value> {
    listed["items"].as_array().unwrap_or_else(|| panic!("no list: {listed}")).iter().map(|item| &item["id"]).collect()
}

#[test]
fn the_world_holds_what_its_names_say() {
    let mut world = World::new();
    let held = world.issue();
    for one in &held {
        let record = world.record(one);
        let api = if one.name.ends_with("orders") { ORDERS } else { PAYROLL };
        assert_eq!(record["audiences"], json!([api]), "{}", one.name);
        let client = one.name.trim_start_matches("alice ").trim_start_matches("bob ").split(' ').next();
        assert_eq!(record["client"].as_str(), client);
        assert_eq!(record["device"].is_string(), one.name.starts_with("alice"), "{}", one.name);
    }
    assert_eq!(world.alive(), held.len());
}
