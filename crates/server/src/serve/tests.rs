use std::time::Instant;

use axum::{
    Extension,
    body::Bytes,
    http::{HeaderMap, Version},
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::*;

/// Short, for some tests wait for its end; long enough for a busy machine.
const REQUEST: Duration = Duration::from_millis(1500);

fn limits() -> Limits {
    let limits = crate::config::from_toml("", std::iter::empty()).unwrap().limits;
    Limits { request: REQUEST, body_bytes: 100, connections: 100, ..limits }
}

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

async fn started(router: Router, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move { serve(listener, None, router, &limits, stopped).await });
    Server { address, stop, task }
}

fn router() -> Router {
    Router::new()
        .route("/", get(|Extension(peer): Extension<Peer>, version: Version| async move { format!("{version:?} {}", peer.address) }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route("/length", post(|headers: HeaderMap, body: Bytes| async move { format!("{:?} {}", headers.get("content-length"), body.len()) }))
        .route("/never", get(std::future::pending::<()>))
        .route("/panic", get(|| async { if true { panic!("on purpose") } }))
}

/// Sends `text` and reads until the server closes.
async fn raw(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    // A reset instead of an end is an end too.
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the server closes");
    String::from_utf8_lossy(&answer).into_owned()
}

fn get_text(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
}

fn http2() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap()
}

#[tokio::test]
async fn plain_http_1_1_and_2_are_served_and_the_peer_is_known() {
    let server = started(router(), limits()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(get_text("/").as_bytes()).await.unwrap();
    let from = stream.local_addr().unwrap();
    assert!(rest(&mut stream).await.ends_with(&format!("\r\n\r\nHTTP/1.1 {from}")));
    let answer = http2().get(format!("http://{}/", server.address)).send().await.unwrap();
    assert!(answer.text().await.unwrap().starts_with("HTTP/2.0 127.0.0.1:"));
}

#[tokio::test]
async fn a_body_up_to_the_limit_arrives_whole_in_one_piece_or_many() {
    let server = started(router(), limits()).await;
    let body = "x".repeat(100);
    let whole = format!("POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{body}");
    assert!(raw(server.address, &whole).await.ends_with(&body));
    let chunks = "1\r\na\r\n".repeat(100);
    let chunked = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
    );
    assert!(raw(server.address, &chunked).await.ends_with(&format!("\r\n\r\n{}", "a".repeat(100))));
}

#[tokio::test]
async fn a_larger_body_is_refused_as_json_whether_its_length_is_told_or_not() {
    let server = started(router(), limits()).await;
    let told = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 101\r\n\r\n".to_owned();
    let chunks = "1\r\na\r\n".repeat(101);
    let untold = format!("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    for text in [told, untold] {
        let answer = raw(server.address, &text).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("application/json") && answer.contains("{\"error\":\"invalid_request\""), "{answer}");
    }
    let answer = http2().post(format!("http://{}/echo", server.address)).body("x".repeat(101)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 413);
}

#[tokio::test]
async fn larger_headers_are_refused_in_both_versions() {
    let server = started(router(), limits()).await;
    let large = "y".repeat(20_000);
    let answer = raw(server.address, &format!("GET / HTTP/1.1\r\nhost: a\r\nx-large: {large}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let sent = http2().get(format!("http://{}/", server.address)).header("x-large", large).send().await;
    assert!(sent.map_or(true, |answer| answer.status().as_u16() == 431));
}

#[tokio::test]
async fn a_handler_that_takes_too_long_or_panics_is_answered_for() {
    let server = started(router(), limits()).await;
    let slow = raw(server.address, &get_text("/never")).await;
    assert!(slow.starts_with("HTTP/1.1 503 ") && slow.contains("retry-after: 1"), "{slow}");
    let panicked = raw(server.address, &get_text("/panic")).await;
    assert!(panicked.starts_with("HTTP/1.1 500 ") && panicked.contains("server_error"), "{panicked}");
    assert!(!panicked.contains("on purpose"));
    assert!(raw(server.address, &get_text("/")).await.starts_with("HTTP/1.1 200 "));
}

/// Sends `start`, then a byte of `more` every tenth of the request time, until the server closes.
async fn trickle(address: SocketAddr, start: &[u8], more: u8) -> (Duration, String) {
    let begun = Instant::now();
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    write.write_all(start).await.unwrap();
    let drip = tokio::spawn(async move {
        while write.write_all(&[more]).await.is_ok() {
            sleep(REQUEST / 10).await;
        }
    });
    let answer = rest(&mut read).await;
    drip.abort();
    (begun.elapsed(), answer)
}

#[tokio::test]
async fn a_client_that_sends_its_headers_slowly_is_cut_off() {
    let server = started(router(), limits()).await;
    let table: [(&'static [u8], u8); 4] = [
        (b"GET / HTTP/1.1\r\nx: ", b'y'),
        (b"", b'G'),
        // Half of the HTTP/2 preface, where the protocol is not known yet, and a SETTINGS frame that never ends.
        (b"PRI * HT", b'T'),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x30\x04\x00\x00\x00\x00\x00", 0),
    ];
    let clients = table.map(|(start, more)| {
        let address = server.address;
        (start, tokio::spawn(async move { trickle(address, start, more).await }))
    });
    for (start, client) in clients {
        let (took, answer) = client.await.unwrap();
        assert!(took < REQUEST * 4, "{start:?}: {took:?}");
        assert!(!answer.contains(" 200 "), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_cut_off() {
    let server = started(router(), limits()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_sends_its_body_slowly_is_cut_off_with_408() {
    let server = started(router(), limits()).await;
    let start = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 90\r\n\r\n";
    let (took, answer) = trickle(server.address, start, b'x').await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(took < REQUEST * 4, "{took:?}");
}

#[tokio::test]
async fn a_connection_in_use_is_not_taken_for_idle() {
    let server = started(router(), limits()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..8 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 200 "));
        sleep(REQUEST / 2).await;
    }
}

#[tokio::test]
async fn at_the_cap_a_connection_waits_until_another_ends() {
    let server = started(router(), Limits { connections: 1, request: Duration::from_secs(60), ..limits() }).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let address = server.address;
    let mut second = tokio::spawn(async move { raw(address, &get_text("/")).await });
    assert!(timeout(Duration::from_millis(300), &mut second).await.is_err());
    drop(first);
    assert!(second.await.unwrap().starts_with("HTTP/1.1 200 "));
}

/// A route that says when it is reached and waits to be let go.
fn held() -> (Router, Arc<Notify>, Arc<Notify>) {
    let (reached, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (r, l) = (reached.clone(), release.clone());
    let handler = move || async move {
        r.notify_one();
        l.notified().await;
        "finished"
    };
    (Router::new().route("/", get(handler)), reached, release)
}

#[tokio::test]
async fn shutdown_lets_an_open_request_finish_and_accepts_no_more() {
    let (router, reached, release) = held();
    let server = started(router, Limits { request: Duration::from_secs(60), ..limits() }).await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    let address = server.address;
    let open = tokio::spawn(async move { raw(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await });
    reached.notified().await;
    server.stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!server.task.is_finished());
    release.notify_one();
    assert!(open.await.unwrap().ends_with("finished"));
    timeout(Duration::from_secs(10), server.task).await.expect("it ends").unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn shutdown_ends_what_is_still_open_at_its_time() {
    let (router, reached, _release) = held();
    let short = Limits { request: Duration::from_secs(60), shutdown: Duration::from_millis(300), ..limits() };
    let server = started(router, short).await;
    let address = server.address;
    let open = tokio::spawn(async move { raw(address, &get_text("/")).await });
    reached.notified().await;
    server.stop.send(()).unwrap();
    timeout(Duration::from_secs(10), server.task).await.expect("it ends").unwrap().unwrap();
    assert_eq!(open.await.unwrap(), "");
}

/// Out of file descriptors (EMFILE) five times, then gives one connection and no more.
#[derive(Default)]
struct Failing(std::sync::atomic::AtomicU32);

impl Source for Failing {
    type Stream = ();

    async fn accept(&self) -> io::Result<()> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0..5 => Err(io::Error::from_raw_os_error(24)),
            5 => Ok(()),
            _ => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn an_error_of_accept_is_waited_out_and_ends_nothing() {
    let (served, seen) = oneshot::channel();
    let served = parking_lot::Mutex::new(Some(served));
    let begun = Instant::now();
    accept_until(seen, &limits(), Failing::default(), |(), _| {
        let _ = served.lock().take().unwrap().send(());
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(10 + 20 + 40 + 80 + 160), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_local_socket_is_private_knows_its_peer_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    // Left from before.
    std::fs::write(&path, "").unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Router::new()
        .route("/", get(|Extension(peer): Extension<LocalPeer>| async move { format!("uid {}", peer.uid) }));
    let at = path.clone();
    let task = tokio::spawn(async move { serve_unix(&at, router, &limits(), stopped).await });
    let mut stream = loop {
        if let Ok(stream) = UnixStream::connect(&path).await {
            break stream;
        }
        sleep(Duration::from_millis(5)).await;
    };
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    stream.write_all(get_text("/").as_bytes()).await.unwrap();
    let uid = std::os::unix::fs::MetadataExt::uid(&metadata);
    assert!(rest(&mut stream).await.ends_with(&format!("uid {uid}")));
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
