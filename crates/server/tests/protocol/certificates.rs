//! Clients known by their certificates (RFC 8705), over our own TLS and through a proxy.

use std::process::Command;

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::{Client, Identity, RequestBuilder, header::HeaderMap, redirect::Policy};
use rescind_jose::certificate_thumbprint;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    server::{Server, Setup},
    tls::Authority,
};

const NAME: &str = "client.example";
const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// Who signs the certificates of clients.
pub(crate) struct Signer {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Signer {
    pub(crate) fn make() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = parameters.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(parameters, key), pem })
    }
}

/// A client's certificate and key.
pub(crate) struct Shown {
    pem: String,
    key: String,
    pub(crate) der: Vec<u8>,
}

impl Shown {
    /// Signed by itself, unless somebody else does.
    pub(crate) fn make(name: &str, signer: Option<&Signer>) -> Result<Self> {
        let key = KeyPair::generate()?;
        let parameters = CertificateParams::new(vec![name.to_owned()])?;
        let certificate = match signer {
            Some(signer) => parameters.signed_by(&key, &signer.issuer)?,
            None => parameters.self_signed(&key)?,
        };
        Ok(Self { pem: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() })
    }

    pub(crate) fn thumbprint(&self) -> String {
        certificate_thumbprint(&self.der)
    }
}

/// A caller on a connection of its own.
fn caller(authority: &Authority, shown: Option<&Shown>) -> Result<Client> {
    caller_with(authority, shown, HeaderMap::new())
}

/// The same with headers in every request.
pub(crate) fn caller_with(authority: &Authority, shown: Option<&Shown>, headers: HeaderMap) -> Result<Client> {
    let builder = Client::builder().redirect(Policy::none()).no_proxy().tls_certs_only([authority.root()?]);
    let builder = builder.default_headers(headers);
    Ok(match shown {
        Some(shown) => {
            builder.identity(Identity::from_pem(format!("{}{}", shown.key, shown.pem).as_bytes())?).build()?
        }
        None => builder.build()?,
    })
}

pub(crate) fn machine(members: &Value) -> Value {
    let mut all = json!({ "redirect_uris": [], "scopes": [], "grant_types": ["client_credentials"] });
    if let (Some(all), Some(members)) = (all.as_object_mut(), members.as_object()) {
        all.extend(members.clone());
    }
    all
}

pub(crate) fn self_signed(shown: &Shown) -> Value {
    let keys = [json!({ "kty": "EC", "x5c": [STANDARD.encode(&shown.der)] })];
    json!({ "auth_method": "self_signed_tls_client_auth", "jwks": { "keys": keys } })
}

fn by_name() -> Value {
    json!({ "auth_method": "tls_client_auth", "tls_client_auth_san_dns": NAME })
}

/// A token request that says no more than the client's name.
pub(crate) fn token(http: &Client, app: &Application<'_>) -> RequestBuilder {
    let fields = [GRANT[0], ("client_id", app.id.as_str())];
    http.post(format!("{}/token", app.server.issuer)).form(&fields)
}

async fn with_tls(authority: &Authority, signer: &Signer) -> Result<Server> {
    with_tls_and(authority, signer, "").await
}

/// The same with more lines in the configuration.
pub(crate) async fn with_tls_and(authority: &Authority, signer: &Signer, lines: &str) -> Result<Server> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("client-ca.pem");
    std::fs::write(&file, &signer.pem)?;
    let line = format!("client_ca = {file:?}\n");
    Server::start_as(Setup { lines, tls: Some((authority, &line)), ..Setup::default() }).await
}

#[tokio::test]
async fn a_certificate_of_the_right_authority_and_name_speaks_for_its_client() -> Result<()> {
    let (authority, signer) = (Authority::make()?, Signer::make()?);
    let server = with_tls(&authority, &signer).await?;
    let app = Application::add(&server, machine(&by_name())).await?;
    let right = Shown::make(NAME, Some(&signer))?;
    let answer = Answer::of(token(&caller(&authority, Some(&right))?, &app)).await?;
    answer.succeeds();
    for wrong in [
        None,
        Some(Shown::make(NAME, None)?),
        Some(Shown::make(NAME, Some(&Signer::make()?))?),
        Some(Shown::make("other.example", Some(&signer))?),
    ] {
        let http = caller(&authority, wrong.as_ref())?;
        Answer::of(token(&http, &app)).await?.is_refused(401, "invalid_client");
        let with_header = token(&http, &app).header("client-cert", STANDARD.encode(&right.der));
        Answer::of(with_header).await?.is_refused(401, "invalid_client");
    }
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_the_client_registered_needs_no_authority_and_no_other_will_do() -> Result<()> {
    let (authority, signer) = (Authority::make()?, Signer::make()?);
    let server = with_tls(&authority, &signer).await?;
    let right = Shown::make(NAME, None)?;
    let app = Application::add(&server, machine(&self_signed(&right))).await?;
    Answer::of(token(&caller(&authority, Some(&right))?, &app)).await?.succeeds();
    for wrong in [None, Some(Shown::make(NAME, None)?), Some(Shown::make(NAME, Some(&signer))?)] {
        Answer::of(token(&caller(&authority, wrong.as_ref())?, &app)).await?.is_refused(401, "invalid_client");
    }
    Ok(())
}

/// Its body has no room for the client's name.
#[tokio::test]
async fn a_certificate_speaks_for_a_client_at_global_token_revocation_too() -> Result<()> {
    let (authority, signer) = (Authority::make()?, Signer::make()?);
    let server = with_tls(&authority, &signer).await?;
    let (right, wrong) = (Shown::make(NAME, None)?, Shown::make(NAME, None)?);
    let mut members = machine(&self_signed(&right));
    members["scopes"] = json!(["global_token_revocation"]);
    let app = Application::add(&server, members).await?;
    let url = format!("{}/global-token-revocation?client_id={}", server.issuer, app.id);
    let body = json!({ "sub_id": { "format": "email", "email": "ada@example.com" } });
    for (shown, status) in [(Some(&right), 204), (Some(&wrong), 401), (None, 401)] {
        let answer = Answer::of(caller(&authority, shown)?.post(&url).json(&body)).await?;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let token = Answer::of(token(&caller(&authority, Some(&right))?, &app)).await?.text("access_token")?;
    let url = format!("{}/global-token-revocation", server.issuer);
    for (shown, status) in [(Some(&right), 204), (Some(&wrong), 401), (None, 401)] {
        let asked = caller(&authority, shown)?.post(&url).json(&body).bearer_auth(&token);
        assert_eq!(Answer::of(asked).await?.status, status, "a token bound to a certificate needs it");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_bound_to_a_certificate_is_worth_nothing_without_it() -> Result<()> {
    let (authority, signer) = (Authority::make()?, Signer::make()?);
    let mut server = with_tls(&authority, &signer).await?;
    let shown = Shown::make(NAME, None)?;
    server.http = caller(&authority, Some(&shown))?;
    let app = Application::add(&server, self_signed(&shown)).await?;
    let tokens = app.sign_in().await?;
    app.sees_alive(&tokens.access).await?;
    let seen = app.introspect(&tokens.access).await?;
    assert_eq!(seen.succeeds()["cnf"], json!({ "x5t#S256": shown.thumbprint() }));
    let userinfo = format!("{}/userinfo", server.issuer);
    for wrong in [None, Some(Shown::make(NAME, None)?)] {
        let request = caller(&authority, wrong.as_ref())?.get(&userinfo).bearer_auth(&tokens.access);
        Answer::of(request).await?.is_refused(401, "invalid_token");
    }
    app.sees_alive(&tokens.access).await
}

pub(crate) fn proxied(trusted: &str, verified: bool) -> String {
    format!(
        "[proxy]\ntrusted = [{trusted:?}]\nclient_certificate_header = \"client-cert\"\n\
         client_certificate_verified = {verified}"
    )
}

/// As proxies write it: RFC 3986 leaves letters, digits and `-` as they are.
fn url_encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[tokio::test]
async fn a_trusted_proxy_passes_the_certificate_on_in_any_of_three_forms() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.1", true)).await?;
    let shown = Shown::make(NAME, None)?;
    let der = STANDARD.encode(&shown.der);
    for members in [by_name(), self_signed(&shown)] {
        let app = Application::add(&server, machine(&members)).await?;
        for header in [der.clone(), format!(":{der}:"), url_encoded(&shown.pem)] {
            let answer = Answer::of(token(&server.http, &app).header("client-cert", &header)).await?;
            answer.succeeds();
        }
        Answer::of(token(&server.http, &app)).await?.is_refused(401, "invalid_client");
        let twice = token(&server.http, &app).header("client-cert", &der).header("client-cert", &der);
        Answer::of(twice).await?.is_refused(401, "invalid_client");
        let other = STANDARD.encode(Shown::make("other.example", None)?.der);
        Answer::of(token(&server.http, &app).header("client-cert", other)).await?.is_refused(401, "invalid_client");
    }
    Ok(())
}

#[tokio::test]
async fn a_header_from_anybody_else_is_ignored() -> Result<()> {
    let server = Server::start_with(&proxied("192.0.2.1", true)).await?;
    let shown = Shown::make(NAME, None)?;
    for members in [by_name(), self_signed(&shown)] {
        let app = Application::add(&server, machine(&members)).await?;
        let request = token(&server.http, &app).header("client-cert", STANDARD.encode(&shown.der));
        Answer::of(request).await?.is_refused(401, "invalid_client");
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_does_not_verify_chains_speaks_for_registered_certificates_only() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.0/8", false)).await?;
    let shown = Shown::make(NAME, None)?;
    let header = STANDARD.encode(&shown.der);
    let app = Application::add(&server, machine(&by_name())).await?;
    let request = token(&server.http, &app).header("client-cert", &header);
    Answer::of(request).await?.is_refused(401, "invalid_client");
    let app = Application::add(&server, machine(&self_signed(&shown))).await?;
    Answer::of(token(&server.http, &app).header("client-cert", &header)).await?.succeeds();
    Ok(())
}

#[tokio::test]
async fn after_sighup_new_connections_meet_the_new_certificate() -> Result<()> {
    let (old, new) = (Authority::make()?, Authority::make()?);
    let server = Server::start_over_tls(&old).await?;
    let ready = format!("{}/readyz", server.issuer);
    let meets =
        async |authority: &Authority| -> Result<bool> { Ok(caller(authority, None)?.get(&ready).send().await.is_ok()) };
    assert!(meets(&old).await? && !meets(&new).await?);
    new.configuration(&server.path(""))?;
    assert!(meets(&old).await?, "not before it is told to");
    let sent = Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status()?;
    ensure!(sent.success(), "no signal was sent");
    while !meets(&new).await? {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(!meets(&old).await?);
    assert_eq!(server.http.get(&ready).send().await?.status(), 200, "a connection there was goes on");
    Ok(())
}
