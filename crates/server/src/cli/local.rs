//! What is done to the data directory itself, on its own host: backup, restore, a new epoch.

use std::path::Path;

use rescind_store::{self as store, Restored};
use serde_json::json;

use super::{
    arguments::{EpochCommand, Globals, Output},
    connection::data_dir,
    failure::Failure,
    output,
};
use crate::clock::Clock;

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
        println!("The master key is not in it: keep {} too, elsewhere.", dir.master_key().display());
    }
    Ok(())
}

pub(super) fn restore(globals: &Globals, file: &Path) -> Result<(), Failure> {
    let dir = data_dir(globals)?;
    dir.create()?;
    let lock = dir.lock()?;
    let restored = store::restore(&dir, &lock, file, Clock::System.now())?;
    say(globals, &restored);
    let own_key = std::env::var_os("RESCIND_MASTER_KEY").is_some();
    if globals.output == Output::Table && !dir.master_key().exists() && !own_key {
        println!(
            "The master key is missing: put the one that belongs to the backup at {}.",
            dir.master_key().display()
        );
    }
    Ok(())
}

pub(super) fn epoch(globals: &Globals, command: EpochCommand) -> Result<(), Failure> {
    let EpochCommand::Open { note } = command;
    let dir = data_dir(globals)?;
    if !dir.database().exists() {
        return Err(anyhow::anyhow!("there is no database in {}", dir.path().display()).into());
    }
    let lock = dir.lock()?;
    let restored = store::open_epoch(&dir, &lock, Clock::System.now(), &note)?;
    say(globals, &restored);
    Ok(())
}

fn say(globals: &Globals, restored: &Restored) {
    if globals.output == Output::Json {
        return output::json(&json!({
            "epoch": restored.epoch,
            "position": restored.position.to_string(),
            "before": restored.before.to_string(),
        }));
    }
    println!("epoch {} is open; the ledger stood at {}", restored.epoch, restored.before);
    println!("Everything issued so far is revoked, by the entry at {}.", restored.position);
}
