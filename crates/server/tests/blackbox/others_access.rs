//! Ending what others have, as Janssen's own tests describe it, by their numbers: session revocation and global token
//! revocation. They come under the prefix where Janssen's clients look.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    server::{Server, USER_NAME},
};

const PREFIX: &str = "/jans-auth/restv1";

async fn start() -> Result<Server> {
    Server::start_with("janssen.prefix = \"/jans-auth/restv1\"").await
}

async fn set(server: &Server, setting: &str, value: impl Into<Value>) -> Result<()> {
    let body = json!({ "value": value.into() });
    server.administer(Method::PATCH, &format!("/settings/{setting}"), &body).await?;
    Ok(())
}

/// A client with a scope, and nothing to do with any user.
async fn with_scope<'a>(server: &'a Server, scope: &str) -> Result<Application<'a>> {
    let members = json!({ "redirect_uris": [], "grant_types": ["client_credentials"], "scopes": [scope] });
    Application::add(server, members).await
}

async fn end_everything(app: &Application<'_>, format: &str, id: &str) -> Result<Answer> {
    let url = format!("{}{PREFIX}/global-token-revocation", app.server.issuer);
    let request = app.server.http.post(url).json(&json!({ "sub_id": { "format": format, "id": id } }));
    Answer::of(match &app.secret {
        Some(secret) => request.basic_auth(&app.id, Some(secret)),
        None => request,
    })
    .await
}

async fn end_sessions(app: &Application<'_>) -> Result<Answer> {
    let fields = [("user_criterion_key", "uid"), ("user_criterion_value", USER_NAME)];
    app.post(&format!("{PREFIX}/revoke_session"), &fields).await
}

async fn states_of_sessions(server: &Server) -> Result<Vec<String>> {
    let listed = server.administer(Method::GET, "/sessions", &Value::Null).await?;
    let states = listed["items"].as_array().into_iter().flatten().filter_map(|session| session["state"].as_str());
    Ok(states.map(str::to_owned).collect())
}

#[tokio::test]
async fn j9_a_client_with_the_scope_ends_the_sessions_of_a_user() -> Result<()> {
    let server = start().await?;
    let (app, desk) = (Application::confidential(&server).await?, with_scope(&server, "revoke_session").await?);
    let tokens = app.sign_in().await?;
    assert_eq!(states_of_sessions(&server).await?, ["active"]);
    let answer = end_sessions(&desk).await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(states_of_sessions(&server).await?, ["revoked"]);
    app.sees_alive(&tokens.access).await?;

    set(&server, "revokeSessionEndsTokens", true).await?;
    assert_eq!(end_sessions(&desk).await?.status, 200);
    app.sees_dead(&tokens.access).await?;
    app.sees_refresh_refused(&tokens.refresh).await
}

#[tokio::test]
async fn j16_j20_an_attributes_name_is_a_format_where_the_setting_says_so() -> Result<()> {
    let server = start().await?;
    let app = Application::confidential(&server).await?;
    let guard = with_scope(&server, "global_token_revocation").await?;
    let tokens = app.sign_in().await?;
    app.sees_alive(&tokens.access).await?;
    end_everything(&guard, "mail", "ada@example.com").await?.is_refused(400, "invalid_request");
    set(&server, "globalTokenRevocationAttributeFormats", true).await?;
    for (format, id) in [("mail", "ada@example.com"), ("uid", USER_NAME)] {
        let tokens = app.sign_in().await?;
        app.sees_alive(&tokens.access).await?;
        let answer = end_everything(&guard, format, id).await?;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        app.sees_dead(&tokens.access).await?;
        app.sees_refresh_refused(&tokens.refresh).await?;
    }
    app.sees_dead(&tokens.access).await?;
    assert_eq!(end_everything(&guard, "uid", "nobody").await?.status, 204, "theirs answers so, too");
    Ok(())
}

#[tokio::test]
async fn j17_j18_j19_the_scope_opens_it_another_does_not_and_nobody_is_refused() -> Result<()> {
    let server = start().await?;
    set(&server, "globalTokenRevocationAttributeFormats", true).await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let wrong = with_scope(&server, "revoke_session").await?;
    end_everything(&wrong, "uid", USER_NAME).await?.is_refused(403, "access_denied");
    end_everything(&app, "uid", USER_NAME).await?.is_refused(403, "access_denied");
    let nobody = Application { server: &server, id: app.id.clone(), secret: None };
    end_everything(&nobody, "uid", USER_NAME).await?.is_refused(401, "invalid_client");
    app.sees_alive(&tokens.access).await?;
    let right = with_scope(&server, "global_token_revocation").await?;
    assert_eq!(end_everything(&right, "uid", USER_NAME).await?.status, 204);
    app.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn j24_what_is_switched_off_says_so_and_is_not_advertised() -> Result<()> {
    let server = start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let (desk, guard) =
        (with_scope(&server, "revoke_session").await?, with_scope(&server, "global_token_revocation").await?);
    for (flag, member) in [
        ("REVOKE_TOKEN", "revocation_endpoint"),
        ("REVOKE_SESSION", "session_revocation_endpoint"),
        ("GLOBAL_TOKEN_REVOCATION", "global_token_revocation_endpoint"),
        ("STATUS_LIST", "status_list_aggregation_endpoint"),
    ] {
        for is_on in [false, true] {
            set(&server, flag, is_on).await?;
            for document in ["/.well-known/openid-configuration", "/jans-auth/.well-known/openid-configuration"] {
                let metadata = Answer::of(server.http.get(format!("{}{document}", server.issuer))).await?;
                assert_eq!(metadata.succeeds().get(member).is_some(), is_on, "{member} in {document}");
                let methods = metadata.body.get(format!("{member}_auth_methods_supported"));
                assert!(is_on || methods.is_none(), "{member} in {document}");
            }
            let answer = match flag {
                "REVOKE_TOKEN" => app.post(&format!("{PREFIX}/revoke"), &[("token", "unknown")]).await?,
                "REVOKE_SESSION" => end_sessions(&desk).await?,
                "STATUS_LIST" => {
                    let url = format!("{}{PREFIX}/status_list_aggregation", server.issuer);
                    Answer::of(server.http.get(url)).await?
                }
                _ => end_everything(&guard, "opaque", "nobody").await?,
            };
            if is_on {
                assert!([200, 204].contains(&answer.status), "{flag}: {} {}", answer.status, answer.text);
            } else {
                answer.is_refused(403, "access_denied");
            }
        }
    }
    app.sees_alive(&tokens.access).await
}
