//! What the server takes from a connection, and how it ends.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    application::{Answer, Application},
    server::Server,
    tls::Authority,
};

fn address(server: &Server) -> Result<&str> {
    server.issuer.strip_prefix("http://").context("not plain HTTP")
}

#[tokio::test]
async fn headers_and_bodies_beyond_their_limits_are_refused_and_the_server_goes_on() -> Result<()> {
    let server = Server::start_with("[limits]\nheader_bytes = 8192\nbody_bytes = 1024").await?;
    let url = format!("{}/token", server.issuer);
    let long = server.http.get(&url).header("x-long", "x".repeat(9_000)).send().await?;
    assert_eq!(long.status().as_u16(), 431);
    let large = Answer::of(server.http.post(&url).form(&[("scope", "x".repeat(1_024))])).await?;
    large.is_refused(413, "invalid_request");
    let small = Answer::of(server.http.post(&url).form(&[("scope", "x".repeat(900))])).await?;
    small.is_refused(401, "invalid_client");
    Ok(())
}

#[tokio::test]
async fn http_2_is_spoken_with_and_without_tls() -> Result<()> {
    let server = Server::start().await?;
    let direct = Client::builder().http2_prior_knowledge().no_proxy().build()?;
    let ready = direct.get(format!("{}/readyz", server.issuer)).send().await?;
    assert_eq!((ready.version(), ready.status().as_u16()), (Version::HTTP_2, 200));
    assert_eq!(server.http.get(format!("{}/readyz", server.issuer)).send().await?.version(), Version::HTTP_11);
    let authority = Authority::make()?;
    let server = Server::start_over_tls(&authority).await?;
    assert_eq!(server.http.get(format!("{}/readyz", server.issuer)).send().await?.version(), Version::HTTP_2);
    let old = Client::builder().http1_only().no_proxy().tls_certs_only([authority.root()?]).build()?;
    assert_eq!(old.get(format!("{}/readyz", server.issuer)).send().await?.version(), Version::HTTP_11);
    Ok(())
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() -> Result<()> {
    let server = Server::start_with("[limits]\nrequest_secs = 1").await?;
    let mut stream = TcpStream::connect(address(&server)?).await?;
    let head = "POST /token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    stream.write_all(format!("{head}content-length: 100\r\n\r\ntoken=").as_bytes()).await?;
    let mut answer = Vec::new();
    // It comes to an end: the server closes.
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    Ok(())
}

/// Reads until a text has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> Result<String> {
    let mut read = Vec::new();
    loop {
        let mut byte = [0];
        ensure!(stream.read(&mut byte).await? == 1, "closed after {:?}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
        if read.ends_with(text.as_bytes()) {
            return Ok(String::from_utf8(read)?);
        }
    }
}

#[tokio::test]
async fn sigterm_lets_an_open_revocation_finish_and_ends_well() -> Result<()> {
    let mut server = Server::start().await?;
    let (id, secret, token) = {
        let app = Application::confidential(&server).await?;
        let token = app.sign_in().await?.access;
        (app.id, app.secret.context("no secret")?, token)
    };
    let mut stream = TcpStream::connect(address(&server)?).await?;
    let body = format!("token={token}");
    let head = format!(
        "POST /revoke HTTP/1.1\r\nhost: x\r\nauthorization: Basic {}\r\nexpect: 100-continue\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        STANDARD.encode(format!("{id}:{secret}")),
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    // The server has begun to read the body.
    read_until(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n").await?;
    ensure!(Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status()?.success(), "no signal");
    while TcpStream::connect(address(&server)?).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stream.write_all(body.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for _ in 0..3_000 {
        if let Some(status) = server.child.try_wait()? {
            assert_eq!(status.code(), Some(0), "{}", server.log());
            assert!(!server.path("data/admin.sock").exists());
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("the server did not end")
}

#[tokio::test]
async fn the_issuer_is_what_is_configured_whatever_host_a_caller_names() -> Result<()> {
    let server = Server::start().await?;
    let url = format!("{}/.well-known/openid-configuration", server.issuer);
    let request = server.http.get(url).header("host", "evil.example").header("x-forwarded-host", "evil.example");
    let answer = Answer::of(request.header("forwarded", "host=evil.example")).await?;
    assert_eq!(answer.succeeds()["issuer"], server.issuer);
    assert!(!answer.text.contains("evil.example"));
    Ok(())
}
