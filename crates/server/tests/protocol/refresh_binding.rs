//! What ends with a session and what outlives it: `offline_access`, and what a client's `refresh_binding` makes of it.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Application, SCOPE},
    browsing::{address, go, open, redeem, someone},
    person::Person,
    server::Server,
};

/// What a client holds of one session: with `offline_access`, and without.
struct Held {
    bound: [String; 2],
    offline: [String; 2],
    hint: String,
    person: Person,
}

async fn enter(app: &Application<'_>) -> Result<Held> {
    let mut ada = someone(app);
    let mut tokens = Vec::new();
    let mut hint = None;
    for scope in ["openid profile", SCOPE] {
        let code = go(app, &mut ada, &[("scope", scope)]).await?.code()?;
        let answer = redeem(app, &code, &[]).await?;
        tokens.push([answer.text("access_token")?, answer.text("refresh_token")?]);
        hint = Some(answer.text("id_token")?);
    }
    let offline = tokens.pop().context("two")?;
    let bound = tokens.pop().context("two")?;
    Ok(Held { bound, offline, hint: hint.context("an ID token")?, person: ada })
}

/// The person signs out: an ID token of the very session does it at once.
async fn sign_out(app: &Application<'_>, held: &mut Held) -> Result<()> {
    let url = address(app, "/logout", &[("id_token_hint".to_owned(), held.hint.clone())])?;
    let page = open(&mut held.person, &url).await?;
    assert!(page.html.contains("signed out"), "{}", page.html);
    Ok(())
}

async fn goes_on(app: &Application<'_>, [access, refresh]: &[String; 2]) -> Result<()> {
    app.sees_alive(access).await?;
    app.sees_alive(&app.refresh(refresh).await?.access).await
}

async fn is_over(app: &Application<'_>, [access, refresh]: &[String; 2]) -> Result<()> {
    app.sees_dead(access).await?;
    app.sees_inactive(refresh).await?;
    app.sees_refresh_refused(refresh).await
}

#[tokio::test]
async fn the_client_decides_what_of_it_ends_with_the_session() -> Result<()> {
    let server = Server::start().await?;
    for (binding, bound_ends, offline_ends) in
        [("unless_offline", true, false), ("always", true, true), ("never", false, false)]
    {
        let app = Application::add(&server, json!({ "refresh_binding": binding })).await?;
        let mut held = enter(&app).await?;
        goes_on(&app, &held.bound).await.context(binding)?;
        goes_on(&app, &held.offline).await.context(binding)?;
        sign_out(&app, &mut held).await?;
        for (tokens, ends) in [(&held.bound, bound_ends), (&held.offline, offline_ends)] {
            if ends { is_over(&app, tokens).await } else { goes_on(&app, tokens).await }
                .with_context(|| binding.to_owned())?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_stricter_binding_ends_what_the_client_holds_and_a_looser_one_revives_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "refresh_binding": "never" })).await?;
    let (held, other) = (enter(&app).await?, Application::confidential(&server).await?);
    let others = enter(&other).await?;
    let path = format!("/clients/{}", app.id);
    for binding in ["unless_offline", "always"] {
        let before = enter(&app).await?;
        let changed = server.administer(Method::PATCH, &path, &json!({ "refresh_binding": binding })).await?;
        assert!(changed["ended"]["position"].is_string(), "{changed}");
        is_over(&app, &before.offline).await?;
        is_over(&app, &before.bound).await?;
    }
    let looser = server.administer(Method::PATCH, &path, &json!({ "refresh_binding": "never" })).await?;
    assert_eq!(looser.get("ended"), None::<&Value>);
    is_over(&app, &held.offline).await?;
    goes_on(&other, &others.offline).await
}
