//! The way to a server's admin API: its socket on this host, or HTTPS with a client's credentials from elsewhere.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, anyhow};
use reqwest::{Certificate, Client, Method, Url, redirect::Policy};
use rescind_store::DataDir;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{arguments::Globals, failure::Failure, input};
use crate::{admin, config};

/// A server that can be asked.
pub(super) struct Connection {
    http: Client,
    /// The issuer, or a stand-in for the host of the socket.
    base: String,
    token: Option<Zeroizing<String>>,
}

/// A preview of everything may take its time.
const PATIENCE: Duration = Duration::from_secs(120);

impl Connection {
    pub(super) async fn open(globals: &Globals) -> Result<Self, Failure> {
        match &globals.server {
            Some(server) => Self::remote(globals, server.trim_end_matches('/')).await,
            None => Ok(Self::local(&data_dir(globals)?)?),
        }
    }

    /// The server that runs on a data directory of this host.
    pub(super) fn local(data_dir: &DataDir) -> anyhow::Result<Self> {
        let socket = data_dir.socket();
        if !socket.exists() {
            return Err(anyhow!(
                "no server runs on the data directory {}: start one with `rescind serve`, name the directory with \
                 --data-dir or --config, or another host's server with --server",
                data_dir.path().display()
            ));
        }
        let http = Client::builder().unix_socket(socket).timeout(PATIENCE).redirect(Policy::none()).build()?;
        Ok(Self { http, base: "http://localhost".to_owned(), token: None })
    }

    async fn remote(globals: &Globals, server: &str) -> Result<Self, Failure> {
        let id = globals.client_id.as_deref().ok_or_else(|| {
            Failure::usage("--server needs a client: --client-id and --client-secret-file (or RESCIND_CLIENT_ID and RESCIND_CLIENT_SECRET_FILE)")
        })?;
        let file = globals.client_secret_file.as_deref().ok_or_else(|| {
            Failure::usage("--server needs the client's secret: --client-secret-file (or RESCIND_CLIENT_SECRET_FILE)")
        })?;
        let url = Url::parse(server).map_err(|_| Failure::usage("--server is the issuer's URL"))?;
        let loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !loopback {
            return Err(Failure::usage("--server is an https URL: a secret is sent there"));
        }
        let secret = input::secret_file(file)?;
        let http = client(globals.ca.as_ref())?;
        let token = fetch_token(&http, server, id, &secret).await?;
        Ok(Self { http, base: server.to_owned(), token: Some(token) })
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.send(Method::GET, path, query, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    /// Asks the server; `path` is below `/admin/v1` and its parts are encoded.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.send_keyed(method, path, query, body, None).await
    }

    /// As [`Connection::send`], with an idempotency key.
    pub(super) async fn send_keyed(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut url = Url::parse(&format!("{}{}{path}", self.base, admin::BASE)).context("the server's URL")?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.as_str());
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|why| unreachable(&why))?;
        let status = response.status();
        let text = response.text().await.map_err(|why| unreachable(&why))?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|_| anyhow!("the server answered {status} with something that is not JSON"))?;
        if status.is_success() { Ok(answer) } else { Err(Failure::Problem(problem(answer))) }
    }
}

/// The edge of the server answers in OAuth's form when it refuses before anybody reads the request.
fn problem(answer: Value) -> Value {
    if answer.get("detail").is_some() {
        return answer;
    }
    let detail = answer.get("error_description").or_else(|| answer.get("error")).cloned();
    serde_json::json!({ "type": "about:blank", "title": "Error", "detail": detail })
}

/// reqwest's own text leaves the reason to its sources.
fn unreachable(why: &reqwest::Error) -> anyhow::Error {
    let mut text = "the server cannot be reached".to_owned();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(why);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    anyhow!(text)
}

/// An HTTP client that trusts the usual roots and those of a file.
pub(super) fn client(ca: Option<&PathBuf>) -> anyhow::Result<Client> {
    let mut builder = Client::builder().timeout(PATIENCE).redirect(Policy::none());
    if let Some(file) = ca {
        let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        builder = builder.tls_certs_merge(Certificate::from_pem_bundle(&pem)?);
    }
    Ok(builder.build()?)
}

/// RFC 6749 section 4.4. Without a scope asked for, the client gets every one that it may have.
async fn fetch_token(http: &Client, server: &str, id: &str, secret: &str) -> Result<Zeroizing<String>, Failure> {
    // Both halves are form-encoded before they are joined (section 2.3.1).
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let request = http
        .post(format!("{server}/token"))
        .basic_auth(encode(id), Some(encode(secret)))
        .form(&[("grant_type", "client_credentials")]);
    let response = request.send().await.map_err(|why| unreachable(&why))?;
    let status = response.status();
    let answer: Value = response.json().await.map_err(|why| unreachable(&why))?;
    match answer.get("access_token").and_then(Value::as_str) {
        Some(token) if status.is_success() => Ok(Zeroizing::new(token.to_owned())),
        _ => Err(Failure::Problem(problem(answer))),
    }
}

/// The data directory: the one named on the command line, or the configured one.
pub(super) fn data_dir(globals: &Globals) -> Result<DataDir, Failure> {
    if let Some(path) = &globals.data_dir {
        return Ok(DataDir::at(path));
    }
    Ok(DataDir::at(&configuration(globals)?.data_dir))
}

/// The configuration, as the server would read it.
pub(super) fn configuration(globals: &Globals) -> Result<config::Config, Failure> {
    let mut config = config::load(globals.config.as_deref(), std::env::vars())
        .map_err(|mistakes| anyhow!("the configuration has mistakes:\n{mistakes}"))?;
    if let Some(path) = &globals.data_dir {
        config.data_dir.clone_from(path);
    }
    Ok(config)
}

/// One part of a path, encoded.
pub(super) fn part(text: &str) -> String {
    // `+` would mean itself in a path; the form's encoding writes it for a space.
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
