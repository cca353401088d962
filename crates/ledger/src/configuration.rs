//! What is configured while the server runs: clients, APIs, and which users and devices are switched off.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rescind_check::Position;

use crate::{Api, Client, Role, Script, Scripts, Settings};

/// A snapshot of the configuration, held in memory beside the index and changed under the same lock.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub clients: HashMap<String, Arc<Client>>,
    pub apis: HashMap<String, Arc<Api>>,
    /// Only those that are switched off: a short list, while users are many.
    pub disabled_users: HashSet<String>,
    pub disabled_devices: HashSet<String>,
    /// Users who administer this server: few.
    pub roles: HashMap<String, Role>,
    /// What is asked before a revocation is written.
    pub scripts: Scripts,
    pub settings: Arc<Settings>,
    /// The ledger position this snapshot belongs to. A stamp is never above it (DESIGN rule 4).
    pub position: Position,
}

/// One change, applied after its transaction committed and before the index moves.
#[derive(Clone, Debug)]
pub enum ConfigurationChange {
    Api(Arc<Api>),
    ApiGone(String),
    Client(Arc<Client>),
    ClientGone(String),
    Device { device: String, enabled: bool },
    Script(Arc<Script>),
    ScriptGone(String),
    Settings(Arc<Settings>),
    User { user: String, enabled: bool, role: Option<Role> },
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            clients: HashMap::new(),
            apis: HashMap::new(),
            disabled_users: HashSet::new(),
            disabled_devices: HashSet::new(),
            roles: HashMap::new(),
            scripts: Scripts::default(),
            settings: Arc::default(),
            position: Position::START,
        }
    }
}

impl Configuration {
    /// Takes over one committed change.
    pub fn apply(&mut self, change: ConfigurationChange) {
        match change {
            ConfigurationChange::Api(api) => {
                self.apis.insert(api.audience.clone(), api);
            }
            ConfigurationChange::ApiGone(audience) => {
                self.apis.remove(&audience);
            }
            ConfigurationChange::Client(client) => {
                self.clients.insert(client.id.clone(), client);
            }
            ConfigurationChange::ClientGone(id) => {
                self.clients.remove(&id);
            }
            ConfigurationChange::Device { device, enabled } => {
                switch(&mut self.disabled_devices, device, enabled);
            }
            ConfigurationChange::Script(script) => self.scripts.put(script),
            ConfigurationChange::ScriptGone(name) => self.scripts.remove(&name),
            ConfigurationChange::Settings(settings) => self.settings = settings,
            ConfigurationChange::User { user, enabled, role } => {
                match role {
                    Some(role) => drop(self.roles.insert(user.clone(), role)),
                    None => drop(self.roles.remove(&user)),
                }
                switch(&mut self.disabled_users, user, enabled);
            }
        }
    }
}

fn switch(disabled: &mut HashSet<String>, id: String, enabled: bool) {
    if enabled {
        disabled.remove(&id);
    } else {
        disabled.insert(id);
    }
}
