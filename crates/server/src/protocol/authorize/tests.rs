//! The way from a request to a code: every page, every answer, and what a revocation on the way does.

mod account;
mod devices;
mod requests;
mod revocations;
mod sign_out;
mod stage;

use axum::http::{StatusCode, header};
use rescind_ledger::{Hash, Reads, UserChange};

use stage::{API, CALLBACK, ISSUER, PASSWORD, Person, Stage, administrator};

const SIGN_IN: &str = ">Sign in</h1>";
const CONFIRM: &str = ">Confirm it is you</h1>";
const CONSENT: &str = "asks for access to your account</h1>";

#[tokio::test]
async fn a_person_signs_in_agrees_once_and_is_not_asked_again() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    let page = ada.authorize(&[]).await;
    assert!(page.shows(SIGN_IN) && page.shows("The shop"), "{}", page.body);
    let page = ada.sign_in(&page, "Ada").await;
    assert!(page.shows(CONSENT) && page.shows("app.test"), "{}", page.body);
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https://app.test;"), "{policy}");
    let answer = ada.fill("/consent", &page, &[("decision", "allow")]).await;
    assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with(CALLBACK));
    assert_eq!(answer.answer("state").as_deref(), Some("st"));
    assert_eq!(answer.answer("iss").as_deref(), Some(ISSUER));
    let code = answer.answer("code").unwrap();
    let code = stage.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap();
    assert_eq!((code.redirect_uri.as_str(), code.code_challenge.as_str()), (CALLBACK, stage::CHALLENGE));
    assert_eq!(code.grant.user.as_deref(), Some("u_ada"));
    assert_eq!(code.grant.nonce.as_deref(), Some("no"));
    assert!(code.grant.session_bound && code.grant.session.is_some());
    assert!(ada.authorize(&[]).await.answer("code").is_some(), "signed in, and the consent is remembered");
    assert!(ada.authorize(&[("prompt", "none")]).await.answer("code").is_some());
    assert!(ada.authorize(&[("prompt", "consent")]).await.shows(CONSENT));
    assert!(ada.authorize(&[("resource", API)]).await.shows(CONSENT), "an API was not among what was agreed to");
    assert!(ada.authorize(&[("client_id", "other")]).await.shows(CONSENT));
}

#[tokio::test]
async fn a_client_that_wants_nothing_shown_hears_why_it_gets_no_code() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    let error = |seen: stage::Seen| seen.answer("error").unwrap();
    assert_eq!(error(ada.authorize(&[("prompt", "none")]).await), "login_required");
    ada.be("ada").await;
    assert_eq!(error(ada.authorize(&[("prompt", "none")]).await), "consent_required");
    assert!(ada.authorize(&[("client_id", "desk"), ("prompt", "none")]).await.answer("code").is_some());
    stage.pass(11);
    let aged = [("client_id", "desk"), ("prompt", "none"), ("max_age", "10")];
    let seen = ada.authorize(&aged).await;
    assert_eq!(seen.answer("state").as_deref(), Some("st"));
    assert_eq!(seen.answer("iss").as_deref(), Some(ISSUER));
    assert_eq!(error(seen), "login_required");
}

#[tokio::test]
async fn whoever_does_not_agree_sends_the_client_away_without_a_code() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let page = ada.authorize(&[]).await;
    let answer = ada.fill("/consent", &page, &[("decision", "deny")]).await;
    assert_eq!(answer.answer("error").as_deref(), Some("access_denied"));
    assert!(ada.authorize(&[]).await.shows(CONSENT));
}

#[tokio::test]
async fn one_flow_gives_one_code() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let page = ada.authorize(&[]).await;
    assert!(ada.fill("/consent", &page, &[("decision", "allow")]).await.answer("code").is_some());
    let again = ada.fill("/consent", &page, &[("decision", "allow")]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert!(again.shows("has been answered"), "{}", again.body);
}

#[tokio::test]
async fn a_page_left_open_too_long_has_expired() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    let page = ada.authorize(&[]).await;
    stage.pass(1801);
    let late = ada.sign_in(&page, "ada").await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    assert!(late.shows("has expired"));
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let stage = Stage::set().await;
    let (mut ada, mut eve) = (Person::at(&stage), Person::at(&stage));
    let page = ada.authorize(&[]).await;
    eve.authorize(&[]).await;
    let foreign = eve.sign_in(&page, "ada").await;
    assert_eq!(foreign.status, StatusCode::BAD_REQUEST);
    assert_eq!(eve.session_cookie(), None);
    let flow = page.field("flow");
    let fields = [("flow", flow.as_str()), ("username", "ada"), ("password", PASSWORD)];
    assert_eq!(ada.post("/sign-in", &fields).await.status, StatusCode::BAD_REQUEST, "no csrf at all");
    let consent = ada.sign_in(&page, "ada").await;
    let as_sign_in = ada.fill("/consent", &page, &[("decision", "allow")]).await;
    assert_eq!(as_sign_in.status, StatusCode::BAD_REQUEST, "the form of another page");
    let session = ada.cookies.insert("rescind_session".into(), "another".into()).unwrap();
    assert_eq!(ada.fill("/consent", &consent, &[("decision", "allow")]).await.status, StatusCode::BAD_REQUEST);
    ada.cookies.insert("rescind_session".into(), session);
    assert!(ada.fill("/consent", &consent, &[("decision", "allow")]).await.answer("code").is_some());
}

#[tokio::test]
async fn the_page_does_not_tell_whether_a_user_exists() {
    let stage = Stage::set().await;
    stage.write(|door| door.change_user("u_eve", &disabled(), &administrator())).await;
    let mut bodies = Vec::new();
    for (name, password) in [("ada", "a wrong password"), ("nobody", PASSWORD), ("eve", PASSWORD)] {
        let mut person = Person::at(&stage);
        let page = person.authorize(&[]).await;
        let wrong = person.fill("/sign-in", &page, &[("username", name), ("password", password)]).await;
        assert_eq!(person.session_cookie(), None);
        let same = [wrong.field("csrf"), wrong.field("flow"), format!("value=\"{name}\"")];
        bodies.push(same.iter().fold(wrong.body, |body, part| body.replace(part, "")));
    }
    assert!(bodies[0].contains("do not match"), "{}", bodies[0]);
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
}

fn disabled() -> UserChange {
    UserChange { enabled: Some(false), ..UserChange::default() }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_the_right_password_waits_too() {
    let stage = Stage::set().await;
    let mut eve = Person::at(&stage);
    let page = eve.authorize(&[]).await;
    let limit = stage.app.config.limits.sign_in_attempts_per_minute;
    for _ in 0..limit {
        let wrong = eve.fill("/sign-in", &page, &[("username", "ada"), ("password", "a guess")]).await;
        assert_eq!(wrong.status, StatusCode::OK);
    }
    let refused = eve.sign_in(&page, "ada").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.shows("Too many attempts") && refused.headers.contains_key(header::RETRY_AFTER));
    stage.pass(60);
    assert!(eve.sign_in(&page, "ada").await.shows(CONSENT));
}

#[tokio::test]
async fn a_new_proof_stays_in_the_session_and_belongs_to_its_user_whatever_the_form_says() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let session = ada.session_cookie();
    stage.pass(60);
    let login = [("client_id", "desk"), ("prompt", "login")];
    let page = ada.authorize(&login).await;
    assert!(page.shows(CONFIRM) && page.shows("ada"), "{}", page.body);
    let page = ada.fill("/sign-in", &page, &[("username", "eve"), ("password", "wrong")]).await;
    assert!(page.shows(CONFIRM) && page.shows("do not match"));
    let answer = ada.sign_in(&page, "eve").await;
    let code = Hash::of(&answer.answer("code").unwrap());
    let grant = stage.app.records.store.find_code(&code).await.unwrap().unwrap().grant;
    assert_eq!(grant.user.as_deref(), Some("u_ada"));
    assert_eq!(grant.auth_time, Some(stage.app.now()), "dated from the new proof");
    assert_eq!(ada.session_cookie(), session);
    let proofs = stage.app.records.store.authentications(grant.session.as_deref().unwrap()).await.unwrap();
    assert_eq!(proofs.len(), 2);
}

#[tokio::test]
async fn another_account_gets_another_session() {
    let stage = Stage::set().await;
    let mut person = Person::at(&stage);
    person.be("ada").await;
    let before = person.session_cookie();
    let page = person.authorize(&[("client_id", "desk"), ("prompt", "select_account")]).await;
    assert!(page.shows("Choose an account"));
    let same = person.fill("/sign-in", &page, &[("choice", "continue")]).await;
    assert!(same.answer("code").is_some());
    let page = person.authorize(&[("client_id", "desk"), ("prompt", "login")]).await;
    let page = person.fill("/sign-in", &page, &[("choice", "another")]).await;
    assert!(page.shows(SIGN_IN));
    let code = person.sign_in(&page, "eve").await.answer("code").unwrap();
    let code = stage.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap();
    assert_eq!(code.grant.user.as_deref(), Some("u_eve"));
    assert_ne!(person.session_cookie(), before);
}

#[tokio::test]
async fn offline_access_outlives_the_session_and_nothing_else_does() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let mut grants = Vec::new();
    for scope in ["openid", "openid offline_access"] {
        let code = ada.authorize(&[("client_id", "desk"), ("scope", scope)]).await.answer("code").unwrap();
        grants.push(stage.app.records.store.find_code(&Hash::of(&code)).await.unwrap().unwrap().grant);
    }
    let lifetimes = &stage.app.config.lifetimes;
    assert!(grants[0].session_bound && !grants[1].session_bound);
    for grant in grants {
        assert_eq!(grant.expires_at, stage.app.now().plus(lifetimes.refresh_token));
    }
}

#[tokio::test]
async fn a_request_posted_from_another_site_comes_back_with_its_cookies() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    let seen = ada.post("/authorize", &stage::parameters(&[])).await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    let location = seen.headers[header::LOCATION].to_str().unwrap();
    assert!(location.starts_with(&format!("{ISSUER}/authorize?client_id=shop&")), "{location}");
    ada.be("ada").await;
    assert!(ada.post("/authorize", &stage::parameters(&[("client_id", "desk")])).await.answer("code").is_some());
}
