//! Revocation as other servers' own tests describe it, by their numbers, and what follows from it.

use anyhow::Result;
use serde_json::json;

use crate::{
    application::{API, API_SCOPE, Answer, Application, SCOPE},
    server::Server,
};

const ACCESS: Option<&str> = Some("access_token");
const REFRESH: Option<&str> = Some("refresh_token");

#[tokio::test]
async fn j1_a_public_client_revokes_without_credentials() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "auth_method": "none" })).await?;
    let tokens = app.sign_in().await?;
    app.sees_alive(&tokens.access).await?;
    app.revoke(&tokens.access, ACCESS).await?.succeeds_emptily();
    app.sees_dead(&tokens.access).await?;
    app.sees_refresh_refused(&tokens.refresh).await
}

#[tokio::test]
async fn j2_revoking_a_rotated_refresh_token_kills_it_and_its_access_token() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::rotating(&server).await?;
    let first = app.sign_in().await?;
    let second = app.refresh(&first.refresh).await?;
    assert_ne!(first.refresh, second.refresh);
    app.sees_alive(&second.access).await?;
    app.revoke(&second.refresh, REFRESH).await?.succeeds_emptily();
    app.sees_refresh_refused(&second.refresh).await?;
    app.revoke(&second.access, ACCESS).await?.succeeds_emptily();
    app.sees_dead(&second.access).await?;
    app.sees_dead(&first.access).await
}

#[tokio::test]
async fn j3_revoking_the_access_token_kills_the_refresh_token() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    app.revoke(&tokens.access, ACCESS).await?.succeeds_emptily();
    app.sees_dead(&tokens.access).await?;
    app.sees_refresh_refused(&tokens.refresh).await?;
    app.sees_inactive(&tokens.refresh).await
}

#[tokio::test]
async fn j4_revoking_the_refresh_token_kills_the_access_token() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    app.revoke(&tokens.refresh, REFRESH).await?.succeeds_emptily();
    app.sees_refresh_refused(&tokens.refresh).await?;
    app.sees_dead(&tokens.access).await?;
    app.revoke(&tokens.access, ACCESS).await?.succeeds_emptily();
    app.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn j5_no_hint_is_needed_and_the_first_access_token_dies_too() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::rotating(&server).await?;
    let first = app.sign_in().await?;
    let second = app.refresh(&first.refresh).await?;
    app.sees_alive(&first.access).await?;
    app.revoke(&second.refresh, None).await?.succeeds_emptily();
    app.sees_refresh_refused(&second.refresh).await?;
    app.revoke(&first.access, None).await?.succeeds_emptily();
    app.sees_dead(&first.access).await
}

#[tokio::test]
async fn j6_a_wrong_secret_revokes_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let impostor =
        Application { server: &server, id: app.id.clone(), secret: Some("INVALID_CLIENT_SECRET".to_owned()) };
    let refused = impostor.revoke(&tokens.refresh, REFRESH).await?;
    refused.is_refused(401, "invalid_client");
    assert!(refused.headers.get("www-authenticate").is_some_and(|value| value.as_bytes().starts_with(b"Basic")));
    app.sees_alive(&tokens.access).await?;
    app.refresh(&tokens.refresh).await?;
    Ok(())
}

#[tokio::test]
async fn j7_an_unknown_token_is_no_error_and_changes_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    app.revoke("INVALID_ACCESS_TOKEN", ACCESS).await?.succeeds_emptily();
    app.sees_alive(&tokens.access).await
}

#[tokio::test]
async fn j8_a_request_without_a_token_is_an_error() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    app.post("/revoke", &[("token_type_hint", "access_token")]).await?.is_refused(400, "invalid_request");
    app.post("/revoke", &[("token", "")]).await?.is_refused(400, "invalid_request");
    Ok(())
}

#[tokio::test]
async fn j23_redeeming_a_code_twice_kills_what_the_first_time_gave() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let code = app.code(&[]).await?;
    let first = app.redeem(&code).await?;
    let (access, refresh) = (first.text("access_token")?, first.text("refresh_token")?);
    app.sees_alive(&access).await?;
    app.redeem(&code).await?.is_refused(400, "invalid_grant");
    app.sees_dead(&access).await?;
    app.sees_refresh_refused(&refresh).await
}

#[tokio::test]
async fn j27_another_clients_token_is_refused_and_goes_on_working() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    let tokens = app.sign_in().await?;
    for (token, hint) in [(&tokens.access, ACCESS), (&tokens.refresh, REFRESH), (&tokens.access, None)] {
        other.revoke(token, hint).await?.is_refused(400, "invalid_request");
    }
    app.sees_alive(&tokens.access).await?;
    app.refresh(&tokens.refresh).await?;
    Ok(())
}

#[tokio::test]
async fn j29_a_confidential_client_that_only_says_its_name_is_refused() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let nameless = Application { server: &server, id: app.id.clone(), secret: None };
    nameless.revoke(&tokens.access, ACCESS).await?.is_refused(401, "invalid_client");
    app.sees_alive(&tokens.access).await
}

#[tokio::test]
async fn j32_no_success_may_be_kept_by_a_cache() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let answers = [
        app.revoke(&tokens.access, None).await?,
        app.revoke(&tokens.access, None).await?,
        app.revoke(&tokens.refresh, REFRESH).await?,
        app.revoke("INVALID_ACCESS_TOKEN", ACCESS).await?,
    ];
    for answer in answers {
        answer.succeeds_emptily();
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!((header("cache-control"), header("pragma")), (Some("no-store"), Some("no-cache")));
    }
    Ok(())
}

#[tokio::test]
async fn j33_a_refresh_token_with_the_wrong_hint_is_revoked_all_the_same() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    app.revoke(&tokens.refresh, ACCESS).await?.succeeds_emptily();
    app.sees_refresh_refused(&tokens.refresh).await?;
    app.sees_dead(&tokens.access).await?;
    let tokens = app.sign_in().await?;
    app.revoke(&tokens.access, REFRESH).await?.succeeds_emptily();
    app.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn an_api_sees_a_revocation_in_both_token_formats() -> Result<()> {
    for format in ["opaque", "jwt"] {
        let server = Server::start().await?;
        let api = json!({
            "audience": API,
            "name": "Orders",
            "scopes": [API_SCOPE],
            "token_format": format,
            "introspection_client": true,
        });
        let added = server.administer(reqwest::Method::POST, "/apis", &api).await?;
        let client = &added["introspection_client"];
        let text = |member: &str| client[member].as_str().map(str::to_owned);
        let api = Application { server: &server, id: text("id").unwrap(), secret: text("client_secret") };
        let scopes: Vec<&str> = SCOPE.split(' ').chain([API_SCOPE]).collect();
        let app = Application::add(&server, json!({ "scopes": scopes })).await?;
        let tokens = app.sign_in_with(&[("resource", API)]).await?;
        let seen = api.introspect(&tokens.access).await?;
        assert_eq!((&seen.succeeds()["active"], &seen.body["aud"]), (&json!(true), &json!(API)), "{format}");
        assert_eq!(tokens.access.matches('.').count() == 2, format == "jwt");
        app.revoke(&tokens.refresh, None).await?.succeeds_emptily();
        api.sees_inactive(&tokens.access).await?;
        app.sees_dead(&tokens.access).await?;
    }
    Ok(())
}

impl Answer {
    /// RFC 7009 section 2.2: the status says it all.
    #[track_caller]
    fn succeeds_emptily(&self) {
        assert_eq!((self.status, self.text.as_str()), (200, ""));
    }
}
