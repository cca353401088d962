//! The body of a global token revocation: what was read names somebody, and is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rescind::protocol::sub_id::{Identifier, SubId};
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let (strict, wide) = (SubId::read(input, false), SubId::read(input, true));
    if let Ok(sub_id) = &strict {
        assert!(wide.is_ok(), "a standard format is refused where more is allowed");
        assert!(!sub_id.identifiers.iter().any(|one| matches!(one, Identifier::Attribute(..))));
    }
    let Ok(sub_id) = wide else { return };
    assert!((1..=16).contains(&sub_id.identifiers.len()), "nobody, or too many");
    let known: Vec<&Identifier> =
        sub_id.identifiers.iter().filter(|one| !matches!(one, Identifier::Attribute(..))).collect();
    if known.is_empty() {
        return;
    }
    let written: Vec<Value> = known.iter().map(|one| write(one)).collect();
    let body = json!({ "sub_id": { "format": "aliases", "identifiers": written } }).to_string();
    let Ok(again) = SubId::read(body.as_bytes(), false) else { panic!("refused what was read before") };
    assert!(again.identifiers.iter().eq(known), "one body, two readings");
});

fn write(identifier: &Identifier) -> Value {
    match identifier {
        Identifier::Account { user, host } => {
            json!({ "format": "account", "uri": format!("acct:{}@{}", escaped(user), escaped(host)) })
        }
        Identifier::Email(address) => json!({ "format": "email", "email": address }),
        Identifier::Subject { issuer, subject } => json!({ "format": "iss_sub", "iss": issuer, "sub": subject }),
        Identifier::Id(id) => json!({ "format": "opaque", "id": id }),
        Identifier::Attribute(..) => Value::Null,
    }
}

/// No more than must be, or the text could become longer than one may be.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte);
    let escape = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escape).collect()
}
