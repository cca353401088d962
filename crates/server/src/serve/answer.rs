//! One request: its body within limits, the router within time, and an answer whatever happens inside.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body as RouterBody;
use bytes::Bytes;
use futures_util::FutureExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};
use tokio::time::timeout;
use tower::Service;

use super::connection::{Open, Shared};
use crate::{
    body::{Ungathered, gather},
    origin,
};

/// See [`origin::CORRELATION_ID`].
const CORRELATION_ID: HeaderName = HeaderName::from_static(origin::CORRELATION_ID);

/// Answers one request. Never fails: what goes wrong is an answer too.
pub(super) async fn answer<P>(
    shared: Arc<Shared<P>>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible>
where
    P: Clone + Send + Sync + 'static,
{
    let open = shared.activity.begin();
    let response = routed(&shared, request).await.unwrap_or_else(Refusal::into_response);
    Ok(response.map(|body| Answer { body, _open: open }))
}

async fn routed<P>(shared: &Shared<P>, request: Request<Incoming>) -> Result<Response<RouterBody>, Refusal>
where
    P: Clone + Send + Sync + 'static,
{
    let limits = &shared.limits;
    let (mut head, body) = request.into_parts();
    head.extensions.insert(shared.peer.clone());
    let body = match body.is_end_stream() {
        true => Ok(RouterBody::empty()),
        // Before the router runs, so that no handler ever waits for a slow client.
        false => match within(limits.request, gather(body, limits.body_bytes)).await {
            Some(Ok(whole)) => Ok(RouterBody::from(whole)),
            Some(Err(Ungathered::TooLarge)) => Err(Refusal::LargeBody),
            Some(Err(Ungathered::Broken)) => Err(Refusal::BrokenBody),
            None => Err(Refusal::SlowBody),
        },
    };
    let body = body.inspect_err(|refusal| shared.routes.refuse(&head, refusal.words().0))?;
    let call = origin::Call::of(&head.headers, shared.routes.address(&head));
    let name = HeaderValue::try_from(&*call.correlation_id);
    let mut router = shared.routes.router.clone();
    let routed = call.answer(async move { router.call(Request::from_parts(head, body)).await });
    match within(limits.request, AssertUnwindSafe(routed).catch_unwind()).await {
        Some(Ok(Ok(mut response))) => {
            if let Ok(name) = name {
                response.headers_mut().insert(CORRELATION_ID, name);
            }
            Ok(response)
        }
        Some(Ok(Err(never))) => match never {},
        Some(Err(_)) => Err(Refusal::Panic),
        None => Err(Refusal::SlowAnswer),
    }
}

/// What `future` gives, if it does within the limit. Most are ready at once, and then no timer is made.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        return Some(output);
    }
    timeout(limit, future).await.ok()
}

/// Why the router did not answer.
enum Refusal {
    LargeBody,
    BrokenBody,
    SlowBody,
    SlowAnswer,
    Panic,
}

impl Refusal {
    /// The status, the code and a description.
    fn words(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::LargeBody => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "the body is too large"),
            Self::BrokenBody => (StatusCode::BAD_REQUEST, "invalid_request", "the body is not whole"),
            Self::SlowBody => (StatusCode::REQUEST_TIMEOUT, "invalid_request", "the body came too slowly"),
            Self::SlowAnswer => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "no answer in time"),
            Self::Panic => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "an error of ours"),
        }
    }

    fn into_response(self) -> Response<RouterBody> {
        let (status, code, description) = self.words();
        if status.is_server_error() {
            tracing::error!(%status, description, "request not answered by its handler");
        }
        let json = format!(r#"{{"error":"{code}","error_description":"{description}"}}"#);
        let mut response = Response::new(RouterBody::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// An answer's body; while it is being sent, its connection is not idle.
pub(super) struct Answer {
    body: RouterBody,
    _open: Open,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
