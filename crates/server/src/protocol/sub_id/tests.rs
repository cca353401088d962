use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn read(sub_id: &Value) -> Result<Vec<Identifier>, Unreadable> {
    read_with(sub_id, false)
}

fn read_with(sub_id: &Value, attribute_formats: bool) -> Result<Vec<Identifier>, Unreadable> {
    let body = json!({ "sub_id": sub_id }).to_string();
    SubId::read(body.as_bytes(), attribute_formats).map(|sub_id| sub_id.identifiers)
}

fn account(user: &str, host: &str) -> Identifier {
    Identifier::Account { user: user.to_owned(), host: host.to_owned() }
}

#[test]
fn each_format_of_the_standard_that_can_name_a_user_is_read() {
    let subject = Identifier::Subject { issuer: "https://id.example/".to_owned(), subject: "145234573".to_owned() };
    for (sub_id, expected) in [
        (
            json!({"format": "account", "uri": "acct:example.user@service.example.com"}),
            account("example.user", "service.example.com"),
        ),
        (json!({"format": "account", "uri": "ACCT:a%40b.example@id.example"}), account("a@b.example", "id.example")),
        (json!({"format": "email", "email": "user@example.com"}), Identifier::Email("user@example.com".to_owned())),
        (json!({"format": "iss_sub", "iss": "https://id.example/", "sub": "145234573"}), subject),
        (json!({"id": "11112222333344445555", "format": "opaque"}), Identifier::Id("11112222333344445555".to_owned())),
    ] {
        assert_eq!(read(&sub_id), Ok(vec![expected]), "{sub_id}");
    }
}

#[test]
fn the_other_formats_are_not_supported() {
    for sub_id in [
        json!({"format": "phone_number", "phone_number": "+12065550100"}),
        json!({"format": "did", "url": "did:example:123456"}),
        json!({"format": "uri", "uri": "https://user.example.com/"}),
        json!({"format": "scim", "uri": "/Users/1", "externalId": "e"}),
        json!({"format": "uid", "id": "ada"}),
        json!({"format": "EMAIL", "email": "user@example.com"}),
        json!({"format": "", "id": "x"}),
    ] {
        assert_eq!(read(&sub_id), Err(Unreadable::Unsupported), "{sub_id}");
    }
}

#[test]
fn the_members_are_those_of_the_format_and_no_others() {
    for sub_id in [
        json!({}),
        json!([]),
        json!("ada"),
        json!(null),
        json!({"id": "x"}),
        json!({"format": 1, "id": "x"}),
        json!({"format": ["opaque"], "id": "x"}),
        json!({"format": "opaque"}),
        json!({"format": "opaque", "id": ""}),
        json!({"format": "opaque", "id": 1}),
        json!({"format": "opaque", "id": "x", "sub": "y"}),
        json!({"format": "opaque", "sub": "x"}),
        json!({"format": "iss_sub", "iss": "https://id.example"}),
        json!({"format": "iss_sub", "iss": "https://id.example", "sub": "x", "aud": "y"}),
        json!({"format": "email", "id": "user@example.com"}),
    ] {
        assert_eq!(read(&sub_id), Err(Unreadable::Malformed), "{sub_id}");
    }
    let long = "x".repeat(VALUE_LIMIT + 1);
    assert_eq!(read(&json!({"format": "opaque", "id": long})), Err(Unreadable::TooLong));
    assert!(read(&json!({"format": "opaque", "id": long[1..]})).is_ok());
}

#[test]
fn the_body_is_one_object_with_one_member() {
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"sub":{"format":"opaque","id":"x"}}"#,
        r#"{"sub_id":{"format":"opaque","id":"x"},"more":1}"#,
        r#"{"sub_id":{"format":"opaque","id":"x"},"sub_id":{"format":"opaque","id":"x"}}"#,
        r#"{"sub_id":{"format":"opaque","id":"x","id":"y"}}"#,
        r#"{"sub_id":{"format":"opaque","id":"x","\u0069d":"y"}}"#,
        r#"{"sub_id":{"format":"opaque","id":"x"}} {}"#,
        r#"{"sub_id":{"format":"opaque","id":"x"}"#,
        r#"[{"sub_id":{"format":"opaque","id":"x"}}]"#,
    ] {
        assert_eq!(SubId::read(body.as_bytes(), true), Err(Unreadable::Body), "{body}");
    }
    let deep = format!("{{\"sub_id\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(SubId::read(deep.as_bytes(), true), Err(Unreadable::Body));
    let wide = format!("{{\"sub_id\":[{}1]}}", "1,".repeat(10_000));
    assert_eq!(SubId::read(wide.as_bytes(), true), Err(Unreadable::Malformed));
}

#[test]
fn addresses_and_accounts_have_their_two_parts() {
    for wrong in ["user", "@example.com", "user@", "@"] {
        assert_eq!(read(&json!({"format": "email", "email": wrong})), Err(Unreadable::Email), "{wrong}");
    }
    for wrong in [
        "ada@id.example",
        "mailto:ada@id.example",
        "acct:ada",
        "acct:@id.example",
        "acct:ada@",
        "acct:a@b@id.example",
        "acct:a d@id.example",
        "acct:a%4@id.example",
        "acct:a%zz@id.example",
        "acct:a%FF@id.example",
        "acct:ada@id.example/x",
        "acct:ädä@id.example",
    ] {
        assert_eq!(read(&json!({"format": "account", "uri": wrong})), Err(Unreadable::Account), "{wrong}");
    }
}

#[test]
fn aliases_are_read_as_far_as_their_formats_are_known() {
    let aliases = |identifiers: Value| json!({"format": "aliases", "identifiers": identifiers});
    let (email, opaque) = (json!({"format": "email", "email": "a@b"}), json!({"format": "opaque", "id": "x"}));
    let phone = json!({"format": "phone_number", "phone_number": "+12065550100"});
    let both = vec![Identifier::Email("a@b".to_owned()), Identifier::Id("x".to_owned())];
    assert_eq!(read(&aliases(json!([email, phone, opaque]))), Ok(both));
    assert_eq!(read(&aliases(json!([phone]))), Err(Unreadable::Unsupported));
    let nested = aliases(json!([opaque, aliases(json!([opaque]))]));
    for wrong in [json!([]), json!(null), json!("x"), json!(opaque), json!(vec![opaque.clone(); 17])] {
        assert_eq!(read(&aliases(wrong.clone())), Err(Unreadable::Aliases), "{wrong}");
    }
    assert_eq!(read(&nested), Err(Unreadable::Aliases));
    assert_eq!(read(&aliases(json!([opaque, "x"]))), Err(Unreadable::Malformed));
    assert_eq!(read(&aliases(json!([opaque, {"format": "email", "email": "a"}]))), Err(Unreadable::Email));
    assert!(read(&aliases(json!(vec![opaque.clone(); 16]))).is_ok());
    assert_eq!(read(&json!({"format": "aliases", "identifiers": [opaque], "id": "x"})), Err(Unreadable::Aliases));
}

/// J16 has the first of them.
#[test]
fn an_attribute_is_a_format_only_where_it_was_allowed() {
    for (format, attribute) in [("mail", Attribute::Email), ("uid", Attribute::UserName), ("inum", Attribute::Id)] {
        let sub_id = json!({"format": format, "id": "user@example.com"});
        let expected = vec![Identifier::Attribute(attribute, "user@example.com".to_owned())];
        assert_eq!(read_with(&sub_id, true), Ok(expected));
        assert_eq!(read_with(&sub_id, false), Err(Unreadable::Unsupported));
    }
    let standard = json!({"format": "email", "email": "a@b"});
    assert_eq!(read_with(&standard, true), Ok(vec![Identifier::Email("a@b".to_owned())]), "both at once");
    let theirs = json!({"format": "email", "id": "a@b"});
    assert_eq!(read_with(&theirs, true), Ok(vec![Identifier::Attribute(Attribute::Email, "a@b".to_owned())]));
    assert_eq!(read_with(&json!({"format": "uid", "id": "a", "email": "a@b"}), true), Err(Unreadable::Malformed));
    assert_eq!(read_with(&json!({"format": "uid", "uid": "a"}), true), Err(Unreadable::Unsupported));
    assert_eq!(read_with(&json!({"format": "displayName", "id": "a"}), true), Err(Unreadable::Unsupported));
}

/// Any JSON, with the words of this format in it more often than chance would have them.
fn some_json() -> impl Strategy<Value = Value> {
    let words =
        ["format", "id", "email", "iss", "sub", "uri", "identifiers", "opaque", "aliases", "iss_sub", "account"];
    let word = prop_oneof![proptest::sample::select(words.to_vec()).prop_map(str::to_owned), ".{0,8}"];
    let leaf = prop_oneof![
        word.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(Value::from("acct:a@b")),
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(body in proptest::collection::vec(any::<u8>(), 0..200), formats: bool) {
        let _ = SubId::read(&body, formats);
    }

    #[test]
    fn what_is_accepted_names_somebody_in_bounds_and_switching_more_on_refuses_nothing(sub_id in some_json()) {
        let (strict, wide) = (read_with(&sub_id, false), read_with(&sub_id, true));
        if let Ok(identifiers) = &strict {
            prop_assert!((1..=MOST_ALIASES).contains(&identifiers.len()));
            prop_assert!(!identifiers.iter().any(|one| matches!(one, Identifier::Attribute(..))));
            prop_assert!(wide.is_ok());
        }
    }

    #[test]
    fn one_more_member_spoils_it(id in "[a-z]{1,9}", name in "[a-z_]{1,9}", value in some_json()) {
        prop_assume!(name != "id" && name != "format");
        let mut sub_id = json!({ "format": "opaque", "id": id });
        sub_id[name] = value;
        prop_assert_eq!(read(&sub_id), Err(Unreadable::Malformed));
    }

    #[test]
    fn an_account_comes_back_as_it_was_encoded(user in ".{1,40}", host in "[a-z0-9.-]{1,20}") {
        let encoded: String = user.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let sub_id = json!({ "format": "account", "uri": format!("acct:{encoded}@{host}") });
        prop_assert_eq!(read(&sub_id), Ok(vec![account(&user, &host)]));
    }
}
