//! Authorization codes: PKCE (RFC 7636), where they go, and what a replay does.

use anyhow::Result;
use serde_json::json;

use crate::{
    application::{Answer, Application, REDIRECT_URI},
    browsing::{VERIFIER, address, challenge, code, go, open, parameters, redeem, someone},
    server::Server,
};

#[tokio::test]
async fn without_a_sha_256_challenge_there_is_no_code() -> Result<()> {
    let server = Server::start().await?;
    for method in ["client_secret_basic", "none"] {
        let app = Application::add(&server, json!({ "auth_method": method })).await?;
        let plain = [("code_challenge_method", "plain"), ("code_challenge", VERIFIER)];
        let unnamed = [("code_challenge_method", "")];
        let absent = [("code_challenge_method", ""), ("code_challenge", "")];
        let short = [("code_challenge", "abc")];
        for otherwise in [&plain[..], &unnamed, &absent, &short] {
            go(&app, &mut someone(&app), otherwise).await?.is_refused(&app, "invalid_request");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_code_wants_the_verifier_it_was_asked_for_with() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let code = code(&app, &[]).await?;
    let other = "another-verifier-of-more-than-forty-three-characters";
    redeem(&app, &code, &[("code_verifier", other)]).await?.is_refused(400, "invalid_grant");
    redeem(&app, &code, &[("code_verifier", &challenge(VERIFIER))]).await?.is_refused(400, "invalid_grant");
    redeem(&app, &code, &[("code_verifier", "")]).await?.is_refused(400, "invalid_request");
    redeem(&app, &code, &[]).await?.succeeds();
    Ok(())
}

#[tokio::test]
async fn a_code_belongs_to_its_client_and_its_address() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "redirect_uris": [REDIRECT_URI, "https://app.example/cb"] })).await?;
    let other = Application::confidential(&server).await?;
    let code = code(&app, &[]).await?;
    redeem(&other, &code, &[]).await?.is_refused(400, "invalid_grant");
    redeem(&app, &code, &[("redirect_uri", "https://app.example/cb")]).await?.is_refused(400, "invalid_grant");
    redeem(&app, &code, &[("redirect_uri", "http://127.0.0.1:10/callback")]).await?.is_refused(400, "invalid_grant");
    redeem(&app, &code, &[("redirect_uri", "")]).await?.is_refused(400, "invalid_request");
    redeem(&app, &code, &[]).await?.succeeds();
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_for_its_time_only() -> Result<()> {
    let server = Server::start_with("[lifetimes]\ncode_secs = 1").await?;
    let app = Application::confidential(&server).await?;
    let code = code(&app, &[]).await?;
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    redeem(&app, &code, &[]).await?.is_refused(400, "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn a_replay_ends_the_grant_and_a_strangers_replay_ends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    let code = code(&app, &[]).await?;
    let first = redeem(&app, &code, &[]).await?;
    let (access, refresh) = (first.text("access_token")?, first.text("refresh_token")?);
    let wrong = "another-verifier-of-more-than-forty-three-characters";
    redeem(&app, &code, &[("code_verifier", wrong)]).await?.is_refused(400, "invalid_grant");
    redeem(&app, &code, &[("redirect_uri", "https://app.example/cb")]).await?.is_refused(400, "invalid_grant");
    redeem(&other, &code, &[]).await?.is_refused(400, "invalid_grant");
    let impostor = Application { server: &server, id: app.id.clone(), secret: Some("wrong".to_owned()) };
    redeem(&impostor, &code, &[]).await?.is_refused(401, "invalid_client");
    app.sees_alive(&access).await?;
    app.refresh(&refresh).await?;
    redeem(&app, &code, &[]).await?.is_refused(400, "invalid_grant");
    app.sees_dead(&access).await?;
    app.sees_refresh_refused(&refresh).await
}

#[tokio::test]
async fn a_stranger_with_a_used_refresh_token_ends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "rotation": "each_use", "rotation_grace_secs": 0 })).await?;
    let other = Application::rotating(&server).await?;
    let first = app.sign_in().await?;
    let second = app.refresh(&first.refresh).await?;
    other.sees_refresh_refused(&first.refresh).await?;
    let impostor = Application { server: &server, id: app.id.clone(), secret: Some("wrong".to_owned()) };
    impostor.try_refresh(&first.refresh).await?.is_refused(401, "invalid_client");
    app.sees_alive(&second.access).await?;
    app.sees_refresh_refused(&first.refresh).await?;
    app.sees_dead(&second.access).await?;
    app.sees_refresh_refused(&second.refresh).await
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_clients() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "redirect_uris": ["https://app.example/cb"] })).await?;
    for wrong in [
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/cb#x",
        "https://app.example:444/cb",
        "https://evil.example/cb",
        "",
    ] {
        let url = address(&app, "/authorize", &parameters(&app, &[("redirect_uri", wrong)]))?;
        let page = open(&mut someone(&app), &url).await?;
        assert_eq!((page.status, page.location()), (400, None), "{wrong}");
    }
    let unknown = address(&app, "/authorize", &parameters(&app, &[("client_id", "c_nobody")]))?;
    let page = open(&mut someone(&app), &unknown).await?;
    assert_eq!((page.status, page.location()), (400, None));
    Ok(())
}

#[tokio::test]
async fn what_the_server_does_not_do_is_refused_by_its_name() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("request", "a.b.c", "request_not_supported"),
        ("request_uri", "https://app.example/request", "request_uri_not_supported"),
        ("registration", "{}", "registration_not_supported"),
        ("scope", "openid unheard-of", "invalid_scope"),
        ("resource", "https://unknown.example", "invalid_target"),
        ("prompt", "none login", "invalid_request"),
        ("max_age", "soon", "invalid_request"),
    ] {
        go(&app, &mut someone(&app), &[(name, value)]).await?.is_refused(&app, error);
    }
    app.post("/token", &[("grant_type", "password")]).await?.is_refused(400, "unsupported_grant_type");
    Ok(())
}

#[tokio::test]
async fn every_token_answer_is_for_its_client_alone_to_keep() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let answer = redeem(&app, &code(&app, &[]).await?, &[]).await?;
    assert_eq!(answer.succeeds()["token_type"], "Bearer");
    assert!(answer.body["expires_in"].as_i64().is_some_and(|secs| secs > 0));
    let refused: Answer = redeem(&app, "rsc_ac_unknown", &[]).await?;
    refused.is_refused(400, "invalid_grant");
    for answer in [answer, refused] {
        assert_eq!(
            (&answer.headers["cache-control"], &answer.headers["pragma"]),
            (&"no-store".parse()?, &"no-cache".parse()?)
        );
    }
    Ok(())
}
