//! The description of the endpoints against the endpoints: PyPI `schemathesis` makes requests from it, right and wrong
//! ones, and looks at every answer. Its hooks, `blackbox/openapi_hooks.py`, say as whom it calls.
//!
//! The server is this test's own, for the calls end, change and remove whatever they find: orders for everything, new
//! signing keys, clients and users. Only those by whom the calls are made are left alone by the hooks; their tokens are not,
//! and are asked for anew.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    parts::{self, Subject, programs, run},
    server::{Server, Setup},
};

/// Anybody may register, nobody is slowed down, and the endpoints are served to Janssen's clients as well.
const LINES: &str = "development = true\nregistration = \"open\"\n[limits]\nsign_in_attempts_per_minute = 10000\n\
                     sign_ins_begun_per_minute = 10000\n[janssen]\nprefix = \"/jans-auth/restv1\"";

/// What is looked at in every answer: all that schemathesis knows but `positive_data_acceptance`, since a request that fits
/// its schema may name what is unknown or taken, and `object_level_authorization`, which needs two kinds of callers.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,\
                      allow_header_conformance,use_after_free,ensure_resource_availability,ignored_auth";

/// Random requests for each operation, beside those that go through its parameters one by one.
const EXAMPLES: &str = "20";

/// Operations that need what no request made from a description can have, each with the reason. Their refusals are looked
/// at like all others; other tests see them succeed.
const NEVER_SUCCEED: [(&str, &str); 13] = [
    ("GET /receipts/{code}", "the code opens one receipt, and nobody can make one up"),
    ("POST /sign-in", "the form is bound to a browser and a page of ours"),
    ("POST /consent", "the form is bound to a browser and a page of ours"),
    ("POST /account/password", "the form is bound to a browser and a page of ours"),
    ("POST /account/end", "the form is bound to a browser and a page of ours"),
    (
        "DELETE /pf-ws/rest/sessionMgmt/sessions/{sri}/authnSessions/{id}",
        "the id has to be that of a session that runs",
    ),
    ("GET /status_list", "it only says that a list has an id"),
    ("POST /status_list", "it only says that a list has an id"),
    ("GET /status_list/{id}", "there is a list only where an API wants JWTs"),
    ("POST /status_list/{id}", "there is a list only where an API wants JWTs"),
    (
        "POST /admin/v1/pending-revocations/{id}/approve",
        "it takes a second administrator, and an order that reaches many",
    ),
    ("POST /admin/v1/bulk-jobs/{id}/approve", "it takes a second administrator, and an order that reaches many"),
    ("GET /openapi.json", "schemathesis reads it, and makes no calls to it"),
];

/// What succeeds only by luck, since it takes an optional parameter with the one right value.
const MAY_SUCCEED: [&str; 2] = ["GET /authorize", "POST /authorize"];

/// Where the same handlers are once more: that they succeed is seen at their own paths.
const COPIES: &str = "/jans-auth/restv1/";

#[tokio::test]
async fn every_endpoint_answers_as_its_description_says() -> Result<()> {
    let Some(parts) = parts::find() else { return Ok(()) };
    // Every refusal has a line in the log.
    let server = Server::start_as(Setup { lines: LINES, log: "warn", ..Setup::default() }).await?;
    let admin = json!({ "redirect_uris": [], "grant_types": ["client_credentials"], "scopes": ["rescind:write"] });
    let admin = Application::add(&server, admin).await?;
    let scopes = ["openid", "profile", "email", "orders:read", "revoke_session", "global_token_revocation"];
    let more = json!({ "first_party": true, "session_revocation_api": true, "session_management_api": true, "scopes": scopes });
    let subject = Subject::add(&server, more).await?;
    // So that there is an entry to look at, and a script.
    let order = json!({ "target": { "kind": "client", "client": subject.app.id } });
    server.administer(Method::POST, "/revocations", &order).await?;

    let script = json!({ "name": "guard", "source": "fn revoke(event) { allow() }", "enabled": false });
    server.administer(Method::POST, "/scripts", &script).await?;

    let mut command = Command::new(parts.join("python/bin/python"));
    command.arg("-B").arg(parts.join("python/bin/schemathesis"));
    command.args(["run", "--no-color", "--warnings", "off", "--continue-on-failure", "--generation-deterministic"]);
    command.args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", EXAMPLES, "--checks", CHECKS]);
    command.arg(format!("{}/openapi.json", server.issuer)).current_dir(server.path(""));
    subject.tell(&mut command);
    let seen = server.path("seen.json");
    command.env("ADMIN_ID", &admin.id).env("ADMIN_SECRET", admin.secret.as_deref().context("no secret")?);
    command.env("SEEN", &seen).env("SCHEMATHESIS_HOOKS", "openapi_hooks").env("PYTHONPATH", programs());
    run(command, &server).await?;

    every_operation_succeeded(&server, &std::fs::read_to_string(seen)?).await
}

/// Nothing is shown by an operation that was only ever refused.
async fn every_operation_succeeded(server: &Server, seen: &str) -> Result<()> {
    let seen: BTreeMap<String, BTreeMap<String, u32>> = serde_json::from_str(seen)?;
    let document = Answer::of(server.http.get(format!("{}/openapi.json", server.issuer))).await?;
    for (path, item) in document.succeeds()["paths"].as_object().context("no paths")? {
        for method in item.as_object().into_iter().flat_map(serde_json::Map::<String, Value>::keys) {
            let name = format!("{} {path}", method.to_uppercase());
            let statuses = seen.get(&name).cloned().unwrap_or_default();
            let succeeded = statuses.keys().any(|status| status.starts_with(['2', '3']));
            let is_listed = NEVER_SUCCEED.iter().any(|(listed, _)| *listed == name);
            let is_open = MAY_SUCCEED.contains(&name.as_str()) || path.starts_with(COPIES);
            assert!(succeeded != is_listed || is_open, "{name} answered {statuses:?}");
        }
    }
    Ok(())
}
