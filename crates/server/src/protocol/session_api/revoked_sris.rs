//! The revocation list: `POST /revokedSris` adds a session to it, `GET /revokedSris/{sri}` asks whether one is on it.

use std::time::Instant;

use axum::{http::StatusCode, response::Response};
use rescind_ledger::{Client, Initiator, Lane, Order, Reason, Target};

use super::{
    answer::{Refusal, not_revoked, on_list},
    caller::Received,
    standing::{Standing, is_named},
};
use crate::{app::App, touch::note};

/// The longest id.
const ID_LIMIT: usize = 512;

/// Checks an id: 1 to 512 letters, digits and `-._~` (RFC 3986 section 2.3), or `:+=`, which occur in ids that others made.
pub(super) fn well_formed(id: &str) -> Result<&str, Refusal> {
    if id.is_empty() {
        return Err(Refusal::invalid("the id is empty"));
    }
    if id.len() > ID_LIMIT {
        return Err(Refusal::invalid("the id is longer than 512 characters"));
    }
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:+=".contains(&byte);
    if !id.bytes().all(may_stand) {
        return Err(Refusal::invalid("the id has other characters than letters, digits and -._~:+="));
    }
    Ok(id)
}

/// `POST /revokedSris`: 201, whether the session is known or not, and again.
pub(super) async fn add(app: &App, client: &Client, received: &Received) -> Result<Response, Refusal> {
    let id = well_formed(received.id()?)?;
    revoke(app, client, id).await?;
    Ok(on_list(StatusCode::CREATED, id))
}

/// `GET /revokedSris/{sri}`: 200 if it is on the list. If not, 404, and a session that runs begins its idle time anew,
/// unless `updateActivityTime=false`.
pub(super) async fn ask(app: &App, received: &Received) -> Result<Response, Refusal> {
    const PARAMETER: &str = "&updateActivityTime=";
    let name = received.name(0)?;
    // PingFederate's document has the parameter behind an ampersand, and who copied it from there means it.
    let (id, in_path) = match name.split_once(PARAMETER) {
        Some((id, value)) => (id, Some(value)),
        None => (name, None),
    };
    let id = well_formed(id)?;
    let is_activity = received.counts_as_activity(in_path)?;
    let now = app.now();
    match Standing::of_activity(app, id, now).await? {
        Standing::Revoked => return Ok(on_list(StatusCode::OK, id)),
        Standing::Runs(activity) if is_activity => note(app, id, &activity, now).await,
        Standing::Runs(_) | Standing::Over => {}
    }
    Ok(not_revoked())
}

/// Puts an id on the list. One of no session that we know counts against the client's quota.
pub(super) async fn revoke(app: &App, client: &Client, id: &str) -> Result<(), Refusal> {
    // Once it is named it stays so, durably: to say it again would cost a write, and a client may say it often.
    if is_named(app, id) {
        return Ok(());
    }
    let is_known = app.records.find_session(id).await?.is_some();
    if !is_known {
        let taken = app.unknown_ids.take(&client.id, app.now());
        taken.map_err(|too_many| Refusal::too_many_unknown(too_many.retry_after_secs))?;
    }
    let target = Target::Session { session: id.to_owned() };
    let order = Order::new(target, Reason::UserRequest, Initiator::Client(client.id.clone()));
    app.pace.at("submit").await;
    let begun = Instant::now();
    let ended = app.submit(Lane::Ending, move |door| door.end(&order)).await;
    let is_fresh = ended.as_ref().is_ok_and(|ended| ended.fresh);
    if !is_known && !is_fresh {
        app.unknown_ids.give_back(&client.id);
    }
    ended?;
    app.telemetry.revoke_seconds.record(begun.elapsed());
    if is_fresh {
        app.telemetry.count("rescind_revocations_total", &[("target", "session"), ("reason", "user_request")]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_well_formed_if_it_fits_a_path_as_it_is() {
        let longest = "x".repeat(512);
        for right in ["a", "s_Zm9vYmFy-_", "qzTEiEroxdzAufjYKQawm72lcBE..4RbA", "a~b:c+d=", "..", &longest] {
            assert!(well_formed(right).is_ok(), "{right}");
        }
        let too_long = "x".repeat(513);
        for wrong in ["", "a b", "a/b", "a&b", "a%20", "a?b", "ä", "a\n", "a\0", "a\"b", &too_long] {
            assert!(well_formed(wrong).is_err(), "{wrong:?}");
        }
    }
}
