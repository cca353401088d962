//! Signing keys: which there are, and new ones.

use axum::response::Response;
use rescind_ledger::{Reads, SigningAlgorithm, Timestamp};
use serde_json::{Value, json};

use super::{
    call::{Call, created, ok},
    problem::Problem,
};
use crate::{
    app::App,
    keys::signing_key_name,
    openapi::shape::{Shape, flag, maybe, moment, object, page_of, text},
};

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    Ok(ok(&show_keys(&call.app).await?))
}

pub(super) async fn rotate(call: Call) -> Result<Response, Problem> {
    rotate_now(&call.app).await?;
    Ok(created(&show_keys(&call.app).await?))
}

/// Signs with fresh keys from now on.
pub(super) async fn rotate_now(app: &App) -> Result<(), Problem> {
    app.rotate_signing_keys().await.map_err(|why| {
        tracing::error!(error = %why, "cannot rotate the signing keys");
        Problem::unavailable()
    })
}

/// The stored name of a signing key's secret, if there is such a key.
pub(super) async fn find_stored(app: &App, kid: &str) -> Result<Option<String>, Problem> {
    let stored = app.records.store.secrets().await?;
    let names = stored.into_iter().map(|(name, _)| name);
    Ok(names.into_iter().find(|name| signing_key_name(name).is_some_and(|key| key.kid == kid)))
}

/// Whether a key signs now.
pub(super) fn signs(app: &App, kid: &str) -> bool {
    let ring = app.keys.ring();
    [SigningAlgorithm::ES256, SigningAlgorithm::RS256].into_iter().any(|algorithm| ring.signing(algorithm).kid() == kid)
}

/// What [`show_keys`] writes.
pub(super) fn shown() -> Shape {
    let key = object().with("kid", text()).with("alg", maybe(text())).with("made_at", moment());
    page_of(key.with("signing", flag()).with("published", flag()).named("SigningKey"))
}

async fn show_keys(app: &App) -> Result<Value, Problem> {
    let stored = app.records.store.secrets().await?;
    let ring = app.keys.ring();
    let mut keys: Vec<_> = stored.iter().filter_map(|(name, _)| signing_key_name(name)).collect();
    keys.sort_by_key(|key| std::cmp::Reverse(key.made_at));
    let items = keys.iter().map(|key| {
        json!({
            "kid": key.kid,
            // The name it has in the stored form, `signing:<alg>:…`.
            "alg": key.name.split(':').nth(1),
            "made_at": Timestamp(key.made_at),
            "signing": signs(app, key.kid),
            "published": ring.published.kids().any(|kid| kid == key.kid),
        })
    });
    Ok(json!({ "items": items.collect::<Vec<_>>(), "next": null }))
}
