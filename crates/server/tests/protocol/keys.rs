//! Signing keys: published, changed and revoked.

use anyhow::{Context, Result};
use reqwest::Method;
use rescind_jose::{KeySet, Kind};
use serde_json::{Value, json};

use crate::{
    application::{API, Answer, Application},
    browsing::{code, part, redeem},
    server::Server,
};

async fn published(server: &Server) -> Result<KeySet> {
    let answer = Answer::of(server.http.get(format!("{}/jwks", server.issuer))).await?;
    let mut keys = KeySet::new();
    for jwk in answer.succeeds()["keys"].as_array().context("no keys")? {
        assert!(jwk.get("d").is_none() && jwk.get("p").is_none(), "a private key is published");
        keys.add_jwk(jwk)?;
    }
    Ok(keys)
}

/// An application whose access tokens are JWTs that userinfo takes too.
async fn with_jwts(server: &Server) -> Result<Application<'_>> {
    server
        .administer(Method::POST, "/apis", &json!({ "audience": API, "name": "Orders", "token_format": "jwt" }))
        .await?;
    Application::confidential(server).await
}

struct Signed {
    access: String,
    id: String,
    refresh: String,
}

async fn sign_in(app: &Application<'_>) -> Result<Signed> {
    let answer = redeem(app, &code(app, &[("resource", API)]).await?, &[]).await?;
    Ok(Signed {
        access: answer.text("access_token")?,
        id: answer.text("id_token")?,
        refresh: answer.text("refresh_token")?,
    })
}

fn kid(jwt: &str) -> Result<String> {
    Ok(part(jwt, 0)?["kid"].as_str().context("no kid")?.to_owned())
}

fn verifies(keys: &KeySet, id_token: &str) -> bool {
    keys.verify::<Value>(id_token, Kind::IdToken).is_ok()
}

#[tokio::test]
async fn new_keys_sign_what_is_new_and_the_old_ones_still_verify_what_is_old() -> Result<()> {
    let server = Server::start().await?;
    let app = with_jwts(&server).await?;
    let old = sign_in(&app).await?;
    assert!(verifies(&published(&server).await?, &old.id));
    server.administer(Method::POST, "/keys", &Value::Null).await?;
    let new = sign_in(&app).await?;
    assert_ne!(kid(&old.id)?, kid(&new.id)?);
    assert_ne!(kid(&old.access)?, kid(&new.access)?);
    let keys = published(&server).await?;
    assert!(verifies(&keys, &old.id) && verifies(&keys, &new.id));
    app.sees_alive(&old.access).await?;
    app.sees_alive(&new.access).await
}

#[tokio::test]
async fn a_revoked_key_is_no_longer_published_and_what_it_signed_is_dead() -> Result<()> {
    let server = Server::start().await?;
    let app = with_jwts(&server).await?;
    let old = sign_in(&app).await?;
    app.sees_alive(&old.access).await?;
    let order = json!({ "target": { "kind": "key", "key": kid(&old.access)? }, "reason": "key_compromise" });
    server.administer(Method::POST, "/revocations", &order).await?;
    let keys = published(&server).await?;
    assert!(keys.kids().all(|known| Ok(known.to_owned()) != kid(&old.access).map_err(drop)));
    assert!(!verifies(&keys, &old.id));
    app.sees_dead(&old.access).await?;
    let refreshed = app.refresh(&old.refresh).await?;
    assert_ne!(kid(&refreshed.access)?, kid(&old.access)?, "the key is dead, not the grant");
    app.sees_alive(&refreshed.access).await?;
    app.sees_alive(&sign_in(&app).await?.access).await
}

#[tokio::test]
async fn a_client_gets_its_id_tokens_under_the_algorithm_it_registered() -> Result<()> {
    let server = Server::start().await?;
    for algorithm in ["RS256", "ES256"] {
        let app = Application::add(&server, json!({ "id_token_signed_response_alg": algorithm })).await?;
        let answer = redeem(&app, &code(&app, &[]).await?, &[]).await?;
        let token = answer.text("id_token")?;
        assert_eq!(part(&token, 0)?["alg"], algorithm);
        assert!(verifies(&published(&server).await?, &token));
    }
    Ok(())
}
