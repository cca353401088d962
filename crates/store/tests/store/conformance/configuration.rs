//! Users, clients, APIs, devices, secrets and horizons.

use rescind_ledger::{
    Feature, HorizonFact, Initiator, Position, Reads, Role, Sealed, SettingChange, StoreError, User, UserOrder,
};

use super::{
    Backend,
    samples::{api, at, client, device, nth_entry, user},
    wait,
};

pub(crate) fn user_names_are_unique_without_regard_to_case<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        tx.put_user(&user("u1", "Änne@Example.org")).unwrap();
        tx.put_user(&user("u2", "bob")).unwrap();
    });
    let taken = backend.try_write(|tx| tx.put_user(&user("u3", "äNNE@example.ORG")));
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "{taken:?}");
    let taken = backend.try_write(|tx| tx.put_user(&user("u2", "änne@example.org")));
    assert!(matches!(taken, Err(StoreError::Conflict(_))), "a rename may not take it either: {taken:?}");
    let find = |backend: &B, name: &str| wait(backend.reads().find_user_by_name(name)).unwrap();
    assert_eq!(find(&backend, "ÄNNE@EXAMPLE.ORG"), Some(user("u1", "Änne@Example.org")));
    assert_eq!(find(&backend, "BOB"), Some(user("u2", "bob")));

    let renamed = User { enabled: false, password_hash: None, ..user("u1", "anna") };
    backend.write(|tx| {
        tx.put_user(&renamed).unwrap();
        tx.put_user(&user("u3", "änne@example.org")).unwrap();
        assert_eq!(tx.find_user("u1").unwrap(), Some(renamed.clone()));
        tx.delete_user("u2").unwrap();
        assert_eq!(tx.find_user("u2").unwrap(), None);
    });
    assert_eq!(find(&backend, "Anna"), Some(renamed.clone()));
    assert_eq!(wait(backend.reads().find_user("u1")).unwrap(), Some(renamed));
    assert_eq!(wait(backend.reads().find_user("u2")).unwrap(), None);
}

pub(crate) fn an_email_address_finds_everybody_who_has_it_whatever_its_case<B: Backend>() {
    let mut backend = B::fresh();
    let with = |id: &str, email: Option<&str>| User { email: email.map(str::to_owned), ..user(id, id) };
    let (shared, same) = (with("u2", Some("Änne@Example.org")), with("u1", Some("änne@example.ORG")));
    backend.write(|tx| {
        for user in [&shared, &same, &with("u3", Some("bob@example.org")), &with("u4", None), &with("u5", Some(""))] {
            tx.put_user(user).unwrap();
        }
    });
    let mut backend = backend.reopened();
    let find = |backend: &B, email: &str, limit| wait(backend.reads().find_users_by_email(email, limit)).unwrap();
    assert_eq!(find(&backend, "ÄNNE@example.org", 9), [same.clone(), shared.clone()], "by id, all of them");
    assert_eq!(find(&backend, "änne@example.org", 1), [same], "and no more than were asked for");
    assert!(find(&backend, "anne@example.org", 9).is_empty() && find(&backend, "%@example.org", 9).is_empty());
    let moved = with("u1", Some("anna@example.org"));
    backend.write(|tx| {
        tx.put_user(&moved).unwrap();
        tx.delete_user("u3").unwrap();
    });
    assert_eq!(find(&backend, "änne@example.org", 9), [shared]);
    assert_eq!(find(&backend, "anna@example.org", 9), [moved]);
    assert!(find(&backend, "bob@example.org", 9).is_empty());
}

pub(crate) fn users_are_counted_and_paged_in_order_and_found_by_what_others_call_them<B: Backend>() {
    let mut backend = B::fresh();
    let named = |id: &str, name: &str, external: Option<&str>| User {
        external_id: external.map(str::to_owned),
        ..user(id, name)
    };
    let all = [named("u1", "Änne", Some("7")), named("u2", "bob", Some("7")), named("u3", "Carl", None)];
    backend.write(|tx| all.iter().for_each(|user| tx.put_user(user).unwrap()));
    let reads = backend.reopened();
    let ids = |order, skip, limit| {
        let users = wait(reads.reads().users_in_order(order, skip, limit)).unwrap();
        users.into_iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(UserOrder::Id, 1, 9), ["u2", "u3"]);
    assert_eq!(ids(UserOrder::UserName, 0, 9), ["u2", "u3", "u1"]);
    assert_eq!(ids(UserOrder::UserNameDescending, 1, 1), ["u3"]);
    assert!(ids(UserOrder::Id, 3, 9).is_empty());
    let count = |most| wait(reads.reads().count_users(most)).unwrap();
    assert_eq!((count(9), count(2)), (3, 2), "no further than asked");
    let known = |name: &str, limit| wait(reads.reads().find_users_by_external_id(name, limit)).unwrap();
    assert_eq!(known("7", 9), all[..2]);
    assert_eq!(known("7", 1), all[..1]);
    assert!(known("8", 9).is_empty() && known("", 9).is_empty());
}

pub(crate) fn a_configuration_is_what_was_put<B: Backend>() {
    let mut backend = B::fresh();
    let off = rescind_ledger::Device { enabled: false, ..device("off") };
    let changed = rescind_ledger::Client { name: "Changed".to_owned(), ..client("c2") };
    backend.write(|tx| {
        for id in ["c1", "c2", "gone"] {
            tx.put_client(&client(id)).unwrap();
        }
        tx.put_client(&changed).unwrap();
        assert_eq!(tx.find_client("c2").unwrap(), Some(changed.clone()));
        tx.delete_client("gone").unwrap();
        tx.put_api(&api("https://a.example")).unwrap();
        tx.put_api(&api("https://gone.example")).unwrap();
        assert_eq!(tx.find_api("https://gone.example").unwrap(), Some(api("https://gone.example")));
        tx.delete_api("https://gone.example").unwrap();
        assert_eq!(tx.find_api("https://gone.example").unwrap(), None);
        tx.put_user(&user("on", "on")).unwrap();
        tx.put_user(&User { enabled: false, ..user("off", "off") }).unwrap();
        let chief =
            User { role: Some(Role::Administrator), external_id: Some("7".to_owned()), ..user("chief", "chief") };
        tx.put_user(&chief).unwrap();
        assert_eq!(tx.find_user("chief").unwrap(), Some(chief));
        tx.put_device(&device("on")).unwrap();
        tx.put_device(&device("off")).unwrap();
        tx.put_device(&off).unwrap();
        assert_eq!(tx.find_device("off").unwrap(), Some(off.clone()));
        assert_eq!(tx.find_device("none").unwrap(), None);
        tx.append(&nth_entry(1)).unwrap();
    });
    let mut backend = backend.reopened();
    let found = backend.store().configuration().unwrap();
    assert_eq!(found.clients.len(), 2);
    assert_eq!(*found.clients["c1"], client("c1"));
    assert_eq!(*found.clients["c2"], changed);
    assert_eq!(found.apis.len(), 1);
    assert_eq!(*found.apis["https://a.example"], api("https://a.example"));
    assert_eq!(found.disabled_users.into_iter().collect::<Vec<_>>(), ["off"]);
    assert_eq!(found.roles.into_iter().collect::<Vec<_>>(), [("chief".to_owned(), Role::Administrator)]);
    assert_eq!(found.disabled_devices.into_iter().collect::<Vec<_>>(), ["off"]);
    assert_eq!(found.position, Position { epoch: 1, seq: 1 });
    assert_eq!(wait(backend.reads().find_device("off")).unwrap(), Some(off));
    assert_eq!(wait(backend.reads().find_device("none")).unwrap(), None);
}

pub(crate) fn secrets_are_kept_by_name<B: Backend>() {
    let mut backend = B::fresh();
    let sealed = |byte: u8| Sealed(vec![byte, 0, 255]);
    backend.write(|tx| {
        tx.put_secret("b", &sealed(1), at(1)).unwrap();
        tx.put_secret("a", &sealed(2), at(1)).unwrap();
        tx.put_secret("gone", &sealed(3), at(1)).unwrap();
        tx.put_secret("b", &sealed(4), at(2)).unwrap();
        tx.delete_secret("gone").unwrap();
    });
    let mut backend = backend.reopened();
    let kept = [("a".to_owned(), sealed(2)), ("b".to_owned(), sealed(4))];
    assert_eq!(backend.store().secrets().unwrap(), kept);
    assert_eq!(wait(backend.reads().secrets()).unwrap(), kept);
}

pub(crate) fn horizons_come_back_oldest_first<B: Backend>() {
    let mut backend = B::fresh();
    let facts = [30, 10, 20].map(|secs| HorizonFact { since: at(secs), secs: u64::try_from(secs).unwrap() });
    backend.write(|tx| facts.iter().for_each(|fact| tx.put_horizon(fact).unwrap()));
    let [late, early, middle] = facts;
    assert_eq!(backend.store().horizons().unwrap(), [early, middle, late]);
    assert_eq!(wait(backend.reads().horizons()).unwrap(), [early, middle, late]);
}

pub(crate) fn the_last_change_of_each_setting_is_in_force<B: Backend>() {
    let mut backend = B::fresh();
    let change = |version: u64, name: &str, value: Option<serde_json::Value>| SettingChange {
        version,
        at: at(i64::try_from(version).unwrap()),
        name: name.to_owned(),
        value,
        initiator: Initiator::Administrator("ada".to_owned()),
        note: (version == 1).then(|| "why".to_owned()),
    };
    let changes = [
        change(1, "REVOKE_TOKEN", Some(false.into())),
        change(2, "statusListTtl", Some(30.into())),
        change(3, "REVOKE_TOKEN", Some(true.into())),
        change(4, "STATUS_LIST", Some(false.into())),
        change(5, "statusListTtl", None),
    ];
    backend.write(|tx| changes.iter().for_each(|change| tx.put_setting(change).unwrap()));
    let mut backend = backend.reopened();
    let settings = backend.store().configuration().unwrap().settings;
    assert!(settings.is_on(Feature::RevokeToken) && !settings.is_on(Feature::StatusList));
    assert_eq!((settings.status_list_ttl, settings.version), (10, 5));
    let read = |name: Option<&str>, before: Option<u64>, limit: u32| {
        let changes = wait(backend.reads().setting_changes(name, before, limit)).unwrap();
        changes.into_iter().map(|change| change.version).collect::<Vec<_>>()
    };
    assert_eq!(read(None, None, 100), [5, 4, 3, 2, 1]);
    assert_eq!(read(None, Some(4), 2), [3, 2]);
    assert_eq!(read(Some("REVOKE_TOKEN"), None, 100), [3, 1]);
    assert_eq!(wait(backend.reads().setting_changes(None, Some(2), 1)).unwrap(), changes[..1]);
}
