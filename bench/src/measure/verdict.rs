//! (b) The verdict in process with ten million entries, against one look-up in a `HashMap` among as many keys.

use std::collections::HashMap;
use std::hint::black_box;

use anyhow::ensure;
use rescind_check::{Cut, Fingerprint, FingerprintKey, Index, Lineage, Position, Side, Trace, Verdict};

use crate::reference::map;
use crate::report::{Goal, Line, median};

const ENTRIES: u64 = 10_000_000;
/// Credentials that are asked about, none of them revoked: most credentials are not, and every target must be looked up.
const CREDENTIALS: usize = 100_000;
const VERDICTS: usize = 300_000;
const RUNS: usize = 7;

pub(super) fn time() -> anyhow::Result<Line> {
    let index = filled()?;
    let traces = traces(index.head());
    let targets = targets(&credential(0)).count();
    let verdicts = map::order(VERDICTS, traces.len());
    let map: HashMap<u64, u64> = map::keys(ENTRIES).into_iter().map(|key| (key, key)).collect();
    // Keys that are not there, like the targets above.
    let absent: Vec<u64> = map::keys(2 * ENTRIES).split_off(usize::try_from(ENTRIES)?);
    let lookups = map::order(VERDICTS * targets, absent.len());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let nanos = map::nanos_each(&verdicts, |place| {
            black_box(index.verdict(&traces[place], Side::Node));
        });
        ours.push(nanos / targets as f64);
        theirs.push(map::lookup_nanos(&map, &absent, &lookups));
    }
    let alive = traces.iter().filter(|trace| index.verdict(trace, Side::Node) == Verdict::NotRevoked).count();
    ensure!(alive == traces.len(), "{alive} of {} credentials are alive", traces.len());
    Ok(Line {
        name: "verdict_10m",
        value: median(ours),
        unit: "ns/target",
        reference: Some(median(theirs)),
        goal: Some(Goal::RatioAtMost(2.0)),
    })
}

pub(super) fn bytes() -> anyhow::Result<Line> {
    let index = filled()?;
    let pair = size_of::<(Fingerprint, Position)>() as f64;
    Ok(Line {
        name: "index_bytes_per_entry",
        value: index.bytes() as f64 / index.len() as f64,
        unit: "bytes",
        reference: Some(pair),
        goal: Some(Goal::AtMost(24.0)),
    })
}

/// An index that took its entries in one after the other, as a server does.
fn filled() -> anyhow::Result<Index> {
    let mut index = Index::new();
    for key in map::keys(ENTRIES) {
        let next = index.head().next();
        index.apply(Fingerprint(key), Cut::ForGood, next)?;
    }
    Ok(index)
}

/// The names in the lineage of one credential.
struct Credential {
    names: [String; 5],
    audiences: Vec<String>,
}

fn credential(number: usize) -> Credential {
    let names = ["at", "gr", "sid", "usr", "client"].map(|kind| format!("{kind}_{number:022}"));
    Credential { names, audiences: vec![format!("https://api-{number}.example")] }
}

fn lineage(credential: &Credential, position: Position) -> Lineage<'_> {
    let [token, grant, session, user, client] = &credential.names;
    Lineage {
        token: Some(token),
        grant: Some(grant),
        session: Some(session),
        subject: Some(("https://issuer.example", user)),
        client: Some(client),
        audiences: &credential.audiences,
        ..Lineage::at(position, 0)
    }
}

fn targets(credential: &Credential) -> impl Iterator {
    lineage(credential, Position::START).targets()
}

fn traces(position: Position) -> Vec<Trace> {
    let key = FingerprintKey::new([7; 16]);
    (0..CREDENTIALS).map(|number| lineage(&credential(number), position).trace(&key)).collect()
}
