//! The session-management API by session and by user, by the numbered cases.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    application::{Answer, Application},
    browsing::{address, fill, open, parameters, someone},
    server::{PASSWORD, Server},
    session_api::{add, authn_session, call, get, is_listed, is_refused, permitted, post, sign_in},
};

async fn status(app: &Application<'_>, sid: &str) -> Result<String> {
    let answer = get(app, &format!("/sessions/{sid}")).await?;
    let has_some = answer.succeeds()["authnSessions"].as_array().is_some_and(|all| !all.is_empty());
    let status = answer.text("status")?;
    assert_eq!(has_some, status == "HAS_VALID_SESSIONS", "{}", answer.text);
    assert_eq!(answer.body["id"], sid);
    Ok(status)
}

/// The ids of the sessions that a user has.
async fn sessions_of(app: &Application<'_>, key: &str) -> Result<BTreeSet<String>> {
    let answer = get(app, &format!("/users/{key}")).await?;
    let sessions = answer.succeeds()["sessions"].as_array().with_context(|| answer.text.clone())?;
    Ok(sessions.iter().filter_map(|session| Some(session["id"].as_str()?.to_owned())).collect())
}

fn moment(value: &Value) -> Result<jiff::Timestamp> {
    Ok(value.as_str().context("not text")?.parse()?)
}

#[tokio::test]
async fn p26_a_session_is_shown_with_what_is_known_of_it() -> Result<()> {
    let lines = "[authentication_sources.password]\nsession_idle_secs = 600\nsession_max_secs = 3600";
    let server = Server::start_with(lines).await?;
    let app = permitted(&server, json!({})).await?;
    let sid = sign_in(&app).await?.sid;
    let answer = get(&app, &format!("/sessions/{sid}")).await?;
    assert_eq!((&answer.succeeds()["id"], &answer.body["status"]), (&json!(sid), &json!("HAS_VALID_SESSIONS")));
    let shown = &answer.body["authnSessions"][0];
    assert_eq!(answer.body["authnSessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["id"], format!("{sid}.password"));
    assert_eq!(shown["authnSource"], json!({ "type": "IDP_ADAPTER", "id": "password" }));
    assert_eq!(shown["ipAddress"], "127.0.0.1");
    assert!(shown["userAgent"].is_null(), "this person's browser does not say what it is");
    let (began, active) = (moment(&shown["creationTime"])?, moment(&shown["lastActivityTime"])?);
    assert!(began <= active);
    assert_eq!(moment(&shown["idleTimeout"])?.duration_since(active).as_secs(), 600);
    assert_eq!(moment(&shown["maxTimeout"])?.duration_since(began).as_secs(), 3600);
    assert_eq!(authn_session(&app, &sid).await?, *shown, "looking is no activity");
    add(&app, &sid).await?;
    assert_eq!(status(&app, &sid).await?, "SESSION_REVOKED");
    assert_eq!(status(&app, "unknown").await?, "NO_VALID_SESSIONS");
    add(&app, "listed-and-unknown").await?;
    assert_eq!(status(&app, "listed-and-unknown").await?, "SESSION_REVOKED");
    for malformed in ["a%20b", "a%2Fb", &"x".repeat(513)] {
        for path in [format!("/sessions/{malformed}/extend"), format!("/sessions/{malformed}/revoke")] {
            is_refused(&post(&app, &path).await?, 400, "session_mgmt_invalid_request");
        }
        is_refused(&get(&app, &format!("/sessions/{malformed}")).await?, 400, "session_mgmt_invalid_request");
    }
    Ok(())
}

#[tokio::test]
async fn p26_a_session_that_ran_out_of_time_is_none_that_is_valid() -> Result<()> {
    let lines = "[authentication_sources.password]\nsession_idle_secs = 1\nsession_max_secs = 3600";
    let server = Server::start_with(lines).await?;
    let app = permitted(&server, json!({})).await?;
    let sid = sign_in(&app).await?.sid;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    // Once its end is written down it is on the list.
    let over = |status: &str| ["NO_VALID_SESSIONS", "SESSION_REVOKED"].contains(&status);
    assert!(over(&status(&app, &sid).await?));
    let extended = post(&app, &format!("/sessions/{sid}/extend")).await?;
    assert!(over(extended.succeeds()["status"].as_str().context("no status")?), "{}", extended.text);
    let asked = get(&app, &format!("/revokedSris/{sid}")).await?;
    assert!([200, 404].contains(&asked.status));
    assert!(over(&status(&app, &sid).await?), "neither extending nor asking revives");
    assert!(sessions_of(&app, "ada").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn p27_extending_begins_the_idle_time_anew_up_to_the_maximum() -> Result<()> {
    let lines = "[authentication_sources.password]\nsession_idle_secs = 600\nsession_max_secs = 600";
    let (server, short) = (Server::start().await?, Server::start_with(lines).await?);
    for (server, is_capped) in [(&server, false), (&short, true)] {
        let app = permitted(server, json!({})).await?;
        let sid = sign_in(&app).await?.sid;
        let before = authn_session(&app, &sid).await?;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        let answer = post(&app, &format!("/sessions/{sid}/extend")).await?;
        assert_eq!(answer.succeeds()["status"], "HAS_VALID_SESSIONS");
        let after = &answer.body["authnSessions"][0];
        assert_eq!(*after, authn_session(&app, &sid).await?);
        assert!(moment(&after["lastActivityTime"])? > moment(&before["lastActivityTime"])?);
        assert_eq!(after["maxTimeout"], before["maxTimeout"]);
        if is_capped {
            assert_eq!(after["idleTimeout"], after["maxTimeout"]);
        } else {
            assert!(moment(&after["idleTimeout"])? > moment(&before["idleTimeout"])?);
        }
        add(&app, &sid).await?;
        for (id, expected) in [(sid.as_str(), "SESSION_REVOKED"), ("unknown", "NO_VALID_SESSIONS")] {
            let refused = post(&app, &format!("/sessions/{id}/extend")).await?;
            assert_eq!(refused.succeeds()["status"], expected);
            assert_eq!(status(&app, id).await?, expected, "nothing is revived");
        }
    }
    Ok(())
}

#[tokio::test]
async fn p28_a_session_revoked_here_is_on_the_list() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let signed_in = sign_in(&app).await?;
    for _ in 0..2 {
        let answer = post(&app, &format!("/sessions/{}/revoke", signed_in.sid)).await?;
        assert_eq!(answer.succeeds()["status"], "SESSION_REVOKED");
    }
    assert!(is_listed(&app, &signed_in.sid).await?);
    app.sees_dead(&signed_in.access).await?;
    app.sees_refresh_refused(&signed_in.refresh).await?;
    assert_eq!(post(&app, "/sessions/unknown/revoke").await?.succeeds()["status"], "SESSION_REVOKED");
    assert!(is_listed(&app, "unknown").await?);
    Ok(())
}

#[tokio::test]
async fn p29_a_users_sessions_are_listed_and_all_revoked() -> Result<()> {
    let server = Server::start().await?;
    let joe = json!({ "user_name": "joe@example.com", "password": PASSWORD });
    server.administer(Method::POST, "/users", &joe).await?;
    let app = permitted(&server, json!({})).await?;
    assert!(sessions_of(&app, "joe%40example.com").await?.is_empty());
    let (one, two, offline) = (sign_in(&app).await?, sign_in(&app).await?, app.sign_in().await?);
    let mut person = someone(&app);
    let page = open(&mut person, &address(&app, "/authorize", &parameters(&app, &[]))?).await?;
    fill(&mut person, &page, &[("username", "joe@example.com"), ("password", PASSWORD)]).await?;
    let joes = sessions_of(&app, "joe%40example.com").await?;
    assert_eq!(joes.len(), 1);
    let listed = sessions_of(&app, "ada").await?;
    assert_eq!(listed.len(), 3);
    assert!(listed.contains(&one.sid) && listed.contains(&two.sid) && listed.is_disjoint(&joes));
    assert_eq!(sessions_of(&app, "ADA").await?, listed);
    assert_eq!(sessions_of(&app, "%61da").await?, listed);
    for key in ["unknown", "%2561da", "JOE%40example.com"] {
        let answer = post(&app, &format!("/users/{key}/revoke")).await?;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{key}");
        assert_eq!(sessions_of(&app, "ada").await?, listed, "{key}");
    }
    assert!(sessions_of(&app, "joe@example.com").await?.is_empty());
    let answer = post(&app, "/users/ada/revoke").await?;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert!(sessions_of(&app, "ada").await?.is_empty());
    for ended in [&one, &two] {
        assert!(is_listed(&app, &ended.sid).await?);
        app.sees_dead(&ended.access).await?;
        app.sees_refresh_refused(&ended.refresh).await?;
    }
    app.refresh(&offline.refresh).await?;
    let again = sign_in(&app).await?;
    assert_eq!(sessions_of(&app, "ada").await?, BTreeSet::from([again.sid]));
    Ok(())
}

#[tokio::test]
async fn p30_where_keys_are_hashed_only_the_hash_names_a_user() -> Result<()> {
    let server = Server::start_with("[sessions]\nhash_user_key = true").await?;
    let app = permitted(&server, json!({})).await?;
    let sid = sign_in(&app).await?.sid;
    let hash = Sha256::digest("ada");
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, hash);
    for key in [hex.as_str(), &hex.to_uppercase(), &encoded, &format!("{encoded}%3D")] {
        assert_eq!(sessions_of(&app, key).await?, BTreeSet::from([sid.clone()]), "{key}");
    }
    for key in ["ada", "u_ada", &hex[1..]] {
        assert!(sessions_of(&app, key).await?.is_empty(), "{key}");
        assert_eq!(post(&app, &format!("/users/{key}/revoke")).await?.status, 200);
    }
    assert!(!is_listed(&app, &sid).await?);
    assert_eq!(post(&app, &format!("/users/{hex}/revoke")).await?.status, 200);
    assert!(is_listed(&app, &sid).await?);
    Ok(())
}

#[tokio::test]
async fn users_are_named_by_their_id_where_the_configuration_says_so() -> Result<()> {
    let server = Server::start_with("[sessions]\nuser_key = \"id\"").await?;
    let app = permitted(&server, json!({})).await?;
    let sid = sign_in(&app).await?.sid;
    let user = server.administer(Method::GET, "/users/ada", &Value::Null).await?;
    let id = user["id"].as_str().context("no id")?;
    assert_eq!(sessions_of(&app, id).await?, BTreeSet::from([sid]));
    assert!(sessions_of(&app, "ada").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn p31_deleting_an_authentication_session_ends_that_one_and_others_stay() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let (one, other) = (sign_in(&app).await?, sign_in(&app).await?);
    let delete = async |sid: &str, id: &str| {
        Answer::of(call(&app, Method::DELETE, &format!("/sessions/{sid}/authnSessions/{id}"))).await
    };
    let not_found = "session_mgmt_authn_session_not_found";
    for wrong in ["unknown", &format!("{}.password", other.sid), &one.sid] {
        is_refused(&delete(&one.sid, wrong).await?, 404, not_found);
    }
    is_refused(&delete("unknown", "unknown.password").await?, 404, not_found);
    assert_eq!(status(&app, &one.sid).await?, "HAS_VALID_SESSIONS");
    let id = authn_session(&app, &one.sid).await?["id"].as_str().context("no id")?.to_owned();
    let deleted = delete(&one.sid, &id).await?;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    assert_eq!(status(&app, &one.sid).await?, "SESSION_REVOKED", "its last one is gone, and it with it");
    is_refused(&delete(&one.sid, &id).await?, 404, not_found);
    app.sees_dead(&one.access).await?;
    assert_eq!(status(&app, &other.sid).await?, "HAS_VALID_SESSIONS");
    assert_eq!(sessions_of(&app, "ada").await?, BTreeSet::from([other.sid]));
    app.sees_alive(&other.access).await
}
