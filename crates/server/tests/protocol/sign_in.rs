//! The sign-in page against guessing and prying.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;

use crate::{
    application::Application,
    browsing::{Page, address, fill, open, parameters, someone},
    person::Person,
    server::{PASSWORD, Server, USER_NAME},
};

async fn sign_in_page(app: &Application<'_>, person: &mut Person) -> Result<Page> {
    open(person, &address(app, "/authorize", &parameters(app, &[]))?).await
}

async fn attempt(person: &mut Person, page: &Page, name: &str, password: &str) -> Result<Page> {
    fill(person, page, &[("username", name), ("password", password)]).await
}

#[tokio::test]
async fn after_too_many_wrong_passwords_the_right_one_waits_too() -> Result<()> {
    let server = Server::start_with("[limits]\nsign_in_attempts_per_minute = 2").await?;
    let app = Application::confidential(&server).await?;
    let mut person = someone(&app);
    let page = sign_in_page(&app, &mut person).await?;
    for _ in 0..2 {
        let refused = attempt(&mut person, &page, USER_NAME, "wrong").await?;
        assert_eq!((refused.status, refused.form()?.asks_password()), (200, true));
    }
    for password in ["wrong", PASSWORD] {
        let refused = attempt(&mut person, &page, USER_NAME, password).await?;
        assert_eq!((refused.status, refused.location()), (429, None), "{password}");
        let wait: u32 = refused.headers["retry-after"].to_str()?.parse()?;
        assert!((1..=60).contains(&wait), "{wait}");
        assert!(person.cookies.keys().all(|name| !name.contains("session")));
    }
    Ok(())
}

#[tokio::test]
async fn nobody_learns_from_the_page_whether_a_user_exists() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let off = json!({ "user_name": "switched-off", "password": PASSWORD, "enabled": false });
    server.administer(Method::POST, "/users", &off).await?;
    server.administer(Method::POST, "/users", &json!({ "user_name": "bare" })).await?;
    let mut person = someone(&app);
    let page = sign_in_page(&app, &mut person).await?;
    let mut seen = Vec::new();
    for (name, password) in [
        ("nobody", PASSWORD),
        (USER_NAME, "wrong password"),
        ("switched-off", PASSWORD),
        ("switched-off", "wrong password"),
        ("bare", PASSWORD),
    ] {
        let mut refused = attempt(&mut person, &page, name, password).await?;
        refused.headers.remove("date");
        refused.headers.remove("x-correlation-id");
        refused.headers.remove("content-length");
        assert!(refused.form()?.asks_password());
        seen.push((refused.status, refused.headers, refused.html.replace(&format!("\"{name}\""), "\"NAME\"")));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert!(seen[0].2.contains("\"NAME\""), "what was typed stays in the field");
    Ok(())
}

#[tokio::test]
async fn the_pages_are_kept_out_of_frames_caches_and_the_reach_of_scripts() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let page = sign_in_page(&app, &mut someone(&app)).await?;
    let header =
        |name: &str| page.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("unsafe-inline") && !policy.contains("unsafe-eval"), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("x-frame-options").to_uppercase(), "DENY");
    assert!(header("cache-control").contains("no-store"));
    assert!(header("set-cookie").contains("HttpOnly") && header("set-cookie").contains("SameSite=Lax"));
    Ok(())
}

#[tokio::test]
async fn a_form_without_this_browsers_seal_signs_nobody_in() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let (mut one, mut other) = (someone(&app), someone(&app));
    let page = sign_in_page(&app, &mut one).await?;
    sign_in_page(&app, &mut other).await?;
    let stolen = attempt(&mut other, &page, USER_NAME, PASSWORD).await?;
    assert_eq!((stolen.status, stolen.location()), (400, None));
    let cookieless = attempt(&mut someone(&app), &page, USER_NAME, PASSWORD).await?;
    assert_eq!((cookieless.status, cookieless.location()), (400, None));
    let (action, mut fields) = page.hidden()?;
    fields.retain(|(name, _)| name != "csrf");
    fields.extend([("username".into(), USER_NAME.into()), ("password".into(), PASSWORD.into())]);
    assert_eq!(one.send(&action, Some(fields)).await?.status().as_u16(), 400);
    let done = attempt(&mut one, &page, USER_NAME, PASSWORD).await?;
    assert_eq!(done.status, 200, "the consent page");
    assert!(one.cookies.keys().any(|name| name.contains("session")));
    Ok(())
}
