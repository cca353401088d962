//! Client authentication by secrets, and by nothing (RFC 6749 section 2.3).

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::{
    application::{Answer, Application},
    browsing::{code, redeem},
    server::Server,
};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// A client without a person.
async fn machine<'a>(server: &'a Server, method: &str) -> Result<(Application<'a>, String)> {
    let members = json!({
        "redirect_uris": [], "scopes": [], "grant_types": ["client_credentials"], "auth_method": method,
    });
    let app = Application::add(server, members).await?;
    let secret = app.secret.clone().context("no secret")?;
    Ok((app, secret))
}

fn token(server: &Server, fields: &[(&str, &str)]) -> RequestBuilder {
    server.http.post(format!("{}/token", server.issuer)).form(fields)
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn basic_takes_both_halves_plain_or_percent_encoded() -> Result<()> {
    let server = Server::start().await?;
    let (app, secret) = machine(&server, "client_secret_basic").await?;
    for header in [basic(&app.id, &secret), basic(&percent_encoded(&app.id), &percent_encoded(&secret))] {
        Answer::of(token(&server, &[GRANT]).header("authorization", header)).await?.succeeds();
    }
    let lower = basic(&app.id, &secret).replacen("Basic", "basic", 1);
    Answer::of(token(&server, &[GRANT]).header("authorization", lower)).await?.succeeds();
    for wrong in ["Basic", "Basic !!!", "Basic YQ==", "Bearer abc", "Basic OmE="] {
        let refused = Answer::of(token(&server, &[GRANT]).header("authorization", wrong)).await?;
        refused.is_refused(401, "invalid_client");
        assert!(refused.headers["www-authenticate"].to_str()?.starts_with("Basic"), "{wrong}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_registered_one_way_is_refused_the_other() -> Result<()> {
    let server = Server::start().await?;
    for method in ["client_secret_basic", "client_secret_post"] {
        let (app, secret) = machine(&server, method).await?;
        let by_header = token(&server, &[GRANT]).basic_auth(&app.id, Some(&secret));
        let by_body = token(&server, &[GRANT, ("client_id", &app.id), ("client_secret", &secret)]);
        let (right, wrong) = if method == "client_secret_basic" { (by_header, by_body) } else { (by_body, by_header) };
        Answer::of(right).await?.succeeds();
        Answer::of(wrong).await?.is_refused(401, "invalid_client");
    }
    Ok(())
}

#[tokio::test]
async fn two_ways_at_once_are_one_too_many() -> Result<()> {
    let server = Server::start().await?;
    let (app, secret) = machine(&server, "client_secret_basic").await?;
    let (post, _) = machine(&server, "client_secret_post").await?;
    let twice = token(&server, &[GRANT, ("client_secret", &secret)]).basic_auth(&app.id, Some(&secret));
    Answer::of(twice).await?.is_refused(400, "invalid_request");
    let kind = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let twice = token(&server, &[GRANT, kind, ("client_assertion", "a.b.c")]).basic_auth(&app.id, Some(&secret));
    Answer::of(twice).await?.is_refused(400, "invalid_request");
    let divided = token(&server, &[GRANT, ("client_id", &post.id)]).basic_auth(&app.id, Some(&secret));
    Answer::of(divided).await?.is_refused(400, "invalid_request");
    Ok(())
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() -> Result<()> {
    let server = Server::start().await?;
    let (app, secret) = machine(&server, "client_secret_basic").await?;
    let (off, off_secret) = machine(&server, "client_secret_basic").await?;
    let path = format!("/clients/{}", off.id);
    server.administer(reqwest::Method::PATCH, &path, &json!({ "enabled": false })).await?;
    let mut answers = Vec::new();
    for (id, secret) in [("c_nobody", &secret), (app.id.as_str(), &off_secret), (off.id.as_str(), &off_secret)] {
        let mut answer = Answer::of(token(&server, &[GRANT]).basic_auth(id, Some(secret))).await?;
        answer.is_refused(401, "invalid_client");
        answer.headers.remove("date");
        answer.headers.remove("x-correlation-id");
        answers.push((answer.headers, answer.text));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    Ok(())
}

#[tokio::test]
async fn a_public_client_says_its_name_and_may_neither_introspect_nor_act_for_itself() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "auth_method": "none" })).await?;
    let answer = redeem(&app, &code(&app, &[]).await?, &[]).await?;
    let access = answer.text("access_token")?;
    app.sees_alive(&access).await?;
    app.introspect(&access).await?.is_refused(401, "invalid_client");
    app.post("/token", &[GRANT]).await?.is_refused(400, "unauthorized_client");
    app.post("/token", &[GRANT, ("client_secret", "x")]).await?.is_refused(401, "invalid_client");
    app.revoke(&access, None).await?;
    app.sees_dead(&access).await
}
