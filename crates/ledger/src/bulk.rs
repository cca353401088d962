//! Bulk jobs: one decision about many users, worked off piece by piece. Each piece is one transaction that also moves the job
//! on, so that whatever stops the server in between, no user is left out and none is met twice.

use serde::{Deserialize, Serialize};

use crate::{
    Action, Approval, AuditEvent, Door, Guard, Initiator, LedgerError, Need, Order, PendingOrder, PendingStep, Reason,
    Target, Timestamp, UserChange, door::check_sizes, pending::with_break_glass,
};

/// What is done to each user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    Disable,
    Enable,
    Revoke,
}

impl BulkAction {
    pub const ALL: [Self; 3] = [Self::Disable, Self::Enable, Self::Revoke];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Revoke => "revoke",
        }
    }
}

/// Where a bulk job stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BulkState {
    /// For another administrator, until a moment.
    Waiting {
        until: Timestamp,
    },
    Running,
    Done {
        at: Timestamp,
    },
    Stopped {
        at: Timestamp,
        by: Initiator,
    },
    /// Nobody approved it in time.
    Expired {
        at: Timestamp,
    },
}

impl BulkState {
    /// Every word for a state.
    pub const WORDS: [&'static str; 5] = ["waiting", "running", "done", "stopped", "expired"];

    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Running => "running",
            Self::Done { .. } => "done",
            Self::Stopped { .. } => "stopped",
            Self::Expired { .. } => "expired",
        }
    }

    /// Since when nothing more can become of it.
    #[must_use]
    pub fn closed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Waiting { .. } | Self::Running => None,
            Self::Done { at } | Self::Stopped { at, .. } | Self::Expired { at } => Some(*at),
        }
    }
}

/// A job and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkJob {
    pub id: String,
    pub action: BulkAction,
    pub reason: Reason,
    pub note: Option<String>,
    pub initiator: Initiator,
    pub ordered_at: Timestamp,
    pub break_glass: Option<String>,
    pub approval: Option<Approval>,
    pub state: BulkState,
    pub total: u32,
    /// How many pieces the list has, and which comes next.
    pub pieces: u32,
    pub next: u32,
    pub done: u32,
    pub failed: u32,
}

/// A user for whom nothing was done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkFailure {
    pub user: String,
    pub why: String,
}

impl BulkJob {
    /// The most users of a job.
    pub const LIMIT: usize = 100_000;
    /// How many users one transaction takes, so that requests need not wait for it.
    pub const PIECE: usize = 200;

    /// What a step at this moment comes to; nothing if it is not time yet.
    ///
    /// # Errors
    /// As [`PendingOrder::after`].
    pub fn after(&self, step: &PendingStep, now: Timestamp) -> Result<Option<BulkState>, LedgerError> {
        match (&self.state, step) {
            (BulkState::Waiting { until }, PendingStep::Approve(_)) if *until <= now => {
                Err(LedgerError::Refused(PendingOrder::OVER))
            }
            (BulkState::Waiting { .. }, PendingStep::Approve(by)) if *by == self.initiator => {
                Err(LedgerError::Refused(PendingOrder::OWN))
            }
            (BulkState::Waiting { .. }, PendingStep::Approve(_)) => Ok(Some(BulkState::Running)),
            (BulkState::Running, PendingStep::Approve(_)) => Err(LedgerError::Refused(PendingOrder::APPROVED)),
            (BulkState::Waiting { .. } | BulkState::Running, PendingStep::Withdraw(by)) => {
                Ok(Some(BulkState::Stopped { at: now, by: by.clone() }))
            }
            (BulkState::Waiting { until }, PendingStep::Clock) if *until <= now => {
                Ok(Some(BulkState::Expired { at: now }))
            }
            (_, PendingStep::Clock) => Ok(None),
            (_, PendingStep::Approve(_) | PendingStep::Withdraw(_)) => Err(LedgerError::Refused(PendingOrder::OVER)),
        }
    }
}

/// A job that is asked for, with what the guard found.
#[derive(Clone, Debug)]
pub struct NewBulkJob {
    pub id: String,
    pub action: BulkAction,
    pub reason: Reason,
    pub note: Option<String>,
    pub initiator: Initiator,
    /// Each at most once.
    pub users: Vec<String>,
    pub need: Need,
    pub guard: Guard,
    pub break_glass: Option<String>,
}

impl Door<'_> {
    /// Keeps a job with its list. It is worked off by [`Door::work_off`], one piece at a time.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for one that cannot be right, or if the guard was changed since it was asked.
    pub fn place_bulk(&mut self, new: &NewBulkJob) -> Result<BulkJob, LedgerError> {
        if new.users.is_empty() || new.users.len() > BulkJob::LIMIT {
            return Err(LedgerError::Refused("a bulk job has 1 to 100000 users"));
        }
        if Guard::of(&self.settings()) != new.guard {
            return Err(LedgerError::Refused("it was changed meanwhile; read it again"));
        }
        let mut note = new.note.clone();
        if let Some(why) = &new.break_glass {
            let what = format!("bulk job {}: {} {} users", new.id, new.action.word(), new.users.len());
            self.break_glass(why, &new.initiator, &what)?;
            note = Some(with_break_glass(why, note.as_deref()));
        }
        let waits = new.need == Need::Approval && new.break_glass.is_none();
        let until = self.now.plus(new.guard.approval_lifetime);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let job = BulkJob {
            id: new.id.clone(),
            action: new.action,
            reason: new.reason,
            note,
            initiator: new.initiator.clone(),
            ordered_at: self.now,
            break_glass: new.break_glass.clone(),
            approval: None,
            state: if waits { BulkState::Waiting { until } } else { BulkState::Running },
            total: count(new.users.len()),
            pieces: count(new.users.len().div_ceil(BulkJob::PIECE)),
            next: 0,
            done: 0,
            failed: 0,
        };
        check_sizes(&job.order("u", self.live.issuer()))?;
        for (place, piece) in new.users.chunks(BulkJob::PIECE).enumerate() {
            self.tx.put_bulk_piece(&job.id, count(place), piece)?;
        }
        self.keep_bulk(&job, &job.initiator)?;
        Ok(job)
    }

    /// Takes a step with a job: approves, stops or lets it expire.
    ///
    /// # Errors
    /// As [`BulkJob::after`], and if there is no such job.
    pub fn move_bulk(&mut self, id: &str, step: &PendingStep) -> Result<BulkJob, LedgerError> {
        let mut job = self.load_bulk(id)?;
        let Some(state) = job.after(step, self.now)? else { return Ok(job) };
        let actor = match step {
            PendingStep::Approve(by) => {
                job.approval = Some(Approval { by: by.clone(), at: self.now });
                by.clone()
            }
            PendingStep::Withdraw(by) => by.clone(),
            PendingStep::Clock => Initiator::System("schedule".to_owned()),
        };
        job.state = state;
        self.keep_bulk(&job, &actor)?;
        Ok(job)
    }

    fn load_bulk(&mut self, id: &str) -> Result<BulkJob, LedgerError> {
        self.tx.find_bulk(id)?.ok_or(LedgerError::Refused("there is no such bulk job"))
    }

    /// Works off one piece of a job, if it is the one that comes next and the job still runs.
    ///
    /// # Errors
    /// If it cannot be written; then nothing has changed.
    pub fn work_off(&mut self, id: &str, place: u32, users: &[String]) -> Result<BulkJob, LedgerError> {
        let mut job = self.load_bulk(id)?;
        if job.state != BulkState::Running || job.next != place {
            return Ok(job);
        }
        for (within, user) in users.iter().enumerate() {
            let origin = self.origin.clone();
            // By itself: one that is refused must not take its neighbours with it.
            match self.attempt(origin, |door| door.work_on(&job, user)) {
                Ok(()) => job.done += 1,
                Err(LedgerError::Refused(why)) => {
                    job.failed += 1;
                    let within = u32::try_from(within).unwrap_or(u32::MAX);
                    let number = place.saturating_mul(u32::try_from(BulkJob::PIECE).unwrap_or(u32::MAX)) + within;
                    let failure = BulkFailure { user: user.clone(), why: why.to_owned() };
                    self.tx.put_bulk_failure(&job.id, number, &failure)?;
                }
                Err(why) => return Err(why),
            }
        }
        job.next += 1;
        if job.next >= job.pieces {
            job.state = BulkState::Done { at: self.now };
            self.keep_bulk(&job, &Initiator::System("bulk".to_owned()))?;
        } else {
            self.tx.put_bulk(&job)?;
        }
        Ok(job)
    }

    fn work_on(&mut self, job: &BulkJob, user: &str) -> Result<(), LedgerError> {
        self.tx.find_user(user)?.ok_or(LedgerError::Refused("there is no such user"))?;
        let order = job.order(user, self.live.issuer());
        let enabled = match job.action {
            BulkAction::Revoke => return self.end(&order).map(drop),
            BulkAction::Disable => false,
            BulkAction::Enable => true,
        };
        let change = UserChange { enabled: Some(enabled), ..UserChange::default() };
        self.change_user(user, &change, &job.initiator)?;
        let outcome = if enabled { "enabled" } else { "disabled" };
        let event = AuditEvent::new(Action::Change, Some(job.initiator.clone()), outcome).on(order.target);
        self.record(&event.about(format!("bulk job {}", job.id)))
    }

    fn keep_bulk(&mut self, job: &BulkJob, by: &Initiator) -> Result<(), LedgerError> {
        self.tx.put_bulk(job)?;
        let event = AuditEvent::new(Action::Pending, Some(by.clone()), job.state.word());
        let event = event.about(format!("bulk job {}: {} {} users", job.id, job.action.word(), job.total));
        self.record(&event.with_note(format!("{} done, {} failed", job.done, job.failed)))
    }
}

impl BulkJob {
    fn order(&self, user: &str, issuer: &str) -> Order {
        let target = Target::Subject { issuer: issuer.to_owned(), subject: user.to_owned() };
        let note = self.note.clone();
        Order { note, ..Order::new(target, self.reason, self.initiator.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: BulkState) -> BulkJob {
        BulkJob {
            id: "b".to_owned(),
            action: BulkAction::Revoke,
            reason: Reason::Other,
            note: None,
            initiator: Initiator::Administrator("one".to_owned()),
            ordered_at: Timestamp(0),
            break_glass: None,
            approval: None,
            state,
            total: 1,
            pieces: 1,
            next: 0,
            done: 0,
            failed: 0,
        }
    }

    #[test]
    fn a_job_is_approved_by_another_in_time_and_stopped_by_anybody_until_it_is_over() {
        let by = |name: &str| Initiator::Administrator(name.to_owned());
        let (approve, other) = (PendingStep::Approve(by("one")), PendingStep::Approve(by("other")));
        let stop = PendingStep::Withdraw(by("one"));
        let (early, late) = (Timestamp(9), Timestamp(10));
        let waiting = job(BulkState::Waiting { until: late });
        assert!(waiting.after(&approve, early).unwrap_err().to_string().contains("another administrator"));
        assert_eq!(waiting.after(&other, early).unwrap(), Some(BulkState::Running));
        assert!(waiting.after(&other, late).is_err());
        assert_eq!(waiting.after(&PendingStep::Clock, early).unwrap(), None);
        assert_eq!(waiting.after(&PendingStep::Clock, late).unwrap(), Some(BulkState::Expired { at: late }));
        let running = job(BulkState::Running);
        assert_eq!(running.after(&stop, early).unwrap(), Some(BulkState::Stopped { at: early, by: by("one") }));
        assert_eq!(running.after(&PendingStep::Clock, late).unwrap(), None);
        assert!(running.after(&other, early).is_err());
        for over in [BulkState::Done { at: early }, BulkState::Expired { at: early }] {
            assert_eq!(over.closed_at(), Some(early));
            assert!(job(over.clone()).after(&stop, late).is_err() && job(over).after(&other, late).is_err());
        }
    }
}
