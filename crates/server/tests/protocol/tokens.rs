//! Access tokens of a client for itself (RFC 6749 section 4.4), and opaque ones that scanners know.

use anyhow::Result;
use rescind_ledger::Kind;
use serde_json::json;

use crate::{
    application::{Answer, Application},
    server::Server,
};

#[tokio::test]
async fn a_client_gets_what_it_may_have_for_itself_and_no_more() -> Result<()> {
    let server = Server::start().await?;
    let members = json!({ "redirect_uris": [], "scopes": ["a", "b", "openid"], "grant_types": ["client_credentials"] });
    let app = Application::add(&server, members).await?;
    let answer = get(&app, "").await?;
    assert_eq!(answer.succeeds()["scope"], "a b");
    assert!(answer.body.get("refresh_token").is_none() && answer.body.get("id_token").is_none());
    let token = answer.text("access_token")?;
    assert_eq!(Kind::recognise(&token), Ok(Kind::AccessToken));
    let seen = app.introspect(&token).await?;
    assert_eq!((&seen.succeeds()["sub"], &seen.body["client_id"]), (&json!(app.id), &json!(app.id)));
    assert!(seen.body.get("sid").is_none());
    assert_eq!(get(&app, "b").await?.succeeds()["scope"], "b");
    get(&app, "c").await?.is_refused(400, "invalid_scope");
    get(&app, "openid").await?.is_refused(400, "invalid_scope");
    app.revoke(&token, None).await?;
    app.sees_inactive(&token).await
}

async fn get(app: &Application<'_>, scope: &str) -> Result<Answer> {
    app.post("/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await
}
