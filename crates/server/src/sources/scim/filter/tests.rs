use proptest::prelude::*;
use serde_json::{Map, json};

use super::{
    super::matching::{Found, found, matches},
    *,
};

fn ada() -> Map<String, Value> {
    let resource = json!({
        "schemas": [super::super::attribute::USER],
        "id": "u_1",
        "userName": "Ada@Example.org",
        "externalId": "X7",
        "active": true,
        "emails": [{ "value": "ada@example.org", "type": "work", "primary": true }, { "value": "ada@home.example", "type": "home" }],
        "meta": { "resourceType": "User", "created": "2026-11-30T10:00:00.000Z" },
    });
    let Value::Object(resource) = resource else { panic!("an object") };
    resource
}

fn holds(filter: &str) -> bool {
    matches(&Filter::read(filter).unwrap_or_else(|why| panic!("{filter}: {why:?}")), &ada())
}

#[test]
fn a_filter_holds_of_those_whom_it_describes() {
    for filter in [
        r#"userName eq "ADA@example.ORG""#,
        r#"USERNAME Eq "ada@example.org""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "ada""#,
        r#"externalId eq "X7" and active eq true"#,
        r#"active eq "True""#,
        r#"userName co "@" and not (userName ew ".com")"#,
        r#"title pr or userName pr and active eq true"#,
        r#"emails eq "ada@home.example""#,
        r#"emails[type eq "work" and value co "@example.org"]"#,
        r#"emails[type eq "work"].value eq "ada@example.org""#,
        r#"emails[type eq "home"].value pr"#,
        r#"emails.type eq "home""#,
        r#"title eq null"#,
        r#"userName ne "bob""#,
        r#"title ne "boss""#,
        r#"meta.created gt "2026-11-30T09:59:59Z" and meta.created le "2026-11-30T12:00:00+02:00""#,
        r#"userName gt "ab" and userName lt "AE""#,
        r#"(((userName pr)))"#,
        r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
    ] {
        assert!(holds(filter), "{filter}");
    }
    for filter in [
        r#"externalId eq "x7""#,
        r#"active eq false"#,
        r#"emails[type eq "home"].value eq "ada@example.org""#,
        r#"emails[type eq "home" and primary eq true]"#,
        r#"not (userName pr)"#,
        r#"title eq "x""#,
        r#"userName eq null"#,
        r#"password pr"#,
        r#"userName eq 7"#,
        r#"meta.created lt "2026-11-30T10:00:00Z""#,
        r#"userName.value eq "Ada@Example.org""#,
    ] {
        assert!(!holds(filter), "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    let deep = format!("{}userName pr{}", "(".repeat(17), ")".repeat(17));
    let long = format!("userName eq \"{}\"", "x".repeat(LONGEST));
    for filter in [
        "",
        " ",
        "userName",
        "userName eq",
        "userName is \"x\"",
        "userName eq x",
        "userName eq 'x'",
        "userName eq \"x",
        "userName eq \"x\" and",
        "and userName pr",
        "(userName pr",
        "userName pr)",
        "userName pr pr",
        "emails[type pr",
        "emails[type pr].",
        "emails[type pr]]",
        "not userName pr",
        "active gt true",
        "active co true",
        "userName sw 7",
        "userName eq null x",
        "userName eq {}",
        "userName eq [1]",
        "emails.value[type pr]",
        "us erName pr",
        "userName eq \"\\x\"",
        "userName gt null",
        "\u{e9} pr",
        &deep,
        &long,
    ] {
        let refused = Filter::read(filter).unwrap_err();
        assert_eq!(refused.code(), "invalidFilter", "{filter}");
    }
}

#[test]
fn an_attribute_may_be_called_like_a_word_of_the_grammar() {
    assert_eq!(Filter::read("not pr").unwrap().to_string(), "not pr");
    assert_eq!(Filter::read("or eq 1 and and pr").unwrap().to_string(), "or eq 1 and and pr");
    assert_eq!(Filter::read("NOT(a pr)").unwrap().to_string(), "not (a pr)");
}

#[test]
fn an_index_is_used_where_equality_is_necessary_and_nowhere_else() {
    for (filter, way) in [
        (r#"userName eq "a""#, Found::ByUserName("a")),
        (r#"active eq true and externalId eq "b""#, Found::ByExternalId("b")),
        (r#"emails.value eq "c""#, Found::ByEmail("c")),
        (r#"emails[type eq "work"].value eq "c""#, Found::ByEmail("c")),
        (r#"emails[value eq "c"]"#, Found::ByEmail("c")),
        (r#"id eq "d""#, Found::ById("d")),
        (r#"userName eq "a" or active eq true"#, Found::Anywhere),
        (r#"not (userName eq "a")"#, Found::Anywhere),
        (r#"userName ne "a""#, Found::Anywhere),
        (r#"emails.type eq "work""#, Found::Anywhere),
    ] {
        assert_eq!(found(&Filter::read(filter).unwrap()), way, "{filter}");
    }
}

#[test]
fn a_path_names_an_attribute_some_of_its_values_and_a_part() {
    let path = Path::read(r#"urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"].VALUE"#).unwrap();
    assert_eq!(path.attribute.to_string(), "emails.value");
    assert_eq!(path.filter.unwrap().to_string(), r#"type eq "work""#);
    assert_eq!(Path::read("name.givenName").unwrap().attribute.to_string(), "name.givenname");
    for wrong in ["", "a b", "a[", "a[]", "a[b pr]c", "a[b pr].", "a[b pr].c.d", "a.b[c pr]", "[a pr]", "1"] {
        assert_eq!(Path::read(wrong).unwrap_err().code(), "invalidPath", "{wrong:?}");
    }
}

fn attribute() -> impl Strategy<Value = Attribute> {
    ("[a-z][a-z0-9_-]{0,6}", prop::option::of("[a-z][a-z0-9]{0,4}")).prop_map(|(name, part)| Attribute { name, part })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    let with = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null)
    ];
    (prop::sample::select(Operator::ALL.to_vec()), with).prop_map(|(by, with)| {
        let by = if by.takes(&with) { by } else { Operator::Ne };
        Comparison { by, with }
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let simple = prop_oneof![
        attribute().prop_map(Filter::Present),
        (attribute(), comparison()).prop_map(|(attribute, comparison)| Filter::Compare(attribute, comparison)),
    ];
    let test = prop_oneof![Just(Test::Present), comparison().prop_map(Test::Compare)];
    simple.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
            inner.clone().prop_map(|inner| Filter::Not(Box::new(inner))),
            ("[a-z]{1,6}", inner, prop::option::of(("[a-z]{1,4}", test.clone()))).prop_map(|(name, inner, test)| {
                Filter::Within(Attribute { name, part: None }, Box::new(inner), test)
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_filter_that_is_written_down_is_read_back_as_it_was(filter in filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= LONGEST);
        prop_assert_eq!(Filter::read(&text), Ok(filter));
    }

    #[test]
    fn any_text_is_read_or_refused_without_harm(text: String) {
        if let Ok(filter) = Filter::read(&text) {
            let _ = matches(&filter, &ada());
        }
        let _ = Path::read(&text);
    }

    #[test]
    fn words_of_the_grammar_in_any_order_do_no_harm(
        words in prop::collection::vec(prop::sample::select(vec![
            "(", ")", "[", "]", "not", "and", "or", "eq", "pr", "emails", ".value", "\"x\"", "true", "userName", " ",
        ]), 0..30),
    ) {
        for text in [words.concat(), words.join(" ")] {
            if let Ok(filter) = Filter::read(&text) {
                let _ = matches(&filter, &ada());
                prop_assert_eq!(Filter::read(&filter.to_string()), Ok(filter));
            }
        }
    }

    #[test]
    fn whoever_a_filter_holds_of_has_what_its_index_looks_for(filter in filter()) {
        let user = ada();
        if matches(&filter, &user) {
            match found(&filter) {
                Found::ByUserName(name) => prop_assert_eq!(name.to_lowercase(), "ada@example.org"),
                Found::ByExternalId(id) => prop_assert_eq!(id, "X7"),
                Found::ById(id) => prop_assert_eq!(id, "u_1"),
                Found::ByEmail(_) | Found::Anywhere => {}
            }
        }
    }
}
