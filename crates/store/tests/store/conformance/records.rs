//! What was issued: written once, read back whole, used once.

use rescind_ledger::{Grant, Reads, Session, StoreError, Timestamp, Tx, Use};

use super::{
    Backend,
    samples::{access_token, at, authentication, code, consent, grant, hash, pushed_request, refresh_token, session},
    wait,
};

pub(crate) fn every_record_comes_back_as_it_was<B: Backend>() {
    let mut backend = B::fresh();
    let bare = Grant {
        user: None,
        session: None,
        session_bound: false,
        device: None,
        audiences: Vec::new(),
        auth_time: None,
        nonce: None,
        ..grant("bare")
    };
    let (full, session, code, pushed) = (grant("g"), session("s"), code("c"), pushed_request("p"));
    let tokens = [access_token("t", &full), access_token("b", &bare)];
    let refresh = refresh_token("r", "g");
    let root = rescind_ledger::RefreshToken { parent: None, ..refresh_token("root", "bare") };
    backend.write(|tx| {
        tx.insert_session(&session).unwrap();
        tx.insert_grant(&full).unwrap();
        tx.insert_grant(&bare).unwrap();
        tx.insert_code(&code).unwrap();
        tx.insert_pushed_request(&pushed).unwrap();
        tokens.iter().for_each(|token| tx.insert_access_token(token).unwrap());
        tx.insert_refresh_token(&refresh).unwrap();
        tx.insert_refresh_token(&root).unwrap();
    });
    let backend = backend.reopened();
    let reads = backend.reads();
    assert_eq!(wait(reads.find_session("s")).unwrap(), Some(session.clone()));
    assert_eq!(wait(reads.find_session_by_cookie(&session.cookie)).unwrap(), Some(session));
    assert_eq!(wait(reads.find_grant("g")).unwrap(), Some(full.clone()));
    assert_eq!(wait(reads.find_code(&code.hash)).unwrap(), Some(code));
    assert_eq!(wait(reads.find_pushed_request(&pushed.handle)).unwrap(), Some(pushed));
    for token in tokens {
        assert_eq!(wait(reads.find_access_token(&token.hash)).unwrap().as_ref(), Some(&token));
        assert_eq!(wait(reads.find_access_token_by_id(&token.id)).unwrap(), Some(token));
    }
    assert_eq!(wait(reads.find_refresh_token(&refresh.hash)).unwrap(), Some((refresh, full)));
    assert_eq!(wait(reads.find_refresh_token(&root.hash)).unwrap(), Some((root, bare)));
    assert_eq!(wait(reads.find_session("S")).unwrap(), None, "ids are compared exactly");
    assert_eq!(wait(reads.find_access_token(&hash("nobody's"))).unwrap(), None);
    wait(reads.ping()).unwrap();
}

pub(crate) fn an_owner_is_found_by_hash_and_by_the_id_of_an_access_token<B: Backend>() {
    let mut backend = B::fresh();
    let grant = grant("g");
    let (token, refresh) = (access_token("t", &grant), refresh_token("r", "g"));
    backend.write(|tx| {
        tx.insert_grant(&grant).unwrap();
        tx.insert_access_token(&token).unwrap();
        tx.insert_refresh_token(&refresh).unwrap();
    });
    let find = |hash: &rescind_ledger::Hash, id: Option<&str>| {
        wait(backend.reads().find_owner(hash, id)).unwrap().map(|owner| (owner.grant, owner.client, owner.user))
    };
    let owner = Some((grant.id.clone(), grant.client.clone(), grant.user.clone()));
    for (hash, id) in [(token.hash, None), (refresh.hash, None), (hash("nobody's"), Some(token.id.as_str()))] {
        assert_eq!(find(&hash, id), owner);
    }
    assert_eq!(find(&hash("nobody's"), None), None);
    assert_eq!(find(&hash("nobody's"), Some("nobody's")), None);
}

type UseIt = fn(&mut dyn Tx, Timestamp) -> Result<Use, StoreError>;

const USES: [(&str, UseIt); 3] = [
    ("code", |tx, at| tx.use_code(&hash("code"), at)),
    ("refresh token", |tx, at| tx.use_refresh_token(&hash("refresh"), at)),
    ("pushed request", |tx, at| tx.use_pushed_request(&hash("pushed"), at)),
];

pub(crate) fn the_first_use_wins<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        tx.insert_grant(&grant("g")).unwrap();
        tx.insert_code(&code("code")).unwrap();
        tx.insert_refresh_token(&refresh_token("refresh", "g")).unwrap();
        tx.insert_pushed_request(&pushed_request("pushed")).unwrap();
    });
    assert!(!wait(backend.reads().refresh_token_used(&hash("refresh"))).unwrap());
    for (what, use_it) in USES {
        let undone = backend.store().transact(&mut |tx| {
            tx.begin_job()?;
            assert_eq!(use_it(tx, at(105))?, Use::First);
            tx.undo_job()
        });
        undone.unwrap();
        assert_eq!(backend.try_write(|tx| use_it(tx, at(110))).unwrap(), Use::First, "{what}");
        for later in [110, 120] {
            let again = backend.try_write(|tx| use_it(tx, at(later))).unwrap();
            assert_eq!(again, Use::Before { at: at(110) }, "{what}");
        }
    }
    assert!(backend.try_write(|tx| tx.refresh_token_used(&hash("refresh"))).unwrap());
    assert!(wait(backend.reads().refresh_token_used(&hash("refresh"))).unwrap());
    assert!(!backend.try_write(|tx| tx.refresh_token_used(&hash("other"))).unwrap());

    let mut assert_once = |client: &str, first: bool| {
        let found = backend.try_write(|tx| tx.use_assertion(client, "jti", at(1000))).unwrap();
        assert_eq!(found == Use::First, first, "{client}");
    };
    assert_once("c", true);
    assert_once("c", false);
    assert_once("another", true);
}

pub(crate) fn what_is_not_there_cannot_be_used_first<B: Backend>() {
    let mut backend = B::fresh();
    for (what, use_it) in USES {
        let found = backend.try_write(|tx| use_it(tx, at(110))).unwrap();
        assert_eq!(found, Use::Before { at: at(0) }, "{what}: long before any grace");
    }
}

pub(crate) fn what_must_be_unique_is<B: Backend>() {
    let mut backend = B::fresh();
    let full = grant("g");
    backend.write(|tx| {
        tx.insert_session(&session("s")).unwrap();
        tx.insert_grant(&full).unwrap();
        tx.insert_code(&code("code")).unwrap();
        tx.insert_access_token(&access_token("t", &full)).unwrap();
        tx.insert_refresh_token(&refresh_token("r", "g")).unwrap();
        tx.insert_pushed_request(&pushed_request("p")).unwrap();
    });
    let mut same_id = session("s");
    same_id.cookie = hash("another cookie");
    let mut same_cookie = session("another");
    same_cookie.cookie = session("s").cookie;
    let mut same_jti = access_token("t", &full);
    same_jti.hash = hash("another");
    let mut same_hash = access_token("another", &full);
    same_hash.hash = hash("t");
    let mut refused = |what: &str, work: &dyn Fn(&mut dyn Tx) -> Result<(), StoreError>| {
        let found = backend.try_write(|tx| work(tx));
        assert!(matches!(found, Err(StoreError::Conflict(_))), "{what}: {found:?}");
    };
    refused("session", &|tx| tx.insert_session(&same_id));
    refused("cookie", &|tx| tx.insert_session(&same_cookie));
    refused("grant", &|tx| tx.insert_grant(&full));
    refused("code", &|tx| tx.insert_code(&code("code")));
    refused("jti", &|tx| tx.insert_access_token(&same_jti));
    refused("access token", &|tx| tx.insert_access_token(&same_hash));
    refused("refresh token", &|tx| tx.insert_refresh_token(&refresh_token("r", "g")));
    refused("pushed request", &|tx| tx.insert_pushed_request(&pushed_request("p")));
}

pub(crate) fn grants_with_a_refresh_token_are_listed_by_their_last_use<B: Backend>() {
    let mut backend = B::fresh();
    let of = |id: &str, client: &str| Grant { client: client.to_owned(), ..grant(id) };
    let user = grant("a").user.unwrap();
    let ids = |tx: &mut dyn Tx, client: &str| -> Vec<String> {
        tx.refresh_grants_of(&user, client).unwrap().into_iter().map(|grant| grant.id).collect()
    };
    backend.write(|tx| {
        for (place, id) in ["a", "b", "c"].into_iter().enumerate() {
            tx.insert_grant(&of(id, "web")).unwrap();
            tx.note_refresh_grant(&of(id, "web"), at(10 + i64::try_from(place).unwrap())).unwrap();
        }
        tx.insert_grant(&of("d", "app")).unwrap();
        tx.note_refresh_grant(&of("d", "app"), at(1)).unwrap();
        assert_eq!(ids(tx, "web"), ["a", "b", "c"]);
    });
    backend.write(|tx| {
        tx.note_refresh_grant(&of("a", "web"), at(20)).unwrap();
        tx.note_refresh_grant(&of("b", "web"), at(5)).unwrap();
        assert_eq!(ids(tx, "web"), ["b", "c", "a"], "and never back");
        tx.forget_refresh_grant("c").unwrap();
        assert_eq!(ids(tx, "web"), ["b", "a"]);
        assert_eq!(ids(tx, "app"), ["d"]);
        assert!(tx.refresh_grants_of("nobody", "web").unwrap().is_empty());
    });
}

pub(crate) fn a_touch_never_moves_back<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| tx.insert_session(&session("s")).unwrap());
    for (touch, stands_at) in [(150, 150), (120, 150), (150, 150), (151, 151), (0, 151)] {
        backend.write(|tx| tx.touch_session("s", at(touch)).unwrap());
        let session = wait(backend.reads().find_session("s")).unwrap().unwrap();
        assert_eq!(session.touched_at, at(stands_at));
    }
    backend.write(|tx| tx.touch_session("nobody's", at(1)).unwrap());
}

pub(crate) fn authentications_and_consents_come_oldest_first<B: Backend>() {
    let mut backend = B::fresh();
    let (early, late) = (authentication("s", 10), authentication("s", 20));
    backend.write(|tx| {
        for it in [&late, &early, &authentication("another", 5)] {
            tx.insert_authentication(it).unwrap();
        }
        let of_another = rescind_ledger::Consent { client: "another".to_owned(), ..consent(15) };
        let anothers = rescind_ledger::Consent { user: "another".to_owned(), ..consent(5) };
        for it in [consent(20), consent(10), of_another, anothers] {
            tx.insert_consent(&it).unwrap();
        }
    });
    assert_eq!(wait(backend.reads().authentications("s")).unwrap(), [early, late]);
    assert_eq!(wait(backend.reads().consents("u", "c")).unwrap(), [consent(10), consent(20)]);
    assert_eq!(wait(backend.reads().consents("c", "u")).unwrap(), []);
    let clients: Vec<_> =
        wait(backend.reads().consents_of("u")).unwrap().into_iter().map(|it| (it.client, it.at)).collect();
    assert_eq!(clients, [("c".to_owned(), at(10)), ("another".to_owned(), at(15)), ("c".to_owned(), at(20))]);
}

/// The ids of the live sessions of `u`, as the readers see them.
fn live<B: Backend>(backend: &B) -> Vec<String> {
    let sessions = wait(backend.reads().live_sessions_of("u")).unwrap();
    sessions.into_iter().map(|session| session.id).collect()
}

pub(crate) fn the_live_sessions_of_a_user_come_oldest_first_and_without_those_that_ended<B: Backend>() {
    let mut backend = B::fresh();
    let started = |id: &str, secs| Session { started_at: at(secs), ..session(id) };
    let theirs = Session { user: "another".to_owned(), ..session("theirs") };
    backend.write(|tx| {
        for session in [started("third", 120), started("first", 90), started("second", 110), theirs] {
            tx.insert_session(&session).unwrap();
        }
        let seen: Vec<_> = tx.live_sessions_of("u").unwrap().into_iter().map(|session| session.id).collect();
        assert_eq!(seen, ["first", "second", "third"], "also what this transaction has just written");
    });
    assert_eq!(live(&backend), ["first", "second", "third"]);
    assert_eq!(wait(backend.reads().live_sessions_of("u")).unwrap().remove(1), started("second", 110));
    backend.write(|tx| {
        tx.settle_session("second").unwrap();
        assert_eq!(tx.live_sessions_of("u").unwrap().len(), 2);
        // A late touch does not bring it back.
        tx.touch_session("second", at(500)).unwrap();
        tx.touch_session("first", at(500)).unwrap();
    });
    let backend = backend.reopened();
    assert_eq!(live(&backend), ["first", "third"], "by their start, not by their last activity");
}
