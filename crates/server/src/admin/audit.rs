//! The audit trail: searched by people, and handed out as it was hashed to whoever checks or keeps it.

use axum::response::Response;
use rescind_ledger::{Action, AuditBody, AuditHead, AuditRecord, Reads, SignedHead, StoreError, Timestamp};
use serde_json::{Value, json};

use super::{
    call::{Call, Query, ok},
    entries,
    problem::Problem,
    target,
};
use crate::{
    app::App,
    audit::{
        heads,
        lines::{HeadLine, moment},
    },
    openapi::{
        Description,
        shape::{self, Shape, list_of, maybe, name, object, one_of, page_of, text},
    },
};

/// The most records that one search looks at; where it stopped, the next page goes on. Each is read and parsed, while other
/// requests wait for the thread.
const SEARCHED: u32 = 4000;
/// How many it reads at a time.
const READ_AT_ONCE: u32 = 500;

/// Which records are asked for.
struct Wanted<'q> {
    action: Option<&'q str>,
    actor: Option<&'q str>,
    outcome: Option<&'q str>,
    client: Option<&'q str>,
    correlation_id: Option<&'q str>,
    since: Option<Timestamp>,
}

impl<'q> Wanted<'q> {
    fn read(query: Query<'q>) -> Result<Self, Problem> {
        let action = query.find("action");
        if action.is_some_and(|name| Action::ALL.into_iter().all(|known| known.name() != name)) {
            let known = Action::ALL.map(Action::name).join(", ");
            return Err(Problem::invalid(format!("`action` is one of: {known}")));
        }
        Ok(Self {
            action,
            actor: query.find("actor"),
            outcome: query.find("outcome"),
            client: query.find("client"),
            correlation_id: query.find("correlation_id"),
            since: since(query)?,
        })
    }

    fn has(&self, body: &AuditBody) -> bool {
        let is = |wanted: Option<&str>, found: Option<&str>| wanted.is_none_or(|wanted| found == Some(wanted));
        let actor = body.actor.as_ref().map(rescind_ledger::Initiator::id);
        is(self.action, Some(body.action.name()))
            && is(self.actor, actor)
            && is(self.outcome, Some(&body.outcome))
            && is(self.client, body.client.as_deref())
            && is(self.correlation_id, body.correlation_id.as_deref())
    }
}

/// A moment in RFC 3339.
fn since(query: Query<'_>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = query.find("since") else { return Ok(None) };
    let read: Option<jiff::Timestamp> = text.parse().ok();
    let read = read.ok_or_else(|| Problem::invalid("`since` is a time such as 2026-01-31T12:00:00Z"))?;
    Ok(Some(Timestamp(read.as_millisecond())))
}

/// A record's number; a cursor of these listings is one too.
fn number(text: Option<&str>) -> Result<Option<u64>, StoreError> {
    // What no column of the store can hold is no number of a record.
    let read = |text: &str| text.parse().ok().filter(|seq| i64::try_from(*seq).is_ok()).ok_or(StoreError::Cursor);
    text.map(read).transpose()
}

pub(super) async fn list(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["action", "actor", "outcome", "client", "correlation_id", "since", "cursor", "limit"])?;
    let (wanted, limit) = (Wanted::read(query)?, usize::try_from(query.limit()?).unwrap_or(usize::MAX));
    let mut before = number(query.find("cursor"))?;
    let mut items: Vec<Value> = Vec::new();
    for _ in 0..SEARCHED / READ_AT_ONCE {
        let records = call.app.records.store.audit_before(before, READ_AT_ONCE).await?;
        let is_last = records.len() < READ_AT_ONCE as usize;
        for record in records {
            if wanted.since.is_some_and(|since| record.at < since) {
                return Ok(ok(&json!({ "items": items, "next": null })));
            }
            before = Some(record.seq);
            if serde_json::from_str(&record.body).is_ok_and(|body| wanted.has(&body)) {
                items.push(shown(&record));
            }
            if items.len() == limit {
                return Ok(ok(&json!({ "items": items, "next": record.seq.to_string() })));
            }
        }
        if is_last {
            return Ok(ok(&json!({ "items": items, "next": null })));
        }
    }
    Ok(ok(&json!({ "items": items, "next": before.map(|seq| seq.to_string()) })))
}

fn shown(record: &AuditRecord) -> Value {
    let mut shown: Value = serde_json::from_str(&record.body).unwrap_or_default();
    if let Some(members) = shown.as_object_mut() {
        members.insert("hash".to_owned(), record.hash.base64url().into());
    }
    shown
}

/// A stretch of the trail. The text of a record is a string here, so that nobody on the way writes its JSON anew.
pub(super) async fn records(call: Call) -> Result<Response, Problem> {
    let query = call.query(&["after", "since", "limit"])?;
    let store = &call.app.records.store;
    let (floor, head) = store.audit_span().await?;
    let after = match (number(query.find("after"))?, since(query)?) {
        (Some(_), Some(_)) => return Err(Problem::invalid("one of `after` and `since` says where to begin")),
        (Some(after), None) => after,
        (None, Some(since)) => last_before(&call.app, floor.seq, head.seq, since).await?,
        (None, None) => floor.seq,
    };
    let records = store.audit_after(after, query.limit()?).await?;
    let last = records.last().map_or(after, |record| record.seq);
    // The head at the very beginning vouches for where the trail begins.
    let from = if after == floor.seq { after.saturating_sub(1) } else { after };
    let limit = u32::try_from(records.len()).unwrap_or(u32::MAX).saturating_add(1);
    let mut heads = store.signed_heads(from, limit).await?;
    heads.retain(|signed| signed.head.seq <= last);
    let before = if after == floor.seq { Some(floor) } else { record_head(&call.app, after).await? };
    Ok(ok(&json!({
        "items": records.iter().map(page_item).collect::<Vec<_>>(),
        "heads": heads.iter().map(HeadLine::of).collect::<Vec<_>>(),
        "after": before.map(show_head),
        "floor": show_head(floor),
        "head": show_head(head),
    })))
}

fn page_item(record: &AuditRecord) -> Value {
    json!({
        "seq": record.seq, "time": moment(record.at), "hash": record.hash.base64url(), "record": record.body,
    })
}

fn show_head(head: AuditHead) -> Value {
    json!({ "seq": head.seq, "hash": head.hash.base64url() })
}

async fn record_head(app: &App, seq: u64) -> Result<Option<AuditHead>, StoreError> {
    let Some(before) = seq.checked_sub(1) else { return Ok(None) };
    let found = app.records.store.audit_after(before, 1).await?.pop();
    Ok(found.filter(|record| record.seq == seq).map(|record| AuditHead { seq, hash: record.hash }))
}

/// The number of the last record made before a moment: numbers and times rise together, as long as no clock goes back.
async fn last_before(app: &App, floor: u64, head: u64, moment: Timestamp) -> Result<u64, StoreError> {
    let (mut older, mut younger) = (floor, head + 1);
    while younger - older > 1 {
        let middle = older + (younger - older) / 2;
        let record = app.records.store.audit_after(middle - 1, 1).await?.pop();
        match record.filter(|record| record.at < moment) {
            Some(record) => older = record.seq,
            None => younger = middle,
        }
    }
    Ok(older)
}

pub(super) async fn head(call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    let signed: Option<SignedHead> = heads::sign(&call.app).await.map_err(|why| {
        tracing::error!(error = %why, "the head of the audit trail was not signed");
        match why {
            heads::Unsigned::Contradicted { .. } | heads::Unsigned::Unreadable(_) => Problem::refused(why.to_string()),
            heads::Unsigned::Ledger(why) => why.into(),
            heads::Unsigned::Signature(_) => Problem::unavailable(),
        }
    })?;
    let signed = signed.as_ref().map(HeadLine::of);
    Ok(ok(&json!({ "head": signed, "jwks": call.app.keys.ring().published.to_jwks() })))
}

/// What [`shown`] writes.
fn record() -> Shape {
    let record = object().with("seq", shape::number()).with("at", shape::moment());
    let record =
        record.with("action", one_of(&Action::ALL.map(Action::name))).with("outcome", text()).with("hash", text());
    let record = record.may("actor", maybe(entries::initiator())).may("what", maybe(text()));
    let record = record.may("target", maybe(target::shown())).may("reason", maybe(text()));
    let record = record.may("before", maybe(shape::moment()));
    let record = record.may("position", maybe(text())).may("note", maybe(text())).may("correlation_id", maybe(text()));
    record.may("client", maybe(text())).may("ip", maybe(text())).named("AuditRecord")
}

const SINCE: &str = "Not before this time (RFC 3339).";

pub(super) fn describe_list(it: Description) -> Description {
    let it = it.query("action", one_of(&Action::ALL.map(Action::name)), "Of this kind only.");
    let of = [("actor", "Of this one's doing."), ("outcome", "That came out so."), ("client", "From this client.")];
    let it = of.into_iter().fold(it, |it, (filter, about)| it.query(filter, name(), about));
    let it = it.query("correlation_id", name(), "Of this request.").query("since", text(), SINCE);
    it.pages().gives(200, page_of(record()))
}

pub(super) fn describe_records(it: Description) -> Description {
    let place = || object().with("seq", shape::number()).with("hash", text()).open();
    let line =
        object().with("seq", shape::number()).with("time", text()).with("hash", text()).with("record", text()).open();
    let stretch = object().with("items", list_of(line)).with("heads", list_of(signed_head()));
    let stretch = stretch.with("after", maybe(place())).with("floor", place()).with("head", place());
    it.query("after", shape::number(), "Begin behind this record.")
        .query("since", text(), SINCE)
        .limit()
        .gives(200, stretch.named("AuditStretch"))
}

pub(super) fn describe_head(it: Description) -> Description {
    let signed = object()
        .with("head", maybe(signed_head()))
        .with("jwks", object().with("keys", list_of(shape::free_object())).open());
    it.gives(200, signed.named("SignedAuditHead")).refuses(&[422])
}

/// What [`HeadLine`] writes.
fn signed_head() -> Shape {
    let head = object().with("seq", shape::number()).with("time", text()).with("hash", text());
    head.with("head", text()).named("AuditHead")
}
