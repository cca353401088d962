//! The console over the wire: who gets in, what a form needs, and that nothing anybody wrote comes to life in a page.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use url::Url;

use crate::{
    application::Application,
    page::main_form,
    person::Person,
    server::{PASSWORD, Server, USER_NAME},
};

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>";

/// A browser in which somebody uses the console.
pub(crate) struct Browser<'a> {
    server: &'a Server,
    person: Person,
}

/// A page that came back.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: header::HeaderMap,
    pub(crate) html: String,
}

impl Page {
    async fn of(answer: Response) -> Result<Self> {
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Self { status, headers, html: answer.text().await? })
    }

    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The first value of a hidden field.
    pub(crate) fn field(&self, name: &str) -> Result<String> {
        let begin = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.html.split_once(&begin).with_context(|| format!("no field {name}: {}", self.html))?;
        Ok(rest.split('"').next().unwrap_or_default().to_owned())
    }
}

impl<'a> Browser<'a> {
    /// Holds a token of a service with these scopes, as if it had signed in.
    async fn with_scopes(server: &'a Server, scopes: &[&str]) -> Result<Self> {
        let service = json!({ "redirect_uris": [], "grant_types": ["client_credentials"], "scopes": scopes });
        let app = Application::add(server, service).await?;
        let got = app.post("/token", &[("grant_type", "client_credentials"), ("scope", &scopes.join(" "))]).await?;
        let mut person = Person::new(server.http.clone());
        person.cookies.insert("rescind_console".to_owned(), got.text("access_token")?);
        Ok(Self { server, person })
    }

    pub(crate) async fn administrator(server: &'a Server) -> Result<Self> {
        Self::with_scopes(server, &["rescind:read", "rescind:revoke", "rescind:write"]).await
    }

    fn stranger(server: &'a Server) -> Self {
        Self { server, person: Person::new(server.http.clone()) }
    }

    fn at(&self, path: &str) -> Result<Url> {
        Ok(Url::parse(&format!("{}/console{path}", self.server.issuer))?)
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Page> {
        Page::of(self.person.send(&self.at(path)?, None).await?).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Page::of(self.person.send(&self.at(path)?, Some(fields)).await?).await
    }

    /// As another page, or a browser that says where a form came from.
    async fn post_saying(&self, path: &str, fields: &[(&str, &str)], said: &[(&str, &str)]) -> Result<Page> {
        let cookies: Vec<String> = self.person.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.server.http.post(self.at(path)?).header(header::COOKIE, cookies.join("; ")).form(fields);
        for (name, value) in said {
            request = request.header(*name, *value);
        }
        Page::of(request.send().await?).await
    }

    /// Signs in by the forms, and comes as far as the page that leads on to the console.
    async fn signs_in(&mut self, path: &str, name: &str) -> Result<Page> {
        let mut url = self.at(path)?;
        let mut fields = None;
        for _ in 0..10 {
            let answer = Page::of(self.person.send(&url, fields.take()).await?).await?;
            if answer.status == 303 {
                url = url.join(answer.location())?;
                continue;
            }
            if url.path().ends_with("/console/callback") {
                return Ok(answer);
            }
            let form = main_form(&answer.html).with_context(|| answer.html.clone())?;
            url = url.join(form.attributes.find("action").unwrap_or_default())?;
            let mut typed = self.person.filled(&form);
            typed.iter_mut().filter(|(field, _)| field == "username").for_each(|(_, value)| name.clone_into(value));
            fields = Some(typed);
        }
        anyhow::bail!("no end of it")
    }
}

pub(crate) async fn add_user(server: &Server, name: &str, role: Value) -> Result<String> {
    let user = json!({ "user_name": name, "password": PASSWORD, "role": role });
    let added = server.administer(Method::POST, "/users", &user).await?;
    Ok(added["id"].as_str().context("no id")?.to_owned())
}

pub(crate) async fn user_id(server: &Server, name: &str) -> Result<String> {
    let found = server.administer(Method::GET, &format!("/users/{name}"), &Value::Null).await?;
    Ok(found["id"].as_str().context("no id")?.to_owned())
}

pub(crate) async fn entries(server: &Server) -> Result<usize> {
    let found = server.administer(Method::GET, "/revocations", &Value::Null).await?;
    Ok(found["items"].as_array().map_or(0, Vec::len))
}

const READABLE: [&str; 12] = [
    "",
    "/users",
    "/new-user",
    "/applications",
    "/apis",
    "/sessions",
    "/revoke?kind=everything",
    "/revocations",
    "/audit",
    "/settings",
    "/scripts",
    "/administrators",
];

#[tokio::test]
async fn without_a_token_every_line_of_the_table_leads_to_the_sign_in_and_shows_nothing() -> Result<()> {
    let server = Server::start().await?;
    let mut stranger = Browser::stranger(&server);
    for line in rescind::console::PAGES {
        let path = line.path.replace("{id}", "x").replace("{*rest}", "nowhere");
        let page = match line.method.name() {
            "GET" => stranger.get(&path).await?,
            _ => stranger.post(&path, &[("csrf", "x")]).await?,
        };
        assert_eq!((page.status, page.html.as_str()), (303, ""), "{path}");
        assert!(page.location().starts_with(&format!("{}/authorize?", server.issuer)), "{path}: {}", page.location());
        for part in ["client_id=rescind-console", "code_challenge_method=S256", "state=", "console%2Fcallback"] {
            assert!(page.location().contains(part), "{path}: {}", page.location());
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_administrator_signs_in_and_the_token_is_in_no_page_and_out_of_reach_of_scripts() -> Result<()> {
    let server = Server::start().await?;
    add_user(&server, "root", json!("administrator")).await?;
    let mut root = Browser::stranger(&server);
    let onward = root.signs_in("/users?search=a", "root").await?;
    assert_eq!(onward.status, 200, "{}", onward.html);
    assert!(onward.html.contains("0;url=/console/users?search=a"), "{}", onward.html);
    let token = root.person.cookies.get("rescind_console").context("no token")?.clone();
    let set: Vec<&str> =
        onward.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let cookie = set.iter().find(|cookie| cookie.starts_with("rescind_console=")).context("no cookie")?;
    for part in ["; Path=/console;", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{part}");
    }
    assert!(!onward.html.contains(&token));
    for path in READABLE {
        let page = root.get(path).await?;
        assert_eq!(page.status, 200, "{path}: {}", page.html);
        assert!(!page.html.contains(&token) && !page.html.contains("rsc_"), "{path} has a token in it");
    }
    assert!(!server.log().contains(&token));
    Ok(())
}

#[tokio::test]
async fn a_user_without_a_role_is_told_so_and_how_to_get_one() -> Result<()> {
    let server = Server::start().await?;
    let mut ada = Browser::stranger(&server);
    ada.signs_in("", USER_NAME).await?;
    for path in READABLE.into_iter().filter(|path| *path != "/new-user") {
        let page = ada.get(path).await?;
        assert_eq!(page.status, 403, "{path}: {}", page.html);
        assert!(page.html.contains("has no role here") && page.html.contains("--role administrator"), "{}", page.html);
    }
    Ok(())
}

#[tokio::test]
async fn each_role_does_what_it_may_and_is_refused_the_rest() -> Result<()> {
    let server = Server::start().await?;
    let ada = user_id(&server, USER_NAME).await?;
    for (role, may_revoke, may_write) in
        [("viewer", false, false), ("revoker", true, false), ("administrator", true, true)]
    {
        let own = add_user(&server, role, json!(role)).await?;
        let mut somebody = Browser::stranger(&server);
        somebody.signs_in("", role).await?;
        let page = somebody.get("/users").await?;
        assert_eq!(page.status, 200, "{role}");
        assert_eq!(
            page.html.contains(">Revoke<"),
            may_revoke,
            "{role} is offered what is refused, or the other way round"
        );
        assert_eq!(page.html.contains("Add a user"), may_write, "{role}");
        let csrf = somebody.get("/new-user").await?.field("csrf")?;
        let target = [("csrf", csrf.as_str()), ("kind", "user"), ("user", ada.as_str()), ("enabled", "true")];
        let before = entries(&server).await?;
        let revoked = somebody.post("/revoke", &target).await?;
        assert_eq!(revoked.status, if may_revoke { 303 } else { 403 }, "{role}: {}", revoked.html);
        assert_eq!(entries(&server).await?, before + usize::from(may_revoke), "{role}");
        for path in [format!("/users/{ada}/enabled"), format!("/users/{ada}/role"), format!("/users/{own}/role")] {
            let written = somebody.post(&path, &target).await?;
            assert_eq!(written.status, if may_write { 303 } else { 403 }, "{role} {path}: {}", written.html);
            assert_eq!(written.html.contains("Your role does not allow this"), !may_write, "{role} {path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_form_that_is_not_ours_changes_nothing() -> Result<()> {
    let server = Server::start().await?;
    let ada = user_id(&server, USER_NAME).await?;
    let (mut root, mut other) = (Browser::administrator(&server).await?, Browser::administrator(&server).await?);
    let (own, others) = (root.get("/users").await?.field("csrf")?, other.get("/users").await?.field("csrf")?);
    let before = entries(&server).await?;
    let path = "/revoke";
    let fields = |csrf| [("csrf", csrf), ("kind", "user"), ("user", ada.as_str()), ("reason", "other")];
    for (csrf, said) in [
        ("", vec![]),
        ("nonsense", vec![]),
        (others.as_str(), vec![]),
        (own.as_str(), vec![("sec-fetch-site", "cross-site")]),
        (own.as_str(), vec![("sec-fetch-site", "same-site")]),
        (own.as_str(), vec![("origin", "https://evil.example")]),
        (own.as_str(), vec![("origin", "null")]),
    ] {
        let refused = root.post_saying(path, &fields(csrf), &said).await?;
        assert_eq!(refused.status, 403, "{csrf} {said:?}");
        assert!(refused.html.contains("out of date"), "{}", refused.html);
    }
    assert_eq!(entries(&server).await?, before);
    let ours = [("sec-fetch-site", "same-origin"), ("origin", server.issuer.as_str())];
    let done = root.post_saying(path, &fields(&own), &ours).await?;
    assert_eq!(done.status, 303, "{}", done.html);
    assert_eq!(entries(&server).await?, before + 1);
    Ok(())
}

#[tokio::test]
async fn every_page_keeps_itself_from_being_framed_cached_or_made_to_run_anything() -> Result<()> {
    let server = Server::start().await?;
    let mut root = Browser::administrator(&server).await?;
    for path in READABLE.into_iter().chain(["/nowhere", "/callback", "/users/nobody"]) {
        let page = root.get(path).await?;
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            assert_eq!(page.headers.get(&name).and_then(|found| found.to_str().ok()), Some(value), "{path} {name}");
        }
        let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str()?;
        for part in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for wrong in ["<style", " style=", " onclick=", "javascript:"] {
            assert!(!page.html.contains(wrong), "{path} has {wrong}");
        }
        assert_eq!(page.html.matches("<script").count(), page.html.matches("<script src=\"/assets/").count(), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn what_anybody_wrote_stays_text_in_every_page_that_shows_it() -> Result<()> {
    let server = Server::start().await?;
    let user = json!({ "user_name": HOSTILE, "display_name": HOSTILE, "email": HOSTILE });
    let user = server.administer(Method::POST, "/users", &user).await?;
    let id = user["id"].as_str().context("no id")?;
    let client = json!({ "name": HOSTILE, "redirect_uris": ["https://hostile.example/cb"] });
    let client = server.administer(Method::POST, "/clients", &client).await?;
    let client = client["id"].as_str().context("no id")?;
    server.administer(Method::POST, "/apis", &json!({ "audience": "urn:x:\"'><script>", "name": HOSTILE })).await?;
    let note = json!({ "target": { "kind": "user", "user": id }, "note": HOSTILE });
    let entry = server.administer(Method::POST, "/revocations", &note).await?;
    let mut root = Browser::administrator(&server).await?;
    let paths = [
        "/users".to_owned(),
        format!("/users/{id}"),
        format!("/users/{id}?tab=audit"),
        format!("/users/{id}/change"),
        format!("/revoke?kind=user&user={id}"),
        format!(
            "/revoke?kind=user_client&user={id}&client={client}&back=/console/%22%3E%3Cscript%3Ealert(1)&note=%3Cscript%3E"
        ),
        "/applications".to_owned(),
        format!("/applications/{client}"),
        "/apis".to_owned(),
        "/revocations".to_owned(),
        format!("/revocations/{}", entry["position"].as_str().unwrap_or_default()),
        "/audit".to_owned(),
        "/users?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/audit?actor=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ];
    for path in paths {
        let page = root.get(&path).await?;
        for alive in ["<script>alert", "<img src=x", "onerror='alert"] {
            assert!(!page.html.contains(alive), "{path} has {alive}");
        }
    }
    let shown = root.get("/users").await?;
    assert!(shown.html.contains("&#60;script&#62;alert(1)"), "the name is not shown at all");
    Ok(())
}

#[tokio::test]
async fn a_revocation_in_the_console_is_one_of_the_administrators_with_their_address_and_reason() -> Result<()> {
    let server = Server::start().await?;
    let root_id = add_user(&server, "root", json!("administrator")).await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let mut root = Browser::stranger(&server);
    root.signs_in("", "root").await?;
    let ada = user_id(&server, USER_NAME).await?;
    let dialog = root.get(&format!("/revoke?kind=user&user={ada}")).await?;
    for words in ["Ada Lovelace", "in every application", "This ends", "1 user"] {
        assert!(dialog.html.contains(words), "{words}: {}", dialog.html);
    }
    app.sees_alive(&tokens.access).await?;
    let (csrf, key) = (dialog.field("csrf")?, dialog.field("idempotency")?);
    let order = [
        ("csrf", csrf.as_str()),
        ("idempotency", key.as_str()),
        ("kind", "user"),
        ("user", ada.as_str()),
        ("reason", "left_company"),
        ("note", "seen out"),
    ];
    let before = entries(&server).await?;
    let done = root.post("/revoke", &order).await?;
    assert_eq!(done.status, 303, "{}", done.html);
    app.sees_dead(&tokens.access).await?;
    app.sees_refresh_refused(&tokens.refresh).await?;
    let again = root.post("/revoke", &order).await?;
    assert_eq!((again.location(), entries(&server).await?), (done.location(), before + 1), "sent twice is one order");
    let receipt = root.get(done.location().trim_start_matches("/console")).await?;
    for words in ["seen out", "Left the organisation", "Ada Lovelace", "root"] {
        assert!(receipt.html.contains(words), "{words}: {}", receipt.html);
    }
    let audit = server.administer(Method::GET, &format!("/audit?action=order&actor={root_id}"), &Value::Null).await?;
    assert_eq!(
        (audit["items"][0]["ip"].as_str(), audit["items"][0]["client"].as_str()),
        (Some("127.0.0.1"), Some("rescind-console")),
        "{audit}"
    );
    Ok(())
}

#[tokio::test]
async fn who_ends_their_own_access_sees_the_outcome_and_then_has_to_sign_in() -> Result<()> {
    let server = Server::start().await?;
    let id = add_user(&server, "root", json!("administrator")).await?;
    let mut root = Browser::stranger(&server);
    root.signs_in("", "root").await?;
    let csrf = root.get("/users").await?.field("csrf")?;
    let done = root.post("/revoke", &[("csrf", &csrf), ("kind", "user"), ("user", &id), ("reason", "other")]).await?;
    assert_eq!(done.status, 200, "{}", done.html);
    assert!(done.html.contains("you with it") && done.html.contains("Position"), "{}", done.html);
    let after = root.get("/users").await?;
    assert!(after.status == 303 && after.location().contains("/authorize?"), "{}", after.location());
    Ok(())
}

#[tokio::test]
async fn htmx_gets_parts_of_pages_and_is_sent_to_sign_in_as_a_page() -> Result<()> {
    let server = Server::start().await?;
    let ada = user_id(&server, USER_NAME).await?;
    let root = Browser::administrator(&server).await?;
    let partial = async |browser: &Browser<'_>, path: &str| {
        let cookies: Vec<String> =
            browser.person.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = server.http.get(browser.at(path)?).header(header::COOKIE, cookies.join("; "));
        Page::of(request.header("hx-request", "true").send().await?).await
    };
    let dialog = partial(&root, &format!("/revoke?kind=user&user={ada}")).await?;
    assert!(
        dialog.status == 200 && !dialog.html.contains("<html") && dialog.html.contains("dialog-title"),
        "{}",
        dialog.html
    );
    let wanted = format!("/revoke?kind=user&user={ada}");
    let stranger = partial(&Browser::stranger(&server), &wanted).await?;
    let led = stranger.headers.get("hx-redirect").and_then(|value| value.to_str().ok());
    ensure!(stranger.html.is_empty(), "{}", stranger.html);
    assert_eq!(led, Some(format!("/console{wanted}").as_str()));
    Ok(())
}

#[tokio::test]
async fn an_answer_to_nobodys_sign_in_is_refused_and_so_is_anothers() -> Result<()> {
    let server = Server::start().await?;
    add_user(&server, "root", json!("administrator")).await?;
    let mut victim = Browser::stranger(&server);
    let begun = victim.get("").await?;
    let state = Url::parse(begun.location())?
        .query_pairs()
        .find(|(name, _)| name == "state")
        .context("no state")?
        .1
        .into_owned();
    for query in [
        "",
        "?code=x",
        "?code=x&state=other",
        &format!("?code=x&state={state}"),
        &format!("?error=access_denied&state={state}"),
    ] {
        let page = victim.get(&format!("/callback{query}")).await?;
        assert_eq!(page.status, 400, "{query}: {}", page.html);
        assert!(page.html.contains("You are not signed in"), "{query}");
        assert!(!victim.person.cookies.contains_key("rescind_console"), "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn signing_out_takes_the_token_away_and_leads_to_the_usual_page() -> Result<()> {
    let server = Server::start().await?;
    add_user(&server, "root", json!("administrator")).await?;
    let mut root = Browser::stranger(&server);
    root.signs_in("", "root").await?;
    let csrf = root.get("/users").await?.field("csrf")?;
    let out = root.post("/sign-out", &[("csrf", &csrf)]).await?;
    assert_eq!((out.status, out.location()), (303, "/logout"));
    assert!(!root.person.cookies.contains_key("rescind_console"));
    Ok(())
}

#[tokio::test]
async fn a_user_is_added_changed_and_removed_in_the_console() -> Result<()> {
    let server = Server::start().await?;
    let mut root = Browser::administrator(&server).await?;
    let csrf = root.get("/new-user").await?.field("csrf")?;
    let csrf = csrf.as_str();
    let added = root.post("/users", &[("csrf", csrf), ("user_name", "grace"), ("display_name", "Grace")]).await?;
    let id = user_id(&server, "grace").await?;
    assert_eq!(added.location(), format!("/console/users/{id}?done=added"));
    let taken = root.post("/users", &[("csrf", csrf), ("user_name", "grace")]).await?;
    assert!(taken.status == 409 && taken.html.contains("already exists"), "{}", taken.html);
    let off = root.post(&format!("/users/{id}/enabled"), &[("csrf", csrf), ("enabled", "false")]).await?;
    assert!(off.location().contains("done=disabled&entry=1-"), "{}", off.location());
    let said = root.get(off.location().trim_start_matches("/console")).await?;
    assert!(said.html.contains("All access has ended") && said.html.contains("Receipt 1-"), "{}", said.html);
    root.post(&format!("/users/{id}/role"), &[("csrf", csrf), ("role", "viewer")]).await?;
    let unequal = [("csrf", csrf), ("password", "one long enough"), ("again", "another long enough")];
    let unequal = root.post(&format!("/users/{id}/password"), &unequal).await?;
    assert!(unequal.status == 400 && unequal.html.contains("not the same"), "{}", unequal.html);
    let shown = server.administer(Method::GET, "/users/grace", &Value::Null).await?;
    assert_eq!(
        (&shown["enabled"], &shown["role"], &shown["has_password"]),
        (&json!(false), &json!("viewer"), &json!(false))
    );
    let wrong = root.post(&format!("/users/{id}/remove"), &[("csrf", csrf), ("user_name", "ada")]).await?;
    assert!(wrong.status == 400 && wrong.html.contains("Nobody was removed"), "{}", wrong.html);
    let gone = root.post(&format!("/users/{id}/remove"), &[("csrf", csrf), ("user_name", "grace")]).await?;
    assert!(gone.location().starts_with("/console/users?done=removed"), "{}", gone.location());
    assert_eq!(root.get(&format!("/users/{id}")).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_setting_is_changed_only_as_it_was_seen() -> Result<()> {
    let server = Server::start().await?;
    let mut root = Browser::administrator(&server).await?;
    let page = root.get("/settings/statusListTtl").await?;
    let (csrf, version) = (page.field("csrf")?, page.field("version")?);
    let fields = [("csrf", csrf.as_str()), ("version", version.as_str()), ("value", "20"), ("note", "slower")];
    assert_eq!(root.post("/settings/statusListTtl", &fields).await?.status, 303);
    let late = root.post("/settings/statusListTtl", &fields).await?;
    assert!(late.status == 409 && late.html.contains("Somebody changed a setting meanwhile"), "{}", late.html);
    let wrong = [("csrf", csrf.as_str()), ("value", "never")];
    let wrong = root.post("/settings/statusListTtl", &wrong).await?;
    assert_eq!(wrong.status, 422, "{}", wrong.html);
    Ok(())
}

/// The fields of the dialog's order, by what its form holds.
async fn order_of(root: &mut Browser<'_>, path: &str) -> Result<Vec<(String, String)>> {
    let html = root.get(path).await?.html;
    let (_, order) = html.split_once("class=\"order\"").with_context(|| html.clone())?;
    let order = order.split("</form>").next().unwrap_or_default();
    ensure!(
        order.contains("name=\"before\" type=\"datetime-local\""),
        "what is typed is not part of the order: {order}"
    );
    let hidden = order.split("<input type=\"hidden\" name=\"").skip(1);
    let pair = |text: &str| {
        let (name, rest) = text.split_once("\" value=\"")?;
        Some((name.to_owned(), rest.split('"').next()?.to_owned()))
    };
    Ok(hidden.filter_map(pair).collect())
}

#[tokio::test]
async fn a_time_that_was_typed_and_not_counted_is_counted_first_and_never_dropped() -> Result<()> {
    let server = Server::start().await?;
    let app = Application::confidential(&server).await?;
    let tokens = app.sign_in().await?;
    let mut root = Browser::administrator(&server).await?;
    let ada = user_id(&server, USER_NAME).await?;
    let fields = order_of(&mut root, &format!("/revoke?kind=user&user={ada}")).await?;
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let typed = [&fields[..], &[("before", "2020-01-01T00:00")]].concat();
    let counted = root.post("/revoke", &typed).await?;
    assert_eq!((counted.status, entries(&server).await?), (200, 0), "{}", counted.html);
    assert!(counted.html.contains("Counted anew"), "{}", counted.html);
    let only_counted = [&typed[..], &[("count", "again"), ("counted", "2020-01-01T00:00")]].concat();
    assert_eq!((root.post("/revoke", &only_counted).await?.status, entries(&server).await?), (200, 0));
    let seen: Vec<_> = typed.iter().copied().filter(|(name, _)| *name != "counted").collect();
    let done = root.post("/revoke", &[&seen[..], &[("counted", "2020-01-01T00:00")]].concat()).await?;
    assert_eq!(done.status, 303, "{}", done.html);
    let listed = server.administer(Method::GET, "/revocations", &Value::Null).await?;
    assert_eq!(listed["items"][0]["before"], json!(1_577_836_800_000_i64), "{listed}");
    app.sees_alive(&tokens.access).await
}
