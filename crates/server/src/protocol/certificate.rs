//! Clients known by a certificate or by keys of their own (RFC 8705 section 2, RFC 7523).

use rescind_ledger::Client;
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

/// Whether a certificate is one of those the client registered, as `x5c` or `x5t#S256` in its keys (section 2.2).
pub fn is_among(shown: &ClientCertificate, client: &Client) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let thumbprint = rescind_jose::certificate_thumbprint(&shown.der);
    let encoded = STANDARD.encode(&shown.der);
    let Some(keys) = inline_keys(client) else { return false };
    keys["keys"].as_array().into_iter().flatten().any(|key| {
        key["x5t#S256"].as_str() == Some(&thumbprint) || key["x5c"][0].as_str().is_some_and(|der| der == encoded)
    })
}

/// The client's JWK set: registered, or fetched from where it publishes it.
pub async fn client_keys(app: &App, client: &Client) -> Option<Value> {
    if let Some(keys) = inline_keys(client) {
        return Some(keys);
    }
    let uri = client.jwks_uri.as_ref()?;
    match app.egress.fetch(uri).await {
        Ok(body) => serde_json::from_slice(&body).ok(),
        Err(why) => {
            tracing::warn!(client = client.id, error = %why, "cannot fetch the client's keys");
            None
        }
    }
}

fn inline_keys(client: &Client) -> Option<Value> {
    serde_json::from_str(client.jwks.as_ref()?).ok()
}
