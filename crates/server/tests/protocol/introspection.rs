//! Introspection (RFC 7662), and its signed form (RFC 9701).

use anyhow::{Context, Result};
use reqwest::Method;
use rescind_jose::{KeySet, Kind};
use serde_json::{Value, json};

use crate::{
    application::{API, API_SCOPE, Answer, Application, SCOPE},
    browsing::{code, part, redeem},
    server::Server,
};

const SIGNED: &str = "application/token-introspection+jwt";

/// An application that calls an API, and the client by which that API asks.
async fn prepared(server: &Server) -> Result<(Application<'_>, Application<'_>)> {
    let api = json!({ "audience": API, "name": "Orders", "scopes": [API_SCOPE], "introspection_client": true });
    let added = server.administer(Method::POST, "/apis", &api).await?;
    let text = |name: &str| added["introspection_client"][name].as_str().map(str::to_owned);
    let asking = Application { server, id: text("id").context("no id")?, secret: text("client_secret") };
    let scopes: Vec<_> = SCOPE.split(' ').chain([API_SCOPE]).collect();
    Ok((Application::add(server, json!({ "scopes": scopes })).await?, asking))
}

async fn token(app: &Application<'_>) -> Result<Answer> {
    let asked = [("scope", "openid orders:read offline_access"), ("resource", API)];
    redeem(app, &code(app, &asked).await?, &[]).await
}

async fn ask_signed(app: &Application<'_>, token: &str, accept: &str) -> Result<Answer> {
    let request = app.server.http.post(format!("{}/introspect", app.server.issuer));
    let request = request.header("accept", accept).form(&[("token", token)]);
    Answer::of(request.basic_auth(&app.id, app.secret.as_ref())).await
}

#[tokio::test]
async fn an_api_sees_itself_among_the_audiences_and_a_stranger_sees_nothing() -> Result<()> {
    let server = Server::start().await?;
    let (app, api) = prepared(&server).await?;
    let other = Application::confidential(&server).await?;
    let answer = token(&app).await?;
    let access = answer.text("access_token")?;
    let own = app.introspect(&access).await?;
    assert_eq!(own.succeeds()["aud"], json!([API, server.issuer]));
    let seen = api.introspect(&access).await?;
    assert_eq!((&seen.succeeds()["aud"], &seen.body["active"]), (&json!(API), &json!(true)));
    assert_eq!((&seen.body["token_type"], &seen.body["client_id"]), (&json!("Bearer"), &json!(app.id)));
    assert_eq!((&seen.headers["cache-control"], &seen.headers["pragma"]), (&"no-store".parse()?, &"no-cache".parse()?));
    other.sees_inactive(&access).await?;
    let refresh = answer.text("refresh_token")?;
    let own = app.introspect(&refresh).await?;
    assert_eq!((&own.succeeds()["active"], own.body.get("token_type")), (&json!(true), None));
    api.sees_inactive(&refresh).await?;
    let elsewhere = app.sign_in().await?;
    api.sees_inactive(&elsewhere.access).await
}

#[tokio::test]
async fn of_a_dead_token_nothing_is_said_but_that() -> Result<()> {
    let server = Server::start().await?;
    let (app, api) = prepared(&server).await?;
    let access = token(&app).await?.text("access_token")?;
    app.revoke(&access, None).await?;
    for token in [access.as_str(), "rsc_at_unknown", "a.b.c", "\u{fffd}"] {
        app.sees_inactive(token).await?;
        api.sees_inactive(token).await?;
    }
    app.post("/introspect", &[]).await?.is_refused(400, "invalid_request");
    let got = server.http.get(format!("{}/introspect", server.issuer)).send().await?;
    assert_eq!(got.status().as_u16(), 405);
    Ok(())
}

#[tokio::test]
async fn a_used_refresh_token_is_inactive_and_to_ask_ends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "rotation": "each_use", "rotation_grace_secs": 0 })).await?;
    let first = app.sign_in().await?;
    let second = app.refresh(&first.refresh).await?;
    app.sees_inactive(&first.refresh).await?;
    assert_eq!(app.introspect(&second.refresh).await?.succeeds()["active"], true);
    app.sees_alive(&second.access).await?;
    app.refresh(&second.refresh).await?;
    Ok(())
}

#[tokio::test]
async fn whoever_asks_for_a_signed_answer_gets_one_addressed_to_them() -> Result<()> {
    let server = Server::start().await?;
    let (app, api) = prepared(&server).await?;
    let access = token(&app).await?.text("access_token")?;
    let plain = api.introspect(&access).await?;
    let jwks = Answer::of(server.http.get(format!("{}/jwks", server.issuer))).await?;
    let mut keys = KeySet::new();
    for jwk in jwks.body["keys"].as_array().context("no keys")? {
        keys.add_jwk(jwk)?;
    }
    for accept in
        [SIGNED, "application/token-introspection+jwt, application/json;q=0.5", "Application/Token-Introspection+JWT"]
    {
        let answer = ask_signed(&api, &access, accept).await?;
        assert_eq!((answer.status, &answer.headers["content-type"]), (200, &SIGNED.parse()?), "{accept}");
        let claims = keys.verify::<Value>(&answer.text, Kind::Introspection)?.claims;
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(server.issuer), &json!(api.id)));
        assert_eq!(claims["token_introspection"], plain.body);
        assert!(claims["iat"].is_i64() && claims.get("sub").is_none() && claims.get("exp").is_none());
    }
    let dead = ask_signed(&api, "rsc_at_unknown", SIGNED).await?;
    assert_eq!(part(&dead.text, 1)?["token_introspection"], json!({ "active": false }));
    for accept in ["*/*", "application/json", "application/token-introspection+jwt;q=0, application/json"] {
        assert_eq!(ask_signed(&api, &access, accept).await?.headers["content-type"], "application/json", "{accept}");
    }
    api.sees_inactive(&ask_signed(&api, &access, SIGNED).await?.text).await?;
    app.userinfo(&dead.text).await?.is_refused(401, "invalid_token");
    Ok(())
}
