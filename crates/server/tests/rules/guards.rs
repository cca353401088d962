//! Guards, pending revocations and the broken glass: what is asked before many lose access, and what becomes of what waits.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use http_body_util::BodyExt;
use rescind::admin::carry_out_due;
use rescind_ledger::{Client, Entry, Initiator, Reads};
use serde_json::{Value, json};

use crate::house::{API_A, House, client, text};

/// Somebody at the network, with a token of the admin API.
struct Administrator {
    name: &'static str,
    token: String,
}

async fn administrator(house: &House, name: &'static str) -> Administrator {
    let scopes = vec!["rescind:write".to_owned()];
    house.put_client(Client { scopes, ..client(name) }).await;
    let fields = [("grant_type", "client_credentials"), ("scope", "rescind:write")];
    let (status, answer) = house.post(name, "/token", &fields).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    Administrator { name, token: text(&answer, "access_token") }
}

impl Administrator {
    async fn ask(&self, house: &House, method: &str, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask_keyed(house, method, path, body, None).await
    }

    async fn ask_keyed(
        &self,
        house: &House,
        method: &str,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let request = key.iter().fold(request, |request, key| request.header("idempotency-key", *key));
        let answer = house.send(request.body(Body::from(body.to_string())).unwrap()).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    fn is(&self, initiator: &Value) -> bool {
        initiator == &json!({ "kind": "administrator", "id": self.name })
    }
}

/// So many people who hold a token of the client `web`, each with a session.
async fn crowd(house: &House, people: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for number in 0..people {
        let name = format!("person{number}");
        house.add_user(&name).await;
        let cookie = house.sign_in(&name).await;
        let code = house.code(&cookie, "web", &[("scope", "read"), ("resource", API_A)]).await;
        tokens.push(text(&house.exchange("web", &code).await.1, "access_token"));
    }
    tokens
}

async fn entries(house: &House) -> Vec<Entry> {
    house.app.records.store.entries_before(None, 1000).await.unwrap()
}

fn web() -> Value {
    json!({ "kind": "client", "client": "web" })
}

fn confirmed() -> Value {
    json!({ "target": web(), "confirm": "revoke client web", "reason": "policy" })
}

/// A moment so many seconds from now.
fn ahead(house: &House, secs: i64) -> String {
    jiff::Timestamp::from_millisecond(house.app.now().0 + secs * 1000).unwrap().to_string()
}

async fn pending(house: &House, id: &str) -> Value {
    let (status, shown) = house.admin("GET", &format!("/pending-revocations/{id}"), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    shown
}

/// The outcomes of the audit records of an action, the oldest first.
async fn outcomes(house: &House, action: &str) -> Vec<String> {
    let records = house.audit_after(0).await;
    let of = records.iter().filter(|record| record["action"] == action);
    of.map(|record| text(record, "outcome")).collect()
}

#[tokio::test]
async fn more_users_than_the_bound_have_to_be_confirmed_by_the_phrase_that_names_them() {
    let house = House::open().await;
    let tokens = crowd(&house, 3).await;
    for (bound, is_guarded) in [(2, true), (3, false)] {
        house.set("guardUsers", json!(bound)).await;
        let (_, preview) = house.admin("GET", "/revocations/preview?kind=client&client=web", &json!({})).await;
        let phrase = if is_guarded { json!("revoke client web") } else { Value::Null };
        assert_eq!(preview["guard"], json!({ "confirm": phrase, "approval": false }), "{bound}");
    }
    house.set("guardUsers", json!(2)).await;
    let before = entries(&house).await.len();
    for confirm in [Value::Null, json!("revoke client app"), json!("Revoke client web"), json!("")] {
        let order = json!({ "target": web(), "confirm": confirm });
        let (status, refused) = house.admin("POST", "/revocations", &order).await;
        assert_eq!((status, text(&refused, "code").as_str()), (StatusCode::CONFLICT, "confirmation_required"));
        assert_eq!(refused["confirm"], "revoke client web");
        assert_eq!(refused["reach"]["users"], 3);
    }
    assert_eq!(entries(&house).await.len(), before);
    assert!(house.is_active("web", &tokens[0]).await);
    let (status, ended) = house.admin("POST", "/revocations", &confirmed()).await;
    assert_eq!(status, StatusCode::CREATED, "{ended}");
    assert!(!house.is_active("web", &tokens[0]).await);
    // What is dead already is not reached again.
    let (status, _) = house.admin("POST", "/revocations", &json!({ "target": web() })).await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test]
async fn every_target_of_many_is_guarded_and_none_of_one_person() {
    let house = House::open().await;
    crowd(&house, 2).await;
    house.set("guardUsers", json!(1)).await;
    for (target, phrase) in [
        (json!({ "kind": "everything" }), "revoke everything".to_owned()),
        (json!({ "kind": "api", "api": API_A }), format!("revoke api {API_A}")),
        (json!({ "kind": "client_api", "client": "web", "api": API_A }), format!("revoke client web at api {API_A}")),
    ] {
        let (status, refused) = house.admin("POST", "/revocations", &json!({ "target": target })).await;
        assert_eq!((status, &refused["confirm"]), (StatusCode::CONFLICT, &json!(phrase)), "{target}");
    }
    let others = json!({ "kind": "client_api", "client": "app", "api": API_A });
    assert_eq!(house.admin("POST", "/revocations", &json!({ "target": others })).await.0, StatusCode::CREATED);
    let one = json!({ "kind": "user", "user": "person0" });
    assert_eq!(house.admin("POST", "/revocations", &json!({ "target": one })).await.0, StatusCode::CREATED);
    let wrong = json!({ "target": one, "confirm": "revoke user u_person1" });
    assert_eq!(house.admin("POST", "/revocations", &wrong).await.0, StatusCode::CONFLICT, "it means somebody else");
}

#[tokio::test]
async fn a_share_of_the_live_sessions_is_a_bound_of_its_own() {
    let house = House::open().await;
    crowd(&house, 2).await;
    house.set("guardUsers", json!(0)).await;
    let everything = json!({ "target": { "kind": "everything" } });
    house.set("guardSessionsPercent", json!(99)).await;
    assert_eq!(house.admin("POST", "/revocations", &everything).await.0, StatusCode::CONFLICT);
    // An application's end ends no session.
    assert_eq!(house.admin("POST", "/revocations", &json!({ "target": web() })).await.0, StatusCode::CREATED);
    house.set("guardSessionsPercent", json!(0)).await;
    assert_eq!(house.admin("POST", "/revocations", &everything).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn narrowing_or_removing_what_many_use_is_guarded_like_its_revocation() {
    let house = House::open().await;
    let tokens = crowd(&house, 2).await;
    house.set("guardUsers", json!(1)).await;
    let api = format!("/apis?audience={API_A}");
    for (method, path, body, phrase) in [
        ("PATCH", "/clients/web".to_owned(), json!({ "scopes": ["write"] }), "change client web".to_owned()),
        ("DELETE", "/clients/web".to_owned(), json!({}), "remove client web".to_owned()),
        ("PATCH", api.clone(), json!({ "scopes": [] }), format!("change api {API_A}")),
        ("DELETE", api.clone(), json!({}), format!("remove api {API_A}")),
    ] {
        let (status, refused) = house.admin(method, &path, &body).await;
        assert_eq!((status, &refused["confirm"]), (StatusCode::CONFLICT, &json!(phrase)), "{method} {path}");
    }
    assert!(house.is_active("web", &tokens[0]).await);
    let (status, _) = house.admin("PATCH", "/clients/web", &json!({ "name": "Web" })).await;
    assert_eq!(status, StatusCode::OK, "what takes nothing away is free");
    house.set("guardSecondAdministrator", json!(true)).await;
    let (status, refused) = house.admin("DELETE", "/clients/web?confirm=remove+client+web", &json!({})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("approval_required")));
    let glass = format!("{api}&confirm=remove+api+{API_A}&break_glass=it+leaks");
    assert_eq!(house.admin("DELETE", &glass, &json!({})).await.0, StatusCode::OK);
    assert_eq!(outcomes(&house, "break_glass").await, ["broken"]);
    assert!(!house.is_active("web", &tokens[0]).await);
    // Once nobody is reached any more, nobody has to agree.
    assert_eq!(house.admin("DELETE", "/clients/web", &json!({})).await.0, StatusCode::CONFLICT);
    let order = json!({ "target": web(), "confirm": "revoke client web", "break_glass": "now" });
    assert_eq!(house.admin("POST", "/revocations", &order).await.0, StatusCode::CREATED);
    assert_eq!(house.admin("DELETE", "/clients/web", &json!({})).await.0, StatusCode::OK);
}

#[tokio::test]
async fn another_administrator_approves_and_the_entry_says_who_ordered_it() {
    let house = House::open().await;
    let (one, other) = (administrator(&house, "one").await, administrator(&house, "other").await);
    let tokens = crowd(&house, 2).await;
    house.set("guardUsers", json!(1)).await;
    house.set("guardSecondAdministrator", json!(true)).await;
    let (status, _) = one.ask(&house, "POST", "/revocations", &json!({ "target": web() })).await;
    assert_eq!(status, StatusCode::CONFLICT, "an approval is no substitute for the phrase");
    let before = entries(&house).await.len();
    let (status, kept) = one.ask_keyed(&house, "POST", "/revocations", &confirmed(), Some("k")).await;
    assert_eq!((status, &kept["pending"]["state"]), (StatusCode::ACCEPTED, &json!("waiting")), "{kept}");
    let (_, again) = one.ask_keyed(&house, "POST", "/revocations", &confirmed(), Some("k")).await;
    assert_eq!(again, kept, "two orders with one key are one order");
    let id = text(&kept["pending"], "id");
    let path = format!("/pending-revocations/{id}/approve");
    let (status, refused) = one.ask(&house, "POST", &path, &json!({})).await;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("own_order")), "{refused}");
    assert_eq!(entries(&house).await.len(), before);
    assert!(house.is_active("web", &tokens[0]).await);

    let (status, approved) = other.ask(&house, "POST", &path, &json!({})).await;
    assert_eq!((status, &approved["state"]), (StatusCode::OK, &json!("carried_out")), "{approved}");
    assert!(one.is(&approved["ordered_by"]) && other.is(&approved["approved_by"]));
    assert!(!house.is_active("web", &tokens[0]).await);
    let entry = &entries(&house).await[0];
    assert_eq!(entry.initiator, Initiator::Administrator("one".to_owned()));
    assert_eq!(approved["position"], entry.position.to_string());
    let (status, _) = other.ask(&house, "POST", &path, &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "it is over");
    let (status, repeated) = one.ask_keyed(&house, "POST", "/revocations", &confirmed(), Some("k")).await;
    assert_eq!((status, &repeated["position"]), (StatusCode::OK, &approved["position"]));
    assert_eq!(entries(&house).await.len(), before + 1);
    assert_eq!(outcomes(&house, "pending").await, ["waiting", "carried_out"]);
}

#[tokio::test]
async fn what_is_withdrawn_or_not_approved_in_time_is_never_carried_out() {
    let house = House::open().await;
    let (one, other) = (administrator(&house, "one").await, administrator(&house, "other").await);
    let tokens = crowd(&house, 2).await;
    house.set("guardUsers", json!(1)).await;
    house.set("guardSecondAdministrator", json!(true)).await;
    house.set("approvalLifetime", json!(60)).await;
    let before = entries(&house).await.len();
    let (_, kept) = one.ask(&house, "POST", "/revocations", &confirmed()).await;
    let (withdrawn, late) =
        (text(&kept["pending"], "id"), one.ask(&house, "POST", "/revocations", &confirmed()).await.1);
    let late = text(&late["pending"], "id");
    let (_, shown) = other.ask(&house, "POST", &format!("/pending-revocations/{withdrawn}/withdraw"), &json!({})).await;
    assert!(shown["state"] == "withdrawn" && other.is(&shown["withdrawn_by"]), "{shown}");
    house.later(59);
    carry_out_due(&house.app).await.unwrap();
    assert_eq!(pending(&house, &late).await["state"], "waiting");
    house.later(1);
    let (status, _) = other.ask(&house, "POST", &format!("/pending-revocations/{late}/approve"), &json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "the clock need not have been looked at for that");
    carry_out_due(&house.app).await.unwrap();
    assert_eq!(pending(&house, &late).await["state"], "expired");
    for id in [&withdrawn, &late] {
        for what in ["approve", "withdraw"] {
            let (status, _) = other.ask(&house, "POST", &format!("/pending-revocations/{id}/{what}"), &json!({})).await;
            assert_eq!(status, StatusCode::CONFLICT, "{what}");
        }
    }
    assert_eq!(entries(&house).await.len(), before);
    assert!(house.is_active("web", &tokens[0]).await);
    let (_, listed) = house.admin("GET", "/pending-revocations?state=expired", &json!({})).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(outcomes(&house, "pending").await, ["waiting", "waiting", "withdrawn", "expired"]);
}

#[tokio::test]
async fn the_broken_glass_spares_the_approval_and_not_the_phrase_and_is_heard() {
    let house = House::open().await;
    let tokens = crowd(&house, 2).await;
    house.set("guardUsers", json!(1)).await;
    house.set("guardSecondAdministrator", json!(true)).await;
    let hasty = json!({ "target": web(), "break_glass": "it leaks" });
    assert_eq!(house.admin("POST", "/revocations", &hasty).await.0, StatusCode::CONFLICT);
    for without_reason in ["", "  "] {
        let order = json!({ "target": web(), "confirm": "revoke client web", "break_glass": without_reason });
        let (status, refused) = house.admin("POST", "/revocations", &order).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    }
    assert!(house.is_active("web", &tokens[0]).await);
    let order = json!({ "target": web(), "confirm": "revoke client web", "break_glass": "it leaks", "note": "INC-7" });
    assert_eq!(house.admin("POST", "/revocations", &order).await.0, StatusCode::CREATED);
    assert!(!house.is_active("web", &tokens[0]).await);
    assert_eq!(entries(&house).await[0].note.as_deref(), Some("break-glass: it leaks; INC-7"));
    let records = house.audit_after(0).await;
    let loud: Vec<_> = records.iter().filter(|record| record["action"] == "break_glass").collect();
    assert_eq!((loud.len(), &loud[0]["note"], &loud[0]["what"]), (1, &json!("it leaks"), &json!("client web")));
    assert!(house.app.telemetry.render().contains("rescind_break_glass_total 1"));
}

#[tokio::test]
async fn a_scheduled_revocation_is_carried_out_at_its_time_once_and_not_before() {
    let house = House::open().await;
    let tokens = crowd(&house, 1).await;
    for at in ["tomorrow", "2027", ""] {
        let (status, _) = house.admin("POST", "/revocations", &json!({ "target": web(), "at": at })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{at}");
    }
    for at in [ahead(&house, 0), ahead(&house, -60), ahead(&house, 367 * 86_400)] {
        let (status, _) = house.admin("POST", "/revocations", &json!({ "target": web(), "at": at })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{at}");
    }
    let order = json!({ "target": web(), "at": ahead(&house, 600), "reason": "left_company" });
    let (status, kept) = house.admin("POST", "/revocations", &order).await;
    assert_eq!((status, &kept["pending"]["state"]), (StatusCode::ACCEPTED, &json!("scheduled")));
    let id = text(&kept["pending"], "id");
    let before = entries(&house).await.len();
    house.later(599);
    assert_eq!(carry_out_due(&house.app).await.unwrap(), 0);
    assert!(house.is_active("web", &tokens[0]).await);
    house.later(1);
    let (one, other) = tokio::join!(carry_out_due(&house.app), carry_out_due(&house.app));
    assert!(one.unwrap() + other.unwrap() >= 1);
    assert_eq!(carry_out_due(&house.app).await.unwrap(), 0);
    assert!(!house.is_active("web", &tokens[0]).await);
    assert_eq!(entries(&house).await.len(), before + 1);
    let shown = pending(&house, &id).await;
    assert_eq!((&shown["state"], &shown["remark"]), (&json!("carried_out"), &Value::Null));
    assert_eq!(outcomes(&house, "pending").await, ["scheduled", "carried_out"]);
}

#[tokio::test]
async fn a_scheduled_revocation_that_was_withdrawn_never_comes() {
    let house = House::open().await;
    let tokens = crowd(&house, 1).await;
    let (_, kept) = house.admin("POST", "/revocations", &json!({ "target": web(), "at": ahead(&house, 600) })).await;
    let path = format!("/pending-revocations/{}/withdraw", text(&kept["pending"], "id"));
    assert_eq!(house.admin("POST", &path, &json!({})).await.0, StatusCode::OK);
    house.later(6000);
    assert_eq!(carry_out_due(&house.app).await.unwrap(), 0);
    // A token does not live as long: a fresh one shows that the client goes on.
    assert!(entries(&house).await.iter().all(|entry| entry.target.to_string() != "client web"), "{tokens:?}");
}

#[tokio::test]
async fn a_scheduled_revocation_above_the_bound_is_confirmed_and_approved_before_its_time() {
    let house = House::open().await;
    let other = administrator(&house, "other").await;
    crowd(&house, 2).await;
    house.set("guardUsers", json!(1)).await;
    house.set("guardSecondAdministrator", json!(true)).await;
    let at = ahead(&house, 600);
    let (status, _) = house.admin("POST", "/revocations", &json!({ "target": web(), "at": at })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let order = json!({ "target": web(), "at": at, "confirm": "revoke client web" });
        let (status, kept) = house.admin("POST", "/revocations", &order).await;
        assert_eq!((status, &kept["pending"]["state"]), (StatusCode::ACCEPTED, &json!("waiting")));
        ids.push(text(&kept["pending"], "id"));
    }
    let approve = |id: &str| format!("/pending-revocations/{id}/approve");
    let (_, approved) = other.ask(&house, "POST", &approve(&ids[0]), &json!({})).await;
    assert_eq!(approved["state"], "scheduled");
    house.later(700);
    carry_out_due(&house.app).await.unwrap();
    assert_eq!(pending(&house, &ids[0]).await["state"], "carried_out");
    assert_eq!(pending(&house, &ids[1]).await["state"], "waiting", "nobody has approved it");
    let other = administrator(&house, "another").await;
    let (_, late) = other.ask(&house, "POST", &approve(&ids[1]), &json!({})).await;
    assert_eq!(late["state"], "carried_out", "its time has passed, so at once");
}

#[tokio::test]
async fn a_target_that_has_gone_or_ended_meanwhile_is_told_of() {
    let house = House::open().await;
    let cookie = house.sign_in("bob").await;
    let session = house.session_of(&cookie).await;
    let at = ahead(&house, 600);
    let mut ids = Vec::new();
    for target in [json!({ "kind": "user", "user": "alice" }), json!({ "kind": "session", "session": session })] {
        let (_, kept) = house.admin("POST", "/revocations", &json!({ "target": target, "at": at })).await;
        ids.push(text(&kept["pending"], "id"));
    }
    assert_eq!(house.admin("DELETE", "/users/u_alice", &json!({})).await.0, StatusCode::OK);
    let first = house.end(rescind_ledger::Target::Session { session }).await;
    house.later(600);
    assert_eq!(carry_out_due(&house.app).await.unwrap(), 2);
    let (gone, ended) = (pending(&house, &ids[0]).await, pending(&house, &ids[1]).await);
    assert!(gone["state"] == "carried_out" && text(&gone, "remark").contains("removed"), "{gone}");
    assert!(ended["state"] == "carried_out" && text(&ended, "remark").contains("already"), "{ended}");
    assert_eq!(ended["position"], first.position.to_string());
}

#[tokio::test]
async fn a_scheduled_end_of_the_signing_key_leaves_another_to_sign() {
    let house = House::open().await;
    let signing = |listed: &Value| {
        let items = listed["items"].as_array().unwrap().clone();
        items.into_iter().find(|key| key["signing"] == true).map(|key| text(&key, "kid")).unwrap()
    };
    let kid = signing(&house.admin("GET", "/keys", &json!({})).await.1);
    let order = json!({ "target": { "kind": "key", "key": kid }, "at": ahead(&house, 600) });
    assert_eq!(house.admin("POST", "/revocations", &order).await.0, StatusCode::ACCEPTED);
    assert_eq!(signing(&house.admin("GET", "/keys", &json!({})).await.1), kid, "it is not time yet");
    house.later(600);
    assert_eq!(carry_out_due(&house.app).await.unwrap(), 1);
    let (_, keys) = house.admin("GET", "/keys", &json!({})).await;
    assert_ne!(signing(&keys), kid);
    assert!(keys["items"].as_array().unwrap().iter().all(|key| key["kid"] != kid.as_str()), "{keys}");
}

#[tokio::test]
async fn a_guard_that_is_changed_while_an_order_is_on_its_way_is_asked_again() {
    use rescind_ledger::{Guard, Need, Order, Placement, Reason, Settings, Target};
    let house = House::open().await;
    let order = Order::new(Target::Everything, Reason::Policy, crate::house::somebody());
    // As it was found before the settings changed.
    let guard = Guard::of(&Settings::default());
    let placement = Placement { order, at: None, need: Need::Nothing, guard, break_glass: None, id: "p".to_owned() };
    house.set("guardUsers", json!(1)).await;
    let refused = house.door(move |door| door.place(&placement)).await.unwrap_err();
    assert!(refused.to_string().contains("changed meanwhile"), "{refused}");
    assert!(entries(&house).await.is_empty());
}

#[tokio::test]
async fn what_was_over_long_ago_is_forgotten() {
    let house = House::open().await;
    let (_, kept) = house.admin("POST", "/revocations", &json!({ "target": web(), "at": ahead(&house, 600) })).await;
    let (_, open) =
        house.admin("POST", "/revocations", &json!({ "target": web(), "at": ahead(&house, 300 * 86_400) })).await;
    house.set("auditRetentionDays", json!(30)).await;
    house.later(600);
    carry_out_due(&house.app).await.unwrap();
    house.later(29 * 86_400);
    rescind::background::sweep(&house.app).await.unwrap();
    assert_eq!(pending(&house, &text(&kept["pending"], "id")).await["state"], "carried_out");
    house.later(2 * 86_400);
    rescind::background::sweep(&house.app).await.unwrap();
    let (status, _) =
        house.admin("GET", &format!("/pending-revocations/{}", text(&kept["pending"], "id")), &json!({})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(pending(&house, &text(&open["pending"], "id")).await["state"], "scheduled");
}
