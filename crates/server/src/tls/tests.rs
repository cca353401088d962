use std::{net::SocketAddr, path::PathBuf};

use axum::{Extension, Router, http::Version, routing::get};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{peer::Peer, serve::serve};

/// A folder with the server's files.
struct Files {
    folder: TempDir,
    config: config::Tls,
}

struct Made {
    certificate: String,
    key: String,
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

fn self_signed(name: &str) -> Made {
    let key = KeyPair::generate().unwrap();
    let certificate = params(name).self_signed(&key).unwrap().pem();
    Made { certificate, key: key.serialize_pem() }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(by: &CertifiedIssuer<'static, KeyPair>, purpose: ExtendedKeyUsagePurpose) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = params("client.example");
    params.extended_key_usages = vec![purpose];
    let certificate = params.signed_by(&key, by).unwrap().pem();
    Made { certificate, key: key.serialize_pem() }
}

impl Files {
    fn new(server: &Made, client_ca: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| -> PathBuf { folder.path().join(name) };
        let config = config::Tls {
            certificate: at("chain.pem"),
            key: at("key.pem"),
            client_ca: client_ca.map(|_| at("ca.pem")),
        };
        if let Some(ca) = client_ca {
            std::fs::write(at("ca.pem"), ca).unwrap();
        }
        let files = Self { folder, config };
        files.write(server);
        files
    }

    fn write(&self, server: &Made) {
        std::fs::write(&self.config.certificate, &server.certificate).unwrap();
        std::fs::write(&self.config.key, &server.key).unwrap();
    }
}

/// Says over which version, with which certificate and how verified a request came.
async fn who(Extension(peer): Extension<Peer>, version: Version) -> String {
    let names = peer.certificate.as_deref().map(crate::peer::dns_names);
    format!("{version:?} {names:?} {}", peer.chain_verified)
}

async fn started(state: Arc<TlsState>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = config::from_toml("", std::iter::empty()).unwrap().limits;
    let router = Router::new().route("/", get(who));
    tokio::spawn(async move { serve(listener, Some(state), router, &limits, std::future::pending::<()>()).await });
    address
}

/// Asks over TLS with HTTP/1.1; fails if the server's certificate is not `trusted`.
async fn ask(address: SocketAddr, trusted: &Made, client: Option<&Made>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.certificate.as_bytes()).unwrap()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match client {
        Some(made) => {
            let chain = CertificateDer::pem_slice_iter(made.certificate.as_bytes()).map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap()).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    // The server closes without a TLS farewell at worst.
    let _ = stream.read_to_string(&mut answer).await;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

#[tokio::test]
async fn http_1_1_and_2_are_served_by_alpn() {
    let server = self_signed("localhost");
    let files = Files::new(&server, None);
    let address = started(Arc::new(TlsState::load(&files.config).unwrap())).await;
    assert_eq!(ask(address, &server, None).await.unwrap(), "HTTP/1.1 None false");
    let root = reqwest::Certificate::from_pem(server.certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let answer = client.get(format!("https://localhost:{}/", address.port())).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "HTTP/2.0 None false");
}

#[tokio::test]
async fn a_client_certificate_is_seen_and_its_chain_judged() {
    let (server, ours, theirs) = (self_signed("localhost"), authority(), authority());
    let files = Files::new(&server, Some(&ours.pem()));
    let address = started(Arc::new(TlsState::load(&files.config).unwrap())).await;
    let client_auth = ExtendedKeyUsagePurpose::ClientAuth;
    let table = [
        (self_signed("client.example"), false),
        (issued(&ours, client_auth.clone()), true),
        (issued(&theirs, client_auth), false),
        (issued(&ours, ExtendedKeyUsagePurpose::ServerAuth), false),
    ];
    for (n, (client, verified)) in table.iter().enumerate() {
        let answer = ask(address, &server, Some(client)).await.unwrap();
        assert_eq!(answer, format!("HTTP/1.1 Some([\"client.example\"]) {verified}"), "case {n}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_hold_the_key_is_refused() {
    let server = self_signed("localhost");
    let files = Files::new(&server, None);
    let address = started(Arc::new(TlsState::load(&files.config).unwrap())).await;
    let thief = Made { certificate: self_signed("client.example").certificate, key: self_signed("x").key };
    // rustls would notice on the client's side, so the pair is put together behind its back.
    let chain = vec![CertificateDer::from_pem_slice(thief.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(thief.key.as_bytes()).unwrap();
    let pair = rustls::sign::CertifiedKey::new(chain, provider().key_provider.load_private_key(key).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap()).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(pair.clone())));
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(tls));
        let mut answer = String::new();
        if let Ok(mut stream) = connector.connect("localhost".try_into().unwrap(), stream).await {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
            let _ = stream.read_to_string(&mut answer).await;
        }
        assert_eq!(answer, "", "{version:?}");
    }
}

#[tokio::test]
async fn a_reload_changes_the_certificate_and_a_bad_file_keeps_the_old_one() {
    let (first, second) = (self_signed("localhost"), self_signed("localhost"));
    let files = Files::new(&first, None);
    let state = Arc::new(TlsState::load(&files.config).unwrap());
    let address = started(state.clone()).await;
    assert!(ask(address, &first, None).await.is_ok());
    files.write(&second);
    assert!(ask(address, &second, None).await.is_err(), "nothing changes before the reload");
    state.reload().unwrap();
    assert!(ask(address, &second, None).await.is_ok());
    assert!(ask(address, &first, None).await.is_err());
    files.write(&Made { certificate: first.certificate.clone(), key: second.key.clone() });
    assert!(matches!(state.reload(), Err(TlsError::Certificate(_))), "certificate and key of different pairs");
    std::fs::write(&files.config.certificate, "").unwrap();
    assert!(matches!(state.reload(), Err(TlsError::Empty { .. })));
    std::fs::remove_file(&files.config.certificate).unwrap();
    assert!(matches!(state.reload(), Err(TlsError::File { .. })));
    assert!(ask(address, &second, None).await.is_ok());
    drop(files.folder);
}

#[tokio::test]
async fn sighup_reloads() {
    let (first, second) = (self_signed("localhost"), self_signed("localhost"));
    let files = Files::new(&first, None);
    let state = Arc::new(TlsState::load(&files.config).unwrap());
    let address = started(state.clone()).await;
    // Registered before the signal is sent, which would end the process otherwise.
    let _registered = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).unwrap();
    tokio::spawn(async move { state.reload_on_hangup().await });
    tokio::task::yield_now().await;
    files.write(&second);
    let own = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &own]).status().unwrap().success());
    let begun = std::time::Instant::now();
    while ask(address, &second, None).await.is_err() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "not reloaded");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[test]
fn an_empty_chain_is_not_verified() {
    let files = Files::new(&self_signed("localhost"), Some(&authority().pem()));
    let ca = ClientCa::load(files.config.client_ca.as_deref().unwrap()).unwrap();
    assert!(!verify_chain(&[], &ca));
}
