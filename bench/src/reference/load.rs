//! A client that keeps connections alive and costs little, the same for both sides of a comparison.
//!
//! It runs on one thread and reads of an answer only the status, `content-length` and the body, so that the
//! machine's time goes to the server under measurement.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::time::timeout;

/// Longest time for one answer; a server that stays silent is an error, not a long measurement.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent, how often, and what must come back.
pub struct Load {
    /// An address of this machine.
    pub target: SocketAddr,
    /// Connections, each with one request under way at a time.
    pub connections: usize,
    /// Timed requests on each connection.
    pub requests: usize,
    /// Requests on each connection before the timed ones.
    pub warm_up: usize,
    /// Whole requests as made by [`post`] or [`get`]. They are used in turn, warm-up included, so that a list of
    /// `connections * (warm_up + requests)` sends none of them twice.
    pub messages: Vec<Vec<u8>>,
    /// The status that every answer must have.
    pub status: u16,
    /// What every answer's body must be.
    pub body: Expected,
}

/// What a body must be.
#[derive(Clone, Copy, Debug)]
pub enum Expected {
    /// It contains this, for instance `"active":true`.
    Part(&'static [u8]),
    /// It is this and nothing more.
    Whole(&'static [u8]),
}

impl Expected {
    fn holds(self, body: &[u8]) -> bool {
        match self {
            Self::Part(part) => part.is_empty() || body.windows(part.len()).any(|window| window == part),
            Self::Whole(whole) => body == whole,
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Answers per second over all connections.
    pub rate: f64,
    /// Half of the answers took at most this long.
    pub p50: Duration,
    /// 99 of 100 answers took at most this long.
    pub p99: Duration,
}

/// A form as a request for [`Load::messages`]; `authorization` is the whole value of that header.
#[must_use]
pub fn post(path: &str, authorization: &str, form: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {authorization}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// A request without a body for [`Load::messages`]; `header` is one more header, name and value.
#[must_use]
pub fn get(path: &str, authorization: &str, header: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {authorization}\r\n{header}\r\n\r\n").into_bytes()
}

/// Puts the load on the target and waits for the end. Blocks: not for use inside an asynchronous task.
///
/// # Errors
/// When there is nothing to send, a connection fails or stays silent, or an answer is not the expected one.
pub fn run(load: Load) -> io::Result<Measured> {
    if load.connections == 0 || load.requests == 0 || load.messages.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "nothing to send"));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(load))
}

async fn measure(load: Load) -> io::Result<Measured> {
    let mut lines = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        lines.push(Line::open(load.target).await?);
    }
    let total = load.connections * load.requests;
    let start = Arc::new(Barrier::new(load.connections));
    let load = Arc::new(load);
    let tasks: Vec<_> = (0..)
        .zip(lines)
        .map(|(nth, line)| tokio::spawn(one(nth, line, Arc::clone(&load), Arc::clone(&start))))
        .collect();
    let mut times = Vec::with_capacity(total);
    let (mut first, mut last): (Option<Instant>, Option<Instant>) = (None, None);
    for task in tasks {
        let timed = task.await.map_err(io::Error::other)??;
        first = first.into_iter().chain([timed.started]).min();
        last = last.max(Some(timed.ended));
        times.extend(timed.times);
    }
    let took = last.zip(first).map_or(Duration::ZERO, |(last, first)| last - first);
    times.sort_unstable();
    let p50 = percentile(&times, 50);
    Ok(Measured { rate: total as f64 / took.as_secs_f64(), p50, p99: percentile(&times, 99) })
}

struct Timed {
    started: Instant,
    ended: Instant,
    times: Vec<Duration>,
}

/// One connection's share: warm up, wait for the others, then the timed requests.
async fn one(nth: usize, mut line: Line, load: Arc<Load>, start: Arc<Barrier>) -> io::Result<Timed> {
    let first = nth * (load.warm_up + load.requests);
    let message = |turn: usize| &load.messages[(first + turn) % load.messages.len()][..];
    let mut times = Vec::with_capacity(load.requests);
    let mut warm = Ok(());
    for turn in 0..load.warm_up {
        warm = line.ask(message(turn), &load).await;
        if warm.is_err() {
            break;
        }
    }
    // Also after a failure: the others wait until everybody is here.
    start.wait().await;
    warm?;
    let started = Instant::now();
    let mut before = started;
    for turn in load.warm_up..load.warm_up + load.requests {
        line.ask(message(turn), &load).await?;
        let now = Instant::now();
        times.push(now - before);
        before = now;
    }
    Ok(Timed { started, ended: before, times })
}

/// A connection with what it has received.
struct Line {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Line {
    async fn open(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4096) })
    }

    /// Sends one request and reads its answer to the end.
    async fn ask(&mut self, message: &[u8], load: &Load) -> io::Result<()> {
        self.stream.write_all(message).await?;
        self.received.clear();
        let answer = loop {
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await;
            let read = read.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no answer"))?;
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = whole(&self.received)? {
                break answer;
            }
        };
        if answer.status == load.status && load.body.holds(answer.body) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&self.received);
        Err(wrong(&format!("another answer than the expected one: {said}")))
    }
}

struct Answer<'a> {
    status: u16,
    body: &'a [u8],
}

/// The answer, once all of it is there.
fn whole(received: &[u8]) -> io::Result<Option<Answer<'_>>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = str::from_utf8(&received[..end]).map_err(|_| wrong("a head that is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| wrong("no status line"))?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| wrong("an answer without content-length"))?;
    let body = &received[end + 4..];
    match body.len().cmp(&length) {
        std::cmp::Ordering::Less => Ok(None),
        std::cmp::Ordering::Equal => Ok(Some(Answer { status, body })),
        std::cmp::Ordering::Greater => Err(wrong("more than one answer to one request")),
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The nearest-rank percentile of sorted times.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn load(target: SocketAddr) -> Load {
        Load {
            target,
            connections: 4,
            requests: 50,
            warm_up: 5,
            messages: (0..220).map(|n| post("/", "Basic eA==", &format!("n={n:03}"))).collect(),
            status: 200,
            body: Expected::Part(b"fine"),
        }
    }

    /// Answers each request with the same text, some of it late, and returns the bodies it got once all have left.
    fn server(answer: &'static str, clients: usize) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let streams: Vec<_> = (0..clients).map(|_| listener.accept().unwrap().0).collect();
            let threads: Vec<_> = streams
                .into_iter()
                .map(|mut stream| {
                    std::thread::spawn(move || {
                        let mut bodies = Vec::new();
                        let mut buffer = [0; 1024];
                        while let Ok(n @ 1..) = stream.read(&mut buffer) {
                            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                            bodies.push(text.rsplit("\r\n").next().unwrap_or_default().to_owned());
                            let (head, tail) = answer.split_at(answer.len() / 2);
                            let sent = stream.write_all(head.as_bytes());
                            if sent.and_then(|()| stream.write_all(tail.as_bytes())).is_err() {
                                break;
                            }
                        }
                        bodies
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        (address, thread)
    }

    #[test]
    fn every_message_is_sent_once_when_there_are_enough_of_them() {
        let (address, thread) = server("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", 4);
        let measured = run(load(address)).unwrap();
        assert!(measured.rate > 0.0 && measured.rate.is_finite());
        assert!(Duration::ZERO < measured.p50 && measured.p50 <= measured.p99);
        let mut bodies = thread.join().unwrap();
        bodies.sort();
        assert_eq!(bodies, (0..220).map(|n| format!("n={n:03}")).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_that_is_not_the_expected_one_fails_the_measurement() {
        for (answer, said) in [
            ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 4\r\n\r\nfine", "401"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", "another answer"),
            ("HTTP/1.1 200 OK\r\n\r\n", "without content-length"),
            ("nonsense\r\n\r\n", "no status line"),
        ] {
            let (address, _thread) = server(answer, 4);
            let error = run(load(address)).unwrap_err();
            assert!(error.to_string().contains(said), "{said} in {error}");
        }
    }

    #[test]
    fn a_body_has_the_expected_part_or_is_the_expected_whole() {
        assert!(Expected::Part(b"").holds(b"fine") && Expected::Part(b"in").holds(b"fine"));
        assert!(!Expected::Part(b"nine").holds(b"fine"));
        assert!(Expected::Whole(b"fine").holds(b"fine"));
        assert!(!Expected::Whole(b"fine").holds(b"fine ") && !Expected::Whole(b"fine").holds(b"fin"));
    }

    #[test]
    fn a_get_is_a_head_and_nothing_else() {
        let asked = String::from_utf8(get("/x", "Basic eA==", "y: z")).unwrap();
        assert_eq!(asked, "GET /x HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic eA==\r\ny: z\r\n\r\n");
    }

    #[test]
    fn nothing_to_send_is_an_error() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        assert!(run(Load { messages: Vec::new(), ..load(address) }).is_err());
        assert!(run(Load { connections: 0, ..load(address) }).is_err());
        assert!(run(Load { requests: 0, ..load(address) }).is_err());
    }

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let text = b"HTTP/1.1 200 OK\r\nx: y\r\nContent-Length: 5\r\n\r\n12345";
        for end in 0..text.len() {
            assert!(whole(&text[..end]).unwrap().is_none(), "{end}");
        }
        let answer = whole(text).unwrap().unwrap();
        assert_eq!((answer.status, answer.body), (200, &b"12345"[..]));
        assert!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n12").is_err());
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
