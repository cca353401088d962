//! The document against what is served, and against its own rules.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{document, operations};
use crate::{
    admin,
    app::{App, Opened},
    clock::Clock,
    config::{self, Config},
    pace::Pace,
};

const METHODS: [&str; 6] = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"];

fn configured(issuer: &str) -> Config {
    config::from_toml(&format!("issuer = {issuer:?}\njanssen.prefix = \"/jans-auth/restv1\""), []).unwrap()
}

fn open(folder: &std::path::Path, issuer: &str) -> Arc<App> {
    let mut config = configured(issuer);
    config.data_dir = folder.join("data");
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    // Opening waits for the writer, which must not be done where futures run.
    let opening = std::thread::spawn(|| Opened::open(config, Clock::System, Pace::Free).unwrap().start().unwrap().0);
    opening.join().unwrap()
}

fn written(issuer: &str) -> Value {
    let config = configured(issuer);
    serde_json::to_value(document(&config, operations(&config))).unwrap()
}

/// Every operation: its method, its path and what is written of it.
fn each(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            let operation = &item[method.to_lowercase()];
            if !operation.is_null() {
                found.push((method.to_owned(), path.clone(), operation.clone()));
            }
        }
    }
    found
}

async fn status(router: &Router, method: &str, path: &str) -> StatusCode {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

/// A path with something in its places.
fn filled(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn a_method_is_served_if_and_only_if_it_is_described() {
    for (issuer, path_of_issuer) in [("https://id.example", ""), ("https://id.example/tenant", "/tenant")] {
        let folder = tempfile::tempdir().unwrap();
        let app = open(folder.path(), issuer);
        let (network, local) = (crate::router(&app), admin::local_router(&app));
        let document = written(issuer);
        let described: BTreeSet<_> = each(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
        for path in document["paths"].as_object().unwrap().keys() {
            let at_root =
                each(&document).iter().any(|(_, known, operation)| known == path && !operation["servers"].is_null());
            let prefix = if at_root { "" } else { path_of_issuer };
            for method in METHODS {
                // Over the network, the admin API tells strangers nothing about its methods.
                let status = match path.starts_with(admin::BASE) {
                    true => status(&local, method, &filled(path)).await,
                    false => status(&network, method, &format!("{prefix}{}", filled(path))).await,
                };
                let is_served = status != StatusCode::METHOD_NOT_ALLOWED;
                let is_described = described.contains(&(method.to_owned(), path.clone()));
                assert_eq!(is_served, is_described, "{method} {path} answers {status}");
            }
        }
    }
}

/// What no table knows cannot be served: routes are made in these files only, each from its table. That of the console is not in
/// the document: its pages are for people, and do what the admin API does.
#[test]
fn routes_are_made_from_the_tables_alone() {
    const FROM_TABLES: [&str; 4] = ["endpoint.rs", "admin/mod.rs", "console/routes.rs", "protocol/session_api/mod.rs"];
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            // The demonstration's own company has a server of its own.
            if path.is_dir() && name != "cli/demo" {
                folders.push(path);
            } else if path.is_file() && !name.contains("tests") && !FROM_TABLES.contains(&name.as_str()) {
                assert!(
                    !std::fs::read_to_string(&path).unwrap().contains(".route("),
                    "{name} makes a route of its own"
                );
            }
        }
    }
}

#[test]
fn every_operation_says_what_it_is_who_may_call_it_and_what_it_answers() {
    let document = written("https://id.example");
    let mut ids = BTreeSet::new();
    for (method, path, operation) in each(&document) {
        let name = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{name} has no summary");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
        assert!(operation["security"].is_array(), "{name} does not say who may call it");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}");
        let answers = operation["responses"].as_object().unwrap();
        for status in ["408", "413", "500", "503"] {
            assert!(answers.contains_key(status), "{name} does not say {status}");
        }
        // Without an id there is no list.
        let only_refuses = path.ends_with("/status_list") && method != "OPTIONS";
        assert_eq!(answers.keys().any(|status| status.starts_with(['2', '3'])), !only_refuses, "{name} never succeeds");
        let is_admin = path.starts_with(admin::BASE);
        assert!(!is_admin || ["400", "401", "403"].iter().all(|status| answers.contains_key(*status)), "{name}");
        let takes_a_body = !operation["requestBody"].is_null();
        assert!(!takes_a_body || answers.contains_key("400"), "{name} takes a body that cannot be wrong");
        for part in path.split('/').filter(|part| part.starts_with('{')) {
            let place = part.trim_matches(['{', '}']);
            let parameters = operation["parameters"].as_array().unwrap();
            assert!(parameters.iter().any(|one| one["name"] == place && one["in"] == "path"), "{name}: {place}");
        }
    }
}

/// Collects every reference in the document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if let (true, Some(text)) = (name == "$ref", member.as_str()) {
                    found.insert(text.to_owned());
                }
                references(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = written("https://id.example");
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
    }
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            assert!(found.contains(&format!("#/components/{kind}/{name}")), "{kind} {name} is used by nobody");
        }
    }
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), "https://id.example/tenant");
    let request = Request::get("/tenant/openapi.json").body(Body::empty()).unwrap();
    let response = crate::router(&app).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"][0]["url"], "https://id.example/tenant");
    assert_eq!(document, written("https://id.example/tenant"));
}

#[tokio::test]
async fn the_page_says_what_the_document_says_without_any_script() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), "https://id.example/tenant");
    let request = Request::get("/tenant/openapi").body(Body::empty()).unwrap();
    let response = crate::router(&app).oneshot(request).await.unwrap();
    let policy = response.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'") && !policy.contains("script"));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let page = std::str::from_utf8(&body).unwrap();
    assert!(!page.contains("<script") && !page.contains(" style=") && !page.contains("src=\"http"));
    let document = written("https://id.example/tenant");
    for (method, path, operation) in each(&document) {
        let id = operation["operationId"].as_str().unwrap();
        assert!(page.contains(&format!("id=\"{id}\"")), "{method} {path} is not on the page");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(page.contains(&format!("id=\"schema-{name}\"")), "{name} is not on the page");
    }
}
