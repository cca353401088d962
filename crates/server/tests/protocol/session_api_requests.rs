//! What a call of the session APIs may look like: methods, types, bodies, paths, and the order in which mistakes are told.

use anyhow::Result;
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::json;

use crate::{
    application::{Answer, Application},
    server::Server,
    session_api::{add, addition, anonymous, call, get, is_listed, is_refused, permitted, sign_in},
};

#[tokio::test]
async fn p8_only_json_is_read() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let body = r#"{"id":"p8"}"#;
    let typed = async |content_type: Option<&str>| {
        let request = call(&app, Method::POST, "/revokedSris").body(body);
        Answer::of(match content_type {
            Some(content_type) => request.header(CONTENT_TYPE, content_type),
            None => request,
        })
        .await
    };
    for wrong in [
        Some("text/plain"),
        Some("application/vnd.api+json"),
        Some("application/jsonx"),
        Some("application/x-www-form-urlencoded"),
        Some("application/merge-patch+json"),
        None,
    ] {
        is_refused(&typed(wrong).await?, 415, "session_mgmt_unsupported_media_type");
    }
    assert!(!is_listed(&app, "p8").await?);
    for right in ["application/json;charset=utf-8", "Application/JSON ; charset=UTF-8"] {
        assert_eq!(typed(Some(right)).await?.status, 201, "{right}");
    }
    Ok(())
}

#[tokio::test]
async fn p18_a_body_that_names_no_session_is_refused_and_says_why() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let before = server.administer(Method::GET, "/status", &json!(null)).await?["head"].clone();
    let too_long = format!(r#"{{"id":"{}"}}"#, "x".repeat(513));
    for (body, why) in [
        ("", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        (r#""p18""#, "not a JSON object"),
        ("{}", "missing"),
        (r#"{"ID":"p18"}"#, "missing"),
        (r#"{"id":""}"#, "empty"),
        (r#"{"id":18}"#, "a string"),
        (r#"{"id":null}"#, "a string"),
        (r#"{"id":["p18"]}"#, "a string"),
        (r#"{"id":"p18","id":"p18"}"#, "twice"),
        (r#"{"id":"p18","x":1,"x":2}"#, "twice"),
        (r#"{"id":"p 18"}"#, "characters"),
        (r#"{"id":"p/18"}"#, "characters"),
        (r#"{"id":"p18\n"}"#, "characters"),
        (r#"{"id":"%7018"}"#, "characters"),
        (&too_long, "longer"),
    ] {
        let request = call(&app, Method::POST, "/revokedSris").header(CONTENT_TYPE, "application/json");
        let answer = Answer::of(request.body(body.to_owned())).await?;
        is_refused(&answer, 400, "session_mgmt_invalid_request");
        assert!(answer.body["message"].to_string().contains(why), "{body}: {}", answer.text);
    }
    let after = server.administer(Method::GET, "/status", &json!(null)).await?["head"].clone();
    assert_eq!(after, before);
    let longest = "x".repeat(512);
    add(&app, &longest).await?;
    assert!(is_listed(&app, &longest).await?);
    let tolerated = call(&app, Method::POST, "/revokedSris").json(&json!({ "id": "p18", "comment": { "id": 1 } }));
    assert_eq!(Answer::of(tolerated).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn p34_other_methods_are_not_allowed_and_change_nothing() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let list = "GET, POST";
    for (path, methods, allowed) in [
        ("/revokedSris", &["PUT", "PATCH", "DELETE", "GET"][..], list),
        ("/revokedSris/p34", &["PUT", "PATCH", "DELETE", "POST"], list),
        ("/sessions/p34", &["PUT", "PATCH", "DELETE", "POST"], "GET"),
        ("/sessions/p34/extend", &["PUT", "PATCH", "DELETE", "GET"], "POST"),
        ("/sessions/p34/revoke", &["PUT", "PATCH", "DELETE", "GET", "OPTIONS"], "POST"),
        ("/sessions/p34/authnSessions/p34.password", &["PUT", "PATCH", "GET", "POST"], "DELETE"),
        ("/users/ada", &["PUT", "PATCH", "DELETE", "POST"], "GET"),
        ("/users/ada/revoke", &["PUT", "PATCH", "DELETE", "GET"], "POST"),
    ] {
        for method in methods {
            let request = call(&app, method.parse()?, path).json(&json!({ "id": "p34" }));
            let answer = Answer::of(request).await?;
            is_refused(&answer, 405, "session_mgmt_method_not_allowed");
            assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
        }
    }
    assert!(!is_listed(&app, "p34").await?);
    let head = call(&app, Method::HEAD, "/revokedSris/p34").send().await?;
    assert_eq!((head.status().as_u16(), head.text().await?.as_str()), (404, ""));
    Ok(())
}

#[tokio::test]
async fn mistakes_are_told_in_the_order_header_client_permission_type_body() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let stranger = Application::confidential(&server).await?;
    let url = crate::session_api::address(&server, "/revokedSris");
    let worst = || server.http.post(&url).header(CONTENT_TYPE, "text/plain").body("{");
    is_refused(&Answer::of(worst().basic_auth(&app.id, Some("wrong"))).await?, 400, "session_mgmt_xsrf_header_missing");
    let with_header = || worst().header("x-xsrf-header", "x");
    is_refused(
        &Answer::of(with_header().basic_auth(&app.id, Some("wrong"))).await?,
        401,
        "session_mgmt_invalid_client",
    );
    let without_permission = with_header().basic_auth(&stranger.id, stranger.secret.as_ref());
    is_refused(&Answer::of(without_permission).await?, 403, "session_mgmt_access_denied");
    let permitted = with_header().basic_auth(&app.id, app.secret.as_ref());
    is_refused(&Answer::of(permitted).await?, 415, "session_mgmt_unsupported_media_type");
    let broken = call(&app, Method::POST, "/revokedSris").header(CONTENT_TYPE, "application/json").body("{");
    is_refused(&Answer::of(broken).await?, 400, "session_mgmt_invalid_request");
    let bad_path = "/revokedSris/a%20b?updateActivityTime=x";
    is_refused(&Answer::of(anonymous(&server, Method::GET, bad_path)).await?, 401, "session_mgmt_invalid_client");
    is_refused(&get(&app, bad_path).await?, 400, "session_mgmt_invalid_request");
    Ok(())
}

#[tokio::test]
async fn an_id_in_a_path_is_decoded_once() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    add(&app, "a.b-c_d~e:f+g=h..").await?;
    for path in ["a.b-c_d~e:f+g=h..", "%61.b-c_d~e%3Af%2Bg%3Dh%2E%2E", "a%2Eb-c_d~e:f+g=h.."] {
        assert_eq!(get(&app, &format!("/revokedSris/{path}")).await?.status, 200, "{path}");
    }
    add(&app, "61").await?;
    for wrong in ["%2561", "a%2Fb", "a%20b", "%ff", "%C3%A4", "a&b", "a%00", &"x".repeat(513)] {
        for path in [format!("/revokedSris/{wrong}"), format!("/sessions/{wrong}")] {
            is_refused(&get(&app, &path).await?, 400, "session_mgmt_invalid_request");
        }
    }
    for nameless in ["/revokedSris/", "/sessions", "/sessions/", "/users", "/users/"] {
        is_refused(&get(&app, nameless).await?, 400, "session_mgmt_invalid_request");
    }
    Ok(())
}

#[tokio::test]
async fn ids_of_unknown_sessions_have_a_quota_and_nothing_else_has() -> Result<()> {
    let server = Server::start_with("[limits]\nunknown_session_ids_per_day = 3").await?;
    let (app, other) = (permitted(&server, json!({})).await?, permitted(&server, json!({})).await?);
    for id in ["q1", "q2", "q3"] {
        add(&app, id).await?;
        add(&app, id).await?;
    }
    let refused = Answer::of(addition(&app, "q4")).await?;
    is_refused(&refused, 429, "session_mgmt_too_many_unknown_sris");
    let wait: u32 = refused.headers["retry-after"].to_str()?.parse()?;
    assert!((1..=86_400).contains(&wait), "{wait}");
    assert!(!is_listed(&app, "q4").await?);
    let by_management = Answer::of(call(&app, Method::POST, "/sessions/q4/revoke")).await?;
    is_refused(&by_management, 429, "session_mgmt_too_many_unknown_sris");
    add(&app, "q1").await?;
    let signed_in = sign_in(&app).await?;
    add(&app, &signed_in.sid).await?;
    add(&other, "q4").await?;
    add(&app, "q4").await?;
    assert!(is_listed(&app, "q4").await?);
    Ok(())
}
