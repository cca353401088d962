//! The table behind the index: size, growth, awkward fingerprints, far-away ordinals.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its supporting functions too")]

use rescind_check::*;

/// Evenly spread numbers without a source of chance (splitmix64).
fn spread(n: u64) -> Fingerprint {
    let z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    Fingerprint(z ^ (z >> 31))
}

fn first_life(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

fn filled(entries: u64) -> Index {
    let kept = (1..=entries).map(|n| (spread(n), if n % 2 == 0 { Cut::Stamped } else { Cut::ForGood }, first_life(n)));
    Index::restore(&[(1, entries)], Position::START, kept).unwrap()
}

#[test]
fn an_empty_index_takes_a_few_kibibytes_and_a_small_one_little_more() {
    assert!(Index::new().bytes() <= 8 * 1024, "{}", Index::new().bytes());
    assert!(filled(1000).bytes() <= 48 * 1024, "{}", filled(1000).bytes());
}

#[test]
fn an_entry_takes_some_fifteen_bytes_whatever_their_number() {
    for entries in [100_000, 123_456, 150_000, 200_000, 250_000] {
        let index = filled(entries);
        assert_eq!(index.len() as u64, entries);
        let each = index.bytes() as f64 / entries as f64;
        assert!((13.0..18.0).contains(&each), "{each} bytes each at {entries}");
    }
}

#[test]
fn everything_put_in_is_found_and_nothing_else() {
    let index = filled(100_000);
    for n in 1..=100_000 {
        assert_eq!(index.position_of(spread(n)), Some(first_life(n)));
        assert_eq!(index.position_of(spread(n + 100_000)), None);
    }
}

#[test]
fn forgetting_gives_memory_back_and_keeps_the_rest() {
    let mut index = filled(100_000);
    let full = index.bytes();
    index.forget_below(first_life(90_000));
    assert_eq!(index.len(), 10_000);
    assert!(index.bytes() < full / 6, "{} of {full}", index.bytes());
    for n in 1..=100_000 {
        assert_eq!(index.position_of(spread(n)), Some(first_life(n)).filter(|_| n > 90_000));
    }
    index.forget_below(first_life(100_000));
    assert!(index.is_empty());
    assert!(index.bytes() <= Index::new().bytes());
}

#[test]
fn a_raised_floor_counts_before_it_is_swept() {
    let mut index = filled(1000);
    index.raise_floor(first_life(500));
    assert_eq!(index.len(), 1000);
    assert_eq!(index.position_of(spread(500)), None);
    assert_eq!(index.position_of(spread(501)), Some(first_life(501)));
    // A forgotten never-reused target counts as new, as it would in an index that was swept or loaded.
    assert_eq!(index.apply(spread(499), Cut::ForGood, first_life(1001)), Ok(Applied::New));
    for shard in 0..SHARDS {
        index.sweep_shard(shard);
    }
    assert_eq!(index.len(), 501);
    assert_eq!(index.position_of(spread(499)), Some(first_life(1001)));
}

#[test]
fn constant_load_with_forgetting_takes_constant_memory() {
    let mut index = Index::new();
    let mut sizes = Vec::new();
    for n in 1..=60_000_u64 {
        index.apply(spread(n), Cut::ForGood, first_life(n)).unwrap();
        if n % 1000 == 0 {
            index.forget_below(first_life(n.saturating_sub(10_000)));
            sizes.push(index.bytes());
        }
    }
    let (least, most) = (sizes[30..].iter().min().unwrap(), sizes[30..].iter().max().unwrap());
    assert!(most * 100 <= least * 105, "between {least} and {most}");
}

#[test]
fn fingerprints_at_the_ends_and_in_a_row_are_kept_apart() {
    let awkward = (0..300).chain(u64::MAX - 300..u64::MAX).chain((0..300).map(|n| (77 << 57) + n));
    let mut index = Index::new();
    for (n, print) in awkward.clone().enumerate() {
        index.apply(Fingerprint(print), Cut::ForGood, first_life(n as u64 + 1)).unwrap();
    }
    for (n, print) in awkward.enumerate() {
        assert_eq!(index.position_of(Fingerprint(print)), Some(first_life(n as u64 + 1)), "{print}");
    }
    assert_eq!(index.position_of(Fingerprint(300)), None);
    // The one value that the table needs for itself shares a key with its neighbour: dead rather than missed.
    assert_eq!(index.position_of(Fingerprint(u64::MAX)), index.position_of(Fingerprint(u64::MAX - 1)));
}

#[test]
fn entries_farther_apart_than_32_bits_are_refused_until_the_floor_is_raised() {
    const FAR: u64 = (1 << 32) + 10;
    let (old, new) = (Fingerprint(1), Fingerprint(2));
    let mut index = Index::restore(&[(1, FAR)], Position::START, [(old, Cut::ForGood, first_life(5))]).unwrap();
    let at = index.head().next();
    assert_eq!(index.apply(new, Cut::ForGood, at), Err(OutOfOrder::TooFar(at)));
    assert_eq!((index.head(), index.position_of(new)), (first_life(FAR), None));
    assert_eq!(index.position_of(old), Some(first_life(5)));
    index.raise_floor(first_life(5));
    assert_eq!(index.apply(new, Cut::ForGood, at), Ok(Applied::New));
    assert_eq!(index.position_of(new), Some(at));
}

#[test]
fn offsets_are_counted_anew_when_the_oldest_allow_it() {
    let far = |n: u64| first_life(n << 31);
    let (early, late) = (first_life((3 << 31) - 5), first_life((5 << 31) - 6));
    // In this order the second lies before what the first one left room for, and the third as far off as 32 bits reach.
    let entries = [
        (Fingerprint(4), Cut::ForGood, far(4)),
        (Fingerprint(3), Cut::Stamped, early),
        (Fingerprint(5), Cut::ForGood, late),
    ];
    let mut index = Index::restore(&[(1, 6 << 31)], Position::START, entries).unwrap();
    for (print, _, at) in entries {
        assert_eq!(index.position_of(print), Some(at));
    }
    let next = index.head().next();
    assert_eq!(index.apply(Fingerprint(6), Cut::Stamped, next), Err(OutOfOrder::TooFar(next)));
    index.forget_below(far(4));
    assert_eq!(index.apply(Fingerprint(6), Cut::Stamped, next), Ok(Applied::New));
    assert_eq!(index.position_of(Fingerprint(5)), Some(late));
}

#[test]
fn a_history_that_makes_no_sense_is_refused() {
    let restore =
        |epochs: &[(u32, u64)], at| Index::restore(epochs, Position::START, [(Fingerprint(1), Cut::Stamped, at)]).err();
    assert_eq!(restore(&[], first_life(1)), Some(OutOfOrder::BadHistory));
    assert_eq!(restore(&[(2, 1), (2, 1)], first_life(1)), Some(OutOfOrder::BadHistory));
    assert_eq!(restore(&[(1, 4), (3, 1)], first_life(5)), Some(OutOfOrder::Unplaced(first_life(5))));
    let unknown = Position { epoch: 2, seq: 0 };
    assert_eq!(restore(&[(1, 4), (3, 1)], unknown), Some(OutOfOrder::Unplaced(unknown)));
    assert_eq!(restore(&[(1, 4), (3, 1)], first_life(4)), None);
}

#[test]
fn keys_are_not_shown() {
    let shown = format!("{:?} {:?}", FingerprintKey::new([0xAB; 16]), MaskKey::new([0xAB; 16]));
    assert!(!shown.contains("171") && !shown.to_lowercase().contains("ab,"), "{shown}");
}
