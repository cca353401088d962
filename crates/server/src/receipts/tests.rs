use std::collections::BTreeMap;

use proptest::prelude::*;
use rescind_jose::{Algorithm, KeySet, Kind, SigningKey};
use rescind_ledger::{
    Delivery, Effect, Entry, Identity, Initiator, Outcome, Position, Reason, Tally, Target, Timestamp,
};
use serde_json::json;

use super::{
    Receipt,
    signed::{Claims, NotAReceipt, check},
};

fn receipt() -> Receipt {
    let position = Position { epoch: 1, seq: 7 };
    let entry = Entry {
        position,
        time: Timestamp(10),
        target: Target::Subject { issuer: "https://i".to_owned(), subject: "u_1".to_owned() },
        reason: Reason::LeftCompany,
        initiator: Initiator::Administrator("local".to_owned()),
        note: None,
        before: None,
    };
    let identity = Identity { user_name: "ada".to_owned(), email: None, display_name: None };
    let (first, last) = (position, position);
    let by_client = BTreeMap::from([("desk".to_owned(), 2)]);
    Receipt {
        entry,
        user: Some(("u_1".to_owned(), Some(identity))),
        effect: Some(Effect { first, last, durable_at: Timestamp(11), applied_at: Timestamp(12), at_latest: false }),
        ended: Some(Tally { users: 1, access_tokens: 2, by_client, ..Tally::nothing() }),
        deliveries: Vec::new(),
        undispatched: false,
    }
}

fn signed(key: &SigningKey, kind: Kind) -> String {
    let claims = Claims { iss: "https://i".to_owned(), iat: 1, receipt: receipt().show() };
    key.sign(kind, &claims).unwrap()
}

fn keys(key: &SigningKey) -> KeySet {
    let mut keys = KeySet::new();
    keys.add(key).unwrap();
    keys
}

#[test]
fn a_receipt_is_finished_when_all_is_counted_and_nothing_is_pending() {
    let whole = receipt();
    assert!(whole.is_finished());
    assert!(!Receipt { ended: None, ..whole.clone() }.is_finished());
    assert!(!Receipt { undispatched: true, ..whole.clone() }.is_finished());
    let pending = Delivery::new(whole.entry.position, "m", "test", Timestamp(1));
    assert!(!Receipt { deliveries: vec![pending.clone()], ..whole.clone() }.is_finished());
    let given_up = pending.after(&Outcome::GiveUp { why: "no".to_owned() }, Timestamp(2), 0).0;
    assert!(Receipt { deliveries: vec![given_up], ..whole }.is_finished(), "nobody tries again");
}

#[test]
fn what_is_not_known_is_null_and_who_does_not_exist_is_an_empty_list() {
    let shown = Receipt { effect: None, ended: None, user: None, ..receipt() }.show();
    assert_eq!(shown["applied"], json!({ "this_server": null, "nodes": [], "edges": [] }));
    assert_eq!((&shown["durable_at"], &shown["user"], &shown["deliveries"]), (&json!(null), &json!(null), &json!([])));
    let ended = &shown["ended"];
    assert_eq!((&ended["counting"], &ended["sessions"], &ended["by_api"]), (&json!(true), &json!(null), &json!([])));
}

#[test]
fn a_token_of_another_type_is_no_receipt_whoever_signed_it() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Receipt) {
        assert_eq!(check(&keys(&key), &signed(&key, kind)), Err(NotAReceipt::WrongType), "{kind:?}");
    }
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    assert_eq!(check(&keys(&other), &signed(&key, Kind::Receipt)), Err(NotAReceipt::UnknownKey));
    let formless = key.sign(Kind::Receipt, &json!({ "iss": "i", "iat": 1, "receipt": {} })).unwrap();
    assert_eq!(check(&keys(&key), &formless), Err(NotAReceipt::WrongForm));
}

#[test]
fn a_receipt_far_longer_than_any_other_token_can_be_checked() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let by_client = (0..5000).map(|nth| (format!("application-{nth}"), nth)).collect();
    let long = Receipt { ended: Some(Tally { by_client, ..Tally::nothing() }), ..receipt() };
    let claims = Claims { iss: "https://i".to_owned(), iat: 1, receipt: long.show() };
    let text = key.sign(Kind::Receipt, &claims).unwrap();
    assert!(text.len() > 100_000);
    assert_eq!(check(&keys(&key), &text).unwrap(), claims);
}

#[test]
fn no_single_altered_byte_verifies() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let (keys, text) = (keys(&key), signed(&key, Kind::Receipt));
    assert!(check(&keys, &text).is_ok());
    for place in 0..text.len() {
        for byte in [b'A', b'_', b'.', b'z', b'0', b'=', b' '] {
            let mut altered = text.clone().into_bytes();
            if altered[place] != byte {
                altered[place] = byte;
                let altered = String::from_utf8(altered).unwrap();
                assert!(check(&keys, &altered).is_err(), "{place}: {}", char::from(byte));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_mutation_of_a_receipt_verifies(place in any::<prop::sample::Index>(), byte in 0_u8..128, kind in 0..3) {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let (keys, text) = (keys(&key), signed(&key, Kind::Receipt));
        let mut altered = text.clone().into_bytes();
        let at = place.index(altered.len());
        match kind {
            0 => altered[at] = byte,
            1 => altered.insert(at, byte),
            _ => drop(altered.remove(at)),
        }
        let altered = String::from_utf8(altered).unwrap();
        prop_assert!(altered == text || check(&keys, &altered).is_err());
    }
}
