//! The running server, the one that reads the same file later, and the door within a batch, all against the rule in its plainest
//! form: a list of entries, and a look at each.

use std::sync::Arc;

use proptest::prelude::*;
use rescind_check::{FingerprintKey, Lineage, Trace};
use rescind_ledger::{
    Lane, LedgerError, Live, Order, Position, Queue, Reason, Startup, Target, Timestamp, Verdict, Writer,
};
use rescind_store::{DataDir, FileMarker, Sqlite};

use crate::house::{self, ISSUER, somebody};

const NAMES: [&str; 2] = ["x", "y"];

#[derive(Clone, Debug)]
enum Step {
    /// Something is issued that descends from a sign-in of now.
    Issue([usize; 4]),
    /// Something that was issued is used for a refresh.
    Use(usize),
    /// Something is ended; if it is conditioned, what is older than so many seconds.
    End(Target, Option<i64>),
    /// The writer has its turn, and time passes.
    Turn,
}

fn target() -> impl Strategy<Value = Target> {
    let name = || prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
    let issuer = || ISSUER.to_owned();
    let pair = || (name(), name());
    prop_oneof![
        name().prop_map(|device| Target::Device { device }),
        name().prop_map(move |subject| Target::Subject { issuer: issuer(), subject }),
        name().prop_map(|client| Target::Client { client }),
        name().prop_map(|audience| Target::Audience { audience }),
        Just(Target::Everything),
        pair().prop_map(move |(subject, client)| Target::SubjectClient { issuer: issuer(), subject, client }),
        pair().prop_map(move |(subject, audience)| Target::SubjectAudience { issuer: issuer(), subject, audience }),
        pair().prop_map(|(client, audience)| Target::ClientAudience { client, audience }),
        pair().prop_map(|(device, client)| Target::DeviceClient { device, client }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => prop::array::uniform4(0..NAMES.len()).prop_map(Step::Issue),
        3 => (0..60_usize).prop_map(Step::Use),
        1 => (target(), prop::option::weighted(0.8, 0..9_i64)).prop_map(|(target, before)| Step::End(target, before)),
        2 => Just(Step::Turn),
    ]
}

struct Issued {
    names: [usize; 4],
    position: Position,
    root: Timestamp,
}

impl Issued {
    fn with_lineage<R>(&self, look: impl FnOnce(&Lineage<'_>) -> R) -> R {
        let [device, subject, client, audience] = self.names.map(|name| NAMES[name]);
        let audiences = [audience.to_owned()];
        look(&Lineage {
            device: Some(device),
            subject: Some((ISSUER, subject)),
            client: Some(client),
            audiences: &audiences,
            ..Lineage::at(self.position, self.root.0)
        })
    }

    fn trace(&self, live: &Live) -> Trace {
        self.with_lineage(|lineage| lineage.trace(live.key()))
    }

    /// The rule.
    fn is_ended_by(&self, entries: &[(Target, Option<Timestamp>)]) -> bool {
        let place = usize::try_from(self.position.seq).unwrap();
        entries[place.min(entries.len())..].iter().any(|(target, before)| {
            let named = self.with_lineage(|lineage| lineage.targets().any(|one| Target::from_ref(&one) == *target));
            named && before.is_none_or(|before| self.root < before)
        })
    }
}

fn loaded(store: &mut Sqlite, key: [u8; 16]) -> Live {
    Startup { issuer: ISSUER, key: FingerprintKey::new(key) }.load(store).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_server_ends_what_the_plain_rule_ends_in_a_batch_at_once_and_after_a_restart(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let dir = house::place();
        let data_dir = DataDir::at(&dir.path().join("data"));
        data_dir.create().unwrap();
        let mut store = Sqlite::open(&data_dir.database()).unwrap();
        let marker = FileMarker::create(&data_dir, &mut store).unwrap();
        let live = Arc::new(loaded(&mut store, [1; 16]));
        let queue = Arc::new(Queue::default());
        let mut writer = Writer::new(Box::new(store), Box::new(marker), live.clone(), queue.clone());
        let mut now = Timestamp::from_secs(100);
        let (mut entries, mut waiting, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        let mut issued: Vec<Issued> = Vec::new();
        for step in steps.into_iter().chain([Step::Turn]) {
            match step {
                Step::Issue(names) => issued.push(Issued { names, position: live.stamp(), root: now }),
                Step::Use(_) if issued.is_empty() => {}
                Step::Use(number) => {
                    let place = number % issued.len();
                    let trace = issued[place].trace(&live);
                    // Endings go ahead; in their lane a job keeps its place among them.
                    let lane = if number % 2 == 0 { Lane::Ending } else { Lane::Issuing };
                    asked.push((place, lane, waiting.len(), queue.submit(lane, move |door| door.must_stand(&trace))));
                }
                Step::End(target, older) => {
                    let before = older.map(|secs| Timestamp::from_secs(now.secs() - secs));
                    let order = Order { before, ..Order::new(target.clone(), Reason::Policy, somebody()) };
                    waiting.push((target, before));
                    drop(queue.submit(Lane::Ending, move |door| door.end(&order)));
                }
                Step::Turn => {
                    writer.turn(&|| now);
                    let known = entries.len();
                    entries.append(&mut waiting);
                    for (place, lane, ahead, ticket) in asked.drain(..) {
                        let seen = if lane == Lane::Ending { known + ahead } else { entries.len() };
                        let stands = match ticket.wait() {
                            Ok(()) => true,
                            Err(LedgerError::Revoked) => false,
                            Err(why) => panic!("{why}"),
                        };
                        prop_assert_eq!(stands, !issued[place].is_ended_by(&entries[..seen]));
                    }
                    for one in &issued {
                        let lives = live.verdict(&one.trace(&live)) == Verdict::NotRevoked;
                        prop_assert_eq!(lives, !one.is_ended_by(&entries));
                    }
                    now = Timestamp::from_secs(now.secs() + 1);
                }
            }
        }
        drop(writer);
        let again = loaded(&mut Sqlite::open(&data_dir.database()).unwrap(), [2; 16]);
        for one in &issued {
            prop_assert_eq!(again.verdict(&one.trace(&again)), live.verdict(&one.trace(&live)));
        }
    }
}
