//! Ending everything of one user (draft-parecki-oauth-global-token-revocation-05).

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    browsing::{go, someone},
    revoke_session::{own_token, permitted},
    server::{PASSWORD, Server},
};

pub(crate) const SCOPE: &str = "global_token_revocation";

pub(crate) async fn ask(app: &Application<'_>, sub_id: &Value) -> Result<Answer> {
    ask_at(app, &format!("{}/global-token-revocation", app.server.issuer), sub_id).await
}

pub(crate) async fn ask_at(app: &Application<'_>, url: &str, sub_id: &Value) -> Result<Answer> {
    let request = app.server.http.post(url).json(&json!({ "sub_id": sub_id }));
    Answer::of(request.basic_auth(&app.id, app.secret.as_ref())).await
}

#[track_caller]
pub(crate) fn is_done(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.headers["cache-control"], "no-store");
}

/// The id of a user, by name.
pub(crate) async fn id_of(server: &Server, name: &str) -> Result<String> {
    let users = server.administer(Method::GET, "/users", &Value::Null).await?;
    let user = users["items"].as_array().into_iter().flatten().find(|user| user["user_name"] == name);
    Ok(user.and_then(|user| user["id"].as_str()).context("no such user")?.to_owned())
}

async fn add_user(server: &Server, name: &str, email: &str) -> Result<String> {
    let user = json!({ "user_name": name, "password": PASSWORD, "email": email });
    server.administer(Method::POST, "/users", &user).await?;
    id_of(server, name).await
}

#[tokio::test]
async fn sessions_and_tokens_end_those_with_offline_access_too_whichever_way_the_user_is_named() -> Result<()> {
    let server = Server::start().await?;
    let (web, guard) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let id = id_of(&server, "ada").await?;
    let email = json!({ "format": "email", "email": "ADA@example.com" });
    for sub_id in [
        json!({ "format": "opaque", "id": id }),
        json!({ "format": "iss_sub", "iss": server.issuer, "sub": id }),
        email.clone(),
        json!({ "format": "account", "uri": "acct:Ada@127.0.0.1" }),
        json!({ "format": "aliases", "identifiers": [{ "format": "phone_number", "phone_number": "+12065550100" }, email] }),
    ] {
        let mut ada = someone(&web);
        go(&web, &mut ada, &[]).await?.code()?;
        let tokens = web.sign_in().await?;
        web.sees_alive(&tokens.access).await?;
        is_done(&ask(&guard, &sub_id).await?);
        web.sees_dead(&tokens.access).await?;
        web.sees_refresh_refused(&tokens.refresh).await?;
        go(&web, &mut ada, &[("prompt", "none")]).await?.is_refused(&web, "login_required");
        let again = web.sign_in().await?;
        web.sees_alive(&again.access).await.context("who signs in again is not locked out")?;
    }
    let newest = server.administer(Method::GET, "/revocations?limit=2", &Value::Null).await?;
    let target = |place: usize| newest["items"][place]["target"].clone();
    let subject = json!({ "kind": "subject", "issuer": server.issuer, "subject": id });
    assert_eq!((target(0), target(1)), (subject.clone(), subject), "one entry each time");
    Ok(())
}

#[tokio::test]
async fn a_user_whom_nobody_knows_is_404_and_one_of_another_issuer_is_nobody() -> Result<()> {
    let server = Server::start().await?;
    let (web, guard) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let tokens = web.sign_in().await?;
    let id = id_of(&server, "ada").await?;
    for sub_id in [
        json!({ "format": "opaque", "id": "ada" }),
        json!({ "format": "iss_sub", "iss": "https://elsewhere.example", "sub": id }),
        json!({ "format": "iss_sub", "iss": format!("{}/", server.issuer), "sub": id }),
        json!({ "format": "email", "email": "nobody@example.com" }),
        json!({ "format": "account", "uri": "acct:ada@elsewhere.example" }),
        json!({ "format": "aliases", "identifiers": [{ "format": "opaque", "id": "nobody" }] }),
    ] {
        ask(&guard, &sub_id).await?.is_refused(404, "unknown_subject");
    }
    web.sees_alive(&tokens.access).await
}

#[tokio::test]
async fn nobody_is_picked_out_of_several() -> Result<()> {
    let server = Server::start().await?;
    let (web, guard) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let tokens = web.sign_in().await?;
    let (ada, bob) = (id_of(&server, "ada").await?, add_user(&server, "bob", "ada@example.com").await?);
    // An account's name may be the whole of what stands behind `acct:`, or its first part at our host.
    add_user(&server, "ada@127.0.0.1", "other@example.com").await?;
    let (shared, opaque) =
        (json!({ "format": "email", "email": "ada@example.com" }), json!({ "format": "opaque", "id": bob }));
    let aliases = |identifiers: &[&Value]| json!({ "format": "aliases", "identifiers": identifiers });
    let other = json!({ "format": "opaque", "id": ada });
    for sub_id in [
        shared.clone(),
        json!({ "format": "account", "uri": "acct:ada@127.0.0.1" }),
        aliases(&[&other, &opaque]),
        aliases(&[&shared, &shared]),
    ] {
        ask(&guard, &sub_id).await?.is_refused(422, "ambiguous_subject");
    }
    is_done(&ask(&guard, &aliases(&[&shared, &opaque])).await?);
    web.sees_alive(&tokens.access).await.context("bob was meant")?;
    is_done(&ask(&guard, &aliases(&[&other, &shared])).await?);
    web.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn what_cannot_be_understood_is_400_and_ends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let (web, guard) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let tokens = web.sign_in().await?;
    for sub_id in [
        json!({ "format": "phone_number", "phone_number": "+12065550100" }),
        json!({ "format": "did", "url": "did:example:123456" }),
        json!({ "format": "uri", "uri": "https://user.example.com/" }),
        json!({ "format": "uid", "id": "ada" }),
        json!({ "format": "email", "email": "ada" }),
        json!({ "format": "opaque", "id": "x", "more": 1 }),
        json!({ "id": "ada" }),
        json!("ada"),
    ] {
        ask(&guard, &sub_id).await?.is_refused(400, "invalid_request");
    }
    let url = format!("{}/global-token-revocation", server.issuer);
    let send = async |media_type: &str, body: &str| {
        let request = server.http.post(&url).basic_auth(&guard.id, guard.secret.as_ref());
        Answer::of(request.header("content-type", media_type).body(body.to_owned())).await
    };
    let id = id_of(&server, "ada").await?;
    let sound = json!({ "sub_id": { "format": "opaque", "id": id } });
    let mut more = sound.clone();
    more["reason"] = "leaving".into();
    for (media_type, body) in [
        ("application/json", "{"),
        ("application/json", ""),
        ("application/json", "{}"),
        ("application/json", &more.to_string()),
        ("application/x-www-form-urlencoded", &sound.to_string()),
    ] {
        send(media_type, body).await?.is_refused(400, "invalid_request");
    }
    send("application/json", &" ".repeat(70_000)).await?.is_refused(413, "invalid_request");
    assert_eq!(Answer::of(server.http.get(&url)).await?.status, 405);
    web.sees_alive(&tokens.access).await?;
    is_done(&send("Application/JSON; charset=utf-8", &sound.to_string()).await?);
    web.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn only_a_client_with_the_scope_may() -> Result<()> {
    let server = Server::start().await?;
    let (web, guard) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let desk = permitted(&server, "revoke_session").await?;
    let tokens = web.sign_in().await?;
    let sub_id = json!({ "format": "email", "email": "ada@example.com" });
    let unknown = json!({ "format": "opaque", "id": "nobody" });
    for app in [&web, &desk] {
        for sub_id in [&sub_id, &unknown, &json!("malformed")] {
            ask(app, sub_id).await?.is_refused(403, "access_denied");
        }
    }
    let impostor = Application { server: &server, id: guard.id.clone(), secret: Some("wrong".to_owned()) };
    ask(&impostor, &sub_id).await?.is_refused(401, "invalid_client");
    let public = Application::add(&server, json!({ "auth_method": "none", "scopes": ["openid", SCOPE] })).await?;
    let url = format!("{}/global-token-revocation", server.issuer);
    let body = json!({ "sub_id": sub_id });
    for url in [url.clone(), format!("{url}?client_id={}", public.id), format!("{url}?client_id={}", guard.id)] {
        Answer::of(server.http.post(url).json(&body)).await?.is_refused(401, "invalid_client");
    }
    let in_address =
        format!("{url}?client_id={}&client_secret={}", guard.id, guard.secret.as_deref().context("no secret")?);
    Answer::of(server.http.post(in_address).json(&body)).await?.is_refused(401, "invalid_client");
    let bearer = async |token: &str| Answer::of(server.http.post(&url).json(&body).bearer_auth(token)).await;
    bearer("unknown").await?.is_refused(401, "invalid_token");
    bearer(&own_token(&desk, &[]).await?).await?.is_refused(403, "insufficient_scope");
    web.sees_alive(&tokens.access).await?;
    is_done(&bearer(&own_token(&guard, &[]).await?).await?);
    web.sees_dead(&tokens.access).await
}
