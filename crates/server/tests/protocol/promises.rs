//! The promise that no token, code or secret stands in a log, an error, a listing or the database.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{
    application::{API, Answer, Application, REDIRECT_URI},
    browsing::{Page, address, code, fill, go, open, parameters, redeem, refresh, someone},
    server::{DISPLAY_NAME, PASSWORD, Server, Setup, USER_NAME},
};

const WRONG_PASSWORD: &str = "a password that was mistyped";

/// Everything that has to stay between the server and its holder, each with a word for it.
#[derive(Default)]
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn keep(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 20, "{what} is short enough to turn up by chance");
        self.0.push((what, secret.to_owned()));
    }

    /// Those members of an answer that are secrets.
    fn keep_members(&mut self, body: &Value) {
        for name in [
            "access_token",
            "refresh_token",
            "id_token",
            "client_secret",
            "registration_access_token",
            "initial_access_token",
            "scim_token",
            "request_uri",
        ] {
            if let Some(secret) = body[name].as_str() {
                self.keep(name, secret.trim_start_matches("urn:ietf:params:oauth:request_uri:"));
            }
        }
    }

    /// Which of them stand in a text. Their values are not told.
    fn inside(&self, text: &str) -> Vec<&'static str> {
        let mut words: Vec<_> =
            self.0.iter().filter(|(_, secret)| text.contains(secret.as_str())).map(|(what, _)| *what).collect();
        words.dedup();
        words
    }
}

/// Whatever the server said to somebody who was not to learn a secret.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn hear(&mut self, from: &str, answer: &Answer) {
        self.0.push((format!("{from} ({})", answer.status), format!("{:?}\n{}", answer.headers, answer.text)));
    }
}

/// Every file but the master key; what is no text in it cannot be a secret in the clear.
fn files(folder: &Path) -> Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name != "master.key" {
            files.push((name, String::from_utf8_lossy(&fs::read(entry.path())?).into_owned()));
        }
    }
    Ok(files)
}

/// People, and an application of each kind of token.
async fn sign_ins(app: &Application<'_>, secrets: &mut Secrets, heard: &mut Heard) -> Result<()> {
    let mut ada = someone(app);
    let page = open(&mut ada, &address(app, "/authorize", &parameters(app, &[]))?).await?;
    let wrong = fill(&mut ada, &page, &[("username", USER_NAME), ("password", WRONG_PASSWORD)]).await?;
    heard.0.push(("the sign-in page".to_owned(), wrong.html));
    for otherwise in [&[][..], &[("resource", API)], &[("prompt", "login")]] {
        let code = go(app, &mut ada, otherwise).await?.code()?;
        secrets.keep("code", &code);
        heard.hear("a wrong verifier", &redeem(app, &code, &[("code_verifier", &"x".repeat(50))]).await?);
        let answer = redeem(app, &code, &[]).await?;
        secrets.keep_members(answer.succeeds());
        let next = refresh(app, &answer.text("refresh_token")?, &[]).await?;
        secrets.keep_members(next.succeeds());
        for token in [answer.text("access_token")?, next.text("refresh_token")?] {
            heard.hear("introspection", &app.introspect(&token).await?);
            heard.hear("userinfo", &app.userinfo(&token).await?);
        }
        heard.hear("a replay", &redeem(app, &code, &[]).await?);
        heard.hear("a dead token", &app.userinfo(&answer.text("access_token")?).await?);
        heard.hear("a dead refresh token", &refresh(app, &next.text("refresh_token")?, &[]).await?);
    }
    ada.cookies.values().for_each(|cookie| secrets.keep("cookie", cookie));
    Ok(())
}

/// Requests that are wrong in a way that could make the server repeat them.
async fn mistakes(app: &Application<'_>, secrets: &Secrets, heard: &mut Heard) -> Result<()> {
    let server = app.server;
    let http2 = Client::builder().http2_prior_knowledge().no_proxy().build()?;
    for (what, secret) in &secrets.0 {
        let fields = [("token", secret.as_str()), ("token", secret.as_str()), ("grant_type", secret), (secret, "x")];
        for path in ["/token", "/revoke", "/introspect", "/par"] {
            heard.hear(what, &app.post(path, &fields).await?);
            heard.hear(what, &app.post(path, &fields[1..]).await?);
        }
        for http in [&server.http, &http2] {
            let request = http.get(format!("{}/userinfo", server.issuer)).bearer_auth(secret);
            heard.hear(what, &Answer::of(request).await?);
            let request = http.post(format!("{}/revoke", server.issuer)).basic_auth("c_nobody", Some(secret));
            heard.hear(what, &Answer::of(request.form(&[("token", secret)])).await?);
        }
        for (path, body) in [
            ("/explain", json!({ "token": secret })),
            ("/introspect", json!({ "token": secret })),
            ("/explain", json!({ "token": { "text": secret } })),
            ("/revocations", json!({ "target": secret })),
            ("/revocations", json!({ "target": { "kind": secret } })),
            ("/revocations", json!({ "target": { "kind": "everything", "token": secret } })),
            ("/revocations", json!({ "target": { "kind": "token", "token": format!("{secret}x") }, "reason": secret })),
            ("/users", json!({ "user_name": 5, "password": secret })),
            ("/users", json!(secret)),
        ] {
            let request = server.admin.post(format!("http://localhost/admin/v1{path}")).json(&body);
            heard.hear(
                &format!("{what} at {path} {}", body.to_string().replace(secret.as_str(), "…")),
                &Answer::of(request).await?,
            );
        }
    }
    Ok(())
}

async fn listings(server: &Server, heard: &mut Heard) -> Result<()> {
    for path in [
        "/status",
        "/users",
        "/clients",
        "/apis",
        "/devices",
        "/sessions",
        "/grants",
        "/tokens",
        "/revocations",
        "/keys",
        "/initial-access-tokens",
        "/scim-tokens",
    ] {
        let answer = Answer::of(server.admin.get(format!("http://localhost/admin/v1{path}"))).await?;
        answer.succeeds();
        heard.hear(path, &answer);
    }
    let mut after = 0;
    loop {
        let path = format!("/audit/records?after={after}&limit=500");
        let page = Answer::of(server.admin.get(format!("http://localhost/admin/v1{path}"))).await?;
        heard.hear(&path, &page);
        let records = page.succeeds()["items"].as_array().context("no records")?;
        match records.last().filter(|_| records.len() == 500) {
            Some(last) => after = last["seq"].as_u64().context("no number")?,
            None => break,
        }
    }
    heard.hear("/metrics", &Answer::of(server.http.get(format!("{}/metrics", server.issuer))).await?);
    Ok(())
}

async fn clients<'a>(server: &'a Server, secrets: &mut Secrets) -> Result<Vec<Application<'a>>> {
    let api = json!({ "audience": API, "name": "Orders", "token_format": "jwt", "introspection_client": true });
    let added = server.administer(Method::POST, "/apis", &api).await?;
    secrets.keep_members(&added["introspection_client"]);
    let apps = vec![Application::confidential(server).await?, Application::rotating(server).await?];
    for app in &apps {
        secrets.keep("client_secret", app.secret.as_deref().context("no secret")?);
    }
    let by_hmac = json!({ "name": "h", "auth_method": "client_secret_jwt" });
    let added = server.administer(Method::POST, "/clients", &by_hmac).await?;
    secrets.keep_members(&added);
    let path = format!("/clients/{}/secret", added["id"].as_str().context("no id")?);
    secrets.keep_members(&server.administer(Method::POST, &path, &Value::Null).await?);
    let issued = server.administer(Method::POST, "/initial-access-tokens", &Value::Null).await?;
    secrets.keep_members(&issued);
    let metadata = json!({ "client_name": "self", "redirect_uris": [REDIRECT_URI] });
    let request = server.http.post(format!("{}/register", server.issuer)).json(&metadata);
    let token = issued["initial_access_token"].as_str().context("no token")?;
    let registered = Answer::of(request.bearer_auth(token)).await?;
    assert_eq!(registered.status, 201, "{}", registered.text);
    secrets.keep_members(&registered.body);
    Ok(apps)
}

/// What a directory sends, and what it hears when it puts its secrets where they do not belong.
async fn provision(server: &Server, secrets: &mut Secrets, heard: &mut Heard) -> Result<()> {
    let issued = server.administer(Method::POST, "/scim-tokens", &json!({ "name": "entra" })).await?;
    secrets.keep_members(&issued);
    let token = issued["scim_token"].as_str().context("no token")?;
    let users = format!("{}/scim/v2/Users", server.issuer);
    let password = "a password that the directory made";
    secrets.keep("provisioned password", password);
    let made = server.http.post(&users).bearer_auth(token).json(&json!({ "userName": "hopper", "password": password }));
    let made = Answer::of(made).await?;
    assert_eq!(made.status, 201, "{}", made.text);
    heard.hear("SCIM", &made);
    let id = made.text("id")?;
    for (method, path, body) in [
        (
            Method::PATCH,
            format!("{users}/{id}"),
            json!({ "Operations": [{ "op": "replace", "path": "password", "value": [password, 1] }] }),
        ),
        (Method::PUT, format!("{users}/{id}"), json!({ "userName": "u_x", "password": password })),
        (Method::POST, users.clone(), json!([password])),
        (Method::POST, users.clone(), json!({ "userName": "hopper", "password": password })),
        (Method::GET, format!("{users}/{token}"), Value::Null),
        (Method::GET, format!("{users}?filter={token}"), Value::Null),
    ] {
        let request = server.http.request(method.clone(), &path).bearer_auth(token).json(&body);
        let refused = Answer::of(request).await?;
        assert!(refused.status >= 400, "{method} {path}: {}", refused.text);
        // What is asked for may be said back to who asked.
        if !path.contains(token) {
            heard.hear("a refusal by SCIM", &refused);
        }
    }
    Ok(())
}

#[tokio::test]
async fn no_token_code_or_secret_stands_in_a_log_an_error_a_listing_or_the_database() -> Result<()> {
    let server = Server::start_as(Setup { log: "trace", ..Setup::default() }).await?;
    let (mut secrets, mut heard) = (Secrets::default(), Heard::default());
    let master = fs::read_to_string(server.path("data/master.key"))?;
    let apps = clients(&server, &mut secrets).await?;
    for app in &apps {
        sign_ins(app, &mut secrets, &mut heard).await?;
    }
    let fields = parameters(&apps[0], &[]);
    let fields: Vec<_> = fields.iter().skip(1).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let fields: Vec<_> =
        fields.into_iter().filter(|(name, _)| *name != "client_id").chain([("response_type", "code")]).collect();
    let pushed = apps[0].post("/par", &fields).await?;
    assert_eq!(pushed.status, 201, "{}", pushed.text);
    secrets.keep_members(&pushed.body);
    let live = code(&apps[0], &[]).await?;
    secrets.keep("live code", &live);
    secrets.keep("password", PASSWORD);
    secrets.keep("mistyped password", WRONG_PASSWORD);
    secrets.keep("master key", master.trim());
    assert!(secrets.0.len() > 30);
    provision(&server, &mut secrets, &mut heard).await?;
    mistakes(&apps[0], &secrets, &mut heard).await?;
    listings(&server, &mut heard).await?;
    let log = server.log();
    assert!(log.contains("TRACE"), "the log tells all it can");
    let mut leaks = Vec::new();
    heard.0.push(("the log".to_owned(), log));
    for (from, text) in &heard.0 {
        leaks.extend(secrets.inside(text).into_iter().map(|what| format!("{what} in {from}")));
    }
    let mut written = 0;
    for (name, text) in files(&server.path("data"))? {
        written += text.matches(DISPLAY_NAME).count();
        leaks.extend(secrets.inside(&text).into_iter().map(|what| format!("{what} in the file {name}")));
    }
    assert!(written > 0, "the database was not looked at");
    leaks.sort();
    leaks.dedup();
    assert!(leaks.is_empty(), "{leaks:#?}");
    Ok(())
}

#[tokio::test]
async fn a_page_never_repeats_a_password() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let mut ada = someone(&app);
    let page: Page = open(&mut ada, &address(&app, "/authorize", &parameters(&app, &[]))?).await?;
    let refused = fill(&mut ada, &page, &[("username", WRONG_PASSWORD), ("password", PASSWORD)]).await?;
    assert!(refused.html.contains(WRONG_PASSWORD), "the name that was typed stays");
    assert!(!refused.html.contains(PASSWORD));
    assert!(
        !server.log().contains(PASSWORD) && !server.log().contains(WRONG_PASSWORD),
        "people type passwords into the wrong field"
    );
    Ok(())
}
