//! In the console, what reaches far: the words to type, the second administrator, the time to wait for, and many users at once.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::Application,
    console::{Browser, add_user, entries, user_id},
    server::{Server, USER_NAME},
};

async fn set(server: &Server, name: &str, value: Value) -> Result<()> {
    server.administer(Method::PATCH, &format!("/settings/{name}"), &json!({ "value": value })).await?;
    Ok(())
}

/// A server on which ending everything is guarded, with somebody signed in.
async fn guarded() -> Result<Server> {
    let server = Server::start().await?;
    Application::confidential(&server).await?.sign_in().await?;
    set(&server, "guardSessionsPercent", json!(1)).await?;
    Ok(server)
}

#[tokio::test]
async fn what_reaches_far_is_asked_for_in_words_and_its_outcome_is_shown_to_whoever_it_ended() -> Result<()> {
    let server = guarded().await?;
    let mut root = Browser::administrator(&server).await?;
    let dialog = root.get("/revoke?kind=everything").await?;
    assert!(dialog.html.contains("To go on, type <strong>revoke everything</strong>"), "{}", dialog.html);
    let csrf = dialog.field("csrf")?;
    let before = entries(&server).await?;
    for (typed, said) in [("", "This reaches far"), ("everything", "Those are not the words")] {
        let fields = [("csrf", csrf.as_str()), ("kind", "everything"), ("note", "kept as typed"), ("confirm", typed)];
        let asked = root.post("/revoke", &fields).await?;
        assert!(asked.status == 409 && asked.html.contains(said), "{typed}: {}", asked.html);
        assert!(asked.html.contains("value=\"kept as typed\""), "{}", asked.html);
    }
    assert_eq!(entries(&server).await?, before);
    let fields = [("csrf", csrf.as_str()), ("kind", "everything"), ("confirm", "revoke everything")];
    let done = root.post("/revoke", &fields).await?;
    assert_eq!((done.status, entries(&server).await?), (200, before + 1), "{}", done.html);
    assert!(done.html.contains("you with it"), "{}", done.html);
    let (_, link) = done.html.split_once("<a class=\"button\" href=\"").context("no link to the receipt")?;
    let link = link.split('"').next().unwrap_or_default();
    let receipt = server.http.get(link).send().await?;
    assert_eq!(receipt.status().as_u16(), 200, "{link}");
    Ok(())
}

#[tokio::test]
async fn an_order_that_waits_is_shown_and_approved_by_another_or_withdrawn() -> Result<()> {
    let server = guarded().await?;
    set(&server, "guardSecondAdministrator", json!(true)).await?;
    let (mut one, mut other) = (Browser::administrator(&server).await?, Browser::administrator(&server).await?);
    let csrf = one.get("/users").await?.field("csrf")?;
    let order = [("csrf", csrf.as_str()), ("kind", "everything"), ("confirm", "revoke everything")];
    let before = entries(&server).await?;
    let waits = one.post("/revoke", &order).await?;
    assert!(waits.location().starts_with("/console/pending/"), "{} {}", waits.status, waits.html);
    let path = waits.location().trim_start_matches("/console").to_owned();
    let list = one.get("/revocations").await?;
    assert!(list.html.contains("Not carried out yet") && list.html.contains("Waits for approval"), "{}", list.html);
    let own = one.post(&format!("{path}/approve"), &[("csrf", &csrf)]).await?;
    assert!(own.status == 409 && own.html.contains("That was refused"), "{}", own.html);
    let withdrawn = one.post(&format!("{path}/withdraw"), &[("csrf", &csrf)]).await?;
    assert!(withdrawn.location().ends_with("?done=withdrawn"), "{}", withdrawn.html);
    assert!(one.get(&path).await?.html.contains("Withdrawn"));
    let waits = one.post("/revoke", &order).await?;
    let path = waits.location().trim_start_matches("/console").to_owned();
    let csrf = other.get("/users").await?.field("csrf")?;
    assert_eq!(entries(&server).await?, before);
    other.post(&format!("{path}/approve"), &[("csrf", &csrf)]).await?;
    assert_eq!(entries(&server).await?, before + 1);
    Ok(())
}

#[tokio::test]
async fn an_order_for_later_waits_and_ends_nothing_now() -> Result<()> {
    let server = Server::start().await?;
    let mut root = Browser::administrator(&server).await?;
    let ada = user_id(&server, USER_NAME).await?;
    let csrf = root.get("/users").await?.field("csrf")?;
    let before = entries(&server).await?;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let soon = soon.strftime("%Y-%m-%dT%H:%M").to_string();
    let order = [("csrf", csrf.as_str()), ("kind", "user"), ("user", &ada), ("at", &soon)];
    let waits = root.post("/revoke", &order).await?;
    assert!(waits.location().starts_with("/console/pending/"), "{} {}", waits.status, waits.html);
    let shown = root.get(waits.location().trim_start_matches("/console")).await?;
    assert!(shown.html.contains("Scheduled") && shown.html.contains("Ada Lovelace"), "{}", shown.html);
    assert_eq!(entries(&server).await?, before);
    Ok(())
}

#[tokio::test]
async fn several_users_are_one_job_whose_progress_is_shown() -> Result<()> {
    let server = Server::start().await?;
    let (one, other) = (add_user(&server, "one", Value::Null).await?, add_user(&server, "other", Value::Null).await?);
    let mut root = Browser::administrator(&server).await?;
    let csrf = root.get("/users").await?.field("csrf")?;
    let fields =
        [("csrf", csrf.as_str()), ("action", "disable"), ("user", &one), ("user", &other), ("reason", "left_company")];
    let asked = root.post("/bulk", &fields).await?;
    assert!(asked.status == 200 && asked.html.contains("Disable 2 users?"), "{}", asked.html);
    let begun = root.post("/bulk/begin", &fields).await?;
    assert!(begun.location().starts_with("/console/bulk/"), "{} {}", begun.status, begun.html);
    let path = begun.location().trim_start_matches("/console").to_owned();
    for _ in 0..200 {
        let page = root.get(&path).await?;
        if page.html.contains("2 of 2 done") {
            let shown = server.administer(Method::GET, "/users/other", &Value::Null).await?;
            assert_eq!(shown["enabled"], json!(false));
            assert!(root.get("/bulk").await?.html.contains("2 of 2"));
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("the job does not end")
}
