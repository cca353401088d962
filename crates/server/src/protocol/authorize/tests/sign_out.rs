//! Signing out at a client's wish, and what nobody but the user can bring about.

use axum::http::{StatusCode, header};
use rescind_jose::Kind;
use rescind_ledger::SigningAlgorithm;
use serde_json::json;

use super::{
    SIGN_IN,
    stage::{ISSUER, Person, Seen, Stage},
};

const ASKED: &str = "Sign out?";
const GONE: &str = "You are signed out";
const BYE: &str = "https://app.test/bye";

async fn is_signed_in(person: &mut Person<'_>) -> bool {
    !person.authorize(&[("client_id", "desk")]).await.shows(SIGN_IN)
}

async fn hint(stage: &Stage, person: &Person<'_>, iss: &str, sid: Option<&str>) -> String {
    let cookie = person.session_cookie().unwrap();
    let session = stage.app.records.find_session_by_cookie(&cookie).await.unwrap().unwrap();
    let sid = sid.unwrap_or(&session.record.id);
    // Long expired: that a hint may be.
    let claims = json!({ "iss": iss, "aud": "shop", "sub": session.record.user, "sid": sid, "iat": 1, "exp": 2 });
    stage.app.keys.ring().signing(SigningAlgorithm::RS256).sign(Kind::IdToken, &claims).unwrap()
}

fn returns(seen: &Seen) -> Option<&str> {
    seen.headers.get(header::LOCATION).map(|location| location.to_str().unwrap())
}

#[tokio::test]
async fn a_link_alone_signs_nobody_out() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let foreign = hint(&stage, &ada, ISSUER, Some("s_other")).await;
    let links: [&[(&str, &str)]; 4] = [
        &[],
        &[("state", "x")],
        &[("client_id", "shop"), ("post_logout_redirect_uri", BYE)],
        &[("id_token_hint", &foreign)],
    ];
    for link in links {
        let page = ada.get("/logout", link).await;
        assert!(page.status == StatusCode::OK && page.shows(ASKED), "{link:?}");
        assert!(ada.post("/logout", link).await.shows(ASKED), "{link:?}");
    }
    let forged = ada.post("/logout", &[("decision", "sign-out"), ("flow", "e30"), ("csrf", "x")]).await;
    assert_eq!(forged.status, StatusCode::BAD_REQUEST);
    assert!(is_signed_in(&mut ada).await);
}

#[tokio::test]
async fn a_person_who_agrees_is_signed_out_and_goes_back_to_the_application() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let cookie = ada.cookies.get("rescind_session").cloned().unwrap();
    let state = "s".repeat(128);
    let wish = [("client_id", "shop"), ("post_logout_redirect_uri", BYE), ("state", state.as_str())];
    let page = ada.get("/logout", &wish).await;
    assert!(page.shows("The shop"));
    let stayed = ada.fill("/logout", &page, &[("decision", "stay")]).await;
    assert!(stayed.shows("still signed in") && stayed.shows(BYE));
    assert!(is_signed_in(&mut ada).await);
    let gone = ada.fill("/logout", &page, &[("decision", "sign-out")]).await;
    assert_eq!(returns(&gone), Some(format!("{BYE}?state={state}").as_str()));
    assert_eq!(ada.session_cookie(), None);
    ada.cookies.insert("rescind_session".into(), cookie);
    assert!(!is_signed_in(&mut ada).await, "the session itself has ended, not just the cookie");
}

#[tokio::test]
async fn an_id_token_of_this_very_session_signs_out_at_once() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let hint = hint(&stage, &ada, ISSUER, None).await;
    let gone = ada.get("/logout", &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]).await;
    assert_eq!(returns(&gone), Some(BYE));
    assert!(!is_signed_in(&mut ada).await);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_its_client_did_not_register() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let right = hint(&stage, &ada, ISSUER, None).await;
    let foreign = hint(&stage, &ada, "https://elsewhere.test", None).await;
    let unsigned = format!("{}.", right.rsplit_once('.').unwrap().0);
    let table: [&[(&str, &str)]; 6] = [
        &[("post_logout_redirect_uri", BYE)],
        &[("client_id", "shop"), ("post_logout_redirect_uri", "https://app.test/bye?x=1")],
        &[("client_id", "shop"), ("post_logout_redirect_uri", "https://evil.test/")],
        &[("client_id", "stranger"), ("post_logout_redirect_uri", BYE)],
        &[("client_id", "shop"), ("id_token_hint", &foreign), ("post_logout_redirect_uri", BYE)],
        &[("client_id", "shop"), ("id_token_hint", &unsigned), ("post_logout_redirect_uri", BYE)],
    ];
    for wish in table {
        let page = ada.get("/logout", wish).await;
        assert!(page.shows(ASKED), "{wish:?}");
        let stayed = ada.fill("/logout", &page, &[("decision", "stay")]).await;
        assert!(!stayed.shows("href=\"https://"), "{wish:?}");
        let mut stranger = Person::at(&stage);
        assert!(stranger.get("/logout", wish).await.shows(GONE), "{wish:?}");
    }
    let mismatch = [("client_id", "other"), ("id_token_hint", right.as_str())];
    assert_eq!(ada.get("/logout", &mismatch).await.status, StatusCode::BAD_REQUEST);
    assert!(is_signed_in(&mut ada).await);
}
