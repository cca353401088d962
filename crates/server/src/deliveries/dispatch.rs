//! Dispatching: outbox rows, in order, become deliveries. No network.

use rescind_ledger::{Delivery, Done, Expanded, Lane, LedgerError, Position, Reads, StoreError, effects_of};

use super::Notice;
use crate::app::App;

/// The most outbox rows that one transaction expands.
const ROUND: u32 = 512;

/// Expands whatever waits.
pub(super) async fn expand_all(app: &App) -> Result<(), LedgerError> {
    while expand_some(app).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Expands a stretch of the outbox: one transaction, so that a crash leaves it whole or undone. Says whether there was one.
async fn expand_some(app: &App) -> Result<bool, LedgerError> {
    // What is not in force yet has no moment yet at which it was.
    let head = app.live.head();
    let mut stretch = app.records.store.unexpanded(ROUND).await?;
    stretch.retain(|position| *position <= head);
    let (Some(first), Some(last)) = (stretch.first().copied(), stretch.last().copied()) else { return Ok(false) };
    let noted = app.live.effects_between(first, last);
    let now = app.now();
    let effects = effects_of(&stretch, &noted, |position| app.deliveries.known_by(position, now));
    let deliveries = wanted(app, &stretch).await?;
    let told = !deliveries.is_empty();
    let expanded = Expanded { effects, deliveries };
    app.submit(Lane::Issuing, move |door| door.expand(&expanded, last)).await?;
    observe(app, &stretch, &noted);
    app.live.forget_effects(last);
    if told {
        app.deliveries.receivers().iter().for_each(|receiver| receiver.wake.notify_one());
    }
    Ok(true)
}

/// A delivery for each receiver that must hear of an entry.
async fn wanted(app: &App, stretch: &[Position]) -> Result<Vec<Delivery>, StoreError> {
    let receivers = app.deliveries.receivers();
    let mut deliveries = Vec::new();
    if receivers.is_empty() {
        return Ok(deliveries);
    }
    let now = app.now();
    for position in stretch {
        let Some(notice) = find_notice(app, *position).await? else { continue };
        for receiver in receivers.iter().filter(|receiver| receiver.connector.wants(&notice)) {
            deliveries.push(Delivery::new(*position, receiver.name(), receiver.connector.kind(), now));
        }
    }
    Ok(deliveries)
}

/// What receivers are told of an entry.
pub(super) async fn find_notice(app: &App, position: Position) -> Result<Option<Notice>, StoreError> {
    let store = &app.records.store;
    let Some(entry) = store.find_entry(position).await? else { return Ok(None) };
    let user = match entry.target.user(app.live.issuer()) {
        Some(id) => store.find_identity(id, position).await?,
        None => None,
    };
    Ok(Some(Notice { entry, user }))
}

/// How long the entries took from the writer's hand until they were in force.
fn observe(app: &App, stretch: &[Position], noted: &[Done]) {
    for done in noted {
        let entries = stretch.iter().filter(|at| done.effect.first <= **at && **at <= done.effect.last).count();
        app.telemetry.time_to_effect.observe(done.effect.applied_at.since(done.begun_at), entries);
    }
}
