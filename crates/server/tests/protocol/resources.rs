//! Resource indicators (RFC 8707): a token for each API, in the form that it wants.

use anyhow::{Context, Result};
use reqwest::Method;
use rescind_check::Position;
use rescind_ledger::Kind;
use serde_json::{Value, json};

use crate::{
    application::Application,
    browsing::{code, part, redeem, refresh},
    server::Server,
};

const ORDERS: &str = "https://orders.example";
const STOCK: &str = "https://stock.example";
const OTHER: &str = "https://other.example";
const BOTH: [(&str, &str); 3] = [("scope", "orders stock"), ("resource", ORDERS), ("resource", STOCK)];

/// An API with JWTs, one with opaque tokens, and one that the client may not call.
async fn prepared(server: &Server) -> Result<Application<'_>> {
    for (audience, format, scope) in [(ORDERS, "jwt", "orders"), (STOCK, "opaque", "stock"), (OTHER, "opaque", "other")]
    {
        let api = json!({ "audience": audience, "name": scope, "scopes": [scope], "token_format": format });
        server.administer(Method::POST, "/apis", &api).await?;
    }
    let members = json!({ "scopes": ["openid", "orders", "stock"], "resources": [ORDERS, STOCK] });
    Application::add(server, members).await
}

#[tokio::test]
async fn each_token_is_for_the_api_it_was_asked_for() -> Result<()> {
    let server = Server::start().await?;
    let app = prepared(&server).await?;
    let first = redeem(&app, &code(&app, &BOTH).await?, &[("resource", ORDERS)]).await?;
    let (jwt, token) = (first.text("access_token")?, first.text("refresh_token")?);
    assert_eq!(part(&jwt, 1)?["aud"], ORDERS);
    let second = refresh(&app, &token, &[("resource", STOCK)]).await?;
    let opaque = second.text("access_token")?;
    assert_eq!(Kind::recognise(&opaque), Ok(Kind::AccessToken));
    assert_eq!(Kind::recognise(&token), Ok(Kind::RefreshToken));
    assert_eq!(app.introspect(&opaque).await?.succeeds()["aud"], STOCK);
    assert_eq!(app.introspect(&jwt).await?.succeeds()["aud"], ORDERS);
    let all = refresh(&app, &token, &[]).await?;
    let seen = app.introspect(&all.text("access_token")?).await?;
    assert_eq!(seen.succeeds()["aud"], json!([ORDERS, STOCK]));
    let narrow = refresh(&app, &token, &[("scope", "stock")]).await?;
    assert_eq!(narrow.succeeds()["scope"], "stock");
    refresh(&app, &token, &[("scope", "stock openid")]).await?.is_refused(400, "invalid_scope");
    Ok(())
}

#[tokio::test]
async fn a_resource_that_was_not_granted_is_an_invalid_target() -> Result<()> {
    let server = Server::start().await?;
    let app = prepared(&server).await?;
    let granted = code(&app, &[("scope", "orders"), ("resource", ORDERS)]).await?;
    redeem(&app, &granted, &[("resource", STOCK)]).await?.is_refused(400, "invalid_target");
    let first = redeem(&app, &granted, &[]).await?;
    let token = first.text("refresh_token")?;
    for wrong in [STOCK, OTHER, "https://unknown.example"] {
        refresh(&app, &token, &[("resource", wrong)]).await?.is_refused(400, "invalid_target");
    }
    refresh(&app, &token, &[("resource", ORDERS)]).await?.succeeds();
    Ok(())
}

#[tokio::test]
async fn a_cut_off_of_one_api_leaves_the_other_going() -> Result<()> {
    let server = Server::start().await?;
    let app = prepared(&server).await?;
    let first = redeem(&app, &code(&app, &BOTH).await?, &[]).await?;
    let token = first.text("refresh_token")?;
    server.administer(Method::POST, "/revocations", &json!({ "target": { "kind": "api", "api": ORDERS } })).await?;
    app.sees_inactive(&first.text("access_token")?).await?;
    refresh(&app, &token, &[("resource", ORDERS)]).await?.is_refused(400, "invalid_grant");
    let rest = refresh(&app, &token, &[]).await?;
    assert_eq!(app.introspect(&rest.text("access_token")?).await?.succeeds()["aud"], STOCK);
    Ok(())
}

fn position(shown: &Value, jti: &str) -> Result<Position> {
    let items = shown["items"].as_array().context("no items")?;
    let token = items.iter().find(|token| token["jti"] == jti || token["id"] == jti).context("no such token")?;
    Ok(token["position"].as_str().context("no position")?.parse()?)
}

#[tokio::test]
async fn a_jwt_has_the_claims_of_rfc_9068_and_does_not_tell_its_position() -> Result<()> {
    let server = Server::start().await?;
    let app = prepared(&server).await?;
    let asked = [("scope", "openid orders"), ("resource", ORDERS)];
    let answer = redeem(&app, &code(&app, &asked).await?, &[]).await?;
    let (first, again) = (answer.text("access_token")?, refresh(&app, &answer.text("refresh_token")?, &[]).await?);
    let (header, claims) = (part(&first, 0)?, part(&first, 1)?);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("RS256")));
    let mut names: Vec<_> = claims.as_object().context("no object")?.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "aud",
        "auth_time",
        "client_id",
        "exp",
        "grant_id",
        "iat",
        "iss",
        "jti",
        "pi.sri",
        "pos",
        "scope",
        "session_bound",
        "sid",
        "status",
        "sub",
    ];
    assert_eq!(names, expected);
    assert_eq!((&claims["aud"], &claims["client_id"]), (&json!([ORDERS, server.issuer]), &json!(app.id)));
    let shown = server.administer(Method::GET, "/tokens", &Value::Null).await?;
    let truth = position(&shown, claims["jti"].as_str().context("no jti")?)?;
    let masked = claims["pos"].as_str().context("no pos")?;
    assert!(masked.parse::<Position>().is_err() && !masked.contains(&truth.to_string()), "{masked}");
    let other = part(&again.text("access_token")?, 1)?;
    assert_eq!(
        truth,
        position(
            &server.administer(Method::GET, "/tokens", &Value::Null).await?,
            other["jti"].as_str().context("no jti")?
        )?
    );
    assert_ne!(other["pos"], claims["pos"], "one position, two tokens, two texts");
    Ok(())
}

#[tokio::test]
async fn a_jwt_for_an_api_is_no_id_token_and_no_id_token_is_an_access_token() -> Result<()> {
    let server = Server::start().await?;
    let app = prepared(&server).await?;
    let answer = redeem(&app, &code(&app, &[("scope", "openid")]).await?, &[]).await?;
    app.userinfo(&answer.text("id_token")?).await?.is_refused(401, "invalid_token");
    app.sees_inactive(&answer.text("id_token")?).await
}
