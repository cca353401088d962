//! `runtime-api.log` of the running server.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};

use crate::server::Server;

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
