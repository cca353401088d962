//! A pending authorization request: what is kept of it while its user signs in and consents. One flow gives one code.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rescind_check::{Lineage, Position, Verdict};
use rescind_ledger::{Client, Hash, Lane, LedgerError, PushedRequest, Reads, StoreError, Timestamp};
use sha2::Sha256;

use crate::{
    app::App,
    clock::random,
    protocol::{
        authorization_request::{AuthorizationRequest, find_registered},
        trouble::Trouble,
    },
};

/// A pending request with its client as it is configured now.
pub struct Flow {
    pub request: AuthorizationRequest,
    pub client: Arc<Client>,
    /// Where the request began; taken before the client's configuration was read.
    pub position: Position,
    /// When it began.
    pub begun_at: Timestamp,
    /// The field `flow` of its forms, once the request is kept.
    pub handle: Option<String>,
}

/// How long a person may take. A page that was open for longer has to be reached anew.
const PATIENCE: Duration = Duration::from_secs(1800);

/// The longest request that is kept, in bytes: strangers can have it kept.
const REQUEST_LIMIT: usize = 8192;

/// What a stored request is: the handle of one kind never opens one of the other.
#[derive(Clone, Copy)]
enum Stored {
    Pending,
    Pushed,
}

impl Stored {
    fn hash(self, handle: &str) -> Hash {
        match self {
            Self::Pending => Hash::of(&format!("pending:{handle}")),
            Self::Pushed => Hash::of(&format!("pushed:{handle}")),
        }
    }
}

/// Keeps a request that its client pushed (RFC 9126) and gives back its handle.
pub async fn push(app: &App, request: &AuthorizationRequest, position: Position) -> Result<String, Trouble> {
    let handle = URL_SAFE_NO_PAD.encode(random::<32>());
    let now = app.now();
    let expires_at = now.plus(app.lifetimes().pushed_request);
    let record = record(request, Stored::Pushed.hash(&handle), (position, now), expires_at)?;
    let limit = app.config.limits.pending_requests;
    app.pace.at("submit").await;
    app.submit(Lane::Issuing, move |door| door.push_request(&record, limit)).await?;
    Ok(handle)
}

/// The flow of a pushed request. However often it is opened, it is one flow, so that it gives one code.
pub async fn open_pushed(app: &App, pushed: &str, client_id: &str) -> Result<Flow, Trouble> {
    let mut flow = load_stored(app, Stored::Pushed.hash(pushed)).await?;
    if flow.client.id != client_id {
        return Err(Trouble::Expired);
    }
    let handle = derived(&app.keys.csrf, pushed);
    let kept = app.records.store.find_pushed_request(&Stored::Pending.hash(&handle)).await?;
    if kept.is_none() {
        flow.keep_as(app, handle.clone()).await?;
    }
    flow.handle = Some(handle);
    Ok(flow)
}

/// The flow behind the field `flow` of a form.
pub async fn load(app: &App, handle: &str) -> Result<Flow, Trouble> {
    let flow = load_stored(app, Stored::Pending.hash(handle)).await?;
    Ok(Flow { handle: Some(handle.to_owned()), ..flow })
}

async fn load_stored(app: &App, hash: Hash) -> Result<Flow, Trouble> {
    let stored = app.records.store.find_pushed_request(&hash).await?.ok_or(Trouble::Expired)?;
    if stored.expires_at <= app.now() || app.live.verdict(&stored.trace(app.live.key())) != Verdict::NotRevoked {
        return Err(Trouble::Expired);
    }
    let request: AuthorizationRequest = serde_json::from_str(&stored.parameters).map_err(|why| {
        tracing::error!(error = %why, "a pending authorization request cannot be read");
        Trouble::Server
    })?;
    let client = app.live.client(&stored.client).filter(|client| client.enabled).ok_or(Trouble::Expired)?;
    if find_registered(&client, &request.redirect_uri).is_none() {
        return Err(Trouble::Expired);
    }
    Ok(Flow { request, client, position: stored.position, begun_at: stored.issued_at, handle: None })
}

impl Flow {
    /// Keeps the request, unless it is kept already, and gives back the handle for its forms.
    pub async fn keep(&mut self, app: &App) -> Result<String, Trouble> {
        if let Some(handle) = &self.handle {
            return Ok(handle.clone());
        }
        let handle = URL_SAFE_NO_PAD.encode(random::<32>());
        self.keep_as(app, handle.clone()).await?;
        self.handle = Some(handle.clone());
        Ok(handle)
    }

    async fn keep_as(&self, app: &App, handle: String) -> Result<(), Trouble> {
        let record = record(&self.request, Stored::Pending.hash(&handle), self.begun(), app.now().plus(PATIENCE))?;
        let limit = app.config.limits.pending_requests;
        app.pace.at("submit").await;
        match app.submit(Lane::Issuing, move |door| door.push_request(&record, limit)).await {
            // A pushed request that two tabs opened at once: one flow all the same.
            Err(LedgerError::Store(StoreError::Conflict(_))) => Ok(()),
            other => Ok(other?),
        }
    }

    /// Where in the ledger and when the request began: what is kept of it is no younger.
    fn begun(&self) -> (Position, Timestamp) {
        (self.position, self.begun_at)
    }

    /// What is used up when the code is issued.
    #[must_use]
    pub fn stored_as(&self) -> Option<Hash> {
        self.handle.as_deref().map(|handle| Stored::Pending.hash(handle))
    }

    /// Whether the client and the audiences still stand as they did when the request was checked against them. To be
    /// asked after the user's authentication was stamped: what comes later ends the grant itself.
    #[must_use]
    pub fn holds(&self, app: &App) -> bool {
        let bare = Lineage::at(self.position, self.begun_at.0);
        let lineage = Lineage { client: Some(&self.client.id), audiences: &self.request.audiences, ..bare };
        app.live.verdict(&lineage.trace(app.live.key())) == Verdict::NotRevoked
    }
}

/// The handle of a pushed request's flow: always the same, and unknown to who only knows the `request_uri`.
fn derived(key: &[u8; 32], pushed: &str) -> String {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any key length");
    mac.update(b"flow of a pushed request\0");
    mac.update(pushed.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

fn record(
    request: &AuthorizationRequest,
    handle: Hash,
    (position, issued_at): (Position, Timestamp),
    expires_at: Timestamp,
) -> Result<PushedRequest, Trouble> {
    let parameters = serde_json::to_string(request).map_err(|why| {
        tracing::error!(error = %why, "an authorization request cannot be written down");
        Trouble::Server
    })?;
    if parameters.len() > REQUEST_LIMIT {
        return Err(Trouble::TooLarge);
    }
    let client = request.client_id.clone();
    Ok(PushedRequest { handle, client, parameters, position, issued_at, expires_at })
}
