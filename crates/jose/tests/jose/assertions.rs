//! Client assertions: who may sign what, and each claim wrong in turn.

use crate::mint::{self, EC, RSA, RSA_OTHER};
use jsonwebtoken::{Algorithm as Alg, EncodingKey};
use rescind_jose::JoseError;
use rescind_jose::assertion::{
    Assertion, AssertionError, Credential, Expected, KEY_ALGORITHMS, SECRET_ALGORITHMS, unverified_client_id, verify,
};
use serde_json::{Value, json};
use std::time::Duration;

const NOW: i64 = 1_700_000_000;
const SECRET: &[u8] = b"rsc_cs_0123456789abcdefghijklmnopqrstuvwxyz";
const EXPECTED: Expected<'static> = Expected {
    client_id: "shop",
    audiences: &["https://id.example", "https://id.example/token"],
    now: NOW,
    max_lifetime: Duration::from_secs(300),
};

fn claims() -> Value {
    json!({"iss": "shop", "sub": "shop", "aud": "https://id.example", "exp": NOW + 60, "iat": NOW, "jti": "once"})
}

fn by_secret(header: &Value, claims: &Value) -> String {
    mint::token(header, claims, &EncodingKey::from_secret(SECRET), Alg::HS256)
}

/// A right assertion but for this claim; `null` leaves it out.
fn with(name: &str, value: Value) -> Result<Assertion, AssertionError> {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
    verify(&by_secret(&json!({"alg": "HS256"}), &claims), Credential::Secret(SECRET), EXPECTED)
}

#[test]
fn a_right_assertion_gives_its_id_and_its_end() {
    let token = by_secret(&json!({"alg": "HS256"}), &claims());
    assert_eq!(unverified_client_id(&token).as_deref(), Some("shop"));
    let assertion = verify(&token, Credential::Secret(SECRET), EXPECTED).unwrap();
    assert_eq!(assertion, Assertion { jti: "once".to_owned(), expires_at: NOW + 60 });
}

#[test]
fn every_secret_algorithm_on_offer_is_accepted() {
    for (name, alg) in SECRET_ALGORITHMS.into_iter().zip([Alg::HS256, Alg::HS384, Alg::HS512]) {
        let token = mint::token(&json!({"alg": name}), &claims(), &EncodingKey::from_secret(SECRET), alg);
        assert!(verify(&token, Credential::Secret(SECRET), EXPECTED).is_ok(), "{name}");
        let other = b"rsc_cs_another_secret_of_sufficient_length!";
        let refused = verify(&token, Credential::Secret(other), EXPECTED);
        assert_eq!(refused, Err(JoseError::BadSignature.into()), "{name}");
    }
}

#[test]
fn every_key_algorithm_on_offer_is_accepted() {
    let (p384, p384_jwk) = mint::p384();
    let (ed25519, ed25519_jwk) = mint::ed25519();
    let rsa = mint::encoding_key(&RSA);
    let mut rsa_jwk = RSA.public_jwk();
    rsa_jwk.as_object_mut().unwrap().remove("alg");
    let table = [
        ("ES256", Alg::ES256, mint::encoding_key(&EC), EC.public_jwk()),
        ("ES384", Alg::ES384, p384, p384_jwk),
        ("EdDSA", Alg::EdDSA, ed25519.clone(), ed25519_jwk.clone()),
        ("Ed25519", Alg::EdDSA, ed25519, ed25519_jwk),
        ("PS256", Alg::PS256, rsa.clone(), rsa_jwk.clone()),
        ("RS256", Alg::RS256, rsa, rsa_jwk),
    ];
    assert_eq!(table.each_ref().map(|(name, ..)| *name), KEY_ALGORITHMS);
    for (name, alg, private, jwk) in table {
        let token = mint::token(&json!({"alg": name, "typ": "JWT"}), &claims(), &private, alg);
        let jwks = json!({"keys": [RSA_OTHER.public_jwk(), jwk]});
        assert!(verify(&token, Credential::Keys(&jwks), EXPECTED).is_ok(), "{name}");
        let (signed, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", mint::base64url([1; 64]));
        assert_eq!(verify(&forged, Credential::Keys(&jwks), EXPECTED), Err(JoseError::BadSignature.into()), "{name}");
    }
}

#[test]
fn each_claim_wrong_is_refused_for_its_own_reason() {
    use AssertionError::*;
    let malformed = Token(JoseError::Claims);
    for (name, value, reason) in [
        ("iss", json!(null), WrongIssuer),
        ("iss", json!("other"), WrongIssuer),
        ("iss", json!(7), malformed),
        ("sub", json!(null), WrongSubject),
        ("sub", json!("other"), WrongSubject),
        ("aud", json!(null), WrongAudience),
        ("aud", json!("https://elsewhere.example"), WrongAudience),
        ("aud", json!("https://id.example/"), WrongAudience),
        ("aud", json!([]), WrongAudience),
        ("aud", json!(["https://elsewhere.example"]), WrongAudience),
        ("aud", json!({"https://id.example": 1}), malformed),
        ("exp", json!(null), NoExpiry),
        ("exp", json!((NOW + 60).to_string()), malformed),
        ("exp", json!(NOW), Expired),
        ("exp", json!(NOW - 1), Expired),
        ("exp", json!(-1e300), Expired),
        ("exp", json!(NOW + 301), LivesTooLong),
        ("exp", json!(1e300), LivesTooLong),
        ("nbf", json!(NOW + 11), NotYetValid),
        ("iat", json!(NOW + 11), IssuedAhead),
        ("jti", json!(null), BadJti),
        ("jti", json!(""), BadJti),
        ("jti", json!("x".repeat(257)), BadJti),
        ("jti", json!(1), malformed),
    ] {
        assert_eq!(with(name, value.clone()), Err(reason), "{name} = {value}");
    }
}

#[test]
fn each_claim_at_its_limit_is_accepted() {
    for (name, value) in [
        ("aud", json!("https://id.example/token")),
        ("aud", json!(["https://elsewhere.example", "https://id.example"])),
        ("exp", json!(NOW + 1)),
        ("exp", json!(NOW + 300)),
        ("exp", json!(NOW as f64 + 0.5)),
        ("nbf", json!(NOW + 10)),
        ("iat", json!(NOW + 10)),
        ("iat", json!(null)),
        ("iat", json!(0)),
        ("jti", json!("x".repeat(256))),
        ("extra", json!({"deep": [1]})),
    ] {
        assert!(with(name, value.clone()).is_ok(), "{name} = {value}");
    }
}

#[test]
fn a_claim_said_twice_is_refused() {
    let said_twice = claims().to_string().replacen('{', r#"{"sub":"admin","#, 1);
    let token = mint::raw_token(r#"{"alg":"HS256"}"#, &said_twice, &EncodingKey::from_secret(SECRET), Alg::HS256);
    assert_eq!(verify(&token, Credential::Secret(SECRET), EXPECTED), Err(JoseError::Claims.into()));
}

#[test]
fn an_unsigned_assertion_is_refused_by_either_credential() {
    let jwks = json!({"keys": [RSA.public_jwk()]});
    for alg in ["none", "None", ""] {
        let head = mint::base64url(json!({"alg": alg}).to_string());
        let token = format!("{head}.{}.", mint::base64url(claims().to_string()));
        for credential in [Credential::Secret(SECRET), Credential::Keys(&jwks)] {
            assert_eq!(verify(&token, credential, EXPECTED), Err(AssertionError::WrongAlgorithm));
        }
    }
}

#[test]
fn a_clients_public_key_is_no_shared_secret() {
    let mut jwk = RSA.public_jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let jwks = json!({"keys": [jwk, {"kty": "oct", "k": mint::base64url(SECRET)}]});
    for secret in [jwks.to_string().into_bytes(), jwks["keys"][0]["n"].to_string().into_bytes(), SECRET.to_vec()] {
        let token = mint::token(&json!({"alg": "HS256"}), &claims(), &EncodingKey::from_secret(&secret), Alg::HS256);
        assert_eq!(verify(&token, Credential::Keys(&jwks), EXPECTED), Err(AssertionError::WrongAlgorithm));
    }
}

#[test]
fn a_client_with_a_secret_cannot_sign_with_a_key() {
    let token = mint::token(&json!({"alg": "ES256"}), &claims(), &mint::encoding_key(&EC), Alg::ES256);
    assert_eq!(verify(&token, Credential::Secret(SECRET), EXPECTED), Err(AssertionError::WrongAlgorithm));
}

#[test]
fn a_short_secret_authenticates_nobody() {
    let short = &SECRET[..31];
    let token = mint::token(&json!({"alg": "HS256"}), &claims(), &EncodingKey::from_secret(short), Alg::HS256);
    assert_eq!(verify(&token, Credential::Secret(short), EXPECTED), Err(AssertionError::WeakSecret));
    let token = mint::token(&json!({"alg": "HS256"}), &claims(), &EncodingKey::from_secret(b""), Alg::HS256);
    assert_eq!(verify(&token, Credential::Secret(b""), EXPECTED), Err(AssertionError::WeakSecret));
}

#[test]
fn a_key_is_used_only_for_what_it_says_of_itself() {
    let token = mint::token(&json!({"alg": "PS256", "kid": "k"}), &claims(), &mint::encoding_key(&RSA), Alg::PS256);
    let RsaMembers { n, e } = rsa_members();
    for (jwk, accepted) in [
        (json!({"kty": "RSA", "n": n, "e": e}), true),
        (json!({"kty": "RSA", "n": n, "e": e, "kid": "k", "use": "sig", "alg": "PS256", "key_ops": ["verify"]}), true),
        (json!({"kty": "RSA", "n": n, "e": e, "kid": "another"}), false),
        (json!({"kty": "RSA", "n": n, "e": e, "use": "enc"}), false),
        (json!({"kty": "RSA", "n": n, "e": e, "alg": "RS256"}), false),
        (json!({"kty": "RSA", "n": n, "e": e, "alg": "RSA-OAEP"}), false),
        (json!({"kty": "RSA", "n": n, "e": e, "key_ops": ["encrypt"]}), false),
        (json!({"kty": "EC", "n": n, "e": e}), false),
        (json!({"kty": "RSA", "n": n}), false),
        (json!({"kty": "RSA", "n": "", "e": ""}), false),
        (json!("RSA"), false),
    ] {
        let result = verify(&token, Credential::Keys(&json!({"keys": [jwk]})), EXPECTED);
        let wanted = if accepted { None } else { Some(AssertionError::NoMatchingKey) };
        assert_eq!(result.err(), wanted, "{jwk}");
    }
}

struct RsaMembers {
    n: Value,
    e: Value,
}

fn rsa_members() -> RsaMembers {
    let jwk = RSA.public_jwk();
    RsaMembers { n: jwk["n"].clone(), e: jwk["e"].clone() }
}

#[test]
fn without_usable_keys_nothing_matches() {
    let token = mint::token(&json!({"alg": "ES256"}), &claims(), &mint::encoding_key(&EC), Alg::ES256);
    for jwks in [json!(null), json!({}), json!({"keys": {}}), json!({"keys": []}), json!([EC.public_jwk()])] {
        assert_eq!(verify(&token, Credential::Keys(&jwks), EXPECTED), Err(AssertionError::NoMatchingKey), "{jwks}");
    }
}

#[test]
fn what_was_signed_for_another_purpose_does_not_authenticate() {
    for typ in ["JWT", "jwt", "application/JWT", "client-authentication+jwt"] {
        let token = by_secret(&json!({"alg": "HS256", "typ": typ}), &claims());
        assert!(verify(&token, Credential::Secret(SECRET), EXPECTED).is_ok(), "{typ}");
    }
    for typ in ["dpop+jwt", "oauth-authz-req+jwt", "at+jwt", ""] {
        let token = by_secret(&json!({"alg": "HS256", "typ": typ}), &claims());
        assert_eq!(verify(&token, Credential::Secret(SECRET), EXPECTED), Err(AssertionError::WrongType), "{typ}");
    }
}

#[test]
fn a_header_that_demands_an_extension_is_refused() {
    let token = by_secret(&json!({"alg": "HS256", "crit": ["exp"]}), &claims());
    assert_eq!(verify(&token, Credential::Secret(SECRET), EXPECTED), Err(JoseError::CriticalExtension.into()));
}
