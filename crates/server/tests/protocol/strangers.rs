//! What strangers may have kept: authorization requests that nobody has signed in for, and what they may read.

use anyhow::{Context, Result};
use reqwest::header::RETRY_AFTER;
use serde_json::json;

use crate::{
    application::{Answer, Application},
    browsing::{Page, address, fill, open, parameters, someone},
    server::{PASSWORD, Server, USER_NAME},
};

/// A stranger's address is what the proxy says it is.
const PROXY: &str = "[proxy]\ntrusted = [\"127.0.0.1\"]\n";

async fn begin(app: &Application<'_>, from: &str, otherwise: &[(&str, &str)]) -> Result<Page> {
    let url = address(app, "/authorize", &parameters(app, otherwise))?;
    Page::of(app.server.http.get(url).header("x-forwarded-for", from).send().await?).await
}

async fn push(app: &Application<'_>, from: &str, otherwise: &[(&str, &str)]) -> Result<Answer> {
    let fields = parameters(app, otherwise);
    let request = app.server.http.post(format!("{}/par", app.server.issuer)).header("x-forwarded-for", from);
    Answer::of(match &app.secret {
        Some(secret) => request.basic_auth(&app.id, Some(secret)).form(&fields),
        None => request.form(&fields),
    })
    .await
}

/// In seconds.
fn retry_after(headers: &reqwest::header::HeaderMap) -> Result<u64> {
    Ok(headers.get(RETRY_AFTER).context("no Retry-After")?.to_str()?.parse()?)
}

/// How many authorization requests are kept, as the metrics have it.
async fn kept(server: &Server) -> Result<u64> {
    let metrics = server.http.get(format!("{}/metrics", server.issuer)).send().await?.text().await?;
    let line = metrics.lines().find_map(|line| line.strip_prefix("rescind_pending_requests "));
    Ok(line.context("no such metric")?.parse()?)
}

#[tokio::test]
async fn an_address_begins_so_many_authorization_requests_a_minute_and_others_are_not_hit() -> Result<()> {
    let lines = format!("{PROXY}[limits]\nsign_ins_begun_per_minute = 2");
    let server = Server::start_with(&lines).await?;
    let app = Application::confidential(&server).await?;
    for _ in 0..2 {
        assert_eq!(begin(&app, "192.0.2.1", &[]).await?.status, 200);
    }
    let refused = begin(&app, "192.0.2.1", &[]).await?;
    assert_eq!(refused.status, 429, "{}", refused.html);
    assert!((1..=60).contains(&retry_after(&refused.headers)?));
    assert_eq!(kept(&server).await?, 2);
    assert_eq!(begin(&app, "192.0.2.2", &[]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_public_client_pushes_no_more_than_an_address_may_begin_and_a_confidential_one_does() -> Result<()> {
    let lines = format!("{PROXY}[limits]\nsign_ins_begun_per_minute = 2");
    let server = Server::start_with(&lines).await?;
    let public = Application::add(&server, json!({ "auth_method": "none" })).await?;
    let confidential = Application::confidential(&server).await?;
    for _ in 0..2 {
        assert_eq!(push(&public, "192.0.2.1", &[]).await?.status, 201);
    }
    let refused = push(&public, "192.0.2.1", &[]).await?;
    refused.is_refused(429, "temporarily_unavailable");
    assert!((1..=60).contains(&retry_after(&refused.headers)?));
    assert_eq!(kept(&server).await?, 2);
    assert_eq!(push(&public, "192.0.2.2", &[]).await?.status, 201);
    for _ in 0..3 {
        assert_eq!(push(&confidential, "192.0.2.1", &[]).await?.status, 201);
    }
    Ok(())
}

#[tokio::test]
async fn an_authorization_request_of_more_than_8_kib_is_not_kept() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let (long, longer) = ("s".repeat(7_000), "s".repeat(8_200));
    assert_eq!(begin(&app, "", &[("state", &longer)]).await?.status, 413);
    push(&app, "", &[("state", &longer)]).await?.is_refused(413, "invalid_request");
    assert_eq!(kept(&server).await?, 0);
    assert_eq!(begin(&app, "", &[("state", &long)]).await?.status, 200);
    assert_eq!(push(&app, "", &[("state", &long)]).await?.status, 201);
    assert_eq!(kept(&server).await?, 2);
    Ok(())
}

#[tokio::test]
async fn only_so_many_authorization_requests_wait_for_their_answer_at_once() -> Result<()> {
    let server = Server::start_with("[limits]\npending_requests = 2").await?;
    let app = Application::add(&server, json!({ "first_party": true })).await?;
    let mut ada = someone(&app);
    let page = open(&mut ada, &address(&app, "/authorize", &parameters(&app, &[]))?).await?;
    assert_eq!(push(&app, "", &[]).await?.status, 201);
    let refused = begin(&app, "", &[]).await?;
    assert_eq!((refused.status, retry_after(&refused.headers)?), (503, 1), "{}", refused.html);
    let refused = push(&app, "", &[]).await?;
    refused.is_refused(503, "temporarily_unavailable");
    assert_eq!((retry_after(&refused.headers)?, kept(&server).await?), (1, 2));
    // The answer to one makes room for another.
    let answer = fill(&mut ada, &page, &[("username", USER_NAME), ("password", PASSWORD)]).await?;
    assert!(answer.location().is_some_and(|to| to.contains("code=")), "{}", answer.html);
    assert_eq!(kept(&server).await?, 1);
    assert_eq!(begin(&app, "", &[]).await?.status, 200);
    assert_eq!(begin(&app, "", &[]).await?.status, 503);
    Ok(())
}

#[tokio::test]
async fn metrics_are_for_the_addresses_that_may_read_them() -> Result<()> {
    let server = Server::start_with(&format!("metrics_allow = [\"192.0.2.0/24\"]\n{PROXY}")).await?;
    let url = format!("{}/metrics", server.issuer);
    for (from, status) in [("", 403), ("198.51.100.1", 403), ("192.0.2.7, 198.51.100.1", 403), ("192.0.2.7", 200)] {
        let answer = Answer::of(server.http.get(&url).header("x-forwarded-for", from)).await?;
        assert_eq!(answer.status, status, "{from:?}: {}", answer.text);
        assert_eq!(answer.text.contains("rescind_index_entries"), status == 200, "{from:?}");
    }
    Ok(())
}
