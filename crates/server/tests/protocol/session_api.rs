//! The session-revocation API, by the numbered cases taken from PingFederate's document and the readings chosen where it is
//! unclear: what the list says, and what asking does.

use anyhow::{Context, Result};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    browsing::{code, redeem},
    server::{Server, Setup},
};

pub(crate) const NOT_REVOKED: &str =
    r#"{"resultId":"session_mgmt_sri_not_revoked","message":"The SRI has not been revoked."}"#;

/// A client that may use both APIs.
pub(crate) async fn permitted<'a>(server: &'a Server, more: Value) -> Result<Application<'a>> {
    let mut members = json!({ "session_revocation_api": true, "session_management_api": true });
    if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
        members.extend(more);
    }
    Application::add(server, members).await
}

pub(crate) fn address(server: &Server, path: &str) -> String {
    format!("{}/pf-ws/rest/sessionMgmt{path}", server.issuer)
}

/// A call with the header, by nobody.
pub(crate) fn anonymous(server: &Server, method: Method, path: &str) -> RequestBuilder {
    server.http.request(method, address(server, path)).header("X-XSRF-HEADER", "PingFederate")
}

/// A call with everything it needs.
pub(crate) fn call(app: &Application<'_>, method: Method, path: &str) -> RequestBuilder {
    anonymous(app.server, method, path).basic_auth(&app.id, app.secret.as_ref())
}

pub(crate) async fn get(app: &Application<'_>, path: &str) -> Result<Answer> {
    Answer::of(call(app, Method::GET, path)).await
}

pub(crate) async fn post(app: &Application<'_>, path: &str) -> Result<Answer> {
    Answer::of(call(app, Method::POST, path)).await
}

pub(crate) fn addition(app: &Application<'_>, id: &str) -> RequestBuilder {
    call(app, Method::POST, "/revokedSris").json(&json!({ "id": id }))
}

/// Puts an id on the list.
pub(crate) async fn add(app: &Application<'_>, id: &str) -> Result<()> {
    let answer = Answer::of(addition(app, id)).await?;
    assert_eq!((answer.status, answer.text), (201, json!({ "id": id }).to_string()));
    Ok(())
}

/// Asks the list without extending anything.
pub(crate) async fn is_listed(app: &Application<'_>, id: &str) -> Result<bool> {
    let answer = get(app, &format!("/revokedSris/{id}?updateActivityTime=false")).await?;
    match answer.status {
        200 => assert_eq!(answer.text, json!({ "id": id }).to_string()),
        _ => assert_eq!((answer.status, answer.text.as_str()), (404, NOT_REVOKED)),
    }
    Ok(answer.status == 200)
}

/// A refusal in the form these APIs have.
#[track_caller]
pub(crate) fn is_refused(answer: &Answer, status: u16, result_id: &str) {
    assert_eq!((answer.status, answer.body["resultId"].as_str()), (status, Some(result_id)), "{}", answer.text);
    assert!(answer.body["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.text);
    assert_eq!(answer.body.as_object().map(serde_json::Map::len), Some(2), "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
}

/// A sign-in whose tokens hang on the session.
pub(crate) struct SignedIn {
    pub(crate) sid: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Ada signs in, in a browser of her own.
pub(crate) async fn sign_in(app: &Application<'_>) -> Result<SignedIn> {
    let answer = redeem(app, &code(app, &[("scope", "openid profile")]).await?, &[]).await?;
    let access = answer.text("access_token")?;
    let seen = app.introspect(&access).await?;
    assert_eq!(seen.succeeds()["sid"], seen.body["pi.sri"]);
    Ok(SignedIn { sid: seen.text("pi.sri")?, access, refresh: answer.text("refresh_token")? })
}

/// The one authentication session that a session has.
pub(crate) async fn authn_session(app: &Application<'_>, sid: &str) -> Result<Value> {
    let answer = get(app, &format!("/sessions/{sid}")).await?;
    answer.succeeds()["authnSessions"].get(0).cloned().with_context(|| format!("none in {}", answer.text))
}

#[tokio::test]
async fn p1_p2_p3_p10_what_is_added_is_on_the_list_and_nothing_else() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let added = Answer::of(addition(&app, "abc123")).await?;
    assert_eq!((added.status, added.text.as_str()), (201, r#"{"id":"abc123"}"#));
    assert_eq!(added.headers["cache-control"], "no-store");
    let found = get(&app, "/revokedSris/abc123").await?;
    assert_eq!((found.status, found.text.as_str()), (200, r#"{"id":"abc123"}"#));
    let not_found = get(&app, "/revokedSris/never-added").await?;
    assert_eq!((not_found.status, not_found.text.as_str()), (404, NOT_REVOKED));
    for answer in [&found, &not_found] {
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    add(&app, "abc123").await?;
    let entries = server.administer(Method::GET, "/revocations", &Value::Null).await?;
    let entries = entries["items"].as_array().context("no items")?;
    assert_eq!(entries.len(), 1, "added again, it is the same entry: {entries:?}");
    assert_eq!((&entries[0]["target"]["session"], &entries[0]["reason"]), (&json!("abc123"), &json!("user_request")));
    assert!(entries[0]["initiator"].to_string().contains(&app.id));
    Ok(())
}

#[tokio::test]
async fn p4_p5_p9_the_header_against_forged_calls_must_be_there_and_says_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let bare = |method: Method, path: &str| {
        server.http.request(method, address(&server, path)).basic_auth(&app.id, app.secret.as_ref())
    };
    let addition = |id: &str| bare(Method::POST, "/revokedSris").json(&json!({ "id": id }));
    is_refused(&Answer::of(addition("p4")).await?, 400, "session_mgmt_xsrf_header_missing");
    assert!(!is_listed(&app, "p4").await?);
    is_refused(&Answer::of(bare(Method::GET, "/revokedSris/p4")).await?, 400, "session_mgmt_xsrf_header_missing");
    for (name, value) in [("X-XSRF-HEADER", "x"), ("x-xsrf-header", "PingFederate"), ("X-XSRF-Header", "")] {
        let answer = Answer::of(addition("p9").header(name, value)).await?;
        assert_eq!(answer.status, 201, "{name}: {value}");
    }
    // reqwest writes names in lower case by itself.
    let titled = Client::builder().http1_title_case_headers().no_proxy().build()?;
    let answer = titled.post(address(&server, "/revokedSris")).basic_auth(&app.id, app.secret.as_ref());
    let answer = Answer::of(answer.header("x-xsrf-header", "x").json(&json!({ "id": "p9" }))).await?;
    assert_eq!(answer.status, 201);
    Ok(())
}

#[tokio::test]
async fn p13_p14_asking_is_activity_unless_the_caller_says_it_is_not() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let sid = sign_in(&app).await?.sid;
    let mut before = authn_session(&app, &sid).await?;
    for silent in [
        "?updateActivityTime=false",
        "?updateActivityTime=FALSE",
        "&updateActivityTime=false",
        "%26updateActivityTime=False",
    ] {
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let answer = get(&app, &format!("/revokedSris/{sid}{silent}")).await?;
        assert_eq!((answer.status, answer.text.as_str()), (404, NOT_REVOKED), "{silent}");
        assert_eq!(authn_session(&app, &sid).await?, before, "{silent}");
    }
    for loud in ["", "?updateActivityTime=true", "?updateActivityTime=True", "&updateActivityTime=true"] {
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let answer = get(&app, &format!("/revokedSris/{sid}{loud}")).await?;
        assert_eq!((answer.status, answer.text.as_str()), (404, NOT_REVOKED), "{loud}");
        let after = authn_session(&app, &sid).await?;
        for moved in ["lastActivityTime", "idleTimeout"] {
            assert!(after[moved].as_str() > before[moved].as_str(), "{loud}: {after}");
        }
        assert_eq!((&after["creationTime"], &after["maxTimeout"]), (&before["creationTime"], &before["maxTimeout"]));
        before = after;
    }
    for wrong in ["?updateActivityTime=no", "?updateActivityTime=", "?updateActivityTime=0", "&updateActivityTime=x"] {
        is_refused(&get(&app, &format!("/revokedSris/{sid}{wrong}")).await?, 400, "session_mgmt_invalid_request");
    }
    for twice in
        ["?updateActivityTime=false&updateActivityTime=false", "&updateActivityTime=true?updateActivityTime=true"]
    {
        is_refused(&get(&app, &format!("/revokedSris/{sid}{twice}")).await?, 400, "session_mgmt_invalid_request");
    }
    assert_eq!(authn_session(&app, &sid).await?, before, "what is refused is no activity");
    Ok(())
}

#[tokio::test]
async fn p17_asking_for_a_revoked_session_finds_it_and_extends_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let (named, of_user) = (sign_in(&app).await?.sid, sign_in(&app).await?.sid);
    add(&app, &named).await?;
    let order = json!({ "target": { "kind": "user", "user": "ada" } });
    server.administer(Method::POST, "/revocations", &order).await?;
    for sid in [named, of_user] {
        let touched = async || -> Result<Value> {
            let path = format!("/sessions?session={sid}");
            Ok(server.administer(Method::GET, &path, &Value::Null).await?["items"][0]["touched_at"].clone())
        };
        let before = touched().await?;
        assert!(before.is_i64());
        let answer = get(&app, &format!("/revokedSris/{sid}")).await?;
        assert_eq!((answer.status, answer.text), (200, json!({ "id": sid }).to_string()));
        assert_eq!(touched().await?, before);
    }
    Ok(())
}

#[tokio::test]
async fn p21_discovery_names_the_four_endpoints_in_full() -> Result<()> {
    for path in ["", "/tenant/a"] {
        let server = Server::start_as(Setup { path, ..Setup::default() }).await?;
        let url = format!("{}/.well-known/openid-configuration", server.issuer);
        let metadata = Answer::of(server.http.get(url)).await?;
        let metadata = metadata.succeeds();
        for (name, path) in [
            ("ping_revoked_sris_endpoint", "/pf-ws/rest/sessionMgmt/revokedSris"),
            ("ping_session_management_sris_endpoint", "/pf-ws/rest/sessionMgmt/sessions"),
            ("ping_session_management_users_endpoint", "/pf-ws/rest/sessionMgmt/users"),
        ] {
            assert_eq!(metadata[name], format!("{}{path}", server.issuer));
        }
        assert_eq!(metadata["ping_end_session_endpoint"], metadata["end_session_endpoint"]);
        let app = permitted(&server, json!({})).await?;
        add(&app, "p21").await?;
        assert!(is_listed(&app, "p21").await?);
        assert_eq!(get(&app, "/sessions/p21").await?.succeeds()["status"], "SESSION_REVOKED");
    }
    Ok(())
}

#[tokio::test]
async fn p22_a_session_on_the_list_ends_what_is_bound_to_it() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let (ended, other) = (sign_in(&app).await?, sign_in(&app).await?);
    add(&app, &ended.sid).await?;
    app.sees_dead(&ended.access).await?;
    app.sees_refresh_refused(&ended.refresh).await?;
    app.sees_alive(&other.access).await?;
    app.refresh(&other.refresh).await?;
    Ok(())
}

#[tokio::test]
async fn p23_a_token_for_an_api_that_does_not_check_the_list_goes_on() -> Result<()> {
    let server = Server::start().await?;
    let audience = "https://lenient.example";
    let validation = json!({ "check_valid_authn_session": false, "check_session_revocation_status": false });
    let strict = json!({ "audience": "https://strict.example", "name": "strict", "scopes": ["strict"] });
    let lenient = json!({
        "audience": audience, "name": "lenient", "scopes": ["lenient"], "session_validation": validation,
    });
    for api in [&strict, &lenient] {
        server.administer(Method::POST, "/apis", api).await?;
    }
    let app = permitted(&server, json!({ "scopes": ["lenient", "strict"] })).await?;
    let minted = async |api: &str| -> Result<Value> {
        let asked = [("scope", api), ("resource", &format!("https://{api}.example"))];
        Ok(redeem(&app, &code(&app, &asked).await?, &[]).await?.succeeds()["access_token"].clone())
    };
    for (api, lives) in [("lenient", true), ("strict", false)] {
        let token = minted(api).await?;
        let token = token.as_str().context("no token")?;
        let sid = app.introspect(token).await?.text("pi.sri")?;
        add(&app, &sid).await?;
        assert_eq!(app.introspect(token).await?.succeeds()["active"], lives, "{api}");
    }
    Ok(())
}

#[tokio::test]
async fn p15_the_idle_limit_of_the_authentication_source_is_the_one_that_counts() -> Result<()> {
    let limits = "[lifetimes]\nsession_idle_secs = 1000\n[authentication_sources.password]\nsession_idle_secs = 200";
    let server = Server::start_with(limits).await?;
    let app = permitted(&server, json!({})).await?;
    let sid = sign_in(&app).await?.sid;
    let moment = |session: &Value, name: &str| -> Result<jiff::Timestamp> {
        Ok(session[name].as_str().context("no moment")?.parse()?)
    };
    for _ in 0..2 {
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        assert_eq!(get(&app, &format!("/revokedSris/{sid}")).await?.status, 404);
        let session = authn_session(&app, &sid).await?;
        let window = moment(&session, "idleTimeout")?.duration_since(moment(&session, "lastActivityTime")?);
        assert_eq!(window.as_secs(), 200, "{session}");
        assert!(moment(&session, "lastActivityTime")? > moment(&session, "creationTime")?);
    }
    Ok(())
}

#[tokio::test]
async fn p20_however_many_are_added_none_is_dropped() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let ids: Vec<String> = (0..500).map(|number| format!("unknown-{number}")).collect();
    for id in &ids {
        add(&app, id).await?;
    }
    for id in &ids {
        assert!(is_listed(&app, id).await?, "{id}");
    }
    Ok(())
}
