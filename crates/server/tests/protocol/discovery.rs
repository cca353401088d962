//! Metadata (RFC 8414, OpenID Connect Discovery): the same everywhere, and true.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::Value;

use crate::{
    application::Answer,
    server::{Server, Setup},
};

async fn fetch(server: &Server, url: &str) -> Result<Answer> {
    Answer::of(server.http.get(url)).await
}

#[tokio::test]
async fn both_well_known_paths_give_the_same_bytes() -> Result<()> {
    let server = Server::start().await?;
    let one = fetch(&server, &format!("{}/.well-known/openid-configuration", server.issuer)).await?;
    let other = fetch(&server, &format!("{}/.well-known/oauth-authorization-server", server.issuer)).await?;
    assert_eq!(one.succeeds()["issuer"], server.issuer);
    assert_eq!(one.text, other.text);
    assert_eq!(one.headers["content-type"], "application/json");
    Ok(())
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_where_either_standard_puts_it() -> Result<()> {
    let server = Server::start_as(Setup { path: "/tenant/a", ..Setup::default() }).await?;
    let origin = server.issuer.strip_suffix("/tenant/a").context("no path")?;
    let mut texts = Vec::new();
    for url in [
        format!("{}/.well-known/openid-configuration", server.issuer),
        format!("{origin}/.well-known/oauth-authorization-server/tenant/a"),
        format!("{origin}/.well-known/openid-configuration/tenant/a"),
    ] {
        let answer = fetch(&server, &url).await?;
        assert_eq!(answer.succeeds()["issuer"], server.issuer, "{url}");
        texts.push(answer.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    let metadata: Value = serde_json::from_str(&texts[0])?;
    let keys = fetch(&server, metadata["jwks_uri"].as_str().context("no jwks_uri")?).await?;
    assert!(keys.succeeds()["keys"].is_array());
    Ok(())
}

#[tokio::test]
async fn whatever_is_advertised_answers_and_no_list_is_empty() -> Result<()> {
    let server = Server::start_with("development = true\nregistration = \"open\"").await?;
    let metadata = fetch(&server, &format!("{}/.well-known/openid-configuration", server.issuer)).await?;
    let members = metadata.succeeds().as_object().context("not an object")?;
    let mut endpoints = 0;
    for (name, value) in members {
        assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name} is empty");
        let Some(url) = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri") else { continue };
        let reads = [
            "authorization_endpoint",
            "end_session_endpoint",
            "jwks_uri",
            "ping_end_session_endpoint",
            "ping_session_management_sris_endpoint",
            "ping_session_management_users_endpoint",
            "status_list_aggregation_endpoint",
            "status_list_endpoint",
            "userinfo_endpoint",
        ];
        let method = if reads.contains(&name.as_str()) { Method::GET } else { Method::POST };
        let status = server.http.request(method, url).send().await?.status().as_u16();
        // Without the id of a list it says where lists are.
        let nameless = name == "status_list_endpoint" && status == 404;
        assert!(nameless || (status != 404 && status != 405 && status < 500), "{name} answers {status}");
        assert!(url.starts_with(&server.issuer), "{name} is elsewhere");
        endpoints += 1;
    }
    assert_eq!(endpoints, 17, "{}", metadata.text);
    assert_eq!(members["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(members["authorization_response_iss_parameter_supported"], true);
    Ok(())
}

#[tokio::test]
async fn certificates_are_advertised_only_where_one_can_be_shown() -> Result<()> {
    let plain = Server::start().await?;
    let proxied =
        Server::start_with("[proxy]\ntrusted = [\"127.0.0.1\"]\nclient_certificate_header = \"client-cert\"").await?;
    for (server, expected) in [(&plain, false), (&proxied, true)] {
        let metadata = fetch(server, &format!("{}/.well-known/openid-configuration", server.issuer)).await?;
        let methods = metadata.succeeds()["token_endpoint_auth_methods_supported"].to_string();
        assert_eq!(methods.contains("tls_client_auth"), expected, "{methods}");
        let bound = metadata.body["tls_client_certificate_bound_access_tokens"].as_bool().unwrap_or(false);
        assert_eq!(bound, expected, "RFC 8705 section 3.3");
    }
    Ok(())
}
