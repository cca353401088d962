//! Pending revocations: orders that wait for another administrator, or for their time.
//!
//! [`PendingOrder::after`] says what may become of one; [`Door::place`] and [`Door::move_pending`] are the only ways in which
//! anything does, each in one transaction with its audit record and with the entry, if it comes to that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Action, AuditEvent, Door, Ended, Guard, Initiator, LedgerError, Need, Order, Position, Target, Timestamp,
    door::check_sizes,
};

/// An order that is not carried out yet, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingOrder {
    pub id: String,
    /// As it will be given to the door.
    pub order: Order,
    pub ordered_at: Timestamp,
    /// When it is to be carried out, if not as soon as it may be.
    pub at: Option<Timestamp>,
    /// Why nobody was asked to approve it.
    pub break_glass: Option<String>,
    pub approval: Option<Approval>,
    pub state: PendingState,
}

/// The word of another administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: Initiator,
    pub at: Timestamp,
}

/// Where a pending order stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PendingState {
    /// For another administrator, until a moment.
    Waiting {
        until: Timestamp,
    },
    /// For its time.
    Scheduled,
    CarriedOut {
        at: Timestamp,
        #[serde(with = "position")]
        position: Position,
        /// What was unusual about it.
        remark: Option<String>,
    },
    Withdrawn {
        at: Timestamp,
        by: Initiator,
    },
    /// Nobody approved it in time, or the ledger would not take it.
    Expired {
        at: Timestamp,
        remark: Option<String>,
    },
}

impl PendingState {
    /// Every word for a state.
    pub const WORDS: [&'static str; 5] = ["waiting", "scheduled", "carried_out", "withdrawn", "expired"];

    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Scheduled => "scheduled",
            Self::CarriedOut { .. } => "carried_out",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Expired { .. } => "expired",
        }
    }

    /// Since when nothing more can become of it.
    #[must_use]
    pub fn closed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Waiting { .. } | Self::Scheduled => None,
            Self::CarriedOut { at, .. } | Self::Withdrawn { at, .. } | Self::Expired { at, .. } => Some(*at),
        }
    }
}

/// Something that happens to a pending order or a bulk job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PendingStep {
    /// An administrator approves.
    Approve(Initiator),
    /// An administrator takes it back.
    Withdraw(Initiator),
    /// The clock is looked at.
    Clock,
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The order goes to the door now.
    CarryOut,
    /// It is in another state from here on.
    Become(PendingState),
    /// Nothing: it is not time yet, or it is over already.
    Stay,
}

impl PendingOrder {
    /// The longest time ahead for which an order may be scheduled.
    pub const FURTHEST: Duration = Duration::from_secs(366 * 86_400);
    /// The longest reason for breaking the glass, in bytes.
    pub const REASON_LIMIT: usize = 1000;
    /// Nobody's second word is their own.
    pub const OWN: &'static str = "it was ordered by you: another administrator has to approve it";
    /// Said of one that nothing more can become of.
    pub const OVER: &'static str = "it no longer waits for anything";
    /// Said of one that was approved, or never needed it.
    pub const APPROVED: &'static str = "it does not wait for an approval";

    /// When the clock has to be looked at next.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            PendingState::Waiting { until } => Some(until),
            PendingState::Scheduled => self.at,
            _ => None,
        }
    }

    /// What a step at this moment comes to.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] with [`PendingOrder::OWN`], [`PendingOrder::OVER`] or [`PendingOrder::APPROVED`].
    pub fn after(&self, step: &PendingStep, now: Timestamp) -> Result<Next, LedgerError> {
        let is_late = self.at.is_none_or(|at| at <= now);
        match (&self.state, step) {
            (PendingState::Waiting { until }, PendingStep::Approve(_)) if *until <= now => {
                Err(LedgerError::Refused(Self::OVER))
            }
            (PendingState::Waiting { .. }, PendingStep::Approve(by)) if *by == self.order.initiator => {
                Err(LedgerError::Refused(Self::OWN))
            }
            (PendingState::Waiting { .. }, PendingStep::Approve(_)) if is_late => Ok(Next::CarryOut),
            (PendingState::Waiting { .. }, PendingStep::Approve(_)) => Ok(Next::Become(PendingState::Scheduled)),
            (PendingState::Scheduled, PendingStep::Approve(_)) => Err(LedgerError::Refused(Self::APPROVED)),
            (PendingState::Waiting { .. } | PendingState::Scheduled, PendingStep::Withdraw(by)) => {
                Ok(Next::Become(PendingState::Withdrawn { at: now, by: by.clone() }))
            }
            (PendingState::Waiting { until }, PendingStep::Clock) if *until <= now => {
                Ok(Next::Become(PendingState::Expired { at: now, remark: None }))
            }
            (PendingState::Scheduled, PendingStep::Clock) if is_late => Ok(Next::CarryOut),
            (_, PendingStep::Clock) => Ok(Next::Stay),
            (_, PendingStep::Approve(_) | PendingStep::Withdraw(_)) => Err(LedgerError::Refused(Self::OVER)),
        }
    }
}

/// An order with what was found about it before.
#[derive(Clone, Debug)]
pub struct Placement {
    pub order: Order,
    /// When it is to be carried out, if not now.
    pub at: Option<Timestamp>,
    /// What the guard asks for, and the guard that asked: if it was changed meanwhile, it has to be asked again.
    pub need: Need,
    pub guard: Guard,
    /// Why nobody else is to be asked.
    pub break_glass: Option<String>,
    /// The id of the pending order, if it becomes one.
    pub id: String,
}

impl Placement {
    /// Whether it is kept rather than carried out.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.at.is_some() || self.needs_approval()
    }

    fn needs_approval(&self) -> bool {
        self.need == Need::Approval && self.break_glass.is_none()
    }
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    Ended(Ended),
    Pending(Box<PendingOrder>),
}

impl Door<'_> {
    /// Takes an order: carries it out, or keeps it until it may be. Whoever was to type a phrase has done so.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for an order that cannot be right, or if the guard was changed since it was asked.
    pub fn place(&mut self, placement: &Placement) -> Result<Placed, LedgerError> {
        let mut order = placement.order.clone();
        check_sizes(&order)?;
        if let Some(known) = self.find_placed(&order, placement.at)? {
            return Ok(known);
        }
        if Guard::of(&self.settings()) != placement.guard {
            return Err(LedgerError::Refused("it was changed meanwhile; read it again"));
        }
        if placement.at.is_some_and(|at| at <= self.now || at > self.now.plus(PendingOrder::FURTHEST)) {
            return Err(LedgerError::Refused("`at` is a moment in the future, at most a year ahead"));
        }
        if let Some(why) = &placement.break_glass {
            self.break_glass(why, &order.initiator, &order.target.to_string())?;
            order.note = Some(with_break_glass(why, order.note.as_deref()));
            check_sizes(&order)?;
        }
        let state = match placement.at {
            _ if placement.needs_approval() => {
                PendingState::Waiting { until: self.now.plus(placement.guard.approval_lifetime) }
            }
            Some(_) => PendingState::Scheduled,
            None => return self.end(&order).map(Placed::Ended),
        };
        let pending = PendingOrder {
            id: placement.id.clone(),
            order,
            ordered_at: self.now,
            at: placement.at,
            break_glass: placement.break_glass.clone(),
            approval: None,
            state,
        };
        self.keep_pending(&pending, &pending.order.initiator)?;
        Ok(Placed::Pending(Box::new(pending)))
    }

    /// What a repeated order came to the first time: two orders of one initiator with one key are one order.
    fn find_placed(&mut self, order: &Order, at: Option<Timestamp>) -> Result<Option<Placed>, LedgerError> {
        let Some(key) = &order.idempotency_key else { return Ok(None) };
        if self.tx.find_idempotent(&order.initiator, key)?.is_some() {
            return self.end(order).map(Placed::Ended).map(Some);
        }
        match self.tx.find_pending_by_key(&order.initiator, key)? {
            Some(pending)
                if (&pending.order.target, pending.order.before, pending.at) == (&order.target, order.before, at) =>
            {
                Ok(Some(Placed::Pending(Box::new(pending))))
            }
            Some(_) => Err(LedgerError::Refused("the idempotency key was used for another order")),
            None => Ok(None),
        }
    }

    /// Says loudly that somebody did not wait for another administrator.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] without a reason.
    pub fn break_glass(&mut self, why: &str, by: &Initiator, what: &str) -> Result<(), LedgerError> {
        if why.trim().is_empty() || why.len() > PendingOrder::REASON_LIMIT {
            return Err(LedgerError::Refused("breaking the glass needs a reason of at most 1000 bytes"));
        }
        let event = AuditEvent::new(Action::BreakGlass, Some(by.clone()), "broken").about(what);
        self.record(&event.with_note(why))
    }

    /// A pending order as it stands at this very point of the transaction.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] if there is none of that id.
    pub fn load_pending(&mut self, id: &str) -> Result<PendingOrder, LedgerError> {
        self.tx.find_pending(id)?.ok_or(LedgerError::Refused("there is no such pending revocation"))
    }

    /// Takes a step with a pending order, and carries the order out if it comes to that.
    ///
    /// # Errors
    /// As [`PendingOrder::after`], and if it cannot be written; then nothing has changed.
    pub fn move_pending(&mut self, id: &str, step: &PendingStep) -> Result<PendingOrder, LedgerError> {
        let mut pending = self.load_pending(id)?;
        let next = pending.after(step, self.now)?;
        let actor = match step {
            PendingStep::Approve(by) => {
                pending.approval = Some(Approval { by: by.clone(), at: self.now });
                by.clone()
            }
            PendingStep::Withdraw(by) => by.clone(),
            PendingStep::Clock => Initiator::System("schedule".to_owned()),
        };
        pending.state = match next {
            Next::Stay => return Ok(pending),
            Next::Become(state) => state,
            Next::CarryOut => self.carry_out(&pending.order)?,
        };
        self.keep_pending(&pending, &actor)?;
        Ok(pending)
    }

    fn carry_out(&mut self, order: &Order) -> Result<PendingState, LedgerError> {
        let gone = self.is_gone(&order.target)?;
        let at = self.now;
        match self.end(order) {
            Ok(Ended { position, fresh }) => {
                let remark = match (fresh, gone) {
                    (false, _) => Some("it had been ended already".to_owned()),
                    (true, true) => Some("what it names had been removed: whatever it held ended then".to_owned()),
                    (true, false) => None,
                };
                Ok(PendingState::CarriedOut { at, position, remark })
            }
            // It would be refused each time: whoever ordered it must see that, and the clock must not try for ever.
            Err(LedgerError::Refused(why)) => Ok(PendingState::Expired { at, remark: Some(why.to_owned()) }),
            Err(why) => Err(why),
        }
    }

    /// Whether something that a target names was removed since. What was issued is not asked for: it ends by itself.
    fn is_gone(&mut self, target: &Target) -> Result<bool, LedgerError> {
        let (mut user, mut client, mut audience, mut device) = (None, None, None, None);
        match target {
            Target::Subject { subject, .. } => user = Some(subject),
            Target::SubjectClient { subject, client: of, .. } => (user, client) = (Some(subject), Some(of)),
            Target::SubjectAudience { subject, audience: of, .. } => (user, audience) = (Some(subject), Some(of)),
            Target::Client { client: of } => client = Some(of),
            Target::ClientAudience { client: of, audience: with } => (client, audience) = (Some(of), Some(with)),
            Target::Audience { audience: of } => audience = Some(of),
            Target::Device { device: of } => device = Some(of),
            Target::DeviceClient { device: on, client: of } => (device, client) = (Some(on), Some(of)),
            Target::Token { .. }
            | Target::Grant { .. }
            | Target::Session { .. }
            | Target::Key { .. }
            | Target::Everything => {}
        }
        let mut gone = false;
        if let Some(id) = user {
            gone |= self.tx.find_user(id)?.is_none();
        }
        if let Some(id) = client {
            gone |= self.tx.find_client(id)?.is_none();
        }
        if let Some(id) = audience {
            gone |= self.tx.find_api(id)?.is_none();
        }
        if let Some(id) = device {
            gone |= self.tx.find_device(id)?.is_none();
        }
        Ok(gone)
    }

    /// Writes down where it stands, with the record of who brought it there.
    fn keep_pending(&mut self, pending: &PendingOrder, by: &Initiator) -> Result<(), LedgerError> {
        self.tx.put_pending(pending)?;
        let event = AuditEvent::new(Action::Pending, Some(by.clone()), pending.state.word());
        let event = event.about(format!("pending revocation {}", pending.id)).on(pending.order.target.clone());
        let (position, remark) = match &pending.state {
            PendingState::CarriedOut { position, remark, .. } => (Some(*position), remark.clone()),
            PendingState::Expired { remark, .. } => (None, remark.clone()),
            _ => (None, None),
        };
        let note = remark.or_else(|| pending.at.map(|at| format!("to be carried out at {} (milliseconds)", at.0)));
        self.record(&AuditEvent { reason: Some(pending.order.reason), position, note, ..event })
    }

    /// Forgets pending orders and bulk jobs that were over before a moment, at most `limit` of each. Returns how many went.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn forget_closed(&mut self, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
        Ok(self.tx.forget_closed(before, limit)?)
    }
}

/// The note of an entry for which nobody was asked.
pub(crate) fn with_break_glass(why: &str, note: Option<&str>) -> String {
    match note {
        Some(note) => format!("break-glass: {why}; {note}"),
        None => format!("break-glass: {why}"),
    }
}

/// A position as text.
mod position {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::Position;

    pub(super) fn serialize<S: Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(position)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
