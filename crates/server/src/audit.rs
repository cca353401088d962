//! What goes into the audit trail besides orders, and how much of what strangers do.

use parking_lot::Mutex;
use rescind_ledger::{Action, AuditEvent, Initiator, Lane, LedgerError, Timestamp};

use crate::app::App;

/// How many refusals of callers who did not prove who they are get a record of their own in a minute. The rest are counted:
/// otherwise whoever reaches a port could fill the disk.
const STRANGERS_A_MINUTE: u32 = 120;
const MINUTE: i64 = 60_000;

/// How many strangers were refused in the present minute.
#[derive(Default)]
pub struct Strangers(Mutex<Minute>);

#[derive(Clone, Copy, Default)]
struct Minute {
    number: i64,
    recorded: u32,
    /// Since the last record that told of such.
    left_out: u64,
}

/// What becomes of one refusal.
#[derive(Debug, PartialEq, Eq)]
enum Share {
    /// It is recorded; so many before it were not.
    Recorded {
        left_out: u64,
    },
    Counted,
}

impl Strangers {
    fn take(&self, now: Timestamp) -> Share {
        let mut minute = self.0.lock();
        let number = now.0.div_euclid(MINUTE);
        if number != minute.number {
            *minute = Minute { number, recorded: 0, left_out: minute.left_out };
        }
        if minute.recorded == STRANGERS_A_MINUTE {
            minute.left_out += 1;
            return Share::Counted;
        }
        minute.recorded += 1;
        Share::Recorded { left_out: std::mem::take(&mut minute.left_out) }
    }
}

impl App {
    /// Records an event, durably: the caller may answer when this is done.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn audit(&self, event: AuditEvent) -> Result<(), LedgerError> {
        self.submit(Lane::Issuing, move |door| door.record(&event)).await
    }

    /// Records that a request was turned away. Only where the caller is known is the record waited for.
    ///
    /// # Errors
    /// If the caller is known and it cannot be written.
    pub async fn audit_refusal(&self, actor: Option<Initiator>, what: &str, code: &str) -> Result<(), LedgerError> {
        let event = AuditEvent::new(Action::Refusal, actor, code).about(what);
        if event.actor.is_some() {
            return self.audit(event).await;
        }
        match self.strangers.take(self.now()) {
            Share::Counted => self.telemetry.count("rescind_audit_refusals_counted_only_total", &[]),
            Share::Recorded { left_out: 0 } => drop(self.submit(Lane::Issuing, move |door| door.record(&event))),
            Share::Recorded { left_out } => {
                let event = event.with_note(format!("{left_out} refusals before this one have no record of their own"));
                drop(self.submit(Lane::Issuing, move |door| door.record(&event)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted_and_the_next_record_says_how_many_there_were() {
        let (strangers, now) = (Strangers::default(), Timestamp(1_000_000));
        for _ in 0..STRANGERS_A_MINUTE {
            assert_eq!(strangers.take(now), Share::Recorded { left_out: 0 });
        }
        for _ in 0..7 {
            assert_eq!(strangers.take(now), Share::Counted);
        }
        let later = Timestamp(now.0 + MINUTE);
        assert_eq!(strangers.take(later), Share::Recorded { left_out: 7 });
        assert_eq!(strangers.take(later), Share::Recorded { left_out: 0 });
    }
}
