//! Delivering: attempts at what is due for one receiver. No fan-out, and nothing here knows of other receivers.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use rescind_ledger::{Delivery, Lane, LedgerError, Outcome, Reads};

use super::{Connector, Notice, Receiver, dispatch::find_notice};
use crate::{app::App, clock::random};

/// How many deliveries to one receiver are under way at once.
const AT_ONCE: usize = 8;
/// How many are taken from the store at a time.
const ROUND: u32 = 64;
/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long nothing is looked for, unless the dispatcher says that there is something.
const REST: Duration = Duration::from_secs(1);

pub(super) async fn deliver_for_ever(app: Arc<App>, receiver: Arc<Receiver>) {
    loop {
        match deliver_due(&app, &receiver).await {
            Ok(0) => {
                let _ = tokio::time::timeout(REST, receiver.wake.notified()).await;
            }
            Ok(_) => {}
            Err(why) => {
                tracing::error!(error = %why, receiver = receiver.name(), "delivering failed; it is tried again");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Makes an attempt at each delivery to a receiver that is due. Returns how many there were.
///
/// # Errors
/// If the store cannot be read, or an attempt cannot be written down: it is then made again.
pub async fn deliver_due(app: &App, receiver: &Receiver) -> Result<usize, LedgerError> {
    let due = app.records.store.due_deliveries(receiver.name(), app.now(), ROUND).await?;
    let count = due.len();
    let mut attempts = stream::iter(due).map(|delivery| attempt(app, receiver, delivery)).buffer_unordered(AT_ONCE);
    let mut outcome = Ok(count);
    while let Some(attempt) = attempts.next().await {
        if let Err(why) = attempt {
            outcome = Err(why);
        }
    }
    outcome
}

async fn attempt(app: &App, receiver: &Receiver, delivery: Delivery) -> Result<(), LedgerError> {
    let outcome = match find_notice(app, delivery.position).await? {
        Some(notice) => try_once(receiver.connector.clone(), notice).await,
        None => Outcome::GiveUp { why: "the entry is no longer kept".to_owned() },
    };
    note(app, delivery, outcome).await
}

async fn note(app: &App, delivery: Delivery, outcome: Outcome) -> Result<(), LedgerError> {
    let random = u64::from_le_bytes(random());
    let Delivery { position, receiver, .. } = delivery;
    app.submit(Lane::Issuing, move |door| door.note_attempt(position, &receiver, &outcome, random)).await
}

/// On a task of its own: a connector that breaks or hangs is a failed attempt, and no more.
async fn try_once(connector: Arc<dyn Connector>, notice: Notice) -> Outcome {
    let mut running = tokio::spawn(async move { connector.deliver(&notice).await });
    let retry = |why: &str| Outcome::Retry { after: None, why: why.to_owned() };
    match tokio::time::timeout(PATIENCE, &mut running).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => retry("the connector broke"),
        Err(_) => {
            running.abort();
            retry("no answer within 30 seconds")
        }
    }
}

/// Gives up the old deliveries to a receiver that nobody delivers to.
pub(super) async fn give_up_old(app: &App, receiver: &str) -> Result<(), LedgerError> {
    let now = app.now();
    for delivery in app.records.store.due_deliveries(receiver, now, ROUND).await? {
        if delivery.is_too_old(now) {
            let why = "no such receiver is configured any more".to_owned();
            note(app, delivery, Outcome::GiveUp { why }).await?;
        }
    }
    Ok(())
}
