//! What the pages promise, checked on the HTML and the headers.

use super::*;

const HOSTILE: &str = "\"><script>alert('x')</script><a onclick='y";
const SITE: Site = Site { base: "/id", name: HOSTILE };
const ALICE: Person = Person { name: HOSTILE, username: HOSTILE };

fn sign_in(ask: Ask<'static>) -> SignIn<'static> {
    SignIn {
        site: SITE,
        action: "/id/sign-in",
        csrf: "csrf-of-this-form",
        flow: "flow-of-this-form",
        application: Some(HOSTILE),
        ask,
        error: Some(HOSTILE),
    }
}

fn consent() -> Consent<'static> {
    Consent {
        site: SITE,
        action: "/id/consent",
        csrf: "csrf-of-this-form",
        flow: "flow-of-this-form",
        application: HOSTILE,
        returns_to: HOSTILE,
        user: ALICE,
        scopes: &["openid", "offline_access", "reports:read", HOSTILE],
        apis: &[ApiAccess { name: HOSTILE, identifier: HOSTILE, scopes: &["ledger:write", HOSTILE] }],
    }
}

fn sign_out() -> SignOut<'static> {
    SignOut {
        site: SITE,
        action: "/id/logout",
        csrf: "csrf-of-this-form",
        flow: "flow-of-this-form",
        user: ALICE,
        application: Some(HOSTILE),
    }
}

fn error_page(url: &'static str) -> ErrorPage<'static> {
    let back = Some(Back { name: HOSTILE, url });
    ErrorPage { site: SITE, title: HOSTILE, explanation: HOSTILE, reference: HOSTILE, back }
}

fn moment() -> Moment {
    Moment { machine: "2023-11-14T22:13:20Z".into(), date: HOSTILE.into(), ago: HOSTILE.into() }
}

fn own_session(is_this: bool) -> OwnSession {
    OwnSession {
        end: "/id/account/end?session=s_1".into(),
        is_this,
        is_handheld: is_this,
        name: HOSTILE.into(),
        browser: Some(HOSTILE.into()),
        address: Some(HOSTILE.into()),
        place: Some(HOSTILE.into()),
        started: moment(),
        active: moment(),
        applications: vec![HOSTILE.into()],
    }
}

fn own_application() -> OwnApplication {
    OwnApplication {
        end: "/id/account/end?application=c".into(),
        name: HOSTILE.into(),
        permissions: vec![Permission::of("openid"), Permission::of(HOSTILE), Permission::at(HOSTILE, HOSTILE)],
        since: moment(),
        used: Some(moment()),
        works_offline: true,
        has_access: false,
    }
}

fn account_of(sessions: &[OwnSession], applications: &[OwnApplication]) -> String {
    let others = sessions.len() - 1;
    let account = Account {
        site: SITE,
        user: ALICE,
        change_password: "/id/account/password",
        sign_out: "/id/logout",
        others,
        end_others: "/id/account/end?others=1",
        sessions,
        applications,
    };
    account.render().unwrap()
}

fn account_end(closing: &Closing) -> String {
    let (csrf, flow) = ("csrf-of-this-form", "flow-of-this-form");
    let page = AccountEnd { site: SITE, action: "/id/account/end", csrf, flow, account: "/id/account", closing };
    page.render().unwrap()
}

fn account_ended(closing: &Closing) -> String {
    AccountEnded { site: SITE, account: "/id/account", closing }.render().unwrap()
}

fn closings() -> [Closing; 3] {
    [Closing::Session(Box::new(own_session(false))), Closing::Others(2), Closing::Application(HOSTILE.into())]
}

/// Pages with a form, then pages without.
fn rendered() -> (Vec<String>, Vec<String>) {
    let mut with = vec![
        sign_in(Ask::Credentials { username: HOSTILE }).render().unwrap(),
        sign_in(Ask::Credentials { username: "" }).render().unwrap(),
        sign_in(Ask::Password { user: ALICE }).render().unwrap(),
        sign_in(Ask::Account { user: ALICE }).render().unwrap(),
        consent().render().unwrap(),
        sign_out().render().unwrap(),
    ];
    let back = Some(Back { name: HOSTILE, url: "https://app.test/\"><script>" });
    let mut without = vec![
        SignedOut { site: SITE, back }.render().unwrap(),
        StillSignedIn { site: SITE, user: ALICE, back }.render().unwrap(),
        error_page("https://app.test/").render().unwrap(),
        account_of(&[own_session(true), own_session(false)], &[own_application()]),
        account_of(&[own_session(true)], &[]),
        account_ended(&Closing::Nothing),
    ];
    with.extend(closings().iter().map(account_end));
    without.extend(closings().iter().map(account_ended));
    (with, without)
}

fn policy(origins: &[&str]) -> String {
    let answer = page(StatusCode::OK, &sign_out(), origins);
    answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned()
}

#[test]
fn hostile_names_stay_text_on_every_page() {
    let (with, without) = rendered();
    for html in with.iter().chain(&without) {
        assert!(!html.contains("<script") && !html.contains("<a onclick"), "{html}");
        assert!(html.contains("&#60;script&#62;"), "{html}");
    }
}

#[test]
fn every_form_carries_csrf_and_flow_and_posts_to_its_action() {
    let (with, without) = rendered();
    for html in &with {
        assert_eq!(html.matches("<form").count(), 1, "{html}");
        let form = html.split_once("<form").unwrap().1.split_once("</form>").unwrap().0;
        assert!(form.starts_with(r#" method="post" action="/id/"#), "{form}");
        assert!(form.contains(r#"<input type="hidden" name="csrf" value="csrf-of-this-form">"#), "{form}");
        assert!(form.contains(r#"<input type="hidden" name="flow" value="flow-of-this-form">"#), "{form}");
    }
    assert!(without.iter().all(|html| !html.contains("<form")));
}

#[test]
fn no_page_needs_what_the_policy_forbids() {
    let (with, without) = rendered();
    for html in with.iter().chain(&without) {
        for forbidden in ["<script", "<style", " style=", "javascript:", "src=\"http", "href=\"//"] {
            assert!(!html.contains(forbidden), "{forbidden} in {html}");
        }
    }
}

#[test]
fn a_page_carries_the_headers_that_protect_it() {
    let answer = page(StatusCode::BAD_REQUEST, &error_page("https://app.test/"), &[]);
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
}

#[test]
fn form_action_takes_the_origin_of_a_redirect_uri_and_nothing_else_of_it() {
    for (uri, source) in [
        ("https://app.test/cb?x=1;script-src *", " https://app.test;"),
        ("https://app.test:8443", " https://app.test:8443;"),
        ("http://127.0.0.1:4711/cb", " http://127.0.0.1:4711;"),
        ("http://[::1]:4711/cb", " http:;"),
        ("com.example.app:/cb", " com.example.app:;"),
    ] {
        assert!(policy(&[uri]).contains(&format!("form-action 'self'{source}")), "{uri}: {}", policy(&[uri]));
    }
}

#[test]
fn what_is_not_one_safe_origin_adds_nothing_to_form_action() {
    let plain = policy(&[]);
    for uri in
        ["", "*", "'unsafe-inline'", "https://*", "https://a;b.test/", "https://a,b.test/", "javascript:x", "data:x"]
    {
        assert_eq!(policy(&[uri]), plain, "{uri}");
    }
}

#[test]
fn an_error_is_announced_and_tied_to_its_fields() {
    let failed = sign_in(Ask::Credentials { username: "alice" }).render().unwrap();
    assert!(failed.contains(r#"id="error" role="alert""#));
    assert_eq!(failed.matches(r#"aria-describedby="error""#).count(), 2);
    let fresh = SignIn { error: None, ..sign_in(Ask::Credentials { username: "" }) }.render().unwrap();
    assert!(!fresh.contains("error\"") && !fresh.contains("Error:"), "{fresh}");
}

#[test]
fn one_control_has_the_focus_and_a_known_user_cannot_be_edited() {
    let user = Person { name: "Alice", username: "alice" };
    for ask in [
        Ask::Credentials { username: "" },
        Ask::Credentials { username: "alice" },
        Ask::Password { user },
        Ask::Account { user },
    ] {
        assert_eq!(sign_in(ask).render().unwrap().matches(" autofocus").count(), 1);
    }
    let again = sign_in(Ask::Password { user }).render().unwrap();
    let inputs: Vec<&str> = again.split("<input ").skip(1).filter_map(|rest| rest.split('>').next()).collect();
    let text: Vec<&&str> = inputs.iter().filter(|input| input.contains(r#"type="text""#)).collect();
    assert!(matches!(text.as_slice(), [one] if one.contains(r#"value="alice""#) && one.ends_with("readonly hidden")));
}

#[test]
fn known_scopes_are_put_in_plain_words_and_unknown_ones_by_name() {
    let html = consent().render().unwrap();
    assert!(html.contains("Keep access while you are away") && !html.contains("offline_access"));
    assert!(html.contains("<bdi>reports:read</bdi>") && html.contains("<bdi>ledger:write</bdi>"));
    for scope in ["openid", "profile", "email", "phone", "address", "offline_access"] {
        assert!(Wording::of(scope).plain.is_some(), "{scope}");
    }
}

#[test]
fn the_account_page_marks_this_session_and_offers_only_what_there_is() {
    let alone = account_of(&[own_session(true)], &[]);
    assert_eq!(alone.matches(">This session</span>").count(), 1);
    assert!(alone.contains("href=\"/id/logout\"") && alone.contains("No application has access"));
    assert!(!alone.contains("/id/account/end?"), "there is nothing else to end");
    let more = account_of(&[own_session(true), own_session(false)], &[own_application()]);
    assert_eq!(more.matches(">This session</span>").count(), 1);
    for offered in ["?session=s_1", "?others=1", "?application=c"] {
        assert_eq!(more.matches(&format!("href=\"/id/account/end{offered}\"")).count(), 1, "{offered}");
    }
    assert!(more.contains("Works while you are signed out") && more.contains("Recognise you"));
    assert!(account_ended(&Closing::Others(1)).contains("1 other session<"));
    assert!(account_ended(&Closing::Others(2)).contains("2 other sessions<"));
}

#[test]
fn a_way_back_that_could_run_a_script_is_not_linked() {
    assert!(error_page("https://app.test/").render().unwrap().contains(r#"href="https://app.test/""#));
    for url in ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "no address"] {
        assert!(!error_page(url).render().unwrap().contains("<a "), "{url}");
    }
}

#[test]
fn what_a_page_links_is_served_for_long_and_a_stale_name_is_not() {
    let (with, _) = rendered();
    let linked: Vec<&str> = with[0].split("\"/id/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(linked.len(), 3);
    for name in linked {
        let answer = assets::answer(name);
        assert_eq!(answer.status(), StatusCode::OK, "{name}");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let hash = name.split('.').nth(1).unwrap();
        assert_eq!(answer.headers()[header::ETAG], format!("\"{hash}\""));
    }
    for name in ["rescind.css", "rescind.0000000000000000.css"] {
        assert_eq!(assets::answer(name).headers()[header::CACHE_CONTROL], "no-cache");
    }
    for name in ["", "missing.css", "../Cargo.toml", "..", "a.b.c.d"] {
        assert_eq!(assets::answer(name).status(), StatusCode::NOT_FOUND, "{name}");
    }
}

#[test]
fn a_site_is_known_by_the_host_and_the_path_of_its_issuer() {
    for (issuer, base, name) in [
        ("https://id.example", "", "id.example"),
        ("https://id.example:8443/tenant/a", "/tenant/a", "id.example"),
        ("http://127.0.0.1:8080", "", "rescind"),
        ("http://[::1]:8080/id", "/id", "rescind"),
        ("http://localhost:8080", "", "localhost"),
    ] {
        let site = Site::of(issuer);
        assert_eq!((site.base, site.name), (base, name), "{issuer}");
        assert_eq!(site.path("/logout"), format!("{base}/logout"));
    }
}
