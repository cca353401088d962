//! What the endpoints take and answer, for the description of them all.

use serde_json::json;

use super::{
    attribute::USER,
    error::{ERROR, SCIM_JSON},
};
use crate::openapi::{
    Description,
    shape::{
        Members, Shape, any_of, anything as any_value, flag, free_object, list_of, maybe, number, object, one_of,
        pattern, text,
    },
};

/// `true` and `false` as texts are taken, too.
fn lenient_flag() -> Shape {
    maybe(any_of([flag(), pattern("^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])$")]))
}

/// A resource as it is sent. Whatever else is in it is passed over.
fn sent() -> Members {
    let email = object().may("value", maybe(text())).may("type", maybe(text())).may("primary", lenient_flag());
    let name =
        object().may("formatted", maybe(text())).may("givenName", maybe(text())).may("familyName", maybe(text()));
    object()
        .with("userName", text())
        .may("externalId", maybe(text()))
        .may("displayName", maybe(text()))
        .may("name", maybe(name.open()))
        .may("emails", maybe(list_of(email.open())))
        .may("active", lenient_flag())
        .may("password", maybe(text()))
        .for_example(json!({
            "schemas": [USER], "userName": "hopper", "displayName": "Grace Hopper", "active": true,
            "emails": [{ "value": "grace@example.org", "type": "work", "primary": true }],
        }))
}

/// A user as it is shown: with `attributes` and `excludedAttributes`, less of it.
fn shown() -> Shape {
    let email = object().may("value", text()).may("type", one_of(&["work"])).may("primary", flag());
    let meta = object().may("resourceType", one_of(&["User"])).may("created", text()).may("location", text());
    object()
        .with("schemas", list_of(text()))
        .with("id", text())
        .may("userName", text())
        .may("externalId", text())
        .may("displayName", text())
        .may("emails", list_of(email.open()))
        .may("active", flag())
        .may("meta", meta.open())
        .named("ScimUser")
}

fn listed() -> Shape {
    let list = object().with("schemas", list_of(text())).with("totalResults", number()).with("startIndex", number());
    list.with("itemsPerPage", number()).with("Resources", list_of(shown())).named("ScimUsers")
}

/// RFC 7644 section 3.12.
pub(crate) fn error() -> Shape {
    let error = object().with("schemas", list_of(one_of(&[ERROR]))).with("status", text()).with("detail", text());
    error.may("scimType", text()).named("ScimError")
}

fn projected(it: Description) -> Description {
    it.query("attributes", text(), "Only these attributes are shown; names with commas between them.")
        .such_as("userName,active")
        .query("excludedAttributes", text(), "All but these attributes are shown.")
        .such_as("emails")
}

fn user(it: Description, status: u16) -> Description {
    projected(it).answers(status, SCIM_JSON, shown())
}

pub(super) fn create(it: Description) -> Description {
    user(it, 201).scim(sent().named("NewScimUser")).refuses(&[409, 415])
}

pub(super) fn one(it: Description) -> Description {
    user(it, 200).refuses(&[404])
}

pub(super) fn replace(it: Description) -> Description {
    user(it, 200).scim(sent().named("NewScimUser")).refuses(&[404, 409, 415])
}

pub(super) fn patch(it: Description) -> Description {
    let words = "^([Aa][Dd][Dd]|[Rr][Ee][Mm][Oo][Vv][Ee]|[Rr][Ee][Pp][Ll][Aa][Cc][Ee])$";
    let change = object().with("op", pattern(words)).may("path", maybe(text())).may("value", any_value());
    let body = object().with("Operations", list_of(change.open())).for_example(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    }));
    user(it, 200).scim(body.named("ScimPatch")).refuses(&[404, 409, 415])
}

pub(super) fn list(it: Description) -> Description {
    projected(it)
        .query("filter", text(), "What must hold of a user (RFC 7644 section 3.4.2.2).")
        .such_as("userName eq \"alice\"")
        .query("sortBy", text(), "The attribute in whose order they come.")
        .such_as("userName")
        .query("sortOrder", pattern("^([Aa]scending|[Dd]escending)?$"), "`ascending` or `descending`.")
        .such_as("ascending")
        .query("startIndex", whole(), "Which one comes first, counted from 1.")
        .query("count", whole(), "How many are shown at most, up to 500; 100 if nobody says.")
        .answers(200, SCIM_JSON, listed())
}

fn whole() -> Shape {
    crate::openapi::shape::integer()
}

pub(super) fn search(it: Description) -> Description {
    let names = || maybe(list_of(text()));
    let body = object()
        .may("filter", maybe(text()))
        .may("sortBy", maybe(text()))
        .may("sortOrder", maybe(pattern("^([Aa]scending|[Dd]escending)?$")))
        .may("startIndex", maybe(whole()))
        .may("count", maybe(whole()))
        .may("attributes", names())
        .may("excludedAttributes", names())
        .for_example(json!({ "filter": "active eq true", "sortBy": "userName", "count": 10 }));
    it.scim(body.named("ScimSearch")).answers(200, SCIM_JSON, listed()).refuses(&[415])
}

pub(super) fn anything(it: Description) -> Description {
    it.answers(200, SCIM_JSON, free_object())
}

pub(super) fn resource_type(it: Description) -> Description {
    anything(it).place("id", text(), "`User`.").such_as("User").refuses(&[404])
}

pub(super) fn schema(it: Description) -> Description {
    anything(it).place("id", text(), "The URN of the schema.").such_as(USER).refuses(&[404])
}
