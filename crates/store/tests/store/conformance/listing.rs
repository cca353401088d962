//! Listings, page by page.

use rescind_ledger::{Filter, Grant, Page, Reads, StoreError, Tx};

use super::{
    Backend,
    samples::{access_token, at, device, grant, hash, session, user},
    wait,
};

/// Every item of a listing, page after page.
fn walk<T>(mut ask: impl FnMut(Option<&str>) -> Result<Page<T>, StoreError>, limit: usize) -> Vec<T> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let page = ask(cursor.as_deref()).unwrap();
        assert!(page.items.len() <= limit);
        assert!(page.next.is_none() || page.items.len() == limit, "only the last page may be short");
        items.extend(page.items);
        assert!(items.len() <= 100, "the walk does not end");
        cursor = page.next;
        if cursor.is_none() {
            return items;
        }
    }
}

/// Twelve of each, four at each moment, so that ties must be broken.
fn insert_twelve(tx: &mut dyn Tx) {
    for number in 0..12 {
        let (id, made_at) = (format!("{number:02}"), at(100 + number / 4));
        tx.put_user(&user(&id, &id)).unwrap();
        tx.put_device(&device(&id)).unwrap();
        let mut session = session(&id);
        session.started_at = made_at;
        tx.insert_session(&session).unwrap();
        let grant = Grant { issued_at: made_at, ..grant(&id) };
        tx.insert_grant(&grant).unwrap();
        tx.insert_access_token(&access_token(&id, &grant)).unwrap();
    }
}

pub(crate) fn paging_visits_everything_once<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(insert_twelve);
    let (reads, all) = (backend.reads(), Filter::default());
    let ids: Vec<_> = (0..12).map(|number| format!("{number:02}")).collect();
    for limit in [1, 3, 4, 5, 11, 12, 13] {
        let many = usize::try_from(limit).unwrap();
        let users = walk(|cursor| wait(reads.users(cursor, limit)), many);
        assert_eq!(users.into_iter().map(|user| user.id).collect::<Vec<_>>(), ids);
        let devices = walk(|cursor| wait(reads.devices(cursor, limit)), many);
        assert_eq!(devices.into_iter().map(|device| device.id).collect::<Vec<_>>(), ids);

        let sessions = walk(|cursor| wait(reads.sessions(&all, cursor, limit)), many);
        assert!(sessions.is_sorted_by_key(|session| std::cmp::Reverse(session.started_at)));
        once(sessions.into_iter().map(|session| session.id), &ids);
        let grants = walk(|cursor| wait(reads.grants(&all, cursor, limit)), many);
        assert!(grants.is_sorted_by_key(|grant| std::cmp::Reverse(grant.issued_at)));
        once(grants.into_iter().map(|grant| grant.id), &ids);
        let tokens = walk(|cursor| wait(reads.access_tokens(&all, cursor, limit)), many);
        assert!(tokens.is_sorted_by_key(|token| std::cmp::Reverse(token.issued_at)));
        once(tokens.into_iter().map(|token| token.id), &ids);
    }
}

fn once(found: impl Iterator<Item = String>, ids: &[String]) {
    let mut found: Vec<_> = found.collect();
    found.sort();
    assert_eq!(found, ids);
}

pub(crate) fn what_comes_meanwhile_disturbs_no_page<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(insert_twelve);
    let first = wait(backend.reads().grants(&Filter::default(), None, 5)).unwrap();
    backend.write(|tx| tx.insert_grant(&Grant { issued_at: at(900), ..grant("newer") }).unwrap());
    let mut seen: Vec<_> = first.items.into_iter().map(|grant| grant.id).collect();
    let rest = wait(backend.reads().grants(&Filter::default(), first.next.as_deref(), 100)).unwrap();
    seen.extend(rest.items.into_iter().map(|grant| grant.id));
    once(seen.into_iter(), &(0..12).map(|number| format!("{number:02}")).collect::<Vec<_>>());
}

/// Which of the records 0 and 1 are listed under a filter: sessions, grants, access tokens.
fn listed<B: Backend>(backend: &B, filter: &Filter) -> [Vec<String>; 3] {
    let reads = backend.reads();
    [
        wait(reads.sessions(filter, None, 9)).unwrap().items.into_iter().map(|session| session.id).collect(),
        wait(reads.grants(filter, None, 9)).unwrap().items.into_iter().map(|grant| grant.id).collect(),
        wait(reads.access_tokens(filter, None, 9)).unwrap().items.into_iter().map(|token| token.id).collect(),
    ]
}

pub(crate) fn every_member_of_a_filter_narrows<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for n in ["0", "1"] {
            let name = |kind: &str| format!("{kind}{n}");
            let mut session = session(&name("s"));
            (session.user, session.device) = (name("u"), Some(name("d")));
            tx.insert_session(&session).unwrap();
            let grant = Grant {
                client: name("c"),
                user: Some(name("u")),
                session: Some(name("s")),
                device: Some(name("d")),
                audiences: vec!["https://both".to_owned(), name("https://a")],
                ..grant(&name("g"))
            };
            tx.insert_grant(&grant).unwrap();
            tx.insert_access_token(&access_token(&name("t"), &grant)).unwrap();
        }
    });
    type Member = fn(&mut Filter) -> &mut Option<String>;
    let members: [(&str, Member); 7] = [
        ("u", |filter| &mut filter.user),
        ("c", |filter| &mut filter.client),
        ("https://a", |filter| &mut filter.audience),
        ("s", |filter| &mut filter.session),
        ("g", |filter| &mut filter.grant),
        ("d", |filter| &mut filter.device),
        ("t", |filter| &mut filter.token),
    ];
    let wanted = [["s1"], ["g1"], ["t1"]];
    let nothing: [[&str; 0]; 3] = [[], [], []];
    let mut all = Filter::default();
    for (prefix, member) in members {
        let mut filter = Filter::default();
        *member(&mut filter) = Some(format!("{prefix}1"));
        *member(&mut all) = Some(format!("{prefix}1"));
        assert_eq!(listed(&backend, &filter), wanted, "{prefix}");
        assert_eq!(listed(&backend, &all), wanted, "up to {prefix}");
        *member(&mut filter) = Some("none".to_owned());
        assert_eq!(listed(&backend, &filter), nothing, "{prefix}");
        let mut parted = all.clone();
        *member(&mut parted) = Some(format!("{prefix}0"));
        let parts = if prefix == "u" { [["s0"], ["g0"], ["t0"]].map(Vec::from) } else { nothing.map(Vec::from) };
        assert_eq!(listed(&backend, &parted), parts, "{prefix} against the others");
    }
    let both = Filter { audience: Some("https://both".to_owned()), ..Filter::default() };
    assert_eq!(listed(&backend, &both).map(|found| found.len()), [2, 2, 2]);
    let part = Filter { audience: Some("https://bot".to_owned()), ..Filter::default() };
    assert_eq!(listed(&backend, &part), nothing, "an audience is matched whole");
}

pub(crate) fn a_listing_can_leave_out_what_has_expired<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        tx.insert_session(&session("s")).unwrap();
        tx.insert_grant(&grant("g")).unwrap();
        tx.insert_access_token(&access_token("t", &grant("g"))).unwrap();
    });
    let live_at = |secs| Filter { live_at: Some(at(secs)), ..Filter::default() };
    assert_eq!(listed(&backend, &live_at(999)).map(|found| found.len()), [1, 1, 1]);
    assert_eq!(listed(&backend, &live_at(1000)).map(|found| found.len()), [0, 0, 0]);
    assert_eq!(listed(&backend, &Filter::default()).map(|found| found.len()), [1, 1, 1]);
}

pub(crate) fn a_cursor_of_nobodys_is_refused<B: Backend>() {
    let backend = B::fresh();
    let odd = hash("x");
    for cursor in ["", "x", "1", "1.xyz", "x.00", "1.é", &format!("{odd:?}")] {
        let found = wait(backend.reads().grants(&Filter::default(), Some(cursor), 5));
        assert!(matches!(found, Err(StoreError::Cursor)), "{cursor:?}: {found:?}");
    }
}
