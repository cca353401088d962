//! What ends of itself: each way to an ending writes one entry that says what ended, why and on whose word, and ends it.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    browsing::{address, go, open, part, redeem},
    devices, global_token_revocation,
    person::Person,
    revoke_session::permitted,
    server::{PASSWORD, Server, USER_NAME},
};

/// A way to an ending that nobody ordered as such.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    RefreshTokenReuse,
    CodeReplay,
    Logout,
    UserDisabled,
    UserRenamed,
    NewPassword,
    ClientNarrowed,
    ClientDisabled,
    DeviceSwitchedOff,
    AccessTokenRevoked,
    RefreshTokenRevoked,
    SessionsRevoked,
    EverythingRevoked,
    /// The last for its client.
    ClientRemoved,
    /// The last for its user.
    UserRemoved,
}

const WAYS: [Way; 15] = [
    Way::RefreshTokenReuse,
    Way::CodeReplay,
    Way::Logout,
    Way::UserDisabled,
    Way::UserRenamed,
    Way::NewPassword,
    Way::ClientNarrowed,
    Way::ClientDisabled,
    Way::DeviceSwitchedOff,
    Way::AccessTokenRevoked,
    Way::RefreshTokenRevoked,
    Way::SessionsRevoked,
    Way::EverythingRevoked,
    Way::ClientRemoved,
    Way::UserRemoved,
];

/// The names of everything that one sign-in is made of.
struct Held {
    code: String,
    access: String,
    refresh: String,
    id_token: String,
    grant: Value,
    session: Value,
    user: Value,
    device: Value,
}

impl Held {
    async fn by(app: &Application<'_>, person: &mut Person) -> Result<Self> {
        // Without `offline_access`, so that the end of the session is the end of it all.
        let code = go(app, person, &[("scope", "openid profile")]).await?.code()?;
        let answer = redeem(app, &code, &[]).await?;
        let (access, refresh) = (answer.text("access_token")?, answer.text("refresh_token")?);
        let id_token = answer.text("id_token")?;
        let seen = app.introspect(&access).await?;
        let name = |member: &str| seen.succeeds()[member].clone();
        let (grant, device) = (name("grant_id"), name("device_id"));
        let claims = part(&id_token, 1)?;
        app.sees_alive(&access).await?;
        Ok(Self {
            code,
            access,
            refresh,
            id_token,
            grant,
            session: claims["sid"].clone(),
            user: claims["sub"].clone(),
            device,
        })
    }
}

impl Way {
    /// What the entry has to say: target, reason, initiator.
    fn writes(self, app: &Application<'_>, held: &Held) -> (Value, &'static str, Value) {
        let grant = json!({ "kind": "grant", "grant": held.grant });
        let session = json!({ "kind": "session", "session": held.session });
        let user = json!({ "kind": "subject", "issuer": app.server.issuer, "subject": held.user });
        let client = json!({ "kind": "client", "client": app.id });
        let device = json!({ "kind": "device", "device": held.device });
        let system = |rule: &str| json!({ "kind": "system", "id": rule });
        let administrator = json!({ "kind": "administrator", "id": "local" });
        match self {
            Self::RefreshTokenReuse => (grant, "reuse_detected", system("refresh token replay")),
            Self::CodeReplay => (grant, "reuse_detected", system("code replay")),
            Self::Logout => (session, "logout", json!({ "kind": "user", "id": held.user })),
            Self::UserDisabled => (user, "account_disabled", administrator),
            Self::UserRenamed => (user, "account_renamed", administrator),
            Self::NewPassword => (user, "credential_change", administrator),
            Self::UserRemoved => (user, "left_company", administrator),
            Self::ClientNarrowed | Self::ClientDisabled | Self::ClientRemoved => {
                (client, "client_changed", administrator)
            }
            Self::DeviceSwitchedOff => (device, "device_retired", administrator),
            Self::AccessTokenRevoked | Self::RefreshTokenRevoked => {
                (grant, "user_request", json!({ "kind": "client", "id": app.id }))
            }
            Self::SessionsRevoked => (session, "user_request", json!({ "kind": "client", "id": "revoke_session" })),
            Self::EverythingRevoked => {
                (user, "user_request", json!({ "kind": "client", "id": "global_token_revocation" }))
            }
        }
    }

    async fn happens(self, app: &Application<'_>, person: &mut Person, held: &Held) -> Result<()> {
        match self {
            Self::RefreshTokenReuse => app.sees_refresh_refused(&held.refresh).await?,
            Self::CodeReplay => redeem(app, &held.code, &[]).await?.is_refused(400, "invalid_grant"),
            Self::Logout => {
                let hint = [("id_token_hint".to_owned(), held.id_token.clone())];
                let page = open(person, &address(app, "/logout", &hint)?).await?;
                ensure!(page.status == 200, "{}", page.html);
            }
            Self::AccessTokenRevoked => ensure!(app.revoke(&held.access, None).await?.status == 200),
            Self::RefreshTokenRevoked => ensure!(app.revoke(&held.refresh, None).await?.status == 200),
            Self::SessionsRevoked => {
                let desk = permitted(app.server, "revoke_session").await?;
                let user = held.user.as_str().context("no sub")?;
                let fields = [("user_criterion_key", "sub"), ("user_criterion_value", user)];
                ensure!(desk.post("/revoke_session", &fields).await?.status == 200);
            }
            Self::EverythingRevoked => {
                let guard = permitted(app.server, global_token_revocation::SCOPE).await?;
                let sub_id = json!({ "format": "iss_sub", "iss": app.server.issuer, "sub": held.user });
                global_token_revocation::is_done(&global_token_revocation::ask(&guard, &sub_id).await?);
            }
            _ => {
                let (method, path, body) = self.order(app, held)?;
                app.server.administer(method, &path, &body).await?;
            }
        }
        Ok(())
    }

    /// What an administrator does.
    fn order(self, app: &Application<'_>, held: &Held) -> Result<(Method, String, Value)> {
        let user = format!("/users/{}", held.user.as_str().context("no sub")?);
        let client = format!("/clients/{}", app.id);
        let change = match self {
            Self::UserDisabled => (user, json!({ "enabled": false })),
            Self::UserRenamed => (user, json!({ "user_name": "countess" })),
            Self::NewPassword => (user, json!({ "password": "quite another password" })),
            Self::ClientNarrowed => (client, json!({ "scopes": ["openid"] })),
            Self::ClientDisabled => (client, json!({ "enabled": false })),
            Self::DeviceSwitchedOff => {
                (format!("/devices/{}", held.device.as_str().context("no device")?), json!({ "enabled": false }))
            }
            Self::UserRemoved => return Ok((Method::DELETE, user, Value::Null)),
            Self::ClientRemoved => return Ok((Method::DELETE, client, Value::Null)),
            other => anyhow::bail!("{other:?} is nobody's order"),
        };
        Ok((Method::PATCH, change.0, change.1))
    }

    /// Which client asked, and from where; an administrator came by the socket.
    fn comes_from(self, app: &Application<'_>) -> (Value, Value) {
        match self {
            Self::RefreshTokenReuse | Self::CodeReplay | Self::AccessTokenRevoked | Self::RefreshTokenRevoked => {
                (json!(app.id), json!("127.0.0.1"))
            }
            Self::SessionsRevoked => (json!("revoke_session"), json!("127.0.0.1")),
            Self::EverythingRevoked => (json!("global_token_revocation"), json!("127.0.0.1")),
            Self::Logout => (Value::Null, json!("127.0.0.1")),
            _ => (Value::Null, Value::Null),
        }
    }

    /// The refresh token that was good a moment before the ending.
    async fn last_refresh_token(self, app: &Application<'_>, held: &Held) -> Result<String> {
        match self {
            Self::RefreshTokenReuse => Ok(app.refresh(&held.refresh).await?.refresh),
            _ => Ok(held.refresh.clone()),
        }
    }

    /// How a client that is still let in hears of it; one that is not is refused itself.
    async fn is_over(self, app: &Application<'_>, held: &Held, refresh_token: &str) -> Result<()> {
        app.userinfo(&held.access).await?.is_refused(401, "invalid_token");
        if matches!(self, Self::ClientDisabled | Self::ClientRemoved) {
            app.try_refresh(refresh_token).await?.is_refused(401, "invalid_client");
            return Ok(());
        }
        app.sees_dead(&held.access).await?;
        app.sees_inactive(refresh_token).await?;
        app.sees_refresh_refused(refresh_token).await
    }
}

/// Everything in the ledger, the newest first.
async fn entries(server: &Server) -> Result<Vec<Value>> {
    let shown = server.administer(Method::GET, "/revocations?limit=200", &Value::Null).await?;
    shown["items"].as_array().cloned().context("no items")
}

/// The one record of the order that wrote an entry.
async fn record(server: &Server, entry: &Value) -> Result<Value> {
    let orders = server.administer(Method::GET, "/audit?action=order&outcome=ended&limit=200", &Value::Null).await?;
    let orders = orders["items"].as_array().context("no items")?;
    let mut of_entry = orders.iter().filter(|record| record["position"] == entry["position"]);
    let record = of_entry.next().context("no record")?.clone();
    ensure!(of_entry.next().is_none(), "two records of one ending");
    Ok(record)
}

/// Whatever was done to the person and the device is undone for the next way.
async fn set_right(server: &Server, held: &Held) -> Result<()> {
    let user = json!({ "enabled": true, "user_name": USER_NAME, "password": PASSWORD });
    let path = format!("/users/{}", held.user.as_str().context("no sub")?);
    server.administer(Method::PATCH, &path, &user).await?;
    let path = format!("/devices/{}", held.device.as_str().context("no device")?);
    server.administer(Method::PATCH, &path, &json!({ "enabled": true })).await?;
    Ok(())
}

#[tokio::test]
async fn every_ending_that_nobody_ordered_is_one_entry_with_its_reason_and_initiator_and_holds() -> Result<()> {
    let server = Server::start_with(&devices::proxied("127.0.0.1")).await?;
    devices::add(&server, "mdm", devices::TABLET).await?;
    for way in WAYS {
        let app = Application::add(&server, json!({ "rotation": "each_use", "rotation_grace_secs": 0 })).await?;
        let mut person = devices::on(devices::TABLET)?;
        let held = Held::by(&app, &mut person).await?;
        let refresh_token = way.last_refresh_token(&app, &held).await?;
        let before = entries(&server).await?;
        way.happens(&app, &mut person, &held).await?;
        let after = entries(&server).await?;
        assert_eq!(after.len(), before.len() + 1, "{way:?} writes one entry");
        let (entry, (target, reason, initiator)) = (&after[0], way.writes(&app, &held));
        let written = (&entry["target"], &entry["reason"], &entry["initiator"]);
        assert_eq!(written, (&target, &json!(reason), &initiator), "{way:?}");
        let record = record(&server, entry).await?;
        let told = (&record["target"], &record["reason"], &record["actor"], &record["at"]);
        assert_eq!(told, (&target, &json!(reason), &initiator, &entry["time"]), "{way:?}");
        assert!(record["correlation_id"].is_string(), "{way:?}: {record}");
        let (client, ip) = way.comes_from(&app);
        assert_eq!((&record["client"], &record["ip"]), (&client, &ip), "{way:?}");
        way.is_over(&app, &held, &refresh_token).await?;
        assert_eq!(entries(&server).await?.len(), after.len(), "{way:?}: trying what is dead writes nothing more");
        if way != Way::UserRemoved {
            set_right(&server, &held).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_api_that_is_narrowed_or_removed_ends_the_tokens_for_it() -> Result<()> {
    let server = Server::start().await?;
    for (method, body) in [(Method::PATCH, json!({ "scopes": ["read"] })), (Method::DELETE, Value::Null)] {
        let audience = format!("https://{}.example", method.as_str().to_lowercase());
        let api = json!({ "audience": audience, "name": "orders", "scopes": ["read", "write"] });
        server.administer(Method::POST, "/apis", &api).await?;
        let robot = json!({ "grant_types": ["client_credentials"], "scopes": ["read"], "resources": [audience] });
        let robot = Application::add(&server, robot).await?;
        let asked = [("grant_type", "client_credentials"), ("resource", audience.as_str())];
        let token = robot.post("/token", &asked).await?.text("access_token")?;
        let alive: Answer = robot.introspect(&token).await?;
        assert_eq!(alive.succeeds()["active"], true);
        let before = entries(&server).await?.len();
        server.administer(method.clone(), &format!("/apis?audience={audience}"), &body).await?;
        let after = entries(&server).await?;
        assert_eq!(after.len(), before + 1);
        let target = json!({ "kind": "audience", "audience": audience });
        let written = (&after[0]["target"], &after[0]["reason"], &after[0]["initiator"]);
        let administrator = json!({ "kind": "administrator", "id": "local" });
        assert_eq!(written, (&target, &json!("policy"), &administrator), "{method}");
        robot.sees_inactive(&token).await?;
    }
    Ok(())
}
