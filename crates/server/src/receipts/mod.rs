//! Receipts: who has stopped honouring what, and when. One form for the admin API, the page behind a link, and the signed text.

pub mod link;
pub mod signed;
#[cfg(test)]
mod tests;

use rescind_ledger::{Delivery, DeliveryState, Effect, Entry, Identity, Position, Reads, StoreError, Tally};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    openapi::shape::{Members, Shape, flag, list_of, maybe, moment, number, object, one_of, text},
};

/// What is known of one revocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub entry: Entry,
    /// The user it is about, by id, and what they were called then, if that is known.
    pub user: Option<(String, Option<Identity>)>,
    /// When it took effect here, once that is known.
    pub effect: Option<Effect>,
    /// What it has ended, once that is counted.
    pub ended: Option<Tally>,
    pub deliveries: Vec<Delivery>,
    /// Whether it waits to be expanded into deliveries.
    pub undispatched: bool,
}

/// Which of the two lists a count belongs to.
const BY: [&str; 2] = ["client", "api"];

impl Receipt {
    /// The receipt of the revocation at a position, as long as that is kept.
    pub async fn find(app: &App, position: Position) -> Result<Option<Self>, StoreError> {
        let store = &app.records.store;
        let Some(entry) = store.find_entry(position).await? else { return Ok(None) };
        let user = match entry.target.user(app.live.issuer()) {
            Some(id) => Some((id.to_owned(), store.find_identity(id, position).await?)),
            None => None,
        };
        // The moments are written down with the deliveries, and only then no longer remembered: asked in another order, a
        // receipt could miss either.
        let remembered = app.live.effects_between(position, position);
        let written = store.find_effect(position).await?;
        let ended = store.find_tally(position).await?;
        let deliveries = store.deliveries_of(position).await?;
        let undispatched = written.is_none();
        let effect = written.or_else(|| remembered.first().map(|done| done.effect));
        Ok(Some(Self { entry, user, effect, ended, deliveries, undispatched }))
    }

    /// Whether nothing of it can change any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let pending = self.deliveries.iter().any(|delivery| delivery.state == DeliveryState::Pending);
        !self.undispatched && self.ended.is_some() && !pending
    }

    /// The receipt in JSON: the entry's own members, and what became of it.
    #[must_use]
    pub fn show(&self) -> Value {
        let mut shown = match json!(self.entry) {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let effect = self.effect;
        shown.insert(
            "user".to_owned(),
            json!(self.user.as_ref().map(|(id, identity)| show_user(id, identity.as_ref()))),
        );
        shown.insert("durable_at".to_owned(), json!(effect.map(|effect| effect.durable_at)));
        shown.insert("at_latest".to_owned(), json!(effect.is_some_and(|effect| effect.at_latest)));
        let this_server = effect.map(|effect| effect.applied_at);
        // No other node and no edge exists yet.
        shown.insert("applied".to_owned(), json!({ "this_server": this_server, "nodes": [], "edges": [] }));
        shown.insert("ended".to_owned(), show_ended(self.ended.as_ref()));
        let deliveries: Vec<Value> = self.deliveries.iter().map(show_delivery).collect();
        shown.insert("deliveries".to_owned(), json!(deliveries));
        shown.insert("finished".to_owned(), json!(self.is_finished()));
        Value::Object(shown)
    }
}

fn show_user(id: &str, identity: Option<&Identity>) -> Value {
    json!({
        "id": id,
        "user_name": identity.map(|identity| &identity.user_name),
        "email": identity.and_then(|identity| identity.email.as_ref()),
        "display_name": identity.and_then(|identity| identity.display_name.as_ref()),
    })
}

fn show_ended(tally: Option<&Tally>) -> Value {
    let list = |counts: Option<&std::collections::BTreeMap<String, u64>>, name: &str| {
        let items = counts.into_iter().flatten().map(|(one, count)| json!({ name: one, "access_tokens": count }));
        items.collect::<Vec<_>>()
    };
    json!({
        "counting": tally.is_none(),
        "at_least": tally.is_some_and(|tally| tally.at_least),
        "users": tally.map(|tally| tally.users),
        "sessions": tally.map(|tally| tally.sessions),
        "grants": tally.map(|tally| tally.grants),
        "access_tokens": tally.map(|tally| tally.access_tokens),
        "by_client": list(tally.map(|tally| &tally.by_client), BY[0]),
        "by_api": list(tally.map(|tally| &tally.by_api), BY[1]),
    })
}

fn show_delivery(delivery: &Delivery) -> Value {
    json!({
        "receiver": delivery.receiver,
        "kind": delivery.kind,
        "state": delivery.state.name(),
        "attempts": delivery.attempts,
        "first_at": delivery.first_at,
        "last_at": delivery.last_at,
        "next_at": delivery.next_at,
        "last_error": delivery.last_error,
    })
}

/// What [`Receipt::show`] writes besides the entry's own members, which `entry` describes.
#[must_use]
pub fn shown(entry: Members) -> Shape {
    let user = object().with("id", text()).with("user_name", maybe(text())).with("email", maybe(text()));
    let user = user.with("display_name", maybe(text())).named("UserAtTheTime");
    let nobody = || list_of(object().open());
    let applied = object().with("this_server", maybe(moment())).with("nodes", nobody()).with("edges", nobody());
    let counted = || maybe(number());
    let by = |name: &str| list_of(object().with(name, text()).with("access_tokens", number()).open());
    let ended = object().with("counting", flag()).with("at_least", flag()).with("users", counted());
    let ended = ended.with("sessions", counted()).with("grants", counted()).with("access_tokens", counted());
    let ended = ended.with("by_client", by(BY[0])).with("by_api", by(BY[1]));
    let delivery = object().with("receiver", text()).with("kind", text());
    let delivery = delivery.with("state", one_of(&DeliveryState::ALL.map(DeliveryState::name)));
    let delivery = delivery.with("attempts", number()).with("first_at", maybe(moment()));
    let delivery = delivery.with("last_at", maybe(moment())).with("next_at", maybe(moment()));
    let delivery = delivery.with("last_error", maybe(text())).named("Delivery");
    let receipt = entry.with("user", maybe(user)).with("durable_at", maybe(moment())).with("at_latest", flag());
    let receipt = receipt.with("applied", applied.named("Applied")).with("ended", ended.named("Ended"));
    receipt.with("deliveries", list_of(delivery)).with("finished", flag()).named("Receipt")
}
