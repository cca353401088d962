//! The userinfo endpoint (OpenID Connect Core section 5.3) and bearer tokens (RFC 6750).

use anyhow::Result;
use reqwest::Method;
use serde_json::json;

use crate::{
    application::{API, Answer, Application},
    browsing::{code, redeem, refresh},
    server::{DISPLAY_NAME, Server, USER_NAME},
};

fn challenge(answer: &Answer) -> &str {
    answer.headers.get("www-authenticate").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_token_is_taken_from_the_header_or_the_body_and_from_one_place_only() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let token = app.sign_in().await?.access;
    let url = format!("{}/userinfo", server.issuer);
    let form = [("access_token", token.as_str())];
    for request in [
        server.http.get(&url).bearer_auth(&token),
        server.http.get(&url).header("authorization", format!("bearer {token}")),
        server.http.post(&url).bearer_auth(&token),
        server.http.post(&url).form(&form),
    ] {
        let answer = Answer::of(request).await?;
        assert_eq!(
            (&answer.succeeds()["name"], &answer.body["preferred_username"]),
            (&json!(DISPLAY_NAME), &json!(USER_NAME))
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let twice = Answer::of(server.http.post(&url).bearer_auth(&token).form(&form)).await?;
    twice.is_refused(400, "invalid_request");
    let in_query = Answer::of(server.http.get(format!("{url}?access_token={token}"))).await?;
    assert_eq!((in_query.status, in_query.body.get("error")), (401, None), "never from the query");
    let in_get_body = Answer::of(server.http.get(&url).form(&form)).await?;
    assert_eq!(in_get_body.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_caller_without_a_token_is_asked_for_one_and_told_no_error() -> Result<()> {
    let server = Server::start().await?;
    let answer = Answer::of(server.http.get(format!("{}/userinfo", server.issuer))).await?;
    assert_eq!((answer.status, answer.body.get("error")), (401, None));
    assert!(challenge(&answer).starts_with("Bearer") && !challenge(&answer).contains("error"));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_unknown_or_revoked_is_an_invalid_one() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    for wrong in ["rsc_at_unknown", tokens.refresh.as_str(), "a.b.c", ""] {
        app.userinfo(wrong).await?.is_refused(401, "invalid_token");
    }
    app.revoke(&tokens.access, None).await?;
    let answer = app.userinfo(&tokens.access).await?;
    answer.is_refused(401, "invalid_token");
    assert!(challenge(&answer).contains(r#"error="invalid_token""#));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_not_for_the_issuer_or_no_longer_opens_nothing() -> Result<()> {
    let server = Server::start().await?;
    let api = json!({ "audience": API, "name": "Orders" });
    server.administer(Method::POST, "/apis", &api).await?;
    let app = Application::confidential(&server).await?;
    let answer =
        redeem(&app, &code(&app, &[("scope", "openid offline_access"), ("resource", API)]).await?, &[]).await?;
    app.userinfo(&answer.text("access_token")?).await?.succeeds();
    // What is cut off is left out of the audiences from then on.
    let target = json!({ "target": { "kind": "api", "api": server.issuer } });
    server.administer(Method::POST, "/revocations", &target).await?;
    let later = refresh(&app, &answer.text("refresh_token")?, &[]).await?;
    assert_eq!(later.succeeds()["scope"], "openid offline_access");
    let token = later.text("access_token")?;
    assert_eq!(app.introspect(&token).await?.succeeds()["aud"], API, "it is alive");
    let refused = app.userinfo(&token).await?;
    refused.is_refused(401, "invalid_token");
    assert!(challenge(&refused).contains(r#"error="invalid_token""#));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_not_for_openid_is_refused_and_scopes_open_claims() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let none = redeem(&app, &code(&app, &[("scope", "profile")]).await?, &[]).await?;
    assert!(none.body.get("id_token").is_none());
    let refused = app.userinfo(&none.text("access_token")?).await?;
    refused.is_refused(403, "insufficient_scope");
    assert!(challenge(&refused).contains("insufficient_scope"));
    let bare = redeem(&app, &code(&app, &[("scope", "openid")]).await?, &[]).await?;
    let claims = app.userinfo(&bare.text("access_token")?).await?;
    let names: Vec<_> = claims.succeeds().as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["sub"]);
    Ok(())
}
