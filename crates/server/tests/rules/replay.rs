//! Replaying the entries rebuilds what the running server knew, whatever was ended in whatever order.

use std::sync::Arc;

use proptest::prelude::*;
use rescind_check::{FingerprintKey, Lineage, Side};
use rescind_ledger::{Lane, Live, Order, Position, Queue, Reason, Startup, Store, Target, Timestamp, Verdict, Writer};
use rescind_store::{DataDir, FileMarker, Sqlite};

use crate::house::{self, ISSUER, somebody};

const NAMES: [&str; 3] = ["x", "y", "z"];

fn target() -> impl Strategy<Value = Target> {
    let name = || prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    let issuer = || ISSUER.to_owned();
    prop_oneof![
        name().prop_map(|token| Target::Token { token }),
        name().prop_map(|grant| Target::Grant { grant }),
        name().prop_map(|session| Target::Session { session }),
        name().prop_map(|key| Target::Key { key }),
        name().prop_map(|device| Target::Device { device }),
        name().prop_map(move |subject| Target::Subject { issuer: issuer(), subject }),
        name().prop_map(|client| Target::Client { client }),
        name().prop_map(|audience| Target::Audience { audience }),
        (name(), name()).prop_map(move |(subject, client)| Target::SubjectClient { issuer: issuer(), subject, client }),
        (name(), name()).prop_map(move |(subject, audience)| Target::SubjectAudience {
            issuer: issuer(),
            subject,
            audience
        }),
        (name(), name()).prop_map(|(client, audience)| Target::ClientAudience { client, audience }),
        (name(), name()).prop_map(|(device, client)| Target::DeviceClient { device, client }),
    ]
}

/// Which of the names stand in each part of a lineage.
type Parts = [usize; 8];

fn verdict(live: &Live, parts: Parts, position: Position, root_time: i64) -> Verdict {
    let name = |part: usize| NAMES[parts[part] % NAMES.len()];
    let audiences = [name(6).to_owned()];
    let lineage = Lineage {
        token: Some(name(0)),
        grant: Some(name(1)),
        session: Some(name(2)).filter(|_| parts[2] != 3),
        device: Some(name(3)).filter(|_| parts[3] != 3),
        subject: Some((ISSUER, name(4))).filter(|_| parts[4] != 3),
        client: Some(name(5)),
        audiences: &audiences,
        key: Some(name(7)).filter(|_| parts[7] != 3),
        position,
        root_time,
    };
    live.look(|index, _| index.verdict(&lineage.trace(live.key()), Side::Node))
}

fn loaded(store: &mut Sqlite, key: [u8; 16]) -> Live {
    Startup { issuer: ISSUER, key: FingerprintKey::new(key) }.load(store).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replaying_the_entries_gives_the_verdicts_of_the_running_index(
        orders in prop::collection::vec((target(), prop::option::of(0..9_i64), any::<bool>()), 1..40),
        asked in prop::collection::vec((prop::array::uniform8(0..4usize), 0..42u64, 0..9_i64), 60),
    ) {
        let dir = house::place();
        let data_dir = DataDir::at(&dir.path().join("data"));
        data_dir.create().unwrap();
        let mut store = Sqlite::open(&data_dir.database()).unwrap();
        let marker = FileMarker::create(&data_dir, &mut store).unwrap();
        let live = Arc::new(loaded(&mut store, [1; 16]));
        let queue = Arc::new(Queue::default());
        let mut writer = Writer::new(Box::new(store), Box::new(marker), live.clone(), queue.clone());
        for (target, before, turns) in orders {
            let before = before.filter(|_| target.is_living()).map(Timestamp::from_secs);
            let order = Order { before, ..Order::new(target, Reason::Policy, somebody()) };
            drop(queue.submit(Lane::Ending, move |door| door.end(&order)));
            // Some wait for each other, and so share a transaction.
            if turns {
                writer.turn(&|| Timestamp::from_secs(9));
            }
        }
        writer.turn(&|| Timestamp::from_secs(9));
        drop(writer);
        let mut store = Sqlite::open(&data_dir.database()).unwrap();
        // Another key, as another start draws it: the fingerprints differ, the verdicts do not.
        let again = loaded(&mut store, [2; 16]);
        prop_assert_eq!(again.head(), live.head());
        prop_assert_eq!(store.mark().unwrap().head, live.head());
        for (parts, seq, secs) in asked {
            let (position, root) = (Position { epoch: 1, seq }, secs * 1000);
            prop_assert_eq!(verdict(&again, parts, position, root), verdict(&live, parts, position, root));
        }
    }
}
