//! The account page: what its user sees, what it ends, and what nobody can end from outside.

use axum::http::{StatusCode, header};
use rescind_ledger::{Entry, Filter, Initiator, Lane, Order, Reads, Reason, Target};
use serde_json::Value;

use super::{
    CONFIRM, CONSENT, SIGN_IN,
    stage::{CALLBACK, Person, Seen, Stage, administrator},
};

const ACCOUNT: &str = ">Your account</h1>";
const THIS: &str = ">This session</span>";
/// RFC 7636 appendix B: what the stage's challenge is made of.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn account(person: &mut Person<'_>) -> Seen {
    person.get("/account", &[]).await
}

/// Signs in on the account page itself.
async fn enter(person: &mut Person<'_>, name: &str) {
    let page = account(person).await;
    assert!(page.shows(SIGN_IN), "{}", page.body);
    let back = person.sign_in(&page, name).await;
    assert_eq!(location(&back), "http://127.0.0.1:8080/account");
}

fn location(seen: &Seen) -> &str {
    assert_eq!(seen.status, StatusCode::SEE_OTHER, "{}", seen.body);
    seen.headers[header::LOCATION].to_str().unwrap()
}

async fn session_of(stage: &Stage, person: &Person<'_>) -> String {
    let cookie = person.session_cookie().unwrap();
    stage.app.records.find_session_by_cookie(&cookie).await.unwrap().unwrap().record.id.clone()
}

async fn is_signed_in(person: &mut Person<'_>) -> bool {
    account(person).await.shows(ACCOUNT)
}

async fn entries(stage: &Stage) -> Vec<Entry> {
    stage.app.records.store.entries_before(None, 100).await.unwrap()
}

/// Lets an application have what it asks for, and gives back its refresh token.
async fn allow(person: &mut Person<'_>, client: &str, scope: &str) -> String {
    let asked = person.authorize(&[("client_id", client), ("scope", scope), ("prompt", "consent")]).await;
    let answer = person.fill("/consent", &asked, &[("decision", "allow")]).await;
    let code = answer.answer("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", client),
        ("client_secret", "secret"),
    ];
    let answer = person.post("/token", &fields).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["refresh_token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

async fn refreshes(person: &mut Person<'_>, client: &str, token: &str) -> bool {
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client), ("client_secret", "secret")];
    person.post("/token", &fields).await.status == StatusCode::OK
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_and_comes_to_the_account_page() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    let page = account(&mut ada).await;
    assert!(page.shows(SIGN_IN) && page.status == StatusCode::OK, "{}", page.body);
    let page = ada.fill("/sign-in", &page, &[("username", "ada"), ("password", "wrong")]).await;
    assert!(page.shows("do not match") && page.shows("value=\"ada\"") && ada.session_cookie().is_none());
    let back = ada.sign_in(&page, "ada").await;
    assert_eq!(location(&back), "http://127.0.0.1:8080/account");
    let page = account(&mut ada).await;
    assert!(page.shows(ACCOUNT) && page.shows(THIS) && page.shows("Last active"), "{}", page.body);
    assert!(page.shows("No application has access") && !page.shows("everywhere else"));
}

#[tokio::test]
async fn the_sign_in_of_the_account_page_is_throttled_and_bound_to_its_browser() {
    let stage = Stage::set().await;
    let mut eve = Person::at(&stage);
    let page = account(&mut eve).await;
    for _ in 0..10 {
        assert!(eve.fill("/sign-in", &page, &[("username", "ada"), ("password", "x")]).await.shows("do not match"));
    }
    let refused = eve.sign_in(&page, "ada").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key(header::RETRY_AFTER) && eve.session_cookie().is_none());
    stage.pass(60);
    let mut stranger = Person::at(&stage);
    assert_eq!(stranger.sign_in(&page, "ada").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn ending_a_session_from_the_account_page_signs_out_that_one_alone() {
    let stage = Stage::set().await;
    let (mut here, mut there, mut eve) = (Person::at(&stage), Person::at(&stage), Person::at(&stage));
    enter(&mut here, "ada").await;
    stage.pass(600);
    there.be("ada").await;
    enter(&mut eve, "eve").await;
    let refresh_there = allow(&mut there, "shop", "openid").await;
    let (this, other) = (session_of(&stage, &here).await, session_of(&stage, &there).await);
    let page = account(&mut here).await;
    assert_eq!(page.body.matches("Last active").count(), 2, "eve's is not among them");
    assert!(page.shows(&format!("/account/end?session={other}")) && !page.shows(&format!("session={this}")));
    assert!(page.shows("Used for <bdi>The shop</bdi>"), "{}", page.body);
    let asked = here.get("/account/end", &[("session", &other)]).await;
    assert!(asked.shows("End this session?") && is_signed_in(&mut there).await, "nothing ends by a link");
    let done = here.fill("/account/end", &asked, &[]).await;
    assert!(done.shows("The session has ended"), "{}", done.body);
    assert!(!is_signed_in(&mut there).await && !refreshes(&mut there, "shop", &refresh_there).await);
    assert!(is_signed_in(&mut here).await && is_signed_in(&mut eve).await);
    assert_eq!(account(&mut here).await.body.matches("Last active").count(), 1, "gone at once");
    assert!(here.fill("/account/end", &asked, &[]).await.shows("It has ended already"), "a second click");
    let entry = entries(&stage).await.remove(0);
    assert_eq!(entry.target, Target::Session { session: other });
    assert_eq!((entry.reason, entry.initiator), (Reason::UserRequest, Initiator::User("u_ada".into())));
}

#[tokio::test]
async fn signing_out_everywhere_else_leaves_this_session_and_other_people_alone() {
    let stage = Stage::set().await;
    let mut eve = Person::at(&stage);
    enter(&mut eve, "eve").await;
    let mut people: Vec<_> = (0..3).map(|_| Person::at(&stage)).collect();
    for person in &mut people {
        enter(person, "ada").await;
    }
    let (mut here, mut elsewhere) = (people.remove(0), people);
    let mut offline = Vec::new();
    for person in &mut elsewhere {
        offline.push(allow(person, "shop", "openid offline_access").await);
    }
    let before = entries(&stage).await.len();
    let asked = here.get("/account/end", &[("others", "1")]).await;
    assert!(asked.shows("2 other sessions"), "{}", asked.body);
    let done = here.fill("/account/end", &asked, &[]).await;
    assert!(done.shows("2 other sessions</strong> ended"), "{}", done.body);
    for (person, refresh) in elsewhere.iter_mut().zip(&offline) {
        assert!(!is_signed_in(person).await);
        assert!(refreshes(person, "shop", refresh).await, "offline access goes on, as the page says");
    }
    assert!(is_signed_in(&mut here).await && is_signed_in(&mut eve).await);
    assert_eq!(entries(&stage).await.len(), before + 2);
    assert_eq!(here.get("/account/end", &[("others", "1")]).await.status, StatusCode::NOT_FOUND);
    assert!(here.fill("/account/end", &asked, &[]).await.shows("It has ended already"));
}

#[tokio::test]
async fn an_application_that_is_removed_has_neither_tokens_nor_consent_any_more() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    enter(&mut ada, "ada").await;
    let shop = allow(&mut ada, "shop", "openid offline_access read").await;
    let other = allow(&mut ada, "other", "openid profile").await;
    let page = account(&mut ada).await;
    for words in
        ["The shop", "The other", "Recognise you", "See your profile", "Works while you are signed out", "Last used"]
    {
        assert!(page.shows(words), "{words}: {}", page.body);
    }
    assert!(ada.authorize(&[("scope", "openid")]).await.answer("code").is_some(), "it is not asked again");
    let asked = ada.get("/account/end", &[("application", "shop")]).await;
    assert!(asked.shows("Remove <bdi>The shop</bdi>?"), "{}", asked.body);
    assert!(refreshes(&mut ada, "shop", &shop).await);
    let done = ada.fill("/account/end", &asked, &[]).await;
    assert!(done.shows("has been removed"), "{}", done.body);
    assert!(!refreshes(&mut ada, "shop", &shop).await && refreshes(&mut ada, "other", &other).await);
    let page = account(&mut ada).await;
    assert!(!page.shows("The shop") && page.shows("The other"), "{}", page.body);
    let again = ada.authorize(&[("scope", "openid")]).await;
    assert!(again.shows(CONFIRM), "the sign-in is older than the removal");
    assert!(ada.sign_in(&again, "ada").await.shows(CONSENT), "and the consent is forgotten");
    assert_eq!(ada.get("/account/end", &[("application", "shop")]).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_ends_what_is_somebody_elses_and_hears_no_more_than_of_nothing() {
    let stage = Stage::set().await;
    let (mut ada, mut eve) = (Person::at(&stage), Person::at(&stage));
    enter(&mut ada, "ada").await;
    enter(&mut eve, "eve").await;
    allow(&mut ada, "shop", "openid").await;
    let (hers, before) = (session_of(&stage, &ada).await, entries(&stage).await.len());
    let plain = |seen: Seen| {
        let (before, rest) = seen.body.split_once("<code>").unwrap();
        (seen.status, format!("{before}{}", rest.split_once("</code>").unwrap().1))
    };
    let unknown = plain(eve.get("/account/end", &[("session", "s_unknown")]).await);
    assert_eq!(unknown.0, StatusCode::NOT_FOUND);
    for link in
        [[("session", hers.as_str())], [("application", "shop")], [("application", "nobody")], [("what", "ever")]]
    {
        assert_eq!(plain(eve.get("/account/end", &link).await), unknown, "{link:?}");
    }
    assert_eq!(plain(eve.get("/account/end", &[("session", &hers), ("others", "1")]).await), unknown);
    assert_eq!(entries(&stage).await.len(), before);
    assert!(is_signed_in(&mut ada).await);
}

#[tokio::test]
async fn a_form_that_ends_something_works_only_for_the_session_and_the_thing_it_was_made_for() {
    let stage = Stage::set().await;
    let (mut ada, mut there) = (Person::at(&stage), Person::at(&stage));
    enter(&mut ada, "ada").await;
    enter(&mut there, "ada").await;
    let (other, before) = (session_of(&stage, &there).await, entries(&stage).await.len());
    let asked = ada.get("/account/end", &[("session", &other)]).await;
    let (csrf, flow) = (asked.field("csrf"), asked.field("flow"));
    let bad = StatusCode::BAD_REQUEST;
    for fields in [
        vec![],
        vec![("flow", flow.as_str())],
        vec![("flow", flow.as_str()), ("csrf", "x")],
        vec![("flow", "others=1"), ("csrf", csrf.as_str())],
        vec![("session", other.as_str())],
    ] {
        assert_eq!(ada.post("/account/end", &fields).await.status, bad, "{fields:?}");
    }
    let sealed = [("flow", flow.as_str()), ("csrf", csrf.as_str())];
    assert_eq!(there.post("/account/end", &sealed).await.status, bad, "another browser");
    assert_eq!(ada.post("/logout", &[sealed[0], sealed[1], ("decision", "sign-out")]).await.status, bad);
    let page = ada.authorize(&[("client_id", "desk"), ("prompt", "login")]).await;
    let page = ada.fill("/sign-in", &page, &[("choice", "another")]).await;
    assert!(ada.sign_in(&page, "eve").await.answer("code").is_some());
    assert_eq!(ada.post("/account/end", &sealed).await.status, bad, "somebody else has signed in here");
    assert_eq!(entries(&stage).await.len(), before);
}

#[tokio::test]
async fn the_page_of_a_session_that_ended_elsewhere_ends_nothing_and_leads_to_the_sign_in() {
    let stage = Stage::set().await;
    let (mut ada, mut there) = (Person::at(&stage), Person::at(&stage));
    enter(&mut ada, "ada").await;
    enter(&mut there, "ada").await;
    let asked = ada.get("/account/end", &[("others", "1")]).await;
    let session = session_of(&stage, &ada).await;
    stage.end(Target::Session { session }).await;
    assert_eq!(location(&ada.fill("/account/end", &asked, &[]).await), "http://127.0.0.1:8080/account");
    assert_eq!(location(&ada.get("/account/end", &[("others", "1")]).await), "http://127.0.0.1:8080/account");
    assert!(account(&mut ada).await.shows(SIGN_IN));
    assert!(is_signed_in(&mut there).await);
}

#[tokio::test]
async fn a_session_that_ends_while_its_order_waits_ends_nothing_else() {
    let stage = Stage::set().await;
    let (mut ada, mut there) = (Person::at(&stage), Person::at(&stage));
    enter(&mut ada, "ada").await;
    enter(&mut there, "ada").await;
    let asked = ada.get("/account/end", &[("others", "1")]).await;
    let target = Target::Session { session: session_of(&stage, &ada).await };
    let (release, held) = std::sync::mpsc::channel::<()>();
    let busy = stage.app.submit(Lane::Ending, move |_| {
        held.recv().unwrap();
        Ok(())
    });
    let order = Order::new(target, Reason::LeftCompany, administrator());
    let ended = stage.app.submit(Lane::Ending, move |door| door.end(&order));
    // The order of the page is given while the session still stands, and waits behind the one that ends it.
    let (answer, ()) = tokio::join!(ada.fill("/account/end", &asked, &[]), async { release.send(()).unwrap() });
    busy.await.unwrap();
    ended.await.unwrap();
    assert_eq!(location(&answer), "http://127.0.0.1:8080/account");
    assert!(is_signed_in(&mut there).await);
}

#[tokio::test]
async fn ones_own_session_is_ended_by_signing_out() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    enter(&mut ada, "ada").await;
    let this = session_of(&stage, &ada).await;
    assert!(account(&mut ada).await.shows("href=\"/logout\""));
    let there = ada.get("/account/end", &[("session", &this)]).await;
    assert_eq!(location(&there), "http://127.0.0.1:8080/logout");
    let asked = ada.get("/logout", &[]).await;
    assert!(ada.fill("/logout", &asked, &[("decision", "sign-out")]).await.shows("You are signed out"));
    assert!(account(&mut ada).await.shows(SIGN_IN));
}

#[tokio::test]
async fn looking_at_the_account_page_touches_no_session_but_ones_own() {
    let stage = Stage::set().await;
    let (mut here, mut there) = (Person::at(&stage), Person::at(&stage));
    enter(&mut there, "ada").await;
    let other = session_of(&stage, &there).await;
    let idle = i64::try_from(stage.app.config.lifetimes.password_session.idle.as_secs()).unwrap();
    stage.pass(idle / 2);
    enter(&mut here, "ada").await;
    assert_eq!(account(&mut here).await.body.matches("Last active").count(), 2);
    let touched = stage.app.records.find_session(&other).await.unwrap().unwrap().clock().touched_at;
    assert_eq!(touched, stage.app.records.store.find_session(&other).await.unwrap().unwrap().started_at);
    stage.pass(idle / 2);
    let page = account(&mut here).await;
    assert_eq!(page.body.matches("Last active").count(), 1, "it has idled out");
    let kept = stage.app.records.store.sessions(&Filter::default(), None, 10).await.unwrap().items;
    assert_eq!(kept.len(), 2);
}
