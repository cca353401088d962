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
use rescind_ledger::Origin;

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
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)
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
        for wrong in ["", "a b", "a\"b", "x".repeat(LONGEST + 1).as_str()] {
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
}
