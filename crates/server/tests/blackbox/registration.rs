//! Clients that register themselves (RFC 7591) and look after their own registration (RFC 7592).

use anyhow::{Context, Result};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application, REDIRECT_URI, SCOPE},
    server::Server,
};

const OPEN: &str = "development = true\nregistration = \"open\"";

fn metadata() -> Value {
    json!({
        "client_name": "Registered by itself",
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": SCOPE,
        "software_version": "ignored",
    })
}

/// The same with one member set.
fn metadata_with(member: &str, value: Value) -> Value {
    let mut metadata = metadata();
    metadata[member] = value;
    metadata
}

/// Registers, with an initial access token if there is one.
async fn register(server: &Server, token: Option<&str>, metadata: &Value) -> Result<Answer> {
    let request = server.http.post(format!("{}/register", server.issuer)).json(metadata);
    Answer::of(with_token(request, token)).await
}

fn with_token(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

/// A client that registered itself, with what it needs to look after its registration.
struct Registered<'a> {
    app: Application<'a>,
    uri: String,
    token: String,
}

impl<'a> Registered<'a> {
    fn of(server: &'a Server, answer: &Answer) -> Result<Self> {
        assert_eq!(answer.status, 201, "{}", answer.text);
        let app = Application { server, id: answer.text("client_id")?, secret: answer.text("client_secret").ok() };
        let (uri, token) = (answer.text("registration_client_uri")?, answer.text("registration_access_token")?);
        Ok(Self { app, uri, token })
    }

    async fn manage(&self, method: Method, body: &Value) -> Result<Answer> {
        self.manage_as(Some(&self.token), method, body).await
    }

    async fn manage_as(&self, token: Option<&str>, method: Method, body: &Value) -> Result<Answer> {
        let request = with_token(self.app.server.http.request(method, &self.uri), token);
        Answer::of(if body.is_null() { request } else { request.json(body) }).await
    }

    /// What an update sends: everything, and which client it is about.
    fn update(&self, member: &str, value: Value) -> Value {
        let mut metadata = metadata_with("client_id", self.app.id.clone().into());
        metadata[member] = value;
        metadata
    }
}

async fn registered(server: &Server) -> Result<Registered<'_>> {
    Registered::of(server, &register(server, None, &metadata()).await?)
}

#[tokio::test]
async fn a_client_registers_itself_and_signs_people_in() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let answer = register(&server, None, &metadata()).await?;
    let client = Registered::of(&server, &answer)?;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.body["client_secret_expires_at"], 0);
    assert_eq!(answer.body["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(answer.body["response_types"], json!(["code"]));
    assert_eq!((&answer.body["scope"], &answer.body["redirect_uris"]), (&json!(SCOPE), &json!([REDIRECT_URI])));
    assert!(answer.body["client_id_issued_at"].is_number() && answer.body.get("software_version").is_none());
    assert!(client.uri.starts_with(&server.issuer));
    let tokens = client.app.sign_in().await?;
    client.app.sees_alive(&tokens.access).await?;
    let log = server.log();
    assert!(!log.contains(&client.token) && !log.contains(client.app.secret.as_deref().unwrap()));
    Ok(())
}

#[tokio::test]
async fn bad_metadata_is_refused_by_its_name() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let bad = metadata_with("redirect_uris", json!(["http://app.example/callback"]));
    register(&server, None, &bad).await?.is_refused(400, "invalid_redirect_uri");
    let answer = register(&server, None, &metadata_with("grant_types", json!("authorization_code"))).await?;
    answer.is_refused(400, "invalid_client_metadata");
    assert!(answer.text("error_description")?.contains("grant_types"));
    register(&server, None, &json!([])).await?.is_refused(400, "invalid_client_metadata");
    let form = server.http.post(format!("{}/register", server.issuer)).form(&[("client_name", "x")]);
    Answer::of(form).await?.is_refused(400, "invalid_request");
    let impossible = json!({ "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example",
        "redirect_uris": [REDIRECT_URI] });
    register(&server, None, &impossible).await?.is_refused(400, "invalid_client_metadata");
    Ok(())
}

#[tokio::test]
async fn an_initial_access_token_is_good_for_one_client() -> Result<()> {
    let server = Server::start().await?;
    let issued = server.administer(Method::POST, "/initial-access-tokens", &Value::Null).await?;
    let token = issued["initial_access_token"].as_str().context("no token")?;
    for wrong in [None, Some("rsc_ia_wrong")] {
        let refused = register(&server, wrong, &metadata()).await?;
        refused.is_refused(401, "invalid_token");
        assert!(refused.headers["www-authenticate"].to_str()?.starts_with("Bearer"));
    }
    let bad = register(&server, Some(token), &metadata_with("redirect_uris", json!([]))).await?;
    bad.is_refused(400, "invalid_redirect_uri");
    let metadata = metadata();
    let both = tokio::join!(register(&server, Some(token), &metadata), register(&server, Some(token), &metadata));
    let mut statuses = [both.0?.status, both.1?.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401]);
    Ok(())
}

#[tokio::test]
async fn where_registration_is_off_nobody_registers_and_nobody_is_told_where() -> Result<()> {
    let server = Server::start_with("registration = \"off\"").await?;
    register(&server, None, &metadata()).await?.is_refused(403, "access_denied");
    let request = server.http.get(format!("{}/.well-known/openid-configuration", server.issuer));
    assert!(Answer::of(request).await?.succeeds().get("registration_endpoint").is_none());
    Ok(())
}

#[tokio::test]
async fn a_client_reads_and_replaces_its_registration() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let client = registered(&server).await?;
    let shown = client.manage(Method::GET, &Value::Null).await?;
    assert_eq!(shown.succeeds()["client_name"], "Registered by itself");
    assert_eq!(shown.text("registration_access_token")?, client.token);
    assert!(shown.body.get("client_secret").is_none());
    let tokens = client.app.sign_in().await?;
    let mut update = client.update("client_name", json!("Renamed"));
    update["client_secret"] = client.app.secret.clone().into();
    let changed = client.manage(Method::PUT, &update).await?;
    assert_eq!(changed.succeeds()["client_name"], "Renamed");
    client.app.sees_alive(&tokens.access).await?;
    for (member, value) in [
        ("client_id", json!("c_another")),
        ("client_secret", json!("of my own choice")),
        ("client_id_issued_at", json!(0)),
        ("registration_access_token", json!(client.token)),
    ] {
        client.manage(Method::PUT, &client.update(member, value)).await?.is_refused(400, "invalid_client_metadata");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_gives_a_scope_up_loses_what_it_holds() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let client = registered(&server).await?;
    let tokens = client.app.sign_in().await?;
    client.manage(Method::PUT, &client.update("scope", json!("openid profile"))).await?.succeeds();
    client.app.sees_dead(&tokens.access).await?;
    client.app.sees_refresh_refused(&tokens.refresh).await
}

#[tokio::test]
async fn no_client_gives_itself_power_over_others_but_it_keeps_what_it_was_given() -> Result<()> {
    const POWERS: [&str; 3] = ["revoke_session", "global_token_revocation", "revoke_any_token"];
    let server = Server::start_with(OPEN).await?;
    // Not even if an API happens to have scopes of these names.
    let api = json!({ "audience": "https://orders.example", "name": "Orders", "scopes": POWERS });
    server.administer(Method::POST, "/apis", &api).await?;
    let wanted = format!("openid {}", POWERS.join(" "));
    let answer = register(&server, None, &metadata_with("scope", json!(wanted))).await?;
    let client = Registered::of(&server, &answer)?;
    assert_eq!(answer.body["scope"], "openid");
    let changed = client.manage(Method::PUT, &client.update("scope", json!(wanted))).await?;
    assert_eq!(changed.succeeds()["scope"], "openid");
    let given = json!({ "scopes": ["openid", "revoke_session"] });
    server.administer(Method::PATCH, &format!("/clients/{}", client.app.id), &given).await?;
    let changed = client.manage(Method::PUT, &client.update("scope", json!(wanted))).await?;
    assert_eq!(changed.succeeds()["scope"], "openid revoke_session");
    let fields = [("user_criterion_key", "uid"), ("user_criterion_value", "ada")];
    assert_eq!(client.app.post("/revoke_session", &fields).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_change_of_method_brings_the_secret_it_needs() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let answer = register(&server, None, &metadata_with("token_endpoint_auth_method", json!("none"))).await?;
    let mut client = Registered::of(&server, &answer)?;
    assert!(client.app.secret.is_none() && answer.body.get("client_secret_expires_at").is_none());
    client.app.sign_in().await?;
    let update = client.update("token_endpoint_auth_method", json!("client_secret_basic"));
    let changed = client.manage(Method::PUT, &update).await?;
    client.app.secret = Some(changed.text("client_secret")?);
    let tokens = client.app.sign_in().await?;
    client.app.sees_alive(&tokens.access).await
}

#[tokio::test]
async fn deleting_the_registration_ends_everything_the_client_holds() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let client = registered(&server).await?;
    let tokens = client.app.sign_in().await?;
    for wrong in [None, Some("rsc_ra_wrong"), client.app.secret.as_deref(), Some(tokens.access.as_str())] {
        for method in [Method::GET, Method::DELETE] {
            client.manage_as(wrong, method, &Value::Null).await?.is_refused(401, "invalid_token");
        }
    }
    let gone = client.manage(Method::DELETE, &Value::Null).await?;
    assert_eq!((gone.status, gone.text.as_str()), (204, ""));
    client.app.userinfo(&tokens.access).await?.is_refused(401, "invalid_token");
    client.app.try_refresh(&tokens.refresh).await?.is_refused(401, "invalid_client");
    client.manage(Method::GET, &Value::Null).await?.is_refused(401, "invalid_token");
    Ok(())
}

#[tokio::test]
async fn a_client_that_was_switched_off_cannot_switch_itself_on() -> Result<()> {
    let server = Server::start_with(OPEN).await?;
    let client = registered(&server).await?;
    let path = format!("/clients/{}", client.app.id);
    server.administer(Method::PATCH, &path, &json!({ "enabled": false })).await?;
    for (method, body) in [(Method::GET, Value::Null), (Method::PUT, client.update("enabled", json!(true)))] {
        client.manage(method, &body).await?.is_refused(403, "access_denied");
    }
    Ok(())
}
