//! Clients known by a certificate or by keys of their own (RFC 8705 section 2, RFC 7523).

use std::{convert::Infallible, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use rescind_ledger::{Client, Timestamp};
use serde_json::Value;

use crate::{
    app::App,
    peer::{self, ClientCertificate},
};

/// Whether a certificate that a trusted authority signed names this client (RFC 8705 section 2.1).
pub fn is_for(shown: &ClientCertificate, client: &Client) -> bool {
    if !shown.chain_verified {
        return false;
    }
    if let Some(expected) = &client.tls_client_auth_subject_dn {
        return peer::subject_dn(&shown.der).is_some_and(|subject| subject == *expected);
    }
    client
        .tls_client_auth_san_dns
        .as_ref()
        .is_some_and(|expected| peer::dns_names(&shown.der).iter().any(|name| name.eq_ignore_ascii_case(expected)))
}

/// Whether a certificate is in a client's JWK set, as `x5c` or `x5t#S256` (section 2.2).
#[must_use]
pub fn is_among(shown: &ClientCertificate, keys: &Value) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let thumbprint = rescind_jose::certificate_thumbprint(&shown.der);
    let encoded = STANDARD.encode(&shown.der);
    keys["keys"].as_array().into_iter().flatten().any(|key| {
        key["x5t#S256"].as_str() == Some(&thumbprint) || key["x5c"][0].as_str().is_some_and(|der| der == encoded)
    })
}

/// Keys that were fetched. A stranger who knows a client's id can have them asked for, so an address is asked at most once
/// in a while, whatever it answers: a client that changes its keys is understood within a minute.
pub struct ClientKeys(Cache<String, (Timestamp, Option<Arc<Value>>)>);

const FETCHED_FOR: Duration = Duration::from_secs(60);
/// How many addresses are remembered.
const ADDRESSES: usize = 1000;

impl Default for ClientKeys {
    fn default() -> Self {
        Self(Cache::new(ADDRESSES))
    }
}

impl ClientKeys {
    /// The client's JWK set: registered, or fetched from where it publishes it.
    pub async fn find(&self, app: &App, client: &Client) -> Option<Arc<Value>> {
        if let Some(keys) = inline_keys(client) {
            return Some(Arc::new(keys));
        }
        let uri = client.jwks_uri.as_ref()?;
        let now = app.now();
        self.0.remove_if(uri, |(at, _)| now.since(*at) > FETCHED_FOR);
        // One fetch at a time for an address: the others wait for its outcome.
        let fetched =
            self.0.get_or_insert_async(uri, async { Ok::<_, Infallible>((now, fetch(app, client, uri).await)) });
        match fetched.await {
            Ok((_, keys)) => keys,
            Err(never) => match never {},
        }
    }
}

async fn fetch(app: &App, client: &Client, uri: &str) -> Option<Arc<Value>> {
    match app.egress.fetch(uri).await {
        Ok(body) => serde_json::from_slice(&body).ok().map(Arc::new),
        Err(why) => {
            tracing::warn!(client = client.id, error = %why, "cannot fetch the client's keys");
            None
        }
    }
}

fn inline_keys(client: &Client) -> Option<Value> {
    serde_json::from_str(client.jwks.as_ref()?).ok()
}

#[cfg(test)]
mod tests;
