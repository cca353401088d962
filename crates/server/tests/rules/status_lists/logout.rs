//! The logout status JWT (J22).

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use rescind_jose::Kind;
use rescind_ledger::Target;
use serde_json::{Value, json};

use super::{id, is_invalid, slot};
use crate::house::{House, ISSUER, REDIRECT_URI, VERIFIER, subject, text};

/// What the client finds in the answer to its authorization request.
struct Answered {
    code: String,
    jwt: Option<String>,
}

async fn authorize(house: &House, cookie: &str, query: &str) -> Answered {
    let cookies = format!("rescind_browser={}; rescind_session={cookie}", "b".repeat(43));
    let request = Request::get(format!("/authorize?{query}")).header(header::COOKIE, cookies);
    let response = house.send(request.body(Body::empty()).unwrap()).await;
    let location = url::Url::parse(response.headers()[header::LOCATION].to_str().unwrap()).unwrap();
    let find = |wanted: &str| location.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into());
    Answered { code: find("code").unwrap(), jwt: find("logout_status_jwt") }
}

fn query(more: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest, Sha256};
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    format!(
        "client_id=web&redirect_uri={REDIRECT_URI}&response_type=code&code_challenge={challenge}\
         &code_challenge_method=S256{more}"
    )
}

pub(crate) async fn jwt(house: &House, cookie: &str) -> String {
    authorize(house, cookie, &query("&logout_status_jwt=true")).await.jwt.unwrap()
}

fn verified(house: &House, jwt: &str) -> Value {
    house.app.keys.ring().published.verify::<Value>(jwt, Kind::LogoutStatus).unwrap().claims
}

#[tokio::test]
async fn it_comes_beside_the_code_to_who_asks_for_it_and_says_whose_sign_in_it_is() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    for not_asked in ["", "&logout_status_jwt=false", "&logout_status_jwt=", "&logout_status_jwt=TRUE"] {
        assert_eq!(authorize(&house, &cookie, &query(not_asked)).await.jwt, None, "{not_asked}");
    }
    let answered = authorize(&house, &cookie, &query("&logout_status_jwt=true")).await;
    let jwt = answered.jwt.unwrap();
    let said = verified(&house, &jwt);
    let now = house.app.now().secs();
    assert_eq!((&said["iss"], &said["aud"], &said["sub"]), (&json!(ISSUER), &json!("web"), &json!("u_alice")));
    assert_eq!(said["sid"], house.session_of(&cookie).await);
    assert_eq!((&said["iat"], &said["nbf"], &said["exp"]), (&json!(now), &json!(now), &json!(now + 86_400)));
    assert!(slot(&jwt).0.starts_with(&format!("{ISSUER}/status_list/")) && !text(&said, "jti").is_empty());
    assert!(!is_invalid(&house, &jwt).await);
    assert_eq!(house.exchange("web", &answered.code).await.0, StatusCode::OK, "the code is as good as ever");
}

#[tokio::test]
async fn it_opens_nothing() {
    let house = House::open().await;
    let jwt = jwt(&house, &house.sign_in("alice").await).await;
    assert!(!house.is_active("web", &jwt).await);
    assert_eq!(house.userinfo(&jwt).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(house.refresh("web", &jwt).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn j22_it_is_revoked_as_a_whole_by_its_id_and_with_its_user() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let [whole, by_id, with_user] =
        [jwt(&house, &cookie).await, jwt(&house, &cookie).await, jwt(&house, &cookie).await];
    let revoke = async |client: &str, token: &str, hint: &str| {
        let fields = [("token", token), ("token_type_hint", hint)];
        house.post(client, "/revoke", &fields).await.0
    };
    assert_eq!(revoke("app", &whole, "logout_status_jwt").await, StatusCode::BAD_REQUEST, "it is another client's");
    assert!(!is_invalid(&house, &whole).await);
    assert_eq!(revoke("web", &whole, "logout_status_jwt").await, StatusCode::OK);
    assert!(is_invalid(&house, &whole).await && !is_invalid(&house, &by_id).await);
    assert_eq!(revoke("web", &id(&by_id, "jti"), "logout_status_jwt").await, StatusCode::OK);
    assert!(!is_invalid(&house, &by_id).await, "an id is no token");
    assert_eq!(revoke("web", &id(&by_id, "jti"), "jti").await, StatusCode::OK);
    assert!(is_invalid(&house, &by_id).await && !is_invalid(&house, &with_user).await);
    house.end(subject("alice")).await;
    assert!(is_invalid(&house, &with_user).await);
}

#[tokio::test]
async fn it_reports_the_end_of_the_session_even_where_tokens_outlive_it() {
    let house = House::open().await;
    let (one, other) = (house.sign_in("alice").await, house.sign_in("alice").await);
    let offline = "&scope=read+offline_access&logout_status_jwt=true";
    let ended = authorize(&house, &one, &query(offline)).await;
    let goes_on = authorize(&house, &other, &query(offline)).await.jwt.unwrap();
    let tokens = house.exchange("web", &ended.code).await.1;
    house.end(Target::Session { session: house.session_of(&one).await }).await;
    assert!(is_invalid(&house, &ended.jwt.unwrap()).await);
    assert!(!is_invalid(&house, &goes_on).await);
    assert!(house.is_active("web", &text(&tokens, "access_token")).await);
}

#[tokio::test]
async fn a_pushed_request_asks_for_it_too() {
    let house = House::open().await;
    let fields: Vec<(String, String)> =
        form_urlencoded::parse(query("&logout_status_jwt=true").as_bytes()).into_owned().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).skip(1).collect();
    let (status, pushed) = house.post("web", "/par", &fields).await;
    assert_eq!(status, StatusCode::CREATED, "{pushed}");
    let cookie = house.sign_in("alice").await;
    let uri = text(&pushed, "request_uri");
    let answered = authorize(&house, &cookie, &format!("client_id=web&request_uri={uri}")).await;
    assert!(!is_invalid(&house, &answered.jwt.unwrap()).await);
}

async fn set(house: &House, name: &str, value: Value) {
    let (status, body) = house.admin("PATCH", &format!("/settings/{name}"), &json!({ "value": value })).await;
    assert!(status.is_success(), "{status}: {body}");
}

#[tokio::test]
async fn switched_off_it_is_not_given_and_the_settings_say_how_long_it_lives() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    for feature in ["LOGOUT_STATUS_JWT", "STATUS_LIST"] {
        set(&house, feature, json!(false)).await;
        let answered = authorize(&house, &cookie, &query("&logout_status_jwt=true")).await;
        assert_eq!(answered.jwt, None, "{feature}");
        assert_eq!(house.exchange("web", &answered.code).await.0, StatusCode::OK);
        set(&house, feature, json!(true)).await;
    }
    set(&house, "logoutStatusJwtLifetime", json!(120)).await;
    let said = verified(&house, &jwt(&house, &cookie).await);
    assert_eq!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap(), 120);
}
