//! What may become of interception scripts.

use std::sync::Arc;

use crate::{Action, AuditEvent, ConfigurationChange, Door, Initiator, LedgerError, Script, Scripts};

/// What is to be different about a script; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ScriptChange {
    /// Another text is another version.
    pub source: Option<String>,
    pub order: Option<i32>,
    pub enabled: Option<bool>,
}

impl Door<'_> {
    /// A script as it stands at this very point of the transaction.
    pub fn find_script(&mut self, name: &str) -> Result<Option<Script>, LedgerError> {
        Ok(self.tx.find_script(name)?)
    }

    /// Adds a script, which has to bring its source, or changes the one of that name. Whether the source is one that can be run
    /// is for the caller to know.
    ///
    /// # Errors
    /// [`LedgerError::Refused`] for a change that cannot be right.
    pub fn put_script(
        &mut self,
        name: &str,
        change: &ScriptChange,
        initiator: &Initiator,
    ) -> Result<Script, LedgerError> {
        if !Scripts::is_name(name) {
            return Err(LedgerError::Refused(
                "a script's name has 1 to 64 lower-case letters, digits, hyphens and underscores",
            ));
        }
        if change.source.as_ref().is_some_and(|source| source.len() > Scripts::SOURCE_LIMIT) {
            return Err(LedgerError::Refused("a script has at most 64 KiB"));
        }
        let (count, last) = self.tx.script_counts(name)?;
        let version = last.unwrap_or(0) + 1;
        let stored = |source: String| Script {
            name: name.to_owned(),
            version,
            source: source.into(),
            order: 0,
            enabled: true,
            stored_at: self.now,
            stored_by: initiator.clone(),
        };
        let known = self.tx.find_script(name)?;
        let script = match (known, change.source.clone()) {
            (None, None) => return Err(LedgerError::Refused("there is no such script")),
            (None, Some(_)) if usize::try_from(count).is_ok_and(|count| count >= Scripts::LIMIT) => {
                return Err(LedgerError::Refused("there are as many scripts as there may be: 32"));
            }
            (None, Some(source)) => stored(source),
            (Some(known), Some(source)) if *known.source != *source => {
                Script { order: known.order, enabled: known.enabled, ..stored(source) }
            }
            (Some(known), _) => known,
        };
        let script = Script {
            order: change.order.unwrap_or(script.order),
            enabled: change.enabled.unwrap_or(script.enabled),
            ..script
        };
        self.tx.put_script(&script)?;
        self.record_script(&script, if change.source.is_some() { "stored" } else { "changed" }, initiator)?;
        self.change(ConfigurationChange::Script(Arc::new(script.clone())));
        Ok(script)
    }

    /// Takes a script out of use. Its versions are kept, and a later one of the same name counts on.
    pub fn remove_script(&mut self, name: &str, initiator: &Initiator) -> Result<Script, LedgerError> {
        let script = self.tx.find_script(name)?.ok_or(LedgerError::Refused("there is no such script"))?;
        self.tx.delete_script(name)?;
        self.record_script(&script, "removed", initiator)?;
        self.change(ConfigurationChange::ScriptGone(name.to_owned()));
        Ok(script)
    }

    fn record_script(&mut self, script: &Script, outcome: &str, initiator: &Initiator) -> Result<(), LedgerError> {
        let what = format!("script {} version {}", script.name, script.version);
        let state = if script.enabled { "on" } else { "off" };
        let event = AuditEvent::new(Action::Change, Some(initiator.clone()), outcome).about(what);
        self.record(&event.with_note(format!("{state}, order {}", script.order)))
    }
}
