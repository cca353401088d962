//! What goes into the audit trail besides orders, and how much of what strangers do.

pub mod heads;
pub mod lines;

use std::collections::HashMap;

use parking_lot::Mutex;
use rescind_ledger::{Action, AuditEvent, Initiator, Lane, LedgerError, Timestamp};

use crate::app::App;

/// How many refusals of callers who did not prove who they are get a record of their own in a minute, and how many of one client.
/// The rest are counted: otherwise whoever reaches a port could fill the disk.
const STRANGERS_A_MINUTE: u32 = 120;
const CLIENT_A_MINUTE: u32 = 600;
const MINUTE: i64 = 60_000;

/// How many were refused in the present minute: strangers all together, and each client.
#[derive(Default)]
pub struct Refused(Mutex<HashMap<Option<String>, Minute>>);

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

impl Refused {
    fn take(&self, client: Option<&str>, now: Timestamp) -> Share {
        let mut known = self.0.lock();
        let number = now.0.div_euclid(MINUTE);
        let most = if client.is_some() { CLIENT_A_MINUTE } else { STRANGERS_A_MINUTE };
        let key = client.map(str::to_owned);
        if !known.contains_key(&key) {
            // Whoever was quiet for a minute and owes nothing need not be remembered.
            known.retain(|_, minute| minute.number == number || minute.left_out > 0);
        }
        let minute = known.entry(key).or_default();
        if number != minute.number {
            *minute = Minute { number, recorded: 0, left_out: minute.left_out };
        }
        if minute.recorded == most {
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

    /// Records that a request was turned away. Only where the caller is known is the record waited for; an administrator's always
    /// has one.
    ///
    /// # Errors
    /// If the caller is known and it cannot be written.
    pub async fn audit_refusal(&self, actor: Option<Initiator>, what: &str, code: &str) -> Result<(), LedgerError> {
        let share = match &actor {
            Some(Initiator::Client(id)) => self.refused.take(Some(id), self.now()),
            None => self.refused.take(None, self.now()),
            Some(_) => Share::Recorded { left_out: 0 },
        };
        let Share::Recorded { left_out } = share else {
            self.telemetry.audit_refusals_counted_only.increment(1);
            return Ok(());
        };
        let mut event = AuditEvent::new(Action::Refusal, actor, code).about(what);
        if left_out > 0 {
            event = event.with_note(format!("{left_out} refusals before this one have no record of their own"));
        }
        if event.actor.is_some() {
            return self.audit(event).await;
        }
        drop(self.submit(Lane::Issuing, move |door| door.record(&event)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted_and_the_next_record_says_how_many_there_were() {
        for (client, most) in [(None, STRANGERS_A_MINUTE), (Some("web"), CLIENT_A_MINUTE)] {
            let (refused, now) = (Refused::default(), Timestamp(1_000_000));
            for _ in 0..most {
                assert_eq!(refused.take(client, now), Share::Recorded { left_out: 0 });
            }
            for _ in 0..7 {
                assert_eq!(refused.take(client, now), Share::Counted);
            }
            assert_eq!(refused.take(Some("another"), now), Share::Recorded { left_out: 0 }, "each has its own share");
            let later = Timestamp(now.0 + MINUTE);
            assert_eq!(refused.take(client, later), Share::Recorded { left_out: 7 });
            assert_eq!(refused.take(client, later), Share::Recorded { left_out: 0 });
        }
    }

    #[test]
    fn clients_that_were_refused_long_ago_take_no_room() {
        let refused = Refused::default();
        for minute in 0..100 {
            refused.take(Some(&format!("client {minute}")), Timestamp(minute * MINUTE));
        }
        assert_eq!(refused.0.lock().len(), 1);
    }
}
