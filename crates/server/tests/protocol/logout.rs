//! Sign-out at a client's wish (OpenID Connect RP-Initiated Logout 1.0).

use anyhow::{Context, Result};
use rescind_jose::{Algorithm, Kind, SigningKey};
use serde_json::json;

use crate::{
    application::{Answer, Application},
    browsing::{Page, address, fill, go, merged, open, part, redeem, someone},
    person::Person,
    server::Server,
};

const BACK: &str = "http://127.0.0.1:9/signed-out";

async fn client(server: &Server) -> Result<Application<'_>> {
    Application::add(server, json!({ "post_logout_redirect_uris": [BACK] })).await
}

/// A person signs in; what the client got.
async fn enter(app: &Application<'_>, person: &mut Person, otherwise: &[(&str, &str)]) -> Result<Answer> {
    let code = go(app, person, otherwise).await?.code()?;
    redeem(app, &code, &[]).await
}

async fn leave(app: &Application<'_>, person: &mut Person, otherwise: &[(&str, &str)]) -> Result<Page> {
    let usual = [("client_id", app.id.as_str()), ("post_logout_redirect_uri", BACK), ("state", "s & t")];
    open(person, &address(app, "/logout", &merged(&usual, otherwise))?).await
}

async fn is_signed_in(app: &Application<'_>, person: &mut Person) -> Result<bool> {
    let back = go(app, person, &[("prompt", "none")]).await?;
    match back.find("error").as_deref() {
        None => Ok(true),
        Some(error) => {
            assert_eq!(error, "login_required");
            Ok(false)
        }
    }
}

#[tokio::test]
async fn a_link_asks_first_and_then_goes_back_with_the_state() -> Result<()> {
    let server = Server::start().await?;
    let app = client(&server).await?;
    let mut ada = someone(&app);
    enter(&app, &mut ada, &[]).await?;
    let asked = leave(&app, &mut ada, &[]).await?;
    assert_eq!((asked.status, asked.location()), (200, None));
    let stayed = fill(&mut ada, &asked, &[("decision", "stay")]).await?;
    assert_eq!((stayed.status, stayed.location()), (200, None));
    assert!(is_signed_in(&app, &mut ada).await?);
    let done = fill(&mut ada, &asked, &[("decision", "sign-out")]).await?;
    assert_eq!((done.status, done.location()), (303, Some("http://127.0.0.1:9/signed-out?state=s+%26+t")));
    assert!(!is_signed_in(&app, &mut ada).await?);
    Ok(())
}

#[tokio::test]
async fn an_id_token_of_the_session_signs_out_at_once() -> Result<()> {
    let server = Server::start().await?;
    let app = client(&server).await?;
    let mut ada = someone(&app);
    let hint = enter(&app, &mut ada, &[]).await?.text("id_token")?;
    let done = leave(&app, &mut ada, &[("id_token_hint", &hint)]).await?;
    assert_eq!((done.status, done.location()), (303, Some("http://127.0.0.1:9/signed-out?state=s+%26+t")));
    assert!(!is_signed_in(&app, &mut ada).await?);
    Ok(())
}

#[tokio::test]
async fn a_hint_that_is_forged_or_of_another_session_neither_signs_out_nor_redirects() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (client(&server).await?, client(&server).await?);
    let (mut ada, mut elsewhere) = (someone(&app), someone(&app));
    let own = enter(&app, &mut ada, &[]).await?;
    let (hint, access) = (own.text("id_token")?, own.text("access_token")?);
    let forged = SigningKey::generate(Algorithm::Rs256)?.sign(Kind::IdToken, &part(&hint, 1)?)?;
    let (unsigned, _) = hint.rsplit_once('.').context("not a JWT")?;
    for wrong in [forged, format!("{unsigned}."), access] {
        let asked = leave(&app, &mut ada, &[("id_token_hint", &wrong)]).await?;
        assert_eq!((asked.status, asked.location()), (200, None), "{}", asked.html);
        let done = fill(&mut ada, &asked, &[("decision", "sign-out")]).await?;
        assert_eq!((done.status, done.location()), (200, None), "nobody knows whose wish it was");
        enter(&app, &mut ada, &[]).await?;
    }
    let foreign = enter(&app, &mut elsewhere, &[]).await?.text("id_token")?;
    let asked = leave(&app, &mut ada, &[("id_token_hint", &foreign)]).await?;
    assert_eq!((asked.status, asked.location()), (200, None));
    assert!(is_signed_in(&app, &mut ada).await?);
    let mixed = leave(&other, &mut ada, &[("id_token_hint", &hint)]).await?;
    assert_eq!((mixed.status, mixed.location()), (400, None), "a hint of one client beside the name of another");
    assert!(is_signed_in(&app, &mut ada).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_was_not_registered_for_it() -> Result<()> {
    let server = Server::start().await?;
    let app = client(&server).await?;
    let mut ada = someone(&app);
    for wrong in
        ["http://127.0.0.1:9/signed-out/", "http://127.0.0.1:10/signed-out", "https://evil.example", "//evil.example"]
    {
        let hint = enter(&app, &mut ada, &[]).await?.text("id_token")?;
        let page = leave(&app, &mut ada, &[("post_logout_redirect_uri", wrong), ("id_token_hint", &hint)]).await?;
        assert_eq!((page.status, page.location()), (200, None), "{wrong}");
        assert!(!page.html.contains("evil.example"));
    }
    let nobody = leave(&app, &mut someone(&app), &[("client_id", ""), ("post_logout_redirect_uri", BACK)]).await?;
    assert_eq!((nobody.status, nobody.location()), (200, None));
    Ok(())
}

#[tokio::test]
async fn what_hangs_on_the_session_ends_with_it_and_offline_access_goes_on() -> Result<()> {
    let server = Server::start().await?;
    let app = client(&server).await?;
    let mut ada = someone(&app);
    let bound = enter(&app, &mut ada, &[("scope", "openid profile")]).await?;
    let offline = enter(&app, &mut ada, &[]).await?;
    let hint = offline.text("id_token")?;
    assert_eq!(leave(&app, &mut ada, &[("id_token_hint", &hint)]).await?.status, 303);
    app.sees_refresh_refused(&bound.text("refresh_token")?).await?;
    app.sees_dead(&bound.text("access_token")?).await?;
    app.sees_alive(&offline.text("access_token")?).await?;
    app.refresh(&offline.text("refresh_token")?).await?;
    Ok(())
}
