//! Where a job came from: carried beside it, so that the audit trail can say so however deep the job ends something.

use std::{net::IpAddr, sync::Arc};

/// The request behind a job; empty for what the server does of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// `X-Correlation-Id`, the caller's or ours.
    pub correlation_id: Option<Arc<str>>,
    /// The client that authenticated, or said its name if it is public.
    pub client: Option<String>,
    pub ip: Option<IpAddr>,
}
