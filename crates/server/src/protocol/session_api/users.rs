//! All sessions of a user, by the attribute that names users here: for help desks, and for people who leave.

use std::{sync::Arc, time::Instant};

use axum::{http::StatusCode, response::Response};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rescind_ledger::{Client, EndingOfSessions, Hash, Initiator, Lane, Reads, Reason, User};
use serde::Serialize;

use super::{
    answer::{Refusal, found},
    caller::Received,
    sessions::AuthnSession,
    standing::Standing,
};
use crate::{app::App, config::UserKey, protocol::error::empty};

/// No user is named by more.
const KEY_LIMIT: usize = 1024;

#[derive(Serialize)]
struct Shown {
    sessions: Vec<AuthnSession>,
}

/// `GET /users/{key}`: the sessions that run, the newest first, each under its reference identifier. Looking is no activity,
/// and a user whom nobody knows has none: strangers' names cannot be found out here.
pub(super) async fn show(app: &App, received: &Received) -> Result<Response, Refusal> {
    let mut sessions = Vec::new();
    if let Some(user) = find_user(app, key(received)?).await? {
        let now = app.now();
        for session in app.records.store.live_sessions_of(&user.id).await?.into_iter().rev() {
            let known = Arc::new(app.records.know_session(session));
            if let Standing::Runs(known) = Standing::of_known(app, known, now) {
                sessions.push(AuthnSession::of(&known, known.record.id.clone())?);
            }
        }
    }
    found(&Shown { sessions })
}

/// `POST /users/{key}/revoke`: every session there is has ended when the answer comes. Grants given `offline_access` live
/// on: this is about sessions.
pub(super) async fn revoke(app: &App, client: &Client, received: &Received) -> Result<Response, Refusal> {
    if let Some(user) = find_user(app, key(received)?).await? {
        let initiator = Initiator::Client(client.id.clone());
        let order =
            EndingOfSessions { user: user.id, except: None, reason: Reason::UserRequest, initiator, note: None };
        app.pace.at("submit").await;
        let begun = Instant::now();
        let ended = app.submit(Lane::Ending, move |door| door.end_sessions(&order)).await?;
        app.telemetry.revoke_seconds.record(begun.elapsed());
        for _ in ended {
            app.telemetry.count("rescind_revocations_total", &[("target", "session"), ("reason", "user_request")]);
        }
    }
    Ok(empty(StatusCode::OK))
}

fn key(received: &Received) -> Result<&str, Refusal> {
    let key = received.name(0)?;
    if key.len() > KEY_LIMIT {
        return Err(Refusal::invalid("the user's key is longer than 1024 bytes"));
    }
    Ok(key)
}

async fn find_user(app: &App, key: &str) -> Result<Option<User>, Refusal> {
    let (config, store) = (&app.config.sessions, &app.records.store);
    let found = match config.user_key {
        _ if config.hash_user_key => match read_hash(key) {
            Some(hash) => store.find_user_by_name_hash(&hash).await?,
            None => None,
        },
        UserKey::UserName => store.find_user_by_name(key).await?,
        UserKey::Id => store.find_user(key).await?,
    };
    Ok(found)
}

/// A SHA-256 as base64url, padded or not, or as 64 hexadecimal digits.
fn read_hash(text: &str) -> Option<Hash> {
    let bytes = if text.len() == 64 {
        let digits = text.as_bytes().chunks(2);
        // `from_str_radix` would take a sign.
        let digits = digits.filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    } else {
        URL_SAFE_NO_PAD.decode(text.strip_suffix('=').unwrap_or(text)).ok()?
    };
    bytes.try_into().ok().map(Hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_in_both_its_forms() {
        let hash = Hash::of("ada");
        let hex: String = hash.0.iter().map(|byte| format!("{byte:02X}")).collect();
        let base64 = URL_SAFE_NO_PAD.encode(hash.0);
        for form in [&hex, &hex.to_lowercase(), &base64, &format!("{base64}=")] {
            assert!(read_hash(form) == Some(hash), "{form}");
        }
        let signed = format!("+1{}", &hex[2..]);
        for wrong in ["", "ada", &hex[1..], &base64[1..], &format!("{base64}=="), &format!("{hex}00"), &signed] {
            assert!(read_hash(wrong).is_none(), "{wrong}");
        }
    }
}
