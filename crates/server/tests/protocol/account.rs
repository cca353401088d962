//! The account page over the wire: what ends there is refused everywhere at once, and nobody else can end it.

use anyhow::{Context, Result};
use reqwest::{Method, header};
use serde_json::{Value, json};
use url::Url;

use crate::{
    application::Application,
    browsing::{Page, fill, go, open, redeem, someone},
    person::Person,
    server::{PASSWORD, Server, USER_NAME},
};

const SCOPE_OF_THE_SESSION: [(&str, &str); 2] = [("scope", "openid profile"), ("prompt", "consent")];

fn account(app: &Application<'_>) -> Result<Url> {
    Ok(Url::parse(&format!("{}/account", app.server.issuer))?)
}

async fn ask(app: &Application<'_>, person: &mut Person, what: &str) -> Result<Page> {
    open(person, &Url::parse(&format!("{}/account/end?{what}", app.server.issuer))?).await
}

async fn is_signed_in(app: &Application<'_>, person: &mut Person) -> Result<bool> {
    Ok(open(person, &account(app)?).await?.html.contains("<h1>Your account</h1>"))
}

/// The ids of the user's sessions, newest first.
async fn sessions(server: &Server) -> Result<Vec<String>> {
    let listed = server.administer(Method::GET, "/sessions", &Value::Null).await?;
    let items = listed["items"].as_array().with_context(|| listed.to_string())?;
    Ok(items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect())
}

async fn last_entry(server: &Server) -> Result<Value> {
    Ok(server.administer(Method::GET, "/revocations", &Value::Null).await?["items"][0].clone())
}

#[tokio::test]
async fn a_session_ended_on_the_account_page_is_refused_everywhere_at_once() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let (mut here, mut there) = (someone(&app), someone(&app));
    let code = go(&app, &mut there, &SCOPE_OF_THE_SESSION).await?.code()?;
    let tokens = redeem(&app, &code, &[]).await?;
    let other = sessions(&server).await?.remove(0);
    let page = open(&mut here, &account(&app)?).await?;
    let entered = fill(&mut here, &page, &[("username", USER_NAME), ("password", PASSWORD)]).await?;
    assert_eq!((entered.status, entered.location()), (303, Some(account(&app)?.as_str())));
    assert!(is_signed_in(&app, &mut here).await? && is_signed_in(&app, &mut there).await?);
    let asked = ask(&app, &mut here, &format!("session={other}")).await?;
    app.sees_alive(&tokens.text("access_token")?).await?;
    let done = fill(&mut here, &asked, &[]).await?;
    assert!(done.status == 200 && done.html.contains("The session has ended"), "{}", done.html);
    assert!(is_signed_in(&app, &mut here).await? && !is_signed_in(&app, &mut there).await?);
    app.sees_dead(&tokens.text("access_token")?).await?;
    app.sees_refresh_refused(&tokens.text("refresh_token")?).await?;
    let entry = last_entry(&server).await?;
    assert_eq!(entry["reason"], "user_request", "{entry}");
    assert_eq!(entry["initiator"]["kind"], "user", "{entry}");
    assert!(entry["target"].to_string().contains(&other), "{entry}");
    Ok(())
}

#[tokio::test]
async fn an_application_removed_on_the_account_page_loses_its_tokens_and_is_asked_about_again() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    let mut ada = someone(&app);
    let code = go(&app, &mut ada, &[("prompt", "consent")]).await?.code()?;
    let tokens = redeem(&app, &code, &[]).await?;
    let code = go(&other, &mut ada, &[("prompt", "consent")]).await?.code()?;
    let kept = redeem(&other, &code, &[]).await?;
    let asked = ask(&app, &mut ada, &format!("application={}", app.id)).await?;
    assert!(asked.html.contains("Notebook"), "{}", asked.html);
    let done = fill(&mut ada, &asked, &[]).await?;
    assert!(done.html.contains("has been removed"), "{}", done.html);
    app.sees_dead(&tokens.text("access_token")?).await?;
    app.sees_refresh_refused(&tokens.text("refresh_token")?).await?;
    other.sees_alive(&kept.text("access_token")?).await?;
    let silent = go(&app, &mut ada, &[("prompt", "none")]).await?;
    silent.is_refused(&app, "login_required");
    Ok(())
}

#[tokio::test]
async fn an_id_of_somebody_elses_session_is_answered_like_one_of_nobodys_and_ends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let eve = json!({ "user_name": "eve", "password": PASSWORD });
    server.administer(Method::POST, "/users", &eve).await?;
    let (mut ada, mut eve) = (someone(&app), someone(&app));
    go(&app, &mut ada, &[]).await?.code()?;
    let adas = sessions(&server).await?.remove(0);
    let page = open(&mut eve, &account(&app)?).await?;
    fill(&mut eve, &page, &[("username", "eve"), ("password", PASSWORD)]).await?;
    let before = last_entry(&server).await?;
    let mut answers = Vec::new();
    for id in [adas.as_str(), "s_nobody", &"s".repeat(5000)] {
        let page = ask(&app, &mut eve, &format!("session={id}")).await?;
        assert_eq!(page.status, 404);
        let (words, _) = page.html.split_once("<p class=\"reference\">").context("no reference")?;
        answers.push(words.to_owned());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert!(is_signed_in(&app, &mut ada).await?);
    assert_eq!(last_entry(&server).await?, before);
    Ok(())
}

#[tokio::test]
async fn the_account_page_protects_itself_and_without_a_session_shows_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut stranger = someone(&app);
    let page = open(&mut stranger, &account(&app)?).await?;
    assert!(page.form()?.asks_password() && page.status == 200);
    let asked = ask(&app, &mut stranger, "others=1").await?;
    assert_eq!((asked.status, asked.location()), (303, Some(account(&app)?.as_str())));
    go(&app, &mut stranger, &[]).await?.code()?;
    let page = open(&mut stranger, &account(&app)?).await?;
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        assert_eq!(page.headers[name], value);
    }
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str()?;
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    Ok(())
}

#[tokio::test]
async fn a_geoip_database_that_cannot_be_read_is_refused_by_its_key() {
    let refused = Server::start_with("[geoip]\ndatabase = \"/nowhere/places.mmdb\"").await;
    let why = refused.err().map(|why| format!("{why:#}")).unwrap_or_default();
    assert!(why.contains("geoip.database") && why.contains("/nowhere/places.mmdb"), "{why}");
}
