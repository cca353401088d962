//! The revocation endpoint (RFC 7009) where the numbered cases do not reach.

use anyhow::Result;
use serde_json::json;

use crate::{
    application::{Answer, Application},
    server::Server,
};

#[tokio::test]
async fn a_hint_that_nobody_knows_is_ignored() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let answer = app.revoke(&tokens.access, Some("urn:example:unheard-of")).await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    app.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn a_token_given_twice_is_a_mistake_and_nothing_is_revoked() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let (one, other) = (app.sign_in().await?, app.sign_in().await?);
    let twice = [("token", one.access.as_str()), ("token", other.access.as_str())];
    app.post("/revoke", &twice).await?.is_refused(400, "invalid_request");
    app.sees_alive(&one.access).await?;
    app.sees_alive(&other.access).await
}

#[tokio::test]
async fn tokens_come_in_the_body_of_a_post_and_nowhere_else() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let token = app.sign_in().await?.access;
    let url = format!("{}/revoke", server.issuer);
    let in_query = server.http.get(format!("{url}?token={token}")).basic_auth(&app.id, app.secret.as_ref());
    assert_eq!(Answer::of(in_query).await?.status, 405);
    let as_json = server.http.post(&url).basic_auth(&app.id, app.secret.as_ref()).json(&json!({ "token": token }));
    let refused = Answer::of(as_json).await?;
    refused.is_refused(400, "invalid_request");
    assert_eq!(
        (&refused.headers["cache-control"], &refused.headers["pragma"]),
        (&"no-store".parse()?, &"no-cache".parse()?)
    );
    app.sees_alive(&token).await
}

#[tokio::test]
async fn applications_in_browsers_may_call_from_any_origin_without_cookies() -> Result<()> {
    let server = Server::start().await?;
    for path in ["/revoke", "/token", "/userinfo"] {
        let url = format!("{}{path}", server.issuer);
        let asked = server.http.request(reqwest::Method::OPTIONS, &url).header("origin", "https://app.example");
        let asked = Answer::of(asked.header("access-control-request-method", "POST")).await?;
        assert_eq!((asked.status, &asked.headers["access-control-allow-origin"]), (204, &"*".parse()?), "{path}");
        assert!(asked.headers["access-control-allow-methods"].to_str()?.contains("POST"));
        assert!(asked.headers.get("access-control-allow-credentials").is_none());
        let answer = Answer::of(server.http.post(&url).header("origin", "https://app.example")).await?;
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}: {}", answer.status);
    }
    let asked = server.http.request(reqwest::Method::OPTIONS, format!("{}/authorize", server.issuer)).send().await?;
    assert!(asked.headers().get("access-control-allow-origin").is_none(), "people's cookies are not for other origins");
    Ok(())
}

#[tokio::test]
async fn a_public_client_learns_nothing_about_others_tokens_and_ends_none() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let stranger = Application::add(&server, json!({ "auth_method": "none" })).await?;
    let tokens = app.sign_in().await?;
    for token in [tokens.access.as_str(), tokens.refresh.as_str(), "rsc_at_unknown"] {
        let answer = stranger.revoke(token, None).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }
    app.sees_alive(&tokens.access).await?;
    app.refresh(&tokens.refresh).await?;
    Ok(())
}
