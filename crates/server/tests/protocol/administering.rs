//! The admin API over the network: who may use it, and what it says of a question it cannot read.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application, REDIRECT_URI},
    browsing::{code, redeem},
    registering::{initial_access_token, register},
    server::Server,
};

async fn status(server: &Server, token: &str) -> Result<Answer> {
    Answer::of(server.http.get(format!("{}/admin/v1/status", server.issuer)).bearer_auth(token)).await
}

async fn by_credentials(app: &Application<'_>) -> Result<String> {
    let fields = [("grant_type", "client_credentials"), ("scope", "rescind:write")];
    app.post("/token", &fields).await?.text("access_token")
}

fn is_forbidden(answer: &Answer) {
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("insufficient_scope")), "{}", answer.text);
}

#[tokio::test]
async fn of_a_users_token_the_scope_says_what_the_client_may_and_the_role_what_the_user_may() -> Result<()> {
    let server = Server::start().await?;
    let members = json!({
        "scopes": ["openid", "rescind:read", "rescind:revoke", "rescind:write"],
        "grant_types": ["authorization_code", "client_credentials"],
    });
    let app = Application::add(&server, members).await?;
    status(&server, &by_credentials(&app).await?).await?.succeeds();
    server.administer(Method::POST, "/users", &json!({ "user_name": "bob" })).await?;
    let levels = ["rescind:read", "rescind:revoke", "rescind:write"];
    let roles = [None, Some("viewer"), Some("revoker"), Some("administrator")];
    for (scope_level, scope) in levels.into_iter().enumerate() {
        let code = code(&app, &[("scope", &format!("openid {scope}"))]).await?;
        let token = redeem(&app, &code, &[]).await?.text("access_token")?;
        assert_eq!(app.introspect(&token).await?.succeeds()["aud"], server.issuer);
        for (role_level, role) in roles.into_iter().enumerate() {
            // It takes effect with the next request, on tokens that are out already.
            server.administer(Method::PATCH, "/users/ada", &json!({ "role": role })).await?;
            let answers = tried(&server, &token).await?;
            for (needed, answer) in answers.into_iter().enumerate() {
                let place = format!("{scope}, {role:?}, level {needed}: {}", answer.text);
                match (needed <= scope_level, needed < role_level) {
                    (true, true) => assert!(answer.status < 300, "{place}"),
                    (false, _) => assert_eq!(answer.body["code"], "insufficient_scope", "{place}"),
                    (true, false) => {
                        assert_eq!(
                            (answer.status, &answer.body["code"]),
                            (403, &json!("insufficient_role")),
                            "{place}"
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// Something that needs each level, the least first.
async fn tried(server: &Server, token: &str) -> Result<[Answer; 3]> {
    let to = |method: Method, path: &str| {
        server.http.request(method, format!("{}/admin/v1{path}", server.issuer)).bearer_auth(token)
    };
    let order = json!({ "target": { "kind": "user", "user": "bob" } });
    let user = json!({ "display_name": "Bob" });
    Ok([
        status(server, token).await?,
        Answer::of(to(Method::POST, "/revocations").json(&order)).await?,
        Answer::of(to(Method::PATCH, "/users/bob").json(&user)).await?,
    ])
}

#[tokio::test]
async fn a_client_that_registered_itself_does_not_administer_whatever_scopes_it_has() -> Result<()> {
    let server = Server::start().await?;
    let metadata = json!({ "redirect_uris": [REDIRECT_URI], "grant_types": ["client_credentials"] });
    let registered = register(&server, &initial_access_token(&server).await?.1, &metadata).await?;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let id = registered.text("client_id")?;
    server.administer(Method::PATCH, &format!("/clients/{id}"), &json!({ "scopes": ["rescind:write"] })).await?;
    let app = Application { server: &server, id, secret: Some(registered.text("client_secret")?) };
    is_forbidden(&status(&server, &by_credentials(&app).await?).await?);
    Ok(())
}

#[tokio::test]
async fn a_cursor_that_no_listing_gave_is_the_callers_mistake() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let ask = async |path: &str| Answer::of(server.admin.get(format!("http://localhost/admin/v1{path}"))).await;
    for listing in ["sessions", "grants", "tokens", "revocations"] {
        for cursor in ["x", "1", "1.zz", "1-x"] {
            let answer = ask(&format!("/{listing}?cursor={cursor}")).await?;
            assert_eq!((answer.status, &answer.body["code"]), (400, &json!("invalid_request")), "{}", answer.text);
            assert!(answer.text("detail")?.contains("`cursor`"), "{}", answer.text);
        }
    }
    for _ in 0..2 {
        app.sign_in().await?;
    }
    let first = ask("/tokens?limit=1").await?;
    let next = first.succeeds()["next"].as_str().context("there is no second page")?;
    let second = ask(&format!("/tokens?limit=1&cursor={next}")).await?;
    assert_eq!(second.succeeds()["next"], Value::Null);
    assert_ne!(second.body["items"], first.body["items"]);
    Ok(())
}

#[tokio::test]
async fn those_who_administer_are_listed_by_their_role() -> Result<()> {
    let server = Server::start().await?;
    for (name, role) in [("bob", "viewer"), ("carol", "administrator"), ("dave", "viewer")] {
        server.administer(Method::POST, "/users", &json!({ "user_name": name, "role": role })).await?;
    }
    let names = async |query: &str| {
        let listed = server.administer(Method::GET, &format!("/users?{query}"), &Value::Null).await?;
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        Ok::<_, anyhow::Error>(items.iter().map(|user| user["user_name"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(names("role=viewer").await?, ["bob", "dave"]);
    assert_eq!(names("role=viewer&sort=-user_name&limit=1").await?, ["dave"]);
    assert_eq!(names("role=any&search=ca").await?, ["carol"]);
    assert!(names("role=revoker").await?.is_empty());
    server.administer(Method::PATCH, "/users/bob", &json!({ "enabled": false })).await?;
    assert_eq!(names("role=any&enabled=true").await?, ["carol", "dave"]);
    Ok(())
}
