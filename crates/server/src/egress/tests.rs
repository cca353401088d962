use std::time::Instant;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

fn egress(allow: &[&str]) -> Egress {
    let allow = allow.iter().map(|n| n.parse().unwrap()).collect();
    Egress::new(&config::Egress { allow, ca: None }).unwrap()
}

/// Answers every connection with `answer`, then closes it; gives the port and counts the connections.
pub(crate) async fn server(answer: Vec<u8>) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::<std::sync::atomic::AtomicUsize>::default();
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer).await;
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            });
        }
    });
    (port, count)
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

const SPECIAL: &str = "
    0.0.0.0 10.1.1.1 100.64.0.1 127.0.0.1 169.254.169.254 172.31.0.1 192.0.0.8 192.0.2.1 192.88.99.1
    192.168.1.1 198.19.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1
    ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a00:1 100::1 2001::1
    2001:db8::1 2002:7f00:1:: 2002:a00:1::1 3fff::1 fc00::1 fd12::1 fe80::1 fec0::1 ff02::1
    2a00::5efe:10.0.0.1 2a00::200:5efe:127.0.0.1 5f00::1
";

const PUBLIC: &str = "
    1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 172.15.0.1
    172.32.0.1 192.0.1.1 192.167.1.1 198.17.1.1 198.20.0.1 223.255.255.255 2606:4700::1111 2a00:1450::1
    ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
";

#[test]
fn special_use_addresses_are_told_from_public_ones() {
    for address in SPECIAL.split_whitespace() {
        assert!(special_use::is_special_use(address.parse().unwrap()), "{address}");
    }
    for address in PUBLIC.split_whitespace() {
        assert!(!special_use::is_special_use(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn what_must_not_be_called_is_refused_before_any_connection() {
    let (port, count) = server(ok("x")).await;
    let closed = egress(&[]);
    let table = [
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://2130706433:{port}/"),
        format!("https://0x7f.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://[::1]:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        "http://1.1.1.1/".to_owned(),
        "https://user:secret@1.1.1.1/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ];
    for url in table {
        let error = closed.fetch(&url).await.unwrap_err();
        assert!(matches!(error, EgressError::Refused), "{url}: {error:?}");
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_allowed_range_is_called_by_address_and_by_name_over_http_too() {
    let (port, _) = server(ok("hello")).await;
    let open = egress(&["127.0.0.0/8"]);
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(open.fetch(&format!("http://{host}:{port}/")).await.unwrap(), b"hello");
    }
    // The allowance is for that range, not for http.
    assert!(matches!(open.fetch("http://1.1.1.1/").await, Err(EgressError::Refused)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (target, count) = server(ok("secret")).await;
    let to = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{target}/\r\ncontent-length: 0\r\n\r\n");
    let (port, _) = server(to.into_bytes()).await;
    let error = egress(&["127.0.0.0/8"]).fetch(&format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(error, EgressError::Status(302)), "{error:?}");
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_is_taken_up_to_the_size_and_no_further() {
    let open = egress(&["127.0.0.1"]);
    let (port, _) = server(ok(&"x".repeat(LARGEST_ANSWER))).await;
    assert_eq!(open.fetch(&format!("http://127.0.0.1:{port}/")).await.unwrap().len(), LARGEST_ANSWER);
    // Without a length, as an endless answer would come.
    let endless = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(LARGEST_ANSWER + 1));
    for answer in [ok(&"x".repeat(LARGEST_ANSWER + 1)), endless.into_bytes()] {
        let (port, _) = server(answer).await;
        let error = open.fetch(&format!("http://127.0.0.1:{port}/")).await.unwrap_err();
        assert!(matches!(error, EgressError::TooLarge), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let (port, _) = server(Vec::new()).await;
    let begun = Instant::now();
    let error = egress(&["127.0.0.1"]).fetch(&format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(error, EgressError::Timeout), "{error:?}");
    assert!(begun.elapsed() >= TOTAL_TIME);
}
