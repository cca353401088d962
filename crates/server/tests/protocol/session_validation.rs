//! What access tokens for an API make of the session they came from: four switches, fixed when a token is minted.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    browsing::{go, part, redeem, refresh, someone},
    person::Person,
    server::Server,
};

const SWITCHES: [&str; 4] = [
    "include_session_id",
    "check_valid_authn_session",
    "check_session_revocation_status",
    "update_authn_session_activity",
];

/// All switches off but these.
fn only(on: &[&str]) -> Value {
    SWITCHES.iter().map(|name| ((*name).to_owned(), json!(on.contains(name)))).collect::<serde_json::Map<_, _>>().into()
}

fn api(name: &str) -> String {
    format!("https://{name}.example")
}

async fn add_api(server: &Server, name: &str, format: &str, validation: &Value) -> Result<()> {
    let api = json!({ "audience": api(name), "name": name, "token_format": format, "session_validation": validation });
    server.administer(Method::POST, "/apis", &api).await.map(drop)
}

async fn set_switches(server: &Server, name: &str, validation: Value) -> Result<Value> {
    let path = format!("/apis?audience={}", api(name));
    server.administer(Method::PATCH, &path, &json!({ "session_validation": validation })).await
}

/// One sign-in, in which a client was granted some APIs.
struct Granted {
    person: Person,
    first: Answer,
    session: String,
}

async fn granted(app: &Application<'_>, apis: &[&str]) -> Result<Granted> {
    let mut person = someone(app);
    let apis: Vec<String> = apis.iter().map(|name| api(name)).collect();
    let mut asked = vec![("scope", "openid profile")];
    asked.extend(apis.iter().map(|audience| ("resource", audience.as_str())));
    let code = go(app, &mut person, &asked).await?.code()?;
    let first = redeem(app, &code, &[]).await?;
    let session = part(&first.text("id_token")?, 1)?["pi.sri"].as_str().context("no pi.sri")?.to_owned();
    Ok(Granted { person, first, session })
}

impl Granted {
    /// A token for one of the APIs.
    async fn token(&self, app: &Application<'_>, name: &str) -> Result<String> {
        let answer = refresh(app, &self.first.text("refresh_token")?, &[("resource", &api(name))]).await?;
        answer.succeeds();
        answer.text("access_token")
    }
}

async fn end_session(server: &Server, session: &str) -> Result<()> {
    let order = json!({ "target": { "kind": "session", "session": session } });
    server.administer(Method::POST, "/revocations", &order).await.map(drop)
}

async fn is_active(app: &Application<'_>, token: &str) -> Result<bool> {
    let answer = app.introspect(token).await?;
    let active = answer.succeeds()["active"] == json!(true);
    ensure!(active || answer.text == r#"{"active":false}"#, "{}", answer.text);
    Ok(active)
}

#[tokio::test]
async fn p22_a_token_whose_session_is_revoked_is_inactive_everywhere() -> Result<()> {
    let server = Server::start().await?;
    for format in ["jwt", "opaque"] {
        add_api(&server, format, format, &only(&["check_session_revocation_status"])).await?;
        let app = Application::confidential(&server).await?;
        let granted = granted(&app, &[format]).await?;
        let (access, refresh_token) = (granted.first.text("access_token")?, granted.first.text("refresh_token")?);
        app.sees_alive(&access).await?;
        assert_eq!(app.introspect(&access).await?.succeeds()["pi.sri"], json!(granted.session));
        end_session(&server, &granted.session).await?;
        app.sees_dead(&access).await?;
        app.sees_inactive(&refresh_token).await?;
        app.sees_refresh_refused(&refresh_token).await?;
    }
    Ok(())
}

#[tokio::test]
async fn p23_a_token_minted_while_the_check_was_off_stays_valid() -> Result<()> {
    let server = Server::start().await?;
    add_api(&server, "lax", "jwt", &only(&["include_session_id"])).await?;
    add_api(&server, "strict", "jwt", &only(&["check_session_revocation_status"])).await?;
    let app = Application::confidential(&server).await?;
    let granted = granted(&app, &["lax", "strict"]).await?;
    let (lax, strict) = (granted.token(&app, "lax").await?, granted.token(&app, "strict").await?);
    let both = granted.first.text("access_token")?;
    assert_eq!(part(&lax, 1)?["pi.sri"], json!(granted.session));
    end_session(&server, &granted.session).await?;
    app.sees_alive(&lax).await?;
    assert!(is_active(&app, &lax).await?);
    app.sees_dead(&strict).await?;
    app.sees_dead(&both).await.context("of several APIs the strictest decides")?;
    app.sees_refresh_refused(&granted.first.text("refresh_token")?).await?;
    Ok(())
}

/// How long a session may rest in the test of it, and how long one waits for what is bound to come after that.
const IDLE_SECS: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn p24_a_token_that_needs_a_valid_session_fails_when_the_session_times_out() -> Result<()> {
    let server = Server::start_with(&format!("[lifetimes]\nsession_idle_secs = {IDLE_SECS}\n")).await?;
    add_api(&server, "lax", "opaque", &only(&["include_session_id"])).await?;
    add_api(&server, "strict", "opaque", &only(&["check_valid_authn_session"])).await?;
    let app = Application::confidential(&server).await?;
    let granted = granted(&app, &["lax", "strict"]).await?;
    let (lax, strict) = (granted.token(&app, "lax").await?, granted.token(&app, "strict").await?);
    let begun = Instant::now();
    while is_active(&app, &strict).await? {
        ensure!(begun.elapsed() < PATIENCE, "the session of an idle user goes on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.sees_dead(&strict).await?;
    app.sees_refresh_refused(&granted.first.text("refresh_token")?).await?;
    app.sees_alive(&lax).await?;
    assert!(is_active(&app, &lax).await?, "minted while the switch was off");
    let mut person = granted.person;
    let back = go(&app, &mut person, &[("prompt", "none")]).await?;
    back.is_refused(&app, "login_required");
    Ok(())
}

#[tokio::test]
async fn a_token_names_its_session_if_it_is_told_to_or_depends_on_it() -> Result<()> {
    let server = Server::start().await?;
    let mut apis = vec![("none", None)];
    apis.extend([("include", 0), ("valid", 1), ("revoked", 2), ("touch", 3)].map(|(name, place)| (name, Some(place))));
    for format in ["jwt", "opaque"] {
        for (name, place) in &apis {
            let on: Vec<_> = place.iter().map(|place| SWITCHES[*place]).collect();
            add_api(&server, &format!("{name}-{format}"), format, &only(&on)).await?;
        }
    }
    let app = Application::confidential(&server).await?;
    let all: Vec<String> =
        apis.iter().flat_map(|(name, _)| ["jwt", "opaque"].map(|format| format!("{name}-{format}"))).collect();
    let names: Vec<_> = all.iter().map(String::as_str).collect();
    let granted = granted(&app, &names).await?;
    for (name, place) in &apis {
        let expected = if place.is_some() { json!(granted.session) } else { Value::Null };
        let jwt = granted.token(&app, &format!("{name}-jwt")).await?;
        let opaque = granted.token(&app, &format!("{name}-opaque")).await?;
        let claims = part(&jwt, 1)?;
        let (of_jwt, of_opaque) = (app.introspect(&jwt).await?, app.introspect(&opaque).await?);
        for (what, shown) in [("claims", &claims), ("jwt", of_jwt.succeeds()), ("opaque", of_opaque.succeeds())] {
            assert_eq!((&shown["sid"], &shown["pi.sri"]), (&expected, &expected), "{name}: {what}");
            assert_eq!(
                shown.as_object().context("no object")?.contains_key("pi.sri"),
                place.is_some(),
                "{name}: {what}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_check_that_is_switched_on_ends_older_tokens_and_one_switched_off_loosens_none() -> Result<()> {
    let server = Server::start().await?;
    for switch in ["check_valid_authn_session", "check_session_revocation_status"] {
        let name = switch.replace('_', "-");
        add_api(&server, &name, "opaque", &only(&[])).await?;
        let app = Application::confidential(&server).await?;
        let before = granted(&app, &[&name]).await?;
        let old = before.first.text("access_token")?;
        let on = set_switches(&server, &name, only(&[switch])).await?;
        assert!(on["ended"]["position"].is_string(), "{on}");
        app.sees_dead(&old).await.context("it would have outlived the session that the API now asks for")?;

        let during = granted(&app, &[&name]).await?;
        let strict = during.first.text("access_token")?;
        let off = set_switches(&server, &name, only(&[])).await?;
        assert_eq!(off.get("ended"), None, "{off}");
        app.sees_dead(&old).await?;
        app.sees_alive(&strict).await?;
        let lax = during.token(&app, &name).await?;
        end_session(&server, &during.session).await?;
        app.sees_dead(&strict).await.context("bound when it was minted")?;
        app.sees_alive(&lax).await?;
    }
    Ok(())
}

async fn last_activity(server: &Server, session: &str) -> Result<i64> {
    let shown = server.administer(Method::GET, &format!("/sessions/{session}"), &Value::Null).await?;
    shown["touched_at"].as_i64().context("no last activity")
}

#[tokio::test]
async fn p25_each_validation_moves_the_last_activity_if_the_api_says_so() -> Result<()> {
    let server = Server::start().await?;
    add_api(&server, "moving", "jwt", &only(&["update_authn_session_activity"])).await?;
    add_api(&server, "still", "jwt", &only(&["include_session_id", "check_valid_authn_session"])).await?;
    let app = Application::confidential(&server).await?;
    let granted = granted(&app, &["moving", "still"]).await?;
    let (moving, still) = (granted.token(&app, "moving").await?, granted.token(&app, "still").await?);
    let mut before = last_activity(&server, &granted.session).await?;
    for _ in 0..2 {
        for by_introspection in [true, false] {
            // Activity is counted in milliseconds.
            tokio::time::sleep(Duration::from_millis(5)).await;
            for (token, moves) in [(&still, false), (&moving, true)] {
                if by_introspection {
                    assert!(is_active(&app, token).await?);
                } else {
                    app.sees_alive(token).await?;
                }
                let after = last_activity(&server, &granted.session).await?;
                assert_eq!(after > before, moves, "by introspection: {by_introspection}");
                before = after;
            }
        }
    }
    Ok(())
}
