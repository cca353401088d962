//! Which metadata is taken, and what is said about the rest.

use std::time::Duration;

use rescind_ledger::{Client, ClientAuthMethod, Hash, Rotation, Sealed, SigningAlgorithm, Timestamp};
use serde_json::{Value, json};

use super::{Metadata, Terms, describe, granted_scopes, lacks_secret, new_client, replaced};
use crate::protocol::error::ProtocolError;

fn read(document: &Value) -> Result<Metadata, ProtocolError> {
    Metadata::read(document.as_object().unwrap())
}

/// A good registration with one member set.
fn with(member: &str, value: Value) -> Value {
    let mut document = json!({ "redirect_uris": ["https://app.example/callback"] });
    document[member] = value;
    document
}

fn client_of(document: &Value) -> Client {
    let terms = Terms {
        scopes: vec!["openid".to_owned()],
        first_party: false,
        rotation_grace: Duration::from_secs(30),
        now: Timestamp::from_secs(1000),
    };
    new_client("c_1".to_owned(), &read(document).unwrap(), terms)
}

#[test]
fn what_is_left_out_takes_the_values_of_the_specification() {
    let metadata = read(&json!({ "redirect_uris": ["https://app.example/callback"], "logo_uri": 7 })).unwrap();
    assert_eq!(metadata.auth_method, ClientAuthMethod::ClientSecretBasic);
    assert_eq!(metadata.grant_types, ["authorization_code"]);
    assert_eq!(metadata.id_token_signed_response_alg, SigningAlgorithm::RS256);
    assert_eq!((metadata.name, metadata.scopes), (None, None));
}

#[test]
fn a_null_counts_as_absent() {
    let document = json!({ "redirect_uris": ["https://app.example/callback"], "jwks": null, "client_name": null });
    assert!(read(&document).is_ok());
}

#[test]
fn a_member_of_the_wrong_type_is_named() {
    for (member, value) in [
        ("redirect_uris", json!("https://app.example/callback")),
        ("redirect_uris", json!([7])),
        ("post_logout_redirect_uris", json!({})),
        ("client_name", json!(["x"])),
        ("client_name", json!("")),
        ("client_name", json!("two\nlines")),
        ("client_name", json!("x".repeat(201))),
        ("token_endpoint_auth_method", json!(true)),
        ("token_endpoint_auth_method", json!("telepathy")),
        ("grant_types", json!("authorization_code")),
        ("grant_types", json!([])),
        ("grant_types", json!(["implicit"])),
        ("response_types", json!("code")),
        ("response_types", json!(["token"])),
        ("response_types", json!([])),
        ("scope", json!(["openid"])),
        ("scope", json!("a \"b\"")),
        ("jwks", json!("{}")),
        ("jwks", json!({ "keys": [] })),
        ("jwks", json!({ "keys": ["x"] })),
        ("jwks", json!({ "keys": [{ "kty": "oct", "k": "AA" }] })),
        ("jwks", json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA" }] })),
        ("jwks_uri", json!("http://app.example/jwks")),
        ("jwks_uri", json!(7)),
        ("tls_client_auth_subject_dn", json!(7)),
        ("tls_client_auth_san_dns", json!([])),
        ("id_token_signed_response_alg", json!("none")),
        ("introspection_signed_response_alg", json!("HS256")),
        ("require_pushed_authorization_requests", json!("yes")),
    ] {
        let why = read(&with(member, value.clone())).expect_err(member);
        assert_eq!(why.code(), "invalid_client_metadata", "{member} {value}");
        assert!(why.description().contains(&format!("`{member}`")), "{member} {value}: {}", why.description());
    }
}

#[test]
fn a_redirect_address_that_could_leak_a_code_has_an_error_of_its_own() {
    for bad in [json!([]), json!(["http://app.example/"]), json!(["https://app.example/#x"]), json!(["/callback"])] {
        assert_eq!(read(&with("redirect_uris", bad)).unwrap_err().code(), "invalid_redirect_uri");
    }
    assert_eq!(read(&json!({})).unwrap_err().code(), "invalid_redirect_uri");
    let logout = read(&with("post_logout_redirect_uris", json!(["javascript:alert(1)"]))).unwrap_err();
    assert_eq!(logout.code(), "invalid_client_metadata");
}

#[test]
fn members_that_contradict_each_other_are_refused() {
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }] });
    let callback = ["https://app.example/callback"];
    for (why, document) in [
        (
            "response type without its grant",
            json!({ "grant_types": ["client_credentials"], "response_types": ["code"] }),
        ),
        ("refresh alone", json!({ "grant_types": ["refresh_token"] })),
        (
            "credentials of a public client",
            json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" }),
        ),
        (
            "two places for keys",
            json!({ "redirect_uris": callback, "jwks": keys, "jwks_uri": "https://app.example/k" }),
        ),
        ("no key", json!({ "redirect_uris": callback, "token_endpoint_auth_method": "private_key_jwt" })),
        ("no certificate name", json!({ "redirect_uris": callback, "token_endpoint_auth_method": "tls_client_auth" })),
        (
            "two certificate names",
            json!({ "redirect_uris": callback, "token_endpoint_auth_method": "tls_client_auth",
                "tls_client_auth_subject_dn": "CN=a", "tls_client_auth_san_dns": "a.example" }),
        ),
        (
            "a key without a certificate",
            json!({ "redirect_uris": callback, "token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": keys }),
        ),
    ] {
        assert_eq!(read(&document).expect_err(why).code(), "invalid_client_metadata", "{why}");
    }
}

#[test]
fn a_certificate_may_stand_where_the_client_publishes_its_keys() {
    let document = json!({
        "redirect_uris": ["https://app.example/callback"],
        "token_endpoint_auth_method": "self_signed_tls_client_auth",
        "jwks_uri": "https://app.example/jwks",
    });
    assert_eq!(read(&document).unwrap().jwks_uri.as_deref(), Some("https://app.example/jwks"));
}

#[test]
fn each_way_of_authentication_can_be_registered() {
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "x5t#S256": "AA" }] });
    for method in ClientAuthMethod::ALL {
        let mut document = with("token_endpoint_auth_method", method.name().into());
        document["jwks"] = keys.clone();
        if method == ClientAuthMethod::TlsClientAuth {
            document["tls_client_auth_san_dns"] = "app.example".into();
        }
        let client = client_of(&document);
        assert_eq!(client.auth_method, method);
        assert_eq!(lacks_secret(&client), method.name().starts_with("client_secret"), "{method:?}");
        assert_eq!(describe(&client)["token_endpoint_auth_method"], method.name());
    }
}

#[test]
fn a_public_client_rotates_and_a_confidential_one_does_not() {
    assert_eq!(client_of(&with("token_endpoint_auth_method", json!("none"))).rotation, Rotation::EachUse);
    assert_eq!(client_of(&with("client_name", json!("App"))).rotation, Rotation::Never);
}

#[test]
fn what_is_shown_can_be_sent_back_as_an_update_and_changes_nothing() {
    let mut document = with("grant_types", json!(["authorization_code", "refresh_token", "client_credentials"]));
    document["client_name"] = "App".into();
    document["post_logout_redirect_uris"] = json!(["https://app.example/out"]);
    document["jwks_uri"] = "https://app.example/keys".into();
    document["id_token_signed_response_alg"] = "ES256".into();
    let client = client_of(&document);
    let shown = describe(&client);
    let again = replaced(client.clone(), &read(&shown).unwrap(), client.scopes.clone());
    assert_eq!(again, client);
}

#[test]
fn an_update_keeps_what_an_administrator_decided() {
    let mut before = client_of(&with("client_name", json!("App")));
    before.first_party = true;
    before.enabled = false;
    before.rotation = Rotation::EachUse;
    before.resources = vec!["https://api.example".to_owned()];
    before.registration_hash = Some(Hash([1; 32]));
    let after = replaced(before.clone(), &read(&with("client_name", json!("Other"))).unwrap(), before.scopes.clone());
    assert_eq!(after, Client { name: "Other".to_owned(), ..before });
}

#[test]
fn a_secret_leaves_with_the_method_that_needed_it() {
    let mut before = client_of(&with("token_endpoint_auth_method", json!("client_secret_jwt")));
    before.secret_hash = Some(Hash([1; 32]));
    before.secret_sealed = Some(Sealed(vec![1]));
    let update = |method: &str| {
        let metadata = read(&with("token_endpoint_auth_method", json!(method))).unwrap();
        replaced(before.clone(), &metadata, Vec::new())
    };
    assert!(!lacks_secret(&update("client_secret_jwt")));
    let basic = update("client_secret_basic");
    assert_eq!((basic.secret_hash, basic.secret_sealed), (Some(Hash([1; 32])), None));
    let public = update("none");
    assert_eq!((public.secret_hash, public.secret_sealed), (None, None));
    assert_eq!(public.rotation, Rotation::EachUse);
}

#[test]
fn a_client_gets_no_scope_that_nobody_offers() {
    let known: Vec<String> = ["openid", "profile", "read"].map(str::to_owned).to_vec();
    let asked = |scope: &str| read(&with("scope", json!(scope))).unwrap();
    let granted = |scope: &str, held: &[String]| granted_scopes(&asked(scope), &known, held).join(" ");
    assert_eq!(granted("openid read write rescind:write", &[]), "openid read");
    assert_eq!(granted("openid write", &["write".to_owned()]), "openid write");
    let silent = read(&with("client_name", json!("App"))).unwrap();
    assert_eq!(granted_scopes(&silent, &known, &[]).join(" "), "openid profile email offline_access");
    let machine = read(&json!({ "grant_types": ["client_credentials"] })).unwrap();
    assert!(granted_scopes(&machine, &known, &[]).is_empty());
}
