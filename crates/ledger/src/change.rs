//! Configuration changes, each in one transaction with the entry it calls for (DESIGN rule 4).

use std::sync::Arc;

use crate::{
    Api, Client, ConfigurationChange, Device, Door, Ended, Initiator, LedgerError, Order, Reason, Sealed, Target,
};

/// What is to become of a client.
#[derive(Clone, Debug)]
pub enum ClientChange {
    Put(Box<Client>),
    Delete(String),
}

impl Door<'_> {
    /// A client as it stands at this very point of the transaction: what a change must start from.
    pub fn find_client(&mut self, id: &str) -> Result<Option<Client>, LedgerError> {
        Ok(self.tx.find_client(id)?)
    }

    /// Adds, changes or deletes a client. A change that takes something away ends what the client holds.
    pub fn change_client(
        &mut self,
        change: &ClientChange,
        initiator: &Initiator,
    ) -> Result<Option<Ended>, LedgerError> {
        let (id, restricts) = match change {
            ClientChange::Put(client) => {
                let before = self.tx.find_client(&client.id)?;
                self.tx.put_client(client)?;
                self.change(ConfigurationChange::Client(Arc::new(client.as_ref().clone())));
                (client.id.clone(), before.is_some_and(|before| restricts_client(&before, client)))
            }
            ClientChange::Delete(id) => {
                self.tx.find_client(id)?.ok_or(LedgerError::Refused("there is no such client"))?;
                self.tx.delete_client(id)?;
                self.change(ConfigurationChange::ClientGone(id.clone()));
                (id.clone(), true)
            }
        };
        if !restricts {
            return Ok(None);
        }
        self.end(&Order::new(Target::Client { client: id }, Reason::ClientChanged, initiator.clone())).map(Some)
    }

    /// Adds a client under an id that must be free.
    pub fn add_client(&mut self, client: &Client) -> Result<(), LedgerError> {
        if self.tx.find_client(&client.id)?.is_some() {
            return Err(crate::StoreError::Conflict("a client with that id").into());
        }
        self.tx.put_client(client)?;
        self.change(ConfigurationChange::Client(Arc::new(client.clone())));
        Ok(())
    }

    /// An API as it stands at this very point of the transaction.
    pub fn find_api(&mut self, audience: &str) -> Result<Option<Api>, LedgerError> {
        Ok(self.tx.find_api(audience)?)
    }

    /// Adds or changes an API. A narrower set of scopes, or a new demand on sessions, ends the tokens for it.
    pub fn put_api(&mut self, api: &Api, initiator: &Initiator) -> Result<Option<Ended>, LedgerError> {
        let before = self.tx.find_api(&api.audience)?;
        self.tx.put_api(api)?;
        self.change(ConfigurationChange::Api(Arc::new(api.clone())));
        if !before.is_some_and(|before| restricts_api(&before, api)) {
            return Ok(None);
        }
        let target = Target::Audience { audience: api.audience.clone() };
        self.end(&Order::new(target, Reason::Policy, initiator.clone())).map(Some)
    }

    /// Removes an API and ends the tokens for it.
    pub fn delete_api(&mut self, audience: &str, initiator: &Initiator) -> Result<Ended, LedgerError> {
        self.tx.delete_api(audience)?;
        self.change(ConfigurationChange::ApiGone(audience.to_owned()));
        let target = Target::Audience { audience: audience.to_owned() };
        self.end(&Order::new(target, Reason::Policy, initiator.clone()))
    }

    /// A device as it stands at this very point of the transaction.
    pub fn find_device(&mut self, id: &str) -> Result<Option<Device>, LedgerError> {
        Ok(self.tx.find_device(id)?)
    }

    /// Adds or changes a device; switching it off ends what was issued on it.
    pub fn put_device(&mut self, device: &Device, initiator: &Initiator) -> Result<Option<Ended>, LedgerError> {
        let before = self.tx.find_device(&device.id)?;
        self.tx.put_device(device)?;
        self.change(ConfigurationChange::Device { device: device.id.clone(), enabled: device.enabled });
        if device.enabled || before.is_none_or(|before| !before.enabled) {
            return Ok(None);
        }
        let target = Target::Device { device: device.id.clone() };
        self.end(&Order::new(target, Reason::DeviceRetired, initiator.clone())).map(Some)
    }

    /// Keeps an encrypted secret of the server's own, such as a signing key.
    pub fn put_secret(&mut self, name: &str, sealed: &Sealed) -> Result<(), LedgerError> {
        Ok(self.tx.put_secret(name, sealed, self.now)?)
    }

    /// Drops one.
    pub fn delete_secret(&mut self, name: &str) -> Result<(), LedgerError> {
        Ok(self.tx.delete_secret(name)?)
    }

    /// Notes that everything up to a position was counted and is on its way to whoever has to hear of it.
    pub fn complete_outbox(&mut self, through: crate::Position) -> Result<(), LedgerError> {
        Ok(self.tx.complete_outbox(through)?)
    }
}

/// Whether the new form of an API lets less through than the old one, so that the tokens for it end.
#[must_use]
pub fn restricts_api(before: &Api, after: &Api) -> bool {
    !subset(&before.scopes, &after.scopes) || after.session_validation.is_stricter_than(before.session_validation)
}

/// Whether the new form of a client may do less than the old one, so that what it holds ends.
#[must_use]
pub fn restricts_client(before: &Client, after: &Client) -> bool {
    let fewer_resources = if after.resources.is_empty() {
        false
    } else {
        before.resources.is_empty() || !subset(&before.resources, &after.resources)
    };
    (before.enabled && !after.enabled)
        || !subset(&before.scopes, &after.scopes)
        || !subset(&before.grant_types, &after.grant_types)
        || fewer_resources
        || after.refresh_binding.is_stricter_than(before.refresh_binding)
}

fn subset(part: &[String], whole: &[String]) -> bool {
    part.iter().all(|one| whole.contains(one))
}
