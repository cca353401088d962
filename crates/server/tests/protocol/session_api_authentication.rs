//! Who may call the session APIs: clients that prove who they are by their own method, and that were given the permission.

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use rescind::clock::{Clock, fresh_id};
use rescind_jose::{Algorithm, Kind, SigningKey};
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application},
    certificates::{Shown, proxied, self_signed},
    server::Server,
    session_api::{add, addition, anonymous, call, get, is_listed, is_refused, permitted, post},
};

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const DENIED: &str = "session_mgmt_access_denied";
const INVALID_CLIENT: &str = "session_mgmt_invalid_client";

#[tokio::test]
async fn p6_p7_bad_and_missing_credentials_are_refused_with_an_explanation() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let impostor = Application { server: &server, id: app.id.clone(), secret: Some("wrong".to_owned()) };
    let nobody = Application { server: &server, id: "c_nobody".to_owned(), secret: app.secret.clone() };
    let mut answers = Vec::new();
    for caller in [&impostor, &nobody] {
        answers.push(Answer::of(addition(caller, "p6")).await?);
        answers.push(get(caller, "/revokedSris/p6").await?);
    }
    let same = answers.iter().all(|answer| answer.text == answers[0].text);
    assert!(same, "who is registered is not told");
    answers.push(Answer::of(anonymous(&server, Method::GET, "/revokedSris/p6")).await?);
    let body = json!({ "id": "p6" });
    answers.push(Answer::of(anonymous(&server, Method::POST, "/revokedSris").json(&body)).await?);
    let bearer = anonymous(&server, Method::GET, "/revokedSris/p6").bearer_auth("abc");
    answers.push(Answer::of(bearer).await?);
    for answer in &answers {
        is_refused(answer, 401, INVALID_CLIENT);
        assert_eq!(answer.headers["www-authenticate"], r#"Basic realm="rescind""#);
    }
    assert!(!is_listed(&app, "p6").await?);
    Ok(())
}

#[tokio::test]
async fn p11_a_client_without_the_permission_is_refused() -> Result<()> {
    let server = Server::start().await?;
    let neither = Application::confidential(&server).await?;
    let list_only = Application::add(&server, json!({ "session_revocation_api": true })).await?;
    let management_only = Application::add(&server, json!({ "session_management_api": true })).await?;
    for app in [&neither, &management_only] {
        is_refused(&Answer::of(addition(app, "p11")).await?, 403, DENIED);
        is_refused(&get(app, "/revokedSris/p11").await?, 403, DENIED);
    }
    for app in [&neither, &list_only] {
        is_refused(&get(app, "/sessions/p11").await?, 403, DENIED);
        is_refused(&get(app, "/users/ada").await?, 403, DENIED);
        for path in ["/sessions/p11/extend", "/sessions/p11/revoke", "/users/ada/revoke"] {
            is_refused(&post(app, path).await?, 403, DENIED);
        }
        let path = "/sessions/p11/authnSessions/p11.password";
        is_refused(&Answer::of(call(app, Method::DELETE, path)).await?, 403, DENIED);
    }
    let public = Application::add(&server, json!({ "auth_method": "none" })).await?;
    let named = anonymous(&server, Method::GET, &format!("/revokedSris/p11?client_id={}", public.id));
    is_refused(&Answer::of(named).await?, 403, DENIED);
    assert!(!is_listed(&list_only, "p11").await?);
    assert_eq!(get(&management_only, "/sessions/p11").await?.succeeds()["status"], "NO_VALID_SESSIONS");
    // Taken away, it is gone at once.
    let path = format!("/clients/{}", list_only.id);
    server.administer(Method::PATCH, &path, &json!({ "session_revocation_api": false })).await?;
    is_refused(&Answer::of(addition(&list_only, "p11")).await?, 403, DENIED);
    Ok(())
}

fn assertion(app: &Application<'_>, key: &SigningKey) -> Result<String> {
    let now = Clock::System.now().secs();
    let claims = json!({
        "iss": app.id, "sub": app.id, "aud": app.server.issuer, "iat": now, "exp": now + 60, "jti": fresh_id(""),
    });
    Ok(key.sign(Kind::IdToken, &claims)?)
}

#[tokio::test]
async fn p12_each_client_authenticates_by_its_own_method() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.1", false)).await?;
    let list = || anonymous(&server, Method::POST, "/revokedSris");
    let item = |query: &str| anonymous(&server, Method::GET, &format!("/revokedSris/p12{query}"));
    // A secret in the body.
    let app = permitted(&server, json!({ "auth_method": "client_secret_post" })).await?;
    let secret = app.secret.clone().context("no secret")?;
    let credentials = json!({ "id": "p12", "client_id": app.id, "client_secret": secret });
    assert_eq!(Answer::of(list().json(&credentials)).await?.status, 201);
    let form = [("client_id", app.id.as_str()), ("client_secret", &secret)];
    assert_eq!(Answer::of(item("").form(&form)).await?.status, 200, "a GET may have a body, too");
    let extended = anonymous(&server, Method::POST, "/sessions/p12/extend").form(&form);
    assert_eq!(Answer::of(extended).await?.succeeds()["status"], "SESSION_REVOKED");
    is_refused(&Answer::of(list().form(&form)).await?, 415, "session_mgmt_unsupported_media_type");
    let by_header = Answer::of(addition(&app, "p12")).await?;
    is_refused(&by_header, 401, INVALID_CLIENT);
    // A certificate.
    let shown = Shown::make("client.example", None)?;
    let app = permitted(&server, self_signed(&shown)).await?;
    let certificate = STANDARD.encode(&shown.der);
    let named = json!({ "id": "p12", "client_id": app.id });
    assert_eq!(Answer::of(list().header("client-cert", &certificate).json(&named)).await?.status, 201);
    let query = format!("?client_id={}", app.id);
    assert_eq!(Answer::of(item(&query).header("client-cert", &certificate)).await?.status, 200);
    is_refused(&Answer::of(list().json(&named)).await?, 401, INVALID_CLIENT);
    is_refused(&Answer::of(item("").header("client-cert", &certificate)).await?, 401, INVALID_CLIENT);
    // A signature.
    let key = SigningKey::generate(Algorithm::Es256)?;
    let keys = json!({ "auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] } });
    let app = permitted(&server, keys).await?;
    let jwt = assertion(&app, &key)?;
    let signed = json!({ "id": "p12", "client_assertion": jwt, "client_assertion_type": ASSERTION });
    assert_eq!(Answer::of(list().json(&signed)).await?.status, 201);
    is_refused(&Answer::of(list().json(&signed)).await?, 401, INVALID_CLIENT);
    let jwt = assertion(&app, &key)?;
    let query = format!("?client_assertion_type={ASSERTION}&client_assertion={jwt}");
    assert_eq!(Answer::of(item(&query)).await?.status, 200);
    is_refused(&Answer::of(item(&query)).await?, 401, INVALID_CLIENT);
    let jwt = assertion(&app, &key)?;
    let misplaced = format!("/revokedSris?client_assertion_type={ASSERTION}&client_assertion={jwt}");
    let misplaced = anonymous(&server, Method::POST, &misplaced).json(&json!({ "id": "p12" }));
    is_refused(&Answer::of(misplaced).await?, 401, INVALID_CLIENT);
    Ok(())
}

#[tokio::test]
async fn a_secret_in_a_query_is_refused_even_beside_good_credentials() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({ "auth_method": "client_secret_post" })).await?;
    let by_header = permitted(&server, json!({})).await?;
    let secret = app.secret.clone().context("no secret")?;
    let query = format!("?client_id={}&client_secret={secret}", app.id);
    let requests = [
        anonymous(&server, Method::GET, &format!("/revokedSris/q{query}")),
        anonymous(&server, Method::POST, &format!("/revokedSris{query}")).json(&json!({ "id": "q" })),
        call(&by_header, Method::GET, &format!("/revokedSris/q?client_secret={secret}")),
    ];
    for request in requests {
        let answer = Answer::of(request).await?;
        is_refused(&answer, 401, INVALID_CLIENT);
        assert!(answer.text.contains("query") && !answer.text.contains(&secret), "{}", answer.text);
    }
    assert!(!is_listed(&by_header, "q").await?);
    Ok(())
}

#[tokio::test]
async fn two_ways_of_authentication_at_once_are_one_too_many() -> Result<()> {
    let server = Server::start().await?;
    let app = permitted(&server, json!({})).await?;
    let secret = app.secret.clone().context("no secret")?;
    let bodies: [Value; 2] = [
        json!({ "id": "two", "client_id": app.id, "client_secret": secret }),
        json!({ "id": "two", "client_id": "another" }),
    ];
    for body in bodies {
        let answer = Answer::of(call(&app, Method::POST, "/revokedSris").json(&body)).await?;
        is_refused(&answer, 400, "session_mgmt_invalid_request");
    }
    assert!(!is_listed(&app, "two").await?);
    let same = json!({ "id": "two", "client_id": app.id });
    assert_eq!(Answer::of(call(&app, Method::POST, "/revokedSris").json(&same)).await?.status, 201);
    add(&app, "two").await
}
