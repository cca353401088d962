//! Which request is being answered: known to everything that runs on its behalf, so that no path can forget to tell the audit
//! trail where it came from.

use std::{
    future::Future,
    net::IpAddr,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::HeaderMap;
use rescind_ledger::{Kind, Origin};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{
        FormatFields,
        format::{DefaultFields, Writer},
    },
};

use crate::clock::fresh_id;

/// The header by which callers and we name a request to each other.
pub const CORRELATION_ID: &str = "x-correlation-id";
/// A longer one, or one with other characters, is not taken over: it goes into logs and records.
const LONGEST: usize = 128;

tokio::task_local! {
    static PRESENT: Call;
}

/// The request that a task answers.
#[derive(Clone, Debug)]
pub struct Call {
    pub correlation_id: Arc<str>,
    pub ip: Option<IpAddr>,
    /// Known once it has authenticated.
    client: Arc<OnceLock<String>>,
}

impl Call {
    /// The request with this head, from that address.
    #[must_use]
    pub fn of(headers: &HeaderMap, ip: Option<IpAddr>) -> Self {
        let given = headers.get(CORRELATION_ID).and_then(|value| value.to_str().ok()).filter(|text| is_sound(text));
        Self { correlation_id: given.map_or_else(fresh, Arc::from), ip, client: Arc::default() }
    }

    /// Runs what answers the request.
    pub async fn answer<T>(self, work: impl Future<Output = T>) -> T {
        PRESENT.scope(self, work).await
    }
}

fn is_sound(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte);
    // It is shown to whoever reads logs and records: a credential in the wrong header must not be.
    let is_credential = || text.contains("eyJ") || Kind::ALL.into_iter().any(|kind| text.contains(kind.prefix()));
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits) && !is_credential()
}

/// Unique without being random: drawn once for a process, then counted, for every request needs one.
fn fresh() -> Arc<str> {
    static PROCESS: LazyLock<String> = LazyLock::new(|| fresh_id("r_"));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{}-{:x}", *PROCESS, NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// The origin of a job submitted now.
#[must_use]
pub fn here() -> Origin {
    let of = |call: &Call| Origin {
        correlation_id: Some(call.correlation_id.clone()),
        client: call.client.get().cloned(),
        ip: call.ip,
    };
    PRESENT.try_with(of).unwrap_or_default()
}

/// The fields of a line of the log, with the request that the line is about. It costs those lines something, and requests
/// without a line nothing.
#[derive(Debug, Default)]
pub struct LogFields(DefaultFields);

impl<'w> FormatFields<'w> for LogFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> std::fmt::Result {
        let id = PRESENT.try_with(|call| call.correlation_id.clone()).ok();
        match id {
            Some(id) => {
                self.0.format_fields(writer.by_ref(), fields)?;
                write!(writer, " correlation_id={id}")
            }
            None => self.0.format_fields(writer, fields),
        }
    }
}

/// Notes which client the request is from.
pub fn note_client(id: &str) {
    // A request authenticates once; outside of one there is nothing to note.
    let _ = PRESENT.try_with(|call| call.client.set(id.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> Call {
        let mut headers = HeaderMap::new();
        headers.insert(CORRELATION_ID, id.parse().unwrap());
        Call::of(&headers, None)
    }

    #[test]
    fn a_sound_id_is_taken_over_and_any_other_replaced() {
        assert_eq!(&*call("7e9c-A_1.b:2").correlation_id, "7e9c-A_1.b:2");
        for wrong in ["", "a b", "a\"b", "x".repeat(LONGEST + 1).as_str(), "rsc_at_AAAA", "a.eyJhbGci.b"] {
            assert!(call(wrong).correlation_id.starts_with("r_"), "{wrong}");
        }
        assert_ne!(call("").correlation_id, call("").correlation_id);
    }

    #[tokio::test]
    async fn jobs_know_the_request_they_belong_to_and_its_client() {
        assert_eq!(here(), Origin::default());
        let seen = call("abc").answer(async {
            note_client("web");
            here()
        });
        let seen = seen.await;
        assert_eq!((seen.correlation_id.as_deref(), seen.client.as_deref()), (Some("abc"), Some("web")));
    }

    /// Keeps what is logged.
    #[derive(Clone, Default)]
    struct Kept(Arc<parking_lot::Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_line_of_the_log_names_its_request_and_one_of_no_request_none() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
        let _here = tracing::subscriber::set_default(log.fmt_fields(LogFields::default()).finish());
        tracing::warn!(number = 1, "before");
        call("abc").answer(async { tracing::warn!(number = 2, "within") }).await;
        let text = String::from_utf8(kept.0.lock().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with("before number=1"), "{text}");
        assert!(lines[1].ends_with("within number=2 correlation_id=abc"), "{text}");
    }
}
