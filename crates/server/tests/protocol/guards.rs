//! Guards over the wire: who may do what, how long a list may be, and which endpoints are not guarded.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    server::Server,
};

async fn admin<'a>(server: &'a Server, scope: &str) -> Result<(Application<'a>, String)> {
    let members = json!({ "redirect_uris": [], "grant_types": ["client_credentials"], "scopes": [scope] });
    let app = Application::add(server, members).await?;
    let token = app.post("/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await?;
    let token = token.text("access_token")?;
    Ok((app, token))
}

async fn ask(server: &Server, token: &str, path: &str, body: &Value) -> Result<Answer> {
    let request = server.http.post(format!("{}/admin/v1{path}", server.issuer)).bearer_auth(token);
    Answer::of(request.json(body)).await
}

#[tokio::test]
async fn who_may_only_revoke_revokes_many_but_neither_disables_nor_enables_them() -> Result<()> {
    let server = Server::start().await?;
    let (_revoker, revokes) = admin(&server, "rescind:revoke").await?;
    let (_reader, reads) = admin(&server, "rescind:read").await?;
    let job = |action: &str| json!({ "action": action, "users": ["u_nobody"] });
    for action in ["disable", "enable"] {
        let refused = ask(&server, &revokes, "/bulk-jobs", &job(action)).await?;
        assert_eq!((refused.status, &refused.body["code"]), (403, &json!("insufficient_scope")), "{}", refused.text);
    }
    let placed = ask(&server, &revokes, "/bulk-jobs", &job("revoke")).await?;
    assert_eq!(placed.status, 202, "{}", placed.text);
    let theirs = server.administer(Method::POST, "/bulk-jobs", &job("disable")).await?;
    let stop = format!("/bulk-jobs/{}/stop", theirs["id"].as_str().unwrap());
    assert_eq!(ask(&server, &revokes, &stop, &json!({})).await?.status, 403, "it takes what the job takes");
    for path in ["/bulk-jobs", &stop, "/pending-revocations/p/approve", "/pending-revocations/p/withdraw"] {
        assert_eq!(ask(&server, &reads, path, &job("revoke")).await?.status, 403, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn the_longest_list_fits_through_the_socket_and_a_longer_one_is_refused() -> Result<()> {
    let server = Server::start().await?;
    let (_app, token) = admin(&server, "rescind:revoke").await?;
    let users = |count: usize| (0..count).map(|number| format!("u_{number:022}")).collect::<Vec<_>>();
    let job =
        |count: usize| json!({ "action": "revoke", "users": users(count), "confirm": format!("revoke {count} users") });
    let far = ask(&server, &token, "/bulk-jobs", &job(100_000)).await?;
    assert_eq!(far.status, 413, "over the network the configured limit holds");
    let placed = server.administer(Method::POST, "/bulk-jobs", &job(100_000)).await?;
    assert_eq!((&placed["total"], &placed["done"]), (&json!(100_000), &json!(0)), "{placed}");
    let stop = format!("/bulk-jobs/{}/stop", placed["id"].as_str().unwrap());
    assert_eq!(server.administer(Method::POST, &stop, &json!({})).await?["state"], "stopped");
    let longer = server.admin.post("http://localhost/admin/v1/bulk-jobs").json(&job(100_001));
    assert_eq!(Answer::of(longer).await?.status, 422);
    Ok(())
}

#[tokio::test]
async fn what_a_client_ends_of_its_own_at_the_protocols_endpoints_is_not_guarded() -> Result<()> {
    let server = Server::start().await?;
    for (name, value) in [
        ("guardUsers", json!(1)),
        ("guardSessionsPercent", json!(1)),
        ("guardSecondAdministrator", json!(true)),
        ("allowAllValueForRevokeEndpoint", json!(true)),
    ] {
        server.administer(Method::PATCH, &format!("/settings/{name}"), &json!({ "value": value })).await?;
    }
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let everything = server.admin.post("http://localhost/admin/v1/revocations");
    let refused = Answer::of(everything.json(&json!({ "target": { "kind": "everything" } }))).await?;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("confirmation_required")), "{}", refused.text);
    app.sees_alive(&tokens.access).await?;
    assert_eq!(app.revoke(&tokens.access, Some("all")).await?.status, 200);
    app.sees_dead(&tokens.access).await?;
    Ok(())
}
