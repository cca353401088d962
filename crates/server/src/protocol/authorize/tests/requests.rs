//! Which requests are taken, and who hears of the mistakes in the others.

use axum::http::StatusCode;
use rescind_ledger::{Client, ClientChange};

use super::{
    CONSENT, SIGN_IN,
    stage::{API, CALLBACK, Person, Seen, Stage, administrator, client, encoded, parameters},
};

/// Parameters set otherwise, and the error that the client hears.
const MISTAKES: &[(&[(&str, &str)], &str)] = &[
    (&[("response_type", "")], "invalid_request"),
    (&[("response_type", "token")], "unsupported_response_type"),
    (&[("response_type", "code id_token")], "unsupported_response_type"),
    (&[("response_mode", "fragment")], "invalid_request"),
    (&[("code_challenge", "")], "invalid_request"),
    (&[("code_challenge", "short")], "invalid_request"),
    (&[("code_challenge_method", "")], "invalid_request"),
    (&[("code_challenge_method", "plain")], "invalid_request"),
    (&[("scope", "openid everything")], "invalid_scope"),
    (&[("resource", "https://elsewhere.test/")], "invalid_target"),
    (&[("prompt", "none login")], "invalid_request"),
    (&[("prompt", "dance")], "invalid_request"),
    (&[("max_age", "soon")], "invalid_request"),
    (&[("request", "e30.e30.")], "request_not_supported"),
    (&[("request_uri", "https://app.test/request")], "request_uri_not_supported"),
    (&[("registration", "{}")], "registration_not_supported"),
    (&[("id_token_hint", "e30.e30.")], "invalid_request"),
];

#[tokio::test]
async fn a_mistake_goes_to_the_client_once_its_address_is_known_to_be_its_own() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    for (otherwise, error) in MISTAKES {
        let seen = ada.authorize(otherwise).await;
        assert_eq!(seen.answer("error").as_deref(), Some(*error), "{otherwise:?}");
        assert_eq!(seen.answer("state").as_deref(), Some("st"), "{otherwise:?}");
        assert!(seen.answer("iss").is_some() && seen.answer("code").is_none());
    }
}

#[tokio::test]
async fn a_mistake_stays_here_until_the_address_is_known_to_be_the_clients() {
    let stage = Stage::set().await;
    let off = Client { enabled: false, ..client("off") };
    stage.write(move |door| door.add_client(&off)).await;
    let mut ada = Person::at(&stage);
    let table: &[&[(&str, &str)]] = &[
        &[("client_id", "")],
        &[("client_id", "stranger")],
        &[("client_id", "off")],
        &[("redirect_uri", "")],
        &[("redirect_uri", "https://app.test/cb/")],
        &[("redirect_uri", "https://app.test/cb?x=1")],
        &[("redirect_uri", "https://app.test/cb#x")],
        &[("redirect_uri", "https://APP.test/cb")],
        &[("redirect_uri", "https://evil.test/cb")],
        &[("redirect_uri", "http://127.0.0.1:7777/other")],
        &[("redirect_uri", "http://localhost:7777/native")],
        &[("request_uri", "urn:ietf:params:oauth:request_uri:unknown")],
    ];
    for otherwise in table {
        let seen = ada.authorize(otherwise).await;
        assert_eq!(seen.status, StatusCode::BAD_REQUEST, "{otherwise:?}");
        assert!(!seen.headers.contains_key("location"));
        assert!(!seen.body.contains("evil.test"), "nothing of the request is repeated");
    }
    let twice = format!("{}&state=again", encoded(&parameters(&[])));
    let pairs: Vec<_> = form_urlencoded::parse(twice.as_bytes()).into_owned().collect();
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(ada.get("/authorize", &pairs).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_native_application_comes_back_at_any_port_of_its_own_machine() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    ada.be("ada").await;
    let native = [("client_id", "desk"), ("redirect_uri", "http://127.0.0.1:51004/native")];
    let answer = ada.authorize(&native).await;
    assert!(answer.headers["location"].to_str().unwrap().starts_with("http://127.0.0.1:51004/native?code="));
}

async fn push(person: &mut Person<'_>, otherwise: &[(&str, &str)]) -> Seen {
    let mut pairs = parameters(otherwise);
    pairs.push(("client_secret", "secret"));
    person.post("/par", &pairs).await
}

fn request_uri(pushed: &Seen) -> String {
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.body);
    let body: serde_json::Value = serde_json::from_str(&pushed.body).unwrap();
    assert!(body["expires_in"].as_u64().unwrap() > 0);
    body["request_uri"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pushed_request_gives_one_code_to_its_own_client() {
    let stage = Stage::set().await;
    let (mut server, mut ada) = (Person::at(&stage), Person::at(&stage));
    let uri = request_uri(&push(&mut server, &[("resource", API), ("scope", "openid read")]).await);
    let open = [("client_id", "shop"), ("request_uri", uri.as_str())];
    let foreign = [("client_id", "other"), ("request_uri", uri.as_str())];
    assert_eq!(ada.get("/authorize", &foreign).await.status, StatusCode::BAD_REQUEST);
    let first = ada.get("/authorize", &open).await;
    let second = ada.get("/authorize", &open).await;
    assert!(first.shows(SIGN_IN) && second.shows(SIGN_IN), "opening it is not using it");
    let page = ada.sign_in(&first, "ada").await;
    assert!(page.shows(CONSENT) && page.shows("The API"));
    assert!(ada.fill("/consent", &page, &[("decision", "allow")]).await.answer("code").is_some());
    assert_eq!(ada.get("/authorize", &open).await.status, StatusCode::BAD_REQUEST, "used up");
    assert_eq!(ada.sign_in(&second, "ada").await.status, StatusCode::BAD_REQUEST, "one flow, whatever the tab");
    let handle = format!("urn:ietf:params:oauth:request_uri:{}", first.field("flow"));
    let inner = ada.get("/authorize", &[("client_id", "shop"), ("request_uri", &handle)]).await;
    assert_eq!(inner.status, StatusCode::BAD_REQUEST, "the name of a flow names no pushed request");
}

#[tokio::test]
async fn a_pushed_request_is_checked_as_a_whole_and_soon_forgotten() {
    let stage = Stage::set().await;
    let (mut server, mut ada) = (Person::at(&stage), Person::at(&stage));
    for (otherwise, error) in MISTAKES {
        let refused = push(&mut server, otherwise).await;
        let expected = if otherwise[0].0 == "request_uri" { "invalid_request" } else { error };
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.body.contains(&format!("\"{expected}\"")), "{otherwise:?}: {}", refused.body);
    }
    let unregistered = push(&mut server, &[("redirect_uri", "https://evil.test/")]).await;
    assert_eq!(unregistered.status, StatusCode::BAD_REQUEST);
    let unproven = server.post("/par", &parameters(&[("client_secret", "wrong")])).await;
    assert_eq!(unproven.status, StatusCode::UNAUTHORIZED);
    let uri = request_uri(&push(&mut server, &[]).await);
    stage.pass(i64::try_from(stage.app.config.lifetimes.pushed_request.as_secs()).unwrap());
    let late = ada.get("/authorize", &[("client_id", "shop"), ("request_uri", &uri)]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_client_that_has_to_push_cannot_go_without() {
    let stage = Stage::set().await;
    let strict = Client { require_pushed_authorization_requests: true, ..client("shop") };
    stage.write(move |door| door.change_client(&ClientChange::Put(Box::new(strict)), &administrator())).await;
    let (mut server, mut ada) = (Person::at(&stage), Person::at(&stage));
    assert_eq!(ada.authorize(&[]).await.answer("error").as_deref(), Some("invalid_request"));
    let uri = request_uri(&push(&mut server, &[("redirect_uri", CALLBACK)]).await);
    assert!(ada.get("/authorize", &[("client_id", "shop"), ("request_uri", &uri)]).await.shows(SIGN_IN));
}

#[tokio::test]
async fn a_form_that_does_not_say_who_asks_is_refused_and_not_sent_on() {
    let stage = Stage::set().await;
    let mut ada = Person::at(&stage);
    assert_eq!(ada.post("/authorize", &parameters(&[("client_id", "")])).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ada.post("/authorize", &parameters(&[])).await.status, StatusCode::SEE_OTHER);
}
