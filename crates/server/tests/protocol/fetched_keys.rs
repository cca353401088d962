//! Keys that a client publishes at its `jwks_uri`: asked for once, for whatever needs them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use parking_lot::Mutex;
use rescind_jose::{Algorithm, Kind, SigningKey};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use crate::{
    application::{Answer, Application},
    assertions::{claims, token},
    certificates::{self, Shown, machine, proxied},
    server::Server,
};

const EGRESS: &str = "[egress]\nallow = [\"127.0.0.0/8\"]\n";

/// Where a client publishes its keys. It ends with this value.
struct Publisher {
    uri: String,
    /// How often it was asked.
    asked: Arc<AtomicUsize>,
    /// What it answers: a status and a body.
    answer: Arc<Mutex<(u16, String)>>,
    serving: JoinHandle<()>,
}

impl Publisher {
    /// It takes so long to answer that questions asked together overlap.
    async fn start(status: u16, body: &Value) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let uri = format!("http://{}/jwks", listener.local_addr()?);
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new((status, body.to_string()))));
        let (counted, said) = (asked.clone(), answer.clone());
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let said = said.clone();
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let _ = stream.read(&mut head).await;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    let (status, body) = said.lock().clone();
                    let head =
                        format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                });
            }
        });
        Ok(Self { uri, asked, answer, serving })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn says(&self, status: u16, body: &Value) {
        *self.answer.lock() = (status, body.to_string());
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn set_of(key: &SigningKey) -> Value {
    json!({ "keys": [key.public_jwk()] })
}

/// A client whose keys are where it says.
async fn published<'a>(server: &'a Server, uri: &str) -> Result<Application<'a>> {
    let members = json!({ "auth_method": "private_key_jwt", "jwks_uri": uri });
    Application::add(server, machine(&members)).await
}

async fn proves_itself(app: &Application<'_>, key: &SigningKey) -> Result<Answer> {
    token(app, &key.sign(Kind::IdToken, &claims(app))?).await
}

#[tokio::test]
async fn published_keys_are_fetched_once_for_many_assertions() -> Result<()> {
    let server = Server::start_with(EGRESS).await?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let publisher = Publisher::start(200, &set_of(&key)).await?;
    let app = published(&server, &publisher.uri).await?;
    let together = futures_util::future::try_join_all((0..8).map(|_| proves_itself(&app, &key))).await?;
    for answer in &together {
        answer.succeeds();
    }
    assert_eq!(publisher.asked(), 1, "for many at the same time");
    for _ in 0..3 {
        proves_itself(&app, &key).await?.succeeds();
    }
    let stranger = SigningKey::generate(Algorithm::Es256)?;
    proves_itself(&app, &stranger).await?.is_refused(401, "invalid_client");
    assert_eq!(publisher.asked(), 1, "for one after the other");
    Ok(())
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_authenticate_nobody_and_are_not_asked_for_again_at_once() -> Result<()> {
    let server = Server::start_with(EGRESS).await?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    for (status, body) in [(500, set_of(&key)), (302, set_of(&key)), (200, json!("no set of keys")), (200, json!({}))] {
        let publisher = Publisher::start(status, &body).await?;
        let app = published(&server, &publisher.uri).await?;
        proves_itself(&app, &key).await?.is_refused(401, "invalid_client");
        publisher.says(200, &set_of(&key));
        proves_itself(&app, &key).await?.is_refused(401, "invalid_client");
        assert_eq!(publisher.asked(), 1, "{status} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn keys_in_the_private_network_are_not_asked_for() -> Result<()> {
    let server = Server::start().await?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let publisher = Publisher::start(200, &set_of(&key)).await?;
    let app = published(&server, &publisher.uri).await?;
    proves_itself(&app, &key).await?.is_refused(401, "invalid_client");
    assert_eq!(publisher.asked(), 0);
    Ok(())
}

#[tokio::test]
async fn a_certificate_may_be_published_instead_of_registered() -> Result<()> {
    let server = Server::start_with(&format!("{EGRESS}{}", proxied("127.0.0.1", false))).await?;
    let (by_chain, by_thumbprint) = (Shown::make("a.example", None)?, Shown::make("b.example", None)?);
    let keys = json!({ "keys": [
        { "kty": "EC", "x5c": [STANDARD.encode(&by_chain.der)] },
        { "kty": "EC", "x5t#S256": by_thumbprint.thumbprint() },
    ] });
    let publisher = Publisher::start(200, &keys).await?;
    let members = json!({ "auth_method": "self_signed_tls_client_auth", "jwks_uri": publisher.uri });
    let app = Application::add(&server, machine(&members)).await?;
    let shows = async |shown: &Shown| {
        let request = certificates::token(&server.http, &app);
        Answer::of(request.header("client-cert", STANDARD.encode(&shown.der))).await
    };
    for right in [&by_chain, &by_thumbprint, &by_chain] {
        shows(right).await?.succeeds();
    }
    shows(&Shown::make("a.example", None)?).await?.is_refused(401, "invalid_client");
    Answer::of(certificates::token(&server.http, &app)).await?.is_refused(401, "invalid_client");
    assert_eq!(publisher.asked(), 1);
    Ok(())
}
