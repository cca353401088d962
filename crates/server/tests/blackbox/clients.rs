//! Clients built on libraries that nobody here wrote, and a browser: each signs in, uses, revokes, and sees refusal.

use std::process::Command;

use anyhow::{Context, Result};
use reqwest::Method;
use rescind_jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::{
    application::API,
    parts::{self, Subject, programs, run},
    sample,
    server::Server,
    tls::Authority,
};

fn node(program: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(programs().join(program));
    command
}

#[tokio::test]
async fn openid_client_signs_in_revokes_and_is_refused() -> Result<()> {
    let Some(_) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let subject = Subject::add(&server, json!({})).await?;
    let mut command = node("openid_client.mjs");
    subject.tell(&mut command);
    run(command, &server).await
}

#[tokio::test]
async fn openid_client_authenticates_with_the_secret_as_a_key() -> Result<()> {
    let Some(_) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let subject = Subject::add(&server, json!({ "auth_method": "client_secret_jwt", "rotation": "each_use" })).await?;
    let mut command = node("openid_client.mjs");
    subject.tell(&mut command);
    command.env("CLIENT_AUTH_METHOD", "client_secret_jwt");
    run(command, &server).await
}

#[tokio::test]
async fn oauth4webapi_signs_in_revokes_and_is_refused() -> Result<()> {
    let Some(_) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let subject = Subject::add(&server, json!({ "auth_method": "client_secret_post" })).await?;
    let mut command = node("oauth4webapi.mjs");
    subject.tell(&mut command);
    command.env("CLIENT_AUTH_METHOD", "client_secret_post");
    run(command, &server).await
}

#[tokio::test]
async fn oauth4webapi_authenticates_with_a_private_key_and_reads_signed_introspection() -> Result<()> {
    let Some(_) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let keys = json!({ "keys": [key.public_jwk()] });
    let subject = Subject::add(&server, json!({ "auth_method": "private_key_jwt", "jwks": keys })).await?;
    let mut command = node("oauth4webapi.mjs");
    subject.tell(&mut command);
    command.env("CLIENT_JWK", private_jwk(&key)?.to_string()).env("INTROSPECTION_JWT", "1");
    run(command, &server).await
}

#[tokio::test]
async fn jwt_status_list_decodes_our_lists_and_sees_revocations_in_them() -> Result<()> {
    let Some(_) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let subject = Subject::add(&server, json!({})).await?;
    let audience = form_urlencoded::byte_serialize(API.as_bytes()).collect::<String>();
    server.administer(Method::PATCH, &format!("/apis?audience={audience}"), &json!({ "token_format": "jwt" })).await?;
    let mut command = node("status_list.mjs");
    subject.tell(&mut command);
    run(command, &server).await
}

/// The key as its holder writes it. The private number stands behind the version in the inner structure (RFC 5915).
fn private_jwk(key: &SigningKey) -> Result<Value> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let version_and_length = [2, 1, 1, 4, 32];
    let pkcs8 = key.to_pkcs8();
    let at = pkcs8.windows(version_and_length.len()).position(|bytes| bytes == version_and_length);
    let start = at.context("no private number")? + version_and_length.len();
    let mut jwk = key.public_jwk();
    jwk["d"] = URL_SAFE_NO_PAD.encode(pkcs8.get(start..start + 32).context("too short")?).into();
    Ok(jwk)
}

#[tokio::test]
async fn authlib_signs_in_revokes_and_is_refused() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let subject = Subject::add(&server, json!({})).await?;
    let mut command = Command::new(parts.join("python/bin/python"));
    command.arg("-B").arg(programs().join("authlib_client.py"));
    subject.tell(&mut command);
    run(command, &server).await
}

/// As it is at a Janssen server: the document and the endpoints have a path that the issuer has not.
#[tokio::test]
async fn every_client_finds_its_way_from_the_discovery_document_of_a_janssen_server() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let key = SigningKey::generate(Algorithm::Es256)?;
    let keys = json!({ "keys": [key.public_jwk()] });
    let mut authlib = Command::new(parts.join("python/bin/python"));
    authlib.arg("-B").arg(programs().join("authlib_client.py"));
    let mut oauth4webapi = node("oauth4webapi.mjs");
    oauth4webapi.env("CLIENT_JWK", private_jwk(&key)?.to_string());
    for (mut command, members) in [
        (node("openid_client.mjs"), json!({})),
        (oauth4webapi, json!({ "auth_method": "private_key_jwt", "jwks": keys })),
        (authlib, json!({})),
    ] {
        let server = Server::start_with("janssen.prefix = \"/jans-auth/restv1\"").await?;
        let subject = Subject::add(&server, members).await?;
        subject.tell(&mut command);
        command.env("DISCOVERY", format!("{}/jans-auth/.well-known/openid-configuration", server.issuer));
        run(command, &server).await?;
    }
    Ok(())
}

#[tokio::test]
async fn openidconnect_over_tls_signs_in_revokes_and_is_refused() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let authority = Authority::make()?;
    let server = Server::start_over_tls(&authority).await?;
    let subject = Subject::add(&server, json!({})).await?;
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--locked", "--manifest-path"]).arg(programs().join("openidconnect/Cargo.toml"));
    // Beside our own build: a project outside the workspace would share nothing with it.
    command.env("CARGO_TARGET_DIR", parts.join("openidconnect")).env("CA_FILE", authority.file(&server)?);
    subject.tell(&mut command);
    run(command, &server).await
}

#[tokio::test]
async fn a_person_with_a_browser_signs_in_consents_and_signs_out() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let subject = Subject::add(&server, json!({ "name": "Orders Notebook" })).await?;
    let mut command = node("browser.mjs");
    subject.tell(&mut command);
    command.env("SHOTS", parts.with_file_name("shots"));
    run(command, &server).await
}

#[tokio::test]
async fn a_person_with_a_browser_ends_sessions_and_applications_on_the_account_page() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let places = folder.path().join("places.mmdb");
    std::fs::write(&places, sample::database("Turin", "Italy"))?;
    let server = Server::start_with(&format!("[geoip]\ndatabase = {places:?}")).await?;
    let subject = Subject::add(&server, json!({ "name": "Orders Notebook" })).await?;
    let mut command = node("account.mjs");
    subject.tell(&mut command);
    command.env("SHOTS", parts.with_file_name("shots"));
    run(command, &server).await
}

#[tokio::test]
async fn scim2_tester_finds_that_users_are_provisioned_as_the_standard_says() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    let token = server.administer(Method::POST, "/scim-tokens", &json!({ "name": "tester" })).await?;
    let mut command = Command::new(parts.join("python/bin/python"));
    command.arg("-B").arg(programs().join("scim_conformance.py"));
    command.env("SCIM", format!("{}/scim/v2", server.issuer));
    command.env("SCIM_TOKEN", token["scim_token"].as_str().context("no token")?);
    run(command, &server).await
}
