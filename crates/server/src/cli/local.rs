//! What is done to the data directory itself, on its own host: backup, restore, a new epoch.

use std::path::Path;

use rescind_ledger::Store;
use rescind_store::{self as store, DataDir, Restored, Sqlite};
use serde_json::{Value, json};

use super::{
    arguments::{EpochCommand, Globals, Output},
    connection::{configuration, data_dir},
    doctor::check_master_key,
    failure::Failure,
    output,
};
use crate::{clock::Clock, master_key};

pub(super) fn backup(globals: &Globals, file: &Path) -> Result<(), Failure> {
    let dir = data_dir(globals)?;
    if !dir.database().exists() {
        return Err(anyhow::anyhow!("there is no database in {}", dir.path().display()).into());
    }
    store::backup(&dir.database(), file)?;
    if globals.output == Output::Json {
        output::json(&json!({ "backup": file }));
    } else {
        println!("backed up to {}", file.display());
        // The copy is made; a mistake elsewhere in the configuration does not undo it.
        let source = configuration(globals).ok().and_then(|config| config.master_key);
        println!("The master key is not in it: keep {} too, elsewhere.", master_key::place(source.as_ref(), &dir));
    }
    Ok(())
}

pub(super) fn restore(globals: &Globals, file: &Path) -> Result<(), Failure> {
    let dir = data_dir(globals)?;
    dir.create()?;
    let lock = dir.lock()?;
    let restored = store::restore(&dir, &lock, file, Clock::System.now())?;
    // The backup is in place either way: what is wrong with the key can be mended before the start.
    let key = find_key(globals, &dir);
    if globals.output == Output::Json {
        let (Ok(detail) | Err(detail)) = &key;
        let mut shown = shape(&restored);
        shown["master_key"] = json!({ "ok": key.is_ok(), "detail": detail });
        output::json(&shown);
        return Ok(());
    }
    tell(&restored);
    match key {
        Ok(good) => println!("The master key fits: {good}."),
        Err(why) => println!("It cannot be served yet: {why}."),
    }
    Ok(())
}

/// Whether the configured master key opens what was restored; if not, why.
fn find_key(globals: &Globals, dir: &DataDir) -> Result<String, String> {
    let config = configuration(globals).map_err(|why| why.show(Output::Table))?;
    let secrets = Sqlite::open(&dir.database()).and_then(|mut store| store.secrets());
    let checked = secrets.map_err(anyhow::Error::from).and_then(|secrets| check_master_key(&config, dir, &secrets));
    checked.map_err(|why| format!("{why:#}"))
}

pub(super) fn epoch(globals: &Globals, command: EpochCommand) -> Result<(), Failure> {
    let EpochCommand::Open { note } = command;
    let dir = data_dir(globals)?;
    if !dir.database().exists() {
        return Err(anyhow::anyhow!("there is no database in {}", dir.path().display()).into());
    }
    let lock = dir.lock()?;
    let restored = store::open_epoch(&dir, &lock, Clock::System.now(), &note)?;
    match globals.output {
        Output::Json => output::json(&shape(&restored)),
        Output::Table => tell(&restored),
    }
    Ok(())
}

fn shape(restored: &Restored) -> Value {
    json!({
        "epoch": restored.epoch,
        "position": restored.position.to_string(),
        "before": restored.before.to_string(),
    })
}

fn tell(restored: &Restored) {
    println!("epoch {} is open; the ledger stood at {}", restored.epoch, restored.before);
    println!("Everything issued so far is revoked, by the entry at {}.", restored.position);
}
