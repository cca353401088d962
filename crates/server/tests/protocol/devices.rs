//! A sign-in knows the device it comes from, and revoking the device ends what came of it.

use anyhow::{Context, Result};
use reqwest::{
    Client, Method,
    header::{HeaderMap, HeaderValue},
    redirect::Policy,
};
use serde_json::{Value, json};

use crate::{
    application::{API, API_SCOPE, Answer, Application},
    browsing::{address, fill, go, open, parameters, part, redeem, refresh},
    certificates::{Shown, Signer, caller_with, with_tls_and},
    person::Person,
    server::{PASSWORD, Server, USER_NAME},
    tls::Authority,
};

const HEADER: &str = "x-device-id";
pub(crate) const TABLET: &str = "0a1b2c3d-0000-4000-8000-00000000000a";
const PHONE: &str = "0a1b2c3d-0000-4000-8000-00000000000b";

pub(crate) fn proxied(trusted: &str) -> String {
    format!("[proxy]\ntrusted = [{trusted:?}]\ndevice_header = {HEADER:?}\n")
}

/// Somebody whose requests pass a proxy that names their device.
pub(crate) fn on(device: &str) -> Result<Person> {
    let headers = HeaderMap::from_iter([(HEADER.parse()?, HeaderValue::from_str(device)?)]);
    let http = Client::builder().redirect(Policy::none()).no_proxy().default_headers(headers);
    Ok(Person::new(http.build()?))
}

pub(crate) async fn add(server: &Server, kind: &str, value: &str) -> Result<String> {
    let device = json!({ "name": value, "external_ids": [{ "kind": kind, "value": value }] });
    let added = server.administer(Method::POST, "/devices", &device).await?;
    Ok(added["id"].as_str().context("no id")?.to_owned())
}

async fn revoke(server: &Server, target: Value) -> Result<()> {
    let order = json!({ "target": target, "reason": "device_retired" });
    server.administer(Method::POST, "/revocations", &order).await?;
    Ok(())
}

/// What an application got by one sign-in.
struct Held {
    access: String,
    refresh: String,
    /// The device of the session.
    device: Value,
}

impl Held {
    async fn by(app: &Application<'_>, person: &mut Person) -> Result<Self> {
        let code = go(app, person, &[]).await?.code()?;
        let answer = redeem(app, &code, &[]).await?;
        let (access, refresh) = (answer.text("access_token")?, answer.text("refresh_token")?);
        let sid = part(&answer.text("id_token")?, 1)?["sid"].as_str().context("no sid")?.to_owned();
        let listed = app.server.administer(Method::GET, &format!("/sessions?session={sid}"), &Value::Null).await?;
        let device = listed["items"][0]["device"].clone();
        let introspected = app.introspect(&access).await?;
        assert_eq!(introspected.succeeds()["device_id"], device, "the token has the device of its session");
        Ok(Self { access, refresh, device })
    }

    async fn is_alive(&self, app: &Application<'_>) -> Result<()> {
        app.sees_alive(&self.access).await?;
        app.refresh(&self.refresh).await?;
        Ok(())
    }

    async fn is_dead(&self, app: &Application<'_>) -> Result<()> {
        app.sees_dead(&self.access).await?;
        app.sees_inactive(&self.refresh).await?;
        app.sees_refresh_refused(&self.refresh).await
    }
}

/// Whether an application finds somebody signed in without asking.
async fn is_signed_in(app: &Application<'_>, person: &mut Person) -> Result<bool> {
    let back = go(app, person, &[("prompt", "none")]).await?;
    if back.find("code").is_some() {
        return Ok(true);
    }
    back.is_refused(app, "login_required");
    Ok(false)
}

#[tokio::test]
async fn revoking_a_device_ends_what_was_issued_on_it_and_nothing_else() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.1")).await?;
    let app = Application::confidential(&server).await?;
    let (tablet, phone) = (add(&server, "mdm", TABLET).await?, add(&server, "mdm", PHONE).await?);
    let mut people = [on(&format!("{{{}}}", TABLET.to_uppercase()))?, on(PHONE)?, on("unknown")?];
    let mut held = Vec::new();
    for person in &mut people {
        held.push(Held::by(&app, person).await?);
    }
    let devices: Vec<&Value> = held.iter().map(|one| &one.device).collect();
    assert_eq!(devices, [&json!(tablet), &json!(phone), &Value::Null]);
    revoke(&server, json!({ "kind": "device", "device": tablet })).await?;
    held[0].is_dead(&app).await?;
    held[1].is_alive(&app).await?;
    held[2].is_alive(&app).await?;
    let [on_tablet, on_phone, elsewhere] = &mut people;
    assert!(!is_signed_in(&app, on_tablet).await?, "the session has ended, too");
    assert!(is_signed_in(&app, on_phone).await? && is_signed_in(&app, elsewhere).await?);
    let again = Held::by(&app, on_tablet).await?;
    assert_eq!(again.device, json!(tablet), "ending is not banning");
    again.is_alive(&app).await
}

#[tokio::test]
async fn a_jwt_names_the_device_that_it_was_issued_on_and_ends_with_it() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.1")).await?;
    let tablet = add(&server, "mdm", TABLET).await?;
    let api = json!({ "audience": API, "name": "Orders", "scopes": [API_SCOPE], "token_format": "jwt" });
    server.administer(Method::POST, "/apis", &api).await?;
    let app = Application::add(&server, json!({ "scopes": ["openid", "profile", API_SCOPE] })).await?;
    let scope = format!("openid profile {API_SCOPE}");
    let mut jwts = Vec::new();
    for (mut person, device) in [(on(TABLET)?, Some(json!(tablet))), (on("unknown")?, None)] {
        let code = go(&app, &mut person, &[("scope", &scope), ("resource", API)]).await?.code()?;
        let first = redeem(&app, &code, &[]).await?;
        let second = refresh(&app, &first.text("refresh_token")?, &[]).await?;
        for jwt in [first.text("access_token")?, second.text("access_token")?] {
            assert_eq!((&part(&jwt, 0)?["typ"], part(&jwt, 1)?.get("device_id")), (&json!("at+jwt"), device.as_ref()));
            assert_eq!(app.introspect(&jwt).await?.succeeds().get("device_id"), device.as_ref());
            jwts.push(jwt);
        }
    }
    revoke(&server, json!({ "kind": "device", "device": tablet })).await?;
    for jwt in &jwts[..2] {
        app.sees_dead(jwt).await?;
    }
    for jwt in &jwts[2..] {
        app.sees_alive(jwt).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_one_application_has_on_one_device_ends_alone() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.1")).await?;
    let (app, other) = (Application::confidential(&server).await?, Application::confidential(&server).await?);
    add(&server, "mdm", TABLET).await?;
    add(&server, "mdm", PHONE).await?;
    let (mut on_tablet, mut on_phone) = (on(TABLET)?, on(PHONE)?);
    let here = (Held::by(&app, &mut on_tablet).await?, Held::by(&other, &mut on_tablet).await?);
    let there = Held::by(&app, &mut on_phone).await?;
    let target = json!({ "kind": "device_client", "device": format!("mdm:{TABLET}"), "client": app.id });
    revoke(&server, target).await?;
    here.0.is_dead(&app).await?;
    here.1.is_alive(&other).await?;
    there.is_alive(&app).await?;
    assert!(!is_signed_in(&app, &mut on_tablet).await?, "here the user has to prove again who they are");
    assert!(is_signed_in(&other, &mut on_tablet).await? && is_signed_in(&app, &mut on_phone).await?);
    Held::by(&app, &mut on_tablet).await?.is_alive(&app).await
}

#[tokio::test]
async fn a_later_request_from_elsewhere_does_not_move_a_session_to_another_device() -> Result<()> {
    let server = Server::start_with(&proxied("127.0.0.1")).await?;
    let app = Application::confidential(&server).await?;
    let tablet = add(&server, "mdm", TABLET).await?;
    add(&server, "mdm", PHONE).await?;
    let (mut on_tablet, mut on_phone) = (on(TABLET)?, on(PHONE)?);
    Held::by(&app, &mut on_tablet).await?;
    on_phone.cookies = on_tablet.cookies.clone();
    let later = Held::by(&app, &mut on_phone).await?;
    assert_eq!(later.device, json!(tablet));
    revoke(&server, json!({ "kind": "device", "device": tablet })).await?;
    later.is_dead(&app).await
}

#[tokio::test]
async fn a_device_header_from_anybody_but_a_trusted_proxy_is_ignored() -> Result<()> {
    let server = Server::start_with(&proxied("192.0.2.1")).await?;
    let app = Application::confidential(&server).await?;
    let tablet = add(&server, "mdm", TABLET).await?;
    let held = Held::by(&app, &mut on(TABLET)?).await?;
    assert_eq!(held.device, Value::Null);
    revoke(&server, json!({ "kind": "device", "device": tablet })).await?;
    held.is_alive(&app).await?;
    server.administer(Method::PATCH, &format!("/devices/{tablet}"), &json!({ "enabled": false })).await?;
    assert_eq!(Held::by(&app, &mut on(TABLET)?).await?.device, Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_client_certificate_in_our_own_tls_names_the_device_and_counts_before_a_header() -> Result<()> {
    let (authority, signer) = (Authority::make()?, Signer::make()?);
    let server = with_tls_and(&authority, &signer, &proxied("127.0.0.1")).await?;
    let app = Application::confidential(&server).await?;
    let laptop = add(&server, "certificate_san", "Laptop.Corp.Example").await?;
    let tablet = add(&server, "mdm", TABLET).await?;
    let own = Shown::make("anything.example", None)?;
    let registered = add(&server, "certificate", &own.thumbprint()).await?;
    let signed = Shown::make("laptop.corp.example", Some(&signer))?;
    let mut held = Vec::new();
    for (shown, expected) in [
        (Some(&signed), json!(laptop)),
        (Some(&own), json!(registered)),
        (Some(&Shown::make("laptop.corp.example", None)?), json!(tablet)),
        (Some(&Shown::make("laptop.corp.example", Some(&Signer::make()?))?), json!(tablet)),
        (Some(&Shown::make("unknown.corp.example", Some(&signer))?), json!(tablet)),
        (None, json!(tablet)),
    ] {
        let headers = HeaderMap::from_iter([(HEADER.parse()?, HeaderValue::from_static(TABLET))]);
        let http = caller_with(&authority, shown, headers)?;
        let code = go(&app, &mut Person::new(http), &[]).await?.code()?;
        // A token that is fetched without a certificate is not bound to it.
        let answer = redeem(&app, &code, &[]).await?;
        let access = answer.text("access_token")?;
        let seen = app.introspect(&access).await?;
        assert_eq!(seen.succeeds()["device_id"], expected);
        held.push(access);
    }
    revoke(&server, json!({ "kind": "device", "device": laptop })).await?;
    app.sees_dead(&held[0]).await?;
    for access in &held[1..] {
        app.sees_alive(access).await?;
    }
    Ok(())
}

#[tokio::test]
async fn on_a_device_that_is_switched_off_nobody_signs_in_and_nothing_is_written() -> Result<()> {
    let lines = format!("{}[limits]\nsign_in_attempts_per_minute = 2\n", proxied("127.0.0.1"));
    let server = Server::start_with(&lines).await?;
    let app = Application::confidential(&server).await?;
    let tablet = add(&server, "mdm", TABLET).await?;
    let mut person = on(TABLET)?;
    let before = Held::by(&app, &mut person).await?;
    let switch = async |enabled: bool| {
        server.administer(Method::PATCH, &format!("/devices/mdm:{TABLET}"), &json!({ "enabled": enabled })).await
    };
    switch(false).await?;
    before.is_dead(&app).await?;
    let page = open(&mut person, &address(&app, "/authorize", &parameters(&app, &[]))?).await?;
    for password in [PASSWORD, "wrong password", PASSWORD] {
        let refused = fill(&mut person, &page, &[("username", USER_NAME), ("password", password)]).await?;
        assert_eq!((refused.status, refused.location()), (403, None), "{password}");
        assert!(refused.html.contains("This device is not allowed to sign in"), "{}", refused.html);
    }
    let sessions = server.administer(Method::GET, &format!("/sessions?device={tablet}"), &Value::Null).await?;
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(1), "the one from before");
    Held::by(&app, &mut on(PHONE)?).await?.is_alive(&app).await?;
    switch(true).await?;
    before.is_dead(&app).await?;
    Held::by(&app, &mut person).await?.is_alive(&app).await
}

#[tokio::test]
async fn a_device_is_found_by_any_of_its_names_and_no_two_have_the_same() -> Result<()> {
    let server = Server::start().await?;
    let tablet = add(&server, "mdm", &format!("{{{}}}", TABLET.to_uppercase())).await?;
    let call = async |method: Method, path: &str, body: Value| {
        let request = server.admin.request(method, format!("http://localhost/admin/v1{path}"));
        Answer::of(if body.is_null() { request } else { request.json(&body) }).await
    };
    let ids = json!([{ "kind": "mdm", "value": TABLET }, { "kind": "certificate_san", "value": "spiffe://corp/A" }]);
    call(Method::PATCH, &format!("/devices/{tablet}"), json!({ "external_ids": ids })).await?.succeeds();
    for name in [
        format!("mdm:{TABLET}"),
        format!("mdm:{}", TABLET.to_uppercase()),
        "certificate_san:spiffe:%2F%2Fcorp%2FA".into(),
    ] {
        let shown = call(Method::GET, &format!("/devices/{name}"), Value::Null).await?;
        assert_eq!(shown.succeeds()["id"], json!(tablet), "{name}");
    }
    let twice = json!({ "name": "another", "external_ids": [{ "kind": "udid", "value": "u" }, { "kind": "mdm", "value": TABLET }] });
    let conflict = call(Method::POST, "/devices", twice.clone()).await?;
    assert_eq!((conflict.status, &conflict.body["code"]), (409, &json!("conflict")));
    assert!(conflict.text.contains(&format!("`mdm` id `{TABLET}`")), "{}", conflict.text);
    let phone = add(&server, "mdm", PHONE).await?;
    let conflict = call(Method::PATCH, &format!("/devices/{phone}"), twice).await?;
    assert!(conflict.status == 409 && conflict.text.contains("`mdm`"), "{}", conflict.text);
    assert_eq!(call(Method::GET, "/devices/udid:u", Value::Null).await?.status, 404, "nothing of it was written");
    for (status, path) in [(400, "planet:x"), (400, "certificate:x"), (404, "mdm:nobody"), (404, "nobody")] {
        assert_eq!(call(Method::GET, &format!("/devices/{path}"), Value::Null).await?.status, status, "{path}");
    }
    for (kind, value) in [("planet", "x"), ("certificate", "x"), ("certificate_serial", "0A1B"), ("mdm", " ")] {
        let wrong = json!({ "name": "n", "external_ids": [{ "kind": kind, "value": value }] });
        let refused = call(Method::POST, "/devices", wrong).await?;
        assert_eq!(refused.status, 422, "{kind} {value}: {}", refused.text);
        assert!(kind != "planet" || refused.text.contains("one of: mdm, udid, certificate,"), "{}", refused.text);
    }
    Ok(())
}
