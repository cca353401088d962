//! A user changes their own password over the wire: only who knows the old one can, and everything else of theirs ends.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::{
    application::Application,
    browsing::{Page, fill, go, open, redeem, someone},
    person::Person,
    server::{PASSWORD, Server, USER_NAME},
};

const NEW: &str = "a new password of ada's";
const SCOPE: [(&str, &str); 2] = [("scope", "openid profile"), ("prompt", "consent")];

fn form(app: &Application<'_>) -> Result<Url> {
    Ok(Url::parse(&format!("{}/account/password", app.server.issuer))?)
}

async fn is_signed_in(app: &Application<'_>, person: &mut Person) -> Result<bool> {
    let account = Url::parse(&format!("{}/account", app.server.issuer))?;
    Ok(open(person, &account).await?.html.contains("<h1>Your account</h1>"))
}

async fn change(app: &Application<'_>, person: &mut Person, fields: [&str; 3]) -> Result<Page> {
    let asked = open(person, &form(app)?).await?;
    assert!(asked.html.contains("<h1>Change your password</h1>"), "{}", asked.html);
    let [old, new, again] = fields;
    fill(person, &asked, &[("password", old), ("new_password", new), ("new_password_again", again)]).await
}

async fn entries(server: &Server) -> Result<Vec<Value>> {
    let listed = server.administer(Method::GET, "/revocations", &Value::Null).await?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_new_password_ends_everything_else_and_this_browser_goes_on() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let (mut here, mut there) = (someone(&app), someone(&app));
    let code = go(&app, &mut here, &SCOPE).await?.code()?;
    let tokens = redeem(&app, &code, &[]).await?;
    go(&app, &mut there, &SCOPE).await?.code()?;
    let before = here.cookies.clone();
    let done = change(&app, &mut here, [PASSWORD, NEW, NEW]).await?;
    assert!(done.status == 200 && done.html.contains("Your password has been changed"), "{}", done.html);
    assert_ne!(here.cookies, before, "the browser goes on in a session of its own");
    assert!(is_signed_in(&app, &mut here).await? && !is_signed_in(&app, &mut there).await?);
    app.sees_dead(&tokens.text("access_token")?).await?;
    app.sees_refresh_refused(&tokens.text("refresh_token")?).await?;
    let mut stolen = someone(&app);
    stolen.cookies = before;
    assert!(!is_signed_in(&app, &mut stolen).await?, "the cookie of before is worth nothing");
    let [entry] = &entries(&server).await?[..] else { panic!("one entry") };
    assert_eq!(
        (&entry["reason"], &entry["initiator"]["kind"]),
        (&json!("credential_change"), &json!("user")),
        "{entry}"
    );
    let account = Url::parse(&format!("{}/account", server.issuer))?;
    for (password, works) in [(PASSWORD, false), (NEW, true)] {
        let mut again = someone(&app);
        let page = open(&mut again, &account).await?;
        fill(&mut again, &page, &[("username", USER_NAME), ("password", password)]).await?;
        assert_eq!(is_signed_in(&app, &mut again).await?, works);
    }
    // The remembered consent has ended; the sign-in has not: it is the consent that is missing now.
    let silent = go(&app, &mut here, &[("scope", "openid profile"), ("prompt", "none")]).await?;
    assert_eq!(silent.find("error").as_deref(), Some("consent_required"), "{}", silent.0);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_new_password_is_said_and_changes_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut here = someone(&app);
    go(&app, &mut here, &SCOPE).await?.code()?;
    for (fields, words) in [
        (["wrong password", NEW, NEW], "That is not your present password."),
        ([PASSWORD, NEW, "another"], "The two new passwords are not the same."),
        ([PASSWORD, "sh0rt", "sh0rt"], "The new password is too short"),
        ([PASSWORD, PASSWORD, PASSWORD], "That is your present password already."),
    ] {
        let answer = change(&app, &mut here, fields).await?;
        assert!(answer.status == 200 && answer.html.contains(words), "{}", answer.html);
        assert!(!answer.html.contains(fields[1]), "what was typed is not shown again");
    }
    assert!(entries(&server).await?.is_empty() && is_signed_in(&app, &mut here).await?);
    Ok(())
}

#[tokio::test]
async fn wrong_present_passwords_are_limited_like_sign_ins() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut here = someone(&app);
    go(&app, &mut here, &SCOPE).await?.code()?;
    let mut last = change(&app, &mut here, ["wrong password", NEW, NEW]).await?;
    for _ in 0..20 {
        if last.status == 429 {
            break;
        }
        last = change(&app, &mut here, ["wrong password", NEW, NEW]).await?;
    }
    assert_eq!(last.status, 429, "{}", last.html);
    assert!(last.headers.contains_key("retry-after"));
    let answer = change(&app, &mut here, [PASSWORD, NEW, NEW]).await?;
    assert_eq!(answer.status, 429, "the right one has to wait, too");
    Ok(())
}

#[tokio::test]
async fn the_form_of_another_browser_or_session_changes_no_password() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let (mut here, mut there) = (someone(&app), someone(&app));
    for person in [&mut here, &mut there] {
        go(&app, person, &SCOPE).await?.code()?;
    }
    let asked = open(&mut here, &form(&app)?).await?;
    let fields = [("password", PASSWORD), ("new_password", NEW), ("new_password_again", NEW)];
    let answer = fill(&mut there, &asked, &fields).await?;
    assert_eq!(answer.status, 400, "{}", answer.html);
    let mut nobody = someone(&app);
    let answer = open(&mut nobody, &form(&app)?).await?;
    assert_eq!((answer.status, answer.location()), (303, Some(format!("{}/account", server.issuer).as_str())));
    assert!(entries(&server).await?.is_empty());
    Ok(())
}
