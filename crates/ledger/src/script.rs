//! Interception scripts as they are kept. What is in them is the server's affair.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Initiator, Timestamp};

/// A script that may be asked before a revocation is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub name: String,
    /// Counted from 1 for each name, and never again for another text, even after the script was removed.
    pub version: u32,
    pub source: Arc<str>,
    /// Scripts with lower numbers are asked first; those with the same one by name.
    pub order: i32,
    pub enabled: bool,
    /// When this version was stored, and by whom.
    pub stored_at: Timestamp,
    pub stored_by: Initiator,
}

/// A version of a script as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptVersion {
    pub name: String,
    pub version: u32,
    pub source: String,
    pub stored_at: Timestamp,
    pub stored_by: Initiator,
}

/// The scripts there are, and those that are asked.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    all: BTreeMap<String, Arc<Script>>,
    enabled: Arc<[Arc<Script>]>,
}

impl Scripts {
    /// The longest name, in bytes.
    pub const NAME_LIMIT: usize = 64;
    /// How many scripts there may be.
    pub const LIMIT: usize = 32;
    /// The longest source, in bytes.
    pub const SOURCE_LIMIT: usize = 64 << 10;

    /// Whether a script may be called so: lower-case letters, digits, hyphen and underscore.
    #[must_use]
    pub fn is_name(name: &str) -> bool {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=Self::NAME_LIMIT).contains(&name.len()) && name.bytes().all(letter)
    }

    /// Those that are switched on, in the order in which they are asked.
    #[must_use]
    pub fn enabled(&self) -> &Arc<[Arc<Script>]> {
        &self.enabled
    }

    /// The script of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Script>> {
        self.all.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.all.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Adds a script, or takes over what has changed about it.
    pub fn put(&mut self, script: Arc<Script>) {
        self.all.insert(script.name.clone(), script);
        self.sort();
    }

    /// Leaves out the script of that name.
    pub fn remove(&mut self, name: &str) {
        self.all.remove(name);
        self.sort();
    }

    fn sort(&mut self) {
        let mut enabled: Vec<_> = self.all.values().filter(|script| script.enabled).cloned().collect();
        // By name they are already, and sorting keeps it.
        enabled.sort_by_key(|script| script.order);
        self.enabled = enabled.into();
    }
}

impl FromIterator<Script> for Scripts {
    fn from_iter<I: IntoIterator<Item = Script>>(scripts: I) -> Self {
        let all = scripts.into_iter().map(|script| (script.name.clone(), Arc::new(script))).collect();
        let mut scripts = Self { all, ..Self::default() };
        scripts.sort();
        scripts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(name: &str, order: i32, enabled: bool) -> Arc<Script> {
        let stored_by = Initiator::Administrator("local".to_owned());
        let (name, source) = (name.to_owned(), Arc::from("fn revoke(event) { allow() }"));
        Arc::new(Script { name, version: 1, source, order, enabled, stored_at: Timestamp(0), stored_by })
    }

    #[test]
    fn scripts_are_asked_by_number_and_then_by_name_unless_they_are_off() {
        let mut scripts = Scripts::default();
        for (name, order, enabled) in
            [("c", 1, true), ("a", 2, true), ("b", 1, true), ("off", 0, false), ("z", -1, true)]
        {
            scripts.put(script(name, order, enabled));
        }
        let names = |scripts: &Scripts| scripts.enabled().iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&scripts), ["z", "b", "c", "a"]);
        scripts.put(script("z", 3, true));
        scripts.remove("b");
        scripts.put(script("off", 0, true));
        assert_eq!(names(&scripts), ["off", "c", "a", "z"]);
        assert_eq!((scripts.len(), scripts.find("b")), (4, None));
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert!(Scripts::is_name("leaked-token_2"));
        for wrong in ["", "Leaked", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(!Scripts::is_name(wrong), "{wrong}");
        }
    }
}
