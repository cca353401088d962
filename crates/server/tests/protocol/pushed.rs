//! Pushed authorization requests (RFC 9126).

use anyhow::Result;
use serde_json::json;

use crate::{
    application::{Answer, Application, REDIRECT_URI},
    browsing::{Back, address, go, open, parameters, redeem, someone},
    person::Person,
    server::Server,
};

async fn push(app: &Application<'_>, otherwise: &[(&str, &str)]) -> Result<Answer> {
    let fields = parameters(app, otherwise);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let named: Vec<_> = fields.into_iter().filter(|(name, _)| *name != "client_id").collect();
    app.post("/par", &named).await
}

fn refer(app: &Application<'_>, request_uri: &str) -> Result<url::Url> {
    let pairs = [("client_id", app.id.as_str()), ("request_uri", request_uri)];
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    address(app, "/authorize", &pairs)
}

async fn follow(app: &Application<'_>, person: &mut Person, request_uri: &str) -> Result<Back> {
    Ok(Back(person.visit(refer(app, request_uri)?, REDIRECT_URI).await?))
}

#[tokio::test]
async fn a_pushed_request_is_good_for_one_code() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let pushed = push(&app, &[]).await?;
    assert_eq!((pushed.status, &pushed.headers["cache-control"]), (201, &"no-store".parse()?), "{}", pushed.text);
    let uri = pushed.text("request_uri")?;
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:") && uri.len() > 70);
    assert!(pushed.body["expires_in"].as_i64().is_some_and(|secs| secs > 0));
    let mut ada = someone(&app);
    let back = follow(&app, &mut ada, &uri).await?;
    back.is_ours(&app);
    redeem(&app, &back.code()?, &[]).await?.succeeds();
    let again = open(&mut ada, &refer(&app, &uri)?).await?;
    assert_eq!((again.status, again.location()), (400, None));
    Ok(())
}

#[tokio::test]
async fn a_pushed_request_is_its_clients_alone() -> Result<()> {
    let server = Server::start().await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    let uri = push(&app, &[]).await?.text("request_uri")?;
    let page = open(&mut someone(&other), &refer(&other, &uri)?).await?;
    assert_eq!((page.status, page.location()), (400, None));
    follow(&app, &mut someone(&app), &uri).await?.code()?;
    let nameless = Application { server: &server, id: app.id.clone(), secret: None };
    push(&nameless, &[]).await?.is_refused(401, "invalid_client");
    Ok(())
}

#[tokio::test]
async fn a_request_is_checked_when_it_is_pushed() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let uri = push(&app, &[]).await?.text("request_uri")?;
    for (name, value, error) in [
        ("request_uri", uri.as_str(), "invalid_request"),
        ("redirect_uri", "https://evil.example/cb", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("scope", "openid unheard-of", "invalid_scope"),
        ("resource", "https://unknown.example", "invalid_target"),
    ] {
        push(&app, &[(name, value)]).await?.is_refused(400, error);
    }
    let got = Answer::of(server.http.get(format!("{}/par", server.issuer))).await?;
    assert_eq!((got.status, &got.headers["allow"]), (405, &"POST".parse()?));
    Ok(())
}

#[tokio::test]
async fn a_client_that_has_to_push_cannot_go_without_over_the_wire() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "require_pushed_authorization_requests": true })).await?;
    go(&app, &mut someone(&app), &[]).await?.is_refused(&app, "invalid_request");
    let uri = push(&app, &[]).await?.text("request_uri")?;
    follow(&app, &mut someone(&app), &uri).await?.code()?;
    Ok(())
}
