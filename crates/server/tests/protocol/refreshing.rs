//! Refresh tokens that rotate, used by many at once and after an answer that never came.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use reqwest::{Client, Method, redirect::Policy};
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    server::Server,
};

const CALLERS: usize = 50;

/// One refresh over a connection of its own, which it opens.
async fn refresh_alone(http: Client, url: String, id: String, secret: Option<String>, token: String) -> Result<Answer> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &token), ("client_id", &id)];
    let request = http.post(url).form(&fields);
    Answer::of(match &secret {
        Some(secret) => request.basic_auth(&id, Some(secret)),
        None => request,
    })
    .await
}

/// Fifty of them, together.
async fn refresh_together(app: &Application<'_>, token: &str) -> Result<Vec<Answer>> {
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        // A client each, so that no connection is shared.
        let http = Client::builder().redirect(Policy::none()).no_proxy().build()?;
        let url = format!("{}/token", app.server.issuer);
        callers.spawn(refresh_alone(http, url, app.id.clone(), app.secret.clone(), token.to_owned()));
    }
    callers.join_all().await.into_iter().collect()
}

fn distinct(answers: &[Answer], member: &str) -> Result<BTreeSet<String>> {
    answers.iter().map(|answer| answer.text(member)).collect()
}

#[tokio::test]
async fn fifty_refreshes_at_once_bring_one_refresh_token_and_access_tokens_of_one_grant() -> Result<()> {
    for members in [json!({ "rotation": "each_use" }), json!({ "auth_method": "none" })] {
        let server = Server::start().await?;
        let app = Application::add(&server, members).await?;
        let first = app.sign_in().await?;
        let answers = refresh_together(&app, &first.refresh).await?;
        assert_eq!(answers.len(), CALLERS);
        for answer in &answers {
            answer.succeeds();
        }
        let heads = distinct(&answers, "refresh_token")?;
        assert_eq!(heads.len(), 1, "one refresh token for all: {heads:?}");
        let head = heads.first().context("no refresh token")?;
        assert_ne!(head, &first.refresh);
        let mut grants = BTreeSet::new();
        for access in distinct(&answers, "access_token")? {
            app.sees_alive(&access).await?;
            let shown = server.administer(Method::POST, "/introspect", &json!({ "token": access })).await?;
            grants.insert(shown["grant_id"].as_str().context("no grant_id")?.to_owned());
        }
        assert_eq!(grants.len(), 1);
        let entries = server.administer(Method::GET, "/revocations", &Value::Null).await?;
        assert_eq!(entries["items"], json!([]), "nobody was taken for a thief");
        // One live head: its use makes every older token a replay, and so the end of the family.
        let next = app.refresh(head).await?;
        assert_ne!(&next.refresh, head);
        app.sees_refresh_refused(&first.refresh).await?;
        app.sees_refresh_refused(&next.refresh).await?;
        app.sees_dead(&next.access).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_was_lost_logs_nobody_out() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::rotating(&server).await?;
    let first = app.sign_in().await?;
    // The server has rotated, and nobody ever reads what it says.
    let lost = app.refresh(&first.refresh).await?;
    let again = app.refresh(&first.refresh).await?;
    assert_eq!(again.refresh, lost.refresh);
    app.sees_alive(&again.access).await?;
    let second = app.refresh(&again.refresh).await?;
    app.sees_alive(&second.access).await?;
    // The same once more, down the family.
    let third = app.refresh(&second.refresh).await?;
    assert_eq!(app.refresh(&second.refresh).await?.refresh, third.refresh);
    app.refresh(&third.refresh).await?;
    app.sees_alive(&first.access).await?;
    let entries = server.administer(Method::GET, "/revocations", &Value::Null).await?;
    assert_eq!(entries["items"], json!([]));
    Ok(())
}

#[tokio::test]
async fn without_a_grace_the_second_of_two_uses_ends_the_grant() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "rotation": "each_use", "rotation_grace_secs": 0 })).await?;
    let first = app.sign_in().await?;
    let answers = refresh_together(&app, &first.refresh).await?;
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), bad.len()), (1, CALLERS - 1));
    for answer in &bad {
        answer.is_refused(400, "invalid_grant");
    }
    app.sees_dead(&good[0].text("access_token")?).await?;
    app.sees_refresh_refused(&good[0].text("refresh_token")?).await
}
