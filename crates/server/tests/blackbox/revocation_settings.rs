//! The numbered cases of the revocation endpoint that take a setting: Janssen's switches, over the wire.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Application, SCOPE},
    server::Server,
};

async fn set(server: &Server, name: &str, value: Value) -> Result<()> {
    server.administer(Method::PATCH, &format!("/settings/{name}"), &json!({ "value": value })).await.map(drop)
}

/// A client that may be allowed to revoke tokens of others.
async fn with_the_scope(server: &Server) -> Result<Application<'_>> {
    let scopes: Vec<&str> = SCOPE.split(' ').chain(["revoke_any_token"]).collect();
    Application::add(server, json!({ "scopes": scopes })).await
}

#[tokio::test]
async fn j10_j15_a_clients_own_token_takes_neither_the_setting_nor_the_scope() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    for allowed in [false, true] {
        set(&server, "allowRevokeForOtherClients", json!(allowed)).await?;
        let tokens = app.sign_in().await?;
        app.revoke(&tokens.access, None).await?.succeeds();
        app.sees_dead(&tokens.access).await?;
    }
    Ok(())
}

#[tokio::test]
async fn j11_without_the_setting_not_even_the_scope_reaches_another_clients_token() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, with_the_scope(&server).await?);
    let tokens = app.sign_in().await?;
    other.revoke(&tokens.access, None).await?.is_refused(400, "invalid_request");
    app.sees_alive(&tokens.access).await
}

#[tokio::test]
async fn j12_j13_j28_with_the_setting_and_the_scope_another_clients_token_dies() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, with_the_scope(&server).await?);
    set(&server, "allowRevokeForOtherClients", json!(true)).await?;
    let tokens = app.sign_in().await?;
    other.revoke(&tokens.access, Some("access_token")).await?.succeeds();
    app.sees_dead(&tokens.access).await?;
    app.sees_refresh_refused(&tokens.refresh).await?;
    Ok(())
}

#[tokio::test]
async fn j14_with_the_setting_alone_another_clients_token_goes_on_working() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    set(&server, "allowRevokeForOtherClients", json!(true)).await?;
    let tokens = app.sign_in().await?;
    let refused = other.revoke(&tokens.access, None).await?;
    refused.is_refused(400, "invalid_request");
    assert!(refused.text("error_description")?.contains("revoke_any_token"), "{}", refused.text);
    app.sees_alive(&tokens.access).await
}

#[tokio::test]
async fn j25_all_ends_what_the_caller_holds_once_it_is_allowed() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    let (first, second, theirs) = (app.sign_in().await?, app.sign_in().await?, other.sign_in().await?);
    app.revoke("all", None).await?.succeeds();
    app.sees_alive(&first.access).await?;
    set(&server, "allowAllValueForRevokeEndpoint", json!(true)).await?;
    app.revoke("all", None).await?.succeeds();
    for tokens in [&first, &second] {
        app.sees_dead(&tokens.access).await?;
        app.sees_refresh_refused(&tokens.refresh).await?;
    }
    other.sees_alive(&theirs.access).await
}

#[tokio::test]
async fn j26_all_with_the_hint_refresh_token_ends_whole_grants() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    set(&server, "allowAllValueForRevokeEndpoint", json!(true)).await?;
    let tokens = app.sign_in().await?;
    app.revoke("all", Some("refresh_token")).await?.succeeds();
    app.sees_refresh_refused(&tokens.refresh).await?;
    app.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn j30_two_tokens_with_a_space_between_them_both_die() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    let (one, two, theirs) = (app.sign_in().await?, app.sign_in().await?, other.sign_in().await?);
    let with_theirs = format!("{} {}", one.access, theirs.access);
    app.revoke(&with_theirs, None).await?.is_refused(400, "invalid_request");
    app.sees_alive(&one.access).await?;
    app.revoke(&format!("{} {}", one.access, two.refresh), None).await?.succeeds();
    app.sees_dead(&one.access).await?;
    app.sees_dead(&two.access).await
}

#[tokio::test]
async fn j31_a_script_that_says_no_leaves_the_token_alive_and_the_caller_none_the_wiser() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let script = json!({ "name": "no", "source": "fn revoke(event) { deny() }" });
    server.administer(Method::POST, "/scripts", &script).await?;
    let answer = app.revoke(&tokens.access, None).await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    app.sees_alive(&tokens.access).await?;
    let runs = server.administer(Method::GET, "/audit?action=script", &Value::Null).await?;
    let records = runs["items"].as_array().into_iter().flatten();
    let denied = records.filter(|record| record.to_string().contains("denied_silently")).count();
    assert_eq!(denied, 1, "{runs}");
    server.administer(Method::PATCH, "/scripts/no", &json!({ "enabled": false })).await?;
    app.revoke(&tokens.access, None).await?.succeeds();
    app.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn a_request_and_its_answer_share_a_correlation_id() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let call = |id: &'static str| {
        let request = server.http.post(format!("{}/revoke", server.issuer)).form(&[("token", "x")]);
        request.basic_auth(&app.id, app.secret.as_ref()).header("x-correlation-id", id).send()
    };
    assert_eq!(call("ticket-4711").await?.headers()["x-correlation-id"], "ticket-4711");
    let made_up = call("no good id").await?.headers()["x-correlation-id"].to_str()?.to_owned();
    assert!(made_up.starts_with("r_"), "{made_up}");
    Ok(())
}
