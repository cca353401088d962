//! Interception scripts and their versions.

use rescind_ledger::{Initiator, Reads, Script, ScriptVersion, StoreError};

use super::{Backend, samples::at, wait};

fn script(name: &str, version: u32) -> Script {
    Script {
        name: name.to_owned(),
        version,
        source: format!("fn revoke(event) {{ allow() }} // {name} {version} é\0\"").into(),
        order: -3,
        enabled: true,
        stored_at: at(i64::from(version)),
        stored_by: Initiator::Administrator(format!("admin {version}")),
    }
}

fn version_of(script: &Script) -> ScriptVersion {
    ScriptVersion {
        name: script.name.clone(),
        version: script.version,
        source: script.source.to_string(),
        stored_at: script.stored_at,
        stored_by: script.stored_by.clone(),
    }
}

pub(crate) fn every_version_of_a_script_is_kept<B: Backend>() {
    let mut backend = B::fresh();
    let (one, two) = (script("guard", 1), script("guard", 2));
    let off = Script { order: 7, enabled: false, source: "another text".into(), stored_at: at(99), ..two.clone() };
    backend.write(|tx| {
        assert_eq!(tx.script_counts("guard").unwrap(), (0, None));
        assert_eq!(tx.find_script("guard").unwrap(), None);
        tx.put_script(&one).unwrap();
        assert_eq!(tx.find_script("guard").unwrap(), Some(one.clone()));
        tx.put_script(&two).unwrap();
        tx.put_script(&script("other", 1)).unwrap();
        assert_eq!(tx.script_counts("guard").unwrap(), (2, Some(2)));
        tx.put_script(&off).unwrap();
    });
    // A version that is known keeps its text; what is said about its use is new.
    let kept = Script { order: 7, enabled: false, ..two.clone() };
    let mut backend = backend.reopened();
    let found = backend.store().configuration().unwrap().scripts;
    assert_eq!(found.iter().map(|one| (**one).clone()).collect::<Vec<_>>(), [kept, script("other", 1)]);
    assert_eq!(found.enabled().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["other"]);
    let versions = wait(backend.reads().script_versions("guard")).unwrap();
    assert_eq!(versions, [version_of(&two), version_of(&one)]);
    assert_eq!(wait(backend.reads().script_versions("nobody")).unwrap(), []);
}

pub(crate) fn a_script_that_is_gone_is_known_by_its_versions<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        tx.put_script(&script("guard", 1)).unwrap();
        tx.delete_script("guard").unwrap();
        tx.delete_script("nobody").unwrap();
        assert_eq!(tx.find_script("guard").unwrap(), None);
        assert_eq!(tx.script_counts("guard").unwrap(), (0, Some(1)));
    });
    assert!(backend.store().configuration().unwrap().scripts.is_empty());
    assert_eq!(wait(backend.reads().script_versions("guard")).unwrap(), [version_of(&script("guard", 1))]);
}

pub(crate) fn an_undone_script_was_never_stored<B: Backend>() {
    let mut backend = B::fresh();
    let undone: Result<(), _> = backend.try_write(|tx| {
        tx.put_script(&script("guard", 1))?;
        Err(StoreError::Conflict("something else"))
    });
    assert!(undone.is_err());
    backend.write(|tx| assert_eq!(tx.script_counts("guard").unwrap(), (0, None)));
}
