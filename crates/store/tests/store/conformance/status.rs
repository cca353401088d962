//! Status lists: what stands in them comes back, once, and as long as anybody may ask.

use rescind_ledger::{
    CredentialOwner, LogoutStatusJwt, Position, Reads, StatusNames, StatusReference, StatusScan, StatusSlot,
    StatusView, StoreError,
};

use super::{
    Backend,
    samples::{access_token, at, grant, hash, position},
    wait,
};

fn reference(list: &str, index: u32) -> StatusReference {
    StatusReference {
        slot: StatusSlot { list: list.to_owned(), index },
        token: format!("t{index}"),
        grant: format!("g{index}"),
        session: index.is_multiple_of(2).then(|| format!("s{index}")),
        user: (!index.is_multiple_of(3)).then(|| format!("u{index}")),
        device: index.is_multiple_of(5).then(|| format!("d{index}")),
        client: "c".to_owned(),
        audiences: (0..index % 3).map(|number| format!("https://{number}.example/\"quoted\"")).collect(),
        key: (!index.is_multiple_of(7)).then(|| "k".to_owned()),
        position: position(index.into()),
        root_time: at(50 - i64::from(index)),
        issued_at: at(100 + i64::from(index)),
        expires_at: at(500),
    }
}

/// Takes everything with an even index.
#[derive(Default)]
struct Even {
    seen: Vec<u32>,
    taken: Vec<StatusReference>,
}

impl StatusScan for Even {
    fn wants(&mut self, names: &StatusNames<'_>) -> bool {
        self.seen.push(names.index);
        names.index.is_multiple_of(2)
    }

    fn take(&mut self, view: &StatusView<'_>) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        self.taken.push(StatusReference {
            slot: StatusSlot { list: "l".to_owned(), index: view.names.index },
            token: view.names.token.to_owned(),
            grant: view.names.grant.to_owned(),
            session: own(view.names.session),
            user: own(view.names.user),
            device: own(view.names.device),
            client: view.client.to_owned(),
            audiences: view.audiences.to_vec(),
            key: own(view.key),
            position: view.position,
            root_time: view.root_time,
            issued_at: view.issued_at,
            expires_at: at(500),
        });
    }
}

fn scan<B: Backend>(backend: &B, list: &str) -> Even {
    let mut even = Even::default();
    wait(backend.reads().scan_status_list(list, &mut even)).unwrap();
    even
}

fn insert<B: Backend>(backend: &mut B, references: &[StatusReference]) {
    backend.write(|tx| references.iter().for_each(|one| tx.insert_status_reference(one, at(100)).unwrap()));
}

pub(crate) fn references_come_back_as_they_were_in_the_order_of_their_indexes<B: Backend>() {
    let mut backend = B::fresh();
    let indexes = [30, 2, 65_534, 0, 14, 10, 6];
    insert(&mut backend, &indexes.map(|index| reference("l", index)));
    insert(&mut backend, &[reference("other", 8)]);
    let ordered = [0, 2, 6, 10, 14, 30, 65_534].map(|index| reference("l", index));
    assert_eq!(scan(&backend, "l").taken, ordered);
    assert_eq!(scan(&backend.reopened(), "l").taken, ordered);
}

pub(crate) fn only_what_is_wanted_is_handed_over<B: Backend>() {
    let mut backend = B::fresh();
    insert(&mut backend, &[1, 2, 3, 4].map(|index| reference("l", index)));
    let even = scan(&backend, "l");
    assert_eq!(even.seen, [1, 2, 3, 4]);
    assert_eq!(even.taken.iter().map(|one| one.slot.index).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(scan(&backend, "nobody's").seen, [0; 0]);
}

pub(crate) fn an_index_is_given_once<B: Backend>() {
    let mut backend = B::fresh();
    insert(&mut backend, &[reference("l", 2)]);
    let again = StatusReference { token: "another".to_owned(), ..reference("l", 2) };
    let refused = backend.try_write(|tx| tx.insert_status_reference(&again, at(101)));
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    insert(&mut backend, &[StatusReference { slot: StatusSlot { list: "m".to_owned(), index: 2 }, ..again }]);
    assert_eq!(scan(&backend, "l").taken, [reference("l", 2)]);
}

pub(crate) fn a_list_lives_as_long_as_its_last_token_and_goes_as_a_whole<B: Backend>() {
    let mut backend = B::fresh();
    let nothing = Position { epoch: 0, seq: 0 };
    let short = StatusReference { expires_at: at(300), ..reference("l", 4) };
    insert(&mut backend, &[reference("l", 2), short]);
    insert(&mut backend, &[2, 4, 6].map(|index| StatusReference { expires_at: at(600), ..reference("m", index) }));
    let found = wait(backend.reads().find_status_list("l")).unwrap().unwrap();
    assert_eq!((found.opened_at, found.expires_at), (at(100), at(500)));
    let alive = |backend: &B, secs| {
        let lists = wait(backend.reads().status_lists(at(secs))).unwrap();
        lists.into_iter().map(|list| list.id).collect::<Vec<_>>()
    };
    assert_eq!(alive(&backend, 499), ["l", "m"]);
    assert_eq!(alive(&backend, 500), ["m"]);
    let swept = |backend: &mut B, secs| backend.try_write(|tx| tx.forget(nothing, at(secs), at(secs), 2)).unwrap();
    assert_eq!(swept(&mut backend, 499).rows, 0, "the one that has expired stays with the others");
    assert_eq!(scan(&backend, "l").taken.len(), 2);
    swept(&mut backend, 500);
    assert_eq!(scan(&backend, "l").taken, []);
    assert_eq!(wait(backend.reads().find_status_list("l")).unwrap(), None);
    let first = swept(&mut backend, 600);
    assert_eq!((first.rows, first.more), (2, true));
    assert!(wait(backend.reads().find_status_list("m")).unwrap().is_some(), "it goes after its references");
    swept(&mut backend, 600);
    assert_eq!(wait(backend.reads().find_status_list("m")).unwrap(), None);
}

pub(crate) fn a_logout_status_jwt_is_found_by_its_hash_and_by_its_id<B: Backend>() {
    let mut backend = B::fresh();
    let jwt = |name: &str, expires| LogoutStatusJwt {
        hash: hash(name),
        id: format!("jti {name}"),
        grant: "g".to_owned(),
        client: "c".to_owned(),
        user: "u".to_owned(),
        session: "s".to_owned(),
        device: Some("d".to_owned()),
        key: "k".to_owned(),
        position: position(7),
        auth_time: at(90),
        issued_at: at(100),
        expires_at: at(expires),
        slot: StatusSlot { list: "l".to_owned(), index: 9 },
    };
    backend.write(|tx| {
        tx.insert_logout_status_jwt(&jwt("one", 500)).unwrap();
        tx.insert_logout_status_jwt(&jwt("two", 501)).unwrap();
    });
    let same_id = LogoutStatusJwt { hash: hash("three"), ..jwt("one", 500) };
    let refused = backend.try_write(|tx| tx.insert_logout_status_jwt(&same_id));
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let owner = CredentialOwner {
        grant: "g".to_owned(),
        client: "c".to_owned(),
        user: Some("u".to_owned()),
        scope: String::new(),
        position: position(7),
        root_time: at(90),
        expires_at: at(500),
    };
    let by_hash = |backend: &B, name: &str| wait(backend.reads().find_owner(&hash(name), None)).unwrap();
    let by_id = |backend: &B, id: &str| wait(backend.reads().find_owner(&hash("nobody"), Some(id))).unwrap();
    assert_eq!(by_hash(&backend, "one"), Some(owner.clone()));
    assert_eq!(by_id(&backend, "jti two"), Some(CredentialOwner { expires_at: at(501), ..owner.clone() }));
    assert_eq!((by_id(&backend, "one"), by_hash(&backend, "jti one")), (None, None));
    let token = access_token("three", &grant("g"));
    backend.write(|tx| tx.insert_access_token(&token).unwrap());
    let (scope, position, expires_at) = ("openid read".to_owned(), token.position, token.expires_at);
    let root_time = token.root_time();
    assert_eq!(by_id(&backend, "three"), Some(CredentialOwner { scope, position, root_time, expires_at, ..owner }));
    backend.try_write(|tx| tx.forget(Position { epoch: 0, seq: 0 }, at(500), at(500), 10)).unwrap();
    assert_eq!(by_hash(&backend, "one"), None);
    assert!(by_hash(&backend, "two").is_some());
}
