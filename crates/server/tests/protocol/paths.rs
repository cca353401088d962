//! Every way to an account, and everything that can happen to it: the same entry, the same receipt, whichever way was taken.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    browsing::redeem,
    console::Browser,
    person::Person,
    server::{PASSWORD, Server},
};

/// Another than everybody has.
const NEW_PASSWORD: &str = "quite another password";

#[derive(Clone, Copy, Debug, PartialEq)]
enum Path {
    Api,
    Bulk,
    Cli,
    Console,
    Import,
    Scim,
}

const PATHS: [Path; 6] = [Path::Api, Path::Bulk, Path::Cli, Path::Console, Path::Import, Path::Scim];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    Deleted,
    Disabled,
    PasswordChanged,
    Renamed,
}

const EFFECTS: [Effect; 4] = [Effect::Deleted, Effect::Disabled, Effect::PasswordChanged, Effect::Renamed];

impl Effect {
    /// The reason and the note of its entry.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Deleted => ("left_company", "rule: user deleted"),
            Self::Disabled => ("account_disabled", "rule: user disabled"),
            Self::PasswordChanged => ("credential_change", "rule: password changed"),
            Self::Renamed => ("account_renamed", "rule: user renamed"),
        }
    }

    /// A path that does not lead there.
    fn is_out_of_reach_of(self, path: Path) -> bool {
        match path {
            Path::Bulk => self != Self::Disabled,
            Path::Import => self == Self::Deleted,
            _ => false,
        }
    }
}

/// Somebody with one session, one grant and one live access token.
struct Somebody {
    id: String,
    name: String,
    access: String,
    refresh: String,
}

struct Stage<'a> {
    server: &'a Server,
    app: Application<'a>,
    console: Browser<'a>,
    scim: String,
}

impl<'a> Stage<'a> {
    async fn of(server: &'a Server) -> Result<Self> {
        let token = server.administer(Method::POST, "/scim-tokens", &json!({ "name": "directory" })).await?;
        Ok(Self {
            server,
            app: Application::add(server, json!({ "first_party": true })).await?,
            console: Browser::administrator(server).await?,
            scim: token["scim_token"].as_str().context("no token")?.to_owned(),
        })
    }

    async fn somebody(&self, name: &str) -> Result<Somebody> {
        let body = json!({ "user_name": name, "password": PASSWORD, "external_id": format!("x-{name}") });
        let added = self.server.administer(Method::POST, "/users", &body).await?;
        let mut person = Person::named(self.server.http.clone(), name, PASSWORD);
        let back = crate::browsing::go(&self.app, &mut person, &[("scope", "openid profile")]).await?;
        let answer = redeem(&self.app, &back.code()?, &[]).await?;
        Ok(Somebody {
            id: added["id"].as_str().context("no id")?.to_owned(),
            name: name.to_owned(),
            access: answer.text("access_token")?,
            refresh: answer.text("refresh_token")?,
        })
    }

    async fn take(&mut self, path: Path, effect: Effect, who: &Somebody) -> Result<()> {
        match path {
            Path::Api => self.by_api(effect, who).await,
            Path::Bulk => self.by_bulk(who).await,
            Path::Cli => self.by_cli(effect, who),
            Path::Console => self.by_console(effect, who).await,
            Path::Import => self.by_import(effect, who),
            Path::Scim => self.by_scim(effect, who).await,
        }
    }

    async fn by_api(&self, effect: Effect, who: &Somebody) -> Result<()> {
        let path = format!("/users/{}", who.id);
        let (method, body) = match effect {
            Effect::Deleted => (Method::DELETE, Value::Null),
            Effect::Disabled => (Method::PATCH, json!({ "enabled": false })),
            Effect::PasswordChanged => (Method::PATCH, json!({ "password": NEW_PASSWORD })),
            Effect::Renamed => (Method::PATCH, json!({ "user_name": format!("{}-2", who.name) })),
        };
        self.server.administer(method, &path, &body).await.map(drop)
    }

    async fn by_bulk(&self, who: &Somebody) -> Result<()> {
        let body = json!({ "action": "disable", "users": [who.id] });
        let placed = self.server.administer(Method::POST, "/bulk-jobs", &body).await?;
        let path = format!("/bulk-jobs/{}", placed["id"].as_str().context("no id")?);
        for _ in 0..500 {
            if self.server.administer(Method::GET, &path, &Value::Null).await?["state"] == "done" {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::bail!("the job did not end")
    }

    fn command(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
        command.args(arguments).arg("--data-dir").arg(self.server.path("data"));
        let ran = command.stdin(std::process::Stdio::null()).output()?;
        ensure!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }

    fn by_cli(&self, effect: Effect, who: &Somebody) -> Result<()> {
        let renamed = format!("{}-2", who.name);
        match effect {
            Effect::Deleted => self.command(&["user", "remove", &who.name]),
            Effect::Disabled => self.command(&["user", "disable", &who.name]),
            Effect::PasswordChanged => self.command(&["user", "password", &who.name]),
            Effect::Renamed => self.command(&["user", "rename", &who.name, &renamed]),
        }
    }

    async fn by_console(&mut self, effect: Effect, who: &Somebody) -> Result<()> {
        let page = self.console.get(&format!("/users/{}", who.id)).await?;
        let (csrf, renamed) = (page.field("csrf")?, format!("{}-2", who.name));
        let (place, fields): (_, &[(&str, &str)]) = match effect {
            Effect::Deleted => ("remove", &[("user_name", &who.name)]),
            Effect::Disabled => ("enabled", &[("enabled", "false")]),
            Effect::PasswordChanged => ("password", &[("password", NEW_PASSWORD), ("again", NEW_PASSWORD)]),
            Effect::Renamed => ("profile", &[("user_name", &renamed)]),
        };
        let fields = [fields, &[("csrf", csrf.as_str())]].concat();
        let answer = self.console.post(&format!("/users/{}/{place}", who.id), &fields).await?;
        ensure!(answer.status == 303, "{}", answer.html);
        Ok(())
    }

    fn by_import(&self, effect: Effect, who: &Somebody) -> Result<()> {
        let file = self.server.path("users.json");
        let (external, mut more) = (format!("x-{}", who.name), vec![]);
        let row = match effect {
            Effect::Disabled => json!({ "user_name": who.name, "enabled": false }),
            Effect::Renamed => json!({ "user_name": format!("{}-2", who.name), "external_id": external }),
            _ => {
                more.push("--set-passwords");
                json!({ "user_name": who.name, "password": NEW_PASSWORD })
            }
        };
        std::fs::write(&file, json!([row]).to_string())?;
        let file = file.to_str().context("not text")?;
        self.command(&[&["user", "import", file], &more[..]].concat())
    }

    async fn by_scim(&self, effect: Effect, who: &Somebody) -> Result<()> {
        let url = format!("{}/scim/v2/Users/{}", self.server.issuer, who.id);
        let patch = |value: Value| {
            let operations = json!([{ "op": "Replace", "value": value }]);
            json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
        };
        let request = match effect {
            Effect::Deleted => self.server.http.delete(url),
            Effect::Disabled => self.server.http.patch(url).json(&patch(json!({ "active": "False" }))),
            Effect::PasswordChanged => self.server.http.patch(url).json(&patch(json!({ "password": NEW_PASSWORD }))),
            Effect::Renamed => {
                self.server.http.patch(url).json(&patch(json!({ "userName": format!("{}-2", who.name) })))
            }
        };
        let answer = Answer::of(request.bearer_auth(&self.scim)).await?;
        ensure!(answer.status < 300, "{}", answer.text);
        Ok(())
    }

    /// The receipt of the last entry, once everything in it is counted.
    async fn last_receipt(&self) -> Result<Value> {
        let listed = self.server.administer(Method::GET, "/revocations?limit=1", &Value::Null).await?;
        let path = format!("/revocations/{}", listed["items"][0]["position"].as_str().context("no entry")?);
        for _ in 0..500 {
            let receipt = self.server.administer(Method::GET, &path, &Value::Null).await?;
            if receipt["finished"] == true {
                return Ok(receipt);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        anyhow::bail!("the receipt is never finished")
    }
}

#[tokio::test]
async fn every_path_has_every_effect_with_the_same_entry_and_the_same_receipt() -> Result<()> {
    let server = Server::start().await?;
    let mut stage = Stage::of(&server).await?;
    let bystander = stage.somebody("bystander").await?;
    let mut entries = 0;
    for path in PATHS {
        for effect in EFFECTS.into_iter().filter(|effect| !effect.is_out_of_reach_of(path)) {
            let place = format!("{effect:?} by {path:?}");
            let who = stage.somebody(&place.to_lowercase().replace(' ', "-")).await?;
            stage.take(path, effect, &who).await.with_context(|| place.clone())?;
            entries += 1;
            let receipt = stage.last_receipt().await.with_context(|| place.clone())?;
            let (reason, note) = effect.words();
            assert_eq!((&receipt["reason"], &receipt["note"]), (&json!(reason), &json!(note)), "{place}: {receipt}");
            assert_eq!(receipt["target"]["subject"], who.id, "{place}");
            assert_eq!(receipt["user"]["user_name"], who.name, "{place}: as it was then");
            let ended = ["users", "sessions", "grants", "access_tokens"].map(|what| receipt["ended"][what].as_u64());
            assert_eq!(ended, [Some(1); 4], "{place}: {receipt}");
            let initiator = match path {
                Path::Api | Path::Bulk | Path::Cli | Path::Import => json!({ "kind": "administrator", "id": "local" }),
                Path::Console => receipt["initiator"].clone(),
                Path::Scim => json!({ "kind": "source", "id": "scim:directory" }),
            };
            assert_eq!(receipt["initiator"], initiator, "{place}");
            let active = stage.app.introspect(&who.access).await?.succeeds()["active"].clone();
            assert_eq!(active, false, "{place}");
            stage.app.try_refresh(&who.refresh).await?.is_refused(400, "invalid_grant");
        }
    }
    assert_eq!(stage.app.introspect(&bystander.access).await?.succeeds()["active"], true);
    let listed = server.administer(Method::GET, "/revocations?limit=500", &Value::Null).await?;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(entries), "one entry for each, and no other");
    Ok(())
}
