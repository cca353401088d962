//! Whatever arrives, the answer is an answer.

use crate::mint::{self, EC, RSA};
use proptest::prelude::*;
use rescind_jose::assertion::{self, Credential, Expected};
use rescind_jose::seal::Sealer;
use rescind_jose::{Claims, KeySet, Kind, check_times, jwk_thumbprint, unverified_header};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let mut keys = KeySet::new();
    for key in [&*RSA, &*EC] {
        keys.add(key).expect("a publishable key");
    }
    keys
});

/// Text that gets past the first checks more often than chance would.
fn token_like() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<Vec<u8>>().prop_map(mint::base64url),
        json_like().prop_map(|json| mint::base64url(json.to_string())),
        header_like().prop_map(|json| mint::base64url(json.to_string())),
        "[A-Za-z0-9_=-]{0,20}",
    ];
    prop_oneof![any::<String>(), prop::collection::vec(part, 0..5).prop_map(|parts| parts.join("."))]
}

fn header_like() -> impl Strategy<Value = Value> {
    let alg = prop::sample::select(vec!["RS256", "ES256", "ES384", "PS256", "EdDSA", "HS256", "HS512", "none"]);
    let typ = prop::sample::select(Kind::ALL.to_vec());
    let kid = prop::sample::select(vec![RSA.kid().to_owned(), EC.kid().to_owned(), "other".to_owned()]);
    (alg, typ, kid).prop_map(|(alg, typ, kid)| json!({"alg": alg, "typ": typ.typ(), "kid": kid}))
}

fn json_like() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec!["iss", "sub", "aud", "exp", "jti", "alg", "kid", "kty", "keys"])
            .prop_map(str::to_owned),
        any::<String>()
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

fn expected(now: i64, max_lifetime_secs: u64) -> Expected<'static> {
    Expected {
        client_id: "shop",
        audiences: &["https://id.example"],
        now,
        max_lifetime: Duration::from_secs(max_lifetime_secs),
    }
}

proptest! {
    #[test]
    fn verify_refuses_arbitrary_text_without_panicking(token in token_like(), kind in prop::sample::select(Kind::ALL.to_vec())) {
        prop_assert!(KEYS.verify::<Claims>(&token, kind).is_err());
        let _ = unverified_header(&token);
    }

    #[test]
    fn assertion_verify_refuses_arbitrary_text_without_panicking(
        token in token_like(), secret in any::<Vec<u8>>(), jwks in json_like(), now: i64, lifetime: u64,
    ) {
        let ours = KEYS.to_jwks();
        for credential in [Credential::Secret(&secret), Credential::Keys(&jwks), Credential::Keys(&ours)] {
            prop_assert!(assertion::verify(&token, credential, expected(now, lifetime)).is_err());
        }
        let _ = assertion::unverified_client_id(&token);
    }

    #[test]
    fn signed_claims_of_any_shape_are_judged_without_panicking(claims in json_like(), now: i64, lifetime: u64) {
        let key = jsonwebtoken::EncodingKey::from_secret(&[7; 32]);
        let token = mint::token(&json!({"alg": "HS256"}), &claims, &key, jsonwebtoken::Algorithm::HS256);
        prop_assert!(assertion::verify(&token, Credential::Secret(&[7; 32]), expected(now, lifetime)).is_err());
    }

    #[test]
    fn any_key_is_read_or_refused_without_panicking(mut jwk in json_like(), kty in "RSA|EC|OKP|oct", x: Vec<u8>, y: Vec<u8>) {
        if let Value::Object(members) = &mut jwk {
            members.extend([
                ("kty".to_owned(), json!(kty)),
                ("crv".to_owned(), json!("P-256")),
                ("alg".to_owned(), json!(if kty == "RSA" { "RS256" } else { "ES256" })),
            ]);
            for (name, bytes) in [("x", &x), ("y", &y), ("n", &x), ("e", &y)] {
                members.insert(name.to_owned(), json!(mint::base64url(bytes)));
            }
        }
        let _ = jwk_thumbprint(&jwk);
        prop_assert!(KeySet::new().add_jwk(&jwk).is_err());
    }

    #[test]
    fn open_refuses_arbitrary_bytes_without_panicking(context: String, sealed: Vec<u8>, tail: Vec<u8>) {
        let sealer = Sealer::new([3; 32]);
        prop_assert!(sealer.open(&context, &sealed).is_err());
        let right_head = [&[1], sealer.key_id().0.as_slice(), &tail].concat();
        prop_assert!(sealer.open(&context, &right_head).is_err());
    }

    #[test]
    fn whatever_is_sealed_is_opened(key: [u8; 32], context: String, nonce: [u8; 12], plaintext: Vec<u8>) {
        let sealer = Sealer::new(key);
        let sealed = sealer.seal(&context, nonce, &plaintext).unwrap();
        prop_assert_eq!(sealer.open(&context, &sealed).unwrap().to_vec(), plaintext);
    }

    #[test]
    fn any_claims_are_held_against_any_time_without_panicking(claims in json_like(), now: i64, skew: u32) {
        if let Value::Object(claims) = claims {
            let _ = check_times(&claims, now, skew);
        }
    }

    #[test]
    fn what_is_signed_verifies(claims in prop::collection::btree_map(any::<String>(), any::<i64>(), 0..5)) {
        let token = EC.sign(Kind::AccessToken, &claims).unwrap();
        let verified = KEYS.verify::<std::collections::BTreeMap<String, i64>>(&token, Kind::AccessToken).unwrap();
        prop_assert_eq!(verified.claims, claims);
    }
}
