//! What a client may ask of the sign-in (OpenID Connect Core section 3.1.2.1), and what it learns of it.

use anyhow::Result;
use serde_json::{Value, json};

use crate::{
    application::Application,
    browsing::{Page, address, fill, go, open, parameters, part, redeem, refresh, someone},
    person::Person,
    server::{PASSWORD, Server},
};

async fn page(app: &Application<'_>, person: &mut Person, otherwise: &[(&str, &str)]) -> Result<Page> {
    open(person, &address(app, "/authorize", &parameters(app, otherwise))?).await
}

#[tokio::test]
async fn nothing_is_shown_to_a_person_whose_client_asks_for_that() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut ada = someone(&app);
    go(&app, &mut ada, &[("prompt", "none")]).await?.is_refused(&app, "login_required");
    let back = go(&app, &mut ada, &[]).await?;
    back.is_ours(&app);
    back.code()?;
    go(&app, &mut ada, &[("prompt", "none")]).await?.code()?;
    let other = Application::confidential(&server).await?;
    go(&other, &mut ada, &[("prompt", "none")]).await?.is_refused(&other, "consent_required");
    go(&app, &mut ada, &[("prompt", "none"), ("max_age", "0")]).await?.is_refused(&app, "login_required");
    go(&app, &mut ada, &[("prompt", "none"), ("max_age", "3600")]).await?.code()?;
    Ok(())
}

#[tokio::test]
async fn a_person_is_asked_again_where_the_client_wants_it() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut ada = someone(&app);
    go(&app, &mut ada, &[]).await?.code()?;
    for again in [("prompt", "login"), ("max_age", "0")] {
        let asked = page(&app, &mut ada, &[again]).await?;
        assert!(asked.status == 200 && asked.form()?.asks_password(), "{again:?}");
        let refused = fill(&mut ada, &asked, &[("password", "not the password")]).await?;
        assert!(refused.location().is_none() && refused.form()?.asks_password(), "{again:?}");
        let done = fill(&mut ada, &refused, &[("password", PASSWORD)]).await?;
        assert!(done.location().is_some_and(|location| location.contains("code=")), "{again:?}");
    }
    let asked = page(&app, &mut ada, &[("prompt", "consent")]).await?;
    assert!(asked.status == 200 && !asked.form()?.asks_password());
    let denied = fill(&mut ada, &asked, &[("decision", "deny")]).await?;
    assert!(
        denied.location().is_some_and(|location| location.contains("error=access_denied") && location.contains("iss="))
    );
    Ok(())
}

async fn id_token(app: &Application<'_>, person: &mut Person, otherwise: &[(&str, &str)]) -> Result<(Value, String)> {
    let code = go(app, person, otherwise).await?.code()?;
    let answer = redeem(app, &code, &[]).await?;
    Ok((part(&answer.text("id_token")?, 1)?, answer.text("refresh_token")?))
}

#[tokio::test]
async fn an_id_token_tells_of_the_sign_in_and_keeps_to_it_over_refreshes() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut ada = someone(&app);
    let (first, token) = id_token(&app, &mut ada, &[("nonce", "a nonce"), ("max_age", "3600")]).await?;
    assert_eq!(
        (&first["nonce"], &first["aud"], &first["iss"]),
        (&json!("a nonce"), &json!(app.id), &json!(server.issuer))
    );
    assert!(first["auth_time"].is_i64() && first["sid"].as_str().is_some_and(|sid| !sid.is_empty()));
    let again = refresh(&app, &token, &[]).await?;
    let again = part(&again.text("id_token")?, 1)?;
    assert!(again.get("nonce").is_none());
    for claim in ["iss", "sub", "aud", "auth_time", "sid"] {
        assert_eq!(first[claim], again[claim], "{claim}");
    }
    // Signing in again inside the session is a newer authentication of the same session.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let (fresh, _) = id_token(&app, &mut ada, &[("prompt", "login")]).await?;
    assert_eq!(fresh["sid"], first["sid"]);
    assert!(fresh["auth_time"].as_i64() > first["auth_time"].as_i64());
    assert!(fresh.get("nonce").is_none());
    Ok(())
}

#[tokio::test]
async fn a_hint_at_another_person_does_not_sign_this_one_in() -> Result<()> {
    let server = Server::start().await?;
    let user = json!({ "user_name": "eve", "password": PASSWORD });
    server.administer(reqwest::Method::POST, "/users", &user).await?;
    let app = Application::confidential(&server).await?;
    let mut ada = someone(&app);
    let code = go(&app, &mut ada, &[]).await?.code()?;
    let hint = redeem(&app, &code, &[]).await?.text("id_token")?;
    go(&app, &mut ada, &[("id_token_hint", &hint), ("prompt", "none")]).await?.code()?;
    let mut eve = someone(&app);
    let asked = page(&app, &mut eve, &[]).await?;
    fill(&mut eve, &asked, &[("username", "eve"), ("password", PASSWORD)]).await?;
    go(&app, &mut eve, &[("id_token_hint", &hint), ("prompt", "none")]).await?.is_refused(&app, "login_required");
    go(&app, &mut eve, &[("id_token_hint", "a.b.c"), ("prompt", "none")]).await?.is_refused(&app, "invalid_request");
    Ok(())
}
