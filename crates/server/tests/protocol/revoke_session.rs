//! Ending somebody's sessions by an attribute of theirs, as Janssen's `/revoke_session` does.

use anyhow::{Context, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    browsing::{go, redeem, someone},
    person::Person,
    server::Server,
};

const SCOPE: &str = "revoke_session";

/// A client that may, called like its scope.
pub(crate) async fn permitted<'a>(server: &'a Server, scope: &str) -> Result<Application<'a>> {
    let members = json!({ "id": scope, "redirect_uris": [], "grant_types": ["client_credentials"], "scopes": [scope] });
    Application::add(server, members).await
}

async fn ask(app: &Application<'_>, key: &str, value: &str) -> Result<Answer> {
    app.post("/revoke_session", &[("user_criterion_key", key), ("user_criterion_value", value)]).await
}

#[track_caller]
fn is_done(answer: &Answer) {
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(answer.headers["cache-control"], "no-store");
}

/// An access token by a client's own credentials.
pub(crate) async fn own_token(app: &Application<'_>, more: &[(&str, &str)]) -> Result<String> {
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend_from_slice(more);
    let answer = app.post("/token", &fields).await?;
    answer.succeeds();
    answer.text("access_token")
}

/// Someone who is signed in, and what two grants of theirs gave: one bound to the session, one that outlives it.
struct Visitor {
    person: Person,
    bound: String,
    offline: String,
}

async fn visitor(app: &Application<'_>) -> Result<Visitor> {
    let mut person = someone(app);
    let mut tokens = Vec::new();
    for scope in ["openid profile", "openid profile offline_access"] {
        let code = go(app, &mut person, &[("scope", scope)]).await?.code()?;
        tokens.push(redeem(app, &code, &[]).await?.text("access_token")?);
    }
    let (offline, bound) = (tokens.pop().context("no token")?, tokens.pop().context("no token")?);
    Ok(Visitor { person, bound, offline })
}

impl Visitor {
    async fn is_signed_in(&mut self, app: &Application<'_>) -> Result<bool> {
        is_signed_in(app, &mut self.person).await
    }
}

/// Whether somebody who consented to this before is let in without a word.
async fn is_signed_in(app: &Application<'_>, person: &mut Person) -> Result<bool> {
    let back = go(app, person, &[("prompt", "none"), ("scope", "openid profile")]).await?;
    match back.find("error").as_deref() {
        None => Ok(true),
        Some(error) => {
            assert_eq!(error, "login_required");
            Ok(false)
        }
    }
}

#[tokio::test]
async fn the_sessions_end_and_what_was_granted_to_outlive_them_goes_on() -> Result<()> {
    let server = Server::start().await?;
    let (web, desk) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let sub = server.administer(Method::GET, "/users", &Value::Null).await?["items"][0]["id"].clone();
    let sub = sub.as_str().context("no id")?;
    for (key, value) in [
        ("uid", "ada"),
        ("user_name", "ADA"),
        ("userName", "ada"),
        ("preferred_username", "ada"),
        ("mail", "ada@example.com"),
        ("email", "Ada@Example.COM"),
        ("sub", sub),
        ("inum", sub),
        ("id", sub),
    ] {
        let mut ada = visitor(&web).await?;
        assert!(ada.is_signed_in(&web).await?);
        is_done(&ask(&desk, key, value).await?);
        assert!(!ada.is_signed_in(&web).await?, "{key}");
        web.sees_dead(&ada.bound).await?;
        web.sees_alive(&ada.offline).await?;
    }
    let newest = server.administer(Method::GET, "/revocations?limit=1", &Value::Null).await?;
    let entry = &newest["items"][0];
    assert_eq!(
        (&entry["initiator"]["kind"], &entry["initiator"]["id"]),
        (&json!("client"), &json!(desk.id)),
        "{entry}"
    );
    Ok(())
}

#[tokio::test]
async fn nobody_finds_out_who_exists_or_is_signed_in() -> Result<()> {
    let server = Server::start().await?;
    let desk = permitted(&server, SCOPE).await?;
    for (key, value) in [("uid", "ada"), ("uid", "nobody"), ("mail", "nobody@example.com"), ("sub", "u_nobody")] {
        is_done(&ask(&desk, key, value).await?);
    }
    Ok(())
}

#[tokio::test]
async fn everybody_with_the_address_is_meant_and_nobody_else() -> Result<()> {
    let server = Server::start().await?;
    let (web, desk) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let mut ada = visitor(&web).await?;
    for (name, email) in [("bob", "ADA@example.com"), ("eve", "eve@example.com")] {
        let user = json!({ "user_name": name, "password": "a long enough password", "email": email });
        server.administer(Method::POST, "/users", &user).await?;
    }
    let mut sessions = Vec::new();
    for name in ["bob", "eve"] {
        sessions.push(sign_in_as(&web, name).await?);
    }
    is_done(&ask(&desk, "mail", "ada@example.com").await?);
    assert!(!ada.is_signed_in(&web).await?);
    let mut alive = Vec::new();
    for mut person in sessions {
        alive.push(is_signed_in(&web, &mut person).await?);
    }
    assert_eq!(alive, [false, true], "bob has the same address, eve has not");
    Ok(())
}

/// A person by another name signs in and consents.
pub(crate) async fn sign_in_as(app: &Application<'_>, name: &str) -> Result<Person> {
    use crate::browsing::{address, fill, open, parameters};
    let mut person = someone(app);
    let page = open(&mut person, &address(app, "/authorize", &parameters(app, &[]))?).await?;
    let fields = [("username", name), ("password", crate::server::PASSWORD)];
    let consent = fill(&mut person, &page, &fields).await?;
    let answer = fill(&mut person, &consent, &[("decision", "allow")]).await?;
    assert!(answer.location().is_some_and(|to| to.contains("code=")), "{} {}", answer.status, answer.html);
    Ok(person)
}

#[tokio::test]
async fn a_token_of_the_client_speaks_for_it_and_no_other_token_does() -> Result<()> {
    let server = Server::start().await?;
    let (web, desk) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let api = json!({ "audience": "https://orders.example", "name": "Orders", "scopes": ["orders.read", SCOPE] });
    server.administer(Method::POST, "/apis", &api).await?;
    let fields = [("user_criterion_key", "uid"), ("user_criterion_value", "ada")];
    let asked =
        |token: &str| server.http.post(format!("{}/revoke_session", server.issuer)).form(&fields).bearer_auth(token);
    let send = async |request: RequestBuilder| Answer::of(request).await;

    let mut ada = visitor(&web).await?;
    let token = own_token(&desk, &[]).await?;
    is_done(&send(asked(&token)).await?);
    assert!(!ada.is_signed_in(&web).await?);

    let other = Application::add(
        &server,
        json!({ "redirect_uris": [], "grant_types": ["client_credentials"], "scopes": ["orders.read"] }),
    )
    .await?;
    let refused = send(asked(&own_token(&other, &[]).await?)).await?;
    refused.is_refused(403, "insufficient_scope");
    let challenge = refused.headers["www-authenticate"].to_str()?;
    assert!(challenge.starts_with("Bearer ") && challenge.contains(r#"scope="revoke_session""#), "{challenge}");

    let for_an_api = own_token(&desk, &[("resource", "https://orders.example")]).await?;
    send(asked(&for_an_api)).await?.is_refused(401, "invalid_token");
    desk.revoke(&token, None).await?;
    send(asked(&token)).await?.is_refused(401, "invalid_token");
    send(asked("rsc_at_unknown")).await?.is_refused(401, "invalid_token");
    let token = own_token(&desk, &[]).await?;
    for (more, status) in
        [(("client_secret", "x"), 400), (("client_id", web.id.as_str()), 400), (("client_id", &desk.id), 200)]
    {
        let both = server.http.post(format!("{}/revoke_session", server.issuer)).form(&[fields[0], fields[1], more]);
        assert_eq!(send(both.bearer_auth(&token)).await?.status, status, "{}", more.0);
    }
    Ok(())
}

#[tokio::test]
async fn a_token_about_a_user_does_not_speak_for_its_client() -> Result<()> {
    let server = Server::start().await?;
    let members = json!({ "scopes": ["openid", "profile", "offline_access", SCOPE] });
    let web = Application::add(&server, members).await?;
    let code = go(&web, &mut someone(&web), &[("scope", "openid profile revoke_session")]).await?.code()?;
    let token = redeem(&web, &code, &[]).await?.text("access_token")?;
    web.sees_alive(&token).await?;
    let fields = [("user_criterion_key", "uid"), ("user_criterion_value", "ada")];
    let asked = server.http.post(format!("{}/revoke_session", server.issuer)).form(&fields).bearer_auth(&token);
    Answer::of(asked).await?.is_refused(403, "insufficient_scope");
    web.sees_alive(&token).await
}

#[tokio::test]
async fn who_may_not_or_asks_wrongly_ends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let (web, desk) = (Application::confidential(&server).await?, permitted(&server, SCOPE).await?);
    let mut ada = visitor(&web).await?;
    ask(&web, "uid", "ada").await?.is_refused(403, "access_denied");
    let impostor = Application { server: &server, id: desk.id.clone(), secret: Some("wrong".to_owned()) };
    let refused = ask(&impostor, "uid", "ada").await?;
    refused.is_refused(401, "invalid_client");
    assert!(refused.headers["www-authenticate"].to_str()?.starts_with("Basic "));
    let public = Application::add(&server, json!({ "auth_method": "none", "scopes": ["openid", SCOPE] })).await?;
    ask(&public, "uid", "ada").await?.is_refused(401, "invalid_client");
    let unknown = ask(&desk, "displayName", "Ada Lovelace").await?;
    unknown.is_refused(400, "invalid_request");
    assert!(unknown.text("error_description")?.contains("uid, user_name"), "{}", unknown.text);
    for fields in [
        &[("user_criterion_key", "uid")][..],
        &[("user_criterion_value", "ada")],
        &[("user_criterion_key", "uid"), ("user_criterion_value", "")],
        &[("user_criterion_key", "uid"), ("user_criterion_value", "ada"), ("user_criterion_value", "eve")],
        &[("userCriterionKey", "uid"), ("userCriterionValue", "ada")],
        &[("user_criterion_key", "uid"), ("user_criterion_value", &"x".repeat(1025))],
    ] {
        desk.post("/revoke_session", fields).await?.is_refused(400, "invalid_request");
    }
    let url = format!("{}/revoke_session", server.issuer);
    let nobody = server.http.post(&url).form(&[("user_criterion_key", "uid"), ("user_criterion_value", "ada")]);
    Answer::of(nobody).await?.is_refused(401, "invalid_client");
    let as_json = server.http.post(&url).basic_auth(&desk.id, desk.secret.as_ref()).json(&json!({}));
    Answer::of(as_json).await?.is_refused(400, "invalid_request");
    assert_eq!(Answer::of(server.http.get(&url)).await?.status, 405);
    assert!(ada.is_signed_in(&web).await?);
    web.sees_alive(&ada.bound).await
}
