//! Clients that sign who they are (RFC 7523): `private_key_jwt` and `client_secret_jwt`.

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use rescind::clock::{Clock, fresh_id};
use rescind_jose::{Algorithm, Kind, SigningKey};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    application::{Answer, Application},
    server::Server,
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) fn claims(app: &Application<'_>) -> Value {
    let now = Clock::System.now().secs();
    json!({ "iss": app.id, "sub": app.id, "aud": app.server.issuer, "iat": now, "exp": now + 60, "jti": fresh_id("") })
}

fn with(app: &Application<'_>, member: &str, value: Value) -> Value {
    let mut claims = claims(app);
    claims[member] = value;
    claims
}

pub(crate) async fn token(app: &Application<'_>, assertion: &str) -> Result<Answer> {
    Answer::of(assertion_request(app.server, &format!("{}/token", app.server.issuer), assertion)).await
}

/// Asks for a token at some address.
pub(crate) fn assertion_request(server: &Server, url: &str, assertion: &str) -> RequestBuilder {
    let fields =
        [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
    server.http.post(url).form(&fields)
}

async fn keyed<'a>(server: &'a Server, key: &SigningKey) -> Result<Application<'a>> {
    let members = json!({
        "redirect_uris": [], "scopes": [], "grant_types": ["client_credentials"],
        "auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] },
    });
    Application::add(server, members).await
}

#[tokio::test]
async fn a_client_proves_itself_by_its_key_under_either_algorithm_and_once_for_each_assertion() -> Result<()> {
    let server = Server::start().await?;
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        // An assertion has the `typ` of an ID token: `JWT`.
        let key = SigningKey::generate(algorithm)?;
        let app = keyed(&server, &key).await?;
        let assertion = key.sign(Kind::IdToken, &claims(&app))?;
        token(&app, &assertion).await?.succeeds();
        token(&app, &assertion).await?.is_refused(401, "invalid_client");
        for audience in [json!(format!("{}/token", server.issuer)), json!(["https://other", server.issuer])] {
            token(&app, &key.sign(Kind::IdToken, &with(&app, "aud", audience))?).await?.succeeds();
        }
        let stranger = SigningKey::generate(algorithm)?;
        token(&app, &stranger.sign(Kind::IdToken, &claims(&app))?).await?.is_refused(401, "invalid_client");
    }
    Ok(())
}

#[tokio::test]
async fn an_assertion_for_others_from_others_or_out_of_time_is_refused() -> Result<()> {
    let server = Server::start().await?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let (app, other) = (keyed(&server, &key).await?, keyed(&server, &key).await?);
    let now = Clock::System.now().secs();
    for (member, value) in [
        ("aud", json!("https://elsewhere.example")),
        ("aud", Value::Null),
        ("exp", json!(now - 60)),
        ("exp", Value::Null),
        ("exp", json!(now + 86_400)),
        ("iat", json!(now + 120)),
        ("nbf", json!(now + 120)),
        ("iss", json!(other.id)),
        ("jti", json!("")),
        ("jti", Value::Null),
    ] {
        let assertion = key.sign(Kind::IdToken, &with(&app, member, value.clone()))?;
        let answer = token(&app, &assertion).await?;
        assert_eq!((answer.status, &answer.body["error"]), (401, &json!("invalid_client")), "{member}: {value}");
    }
    let claims = claims(&app);
    token(&app, &key.sign(Kind::SecurityEvent, &claims)?).await?.is_refused(401, "invalid_client");
    token(&app, &key.sign(Kind::IdToken, &claims)?).await?.succeeds();
    Ok(())
}

fn hmac_signed(secret: &str, claims: &Value) -> Result<String> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", encode(&json!({ "alg": "HS256", "typ": "JWT" })), encode(claims));
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())?;
    mac.update(input.as_bytes());
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

#[tokio::test]
async fn a_client_proves_that_it_knows_its_secret_without_sending_it() -> Result<()> {
    let server = Server::start().await?;
    let members = json!({
        "redirect_uris": [], "scopes": [], "grant_types": ["client_credentials"], "auth_method": "client_secret_jwt",
    });
    let app = Application::add(&server, members).await?;
    let secret = app.secret.as_deref().context("no secret")?;
    let assertion = hmac_signed(secret, &claims(&app))?;
    token(&app, &assertion).await?.succeeds();
    token(&app, &assertion).await?.is_refused(401, "invalid_client");
    token(&app, &hmac_signed(&format!("{secret}x"), &claims(&app))?).await?.is_refused(401, "invalid_client");
    app.post("/token", &[("grant_type", "client_credentials")]).await?.is_refused(401, "invalid_client");
    Ok(())
}

#[tokio::test]
async fn a_public_key_is_no_secret() -> Result<()> {
    let server = Server::start().await?;
    let key = SigningKey::generate(Algorithm::Rs256)?;
    let app = keyed(&server, &key).await?;
    let published = key.public_jwk();
    let modulus = published["n"].as_str().context("no modulus")?;
    token(&app, &hmac_signed(modulus, &claims(&app))?).await?.is_refused(401, "invalid_client");
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(json!({ "alg": "none" }).to_string()),
        URL_SAFE_NO_PAD.encode(claims(&app).to_string())
    );
    token(&app, &unsigned).await?.is_refused(401, "invalid_client");
    Ok(())
}
