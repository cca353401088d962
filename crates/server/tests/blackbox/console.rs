//! The console in a browser: every page, the four places from which one revokes, by keyboard, on a phone, with and without
//! JavaScript, among users and applications with hostile names.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{API, API_SCOPE, Application, SCOPE},
    parts::{self, programs, run},
    server::{PASSWORD, Server, USER_NAME},
};

const ROOT: &str = "root";
/// What somebody may call themselves who means harm, or only means to be seen.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "javascript:alert(1)//' onmouseover='alert(1)",
    "\u{202e}gnp.elif\u{2066} مرحبا",
    "a-name-that-does-not-end-and-has-no-place-to-break-a-name-that-does-not-end-and-has-no-place-to-break-a-name-that-does-not-end",
];

async fn add(server: &Server, path: &str, body: &Value) -> Result<String> {
    let added = server.administer(Method::POST, path, body).await?;
    Ok(added["id"].as_str().unwrap_or_default().to_owned())
}

/// Who and what there is, before anybody looks.
async fn furnish(server: &Server) -> Result<()> {
    let root = json!({ "user_name": ROOT, "display_name": "Rosa Root", "password": PASSWORD, "role": "administrator" });
    add(server, "/users", &root).await?;
    for (name, shown, role) in [
        ("viktor", "Viktor Viewer", Some("viewer")),
        ("rita", "Rita Revoker", Some("revoker")),
        ("grace", "Grace Hopper", None),
        ("alan", "Alan Turing", None),
        ("joan", "Joan Clarke", None),
    ] {
        let user = json!({ "user_name": name, "display_name": shown, "password": PASSWORD, "role": role });
        add(server, "/users", &user).await?;
    }
    let api = json!({ "audience": API, "name": "Orders", "scopes": [API_SCOPE], "token_format": "jwt" });
    add(server, "/apis", &api).await?;
    furnish_applications(server, &["Orders Notebook", "Calendar", "Mail on the Move"]).await?;
    let script = json!({ "name": "guard", "source": "fn revoke(event) { allow() }", "enabled": true });
    server.administer(Method::POST, "/scripts", &script).await?;
    for (name, note) in [("joan", "Last day was Friday"), ("alan", "Account taken over")] {
        let order = json!({ "target": { "kind": "user", "user": name }, "reason": "left_company", "note": note });
        server.administer(Method::POST, "/revocations", &order).await?;
    }
    Ok(())
}

/// Applications to which somebody signed in.
async fn furnish_applications(server: &Server, names: &[&str]) -> Result<()> {
    let scopes: Vec<&str> = SCOPE.split(' ').chain([API_SCOPE]).collect();
    for name in names {
        let app = Application::add(server, json!({ "name": name, "scopes": scopes })).await?;
        app.sign_in().await?;
        app.sign_in_with(&[("resource", API)]).await?;
    }
    Ok(())
}

/// The same, by names that mean harm.
async fn furnish_hostile(server: &Server) -> Result<()> {
    for (number, name) in HOSTILE.into_iter().enumerate() {
        let user = json!({ "user_name": format!("{name}{number}"), "display_name": name });
        add(server, "/users", &user).await?;
        let client = json!({ "name": name, "auth_method": "none", "redirect_uris": ["https://hostile.example/cb"] });
        add(server, "/clients", &client).await?;
        add(server, "/devices", &json!({ "name": name })).await?;
        let api = json!({ "audience": format!("urn:hostile:{number}:{}", name.replace(' ', "")), "name": name });
        add(server, "/apis", &api).await.with_context(|| api.to_string())?;
    }
    furnish_applications(server, &[HOSTILE[0], HOSTILE[4]]).await?;
    let note = json!({ "value": 9, "note": HOSTILE[1] });
    server.administer(Method::PATCH, "/settings/statusListTtl", &note).await?;
    let order = json!({ "target": { "kind": "user", "user": "alan" }, "note": HOSTILE[0] });
    server.administer(Method::POST, "/revocations", &order).await?;
    Ok(())
}

/// What the browser's program is told.
fn told(server: &Server, shots: &Path) -> Command {
    let mut command = Command::new("node");
    command
        .arg(programs().join("console.mjs"))
        .env("ISSUER", &server.issuer)
        .env("ADMINISTRATOR", ROOT)
        .env("USERNAME", USER_NAME)
        .env("PASSWORD", PASSWORD)
        .env("CLIENT_ID", "rescind-console")
        .env("REDIRECT_URI", format!("{}/console/callback", server.issuer))
        .env("SHOTS", shots);
    command
}

#[tokio::test]
async fn an_administrator_with_a_browser_walks_the_console_and_revokes_from_all_four_places() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    furnish(&server).await?;
    furnish_hostile(&server).await?;
    run(told(&server, &parts.with_file_name("shots")), &server).await
}

#[tokio::test]
async fn the_pictures_of_the_guide_are_taken() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    let server = Server::start().await?;
    furnish(&server).await?;
    let mut command = told(&server, &parts.with_file_name("shots").join("pictures"));
    command.env("PICTURES", "1");
    run(command, &server).await
}
