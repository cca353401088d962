//! Listings, page by page.

use std::ops::ControlFlow;

use rescind_ledger::{
    CensusRow, CensusScan, Countable, Device, Entry, Filter, Grant, Issuance, NameFilter, NameSort, Page, Reads,
    RefreshToken, Session, SessionClocks, Snapshot, StoreError, Totals, Tx, User,
};

use super::{
    Backend,
    samples::{access_token, at, device, grant, hash, nth_entry, position, session, user},
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
    let (reads, all, named) = (backend.reads(), Filter::default(), NameFilter::default());
    let ids: Vec<_> = (0..12).map(|number| format!("{number:02}")).collect();
    for limit in [1, 3, 4, 5, 11, 12, 13] {
        let many = usize::try_from(limit).unwrap();
        let users = walk(|cursor| wait(reads.users(&named, cursor, limit)), many);
        assert_eq!(users.into_iter().map(|user| user.id).collect::<Vec<_>>(), ids);
        let devices = walk(|cursor| wait(reads.devices(&named, cursor, limit)), many);
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

pub(crate) fn listings_go_in_either_direction<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(insert_twelve);
    let (reads, oldest_first) = (backend.reads(), Filter { oldest_first: true, ..Filter::default() });
    for limit in [1, 5, 12] {
        let many = usize::try_from(limit).unwrap();
        let tokens = walk(|cursor| wait(reads.access_tokens(&oldest_first, cursor, limit)), many);
        assert!(tokens.is_sorted_by_key(|token| token.issued_at));
        let mut newest_first = walk(|cursor| wait(reads.access_tokens(&Filter::default(), cursor, limit)), many);
        newest_first.reverse();
        assert_eq!(tokens, newest_first);
        let sessions = walk(|cursor| wait(reads.sessions(&oldest_first, cursor, limit)), many);
        assert!(sessions.is_sorted_by_key(|session| session.started_at));
        let grants = walk(|cursor| wait(reads.grants(&oldest_first, cursor, limit)), many);
        assert!(grants.is_sorted_by_key(|grant| grant.issued_at));
        assert_eq!((tokens.len(), sessions.len(), grants.len()), (12, 12, 12));
    }
}

/// Users whose names, addresses and display names begin in one way or another.
fn insert_people(tx: &mut dyn Tx) {
    let people = [
        ("1", "Özlem", "o@example.org", Some("Anna Öz")),
        ("2", "anna", "z@example.org", None),
        ("3", "bernd", "ÄRGER@example.org", Some("Bernd")),
        ("4", "zoe", "Anna.Z@example.org", Some("Zoë")),
        ("5", "ann%a", "p@example.org", None),
    ];
    for (id, name, email, display_name) in people {
        tx.put_user(&User {
            email: Some(email.to_owned()),
            display_name: display_name.map(str::to_owned),
            enabled: id != "4",
            created_at: at(100 - id.parse::<i64>().unwrap()),
            ..user(id, name)
        })
        .unwrap();
    }
}

/// The ids of the users that are found, one behind the other.
fn found_users<B: Backend>(backend: &B, filter: &NameFilter) -> String {
    let reads = backend.reads();
    let users = walk(|cursor| wait(reads.users(filter, cursor, 2)), 2);
    users.into_iter().map(|user| user.id).collect()
}

pub(crate) fn users_are_found_by_how_a_name_begins<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(insert_people);
    let found = |filter: &NameFilter| found_users(&backend, filter);
    let search = |text: &str| NameFilter { search: Some(text.to_owned()), ..NameFilter::default() };
    for (text, expected) in [
        ("anna", "241"),
        ("ANNA", "241"),
        ("ö", "1"),
        ("Ärg", "3"),
        ("ärger@", "3"),
        ("ann%", "5"),
        ("%", ""),
        ("nna", ""),
        ("zoë", "4"),
        ("bernd", "3"),
        ("\u{10ffff}", ""),
    ] {
        assert_eq!(found(&search(text)), expected, "{text}");
        let newest = NameFilter { sort: NameSort::CreatedAt, descending: true, ..search(text) };
        let mut sorted: Vec<char> = expected.chars().collect();
        sorted.sort_unstable();
        assert_eq!(found(&newest), sorted.into_iter().collect::<String>(), "{text}, the newest first");
    }
    assert_eq!(found(&NameFilter::default()), "52341");
    assert_eq!(found(&NameFilter { descending: true, ..NameFilter::default() }), "14325");
    assert_eq!(found(&NameFilter { sort: NameSort::CreatedAt, ..NameFilter::default() }), "54321");
    assert_eq!(found(&NameFilter { enabled: Some(true), ..NameFilter::default() }), "5231");
    for sort in [NameSort::Name, NameSort::CreatedAt] {
        assert_eq!(found(&NameFilter { enabled: Some(false), sort, ..NameFilter::default() }), "4");
    }
    assert_eq!(found(&NameFilter { enabled: Some(true), ..search("anna") }), "21");
    // A user whose names change is found by the new ones alone.
    backend.write(|tx| tx.put_user(&User { display_name: Some("Olga".to_owned()), ..user("1", "x") }).unwrap());
    assert_eq!(found_users(&backend, &search("anna")), "24");
    assert_eq!(found_users(&backend, &search("OLG")), "1");
}

pub(crate) fn what_very_many_names_have_in_common_is_found_in_order<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for number in 0..2100 {
            let (id, name) = (format!("{number:04}"), format!("user{:04}", 2099 - number));
            tx.put_user(&User { email: None, enabled: number % 2 == 0, ..user(&id, &name) }).unwrap();
        }
    });
    let reads = backend.reads();
    let search = |text: &str, enabled| NameFilter {
        search: Some(text.to_owned()),
        enabled,
        descending: true,
        ..NameFilter::default()
    };
    for (text, enabled, first) in [("user", None, "0000"), ("user", Some(false), "0001"), ("user20", None, "0000")] {
        let filter = search(text, enabled);
        let page = wait(reads.users(&filter, None, 50)).unwrap();
        assert_eq!(page.items.first().unwrap().id, first, "{text}");
        let rest = wait(reads.users(&filter, page.next.as_deref(), 50)).unwrap();
        let names: Vec<_> = page.items.iter().chain(&rest.items).map(|user| user.user_name.clone()).collect();
        assert!(names.len() == 100 && names.is_sorted_by(|one, other| one > other), "{text}: {names:?}");
    }
}

pub(crate) fn devices_are_found_by_name_and_external_id<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for (id, name, enabled) in [("d1", "Überall", true), ("d2", "Anna's phone", false), ("d3", "Tablet", true)] {
            tx.put_device(&Device { name: name.to_owned(), enabled, ..device(id) }).unwrap();
        }
    });
    let reads = backend.reads();
    let found = |filter: &NameFilter| {
        let devices = walk(|cursor| wait(reads.devices(filter, cursor, 1)), 1);
        devices.into_iter().map(|device| device.id).collect::<Vec<_>>()
    };
    let search = |text: &str| NameFilter { search: Some(text.to_owned()), ..NameFilter::default() };
    assert_eq!(found(&search("ü")), ["d1"]);
    assert_eq!(found(&search("D2")), ["d2"], "by its external id");
    assert_eq!(found(&search("d")), ["d2", "d3", "d1"]);
    assert_eq!(found(&NameFilter { enabled: Some(false), ..NameFilter::default() }), ["d2"]);
    assert_eq!(found(&NameFilter { descending: true, ..NameFilter::default() }), ["d1", "d3", "d2"]);
}

pub(crate) fn what_was_issued_under_a_grant_is_told_with_it<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for (id, refreshed) in [("g1", true), ("g2", false)] {
            let grant = Grant { issued_at: at(100), ..grant(id) };
            tx.insert_grant(&grant).unwrap();
            for (number, issued_at) in [(1, at(100)), (2, at(300)), (3, at(200))] {
                let name = format!("{id}-{number}");
                let token = access_token(&name, &grant);
                tx.insert_access_token(&rescind_ledger::AccessToken { issued_at, ..token }).unwrap();
            }
            if refreshed {
                let token = RefreshToken {
                    hash: hash(id),
                    grant: id.to_owned(),
                    parent: None,
                    issued_at: at(400),
                    expires_at: at(900),
                };
                tx.insert_refresh_token(&token).unwrap();
            }
        }
        tx.insert_grant(&Grant { issued_at: at(50), ..grant("g3") }).unwrap();
    });
    let found = wait(backend.reads().issuances(&["g1", "g2", "none", "g3"])).unwrap();
    let issuance = |first, last, refresh| Some(Issuance { first: at(first), last: at(last), refresh });
    assert_eq!(found, [issuance(100, 400, true), issuance(100, 300, false), None, issuance(50, 50, false)]);
}

pub(crate) fn how_much_there_is_is_counted<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        insert_twelve(tx);
        for (seq, secs) in [(1, 3600), (2, 3700), (3, 7199), (4, 7200), (5, 99)] {
            tx.append(&Entry { time: at(secs), ..nth_entry(seq) }).unwrap();
        }
    });
    let reads = backend.reads();
    let totals = wait(reads.totals(at(1))).unwrap();
    assert_eq!(totals, Totals { users: 12, sessions: 12, access_tokens: 12 });
    assert_eq!(wait(reads.totals(at(1000))).unwrap().access_tokens, 0);
    let by_hour = wait(reads.entries_by_time(at(3600), 3_600_000)).unwrap();
    assert_eq!(by_hour, [(at(3600), 3), (at(7200), 1)]);
}

/// Notes what it is shown.
#[derive(Default)]
struct Seen(Vec<String>);

impl CensusScan for Seen {
    fn take(&mut self, row: &CensusRow<'_>, sessions: &dyn SessionClocks) -> Result<ControlFlow<()>, StoreError> {
        assert!(row.session.is_none_or(|session| sessions.find_clock(session).unwrap().is_some()));
        self.0.push(row.token.unwrap_or(row.grant).to_owned());
        Ok(if self.0.len() == 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn take_session(&mut self, session: &Session) -> ControlFlow<()> {
        self.0.push(session.id.clone());
        ControlFlow::Continue(())
    }
}

pub(crate) fn the_pieces_of_a_snapshot_are_everything_once_and_nothing_that_came_later<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(|tx| {
        for number in 0..12 {
            let id = format!("{number:02}");
            if number < 3 {
                tx.insert_session(&session(&format!("s{number}"))).unwrap();
            }
            let user = Some(format!("u{}", number % 2));
            let grant = Grant { issued_at: at(100 + number), user, session: Some("s0".to_owned()), ..grant(&id) };
            tx.insert_grant(&grant).unwrap();
            tx.insert_access_token(&access_token(&id, &grant)).unwrap();
        }
    });
    let snapshots = backend.reads().snapshots(2).unwrap();
    backend.write(|tx| {
        tx.append(&nth_entry(1)).unwrap();
        tx.insert_grant(&Grant { user: Some("u1".to_owned()), ..grant("later") }).unwrap();
    });
    let at_first = snapshots.first().unwrap();
    assert_eq!(at_first.head().unwrap(), position(0));
    for (filter, expected) in [
        (Filter::default(), 12),
        (Filter { user: Some("u1".to_owned()), ..Filter::default() }, 6),
        (Filter { client: Some(grant("x").client), live_at: Some(at(1)), ..Filter::default() }, 12),
        (Filter { audience: Some(grant("x").audiences.first().unwrap().clone()), ..Filter::default() }, 12),
        (Filter { audience: Some("https".to_owned()), ..Filter::default() }, 0),
        (Filter { session: Some("s0".to_owned()), ..Filter::default() }, 12),
        (Filter { grant: Some("03".to_owned()), ..Filter::default() }, 1),
        (Filter { live_at: Some(at(100_000)), ..Filter::default() }, 0),
    ] {
        for of in [Countable::Grants, Countable::AccessTokens] {
            for most in [1, 5, 64] {
                let pieces = at_first.pieces(of, &filter, most).unwrap();
                assert!(pieces.len() <= usize::try_from(most).unwrap());
                let mut seen = Seen::default();
                for (piece, view) in pieces.iter().zip(snapshots.iter().cycle()) {
                    view.scan(*piece, &filter, &mut seen).unwrap();
                }
                seen.0.sort();
                seen.0.dedup();
                assert_eq!(seen.0.len(), expected, "{of:?} {filter:?} {most}");
            }
        }
    }
    let mut seen = Seen::default();
    let [sessions] = at_first.pieces(Countable::Sessions, &Filter::default(), 9).unwrap()[..] else { panic!() };
    at_first.scan(sessions, &Filter::default(), &mut seen).unwrap();
    assert!(seen.0.contains(&"s0".to_owned()));
    drop(snapshots);
    assert_eq!(backend.reads().snapshots(1).unwrap().first().unwrap().head().unwrap(), position(1));
}

pub(crate) fn a_cursor_of_another_listing_is_refused<B: Backend>() {
    let mut backend = B::fresh();
    backend.write(insert_twelve);
    let reads = backend.reads();
    let own = Filter { live_at: Some(at(1)), ..Filter::default() };
    let cursor = wait(reads.grants(&own, None, 5)).unwrap().next.unwrap();
    assert!(
        wait(reads.grants(&Filter { live_at: Some(at(2)), ..own.clone() }, Some(&cursor), 5)).is_ok(),
        "time goes on"
    );
    for other in [
        Filter::default(),
        Filter { oldest_first: true, ..own.clone() },
        Filter { user: Some("u".to_owned()), ..own.clone() },
        Filter { client: Some("u".to_owned()), ..own.clone() },
    ] {
        let found = wait(reads.grants(&other, Some(&cursor), 5));
        assert!(matches!(found, Err(StoreError::Cursor)), "{other:?}");
    }
    assert!(matches!(wait(reads.access_tokens(&own, Some(&cursor), 5)), Err(StoreError::Cursor)));
    let named = NameFilter::default();
    let cursor = wait(reads.users(&named, None, 5)).unwrap().next.unwrap();
    for other in [
        NameFilter { descending: true, ..NameFilter::default() },
        NameFilter { sort: NameSort::CreatedAt, ..NameFilter::default() },
        NameFilter { enabled: Some(true), ..NameFilter::default() },
        NameFilter { search: Some("0".to_owned()), ..NameFilter::default() },
    ] {
        assert!(matches!(wait(reads.users(&other, Some(&cursor), 5)), Err(StoreError::Cursor)), "{other:?}");
    }
    assert!(matches!(wait(reads.devices(&named, Some(&cursor), 5)), Err(StoreError::Cursor)));
}

pub(crate) fn a_cursor_of_nobodys_is_refused<B: Backend>() {
    let backend = B::fresh();
    let odd = hash("x");
    for cursor in ["", "x", "1", "1.xyz", "x.00", "1.é", &format!("{odd:?}")] {
        let found = wait(backend.reads().grants(&Filter::default(), Some(cursor), 5));
        assert!(matches!(found, Err(StoreError::Cursor)), "{cursor:?}: {found:?}");
    }
}
