//! What a revocation would end, counted as of one position. Nothing is written.

use std::collections::BTreeMap;

use axum::response::Response;
use rescind_ledger::{Entry, Filter, Reason, Target, Timestamp, check_condition};
use serde_json::{Value, json};

use super::{
    call::{Call, ok},
    guard, moment,
    problem::Problem,
    target::{self, KINDS, Named, PARAMETERS},
};
use crate::{
    app::App,
    census::{NotCounted, Outcome, Wanted},
    openapi::{
        Description,
        shape::{self, Members, flag, list_of, maybe, name, number, object, one_of, position, text},
    },
    protocol::mint::insert,
};

pub(super) async fn show(call: Call) -> Result<Response, Problem> {
    let query = call.query(&[PARAMETERS.as_slice(), &["before"]].concat())?;
    let before = query.find("before").map(|text| moment::read("before", text)).transpose()?;
    let target = Named::of(query)?.resolve(&call.app).await?;
    check_condition(&target, before, call.app.now())?;
    let mut shown = show_outcome(&count(&call.app, std::slice::from_ref(&target), before).await?);
    insert(&mut shown, "receivers", Some(receivers(&call, &target, before)));
    insert(&mut shown, "target", Some(json!(target)));
    insert(&mut shown, "before", Some(json!(before)));
    insert(&mut shown, "guard", Some(guard::shown_for(&call.app, &target, before).await?));
    Ok(ok(&shown))
}

/// Counts what orders for these targets would end. No two of them may reach the same record.
/// Who would be told of the order's entry.
fn receivers(call: &Call, target: &Target, before: Option<Timestamp>) -> Value {
    let entry = Entry {
        position: call.app.live.head().next(),
        time: call.app.now(),
        target: target.clone(),
        reason: Reason::Other,
        initiator: call.initiator.clone(),
        note: None,
        before,
    };
    let told = call.app.deliveries.would_tell(entry);
    told.into_iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect()
}

pub(super) async fn count(app: &App, targets: &[Target], before: Option<Timestamp>) -> Result<Outcome, Problem> {
    let now = app.now();
    let wanted = targets.iter().map(|target| {
        let reach = Filter { live_at: Some(now), ..Filter::reached_by(target) };
        Wanted { target: target.clone(), before, reach }
    });
    let counting = app.censuses.count(&app.records, wanted.collect(), now);
    counting.await.map_err(not_counted)
}

pub(super) fn not_counted(why: NotCounted) -> Problem {
    match why {
        NotCounted::Busy => Problem::unavailable(),
        NotCounted::Store(why) => why.into(),
    }
}

/// What [`show_outcome`] writes.
pub(super) fn counted() -> Members {
    let by = |name: &str| list_of(object().with(name, text()).with("access_tokens", number()).open());
    let held = object().with("api", text()).with("access_tokens", number()).with("until", shape::moment()).open();
    let receiver = object().with("name", text()).with("kind", text()).open();
    let counted =
        object().with("position", position()).with("exact", flag()).with("users", number()).with("sessions", number());
    let counted = counted.with("grants", number()).with("access_tokens", number());
    let counted = counted.with("by_client", by("client")).with("by_api", by("api"));
    counted.with("self_contained", list_of(held)).with("receivers", list_of(receiver))
}

pub(super) fn describe(it: Description) -> Description {
    let it = it
        .needs_query("kind", one_of(&KINDS.map(|(kind, _)| kind)), "What kind of target is meant.")
        .such_as("everything");
    let about = "Which one, where the kind takes it.";
    let it = PARAMETERS.into_iter().skip(1).fold(it, |it, member| it.query(member, name(), about));
    let it = it.query("before", moment::written(), "Only what was issued before this time.");
    let counted = counted().with("target", target::shown()).with("before", maybe(shape::moment()));
    it.gives(200, counted.with("guard", guard::shown()).named("Preview")).refuses(&[404, 422])
}

/// What [`counted`] describes.
pub(super) fn show_outcome(Outcome { position, exact, counted }: &Outcome) -> Value {
    let list = |counts: &BTreeMap<String, u64>, name: &str| {
        counts.iter().map(|(one, count)| json!({ name: one, "access_tokens": count })).collect::<Vec<_>>()
    };
    let self_contained = counted.self_contained.iter();
    let self_contained =
        self_contained.map(|(api, (count, until))| json!({ "api": api, "access_tokens": count, "until": until }));
    json!({
        "position": position.to_string(),
        "exact": exact,
        "users": counted.users.len(),
        "sessions": counted.sessions,
        "grants": counted.grants,
        "access_tokens": counted.access_tokens,
        "by_client": list(&counted.by_client, "client"),
        "by_api": list(&counted.by_api, "api"),
        "self_contained": self_contained.collect::<Vec<_>>(),
        "receivers": [],
    })
}
