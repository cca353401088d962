//! Status lists say of each token what introspection says, from the next fetch on; and the logout status JWT (J21, J22).

mod fetching;
pub(crate) mod logout;
pub(crate) mod time;

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use rescind::{background, status_lists::unpack};
use rescind_ledger::{Device, Target};
use serde_json::Value;

use crate::house::{API_J, House, ISSUER, somebody, subject, text};

/// An answer of the status endpoints.
struct Fetched {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Fetched {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Fetches an address of this server, with headers of one's own.
async fn fetch(house: &House, uri: &str, headers: &[(header::HeaderName, &str)]) -> Fetched {
    let path = uri.strip_prefix(ISSUER).unwrap_or(uri);
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, *value));
    let response = house.send(request.body(Body::empty()).unwrap()).await;
    let (parts, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Fetched { status: parts.status, headers: parts.headers, body }
}

/// The claims of a JWT, unverified.
fn claims(jwt: &str) -> Value {
    let payload = jwt.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The claims of a signed list, verified.
fn verified(house: &House, jwt: &str) -> Value {
    house.app.keys.ring().published.verify::<Value>(jwt, rescind_jose::Kind::StatusList).unwrap().claims
}

/// Where a JWT says that its status stands.
fn slot(jwt: &str) -> (String, usize) {
    let status = &claims(jwt)["status"]["status_list"];
    (text(status, "uri"), usize::try_from(status["idx"].as_u64().unwrap()).unwrap())
}

/// The bytes of a list as it stands now, by its signed form.
async fn bytes(house: &House, uri: &str) -> Vec<u8> {
    let fetched = fetch(house, uri, &[]).await;
    assert_eq!(fetched.status, StatusCode::OK, "{}", fetched.body);
    let claims = verified(house, &fetched.body);
    assert_eq!(claims["sub"], uri);
    unpack(&text(&claims["status_list"], "lst")).unwrap()
}

/// Whether a JWT's status is INVALID, by a list that is fetched now.
pub(crate) async fn is_invalid(house: &House, jwt: &str) -> bool {
    let (uri, index) = slot(jwt);
    bytes(house, &uri).await[index / 8] >> (index % 8) & 1 == 1
}

/// An access token of a user at a client, by a sign-in of its own.
async fn token(house: &House, user: &str, client: &str, scope: &str) -> String {
    let cookie = house.sign_in(user).await;
    token_in(house, &cookie, client, scope).await
}

pub(crate) async fn token_in(house: &House, cookie: &str, client: &str, scope: &str) -> String {
    let code = house.code(cookie, client, &[("scope", scope), ("resource", API_J)]).await;
    let (status, body) = house.exchange(client, &code).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    text(&body, "access_token")
}

/// Fails unless list and introspection say the same of every token; gives back how many are dead.
async fn agree(house: &House, tokens: &[(&str, String)], after: &str) -> usize {
    let mut dead = 0;
    let mut lists = BTreeMap::new();
    for (client, token) in tokens {
        let (uri, index) = slot(token);
        if !lists.contains_key(&uri) {
            lists.insert(uri.clone(), bytes(house, &uri).await);
        }
        let invalid = lists[&uri][index / 8] >> (index % 8) & 1 == 1;
        assert_eq!(invalid, !house.is_active(client, token).await, "after {after}: {}", claims(token));
        dead += usize::from(invalid);
    }
    let set: u32 = lists.values().flatten().map(|byte| byte.count_ones()).sum();
    assert_eq!(set as usize, dead, "after {after}: an index of nobody's is INVALID");
    dead
}

fn id(jwt: &str, name: &str) -> String {
    text(&claims(jwt), name)
}

/// A revocation of every kind, one after the other, and after each one a list. Each ends some tokens, and never all that
/// are left.
#[tokio::test]
async fn whatever_is_revoked_the_next_list_says_of_each_token_what_introspection_says() {
    let house = House::open().await;
    for name in ["carol", "dave", "erin", "frank"] {
        house.add_user(name).await;
    }
    let device = Device {
        id: "tablet".to_owned(),
        name: "Tablet".to_owned(),
        external_ids: Vec::new(),
        enabled: true,
        created_at: house.app.now(),
    };
    house.door(move |door| door.put_device(&device, &somebody())).await.unwrap();
    let mut tokens = Vec::new();
    for user in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        for client in ["web", "web", "app", "app"] {
            tokens.push((client, token(&house, user, client, "read").await));
        }
    }
    let of = |user: usize, nth: usize| tokens[user * 4 + nth].1.as_str();
    assert_eq!(agree(&house, &tokens, "nothing").await, 0);
    let issuer = || ISSUER.to_owned();
    let steps = [
        (Target::Token { token: id(of(0, 0), "jti") }, 1),
        (Target::Grant { grant: id(of(0, 1), "grant_id") }, 2),
        (Target::Session { session: id(of(0, 2), "sid") }, 3),
        (Target::SubjectClient { issuer: issuer(), subject: "u_bob".to_owned(), client: "web".to_owned() }, 5),
        (subject("bob"), 7),
        (Target::SubjectAudience { issuer: issuer(), subject: "u_carol".to_owned(), audience: API_J.to_owned() }, 11),
        (Target::Device { device: "tablet".to_owned() }, 11),
        (Target::DeviceClient { device: "tablet".to_owned(), client: "web".to_owned() }, 11),
        // Of web's tokens two of each of the last three users are left.
        (Target::ClientAudience { client: "web".to_owned(), audience: API_J.to_owned() }, 17),
        (Target::Audience { audience: "https://nobody.example".to_owned() }, 17),
    ];
    for (target, dead) in steps {
        let after = target.to_string();
        house.end(target).await;
        assert_eq!(agree(&house, &tokens, &after).await, dead, "after {after}");
    }
    tokens.push(("web", token(&house, "dave", "web", "read").await));
    assert_eq!(agree(&house, &tokens, "a new sign-in").await, 17, "a cut-off ends what was there before it");
    for (target, dead) in [
        (Target::Client { client: "app".to_owned() }, 24),
        (Target::Key { key: "a key of nobody's".to_owned() }, 24),
        (Target::Everything, 25),
    ] {
        let after = target.to_string();
        house.end(target).await;
        assert_eq!(agree(&house, &tokens, &after).await, dead, "after {after}");
    }
}

#[tokio::test]
async fn a_revoked_signing_key_and_audience_reach_every_token_of_theirs() {
    let house = House::open().await;
    let old = [("web", token(&house, "alice", "web", "read").await)];
    let kid = house.app.keys.ring().signing(rescind_ledger::SigningAlgorithm::RS256).kid().to_owned();
    house.end(Target::Key { key: kid }).await;
    house.app.rotate_signing_keys().await.unwrap();
    assert_eq!(agree(&house, &old, "the key").await, 1);
    let young =
        [("web", token(&house, "alice", "web", "read").await), ("app", token(&house, "bob", "app", "read").await)];
    let offset = usize::from(is_invalid(&house, &young[0].1).await);
    assert_eq!(offset, 0, "what is signed with the next key holds");
    house.end(Target::Audience { audience: API_J.to_owned() }).await;
    for (_, token) in &young {
        assert!(is_invalid(&house, token).await);
    }
}

#[tokio::test]
async fn on_a_device_that_is_revoked_everything_that_was_issued_there_is_invalid() {
    let house = House::open().await;
    let elsewhere = token(&house, "alice", "web", "read").await;
    let (mut session, authentication) = recent(&house, "alice").await;
    session.id = "s_on_the_tablet".to_owned();
    session.device = Some("tablet".to_owned());
    let secret = rescind_ledger::Secret::form(rescind_ledger::Kind::SessionCookie, &[7; 32]);
    session.cookie = secret.hash();
    let authentication = rescind_ledger::Authentication { session: session.id.clone(), ..authentication };
    let sign_in = rescind_ledger::SignIn { session, authentication };
    house.door(move |door| door.sign_in(&sign_in)).await.unwrap();
    let there = token_in(&house, secret.reveal(), "web", "read").await;
    let tokens = [("web", elsewhere), ("web", there.clone())];
    house.end(Target::DeviceClient { device: "tablet".to_owned(), client: "app".to_owned() }).await;
    assert_eq!(agree(&house, &tokens, "another client on the device").await, 0);
    house.end(Target::Device { device: "tablet".to_owned() }).await;
    assert_eq!(agree(&house, &tokens, "the device").await, 1);
    assert!(is_invalid(&house, &there).await);
}

/// A session of a user as one that signs in now has it.
async fn recent(house: &House, user: &str) -> (rescind_ledger::Session, rescind_ledger::Authentication) {
    use rescind_ledger::Reads;
    let cookie = house.sign_in(user).await;
    let id = house.session_of(&cookie).await;
    let store = &house.app.records.store;
    let session = store.find_session(&id).await.unwrap().unwrap();
    (session, store.authentications(&id).await.unwrap().remove(0))
}

#[tokio::test]
async fn j21_a_revoked_access_token_is_invalid_in_the_next_list() {
    let house = House::open().await;
    let (token, other) = (token(&house, "alice", "web", "read").await, token(&house, "alice", "web", "read").await);
    assert!(!is_invalid(&house, &token).await);
    let (status, _) = house.post("web", "/revoke", &[("token", &token)]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(is_invalid(&house, &token).await);
    assert!(!is_invalid(&house, &other).await);
    let found = house.post("web", "/revoke", &[("token", &id(&other, "jti")), ("token_type_hint", "jti")]).await;
    assert_eq!(found.0, StatusCode::OK);
    assert!(is_invalid(&house, &other).await, "found by its `jti`");
}

#[tokio::test]
async fn a_session_that_idled_out_takes_its_tokens_along_once_its_end_is_written_down() {
    let house = House::open_with("[lifetimes]\nsession_idle_secs = 60\n").await;
    let bound = token(&house, "alice", "web", "read").await;
    let offline = token(&house, "bob", "web", "read offline_access").await;
    let idle = house.app.config.lifetimes.password_session.idle;
    house.later(i64::try_from(idle.as_secs()).unwrap());
    assert!(house.app.now().0 < claims(&bound)["exp"].as_i64().unwrap() * 1000, "the token itself has not expired");
    background::time_out_sessions(&house.app).await.unwrap();
    assert!(is_invalid(&house, &bound).await);
    assert!(!is_invalid(&house, &offline).await, "this one outlives its session");
}

#[tokio::test]
async fn opaque_tokens_have_no_place_in_a_list() {
    let house = House::open().await;
    let cookie = house.sign_in("alice").await;
    let code = house.code(&cookie, "web", &[("scope", "read"), ("resource", crate::house::API_A)]).await;
    house.exchange("web", &code).await;
    assert_eq!(house.app.status_lists.all(house.app.now()).await.unwrap(), []);
}
