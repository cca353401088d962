//! Guards: what an order of great reach needs before it is carried out. A pure rule over what was counted.

use std::time::Duration;

use crate::{Settings, Target};

/// Above which reach an order is held up, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// More users than this; 0 is no bound.
    pub users: u32,
    /// More than this percentage of the live sessions; 0 is no bound.
    pub sessions_percent: u32,
    /// Whether another administrator has to approve.
    pub second_administrator: bool,
    /// How long an order waits for that.
    pub approval_lifetime: Duration,
}

/// What an order would reach, as far as it was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Different users who hold something that it would end.
    pub users: u64,
    /// Live sessions that it would end.
    pub sessions: u64,
    /// Live sessions there are.
    pub all_sessions: u64,
    /// Whether everything was counted; if not, these are the least that it can be.
    pub complete: bool,
}

/// What an order needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    Nothing,
    /// The phrase that names what is to end.
    Confirmation,
    /// The phrase, and the word of another administrator.
    Approval,
}

impl Extent {
    /// What reaches nobody.
    pub const NONE: Self = Self { users: 0, sessions: 0, all_sessions: 0, complete: true };

    /// Of users who were named one by one.
    #[must_use]
    pub fn of_users(users: usize) -> Self {
        Self { users: u64::try_from(users).unwrap_or(u64::MAX), ..Self::NONE }
    }
}

impl Guard {
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            users: settings.guard_users,
            sessions_percent: settings.guard_sessions_percent,
            second_administrator: settings.guard_second_administrator,
            approval_lifetime: Duration::from_secs(settings.approval_lifetime.into()),
        }
    }

    /// Whether anything is counted at all for an order about this. What belongs to one person at most never is: one token,
    /// grant or session, one user, and a user together with a client or an API.
    #[must_use]
    pub fn asks_about(&self, target: &Target) -> bool {
        let great = match target {
            Target::Token { .. }
            | Target::Grant { .. }
            | Target::Session { .. }
            | Target::Subject { .. }
            | Target::SubjectClient { .. }
            | Target::SubjectAudience { .. } => false,
            Target::Audience { .. }
            | Target::Client { .. }
            | Target::ClientAudience { .. }
            | Target::Device { .. }
            | Target::DeviceClient { .. }
            | Target::Everything
            | Target::Key { .. } => true,
        };
        great && (self.users > 0 || self.sessions_percent > 0)
    }

    /// Whether the bound is passed by so much already that nothing more need be counted.
    #[must_use]
    pub fn is_passed(&self, extent: &Extent) -> bool {
        let by_users = self.users > 0 && extent.users > u64::from(self.users);
        let share = extent.all_sessions.saturating_mul(self.sessions_percent.into());
        by_users || (self.sessions_percent > 0 && extent.sessions.saturating_mul(100) > share)
    }

    /// What an order with this reach needs. What could not be counted to its end is taken for too much.
    #[must_use]
    pub fn need(&self, extent: &Extent) -> Need {
        let bounded = self.users > 0 || self.sessions_percent > 0;
        if !bounded || (extent.complete && !self.is_passed(extent)) {
            Need::Nothing
        } else if self.second_administrator {
            Need::Approval
        } else {
            Need::Confirmation
        }
    }
}

/// What has to be typed for an order: the same for the same target, so that a script can send it.
#[must_use]
pub fn phrase(verb: &str, what: &impl std::fmt::Display) -> String {
    format!("{verb} {what}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(name: &str) -> String {
        name.to_owned()
    }

    fn guard(users: u32, sessions_percent: u32, second_administrator: bool) -> Guard {
        Guard { users, sessions_percent, second_administrator, approval_lifetime: Duration::from_secs(60) }
    }

    fn extent(users: u64, sessions: u64, all_sessions: u64, complete: bool) -> Extent {
        Extent { users, sessions, all_sessions, complete }
    }

    proptest! {
        #[test]
        fn an_order_is_held_up_if_and_only_if_a_bound_is_passed_or_may_be(
            users in 0..5_u32, percent in 0..100_u32, second: bool,
            reached in 0..8_u64, sessions in 0..200_u64, others in 0..200_u64, complete: bool,
        ) {
            let (guard, all) = (guard(users, percent, second), sessions + others);
            let need = guard.need(&extent(reached, sessions, all, complete));
            let too_many = users > 0 && reached > u64::from(users);
            // In whole numbers: 50 of 100 is not more than half.
            let too_great_a_share = percent > 0 && sessions * 100 > all * u64::from(percent);
            let unknown = !complete && (users > 0 || percent > 0);
            let held = too_many || too_great_a_share || unknown;
            let expected = if !held { Need::Nothing } else if second { Need::Approval } else { Need::Confirmation };
            prop_assert_eq!(need, expected);
        }

        #[test]
        fn more_reach_never_needs_less(
            users in 0..5_u32, percent in 0..100_u32, second: bool,
            reached in 0..8_u64, more in 0..8_u64, sessions in 0..50_u64, ended in 0..50_u64, all in 100..200_u64,
        ) {
            let guard = guard(users, percent, second);
            let less = guard.need(&extent(reached, sessions, all, true));
            prop_assert!(guard.need(&extent(reached + more, sessions + ended, all, true)) >= less);
            prop_assert!(guard.need(&extent(reached, sessions, all, false)) >= less);
        }

        #[test]
        fn what_is_switched_off_never_asks(second: bool, users: u64, sessions in 0..10_u64, complete: bool) {
            let off = guard(0, 0, second);
            prop_assert_eq!(off.need(&extent(users, sessions, 10, complete)), Need::Nothing);
            prop_assert!(!off.asks_about(&Target::Everything));
        }
    }

    #[test]
    fn what_is_of_one_person_is_never_counted() {
        let (issuer, subject, client, audience) = (text("i"), text("s"), text("c"), text("a"));
        let guard = guard(1, 1, true);
        for one in [
            Target::Token { token: text("t") },
            Target::Grant { grant: text("g") },
            Target::Session { session: text("s") },
            Target::Subject { issuer: issuer.clone(), subject: subject.clone() },
            Target::SubjectClient { issuer: issuer.clone(), subject: subject.clone(), client: client.clone() },
            Target::SubjectAudience { issuer, subject, audience: audience.clone() },
        ] {
            assert!(!guard.asks_about(&one), "{one}");
        }
        for many in [Target::Client { client }, Target::Audience { audience }, Target::Everything] {
            assert!(guard.asks_about(&many), "{many}");
        }
    }

    #[test]
    fn the_phrase_names_the_target() {
        assert_eq!(phrase("revoke", &Target::Client { client: text("shop") }), "revoke client shop");
        assert_eq!(phrase("revoke", &Target::Everything), "revoke everything");
    }
}
