//! The master key from each of its three sources: what serves, restores and examines the database takes the same one, and
//! says so when it is missing or another.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{
    client::Application,
    server::{Place, Server, configuration},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Folder,
    File,
    Environment,
}

/// A data directory whose master key comes from one of them.
struct Vault {
    place: Place,
    source: Source,
    /// The value in the environment.
    value: Option<String>,
}

impl Vault {
    fn new(source: Source) -> Self {
        let vault = Self { place: Place::new(""), source, value: None };
        if source == Source::File {
            let lines = format!("master_key_file = {:?}", vault.file());
            fs::write(vault.place.beside("rescind.toml"), configuration(&vault.place.data(), &lines)).unwrap();
        }
        vault
    }

    /// Where the key lies, if it lies in a file.
    fn file(&self) -> PathBuf {
        match self.source {
            Source::File => self.place.beside("kept elsewhere.key"),
            _ => self.place.data().join("master.key"),
        }
    }

    /// Sets or takes away the key.
    fn set(&mut self, digits: Option<&str>) {
        match (self.source, digits) {
            (Source::Environment, _) => self.value = digits.map(str::to_owned),
            (_, Some(digits)) => {
                fs::write(self.file(), digits).unwrap();
                fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).unwrap();
            }
            (_, None) => fs::remove_file(self.file()).unwrap(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.envs(self.value.as_ref().map(|value| ("RESCIND_MASTER_KEY", value)));
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        self.place.finish(self.command(arguments))
    }

    fn serve(&self) -> Server {
        self.place.start(self.command(&["serve"]))
    }

    /// What the doctor says of the key; of a server that does not run it has more to say.
    fn finding(&self) -> String {
        let findings = self.run(&["doctor"]).unwrap_err();
        findings.lines().find(|line| line.contains(" master key:")).unwrap().to_owned()
    }

    /// Restores twice: what is said to people, and the member in JSON.
    fn restores(&self, backup: &str) -> (String, Value) {
        let said = self.run(&["restore", backup]).unwrap();
        let shown = self.run(&["restore", backup, "--output", "json"]).unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert!(shown["epoch"].is_u64() && shown["position"].is_string(), "{shown}");
        (said, shown["master_key"].clone())
    }

    /// Neither served nor passed: start, doctor and restore each say why.
    fn is_refused(&self, backup: &str, why: &[&str]) {
        let (said, member) = self.restores(backup);
        assert_eq!(member["ok"], false);
        assert!(said.contains("Everything issued so far is revoked"), "the restore itself is done: {said}");
        let finding = self.finding();
        assert!(finding.starts_with("FAIL"), "{finding}");
        let refusal = self.run(&["serve"]).unwrap_err();
        for text in [said, member["detail"].as_str().unwrap().to_owned(), finding, refusal] {
            for part in why {
                assert!(text.contains(part), "{:?}: no `{part}` in {text}", self.source);
            }
        }
    }
}

const DIGITS: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const OTHERS: &str = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

async fn tried_from(source: Source) {
    let mut vault = Vault::new(source);
    // In the data directory it is made at the first start, elsewhere never.
    if source != Source::Folder {
        vault.set(Some(DIGITS));
    }
    let server = vault.serve();
    let robot = Application::robot(&server).await;
    robot.issue(&server).await;
    let backup = vault.place.beside("backup.db");
    let backup = backup.to_str().unwrap();
    let said = vault.run(&["backup", backup]).unwrap();
    let whereabouts = match source {
        Source::Environment => "RESCIND_MASTER_KEY".to_owned(),
        _ => vault.file().display().to_string(),
    };
    assert!(said.contains(&whereabouts), "{said}");
    server.stop();
    assert_eq!(vault.place.data().join("master.key").exists(), source == Source::Folder);
    let right = if source == Source::Folder { fs::read_to_string(vault.file()).unwrap() } else { DIGITS.to_owned() };

    let fits = async |vault: &Vault| {
        assert!(vault.finding().starts_with("ok"), "{}", vault.finding());
        let (said, member) = vault.restores(backup);
        assert!(said.contains("The master key fits") && !said.contains("missing"), "{said}");
        assert_eq!(member["ok"], true, "{member}");
        let server = vault.serve();
        let token = robot.issue(&server).await;
        assert!(robot.is_active(&server, &token).await);
        server.stop();
    };
    fits(&vault).await;
    vault.set(None);
    let named = vault.file().display().to_string();
    let mut why = vec!["the master key is missing", "not part of a backup", named.as_str()];
    why.extend((source == Source::File).then_some("`master_key_file`"));
    vault.is_refused(backup, &why);
    assert!(!vault.file().exists(), "no other key is made in its place");
    vault.set(Some(OTHERS));
    vault.is_refused(backup, &["cannot be opened", "put back the one that belongs to this database"]);
    vault.set(Some(&right));
    fits(&vault).await;
}

#[tokio::test]
async fn a_master_key_in_the_data_directory_is_found_missed_and_tried_by_start_restore_and_doctor() {
    tried_from(Source::Folder).await;
}

#[tokio::test]
async fn a_master_key_in_a_configured_file_is_found_missed_and_tried_by_start_restore_and_doctor() {
    tried_from(Source::File).await;
}

#[tokio::test]
async fn a_master_key_in_the_environment_is_found_missed_and_tried_by_start_restore_and_doctor() {
    tried_from(Source::Environment).await;
}
