//! Why what is listed ended: the entry, found by the search that makes the verdict.

use std::collections::HashMap;

use rescind_check::Lineage;
use rescind_ledger::{Entry, Position, Reads, Timestamp};
use serde_json::{Value, json};

use super::{entries, explain::ended_by, problem::Problem};
use crate::{
    app::App,
    openapi::shape::{Shape, maybe, moment, object, position, text},
};

/// The entries behind one page. Mostly one of them ended many records, so each is read once.
pub(super) struct Endings<'a> {
    app: &'a App,
    entries: HashMap<Position, Option<Entry>>,
}

/// What [`Endings::show`] writes.
pub(super) fn shown() -> Shape {
    let ended = object().with("position", position()).with("reason", text());
    maybe(ended.with("initiator", entries::initiator()).with("time", moment()).open())
}

impl<'a> Endings<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, entries: HashMap::new() }
    }

    /// Under which issuer subjects are named.
    pub(super) fn issuer(&self) -> &'a str {
        self.app.live.issuer()
    }

    /// Where the first entry stands that ended a record.
    pub(super) fn find(&self, lineage: &Lineage<'_>) -> Option<Position> {
        ended_by(self.app, lineage).0.into_iter().map(|(_, at)| at).min()
    }

    /// The entry there, if it ended the record before its time ran out by itself.
    pub(super) async fn show(&mut self, first: Option<Position>, expires_at: Timestamp) -> Result<Value, Problem> {
        let Some(first) = first else { return Ok(Value::Null) };
        let entry = match self.entries.get(&first) {
            Some(known) => known.clone(),
            None => {
                let read = self.app.records.store.find_entry(first).await?;
                self.entries.insert(first, read.clone());
                read
            }
        };
        Ok(entry.filter(|entry| entry.time < expires_at).map_or(Value::Null, |entry| {
            json!({
                "position": entry.position.to_string(),
                "reason": entry.reason,
                "initiator": entry.initiator,
                "time": entry.time,
            })
        }))
    }
}
