//! Properties of index and verdict over random ledgers, against a plain model.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its supporting functions too")]

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use rescind_check::*;

const KEY: [u8; 16] = [5; 16];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// A step of a ledger's life.
#[derive(Clone, Debug)]
enum Step {
    /// Kind and names of a target, and the time before which the root must lie if it is conditioned.
    End(u8, [u8; 3], Option<i64>),
    Open(u32),
    /// Forgets a share (in 256ths) of the entries so far.
    Forget(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => end().prop_map(|(kind, names, before)| Step::End(kind, names, before)),
        1 => (1..3_u32).prop_map(Step::Open),
        1 => (0..200_u8).prop_map(Step::Forget),
    ];
    proptest::collection::vec(step, 0..120)
}

/// Times are few, so that many are the same.
fn end() -> impl Strategy<Value = (u8, [u8; 3], Option<i64>)> {
    (0..13_u8, any::<[u8; 3]>(), proptest::option::weighted(0.4, 0..9_i64))
}

fn target(kind: u8, names: [u8; 3]) -> TargetRef<'static> {
    let [issuer, subject, client] = names.map(|n| NAMES[n as usize % NAMES.len()]);
    let (device, audience) = (issuer, client);
    match kind {
        0 => TargetRef::Token(issuer),
        1 => TargetRef::Grant(issuer),
        2 => TargetRef::Session(issuer),
        3 => TargetRef::Key(issuer),
        4 => TargetRef::Device(device),
        5 => TargetRef::Subject { issuer, subject },
        6 => TargetRef::Client(client),
        7 => TargetRef::Audience(audience),
        8 => TargetRef::Everything,
        9 => TargetRef::SubjectClient { issuer, subject, client },
        10 => TargetRef::SubjectAudience { issuer, subject, audience },
        11 => TargetRef::ClientAudience { client: subject, audience },
        _ => TargetRef::DeviceClient { device, client },
    }
}

/// The whole ledger, kept plainly.
#[derive(Clone, Debug)]
struct Model {
    epochs: BTreeMap<u32, u64>,
    floor: Position,
    entries: Vec<(TargetRef<'static>, Position, Option<i64>)>,
}

impl Model {
    fn new() -> Self {
        Self { epochs: BTreeMap::from([(1, 0)]), floor: Position::START, entries: Vec::new() }
    }

    fn head(&self) -> Position {
        let (epoch, seq) = self.epochs.last_key_value().unwrap();
        Position { epoch: *epoch, seq: *seq }
    }

    fn kept(&self) -> impl Iterator<Item = &(TargetRef<'static>, Position, Option<i64>)> {
        self.entries.iter().filter(|(_, at, _)| *at > self.floor)
    }

    fn position_of(&self, target: TargetRef<'_>) -> Option<Position> {
        let positions =
            self.kept().filter(|(entry, _, before)| *entry == target && before.is_none()).map(|(_, at, _)| *at);
        if target.is_living() { positions.max() } else { positions.min() }
    }

    fn verdict(&self, lineage: &Lineage<'_>, side: Side) -> Verdict {
        let stamp = lineage.position;
        let Some(last) = self.epochs.get(&stamp.epoch) else {
            return Verdict::Revoked;
        };
        let above = stamp > self.head();
        if (stamp.seq > *last && !above) || stamp < self.floor || (above && side == Side::Node) {
            return Verdict::Revoked;
        }
        let ends = |(entry, at, before): &(TargetRef<'_>, Position, Option<i64>)| {
            lineage.targets().any(|target| target == *entry)
                && (!entry.is_living() || stamp < *at && before.is_none_or(|before| lineage.root_time < before))
        };
        match (self.kept().any(ends), above) {
            (true, _) => Verdict::Revoked,
            (false, true) => Verdict::Stale,
            (false, false) => Verdict::NotRevoked,
        }
    }
}

fn print_of(target: TargetRef<'_>) -> Fingerprint {
    target.fingerprint(&FingerprintKey::new(KEY))
}

fn take(step: &Step, model: &mut Model, index: &mut Index) {
    match *step {
        Step::End(kind, names, before) => {
            let (target, at) = (target(kind, names), model.head().next());
            let before = before.filter(|_| target.is_living());
            let expected = match model.position_of(target) {
                _ if before.is_some() => Applied::Conditioned,
                None => Applied::New,
                Some(first) if !target.is_living() => Applied::Already(first),
                Some(former) => Applied::Moved(former),
            };
            let applied = index.apply(print_of(target), target.cut(before), at).unwrap();
            assert_eq!(applied, expected);
            // A repeated ending of a never-reused target is not an entry of its own.
            if !matches!(applied, Applied::Already(_)) {
                model.entries.push((target, at, before));
            }
            *model.epochs.get_mut(&at.epoch).unwrap() = at.seq;
        }
        Step::Open(more) => {
            let epoch = model.head().epoch + more;
            index.open_epoch(epoch).unwrap();
            model.epochs.insert(epoch, 0);
        }
        Step::Forget(share) => {
            if let Some((_, floor, _)) = model.entries.get(model.entries.len() * usize::from(share) / 256) {
                model.floor = model.floor.max(*floor);
                index.forget_below(*floor);
            }
        }
    }
}

fn live(steps: &[Step]) -> (Model, Index) {
    let (mut model, mut index) = (Model::new(), Index::new());
    for step in steps {
        take(step, &mut model, &mut index);
    }
    (model, index)
}

/// A credential whose parts are sometimes absent, stamped somewhere near the ledger's positions.
#[derive(Clone, Debug)]
struct Credential {
    parts: [Option<u8>; 8],
    audiences: Vec<String>,
    position: Position,
    root_time: i64,
}

impl Credential {
    fn lineage(&self) -> Lineage<'_> {
        let [token, grant, session, device, issuer, subject, client, key] =
            self.parts.map(|part| part.map(|n| NAMES[n as usize % NAMES.len()]));
        let subject = issuer.zip(subject);
        Lineage {
            token,
            grant,
            session,
            device,
            subject,
            client,
            audiences: &self.audiences,
            key,
            position: self.position,
            root_time: self.root_time,
        }
    }

    fn verdict(&self, index: &Index, side: Side) -> Verdict {
        index.verdict(&self.lineage().trace(&FingerprintKey::new(KEY)), side)
    }
}

fn credentials() -> impl Strategy<Value = Vec<Credential>> {
    let audiences = proptest::collection::vec((0..4_usize).prop_map(|n| NAMES[n].to_owned()), 0..3);
    let part = proptest::option::weighted(0.25, any::<u8>());
    let one = (proptest::array::uniform8(part), audiences, 0..6_u32, 0..130_u64, 0..9_i64).prop_map(
        |(parts, audiences, epoch, seq, root_time)| Credential {
            parts,
            audiences,
            position: Position { epoch, seq },
            root_time,
        },
    );
    proptest::collection::vec(one, 1..30)
}

/// A credential that a target reaches, and as little else as may be.
fn reached_by(target: TargetRef<'static>, stamp: Position) -> Lineage<'static> {
    let bare = Lineage::at(stamp, 0);
    match target {
        TargetRef::Device(device) => Lineage { device: Some(device), ..bare },
        TargetRef::Subject { issuer, subject } => Lineage { subject: Some((issuer, subject)), ..bare },
        TargetRef::Client(client) => Lineage { client: Some(client), ..bare },
        TargetRef::Audience(audience) => Lineage { audiences: one(audience), ..bare },
        TargetRef::SubjectClient { issuer, subject, client } => {
            Lineage { subject: Some((issuer, subject)), client: Some(client), ..bare }
        }
        TargetRef::SubjectAudience { issuer, subject, audience } => {
            Lineage { subject: Some((issuer, subject)), audiences: one(audience), ..bare }
        }
        TargetRef::ClientAudience { client, audience } => {
            Lineage { client: Some(client), audiences: one(audience), ..bare }
        }
        TargetRef::DeviceClient { device, client } => Lineage { device: Some(device), client: Some(client), ..bare },
        TargetRef::Everything
        | TargetRef::Token(_)
        | TargetRef::Grant(_)
        | TargetRef::Session(_)
        | TargetRef::Key(_) => bare,
    }
}

fn one(audience: &str) -> &'static [String] {
    Box::leak(vec![audience.to_owned()].into_boxed_slice())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn index_and_plain_model_agree(steps in steps(), credentials in credentials()) {
        let (model, index) = live(&steps);
        prop_assert_eq!(index.head(), model.head());
        prop_assert_eq!(index.floor(), model.floor);
        let cut_off = model.kept().filter(|(_, _, before)| before.is_none());
        let targets: HashMap<_, _> = cut_off.map(|(target, ..)| (print_of(*target), *target)).collect();
        prop_assert_eq!(index.len(), targets.len());
        for (print, target) in targets {
            prop_assert_eq!(index.position_of(print), model.position_of(target));
        }
        for credential in &credentials {
            for side in [Side::Node, Side::Edge] {
                prop_assert_eq!(credential.verdict(&index, side), model.verdict(&credential.lineage(), side));
            }
        }
    }

    #[test]
    fn more_of_the_ledger_never_revives(steps in steps(), credentials in credentials()) {
        let (mut model, mut index) = (Model::new(), Index::new());
        let mut dead = vec![false; credentials.len()];
        let mut honest = vec![true; credentials.len()];
        for step in &steps {
            take(step, &mut model, &mut index);
            for ((credential, dead), honest) in credentials.iter().zip(&mut dead).zip(&mut honest) {
                let (stamp, lineage) = (credential.position, credential.lineage());
                // Nobody honest stamps what belongs to a never-reused target after its end; of that, forgetting loses sight.
                let mut ended = lineage.targets().filter(|target| !target.is_living()).filter_map(|target| model.position_of(target));
                *honest &= ended.all(|at| stamp < at);
                // Nor above the head.
                if *honest && stamp <= index.head() {
                    let now = credential.verdict(&index, Side::Node) == Verdict::Revoked;
                    prop_assert!(now || !*dead, "revived by {:?}", step);
                    *dead = now;
                }
            }
        }
    }

    #[test]
    fn more_entries_never_revive_even_what_was_stamped_dishonestly(
        ends in proptest::collection::vec(end(), 1..60),
        credentials in credentials(),
    ) {
        let (mut model, mut index) = (Model::new(), Index::new());
        let mut dead = vec![false; credentials.len()];
        for (kind, names, before) in ends {
            take(&Step::End(kind, names, before), &mut model, &mut index);
            for (credential, dead) in credentials.iter().zip(&mut dead) {
                let now = !index.matching(&credential.lineage(), &FingerprintKey::new(KEY)).is_empty();
                prop_assert!(now || !*dead);
                *dead = now;
            }
        }
    }

    #[test]
    fn an_ending_twice_is_an_ending_once(steps in steps(), end in end(), credentials in credentials()) {
        let (mut model, mut once) = live(&steps);
        let (kind, names, before) = end;
        take(&Step::End(kind, names, before), &mut model, &mut once);
        let mut twice = once.clone();
        take(&Step::End(kind, names, before), &mut model, &mut twice);
        prop_assert_eq!((once.len(), once.conditioned()), (twice.len(), twice.conditioned()));
        for credential in credentials.iter().filter(|credential| credential.position < once.head()) {
            prop_assert_eq!(credential.verdict(&once, Side::Node), credential.verdict(&twice, Side::Node));
        }
    }

    #[test]
    fn the_order_of_entries_matters_only_by_their_positions(
        ends in proptest::collection::vec(end(), 1..60),
        seed: u64,
        credentials in credentials(),
    ) {
        let mut shuffled = ends.clone();
        let mut random = seed;
        for i in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, (random >> 33) as usize % (i + 1));
        }
        let life = |ends: &[(u8, [u8; 3], Option<i64>)]| {
            live(&ends.iter().map(|(kind, names, before)| Step::End(*kind, *names, *before)).collect::<Vec<_>>()).1
        };
        let (one, other) = (life(&ends), life(&shuffled));
        // Stamped before them all: every order ends the same credentials. Stamped after: the same as well.
        for position in [Position::START, one.head()] {
            for credential in &credentials {
                let credential = Credential { position, ..credential.clone() };
                prop_assert_eq!(credential.verdict(&one, Side::Node), credential.verdict(&other, Side::Node));
            }
        }
    }

    #[test]
    fn nothing_stamped_at_or_after_a_cut_off_dies_of_it(
        steps in steps(),
        kind in 4..13_u8,
        names: [u8; 3],
        before in proptest::option::of(0..9_i64),
        later in 0..20_usize,
    ) {
        let (mut model, mut index) = live(&steps);
        take(&Step::End(kind, names, before), &mut model, &mut index);
        let cut_off = target(kind, names);
        for n in 0..=later {
            let [issuer, subject, client] = names.map(|n| NAMES[n as usize % NAMES.len()]);
            let audiences = [client.to_owned()];
            let lineage = Lineage {
                device: Some(issuer),
                subject: Some((issuer, subject)),
                client: Some(if kind == 11 { subject } else { client }),
                audiences: &audiences,
                ..Lineage::at(index.head(), i64::MIN)
            };
            prop_assert!(lineage.targets().any(|target| target == cut_off));
            prop_assert_eq!(index.matching(&lineage, &FingerprintKey::new(KEY)), []);
            prop_assert_eq!(index.verdict(&lineage.trace(&FingerprintKey::new(KEY)), Side::Node), Verdict::NotRevoked);
            take(&Step::End(0, [n as u8; 3], None), &mut model, &mut index);
        }
    }

    #[test]
    fn restoring_what_is_kept_equals_applying_it_all(steps in steps(), credentials in credentials(), backwards: bool) {
        let (model, index) = live(&steps);
        let history: Vec<_> = model.epochs.iter().map(|(epoch, last)| (*epoch, *last)).collect();
        let mut entries: Vec<_> = model.entries.iter().map(|(t, at, before)| (print_of(*t), t.cut(*before), *at)).collect();
        if backwards {
            entries.reverse();
        }
        let restored = Index::restore(&history, model.floor, entries.iter().copied()).unwrap();
        prop_assert_eq!((restored.head(), restored.floor(), restored.len()), (index.head(), index.floor(), index.len()));
        prop_assert_eq!(restored.conditioned(), index.conditioned());
        prop_assert!(restored.epochs().eq(index.epochs()));
        for (print, ..) in &entries {
            prop_assert_eq!(restored.position_of(*print), index.position_of(*print));
        }
        for credential in &credentials {
            prop_assert_eq!(credential.verdict(&restored, Side::Edge), credential.verdict(&index, Side::Edge));
        }
    }

    #[test]
    fn verdict_and_explanation_agree(steps in steps(), credentials in credentials()) {
        let (model, index) = live(&steps);
        for credential in &credentials {
            let lineage = credential.lineage();
            let reasons = index.matching(&lineage, &FingerprintKey::new(KEY));
            let explained = !reasons.is_empty() || index.fault(lineage.position).is_some();
            prop_assert_eq!(explained, credential.verdict(&index, Side::Node) == Verdict::Revoked);
            for (target, at) in reasons {
                let conditioned = model.kept().any(|entry| (entry.0, entry.1) == (target, at) && entry.2.is_some());
                prop_assert!(conditioned || model.position_of(target) == Some(at));
            }
        }
    }

    #[test]
    fn of_several_conditioned_entries_the_latest_time_decides_whatever_their_order(
        steps in steps(),
        kind in 4..13_u8,
        names: [u8; 3],
        times in proptest::collection::vec(0..9_i64, 1..12),
        cut_offs in proptest::collection::vec(any::<bool>(), 12),
        root_time in 0..9_i64,
    ) {
        let (mut model, mut index) = live(&steps);
        let (stamp, cut_off) = (index.head(), target(kind, names));
        for (before, also) in times.iter().zip(&cut_offs) {
            take(&Step::End(kind, names, Some(*before)), &mut model, &mut index);
            let other = names.map(|name| name.wrapping_add(1));
            if *also && target(kind, other) != cut_off {
                take(&Step::End(kind, other, None), &mut model, &mut index);
            }
        }
        let lineage = Lineage { root_time, ..reached_by(cut_off, stamp) };
        let ended = index.matching(&lineage, &FingerprintKey::new(KEY)).iter().any(|(target, _)| *target == cut_off);
        prop_assert_eq!(ended, times.iter().any(|before| root_time < *before));
        prop_assert_eq!(ended, times.iter().max().is_some_and(|latest| root_time < *latest));
    }

    #[test]
    fn entries_that_are_in_no_index_yet_end_what_they_will_end_in_one(
        steps in steps(),
        ends in proptest::collection::vec(end(), 0..20),
        credentials in credentials(),
    ) {
        let (mut model, mut index) = live(&steps);
        let (at_first, mut effects) = (index.clone(), HashMap::<Fingerprint, Effect>::new());
        for (kind, names, before) in ends {
            let target = target(kind, names);
            effects.entry(print_of(target)).or_default().add(target.cut(before), index.head().next());
            take(&Step::End(kind, names, before), &mut model, &mut index);
        }
        // What is stamped now is stamped in the open epoch or in one that is known.
        for credential in credentials.iter().filter(|one| at_first.fault(one.position).is_none()) {
            let trace = credential.lineage().trace(&FingerprintKey::new(KEY));
            let ended = trace.is_ended_among(|target| effects.get(&target));
            let dead = ended || at_first.verdict(&trace, Side::Node) == Verdict::Revoked;
            prop_assert_eq!(dead, index.verdict(&trace, Side::Node) == Verdict::Revoked);
        }
    }

    #[test]
    fn a_masked_position_comes_back_and_only_with_key_and_jti(epoch: u32, seq: u64, key: [u8; 16], jti in ".{0,40}") {
        let (position, key) = (Position { epoch, seq }, MaskKey::new(key));
        prop_assert_eq!(unmask(mask(position, &key, &jti), &key, &jti), position);
        let text = mask_text(position, &key, &jti);
        prop_assert_eq!(text.len(), 16);
        prop_assert_eq!(unmask_text(&text, &key, &jti), Some(position));
        prop_assert_ne!(unmask_text(&text, &key, &format!("{jti}.")), Some(position));
    }

    #[test]
    fn no_text_makes_unmasking_fall_over(text in ".{0,24}") {
        let key = MaskKey::new([0; 16]);
        let url_safe = text.len() == 16 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        prop_assert_eq!(unmask_text(&text, &key, "jti").is_some(), url_safe);
    }
}
