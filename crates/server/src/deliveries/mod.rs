//! OUT: who must hear of an ending. Dispatching expands an outbox row into deliveries to the receivers there are.

use rescind_ledger::{Lane, LedgerError, Reads};

use crate::app::App;

/// The most outbox rows one round takes.
const ROUND: u32 = 1000;

/// Takes the waiting outbox rows, oldest first. No kind of receiver is registered with this server yet, so each expands into
/// no delivery and is complete.
pub async fn dispatch(app: &App) -> Result<(), LedgerError> {
    let waiting = app.records.store.outbox(ROUND).await?;
    let Some(through) = waiting.last().copied() else { return Ok(()) };
    app.submit(Lane::Issuing, move |door| door.complete_outbox(through)).await
}
