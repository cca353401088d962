//! The same endpoints under the prefix where clients written for Janssen look for them.

use anyhow::{Context, Result};
use reqwest::Method;
use rescind_jose::{Algorithm, Kind, SigningKey};
use serde_json::{Value, json};

use crate::{
    application::{Answer, Application, REDIRECT_URI},
    assertions::{assertion_request, claims},
    browsing::{address, parameters, redeem, someone},
    global_token_revocation::{self as global, ask, ask_at},
    revoke_session::permitted,
    server::{Server, Setup},
};

const LINES: &str = "development = true\nregistration = \"open\"\n[janssen]\nprefix = \"/jans-auth/restv1\"";

async fn fetch(server: &Server, url: &str) -> Result<Answer> {
    Answer::of(server.http.get(url)).await
}

fn origin(server: &Server) -> Result<String> {
    Ok(url::Url::parse(&server.issuer)?.origin().ascii_serialization())
}

/// Where Janssen's clients find an endpoint.
fn at(server: &Server, path: &str) -> Result<String> {
    Ok(format!("{}/jans-auth/restv1{path}", origin(server)?))
}

#[tokio::test]
async fn its_discovery_document_names_endpoints_under_the_prefix_that_answer_and_the_same_issuer() -> Result<()> {
    for path in ["", "/tenant"] {
        let server = Server::start_as(Setup { lines: LINES, path, ..Setup::default() }).await?;
        let base = format!("{}/jans-auth/.well-known", origin(&server)?);
        let theirs = fetch(&server, &format!("{base}/openid-configuration")).await?;
        assert_eq!(theirs.text, fetch(&server, &format!("{base}/oauth-authorization-server")).await?.text);
        let ours = fetch(&server, &format!("{}/.well-known/openid-configuration", server.issuer)).await?;
        assert_eq!(
            (&theirs.succeeds()["issuer"], &ours.succeeds()["issuer"]),
            (&json!(server.issuer), &json!(server.issuer))
        );
        let mut moved = Vec::new();
        for (name, value) in theirs.body.as_object().context("not an object")? {
            if *value == ours.body[name] {
                continue;
            }
            let url = value.as_str().context("only addresses differ")?;
            moved.push(url.strip_prefix(&at(&server, "")?).with_context(|| format!("{name} is {url}"))?.to_owned());
            let reads =
                ["/authorize", "/end_session", "/jwks", "/status_list", "/status_list_aggregation", "/userinfo"];
            let is_read = reads.iter().any(|path| url.ends_with(path));
            let method = if is_read { Method::GET } else { Method::POST };
            let status = server.http.request(method, url).send().await?.status().as_u16();
            // Without the id of a list it says where lists are.
            let nameless = name == "status_list_endpoint" && status == 404;
            assert!(nameless || (status != 404 && status != 405 && status < 500), "{name} answers {status}");
        }
        moved.sort_unstable();
        assert_eq!(
            moved,
            [
                "/authorize",
                "/end_session",
                "/end_session",
                "/global-token-revocation",
                "/introspection",
                "/jwks",
                "/par",
                "/register",
                "/revoke",
                "/revoke_session",
                "/status_list",
                "/status_list_aggregation",
                "/token",
                "/userinfo"
            ]
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_client_signs_people_in_introspects_and_revokes_there() -> Result<()> {
    let server = Server::start_as(Setup { lines: LINES, path: "/tenant", ..Setup::default() }).await?;
    let registered = server.http.post(at(&server, "/register")?).json(&json!({
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email offline_access",
    }));
    let registered = Answer::of(registered).await?;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let app = Application {
        server: &server,
        id: registered.text("client_id")?,
        secret: Some(registered.text("client_secret")?),
    };
    let post = async |path: &str, fields: &[(String, String)]| -> Result<Answer> {
        let request = server.http.post(at(&server, path)?).basic_auth(&app.id, app.secret.as_ref()).form(fields);
        Answer::of(request).await
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());

    let pushed = post("/par", &parameters(&app, &[])).await?.text("request_uri")?;
    let mut url = address(&app, "", &[pair("client_id", &app.id), pair("request_uri", &pushed)])?;
    url.set_path("/jans-auth/restv1/authorize");
    let back = someone(&app).visit(url, REDIRECT_URI).await?;
    let code = back.query_pairs().find(|(name, _)| name == "code").context("no code")?.1.into_owned();
    let fields = [
        pair("grant_type", "authorization_code"),
        pair("code", &code),
        pair("redirect_uri", REDIRECT_URI),
        pair("code_verifier", crate::browsing::VERIFIER),
    ];
    let tokens = post("/token", &fields).await?;
    let access = tokens.succeeds()["access_token"].as_str().context("no token")?.to_owned();

    let asked = server.http.get(at(&server, "/userinfo")?).bearer_auth(&access);
    assert_eq!(Answer::of(asked).await?.succeeds()["name"], crate::server::DISPLAY_NAME);
    let introspected = post("/introspection", &[pair("token", &access)]).await?;
    assert_eq!(introspected.succeeds()["iss"], server.issuer, "the issuer stays who it is");
    app.sees_alive(&access).await?;
    let revoked = post("/revoke", &[pair("token", &access)]).await?;
    assert_eq!((revoked.status, revoked.text.as_str()), (200, ""));
    assert_eq!(post("/introspection", &[pair("token", &access)]).await?.text, r#"{"active":false}"#);
    app.sees_dead(&access).await?;
    let page = fetch(&server, &at(&server, "/end_session")?).await?;
    assert_eq!(page.status, 200, "{}", page.text);
    redeem(&app, &code, &[]).await?.is_refused(400, "invalid_grant");
    Ok(())
}

#[tokio::test]
async fn an_unknown_user_is_no_failure_there_and_404_elsewhere() -> Result<()> {
    let server = Server::start_with(LINES).await?;
    let guard = permitted(&server, global::SCOPE).await?;
    let web = Application::confidential(&server).await?;
    let tokens = web.sign_in().await?;
    let there = at(&server, "/global-token-revocation")?;
    let nobody = json!({ "format": "opaque", "id": "nobody" });
    global::is_done(&ask_at(&guard, &there, &nobody).await?);
    ask(&guard, &nobody).await?.is_refused(404, "unknown_subject");
    ask_at(&guard, &there, &json!({ "format": "opaque" })).await?.is_refused(400, "invalid_request");
    ask_at(&web, &there, &nobody).await?.is_refused(403, "access_denied");
    web.sees_alive(&tokens.access).await?;
    global::is_done(&ask_at(&guard, &there, &json!({ "format": "email", "email": "ada@example.com" })).await?);
    web.sees_dead(&tokens.access).await
}

#[tokio::test]
async fn an_assertion_names_the_token_endpoint_that_the_client_knows() -> Result<()> {
    let server = Server::start_with(LINES).await?;
    let key = SigningKey::generate(Algorithm::Es256)?;
    let members = json!({
        "redirect_uris": [], "scopes": [], "grant_types": ["client_credentials"],
        "auth_method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] },
    });
    let app = Application::add(&server, members).await?;
    let assertion = |audience: &str| -> Result<String> {
        let mut claims = claims(&app);
        claims["aud"] = audience.into();
        Ok(key.sign(Kind::IdToken, &claims)?)
    };
    let (there, here) = (at(&server, "/token")?, format!("{}/token", server.issuer));
    for (url, audience, accepted) in [
        (&there, &there, true),
        (&there, &server.issuer, true),
        (&there, &here, false),
        (&here, &here, true),
        (&here, &there, false),
    ] {
        let answer = Answer::of(assertion_request(&server, url, &assertion(audience)?)).await?;
        assert_eq!(answer.status, if accepted { 200 } else { 401 }, "{audience} at {url}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn without_a_prefix_nothing_is_there_and_a_bad_one_is_refused_at_start() -> Result<()> {
    let server = Server::start().await?;
    for path in ["/jans-auth/.well-known/openid-configuration", "/jans-auth/restv1/jwks"] {
        assert_eq!(fetch(&server, &format!("{}{path}", origin(&server)?)).await?.status, 404);
    }
    let refused = Server::start_with("janssen.prefix = \"/admin/v1\"").await.err().context("it started")?.to_string();
    assert!(refused.contains("janssen.prefix"), "{refused}");
    let metadata = fetch(&server, &format!("{}/.well-known/openid-configuration", server.issuer)).await?;
    let methods = &metadata.succeeds()["global_token_revocation_endpoint_auth_methods_supported"];
    assert_eq!(*methods, json!(["client_secret_basic", "Bearer"]));
    assert_eq!(metadata.body["session_revocation_endpoint"], format!("{}/revoke_session", server.issuer));
    assert_ne!(metadata.body["global_token_revocation_endpoint"], Value::Null);
    Ok(())
}
