//! The plain-text cases in `vectors/`, which other languages can run too.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its supporting functions too")]

use rescind_check::*;

fn key_of(hex: &str) -> [u8; 16] {
    assert_eq!(hex.len(), 32);
    std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
}

fn target<'a>(kind: &str, parts: &[&'a str]) -> TargetRef<'a> {
    let target = match (kind, parts) {
        ("token", &[id]) => TargetRef::Token(id),
        ("grant", &[id]) => TargetRef::Grant(id),
        ("session", &[id]) => TargetRef::Session(id),
        ("key", &[id]) => TargetRef::Key(id),
        ("device", &[id]) => TargetRef::Device(id),
        ("client", &[id]) => TargetRef::Client(id),
        ("audience", &[id]) => TargetRef::Audience(id),
        ("everything", &[]) => TargetRef::Everything,
        ("subject", &[issuer, subject]) => TargetRef::Subject { issuer, subject },
        ("subject_client", &[issuer, subject, client]) => TargetRef::SubjectClient { issuer, subject, client },
        ("subject_audience", &[issuer, subject, audience]) => TargetRef::SubjectAudience { issuer, subject, audience },
        ("client_audience", &[client, audience]) => TargetRef::ClientAudience { client, audience },
        ("device_client", &[device, client]) => TargetRef::DeviceClient { device, client },
        _ => panic!("no such target: {kind} {parts:?}"),
    };
    assert_eq!(target.kind(), kind);
    target
}

fn rows(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty())
}

#[test]
fn fingerprints_are_those_of_the_vectors() {
    let mut seen = 0;
    for row in rows(include_str!("../vectors/fingerprints.txt")) {
        let fields: Vec<_> = row.split('\t').collect();
        let [key, kind, parts @ .., expected] = &fields[..] else { panic!("{row}") };
        let found = target(kind, parts).fingerprint(&FingerprintKey::new(key_of(key)));
        assert_eq!(format!("{:016x}", found.0), *expected, "{row}");
        seen += 1;
    }
    assert_eq!(seen, 38);
}

#[test]
fn masks_are_those_of_the_vectors() {
    let mut seen = 0;
    for row in rows(include_str!("../vectors/masks.txt")) {
        let fields: Vec<_> = row.split('\t').collect();
        let [key, jti, position, text] = fields[..] else { panic!("{row}") };
        let (key, position) = (MaskKey::new(key_of(key)), position.parse().unwrap());
        assert_eq!(mask_text(position, &key, jti), text, "{row}");
        assert_eq!(unmask_text(text, &key, jti), Some(position), "{row}");
        seen += 1;
    }
    assert_eq!(seen, 32);
}

/// Runs one line of a case; a verdict line checks, the others change the index.
fn run(index: &mut Index, key: &FingerprintKey, line: &str) {
    let words: Vec<_> = line.split(' ').collect();
    match &words[..] {
        ["entry", at, kind, parts @ ..] => {
            let condition = parts.last().and_then(|last| last.strip_prefix("before="));
            let target = target(kind, &parts[..parts.len() - usize::from(condition.is_some())]);
            let cut = target.cut(condition.map(|time| time.parse().unwrap()));
            index.apply(target.fingerprint(key), cut, at.parse().unwrap()).unwrap();
        }
        ["epoch", number] => index.open_epoch(number.parse().unwrap()).unwrap(),
        ["follow", number, ends @ ..] => {
            let ends = ends.iter().map(|end| end.parse::<Position>().unwrap());
            let closed: Vec<_> = ends.map(|end| (end.epoch, end.seq)).collect();
            index.follow_epoch(number.parse().unwrap(), &closed).unwrap();
        }
        ["forget", floor] => index.forget_below(floor.parse().unwrap()),
        ["verdict", side, position, expected, names @ ..] => {
            let side = if *side == "node" { Side::Node } else { Side::Edge };
            let audiences: Vec<_> =
                names.iter().filter_map(|name| name.strip_prefix("audience=")).map(String::from).collect();
            let named = |what: &str| names.iter().find_map(|name| name.strip_prefix(what)?.strip_prefix('='));
            let lineage = Lineage {
                token: named("token"),
                grant: named("grant"),
                session: named("session"),
                device: named("device"),
                subject: named("subject").and_then(|subject| subject.split_once(',')),
                client: named("client"),
                audiences: &audiences,
                key: named("key"),
                position: position.parse().unwrap(),
                root_time: named("root").map_or(0, |time| time.parse().unwrap()),
            };
            let verdict = index.verdict(&lineage.trace(key), side);
            assert_eq!(format!("{verdict:?}"), *expected, "{line}");
            let dead = !index.matching(&lineage, key).is_empty() || index.fault(lineage.position).is_some();
            assert_eq!(dead, verdict != Verdict::NotRevoked, "explanation and verdict disagree: {line}");
        }
        _ => panic!("not understood: {line}"),
    }
}

#[test]
fn verdicts_are_those_of_the_vectors() {
    let key = FingerprintKey::new([9; 16]);
    let mut index = Index::new();
    let mut verdicts = 0;
    for line in rows(include_str!("../vectors/verdicts.txt")) {
        if line.starts_with("case ") {
            index = Index::new();
        } else {
            run(&mut index, &key, line);
            verdicts += usize::from(line.starts_with("verdict "));
        }
    }
    assert_eq!(verdicts, 84);
}
