//! A revocation on the way from the request to the code.

use rescind_ledger::{Client, ClientChange, LedgerError, Target};

use crate::protocol::{
    authorize::{Opened, open},
    consent::give_consent,
    flow::Flow,
    form::Form,
    issue::issue_code,
    sign_in::{Credentials, SignInError, reauthenticate, sign_in},
    signed_in::{SignedIn, find_signed_in},
};

use super::{
    API, CONFIRM, CONSENT, SIGN_IN,
    stage::{ISSUER, PASSWORD, Person, Seen, Stage, administrator, client, encoded, parameters},
};

async fn agreed<'a>(stage: &'a Stage, otherwise: &[(&str, &str)]) -> Person<'a> {
    let mut ada = Person::at(stage);
    ada.be("ada").await;
    let page = ada.authorize(otherwise).await;
    assert!(ada.fill("/consent", &page, &[("decision", "allow")]).await.answer("code").is_some());
    ada
}

fn pair(client: &str) -> Target {
    Target::SubjectClient { issuer: ISSUER.into(), subject: "u_ada".into(), client: client.into() }
}

#[tokio::test]
async fn rule_1_a_cut_off_newer_than_the_sign_in_demands_a_fresh_one() {
    let targets = [
        Target::Client { client: "shop".into() },
        pair("shop"),
        Target::Audience { audience: API.into() },
        Target::ClientAudience { client: "shop".into(), audience: API.into() },
    ];
    for target in targets {
        let stage = Stage::set().await;
        let wanted = [("resource", API)];
        let mut ada = agreed(&stage, &wanted).await;
        stage.end(target.clone()).await;
        let silent = ada.authorize(&[("resource", API), ("prompt", "none")]).await;
        assert_eq!(silent.answer("error").as_deref(), Some("login_required"), "{target}");
        assert!(ada.authorize(&[("client_id", "desk")]).await.answer("code").is_some(), "{target}: others go on");
        let page = ada.authorize(&wanted).await;
        assert!(page.shows(CONFIRM), "{target}");
        let page = ada.sign_in(&page, "ada").await;
        assert!(page.shows(CONSENT), "{target}: the consent was of before");
        assert!(ada.fill("/consent", &page, &[("decision", "allow")]).await.answer("code").is_some(), "{target}");
        assert!(ada.authorize(&wanted).await.answer("code").is_some(), "{target}: and then it goes on as before");
    }
}

#[tokio::test]
async fn a_revoked_user_is_signed_out_wherever_they_stand() {
    let stage = Stage::set().await;
    let mut ada = agreed(&stage, &[]).await;
    let page = ada.authorize(&[("prompt", "consent")]).await;
    stage.end(stage.subject("ada")).await;
    assert!(ada.authorize(&[]).await.shows(SIGN_IN));
    let page = ada.fill("/consent", &page, &[("decision", "allow")]).await;
    assert!(page.shows(SIGN_IN));
    let page = ada.sign_in(&page, "ada").await;
    assert!(page.shows(CONSENT), "signed in anew, but the consent was of before");
}

#[tokio::test]
async fn a_consent_given_after_a_cut_off_needs_a_new_proof_first() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let page = ada.authorize(&[]).await;
    stage.end(pair("shop")).await;
    let page = ada.fill("/consent", &page, &[("decision", "allow")]).await;
    assert!(page.shows(CONFIRM), "{}", page.body);
    let page = ada.sign_in(&page, "ada").await;
    assert!(page.shows(CONSENT));
    assert!(ada.fill("/consent", &page, &[("decision", "allow")]).await.answer("code").is_some());
}

#[tokio::test]
async fn rule_2_a_request_does_not_outlive_what_it_was_checked_against() {
    let stage = Stage::set().await;
    let expired = |seen: Seen| seen.shows("has expired");
    let mut ada = Person::at(&stage);
    let page = ada.authorize(&[("scope", "openid read")]).await;
    let narrower = Client { scopes: vec!["openid".into()], ..client("shop") };
    stage.write(move |door| door.change_client(&ClientChange::Put(Box::new(narrower)), &administrator())).await;
    assert!(expired(ada.sign_in(&page, "ada").await), "the client may no longer ask for this");

    let page = ada.authorize(&[("client_id", "other"), ("resource", API), ("scope", "openid")]).await;
    assert!(page.shows(SIGN_IN) || page.shows(CONSENT));
    stage.write(|door| door.delete_api(API, &administrator())).await;
    let answered = if page.shows(SIGN_IN) {
        ada.sign_in(&page, "ada").await
    } else {
        ada.fill("/consent", &page, &[("decision", "allow")]).await
    };
    assert!(expired(answered), "the API is gone");
}

#[tokio::test]
async fn a_session_that_rests_too_long_is_over_and_one_in_use_is_not() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let idle = i64::try_from(stage.app.config.lifetimes.session.idle.as_secs()).unwrap();
    for _ in 0..3 {
        stage.pass(idle / 2);
        assert!(ada.authorize(&[("client_id", "desk")]).await.answer("code").is_some());
    }
    stage.pass(idle);
    assert!(ada.authorize(&[("client_id", "desk")]).await.shows(SIGN_IN));
}

async fn under_way(stage: &Stage, otherwise: &[(&str, &str)]) -> (Flow, SignedIn) {
    let credentials =
        Credentials { user_name: "ada", password: PASSWORD, address: None, user_agent: None, device_names: &[] };
    let begun = sign_in(&stage.app, credentials).await.unwrap();
    let form = Form::parse(encoded(&parameters(otherwise)).as_bytes()).unwrap();
    let Ok(Opened::Flow(flow)) = open(&stage.app, &form).await else { panic!("a right request") };
    let signed_in = find_signed_in(&stage.app, Some(begun.cookie.hash())).await.unwrap().unwrap();
    (*flow, signed_in)
}

#[tokio::test]
async fn what_outlives_a_session_does_not_begin_after_its_end() {
    for scope in ["openid", "openid offline_access"] {
        let stage = Stage::set().await;
        let (flow, signed_in) = under_way(&stage, &[("scope", scope)]).await;
        stage.end(Target::Session { session: signed_in.record().id.clone() }).await;
        let code = issue_code(&stage.app, &flow, &signed_in).await;
        assert!(matches!(code, Err(LedgerError::Revoked)), "{scope}");
        let consent = give_consent(&stage.app, &flow, &signed_in).await;
        assert!(matches!(consent, Err(LedgerError::Revoked)), "{scope}");
        let proof = reauthenticate(&stage.app, &signed_in.session, PASSWORD).await;
        assert!(matches!(proof, Err(SignInError::Revoked)), "{scope}");
    }
}

#[tokio::test]
async fn rule_1_a_code_under_way_dies_of_a_cut_off_that_comes_first() {
    let targets = [
        Target::Client { client: "shop".into() },
        pair("shop"),
        Target::Audience { audience: API.into() },
        Target::Everything,
    ];
    for target in targets {
        let stage = Stage::set().await;
        let (flow, signed_in) = under_way(&stage, &[("resource", API)]).await;
        stage.end(target.clone()).await;
        let code = issue_code(&stage.app, &flow, &signed_in).await;
        assert!(matches!(code, Err(LedgerError::Revoked)), "{target}");
    }
}
