//! What happens to an account ends what it holds: the rules, their switches, and the password a user changes in person.

use axum::http::StatusCode;
use rescind::clock::random;
use rescind_ledger::{
    Authentication, Entry, Hash, Initiator, LedgerError, OwnPassword, PasswordChanged, Position, Reads, Reason,
    Session, SignIn, UserChange,
};
use serde_json::{Value, json};

use crate::house::{House, subject, text};

async fn access_of(house: &House, name: &str) -> String {
    let cookie = house.sign_in(name).await;
    let code = house.code(&cookie, "web", &[]).await;
    text(&house.exchange("web", &code).await.1, "access_token")
}

async fn entries(house: &House) -> Vec<Entry> {
    house.app.records.store.entries_before(None, 100).await.unwrap()
}

async fn change(house: &House, body: Value) -> Value {
    let (status, answer) = house.admin("PATCH", "/users/alice", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer
}

#[tokio::test]
async fn each_change_that_has_a_rule_ends_everything_of_the_user_and_names_the_rule() {
    for (body, reason, rule) in [
        (json!({ "enabled": false }), Reason::AccountDisabled, "rule: user disabled"),
        (json!({ "user_name": "alicia" }), Reason::AccountRenamed, "rule: user renamed"),
        (json!({ "password": "a long enough password" }), Reason::CredentialChange, "rule: password changed"),
        (
            json!({ "enabled": false, "user_name": "alicia", "password": "a long enough password" }),
            Reason::AccountDisabled,
            "rule: user disabled, password changed, user renamed",
        ),
    ] {
        let house = House::open().await;
        let (hers, his) = (access_of(&house, "alice").await, access_of(&house, "bob").await);
        let answer = change(&house, body).await;
        let [entry] = &entries(&house).await[..] else { panic!("one entry") };
        assert_eq!((&entry.target, entry.reason, entry.note.as_deref()), (&subject("alice"), reason, Some(rule)));
        assert_eq!(answer["ended"]["position"], entry.position.to_string());
        assert_eq!(house.app.records.store.outbox(10).await.unwrap(), [entry.position]);
        assert!(!house.is_active("web", &hers).await && house.is_active("web", &his).await);
        house.close().await;
    }
}

#[tokio::test]
async fn a_change_that_restricts_nothing_ends_nothing() {
    let house = House::open().await;
    let hers = access_of(&house, "alice").await;
    for body in [
        json!({ "email": "alice@example.org" }),
        json!({ "display_name": "Alice" }),
        json!({ "role": "viewer" }),
        json!({ "external_id": "7" }),
        json!({ "enabled": true, "user_name": "alice" }),
    ] {
        assert_eq!(change(&house, body).await["ended"], Value::Null);
    }
    assert!(entries(&house).await.is_empty() && house.is_active("web", &hers).await);
}

#[tokio::test]
async fn a_rule_that_is_switched_off_ends_nothing_and_the_others_go_on() {
    for (setting, body) in [
        ("revokeOnUserDisabled", json!({ "enabled": false })),
        ("revokeOnUserRenamed", json!({ "user_name": "alicia" })),
        ("revokeOnPasswordChanged", json!({ "password": "a long enough password" })),
    ] {
        let house = House::open().await;
        let hers = access_of(&house, "alice").await;
        house.set(setting, json!(false)).await;
        assert_eq!(change(&house, body).await["ended"], Value::Null, "{setting}");
        assert!(entries(&house).await.is_empty());
        // A disabled account gets nothing all the same; once it is enabled, what it held works again, as documented.
        assert_eq!(house.is_active("web", &hers).await, setting != "revokeOnUserDisabled");
        let id = house.app.records.store.find_user("u_alice").await.unwrap().unwrap().user_name;
        let all = json!({ "enabled": false, "user_name": "ally", "password": "another long password" });
        let (_, answer) = house.admin("PATCH", &format!("/users/{id}"), &all).await;
        assert!(answer["ended"]["position"].is_string(), "{setting}: {answer}");
        house.close().await;
    }
}

#[tokio::test]
async fn deleting_ends_everything_whatever_is_switched_off() {
    let house = House::open().await;
    for setting in ["revokeOnUserDisabled", "revokeOnUserRenamed", "revokeOnPasswordChanged"] {
        house.set(setting, json!(false)).await;
    }
    let hers = access_of(&house, "alice").await;
    let (status, answer) = house.admin("DELETE", "/users/alice", &Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(!house.is_active("web", &hers).await);
    assert_eq!(entries(&house).await[0].note.as_deref(), Some("rule: user deleted"));
}

#[tokio::test]
async fn enabling_again_brings_nothing_back_and_a_new_sign_in_works() {
    let house = House::open().await;
    let before = access_of(&house, "alice").await;
    change(&house, json!({ "enabled": false })).await;
    assert!(house.try_sign_in("alice").await.is_none());
    change(&house, json!({ "enabled": true })).await;
    assert!(!house.is_active("web", &before).await);
    let after = access_of(&house, "alice").await;
    assert!(house.is_active("web", &after).await);
}

/// A session that takes over from another.
async fn successor(house: &House, session: &Session) -> SignIn {
    let id = format!("s_{}", u64::from_be_bytes(random()));
    let authentication = Authentication {
        session: id.clone(),
        position: Position { epoch: 0, seq: 0 },
        at: house.app.now(),
        methods: vec!["pwd".to_owned()],
    };
    let cookie = Hash::of(&id);
    SignIn { session: Session { id, cookie, position: authentication.position, ..session.clone() }, authentication }
}

async fn own_password(house: &House, session: &Session) -> OwnPassword {
    let user = house.app.records.store.find_user("u_alice").await.unwrap().unwrap();
    OwnPassword {
        session: session.clone(),
        old_hash: user.password_hash.unwrap(),
        new_hash: "$argon2id$new".to_owned(),
        successor: successor(house, session).await,
    }
}

async fn session_of(house: &House, name: &str) -> Session {
    let id = house.session_of(&house.sign_in(name).await).await;
    house.app.records.store.find_session(&id).await.unwrap().unwrap()
}

#[tokio::test]
async fn whoever_changes_their_own_password_goes_on_and_everything_else_of_theirs_ends() {
    let house = House::open().await;
    let (access, elsewhere, here) =
        (access_of(&house, "alice").await, session_of(&house, "alice").await, session_of(&house, "alice").await);
    let own = own_password(&house, &here).await;
    let going_on = own.successor.session.id.clone();
    let outcome = house.door(move |door| door.change_own_password(&own)).await.unwrap();
    assert!(matches!(outcome, PasswordChanged::GoesOn(_)));
    let counts = async |id: &str| {
        let known = house.app.records.store.find_session(id).await.unwrap().unwrap();
        house.app.live.session_counts(&known, house.app.now()).is_ok()
    };
    assert!(counts(&going_on).await);
    assert!(!counts(&here.id).await && !counts(&elsewhere.id).await && !house.is_active("web", &access).await);
    let entry = &entries(&house).await[0];
    assert_eq!((&entry.initiator, entry.reason), (&Initiator::User("u_alice".to_owned()), Reason::CredentialChange));
    // The next ending reaches the session that went on like any other.
    house.end(subject("alice")).await;
    assert!(!counts(&going_on).await);
}

#[tokio::test]
async fn by_the_setting_a_new_password_signs_out_everywhere() {
    let house = House::open().await;
    house.set("keepSessionOnOwnPasswordChange", json!(false)).await;
    let here = session_of(&house, "alice").await;
    let own = own_password(&house, &here).await;
    let going_on = own.successor.session.id.clone();
    let outcome = house.door(move |door| door.change_own_password(&own)).await.unwrap();
    assert!(matches!(outcome, PasswordChanged::SignedOut(_)));
    assert!(house.app.records.store.find_session(&going_on).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_password_that_ends_nothing_is_recorded_all_the_same() {
    let house = House::open().await;
    house.set("revokeOnPasswordChanged", json!(false)).await;
    let here = session_of(&house, "alice").await;
    let (own, audited) = (own_password(&house, &here).await, house.audited().await);
    let outcome = house.door(move |door| door.change_own_password(&own)).await.unwrap();
    assert_eq!(outcome, PasswordChanged::NothingEnded);
    let records = house.audit_after(audited).await;
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!((&record["action"], &record["what"]), (&json!("change"), &json!("own password")), "{record}");
    assert_eq!(record["actor"], json!({ "kind": "user", "id": "u_alice" }));
}

#[tokio::test]
async fn nobody_may_be_called_like_the_command_line_or_a_user() {
    let house = House::open().await;
    for id in ["local", "u_alice"] {
        let client = json!({ "id": id, "name": "x", "grant_types": ["client_credentials"], "redirect_uris": [] });
        let (status, answer) = house.admin("POST", "/clients", &client).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    }
}

#[tokio::test]
async fn a_session_that_has_ended_meanwhile_changes_no_password() {
    let house = House::open().await;
    let here = session_of(&house, "alice").await;
    let own = own_password(&house, &here).await;
    house.end(subject("alice")).await;
    let before = house.app.records.store.find_user("u_alice").await.unwrap().unwrap().password_hash;
    let refused = house.door(move |door| door.change_own_password(&own)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Revoked), "{refused}");
    assert_eq!(house.app.records.store.find_user("u_alice").await.unwrap().unwrap().password_hash, before);
}

#[tokio::test]
async fn of_two_new_passwords_at_once_the_second_is_refused() {
    let house = House::open().await;
    let here = session_of(&house, "alice").await;
    let own = own_password(&house, &here).await;
    let administrator = UserChange { password_hash: Some("$argon2id$other".to_owned()), ..UserChange::default() };
    house.set("revokeOnPasswordChanged", json!(false)).await;
    house.door(move |door| door.change_user("u_alice", &administrator, &crate::house::somebody())).await.unwrap();
    let refused = house.door(move |door| door.change_own_password(&own)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Refused(_)), "{refused}");
}
