//! What the endpoints ask before they write a revocation.

use std::{sync::Arc, time::Duration};

use rescind_ledger::{Action, AuditEvent, Door, Initiator, Lane, LedgerError, Order, Script, Target};

use super::{Breadth, Event, Fate, Run, Terms};
use crate::app::App;

/// A revocation may be written, perhaps wider than it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Permission {
    target: Option<Target>,
    note: Option<String>,
    breadth: Option<Breadth>,
    /// What the scripts said.
    records: Vec<AuditEvent>,
}

/// A revocation is not to be written. That is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The client is to hear that it succeeded.
    Silent,
    /// The client is to hear of this error.
    Told { code: String, description: String },
    /// A script failed, or what they said could not be recorded: the client is to send the same request again.
    Unavailable,
}

impl Permission {
    /// What is to end: the target of the event, or a wider one. Nothing if the event had none.
    #[must_use]
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// How wide the scripts want it at least; the target says so already, unless only the sessions of a user were to end.
    #[must_use]
    pub fn breadth(&self) -> Option<Breadth> {
        self.breadth
    }

    /// What the scripts noted, for whatever is written that is no [`Order`].
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The order with the target as wide as it is to be, and with what the scripts noted.
    #[must_use]
    pub fn order(&self, order: Order) -> Order {
        let order = match &self.target {
            Some(target) => Order { target: target.clone(), ..order },
            None => order,
        };
        match (&self.note, &order.note) {
            (Some(noted), None) => order.with_note(noted.clone()),
            (Some(noted), Some(own)) if own.len() + noted.len() + 2 <= Order::NOTE_LIMIT => {
                let both = format!("{own}; {noted}");
                order.with_note(both)
            }
            _ => order,
        }
    }

    /// Writes down what the scripts said, in the transaction of the order, or of whatever is recorded in its place.
    pub fn record(&self, door: &mut Door<'_>) -> Result<(), LedgerError> {
        self.records.iter().try_for_each(|record| door.record(record))
    }
}

/// Asks the scripts in force about one revocation.
///
/// A denial is recorded here. Whoever gets a permission has to [`Permission::record`] it, in the transaction of the order; for an
/// event without a target as well, with what is recorded in place of an order, or one could tell by the work that there was none.
///
/// # Errors
/// [`Refusal`] says what the client is to hear.
pub async fn decide(app: &App, event: Event) -> Result<Permission, Refusal> {
    Ok(decide_all(app, vec![event]).await?.pop().unwrap_or_default())
}

/// Asks about several revocations of one request, of which either all are written or none.
///
/// # Errors
/// The first [`Refusal`].
pub async fn decide_all(app: &App, events: Vec<Event>) -> Result<Vec<Permission>, Refusal> {
    let (scripts, terms) = in_force(app);
    if scripts.is_empty() {
        let asked_for = |event: Event| Permission { target: event.target, ..Permission::default() };
        return Ok(events.into_iter().map(asked_for).collect());
    }
    let told: Vec<_> = events.iter().map(Told::of).collect();
    let rulings = app.scripts.ask(&scripts, events, app.live.issuer(), terms).await;
    let mut permissions = Vec::with_capacity(told.len());
    for (told, ruling) in told.iter().zip(rulings) {
        let (note, breadth) = (ruling.note(), ruling.breadth);
        let records = ruling.runs.iter().map(|run| told.record(app, run)).collect();
        let refusal = match ruling.fate {
            Fate::Allowed(target) => {
                permissions.push(Permission { target, note, breadth, records });
                continue;
            }
            Fate::DeniedSilently => Refusal::Silent,
            Fate::DeniedWith { code, description } => Refusal::Told { code, description },
            Fate::Failed => Refusal::Unavailable,
        };
        let before = permissions.into_iter().flat_map(|permission: Permission| permission.records);
        keep(app, before.chain(records).collect()).await?;
        return Err(refusal);
    }
    Ok(permissions)
}

fn in_force(app: &App) -> (Arc<[Arc<Script>]>, Terms) {
    app.live.look(|_, configuration| {
        let settings = &configuration.settings;
        let time = Duration::from_millis(settings.script_time_limit_ms.into());
        (configuration.scripts.enabled().clone(), Terms { time, on_failure: settings.script_failure })
    })
}

/// Durably, before the client hears anything.
async fn keep(app: &App, records: Vec<AuditEvent>) -> Result<(), Refusal> {
    let kept = app.submit(Lane::Ending, move |door| records.iter().try_for_each(|record| door.record(record))).await;
    kept.map_err(|why| {
        tracing::error!(error = %why, "what scripts said was not recorded");
        Refusal::Unavailable
    })
}

/// What a record says of the event.
struct Told {
    endpoint: &'static str,
    client: Initiator,
    target: Option<Target>,
}

impl Told {
    fn of(event: &Event) -> Self {
        let client = Initiator::Client(event.client.clone());
        Self { endpoint: event.endpoint.name(), client, target: event.target.clone() }
    }

    fn record(&self, app: &App, run: &Run) -> AuditEvent {
        let word = run.word();
        app.telemetry.count("rescind_script_runs_total", &[("outcome", word)]);
        if let Err(why) = &run.outcome {
            tracing::warn!(script = run.name, version = run.version, error = %why, "a script has no answer");
        }
        let what = format!("{}: script {} version {}", self.endpoint, run.name, run.version);
        let record = AuditEvent::new(Action::Script, Some(self.client.clone()), word).about(what);
        AuditEvent { target: self.target.clone(), note: run.detail(), ..record }
    }
}
