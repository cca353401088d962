//! A directory drives the accounts by SCIM: in the words that Entra and Okta use, and with every effect that the same change has on
//! any other way.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use rescind_ledger::{Entry, Initiator, Reads, Reason, Target, User};
use serde_json::{Value, json};

use crate::house::{House, PASSWORD, subject, text};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A provisioning system.
pub(crate) struct Directory<'a> {
    pub(crate) house: &'a House,
    pub(crate) token: String,
}

impl<'a> Directory<'a> {
    pub(crate) async fn of(house: &'a House) -> Self {
        let (status, made) = house.admin("POST", "/scim-tokens", &json!({ "name": "entra" })).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        Self { house, token: text(&made, "scim_token") }
    }

    async fn response(&self, method: &str, path: &str, body: Option<&Value>) -> Response {
        let request = Request::builder().method(method).uri(format!("/scim/v2{path}"));
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let request = match body {
            Some(body) => request
                .header(header::CONTENT_TYPE, "application/scim+json; charset=utf-8")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.house.send(request.unwrap()).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let response = self.response(method, path, body).await;
        let status = response.status();
        if status != StatusCode::NO_CONTENT {
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/scim+json", "{method} {path}");
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_client_error() {
            assert_eq!(
                body["schemas"],
                json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
                "{method} {path}: {body}"
            );
            assert_eq!(body["status"], status.as_str());
        }
        (status, body)
    }

    async fn done(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, Some(body)).await;
        assert!(status.is_success(), "{method} {path} {body}: {answer}");
        answer
    }

    async fn patch(&self, name: &str, operation: Value) -> Value {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] });
        self.done("PATCH", &format!("/Users/u_{name}"), &body).await
    }

    pub(crate) async fn find(&self, filter: &str) -> Value {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
        let (status, found) = self.call("GET", &format!("/Users?{query}"), None).await;
        assert_eq!(status, StatusCode::OK, "{filter}: {found}");
        found
    }

    async fn is_refused(&self, method: &str, path: &str, body: &Value, status: u16, scim_type: Value) {
        let (answered, answer) = self.call(method, path, Some(body)).await;
        assert_eq!((answered.as_u16(), &answer["scimType"]), (status, &scim_type), "{method} {path} {body}: {answer}");
    }
}

async fn access_of(house: &House, name: &str) -> String {
    let cookie = house.sign_in(name).await;
    let code = house.code(&cookie, "web", &[]).await;
    text(&house.exchange("web", &code).await.1, "access_token")
}

async fn entries(house: &House) -> Vec<Entry> {
    house.app.records.store.entries_before(None, 100).await.unwrap()
}

/// The request with which Entra adds a user.
fn entra_user() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "Test_User_ab6490ee-1e48-479e-a20b-2d77186b5dd1",
        "active": true,
        "displayName": "lennay",
        "emails": [{ "primary": true, "type": "work", "value": "Test_User_fd0ea19b@testuser.com" }],
        "meta": { "resourceType": "User" },
        "name": { "formatted": "givenName familyName", "familyName": "familyName", "givenName": "givenName" },
        "roles": [],
        ENTERPRISE: { "department": "bob", "manager": { "value": "26118915" } },
    })
}

#[tokio::test]
async fn a_user_is_made_found_shown_and_removed_as_entra_does_it() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    let name = "Test_User_ab6490ee-1e48-479e-a20b-2d77186b5dd1";
    let none = entra.find(&format!("userName eq \"{name}\"")).await;
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(0), &json!([])));

    let response = entra.response("POST", "/Users", Some(&entra_user())).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    let location = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let made: Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    let id = text(&made, "id");
    assert_eq!((&made["meta"]["location"], &made["meta"]["resourceType"]), (&json!(location), &json!("User")));
    assert!(location.ends_with(&format!("/scim/v2/Users/{id}")) && made["password"].is_null(), "{made}");
    assert_eq!(
        made["emails"],
        json!([{ "value": "Test_User_fd0ea19b@testuser.com", "type": "work", "primary": true }])
    );
    assert_eq!((&made["displayName"], &made["active"]), (&json!("lennay"), &json!(true)));

    for filter in [
        format!("userName eq \"{}\"", name.to_uppercase()),
        r#"externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef""#.to_owned(),
        r#"emails[type eq "work"].value eq "test_user_fd0ea19b@testuser.com""#.to_owned(),
        format!("id eq \"{id}\""),
        r#"displayName sw "LENN" and active eq true"#.to_owned(),
    ] {
        let found = entra.find(&filter).await;
        assert_eq!((&found["totalResults"], &found["Resources"][0]), (&json!(1), &made), "{filter}");
    }
    entra.is_refused("POST", "/Users", &entra_user(), 409, json!("uniqueness")).await;
    let (_, short) = entra.call("GET", &format!("/Users/{id}?attributes=userName,emails.value"), None).await;
    assert_eq!(short.as_object().unwrap().len(), 4, "{short}");
    assert!(short["emails"][0]["type"].is_null());

    assert_eq!(entra.call("DELETE", &format!("/Users/{id}"), None).await.0, StatusCode::NO_CONTENT);
    for method in ["GET", "DELETE"] {
        assert_eq!(entra.call(method, &format!("/Users/{id}"), None).await.0, StatusCode::NOT_FOUND);
    }
    let patch = json!({ "Operations": [{ "op": "replace", "path": "active", "value": true }] });
    entra.is_refused("PATCH", &format!("/Users/{id}"), &patch, 404, Value::Null).await;
    assert_ne!(text(&entra.done("POST", "/Users", &entra_user()).await, "id"), id, "an id never comes back");
}

#[tokio::test]
async fn whatever_restricts_an_account_has_the_effects_of_any_other_way() {
    let operations = [
        (json!({ "op": "Replace", "path": "active", "value": "False" }), Reason::AccountDisabled, "user disabled"),
        (json!({ "op": "Replace", "value": { "active": "False" } }), Reason::AccountDisabled, "user disabled"),
        (json!({ "op": "replace", "value": { "active": false } }), Reason::AccountDisabled, "user disabled"),
        (json!({ "op": "Replace", "path": "userName", "value": "alicia" }), Reason::AccountRenamed, "user renamed"),
        (json!({ "op": "replace", "value": { "userName": "ALICE" } }), Reason::AccountRenamed, "user renamed"),
        (
            json!({ "op": "replace", "value": { "password": "a long enough password" } }),
            Reason::CredentialChange,
            "password changed",
        ),
    ];
    for (operation, reason, rule) in operations {
        let house = House::open().await;
        let entra = Directory::of(&house).await;
        let (cookie, hers, his) =
            (house.sign_in("alice").await, access_of(&house, "alice").await, access_of(&house, "bob").await);
        let before = house.audited().await;
        entra.patch("alice", operation.clone()).await;

        let [entry] = &entries(&house).await[..] else { panic!("one entry: {operation}") };
        assert_eq!((&entry.target, entry.reason), (&subject("alice"), reason), "{operation}");
        assert_eq!(entry.note.as_deref(), Some(format!("rule: {rule}").as_str()));
        assert_eq!(entry.initiator, Initiator::Source("scim:entra".to_owned()));
        assert_eq!(house.app.records.store.outbox(10).await.unwrap(), [entry.position]);
        assert!(!house.is_active("web", &hers).await && house.is_active("web", &his).await);
        let went = house.authorize(&cookie, "web", &[]).await;
        assert!(!matches!(went, crate::house::Went::Code(_)), "the session is over: {went:?}");

        let records = house.audit_after(before).await;
        let told: Vec<_> = records.iter().map(|it| (it["action"].as_str().unwrap(), &it["actor"]["id"])).collect();
        assert_eq!(told, [("change", &json!("scim:entra")), ("order", &json!("scim:entra"))], "{operation}");
        assert_eq!(records[0]["what"], "PATCH /scim/v2/Users/u_alice");
        assert!(!format!("{records:?}").contains("a long enough"), "no password is recorded");
        house.close().await;
    }
}

#[tokio::test]
async fn what_restricts_nothing_ends_nothing_and_enabling_brings_nothing_back() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    let hers = access_of(&house, "alice").await;
    for operation in [
        json!({ "op": "Add", "path": "displayName", "value": "Alice" }),
        json!({ "op": "Replace", "path": "active", "value": "True" }),
        json!({ "op": "Replace", "path": "userName", "value": "alice" }),
        json!({ "op": "Add", "path": r#"emails[type eq "work"].value"#, "value": "alice@example.org" }),
        json!({ "op": "Replace", "path": "externalId", "value": "7" }),
        json!({ "op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": "7" }),
        json!({ "op": "replace", "path": "password", "value": PASSWORD }),
    ] {
        entra.patch("alice", operation).await;
    }
    assert!(entries(&house).await.is_empty() && house.is_active("web", &hers).await);
    let user = house.app.records.store.find_user("u_alice").await.unwrap().unwrap();
    assert_eq!((user.display_name.as_deref(), user.email.as_deref()), (Some("Alice"), Some("alice@example.org")));
    assert_eq!(user.external_id.as_deref(), Some("7"));

    entra.patch("alice", json!({ "op": "Replace", "path": "active", "value": "False" })).await;
    let shown = entra.patch("alice", json!({ "op": "Replace", "path": "active", "value": true })).await;
    assert_eq!(shown["active"], true);
    assert!(!house.is_active("web", &hers).await, "what was ended stays so");
    assert!(house.is_active("web", &access_of(&house, "alice").await).await, "a new sign-in works");
}

#[tokio::test]
async fn okta_replaces_the_whole_user_and_pushes_passwords() {
    let house = House::open().await;
    let okta = Directory::of(&house).await;
    let hers = access_of(&house, "alice").await;
    let mut whole = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "u_alice",
        "userName": "alice",
        "name": { "givenName": "Alice", "middleName": "Excited", "familyName": "Liddell" },
        "emails": [{ "primary": true, "value": "alice@example.org", "type": "work", "display": "alice@example.org" }],
        "active": true,
        "locale": "en-US", "groups": [],
        "meta": { "resourceType": "User" },
    });
    let shown = okta.done("PUT", "/Users/u_alice", &whole).await;
    assert_eq!((&shown["displayName"], &shown["active"]), (&json!("Alice Liddell"), &json!(true)));
    assert!(entries(&house).await.is_empty() && house.is_active("web", &hers).await);

    whole["password"] = json!("a password from Okta");
    okta.done("PUT", "/Users/u_alice", &whole).await;
    let [entry] = &entries(&house).await[..] else { panic!("one entry") };
    assert_eq!(entry.reason, Reason::CredentialChange);
    assert!(house.try_sign_in("alice").await.is_none() && !house.is_active("web", &hers).await);
    okta.done("PUT", "/Users/u_alice", &whole).await;
    assert_eq!(entries(&house).await.len(), 1, "the same password again is no new one");

    let disabled = json!({ "userName": "alice", "active": false });
    let shown = okta.done("PUT", "/Users/u_alice", &disabled).await;
    assert!(shown["emails"].is_null() && shown["displayName"].is_null(), "what is left out is removed");
    assert_eq!(entries(&house).await[0].reason, Reason::AccountDisabled);
    let shown = okta.done("PUT", "/Users/u_alice", &json!({ "userName": "alice" })).await;
    assert_eq!(shown["active"], false, "leaving it out brings nobody back");
    okta.is_refused("PUT", "/Users/u_alice", &json!({ "userName": "BOB" }), 409, json!("uniqueness")).await;
    okta.is_refused("PUT", "/Users/u_nobody", &json!({ "userName": "x" }), 404, Value::Null).await;
}

#[tokio::test]
async fn removing_a_user_ends_what_they_hold() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    let hers = access_of(&house, "alice").await;
    assert_eq!(entra.call("DELETE", "/Users/u_alice", None).await.0, StatusCode::NO_CONTENT);
    let [entry] = &entries(&house).await[..] else { panic!("one entry") };
    assert_eq!((&entry.target, entry.reason), (&subject("alice"), Reason::LeftCompany));
    assert!(!house.is_active("web", &hers).await);
}

#[tokio::test]
async fn a_patch_is_done_as_a_whole_or_not_at_all() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    let before = house.app.records.store.find_user("u_alice").await.unwrap();
    let attempts = [
        (json!([{ "op": "replace", "path": "active", "value": false }, { "op": "remove" }]), 400, json!("noTarget")),
        (
            json!([{ "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "active", "value": 7 }]),
            400,
            json!("invalidValue"),
        ),
        (
            json!([{ "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "userName", "value": "bob" }]),
            409,
            json!("uniqueness"),
        ),
    ];
    for (operations, status, scim_type) in attempts {
        entra.is_refused("PATCH", "/Users/u_alice", &json!({ "Operations": operations }), status, scim_type).await;
        assert!(house.app.records.store.find_user("u_alice").await.unwrap() == before);
    }
    assert!(entries(&house).await.is_empty());
}

#[tokio::test]
async fn a_directory_gives_nobody_the_password_of_an_administrator() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    house.admin("PATCH", "/users/alice", &json!({ "role": "viewer" })).await;
    let password =
        json!({ "Operations": [{ "op": "replace", "path": "password", "value": "one that the directory knows" }] });
    entra.is_refused("PATCH", "/Users/u_alice", &password, 403, Value::Null).await;
    assert!(house.try_sign_in("alice").await.is_some() && entries(&house).await.is_empty());
    // The right one is refused like any other: a directory's token must not find it out by trying.
    let right = json!({ "Operations": [{ "op": "replace", "path": "password", "value": PASSWORD }] });
    entra.is_refused("PATCH", "/Users/u_alice", &right, 403, Value::Null).await;
    entra.patch("alice", json!({ "op": "replace", "path": "active", "value": false })).await;
    assert_eq!(entries(&house).await.len(), 1, "but it may end their access");
}

#[tokio::test]
async fn without_a_good_token_nothing_is_said_and_the_refusal_is_recorded() {
    let house = House::open().await;
    let good = Directory::of(&house).await;
    let (_, made) = house.admin("POST", "/scim-tokens", &json!({ "name": "okta", "days": 1 })).await;
    let short = Directory { house: &house, token: text(&made, "scim_token") };
    let (_, made) = house.admin("POST", "/scim-tokens", &json!({ "name": "gone" })).await;
    let gone = Directory { house: &house, token: text(&made, "scim_token") };
    for directory in [&good, &short, &gone] {
        assert_eq!(directory.call("GET", "/Users/u_alice", None).await.0, StatusCode::OK);
    }
    let (status, _) = house.admin("DELETE", &format!("/scim-tokens/{}", text(&made, "id")), &Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    house.later(86_400);
    assert_eq!(good.call("GET", "/Users/u_alice", None).await.0, StatusCode::OK);
    let access = access_of(&house, "alice").await;
    let mut typo = good.token.clone();
    typo.pop();
    let strangers = ["", &typo, &access].map(|token| Directory { house: &house, token: token.to_owned() });
    for (place, directory) in [&short, &gone].into_iter().chain(&strangers).enumerate() {
        for (method, path) in [("GET", "/Users"), ("DELETE", "/Users/u_bob"), ("GET", "/Schemas"), ("GET", "/nothing")]
        {
            let before = house.audited().await;
            let response = directory.response(method, path, None).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{place} {method} {path}");
            let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.starts_with("Bearer realm=\"scim\""), "{challenge}");
            // Strangers are not made to wait for the record.
            house.door(|_| Ok(())).await.unwrap();
            let records = house.audit_after(before).await;
            assert_eq!((&records[0]["action"], records[0].get("actor")), (&json!("refusal"), None), "{records:?}");
        }
    }
    house.end(Target::Everything).await;
    assert_eq!(good.call("GET", "/Users/u_alice", None).await.0, StatusCode::UNAUTHORIZED, "it goes with everything");
    let (_, listed) = house.admin("GET", "/scim-tokens", &Value::Null).await;
    assert!(listed["items"].as_array().unwrap().iter().all(|token| token["revoked"] == true), "{listed}");
    assert!(!listed.to_string().contains("rsc_sp_"));
    assert!(Directory::of(&house).await.call("GET", "/Users/u_alice", None).await.0.is_success());
}

#[tokio::test]
async fn a_token_has_a_plain_name_and_at_most_two_years() {
    let house = House::open().await;
    for (body, status) in [
        (json!({ "name": "entra", "days": 730 }), 201),
        (json!({ "name": "entra", "days": 731 }), 422),
        (json!({ "name": "entra", "days": 0 }), 422),
        (json!({ "name": "a b" }), 422),
        (json!({}), 400),
        (json!({ "name": "entra", "scope": "x" }), 400),
    ] {
        assert_eq!(house.admin("POST", "/scim-tokens", &body).await.0.as_u16(), status, "{body}");
    }
}

#[tokio::test]
async fn lists_are_paged_and_sorted_and_their_totals_are_true() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    for name in ["Dora", "carol", "eve"] {
        entra.done("POST", "/Users", &json!({ "userName": name, "displayName": "The same" })).await;
    }
    let names = |answer: &Value| {
        let resources = answer["Resources"].as_array().unwrap();
        resources.iter().map(|it| it["userName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (query, expected, total) in [
        ("sortBy=userName", &["alice", "bob", "carol", "Dora", "eve"][..], 5),
        ("sortBy=userName&sortOrder=descending&count=2", &["eve", "Dora"][..], 5),
        ("sortBy=userName&startIndex=4", &["Dora", "eve"][..], 5),
        ("sortBy=userName&startIndex=0&count=1", &["alice"][..], 5),
        ("sortBy=userName&startIndex=6", &[][..], 5),
        ("count=0", &[][..], 5),
        ("count=-1", &[][..], 5),
        ("filter=displayName%20pr&sortBy=userName&startIndex=2&count=1", &["Dora"][..], 3),
        ("filter=displayName%20pr&sortBy=userName&sortOrder=descending", &["eve", "Dora", "carol"][..], 3),
    ] {
        let (status, answer) = entra.call("GET", &format!("/Users?{query}"), None).await;
        assert_eq!(
            (status, names(&answer), &answer["totalResults"]),
            (StatusCode::OK, expected.iter().map(ToString::to_string).collect(), &json!(total)),
            "{query}"
        );
        assert_eq!(answer["itemsPerPage"], json!(expected.len()));
    }
    let everything = entra.done("POST", "/.search", &json!({})).await;
    assert_eq!(everything["totalResults"], 5);
    let search = json!({ "schemas": ["…"], "filter": "displayName pr", "sortBy": "userName", "count": 1, "attributes": ["userName"] });
    let found = entra.done("POST", "/Users/.search", &search).await;
    assert_eq!((names(&found), &found["totalResults"]), (vec!["carol".to_owned()], &json!(3)));
    assert!(found["Resources"][0]["displayName"].is_null());
    for (query, scim_type) in
        [("filter=userName", "invalidFilter"), ("count=x", "invalidValue"), ("sortBy=a&sortOrder=up", "invalidValue")]
    {
        let (status, answer) = entra.call("GET", &format!("/Users?{query}"), None).await;
        assert_eq!((status.as_u16(), &answer["scimType"]), (400, &json!(scim_type)), "{query}");
    }
}

#[tokio::test]
async fn what_it_says_of_itself_is_what_it_does() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    let (_, config) = entra.call("GET", "/ServiceProviderConfig", None).await;
    assert_eq!((&config["patch"]["supported"], &config["bulk"]["supported"]), (&json!(true), &json!(false)));
    assert_eq!((&config["etag"]["supported"], &config["filter"]["maxResults"]), (&json!(false), &json!(500)));
    for (list, id) in [("ResourceTypes", "User"), ("Schemas", "urn:ietf:params:scim:schemas:core:2.0:User")] {
        let (_, listed) = entra.call("GET", &format!("/{list}"), None).await;
        let (status, one) = entra.call("GET", &format!("/{list}/{id}"), None).await;
        assert_eq!((status, &listed["Resources"][0], &listed["totalResults"]), (StatusCode::OK, &one, &json!(1)));
        assert_eq!(entra.call("GET", &format!("/{list}/other"), None).await.0, StatusCode::NOT_FOUND);
        assert_eq!(entra.call("GET", &format!("/{list}?filter=id%20pr"), None).await.0, StatusCode::FORBIDDEN);
    }
    for path in ["", "/", "/Groups", "/Me", "/Bulk", "/Users/u_alice/x"] {
        assert_eq!(entra.call("GET", path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let response = entra.response("PUT", "/Users", None).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(response.headers().contains_key(header::ALLOW));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_changes_nothing() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    for (body, scim_type) in [
        (json!([]), "invalidSyntax"),
        (json!({}), "invalidValue"),
        (json!({ "userName": 7 }), "invalidValue"),
        (json!({ "userName": "u_x" }), "invalidValue"),
        (json!({ "userName": "x", "USERNAME": "y" }), "invalidSyntax"),
        (json!({ "userName": "x", "active": "maybe" }), "invalidValue"),
        (json!({ "userName": "x", "emails": "x" }), "invalidValue"),
        (json!({ "userName": "x", "emails": [7] }), "invalidValue"),
        (json!({ "userName": "x", "password": "short" }), "invalidValue"),
        (json!({ "userName": "x", "name": "X" }), "invalidValue"),
    ] {
        entra.is_refused("POST", "/Users", &body, 400, json!(scim_type)).await;
    }
    let request = Request::post("/scim/v2/Users").header(header::AUTHORIZATION, format!("Bearer {}", entra.token));
    let request = request.header(header::CONTENT_TYPE, "text/plain").body(Body::from("{\"userName\":\"x\"}")).unwrap();
    assert_eq!(house.send(request).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(house.app.records.store.count_users(9).await.unwrap(), 2);
}

#[tokio::test]
async fn a_scim_token_is_good_for_nothing_else() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    for (method, path) in [
        ("GET", "/admin/v1/status"),
        ("POST", "/admin/v1/revocations"),
        ("GET", "/userinfo"),
        ("POST", "/revoke_session"),
    ] {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", entra.token));
        let answer = house.send(request.body(Body::empty()).unwrap()).await;
        assert!(
            [StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST].contains(&answer.status()),
            "{path}: {}",
            answer.status()
        );
    }
    assert!(!house.is_active("web", &entra.token).await);
}

#[tokio::test]
async fn a_question_that_no_index_answers_is_refused_among_too_many_users() {
    let house = House::open().await;
    let entra = Directory::of(&house).await;
    let now = house.app.now();
    let many = move |door: &mut rescind_ledger::Door<'_>| {
        (0..20_000).try_for_each(|n| door.add_user(&User::new(format!("u_{n}"), format!("user {n}"), now)))
    };
    house.door(many).await.unwrap();
    for query in ["filter=userName%20co%20%22user%22", "sortBy=displayName", "filter=not%20(userName%20eq%20%22bob%22)"]
    {
        let (status, answer) = entra.call("GET", &format!("/Users?{query}"), None).await;
        assert_eq!((status.as_u16(), &answer["scimType"]), (400, &json!("tooMany")), "{query}");
    }
    assert_eq!(entra.find("userName eq \"USER 19999\" and active eq true").await["totalResults"], 1);
    let (_, page) = entra.call("GET", "/Users?startIndex=20002&count=5&sortBy=userName", None).await;
    assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(20_002), &json!(1)));
}

#[tokio::test]
async fn a_scim_token_outlives_the_horizon_and_what_ended_one_holds_beyond_it_as_well() {
    const HOUR: i64 = 3600;
    let house =
        House::open_with("[lifetimes]\nrefresh_token_secs = 3600\nconsent_secs = 3600\nsession_max_secs = 3600\nsession_idle_secs = 600\n").await;
    let forget = async || {
        house.end(subject("bob")).await;
        house.later(200 * HOUR);
        rescind::deliveries::dispatch(&house.app).await.unwrap();
        rescind::background::sweep(&house.app).await.unwrap();
    };
    let entra = Directory::of(&house).await;
    house.end(subject("bob")).await;
    let before = house.app.live.look(|index, _| index.floor());
    forget().await;
    forget().await;
    assert!(house.app.live.look(|index, _| index.floor()) > before, "entries were forgotten");
    assert_eq!(entra.call("GET", "/Users", None).await.0, StatusCode::OK);
    house.end(Target::Everything).await;
    assert_eq!(entra.call("GET", "/Users", None).await.0, StatusCode::UNAUTHORIZED);
    forget().await;
    forget().await;
    assert!(house.app.live.position_of(&Target::Everything).is_none(), "the entry that ended it is forgotten");
    assert_eq!(entra.call("GET", "/Users", None).await.0, StatusCode::UNAUTHORIZED);
}
