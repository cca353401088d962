//! The audit trail over the wire: what is recorded of requests, by which name, and what never is.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    server::Server,
    session_api::{addition, anonymous, get, permitted},
};

const HEADER: &str = "x-correlation-id";

/// The records that a query finds, the newest first.
async fn records(server: &Server, query: &str) -> Result<Vec<Value>> {
    let found = server.administer(Method::GET, &format!("/audit?{query}"), &Value::Null).await?;
    found["items"].as_array().cloned().context("no items")
}

/// The one record of a request.
async fn record_of(server: &Server, correlation_id: &str) -> Result<Value> {
    let found = records(server, &format!("correlation_id={correlation_id}")).await?;
    assert_eq!(found.len(), 1, "{found:#?}");
    Ok(found[0].clone())
}

fn id_of(answer: &Answer) -> Result<String> {
    Ok(answer.headers.get(HEADER).context("the answer names no request")?.to_str()?.to_owned())
}

#[tokio::test]
async fn a_correlation_id_is_taken_over_into_answer_and_record_and_a_bad_one_is_replaced() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let given = Answer::of(addition(&app, "s_given").header(HEADER, "shop-17:a/b")).await?;
    assert_eq!((given.status, id_of(&given)?.as_str()), (201, "shop-17:a/b"));
    let record = record_of(&server, "shop-17:a/b").await?;
    assert_eq!(record["target"], json!({ "kind": "session", "session": "s_given" }));
    let secret = app.secret.clone().context("no secret")?;
    let long = "x".repeat(129);
    for (place, wrong) in ["a b", "a\"b", &long, "", &secret].into_iter().enumerate() {
        let answer = Answer::of(addition(&app, &format!("s_{place}")).header(HEADER, wrong)).await?;
        let made = id_of(&answer)?;
        assert!(answer.status == 201 && made.starts_with("r_"), "{made} for {wrong:?}");
        let record = record_of(&server, &made).await?;
        let told = (&record["client"], &record["ip"], &record["actor"]["id"], &record["outcome"]);
        assert_eq!(told, (&json!(app.id), &json!("127.0.0.1"), &json!(app.id), &json!("ended")));
    }
    let (one, other) = (get(&app, "/revokedSris/s_0").await?, get(&app, "/revokedSris/s_0").await?);
    assert_ne!(id_of(&one)?, id_of(&other)?, "each request gets its own");
    Ok(())
}

#[tokio::test]
async fn an_ending_asked_for_again_is_a_record_that_says_so_and_no_second_entry() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let grant = app.introspect(&tokens.access).await?.succeeds()["grant_id"].clone();
    assert_eq!(app.revoke(&tokens.access, None).await?.status, 200);
    let order = json!({ "target": { "kind": "grant", "grant": grant }, "reason": "policy", "note": "to be sure" });
    server.administer(Method::POST, "/revocations", &order).await?;
    let orders = records(&server, "action=order").await?;
    let outcomes: Vec<_> = orders.iter().map(|record| &record["outcome"]).collect();
    assert_eq!(outcomes, [&json!("already_ended"), &json!("ended")]);
    assert_eq!(orders[0]["position"], orders[1]["position"]);
    assert_eq!((&orders[0]["note"], &orders[0]["actor"]["id"]), (&json!("to be sure"), &json!("local")));
    Ok(())
}

#[tokio::test]
async fn refusals_at_the_session_endpoints_are_recorded_with_whoever_proved_who_they_are() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let without = Application::confidential(&server).await?;
    let impostor = Application { server: &server, id: app.id.clone(), secret: Some("wrong".to_owned()) };
    let refused = |request: reqwest::RequestBuilder, id: &'static str| Answer::of(request.header(HEADER, id));
    assert_eq!(refused(addition(&without, "s_1"), "no-permission").await?.status, 403);
    assert_eq!(refused(addition(&impostor, "s_1"), "impostor").await?.status, 401);
    assert_eq!(refused(anonymous(&server, Method::GET, "/revokedSris/s_1"), "nobody").await?.status, 401);
    assert_eq!(refused(addition(&app, "s 1"), "malformed").await?.status, 400);
    let record = record_of(&server, "no-permission").await?;
    assert_eq!(record["action"], "refusal");
    assert_eq!(
        (&record["outcome"], &record["actor"]),
        (&json!("session_mgmt_access_denied"), &json!({ "kind": "client", "id": without.id }))
    );
    assert_eq!(record["what"], "POST /pf-ws/rest/sessionMgmt/revokedSris");
    for (id, client) in [("impostor", &app.id), ("nobody", &app.id)] {
        let record = record_of(&server, id).await?;
        assert_eq!((&record["outcome"], &record["actor"]), (&json!("session_mgmt_invalid_client"), &Value::Null));
        assert!(record["ip"] == "127.0.0.1" && record["client"] != json!(client), "{record}");
    }
    assert_eq!(records(&server, "correlation_id=malformed").await?, [Value::Null; 0], "bad input is no refusal");
    Ok(())
}

#[tokio::test]
async fn the_admin_api_records_who_saw_and_changed_what_and_whom_it_turned_away() -> Result<()> {
    let server = Server::start().await?;
    let members = json!({ "scopes": ["rescind:read"], "grant_types": ["client_credentials"] });
    let auditor = Application::add(&server, members).await?;
    let fields = [("grant_type", "client_credentials")];
    let token = auditor.post("/token", &fields).await?.text("access_token")?;
    let ask = |method: Method, path: &str, token: Option<&str>, id: &str| {
        let request = server.http.request(method, format!("{}/admin/v1{path}", server.issuer)).header(HEADER, id);
        Answer::of(token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth))
    };
    assert_eq!(ask(Method::GET, "/users/ada", Some(&token), "seen").await?.status, 200);
    assert_eq!(ask(Method::DELETE, "/users/ada", Some(&token), "too-much").await?.status, 403);
    assert_eq!(ask(Method::GET, "/users", Some("rsc_at_forged"), "forged").await?.status, 401);
    assert_eq!(ask(Method::GET, "/users", None, "unknown").await?.status, 401);
    assert_eq!(ask(Method::GET, "/users/nobody-of-that-name", Some(&token), "not-there").await?.status, 404);
    let seen = record_of(&server, "seen").await?;
    let told = (&seen["action"], &seen["what"], &seen["actor"]["id"], &seen["ip"]);
    assert_eq!(told, (&json!("read"), &json!("GET /admin/v1/users/ada"), &json!(auditor.id), &json!("127.0.0.1")));
    for (id, outcome) in [("too-much", "insufficient_scope"), ("forged", "invalid_token"), ("unknown", "no_token")] {
        let record = record_of(&server, id).await?;
        assert_eq!((&record["action"], &record["outcome"]), (&json!("refusal"), &json!(outcome)), "{record}");
    }
    let not_there = records(&server, "correlation_id=not-there").await?;
    let told: Vec<_> = not_there.iter().map(|record| (&record["action"], &record["outcome"])).collect();
    assert_eq!(json!(told), json!([["refusal", "not_found"], ["read", "asked"]]), "what was asked, and that it failed");
    assert!(not_there.iter().all(|record| record["what"] == "GET /admin/v1/users/nobody-of-that-name"));
    let local = |method: Method, path: &str, body: Value, id: &str| {
        let request = server.admin.request(method, format!("http://localhost/admin/v1{path}")).header(HEADER, id);
        Answer::of(request.json(&body))
    };
    let taken = json!({ "user_name": "ada", "password": "another long password" });
    assert_eq!(local(Method::POST, "/users", taken, "taken").await?.status, 409);
    assert_eq!(local(Method::PATCH, "/settings/statusListTtl", json!({ "value": 0 }), "wrong").await?.status, 422);
    let set = json!({ "value": 7, "note": "asked for" });
    assert_eq!(local(Method::PATCH, "/settings/statusListTtl", set, "set").await?.status, 200);
    for (id, action, outcome) in
        [("taken", "refusal", "conflict"), ("wrong", "refusal", "refused"), ("set", "setting", "set")]
    {
        let found = records(&server, &format!("correlation_id={id}&action={action}")).await?;
        assert_eq!((found.len(), &found[0]["outcome"]), (1, &json!(outcome)), "{found:#?}");
        assert_eq!(found[0]["actor"], json!({ "kind": "administrator", "id": "local" }));
    }
    let set = record_of(&server, "set").await?;
    assert_eq!((&set["what"], &set["note"]), (&json!("statusListTtl: 10 -> 7"), &json!("asked for")));
    Ok(())
}

#[tokio::test]
async fn reading_the_trail_is_recorded_and_its_pages_hang_together() -> Result<()> {
    let server = Server::start().await?;
    let page = |query: &str| {
        let path = format!("/audit/records?{query}");
        let server = &server;
        async move { server.administer(Method::GET, &path, &Value::Null).await }
    };
    let first = page("limit=2").await?;
    assert_eq!((&first["after"]["seq"], &first["floor"]["seq"]), (&json!(0), &json!(0)));
    let items = first["items"].as_array().context("no items")?;
    assert_eq!(items.len(), 2);
    let second = page(&format!("after={}", items[1]["seq"])).await?;
    assert_eq!(second["after"]["hash"], items[1]["hash"]);
    let own: Value = serde_json::from_str(second["items"][0]["record"].as_str().context("no text")?)?;
    let told = (&own["action"], own["what"].as_str().context("no words")?);
    assert_eq!(told, (&json!("read"), format!("GET /admin/v1/audit/records?after={}", items[1]["seq"]).as_str()));
    let last = second["items"].as_array().and_then(|items| items.last()).context("no records")?;
    let from = page(&format!("since={}", last["time"].as_str().context("no time")?)).await?;
    let found = from["items"].as_array().context("no items")?;
    assert!(found.iter().any(|record| record["seq"] == last["seq"]), "{from}");
    let all = page("since=2001-01-01T00:00:00Z").await?;
    assert_eq!(all["items"][0]["seq"], json!(1));
    for wrong in ["after=x", "since=yesterday", "after=1&since=2001-01-01T00:00:00Z", "action=order"] {
        let asked = server.admin.get(format!("http://localhost/admin/v1/audit/records?{wrong}"));
        assert_eq!(Answer::of(asked).await?.status, 400, "{wrong}");
    }
    let asked = server.admin.get("http://localhost/admin/v1/audit?action=planet");
    assert_eq!(Answer::of(asked).await?.status, 400);
    Ok(())
}
