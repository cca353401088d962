//! How many refresh-token families a user may have at one application. The one that was used longest ago makes room.

use crate::{Door, Ended, Grant, Initiator, LedgerError, Order, Reason, Target};

impl Door<'_> {
    /// Notes that tokens were issued for a grant that has a refresh token. A grant without a user counts against nobody.
    pub(crate) fn note_issued(&mut self, grant: &Grant) -> Result<(), LedgerError> {
        if grant.user.is_some() {
            self.tx.note_refresh_grant(grant, self.now)?;
        }
        Ok(())
    }

    /// Ends the grants of a user at a client that are too many beside `newest`: those that were issued from longest ago.
    /// Nothing that has ended already is counted, and what is found ended is noted no longer.
    pub(crate) fn make_room_for_grant(&mut self, newest: &Grant) -> Result<Vec<Ended>, LedgerError> {
        let most = usize::try_from(self.settings().max_tokens_per_user_per_application).unwrap_or(usize::MAX);
        let Some(user) = newest.user.as_deref().filter(|_| most > 0) else { return Ok(Vec::new()) };
        let mut others = Vec::new();
        for grant in self.tx.refresh_grants_of(user, &newest.client)? {
            if grant.id == newest.id {
                continue;
            }
            if grant.expires_at > self.now && self.must_stand(&grant.trace(self.live.issuer(), self.live.key())).is_ok()
            {
                others.push(grant);
            } else {
                self.tx.forget_refresh_grant(&grant.id)?;
            }
        }
        let too_many = (others.len() + 1).saturating_sub(most);
        let system = Initiator::System("token_limit".to_owned());
        others.truncate(too_many);
        others
            .into_iter()
            .map(|grant| {
                self.tx.forget_refresh_grant(&grant.id)?;
                self.end(&Order::new(Target::Grant { grant: grant.id }, Reason::TokenLimit, system.clone()))
            })
            .collect()
    }
}
