//! `runtime-api.log` of the running server.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::{
    application::Application,
    server::{Server, Setup},
};

const SRIS: &str = "/pf-ws/rest/sessionMgmt/revokedSris";
const PATIENCE: Duration = Duration::from_secs(60);

fn current(server: &Server) -> PathBuf {
    server.path("data/log/runtime-api.log")
}

/// The lines of a file, as soon as there are so many.
async fn lines(path: PathBuf, count: usize) -> Result<Vec<String>> {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.lines().count() >= count {
            return Ok(text.lines().map(str::to_owned).collect());
        }
        if begun.elapsed() > PATIENCE {
            bail!("{count} lines are expected in {}:\n{text}", path.display());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The columns of a line but the first, which is the time.
fn columns(line: &str) -> Vec<&str> {
    line.split("| ").skip(1).collect()
}

/// A call whose body is refused before anybody looks at it.
async fn refused_call(server: &Server, query: &str) -> Result<()> {
    let body = "x".repeat(2_000);
    let answer = server.http.post(format!("{}{SRIS}?{query}", server.issuer)).body(body).send().await?;
    ensure!(answer.status() == 413, "{}", answer.status());
    Ok(())
}

#[tokio::test]
async fn after_sighup_a_log_that_was_moved_away_is_a_new_file() -> Result<()> {
    let server = Server::start_with("[limits]\nbody_bytes = 1024").await?;
    refused_call(&server, "n=1").await?;
    let first = lines(current(&server), 1).await?;
    assert_eq!(columns(&first[0]), ["-", "-", "127.0.0.1", "POST", &format!("{SRIS}?n=1"), "413"]);
    let moved = server.path("data/log/moved");
    fs::rename(current(&server), &moved)?;
    refused_call(&server, "n=2").await?;
    assert_eq!(lines(moved.clone(), 2).await?.len(), 2, "until it is told, it writes where it wrote");
    let sent = Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status()?;
    ensure!(sent.success(), "no signal was sent");
    // The new file is there at once, without any call.
    let begun = Instant::now();
    while !current(&server).exists() {
        ensure!(begun.elapsed() < PATIENCE, "there is no new file");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    refused_call(&server, "n=3").await?;
    let third = lines(current(&server), 1).await?;
    assert!(third.len() == 1 && third[0].contains("?n=3| 413"), "{third:?}");
    assert_eq!(lines(moved, 2).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_line_left_just_before_sigterm_is_written() -> Result<()> {
    let mut server = Server::start_with("[limits]\nbody_bytes = 1024").await?;
    for n in 0..5 {
        refused_call(&server, &format!("n={n}")).await?;
    }
    ensure!(Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status()?.success(), "no signal");
    assert_eq!(server.child.wait()?.code(), Some(0), "{}", server.log());
    assert_eq!(lines(current(&server), 0).await?.len(), 5);
    Ok(())
}

/// The calls P1 to P8, in their order.
async fn eight_calls(app: &Application<'_>) -> Result<Vec<u16>> {
    let (http, secret) = (&app.server.http, app.secret.as_deref());
    let address = |path: &str| format!("{}{SRIS}{path}", app.server.issuer);
    let with_header = |request: RequestBuilder| request.header("X-XSRF-HEADER", "PingFederate");
    let post = || http.post(address("")).json(&json!({ "id": "abc123" }));
    let get = |path: &str| with_header(http.get(address(path)));
    let text = http.post(address("")).header("content-type", "text/plain").body(r#"{"id":"abc123"}"#);
    let calls = [
        with_header(post()).basic_auth(&app.id, secret),
        get("/abc123").basic_auth(&app.id, secret),
        get("/never-added").basic_auth(&app.id, secret),
        post().basic_auth(&app.id, secret),
        http.get(address("/abc123")).basic_auth(&app.id, secret),
        with_header(post()).basic_auth(&app.id, Some("wrong")),
        get("/abc123?updateActivityTime=false"),
        with_header(text).basic_auth(&app.id, secret),
    ];
    let mut statuses = Vec::new();
    for call in calls {
        statuses.push(call.send().await?.status().as_u16());
    }
    Ok(statuses)
}

#[tokio::test]
async fn p32_each_of_p1_to_p8_has_one_line_with_the_seven_fields() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::add(&server, json!({ "session_revocation_api": true })).await?;
    assert_eq!(eight_calls(&app).await?, [201, 200, 404, 400, 400, 401, 401, 415]);
    let lines = lines(current(&server), 8).await?;
    let (id, basic) = (app.id.as_str(), "client_secret_basic");
    let item = |rest: &str| format!("{SRIS}/{rest}");
    let expected = [
        (id, basic, "POST", SRIS.to_owned(), "201"),
        (id, basic, "GET", item("abc123"), "200"),
        (id, basic, "GET", item("never-added"), "404"),
        (id, basic, "POST", SRIS.to_owned(), "400"),
        (id, basic, "GET", item("abc123"), "400"),
        (id, basic, "POST", SRIS.to_owned(), "401"),
        ("-", "-", "GET", item("abc123?updateActivityTime=false"), "401"),
        (id, basic, "POST", SRIS.to_owned(), "415"),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, (user, method, http_method, endpoint, status)) in lines.iter().zip(expected) {
        assert_eq!(columns(line), [user, method, "127.0.0.1", http_method, &endpoint, status]);
        let time = line.split("| ").next().unwrap_or_default();
        assert!(time.len() == "2027-01-15T08:00:00.000Z".len() && time.ends_with('Z'), "{line}");
    }
    let secret = app.secret.as_deref().context("no secret")?;
    assert!(!lines.concat().contains(secret));
    Ok(())
}

#[tokio::test]
async fn p32_under_the_path_of_an_issuer_the_whole_path_is_logged_once_whoever_refuses() -> Result<()> {
    let lines_of_configuration = "[limits]\nbody_bytes = 1024";
    let server =
        Server::start_as(Setup { path: "/tenant/a", lines: lines_of_configuration, ..Setup::default() }).await?;
    let address = format!("{}{SRIS}", server.issuer);
    assert_eq!(server.http.put(&address).send().await?.status(), 405);
    assert_eq!(server.http.post(format!("{address}?client_secret=hush")).send().await?.status(), 400);
    refused_call(&server, "n=1").await?;
    let endpoint = format!("/tenant/a{SRIS}");
    let lines = lines(current(&server), 3).await?;
    let seen: Vec<Vec<&str>> = lines.iter().map(|line| columns(line).split_off(3)).collect();
    assert_eq!(
        seen,
        [
            ["PUT", &endpoint, "405"],
            ["POST", &format!("{endpoint}?client_secret=***"), "400"],
            ["POST", &format!("{endpoint}?n=1"), "413"]
        ]
    );
    Ok(())
}
