use serde_json::{Value, json};

use super::{
    super::{error::ScimError, wanted::Wanted},
    Patch,
};

fn object(value: Value) -> serde_json::Map<String, Value> {
    let Value::Object(object) = value else { panic!("an object") };
    object
}

/// What Ada is to be after these changes.
fn patched(operations: &Value) -> Result<Wanted, ScimError> {
    let mut ada = object(json!({
        "userName": "ada", "active": true, "externalId": "7", "displayName": "Ada",
        "emails": [{ "value": "ada@example.org", "type": "work", "primary": true }],
    }));
    Patch::read(&object(json!({ "schemas": ["…"], "Operations": operations })))?.apply(&mut ada)?;
    Wanted::read(&ada)
}

fn done(operations: &Value) -> Wanted {
    patched(operations).unwrap_or_else(|why| panic!("{operations}: {why:?}"))
}

#[test]
fn entra_and_okta_disable_in_all_these_ways() {
    for operation in [
        json!({ "op": "Replace", "path": "active", "value": "False" }),
        json!({ "op": "replace", "path": "active", "value": false }),
        json!({ "op": "Replace", "value": { "active": "False" } }),
        json!({ "op": "replace", "value": { "active": false } }),
        json!({ "op": "Replace", "value": [{ "active": false }] }),
        json!({ "op": "Add", "path": "active", "value": "false" }),
        json!({ "op": "Replace", "path": "active", "value": [{ "value": "False" }] }),
        json!({ "op": "REPLACE", "path": "urn:ietf:params:scim:schemas:core:2.0:User:active", "value": false }),
        json!({ "op": "replace", "value": { "urn:ietf:params:scim:schemas:core:2.0:User": { "active": false } } }),
        json!({ "op": "replace", "value": { "urn:ietf:params:scim:schemas:core:2.0:User:active": false } }),
    ] {
        assert_eq!(done(&json!([operation])).active, Some(false), "{operation}");
    }
}

#[test]
fn an_address_is_changed_where_it_is_chosen_and_added_where_there_is_none() {
    let email = |operation: Value| done(&json!([operation])).email;
    let is = |text: &str| Some(text.to_owned());
    let work = r#"emails[type eq "work"].value"#;
    assert_eq!(email(json!({ "op": "Add", "path": work, "value": "a@b" })), is("a@b"));
    assert_eq!(email(json!({ "op": "Replace", "value": { work: "a@b" } })), is("a@b"));
    assert_eq!(email(json!({ "op": "replace", "path": "emails[primary eq true].value", "value": "a@b" })), is("a@b"));
    assert_eq!(email(json!({ "op": "replace", "path": "emails.value", "value": "a@b" })), is("a@b"));
    assert_eq!(email(json!({ "op": "replace", "path": "emails", "value": [{ "value": "a@b" }] })), is("a@b"));
    assert_eq!(email(json!({ "op": "replace", "value": { "emails": [{ "value": "a@b" }] } })), is("a@b"));
    let home = r#"emails[type eq "home"].value"#;
    assert_eq!(email(json!({ "op": "add", "path": home, "value": "a@b" })), is("ada@example.org"), "another one");
    let primary = json!({ "op": "add", "path": "emails", "value": [{ "value": "a@b", "primary": "True" }] });
    assert_eq!(email(primary), is("a@b"), "the newest primary one");
    assert_eq!(email(json!({ "op": "Remove", "path": work })), None);
    assert_eq!(email(json!({ "op": "remove", "path": "emails" })), None);
    assert_eq!(email(json!({ "op": "remove", "path": "emails[type eq \"home\"]" })), is("ada@example.org"));
    let anew = json!([{ "op": "remove", "path": "emails" }, { "op": "replace", "path": work, "value": "a@b" }]);
    assert_eq!(done(&anew).email, is("a@b"), "one that would be chosen is added");
}

#[test]
fn names_are_put_together_and_the_display_name_goes_first() {
    let shown = |operations: Value| done(&operations).display_name;
    let is = |text: &str| Some(text.to_owned());
    let dotted = json!([{ "op": "Replace", "value": { "name.givenName": "Grace", "name.familyName": "Hopper" } }]);
    assert_eq!(shown(dotted), is("Grace Hopper"));
    assert_eq!(shown(json!([{ "op": "replace", "path": "name.formatted", "value": "G. H." }])), is("G. H."));
    assert_eq!(
        shown(json!([{ "op": "replace", "path": "name.givenName", "value": "Grace" }])),
        is("Ada"),
        "half a name"
    );
    let both = json!([{ "op": "replace", "value": { "displayName": "GH", "name": { "formatted": "G. H." } } }]);
    assert_eq!(shown(both), is("GH"));
    assert_eq!(shown(json!([{ "op": "remove", "path": "displayName" }])), None);
}

#[test]
fn what_has_no_place_here_is_passed_over() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let wanted = done(&json!([
        { "op": "Add", "path": format!("{enterprise}:department"), "value": "Compilers" },
        { "op": "Add", "path": format!("{enterprise}:manager"), "value": [{ "$ref": "../Users/1", "value": "1" }] },
        { "op": "Replace", "value": { enterprise: { "department": "x" }, "nickName": "A", "id": "another", "groups": [] } },
        { "op": "Add", "path": "addresses[type eq \"work\"].formatted", "value": "x" },
        { "op": "Replace", "path": "meta.created", "value": "x" },
        { "op": "Remove", "path": "title" },
    ]));
    assert!(wanted == done(&json!([])));
}

#[test]
fn what_cannot_be_done_is_refused() {
    for (operation, code) in [
        (json!({ "op": "remove" }), "noTarget"),
        (json!({ "op": "remove", "path": "userName" }), "mutability"),
        (json!({ "op": "replace", "path": "userName", "value": null }), "mutability"),
        (json!({ "op": "remove", "path": "password" }), "mutability"),
        (json!({ "op": "replace", "path": "active", "value": "no" }), "invalidValue"),
        (json!({ "op": "replace", "path": "active" }), "invalidValue"),
        (json!({ "op": "replace", "path": "userName", "value": "u_1" }), "invalidValue"),
        (json!({ "op": "replace", "path": "userName", "value": 7 }), "invalidValue"),
        (json!({ "op": "replace", "path": "password", "value": "short" }), "invalidValue"),
        (json!({ "op": "replace", "path": "userName.x", "value": "a" }), "invalidPath"),
        (json!({ "op": "replace", "path": "active[value eq true]", "value": false }), "invalidPath"),
        (json!({ "op": "replace", "path": "emails[", "value": "a" }), "invalidPath"),
        (json!({ "op": "replace", "path": 7, "value": "a" }), "invalidPath"),
        (json!({ "op": "replace", "value": "a" }), "invalidValue"),
        (json!({ "op": "replace", "path": "emails", "value": "a" }), "invalidValue"),
        (json!({ "op": "move", "path": "active", "value": false }), "invalidSyntax"),
        (json!("replace"), "invalidSyntax"),
    ] {
        let refused = patched(&json!([operation])).err().unwrap_or_else(|| panic!("{operation}"));
        assert_eq!(refused.code(), code, "{operation}");
    }
    assert_eq!(Patch::read(&object(json!({ "Operations": {} }))).err().map(|why| why.code()), Some("invalidSyntax"));
    assert!(done(&json!([{ "op": "remove", "path": "active" }])).active.is_none(), "nobody is brought back by it");
}
