//! Initial access tokens: the leave to register one client (RFC 7591 section 3), and how it is taken back.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, REDIRECT_URI},
    server::Server,
};

const TOKENS: &str = "/initial-access-tokens";

fn metadata() -> Value {
    json!({ "redirect_uris": [REDIRECT_URI] })
}

/// A fresh one: its id and its text.
pub(crate) async fn initial_access_token(server: &Server) -> Result<(String, String)> {
    let made = server.administer(Method::POST, TOKENS, &Value::Null).await?;
    let member = |name: &str| Ok::<_, anyhow::Error>(made[name].as_str().context("a member is missing")?.to_owned());
    Ok((member("id")?, member("initial_access_token")?))
}

pub(crate) async fn register(server: &Server, token: &str, metadata: &Value) -> Result<Answer> {
    let request = server.http.post(format!("{}/register", server.issuer)).bearer_auth(token);
    Answer::of(request.json(metadata)).await
}

/// The listing's line about one.
async fn shown(server: &Server, id: &str) -> Result<Option<Value>> {
    let listing = server.administer(Method::GET, TOKENS, &Value::Null).await?;
    let items = listing["items"].as_array().context("no items")?;
    Ok(items.iter().find(|item| item["id"] == id).cloned())
}

/// How many clients have registered themselves.
async fn clients(server: &Server) -> Result<usize> {
    let listing = server.administer(Method::GET, "/clients", &Value::Null).await?;
    let items = listing["items"].as_array().context("no items")?;
    Ok(items.iter().filter(|item| item["registered_itself"] == true).count())
}

#[tokio::test]
async fn an_initial_access_token_registers_one_client_and_is_then_shown_as_used() -> Result<()> {
    let server = Server::start().await?;
    let (id, token) = initial_access_token(&server).await?;
    let (other, _) = initial_access_token(&server).await?;
    let fresh = shown(&server, &id).await?.context("not listed")?;
    assert_eq!((&fresh["used"], &fresh["client"], &fresh["revoked"]), (&json!(false), &Value::Null, &json!(false)));
    assert!(fresh["expires_at"].is_i64() && !fresh.to_string().contains(&token));
    register(&server, &token, &json!({ "redirect_uris": [] })).await?.is_refused(400, "invalid_redirect_uri");
    // Many at once are no more than one after the other.
    let metadata = metadata();
    let tries = (0..6).map(|_| register(&server, &token, &metadata));
    let answers = futures_util::future::try_join_all(tries).await?;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), clients(&server).await?), (1, 1));
    refused.iter().for_each(|answer| answer.is_refused(401, "invalid_token"));
    let used = shown(&server, &id).await?.context("no longer listed")?;
    assert_eq!((&used["used"], &used["client"]), (&json!(true), &made[0].body["client_id"]));
    assert_eq!(shown(&server, &other).await?.context("the other is gone")?["used"], false);
    for wrong in ["rsc_ia_guess", id.as_str(), &format!("{token}x")] {
        register(&server, wrong, &metadata).await?.is_refused(401, "invalid_token");
    }
    Ok(())
}

#[tokio::test]
async fn an_initial_access_token_from_before_a_cut_off_of_everything_registers_nobody() -> Result<()> {
    let server = Server::start().await?;
    let (id, token) = initial_access_token(&server).await?;
    server.administer(Method::POST, "/revocations", &json!({ "target": { "kind": "everything" } })).await?;
    register(&server, &token, &metadata()).await?.is_refused(401, "invalid_token");
    assert_eq!(clients(&server).await?, 0);
    assert_eq!(shown(&server, &id).await?.context("not listed")?["revoked"], true);
    let (_, later) = initial_access_token(&server).await?;
    assert_eq!(register(&server, &later, &metadata()).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn an_initial_access_token_that_was_withdrawn_registers_nobody_and_is_not_listed() -> Result<()> {
    let server = Server::start().await?;
    let (id, token) = initial_access_token(&server).await?;
    let (other, good) = initial_access_token(&server).await?;
    let withdraw = async || {
        let request = server.admin.delete(format!("http://localhost/admin/v1{TOKENS}/{id}"));
        Answer::of(request).await
    };
    assert_eq!(withdraw().await?.succeeds()["removed"], true);
    register(&server, &token, &metadata()).await?.is_refused(401, "invalid_token");
    assert_eq!(shown(&server, &id).await?, None);
    assert!(shown(&server, &other).await?.is_some());
    let again = withdraw().await?;
    assert_eq!((again.status, &again.body["code"]), (404, &json!("not_found")));
    assert_eq!(register(&server, &good, &metadata()).await?.status, 201);
    Ok(())
}
