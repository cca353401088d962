//! Tokens of our own: every kind, and every way of passing for one.

use crate::mint::{self, EC, RSA, RSA_OTHER};
use jsonwebtoken::{Algorithm as Alg, DecodingKey, EncodingKey, Validation};
use rescind_jose::{
    Algorithm, Claims, JoseError, KeySet, Kind, MAX_TOKEN_BYTES, SigningKey, Verified, unverified_header,
    unverified_kid,
};
use serde_json::{Value, json};

fn published(keys: &[&SigningKey]) -> KeySet {
    let mut set = KeySet::new();
    for key in keys {
        set.add(key).expect("a publishable key");
    }
    set
}

fn verify(keys: &KeySet, token: &str) -> Result<Verified<Claims>, JoseError> {
    keys.verify(token, Kind::AccessToken)
}

fn header(key: &SigningKey) -> Value {
    json!({"alg": key.algorithm().as_str(), "typ": "at+jwt", "kid": key.kid()})
}

#[test]
fn every_kind_comes_back_with_its_claims_and_its_key() {
    let keys = published(&[&RSA, &EC]);
    for key in [&*RSA, &*EC] {
        for kind in Kind::ALL {
            let claims = json!({"sub": "alice", "n": 7});
            let token = key.sign(kind, &claims).unwrap();
            let verified: Verified<Value> = keys.verify(&token, kind).unwrap();
            assert_eq!(verified.claims, claims);
            assert_eq!(verified.kid, key.kid());
            assert_eq!(unverified_header(&token).unwrap().typ.as_deref(), Some(kind.typ()));
            assert_eq!(unverified_kid(&token).as_deref(), Some(key.kid()));
        }
    }
}

#[test]
fn a_token_of_one_kind_is_refused_as_any_other() {
    let keys = published(&[&EC]);
    for signed_as in Kind::ALL {
        let token = EC.sign(signed_as, &json!({})).unwrap();
        for asked_for in Kind::ALL.into_iter().filter(|kind| *kind != signed_as) {
            assert_eq!(keys.verify::<Claims>(&token, asked_for), Err(JoseError::WrongKind));
        }
    }
}

#[test]
fn a_second_implementation_accepts_what_we_sign() {
    for (key, alg) in [(&*RSA, Alg::RS256), (&*EC, Alg::ES256)] {
        let token = key.sign(Kind::IdToken, &json!({"sub": "alice"})).unwrap();
        let jwk = serde_json::from_value(key.public_jwk()).unwrap();
        let mut checks = Validation::new(alg);
        checks.validate_exp = false;
        checks.required_spec_claims.clear();
        let decoded = jsonwebtoken::decode::<Value>(&token, &DecodingKey::from_jwk(&jwk).unwrap(), &checks).unwrap();
        assert_eq!(decoded.claims["sub"], "alice");
        assert_eq!(decoded.header.kid.as_deref(), Some(key.kid()));
    }
}

#[test]
fn a_signature_by_a_second_implementation_is_accepted() {
    for (key, alg) in [(&*RSA, Alg::RS256), (&*EC, Alg::ES256)] {
        let token = mint::token(&header(key), &json!({"a": 1}), &mint::encoding_key(key), alg);
        assert_eq!(verify(&published(&[key]), &token).unwrap().claims["a"], 1);
    }
}

#[test]
fn a_change_of_any_character_is_refused() {
    let keys = published(&[&EC]);
    let token = EC.sign(Kind::AccessToken, &json!({"sub": "alice"})).unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(verify(&keys, &String::from_utf8(changed).unwrap()).is_err(), "character {at}");
    }
}

#[test]
fn the_claims_of_another_token_do_not_fit_this_signature() {
    let keys = published(&[&RSA]);
    let alice = RSA.sign(Kind::AccessToken, &json!({"sub": "alice"})).unwrap();
    let admin = RSA.sign(Kind::AccessToken, &json!({"sub": "admin"})).unwrap();
    let (admins_part, _) = admin.rsplit_once('.').unwrap();
    let (_, alices_signature) = alice.rsplit_once('.').unwrap();
    assert_eq!(verify(&keys, &format!("{admins_part}.{alices_signature}")), Err(JoseError::BadSignature));
}

#[test]
fn an_unsigned_token_is_refused() {
    let keys = published(&[&RSA]);
    for alg in ["none", "None", "NONE", ""] {
        let head = mint::base64url(json!({"alg": alg, "typ": "at+jwt", "kid": RSA.kid()}).to_string());
        let token = format!("{head}.{}.", mint::base64url("{}"));
        assert_eq!(verify(&keys, &token), Err(JoseError::WrongAlgorithm), "{alg}");
    }
    let head = mint::base64url(header(&RSA).to_string());
    assert_eq!(verify(&keys, &format!("{head}.{}.", mint::base64url("{}"))), Err(JoseError::BadSignature));
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let keys = published(&[&RSA, &EC]);
    for key in [&*RSA, &*EC] {
        let jwk = key.public_jwk();
        for secret in [jwk.to_string(), jwk["n"].to_string(), jwk["x"].to_string()] {
            let head = json!({"alg": "HS256", "typ": "at+jwt", "kid": key.kid()});
            let token = mint::token(&head, &json!({}), &EncodingKey::from_secret(secret.as_bytes()), Alg::HS256);
            assert_eq!(verify(&keys, &token), Err(JoseError::WrongAlgorithm));
        }
    }
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_headers() {
    let keys = published(&[&RSA, &EC]);
    let private = mint::encoding_key(&RSA);
    let head = json!({"alg": "PS256", "typ": "at+jwt", "kid": RSA.kid()});
    assert_eq!(verify(&keys, &mint::token(&head, &json!({}), &private, Alg::PS256)), Err(JoseError::WrongAlgorithm));
    let head = json!({"alg": "RS256", "typ": "at+jwt", "kid": EC.kid()});
    assert_eq!(verify(&keys, &mint::token(&head, &json!({}), &private, Alg::RS256)), Err(JoseError::WrongAlgorithm));
}

#[test]
fn a_key_that_is_not_published_is_unknown() {
    let mut keys = published(&[&RSA, &EC]);
    let token = RSA_OTHER.sign(Kind::AccessToken, &json!({})).unwrap();
    assert_eq!(verify(&keys, &token), Err(JoseError::UnknownKey));
    let nameless = json!({"alg": "RS256", "typ": "at+jwt"});
    let token = mint::token(&nameless, &json!({}), &mint::encoding_key(&RSA), Alg::RS256);
    assert_eq!(verify(&keys, &token), Err(JoseError::UnknownKey));

    let token = RSA.sign(Kind::AccessToken, &json!({})).unwrap();
    assert!(verify(&keys, &token).is_ok());
    assert!(keys.remove(RSA.kid()));
    assert!(!keys.remove(RSA.kid()));
    assert_eq!(verify(&keys, &token), Err(JoseError::UnknownKey));
}

#[test]
fn another_key_under_a_known_name_is_refused() {
    let token = mint::token(&header(&RSA), &json!({}), &mint::encoding_key(&RSA_OTHER), Alg::RS256);
    assert_eq!(verify(&published(&[&RSA]), &token), Err(JoseError::BadSignature));
}

#[test]
fn a_header_that_demands_an_extension_is_refused() {
    let keys = published(&[&EC]);
    let private = mint::encoding_key(&EC);
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(null), json!(["exp", "exp"])] {
        let mut head = header(&EC);
        head["crit"] = crit;
        assert_eq!(
            verify(&keys, &mint::token(&head, &json!({}), &private, Alg::ES256)),
            Err(JoseError::CriticalExtension)
        );
    }
}

#[test]
fn a_header_that_says_a_thing_twice_or_is_no_object_is_refused() {
    let keys = published(&[&EC]);
    let private = mint::encoding_key(&EC);
    let kid = EC.kid();
    for head in [
        format!(r#"{{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"other","kid":"{kid}"}}"#),
        format!(r#"["ES256","at+jwt","{kid}"]"#),
        r#"{"typ":"at+jwt"}"#.to_owned(),
        "{".to_owned(),
        String::new(),
    ] {
        let token = mint::raw_token(&head, "{}", &private, Alg::ES256);
        assert_eq!(verify(&keys, &token), Err(JoseError::Malformed), "{head}");
    }
}

#[test]
fn claims_that_are_no_object_are_neither_signed_nor_accepted() {
    for claims in [json!([1]), json!("text"), json!(null)] {
        assert_eq!(EC.sign(Kind::AccessToken, &claims), Err(JoseError::Claims));
        let token = mint::token(&header(&EC), &claims, &mint::encoding_key(&EC), Alg::ES256);
        assert_eq!(verify(&published(&[&EC]), &token), Err(JoseError::Claims));
    }
}

#[test]
fn only_three_parts_of_strict_base64url_make_a_token() {
    let keys = published(&[&EC]);
    let token = EC.sign(Kind::AccessToken, &json!({"a": 1})).unwrap();
    assert!(verify(&keys, &token).is_ok());
    let [head, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    for broken in [
        format!("{token}."),
        format!("{token}.x"),
        format!(".{token}"),
        format!("{head}.{claims}"),
        format!("{head}.{claims}.{signature}=="),
        format!("{head}.{claims}.{signature}\n"),
        format!("{head}=.{claims}.{signature}"),
        format!(" {token}"),
        String::new(),
        "..".to_owned(),
    ] {
        assert_eq!(verify(&keys, &broken), Err(JoseError::Malformed), "{broken:?}");
    }
}

#[test]
fn a_token_is_not_looked_at_beyond_sixteen_kibibytes() {
    let keys = published(&[&EC]);
    let fits = EC.sign(Kind::AccessToken, &json!({"a": "x".repeat(8 * 1024)})).unwrap();
    assert!(verify(&keys, &fits).is_ok());
    let too_long = EC.sign(Kind::AccessToken, &json!({"a": "x".repeat(MAX_TOKEN_BYTES)})).unwrap();
    assert_eq!(verify(&keys, &too_long), Err(JoseError::TooLong));
    assert_eq!(unverified_header(&too_long), None);
}

#[test]
fn a_key_read_back_from_its_kept_form_is_the_same_key() {
    for key in [&*RSA, &*EC] {
        let again = SigningKey::from_pkcs8(key.algorithm(), &key.to_pkcs8()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert_eq!(again.public_jwk(), key.public_jwk());
        let token = again.sign(Kind::AccessToken, &json!({})).unwrap();
        assert!(verify(&published(&[key]), &token).is_ok());
    }
    assert_eq!(SigningKey::from_pkcs8(Algorithm::Es256, &RSA.to_pkcs8()).err(), Some(JoseError::BadKey));
    assert_eq!(SigningKey::from_pkcs8(Algorithm::Rs256, &EC.to_pkcs8()).err(), Some(JoseError::BadKey));
    assert_eq!(SigningKey::from_pkcs8(Algorithm::Es256, b"no key").err(), Some(JoseError::BadKey));
}

#[test]
fn the_published_set_verifies_after_the_private_key_is_gone() {
    let token = RSA.sign(Kind::AccessToken, &json!({})).unwrap();
    let jwks = published(&[&RSA, &EC]).to_jwks();
    let mut keys = KeySet::new();
    for jwk in jwks["keys"].as_array().unwrap() {
        keys.add_jwk(jwk).unwrap();
        keys.add_jwk(jwk).unwrap();
    }
    assert_eq!(keys.kids().collect::<Vec<_>>(), [RSA.kid(), EC.kid()]);
    assert!(verify(&keys, &token).is_ok());
}

#[test]
fn what_is_published_holds_no_private_member() {
    for jwk in published(&[&RSA, &EC]).to_jwks()["keys"].as_array().unwrap() {
        let mut names: Vec<_> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        let of_this_type: &[&str] = if jwk["kty"] == "RSA" { &["e", "n"] } else { &["crv", "x", "y"] };
        let mut expected = [&["alg", "kid", "kty", "use"], of_this_type].concat();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}

#[test]
fn a_published_key_is_named_by_its_thumbprint_and_has_one_algorithm() {
    let mut renamed = EC.public_jwk();
    renamed["kid"] = json!("mine");
    let mut without_alg = EC.public_jwk();
    without_alg["alg"] = json!(null);
    let mut mislabelled = RSA.public_jwk();
    mislabelled["alg"] = json!("ES256");
    for jwk in [renamed, without_alg, mislabelled, json!({}), json!(null)] {
        assert_eq!(KeySet::new().add_jwk(&jwk), Err(JoseError::BadKey), "{jwk}");
    }
}

#[test]
fn debug_output_tells_nothing_of_the_private_key() {
    let shown = format!("{:?}", *EC);
    assert_eq!(shown, format!("SigningKey {{ algorithm: Es256, kid: {:?}, .. }}", EC.kid()));
}

#[test]
fn an_algorithm_is_read_by_the_name_it_is_written_with() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
    assert_eq!("HS256".parse::<Algorithm>(), Err(JoseError::WrongAlgorithm));
}
