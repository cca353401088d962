//! What Entrust's document promises of "revoke OIDC and OAuth tokens", as numbered cases over the wire: an administrator's tokens
//! come from an administrator's sign-in, and what is ended is looked at where applications and APIs look.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    application::{API, API_SCOPE, Answer, Application, Tokens},
    browsing::{challenge, redeem},
    person::Person,
    server::{PASSWORD, Server, USER_NAME},
};

/// A resource server of its own beside the one there is.
const BILLING: &str = "https://billing.example";

/// The company of the cases: two applications, of which one also calls an API, and a second person.
struct Company<'a> {
    server: &'a Server,
    portal: Application<'a>,
    desk: Application<'a>,
}

impl<'a> Company<'a> {
    async fn of(server: &'a Server) -> Result<Self> {
        let members = json!({ "scopes": ["openid", "profile", "email", "offline_access", API_SCOPE], "first_party": true,
                              "grant_types": ["authorization_code", "refresh_token", "client_credentials"] });
        for api in [API, BILLING] {
            let form = json!({ "audience": api, "name": "Things", "scopes": [API_SCOPE] });
            server.administer(Method::POST, "/apis", &form).await?;
        }
        let bob = json!({ "user_name": "bob", "password": PASSWORD, "display_name": "Bob" });
        server.administer(Method::POST, "/users", &bob).await?;
        let (portal, desk) =
            (Application::add(server, members.clone()).await?, Application::add(server, members).await?);
        Ok(Self { server, portal, desk })
    }

    async fn order(&self, target: Value) -> Result<Value> {
        self.server
            .administer(Method::POST, "/revocations", &json!({ "target": target, "reason": "left_company" }))
            .await
    }

    async fn change(&self, user: &str, change: Value) -> Result<Value> {
        self.server.administer(Method::PATCH, &format!("/users/{user}"), &change).await
    }

    /// What one of the people gets at an application: an OIDC token, or one for an API with a refresh token.
    async fn tokens(&self, app: &Application<'_>, user: &str, api: Option<&str>) -> Result<Tokens> {
        self.tokens_with(app, user, PASSWORD, api).await
    }

    async fn tokens_with(
        &self,
        app: &Application<'_>,
        user: &str,
        password: &str,
        api: Option<&str>,
    ) -> Result<Tokens> {
        let code = app.code_of(user, password, api).await?;
        let answer = redeem(app, &code, &[]).await?;
        Ok(Tokens { access: answer.text("access_token")?, refresh: answer.text("refresh_token")? })
    }

    async fn entries(&self) -> Result<Vec<Value>> {
        let listed = self.server.administer(Method::GET, "/revocations?limit=500", &Value::Null).await?;
        listed["items"].as_array().cloned().context("no items")
    }
}

async fn is_active(app: &Application<'_>, token: &str) -> Result<bool> {
    Ok(app.introspect(token).await?.succeeds()["active"] == true)
}

async fn works(app: &Application<'_>, tokens: &Tokens) -> Result<bool> {
    Ok(is_active(app, &tokens.access).await? && is_active(app, &tokens.refresh).await?)
}

async fn is_gone(app: &Application<'_>, tokens: &Tokens) -> Result<bool> {
    let refused = app.try_refresh(&tokens.refresh).await?;
    Ok(!is_active(app, &tokens.access).await? && refused.status == 400 && refused.body["error"] == "invalid_grant")
}

#[tokio::test]
async fn e1_and_e2_one_token_is_revoked_and_the_users_other_one_goes_on() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let (app, api) = (&company.portal, Some(API));
    let (a, b) = (company.tokens(app, USER_NAME, None).await?, company.tokens(app, USER_NAME, api).await?);
    let grant_of =
        async |token: &Tokens| Ok::<_, anyhow::Error>(app.introspect(&token.access).await?.body["grant_id"].clone());
    company.order(json!({ "kind": "grant", "grant": grant_of(&a).await? })).await?;
    app.userinfo(&a.access).await?.is_refused(401, "invalid_token");
    assert!(works(app, &b).await?, "B still works");
    let again = company.tokens(app, USER_NAME, None).await?;
    company.order(json!({ "kind": "grant", "grant": grant_of(&b).await? })).await?;
    app.try_refresh(&b.refresh).await?.is_refused(400, "invalid_grant");
    app.sees_alive(&again.access).await
}

#[tokio::test]
async fn e3_all_tokens_of_a_user_are_revoked_and_those_of_another_go_on() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let hers = [
        company.tokens(&company.portal, USER_NAME, None).await?,
        company.tokens(&company.portal, USER_NAME, Some(API)).await?,
    ];
    let at_the_desk = company.tokens(&company.desk, USER_NAME, None).await?;
    let his = company.tokens(&company.portal, "bob", None).await?;
    company.order(json!({ "kind": "user", "user": USER_NAME })).await?;
    for tokens in &hers {
        assert!(is_gone(&company.portal, tokens).await?);
    }
    assert!(is_gone(&company.desk, &at_the_desk).await? && works(&company.portal, &his).await?);
    Ok(())
}

#[tokio::test]
async fn e4_all_tokens_of_an_application_are_revoked_and_its_users_go_on_elsewhere() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let at_the_portal = [
        company.tokens(&company.portal, USER_NAME, None).await?,
        company.tokens(&company.portal, "bob", Some(API)).await?,
    ];
    let at_the_desk =
        [company.tokens(&company.desk, USER_NAME, None).await?, company.tokens(&company.desk, "bob", None).await?];
    company.order(json!({ "kind": "client", "client": company.portal.id })).await?;
    for tokens in &at_the_portal {
        assert!(is_gone(&company.portal, tokens).await?);
    }
    for tokens in &at_the_desk {
        assert!(works(&company.desk, tokens).await?);
    }
    Ok(())
}

#[tokio::test]
async fn e5_all_tokens_for_an_api_are_revoked_and_neither_those_for_another_nor_plain_ones() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let app = &company.portal;
    let orders = company.tokens(app, USER_NAME, Some(API)).await?;
    let billing = company.tokens(app, USER_NAME, Some(BILLING)).await?;
    let plain = company.tokens(app, USER_NAME, None).await?;
    company.order(json!({ "kind": "api", "api": API })).await?;
    assert!(!is_active(app, &orders.access).await?);
    assert_eq!(app.try_refresh(&orders.refresh).await?.status, 400, "nothing new for it either");
    assert!(works(app, &billing).await? && works(app, &plain).await?);
    Ok(())
}

#[tokio::test]
async fn e6_e7_e8_and_e9_disabling_renaming_and_a_new_password_end_everything_and_nothing_comes_back() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let his = company.tokens(&company.portal, "bob", None).await?;
    let changes = [
        (json!({ "enabled": false }), json!({ "enabled": true }), "account_disabled", "user disabled"),
        (json!({ "user_name": "augusta" }), json!({ "user_name": USER_NAME }), "account_renamed", "user renamed"),
        (
            json!({ "password": "another long password" }),
            json!({ "password": PASSWORD }),
            "credential_change",
            "password changed",
        ),
    ];
    let id = company.change(USER_NAME, json!({})).await?["id"].as_str().context("no id")?.to_owned();
    for (change, back, reason, rule) in changes {
        let hers = [
            company.tokens(&company.portal, USER_NAME, None).await?,
            company.tokens(&company.portal, USER_NAME, Some(API)).await?,
        ];
        let changed = company.change(&id, change.clone()).await?;
        for tokens in &hers {
            assert!(is_gone(&company.portal, tokens).await?, "{change}");
        }
        assert!(works(&company.portal, &his).await?);
        let entry = &company.entries().await?[0];
        assert_eq!(entry["position"], changed["ended"]["position"]);
        assert_eq!((&entry["reason"], &entry["note"]), (&json!(reason), &json!(format!("rule: {rule}"))), "{entry}");
        company.change(&id, back).await?;
        assert!(is_gone(&company.portal, &hers[0]).await?, "nothing comes back");
        let after = company.tokens(&company.portal, USER_NAME, None).await?;
        assert!(works(&company.portal, &after).await?, "a new sign-in works");
    }
    Ok(())
}

#[tokio::test]
async fn e10_after_a_revocation_a_new_token_needs_a_new_authorization() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let app = &company.portal;
    let mut ada = Person::new(server.http.clone());
    let before = app.tokens_by(&mut ada).await?;
    company.order(json!({ "kind": "user_client", "user": USER_NAME, "client": app.id })).await?;
    assert!(is_gone(app, &before).await?);
    // Her session goes on, but what it began with is older than the cut-off: she has to prove again who she is.
    let silent = app.silently(&mut ada).await?;
    assert_eq!(silent, Err("login_required".to_owned()));
    let after = app.tokens_by(&mut ada).await?;
    assert!(works(app, &after).await?);
    Ok(())
}

#[tokio::test]
async fn e13_a_viewer_sees_the_list_and_is_refused_the_revocation_with_a_record() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let tokens = company.tokens(&company.portal, USER_NAME, None).await?;
    let console = json!({ "scopes": ["openid", "rescind:read", "rescind:revoke"], "first_party": true });
    let console = Application::add(&server, console).await?;
    company.change("bob", json!({ "role": "viewer" })).await?;
    let bob = company.change("bob", json!({})).await?["id"].clone();
    let viewer = console.administrator("bob").await?;
    let at = |path: &str| format!("{}/admin/v1{path}", server.issuer);
    let listed = Answer::of(server.http.get(at("/tokens?user=ada")).bearer_auth(&viewer)).await?;
    assert_eq!(listed.succeeds()["items"].as_array().map(Vec::len), Some(1), "{}", listed.text);
    let order = json!({ "target": { "kind": "user", "user": USER_NAME } });
    let refused = Answer::of(server.http.post(at("/revocations")).bearer_auth(&viewer).json(&order)).await?;
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("insufficient_role")), "{}", refused.text);
    assert!(works(&company.portal, &tokens).await? && company.entries().await?.is_empty());
    let records = server.administer(Method::GET, "/audit?action=refusal", &Value::Null).await?;
    let record = &records["items"][0];
    assert_eq!(
        (&record["outcome"], &record["what"]),
        (&json!("insufficient_role"), &json!("POST /admin/v1/revocations")),
        "{record}"
    );
    assert_eq!(record["actor"]["id"], bob, "{record}");
    Ok(())
}

#[tokio::test]
async fn e14_each_revocation_leaves_one_record_with_actor_target_and_outcome() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    company.tokens(&company.portal, USER_NAME, Some(API)).await?;
    let before = server.administer(Method::GET, "/audit?action=order", &Value::Null).await?;
    assert!(before["items"].as_array().is_some_and(Vec::is_empty));
    company.order(json!({ "kind": "user", "user": USER_NAME })).await?;
    company.order(json!({ "kind": "client", "client": company.portal.id })).await?;
    company.order(json!({ "kind": "api", "api": API })).await?;
    company.change(USER_NAME, json!({ "enabled": false })).await?;
    let records = server.administer(Method::GET, "/audit?action=order", &Value::Null).await?;
    let records = records["items"].as_array().context("no items")?;
    let told: Vec<_> = records.iter().map(|one| (one["target"]["kind"].as_str(), one["outcome"].as_str())).collect();
    let ended = Some("ended");
    let kinds = ["subject", "audience", "client", "subject"].map(|kind| (Some(kind), ended));
    assert_eq!(told, kinds, "{records:#?}");
    assert!(
        records.iter().all(|one| one["actor"] == json!({ "kind": "administrator", "id": "local" })),
        "{records:#?}"
    );
    assert_eq!(records[0]["note"], "rule: user disabled", "an automatic one names the trigger");
    Ok(())
}

#[tokio::test]
async fn e15_revoking_what_nobody_holds_succeeds_and_its_preview_counts_nothing() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let preview = server.administer(Method::GET, "/revocations/preview?kind=user&user=bob", &Value::Null).await?;
    assert_eq!(
        (&preview["access_tokens"], &preview["grants"], &preview["sessions"]),
        (&json!(0), &json!(0), &json!(0))
    );
    let done = company.order(json!({ "kind": "user", "user": "bob" })).await?;
    assert_eq!(done["fresh"], true, "{done}");
    Ok(())
}

#[tokio::test]
async fn e16_a_token_without_a_user_is_in_nobodys_list_and_application_and_api_reach_it() -> Result<()> {
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let app = &company.portal;
    let own = async || {
        let fields = [("grant_type", "client_credentials"), ("scope", API_SCOPE), ("resource", API)];
        app.post("/token", &fields).await?.text("access_token")
    };
    for target in [json!({ "kind": "client", "client": app.id }), json!({ "kind": "api", "api": API })] {
        let token = own().await?;
        for user in [USER_NAME, "bob"] {
            let listed = server.administer(Method::GET, &format!("/tokens?user={user}"), &Value::Null).await?;
            assert!(listed["items"].as_array().is_some_and(Vec::is_empty), "{listed}");
            company.order(json!({ "kind": "user", "user": user })).await?;
        }
        assert!(is_active(app, &token).await?, "nobody's revocation reaches it");
        company.order(target).await?;
        assert!(!is_active(app, &token).await?);
    }
    Ok(())
}

#[tokio::test]
async fn e17_a_jwt_checked_offline_still_passes_and_introspection_says_inactive() -> Result<()> {
    const PAYROLL: &str = "https://payroll.example";
    let server = Server::start().await?;
    let company = Company::of(&server).await?;
    let form = json!({ "audience": PAYROLL, "name": "Payroll", "scopes": [API_SCOPE], "token_format": "jwt" });
    server.administer(Method::POST, "/apis", &form).await?;
    let app = &company.portal;
    let tokens = company.tokens(app, USER_NAME, Some(PAYROLL)).await?;
    company.order(json!({ "kind": "api", "api": PAYROLL })).await?;
    assert!(!is_active(app, &tokens.access).await?);
    // What an API sees that asks nobody: a good signature and time left. The preview says so beforehand.
    let keys = Answer::of(server.http.get(format!("{}/jwks", server.issuer))).await?;
    let [head, claims] = [0, 1].map(|part| decoded(&tokens.access, part));
    let (head, claims) = (head?, claims?);
    let keys = keys.succeeds()["keys"].as_array().cloned().context("no keys")?;
    assert!(keys.iter().any(|key| key["kid"] == head["kid"]), "its key is published as before");
    assert_eq!(claims["aud"], PAYROLL);
    assert!(claims["exp"].as_i64().context("no exp")? > jiff::Timestamp::now().as_second());
    Ok(())
}

fn decoded(jwt: &str, part: usize) -> Result<Value> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let text = jwt.split('.').nth(part).context("not a JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?)
}

impl Application<'_> {
    fn asked(&self, more: &[(&str, &str)]) -> Result<url::Url> {
        let mut url = url::Url::parse(&format!("{}/authorize", self.server.issuer))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.id)
            .append_pair("redirect_uri", crate::application::REDIRECT_URI)
            .append_pair("code_challenge", &challenge(crate::browsing::VERIFIER))
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        Ok(url)
    }

    /// A fresh sign-in of one of the people, for userinfo or for an API.
    async fn code_of(&self, user: &str, password: &str, api: Option<&str>) -> Result<String> {
        let scope = if api.is_some() { API_SCOPE } else { "openid profile email" };
        let mut more = vec![("scope", scope)];
        more.extend(api.map(|api| ("resource", api)));
        let mut person = Person::named(self.server.http.clone(), user, password);
        code_in(&person.visit(self.asked(&more)?, crate::application::REDIRECT_URI).await?)
    }

    async fn tokens_by(&self, person: &mut Person) -> Result<Tokens> {
        let back = person.visit(self.asked(&[("scope", "openid profile")])?, crate::application::REDIRECT_URI).await?;
        let answer = redeem(self, &code_in(&back)?, &[]).await?;
        Ok(Tokens { access: answer.text("access_token")?, refresh: answer.text("refresh_token")? })
    }

    /// Without any page: a code, or the error that the client hears.
    async fn silently(&self, person: &mut Person) -> Result<Result<String, String>> {
        let url = self.asked(&[("scope", "openid profile"), ("prompt", "none")])?;
        let back = person.visit(url, crate::application::REDIRECT_URI).await?;
        let error = back.query_pairs().find(|(name, _)| name == "error").map(|(_, error)| error.into_owned());
        error.map_or_else(|| code_in(&back).map(Ok), |error| Ok(Err(error)))
    }

    /// An access token with which one of the people administers.
    async fn administrator(&self, user: &str) -> Result<String> {
        let mut person = Person::named(self.server.http.clone(), user, PASSWORD);
        let url = self.asked(&[("scope", "openid rescind:read rescind:revoke")])?;
        let back = person.visit(url, crate::application::REDIRECT_URI).await?;
        redeem(self, &code_in(&back)?, &[]).await?.text("access_token")
    }
}

fn code_in(back: &url::Url) -> Result<String> {
    let code = back.query_pairs().find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
    code.with_context(|| format!("no code came back: {back}"))
}
